//! What one `DescribeBlueGreenDeployments` says, cut down to what the machine decides on, and whether it still speaks
//! of the deployment that was checked.
//!
//! A deployment's name and its ARNs can be taken over by another (delete and create again; and RDS itself swaps ARNs
//! between blue and green at switchover). Resource ids cannot, so they are what [`Identity::difference`] trusts first.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::model::{DeploymentStatus as Status, MemberStatus};

/// A status for people: one that the API left out says so.
fn shown(status: impl fmt::Display) -> String {
    let text = status.to_string();
    if text.is_empty() {
        "(no status)".to_owned()
    } else {
        text
    }
}

/// One side of a member: the ARN that RDS gives, and the resource id that outlives a rename, if it could be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// `arn:aws:rds:…:cluster:…` or `…:db:…`. Changes hands at switchover.
    pub arn: String,
    /// `DbClusterResourceId` or `DbiResourceId`. Never changes; `None` when it was not to be had.
    pub resource_id: Option<String>,
}

/// One pair of blue and green resource, with how far its switchover is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The blue resource before, the old one (`…-old1`) after a switchover.
    pub source: Resource,
    /// The green resource before, the production one after a switchover. Absent while green is being made.
    pub target: Option<Resource>,
    /// How far it is.
    pub status: MemberStatus,
}

/// One answer of `DescribeBlueGreenDeployments`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// `bgd-…`
    pub id: String,
    /// The top status. Not to be trusted alone: a rolled-back deployment may say AVAILABLE.
    pub status: Status,
    /// RDS's free text about the status.
    pub details: Option<String>,
    /// One entry a cluster and an instance.
    pub members: Vec<Member>,
}

/// What a look at the deployment gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// It is there.
    Found(View),
    /// RDS says that no such deployment exists.
    Gone,
    /// The look itself failed; nothing is known.
    Failed(String),
}

impl View {
    /// Whether any member carries SWITCHOVER_FAILED.
    #[must_use]
    pub fn any_failed(&self) -> bool {
        self.members
            .iter()
            .any(|m| m.status == MemberStatus::SwitchoverFailed)
    }

    /// Whether at least one member is listed and `test` holds for all of them. An empty list proves nothing.
    #[must_use]
    pub fn all_members(&self, test: impl Fn(&MemberStatus) -> bool) -> bool {
        !self.members.is_empty() && self.members.iter().all(|m| test(&m.status))
    }

    /// Status and members in one line: `AVAILABLE (2 x AVAILABLE, 1 x SWITCHOVER_FAILED)`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for member in &self.members {
            let text = shown(&member.status);
            match counts.iter_mut().find(|(t, _)| *t == text) {
                Some((_, n)) => *n += 1,
                None => counts.push((text, 1)),
            }
        }
        let members: Vec<String> = counts.iter().map(|(text, n)| format!("{n} x {text}")).collect();
        format!(
            "{} ({})",
            shown(&self.status),
            if members.is_empty() {
                "no members".into()
            } else {
                members.join(", ")
            }
        )
    }
}

/// The deployment that was checked: what must still be the same when the request leaves, and when the end is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// `bgd-…`
    pub id: String,
    /// The pairs, as they were before the switchover.
    pub members: Vec<Pair>,
}

/// A blue and a green resource that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// Blue, the production resource before the switchover.
    pub blue: Resource,
    /// Green, the production resource after it.
    pub green: Resource,
}

impl Identity {
    /// Takes the identity of a deployment at rest before its switchover.
    ///
    /// # Errors
    /// Says so when a member has no green resource yet, or when there is no member at all.
    pub fn of(view: &View) -> Result<Self, String> {
        if view.members.is_empty() {
            return Err(format!("deployment {} lists no members yet", view.id));
        }
        let members = view
            .members
            .iter()
            .map(|m| match &m.target {
                Some(green) => Ok(Pair {
                    blue: m.source.clone(),
                    green: green.clone(),
                }),
                None => Err(format!("{} has no green resource yet", m.source.arn)),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: view.id.clone(),
            members,
        })
    }

    /// What differs between the deployment that was checked and the one that `view` shows, or `None`.
    ///
    /// RDS renames while it switches over, so a member is looked for by resource id, and only where an id is missing
    /// by ARN: the ARN it had, the ARN of its partner (green takes blue's), or blue's with `-oldN`.
    #[must_use]
    pub fn difference(&self, view: &View) -> Option<String> {
        if view.id != self.id {
            return Some(format!("the deployment's id is {} and was {}", view.id, self.id));
        }
        for pair in &self.members {
            let Some(found) = view
                .members
                .iter()
                .find(|m| pair.blue.may_be(&m.source, &pair.green))
            else {
                return Some(format!("blue {} is no longer a member", pair.blue));
            };
            match &found.target {
                Some(target) if pair.green.may_be(target, &pair.blue) => {}
                Some(target) => {
                    return Some(format!(
                        "green of {} is {target} and was {}",
                        pair.blue, pair.green
                    ));
                }
                // While green is there its target is listed; it goes missing when green is deleted.
                None => return Some(format!("green {} is no longer a member", pair.green)),
            }
        }
        let extra = view.members.len().saturating_sub(self.members.len());
        (extra > 0).then(|| format!("{extra} more member(s) than when it was checked"))
    }
}

impl Resource {
    /// Whether `seen` can be this resource, before, during or after a switchover with `partner`.
    fn may_be(&self, seen: &Self, partner: &Self) -> bool {
        match (&self.resource_id, &seen.resource_id) {
            (Some(was), Some(is)) => was == is,
            _ => {
                seen.arn == self.arn
                    || seen.arn == partner.arn
                    || seen
                        .arn
                        .strip_prefix(&self.arn)
                        .and_then(|rest| rest.strip_prefix("-old"))
                        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            }
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource_id {
            Some(id) => write!(f, "{} [{id}]", self.arn),
            None => f.write_str(&self.arn),
        }
    }
}
