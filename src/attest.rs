//! An attestation: what was judged, for whom and until when, in a file that a later switchover can be held to.
//!
//! `check --attest FILE` writes it, `switchover --attestation FILE` acts only while it still matches what is there. Its
//! digest finds every accident: a field that was edited, a file that was cut off or mixed up. It is no signature: whoever
//! can write the file can compute a digest, so it does not protect against a forger. Keep it where only those can write
//! who may approve a change.
//!
//! Pure: the time comes from outside.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    checks,
    facts::Facts,
    model::{PgVersion, Phase, hex},
    policy::{Policy, Thresholds, Waiver},
    report::{Headline, Report},
    switchover::deployment::View,
    verdict::Level,
};

/// The version of the file's format.
pub const FORMAT: u32 = 1;
/// How long one is good for where nothing is said, in minutes.
pub const MINUTES: u16 = 60;
/// The longest that one may be good for, in minutes.
pub const MAX_MINUTES: u16 = 24 * 60;
/// How far the clock of the machine that collected may be ahead of this one's.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// What was judged, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `bgd-…`
    pub deployment: String,
    /// The deployment's name.
    pub name: String,
    /// The AWS account, if it is known.
    pub account: Option<String>,
    /// The AWS region.
    pub region: String,
    /// The RDS endpoint where it is not AWS's own.
    pub endpoint: Option<String>,
    /// The pairs, by blue's ARN.
    pub members: Vec<Pair>,
    /// PostgreSQL's version on blue.
    pub source_version: String,
    /// And on green.
    pub target_version: String,
    /// Fingerprint of greenlight's version and its catalogue.
    pub catalogue: String,
    /// What was decided about thresholds, levels and waivers.
    pub policy: Decided,
}

/// A blue and a green resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Blue's ARN.
    pub blue: String,
    /// Its resource id, which no other resource ever gets; if it could be read.
    pub blue_resource_id: Option<String>,
    /// Green's ARN.
    pub green: String,
    /// Its resource id.
    pub green_resource_id: Option<String>,
}

/// The policy that judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// The lowest level that gates.
    pub fail_on: Level,
    /// Numbers.
    pub thresholds: Thresholds,
    /// Levels that differ from the catalogue's.
    pub levels: BTreeMap<String, Level>,
    /// Everything that is accepted.
    pub waivers: Vec<Waiver>,
}

/// The verdict as it is attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attested {
    /// Nothing gates.
    Ready,
    /// Something that gates was found.
    NotReady,
    /// Something that could gate could not be judged.
    NotDetermined,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// [`FORMAT`].
    pub format: u32,
    /// The version that wrote it.
    pub greenlight: String,
    /// What was judged.
    pub subject: Subject,
    /// How.
    pub verdict: Attested,
    /// When the collection of the facts began.
    pub collected_at: Timestamp,
    /// From then on it is worth nothing.
    pub expires_at: Timestamp,
    /// SHA-256 over everything above, as canonical JSON.
    pub digest: String,
}

/// Why there is nothing to attest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSubject {
    /// Not the question that a switchover asks.
    #[error(
        "an attestation is for a switchover, and this check was about phase {0}; check --deployment … --phase switchover"
    )]
    Phase(String),
    /// No deployment.
    #[error("an attestation names a blue/green deployment, and {0}")]
    Deployment(String),
    /// A version was not seen.
    #[error("an attestation names the versions of both sides, and that of {0} could not be read")]
    Version(&'static str),
    /// Not everything was judged.
    #[error("an attestation is for the whole catalogue; leave out {0}")]
    Partial(&'static str),
    /// It would have expired already.
    #[error(
        "the facts are from {collected_at}, so an attestation for {minutes} minutes has expired already; collect anew"
    )]
    Old {
        /// When they were collected.
        collected_at: Timestamp,
        /// How long it was to be good for.
        minutes: u16,
    },
}

/// Why an attestation is not acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an attestation at all.
    #[error("it is no attestation of greenlight: {0}")]
    Unreadable(String),
    /// Another format.
    #[error(
        "its format is {0}, and this version reads format {FORMAT}; make it anew with `greenlight check --attest`"
    )]
    Format(u64),
    /// Its digest does not fit.
    #[error("its digest does not match its content: it was changed after it was written; make it anew")]
    Edited,
    /// It says not ready, or not determined.
    #[error("it attests that the deployment was {0}")]
    Verdict(&'static str),
    /// Too old.
    #[error("it expired at {0}; check again with --attest")]
    Expired(Timestamp),
    /// From the future.
    #[error(
        "its facts are from {collected_at}, and this machine's clock says {now}: one of the clocks is wrong"
    )]
    Clock {
        /// When they were collected.
        collected_at: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// Something is not as it was.
    #[error("{what} is {is} and was {was} when it was attested; check again with --attest")]
    Differs {
        /// What.
        what: &'static str,
        /// As it was.
        was: String,
        /// As it is.
        is: String,
    },
    /// What is there now cannot be told.
    #[error("what is there now cannot be compared with it: {0}")]
    NotSeen(NoSubject),
}

impl Subject {
    /// What a report is about, where it can be attested.
    ///
    /// # Errors
    /// Where it is not about the switchover of a deployment, or not whole.
    pub fn of(facts: &Facts, report: &Report, policy: &Policy) -> Result<Self, NoSubject> {
        let situation = &report.situation;
        if !policy.only.is_empty() {
            return Err(NoSubject::Partial("--only"));
        }
        if !policy.skip.is_empty() {
            return Err(NoSubject::Partial("--skip"));
        }
        if situation.phase != Phase::Switchover {
            return Err(NoSubject::Phase(situation.phase.to_string()));
        }
        let rds = facts
            .rds
            .get()
            .map_err(|(_, why)| NoSubject::Deployment(format!("RDS could not be asked ({why})")))?;
        let deployment = rds
            .deployment
            .get()
            .map_err(|(_, why)| NoSubject::Deployment(format!("it could not be read ({why})")))?
            .as_ref()
            .ok_or_else(|| NoSubject::Deployment("there is none".into()))?;
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        let sides = [rds.blue.known(), rds.green.known().and_then(Option::as_ref)];
        for topology in sides.into_iter().flatten() {
            let cluster = topology.cluster.iter().map(|c| (&c.arn, &c.resource_id));
            let instances = topology.instances.iter().map(|i| (&i.arn, &i.resource_id));
            for (arn, id) in cluster.chain(instances) {
                ids.insert(arn.to_string(), id.clone());
            }
        }
        let mut members = Vec::new();
        for member in &deployment.members {
            let missing = |side| NoSubject::Deployment(format!("a member has no {side} resource yet"));
            let blue = member.source.as_ref().ok_or_else(|| missing("blue"))?.to_string();
            let green = member
                .target
                .as_ref()
                .ok_or_else(|| missing("green"))?
                .to_string();
            members.push(Pair {
                blue_resource_id: ids.get(&blue).cloned(),
                green_resource_id: ids.get(&green).cloned(),
                blue,
                green,
            });
        }
        if members.is_empty() {
            return Err(NoSubject::Deployment(format!(
                "{} lists no members yet",
                deployment.id
            )));
        }
        members.sort();
        // The versions in force, asked from the servers themselves.
        let version = |side: Option<&crate::facts::Fact<crate::facts::ServerFacts>>, name| {
            side.and_then(crate::facts::Fact::known)
                .map(|s| s.version.to_string())
                .ok_or(NoSubject::Version(name))
        };
        Ok(Self {
            deployment: deployment.id.clone(),
            name: deployment.name.clone(),
            account: rds.account.known().cloned(),
            region: rds.region.clone(),
            endpoint: rds.endpoint_url.clone(),
            members,
            source_version: version(Some(&facts.blue), "blue")?,
            target_version: version(facts.green.as_ref(), "green")?,
            catalogue: checks::fingerprint(),
            policy: Decided {
                fail_on: policy.fail_on,
                thresholds: policy.thresholds.clone(),
                levels: policy.levels.clone(),
                // Where they stand in the policy file is not what was decided.
                waivers: policy
                    .waivers
                    .iter()
                    .map(|w| Waiver {
                        line: None,
                        ..w.clone()
                    })
                    .collect(),
            },
        })
    }

    /// The first thing that differs from what was attested.
    fn difference(&self, was: &Self) -> Option<Refused> {
        let differs = |what, was: &dyn fmt::Display, is: &dyn fmt::Display| {
            Some(Refused::Differs {
                what,
                was: was.to_string(),
                is: is.to_string(),
            })
        };
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".into());
        if self.deployment != was.deployment {
            return differs("the deployment", &was.deployment, &self.deployment);
        }
        if self.name != was.name {
            return differs("the deployment's name", &was.name, &self.name);
        }
        if self.account != was.account {
            return differs("the account", &or(&was.account), &or(&self.account));
        }
        if self.region != was.region {
            return differs("the region", &was.region, &self.region);
        }
        if self.endpoint != was.endpoint {
            return differs("the RDS endpoint", &or(&was.endpoint), &or(&self.endpoint));
        }
        if self.members != was.members {
            let only = |a: &Self, b: &Self| {
                let pair = a.members.iter().find(|m| !b.members.contains(m));
                pair.map_or("the same and more".to_owned(), ToString::to_string)
            };
            return differs("the pair of members", &only(was, self), &only(self, was));
        }
        if self.source_version != was.source_version {
            return differs("blue's version", &was.source_version, &self.source_version);
        }
        if self.target_version != was.target_version {
            return differs("green's version", &was.target_version, &self.target_version);
        }
        if self.catalogue != was.catalogue {
            return differs("greenlight's catalogue", &was.catalogue, &self.catalogue);
        }
        let (is, was) = (&self.policy, &was.policy);
        if is.fail_on != was.fail_on {
            return differs("--fail-on", &was.fail_on, &is.fail_on);
        }
        if is.thresholds != was.thresholds {
            return differs(
                "the list of thresholds",
                &json(&was.thresholds),
                &json(&is.thresholds),
            );
        }
        if is.levels != was.levels {
            return differs("the list of levels", &json(&was.levels), &json(&is.levels));
        }
        let (is, was) = (written(&is.waivers), written(&was.waivers));
        if is != was {
            let only = |a: &[String], b: &[String]| {
                let waiver = a.iter().find(|w| !b.contains(w));
                waiver.cloned().unwrap_or_else(|| "one fewer".into())
            };
            return differs("the list of waivers", &only(&was, &is), &only(&is, &was));
        }
        None
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: &Option<String>| id.as_ref().map_or(String::new(), |id| format!(" [{id}]"));
        write!(
            f,
            "{}{} with {}{}",
            self.blue,
            id(&self.blue_resource_id),
            self.green,
            id(&self.green_resource_id)
        )
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers are JSON")
}

fn written(waivers: &[Waiver]) -> Vec<String> {
    waivers.iter().map(json).collect()
}

impl Attestation {
    /// Attests a report, for so many minutes from the collection of its facts.
    ///
    /// # Errors
    /// Where there is nothing that could be attested; see [`NoSubject`].
    pub fn of(
        facts: &Facts,
        report: &Report,
        policy: &Policy,
        minutes: u16,
        now: Timestamp,
    ) -> Result<Self, NoSubject> {
        let collected_at = facts.collected_at;
        let expires_at = collected_at
            .checked_add(SignedDuration::from_mins(i64::from(minutes)))
            .unwrap_or(collected_at);
        let subject = Subject::of(facts, report, policy)?;
        if expires_at <= now {
            return Err(NoSubject::Old {
                collected_at,
                minutes,
            });
        }
        let attestation = Self {
            format: FORMAT,
            greenlight: env!("CARGO_PKG_VERSION").into(),
            subject,
            verdict: match report.headline {
                Headline::Ready => Attested::Ready,
                Headline::NotReady => Attested::NotReady,
                Headline::NotDetermined => Attested::NotDetermined,
            },
            collected_at,
            expires_at,
            digest: String::new(),
        };
        Ok(attestation.sealed())
    }

    /// With the digest that belongs to the content.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digest = self.sum();
        self
    }

    /// The digest that belongs to the content.
    fn sum(&self) -> String {
        let bare = Self {
            digest: String::new(),
            ..self.clone()
        };
        let mut hash = Sha256::new();
        hash.update(b"greenlight/attestation/1\0");
        hash.update(json(&bare).as_bytes());
        hex(&hash.finalize())
    }

    /// As the file holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("strings and numbers are JSON");
        format!("{text}\n")
    }

    /// Reads a file and holds it against its own digest.
    ///
    /// # Errors
    /// [`Refused::Unreadable`], [`Refused::Format`] or [`Refused::Edited`].
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|e| Refused::Unreadable(format!("not JSON ({e})")))?;
        match value["format"].as_u64() {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(Refused::Format(format)),
            None => return Err(Refused::Unreadable("it has no format".into())),
        }
        // From the text: a field that stands there twice is an error, and not the last one's.
        let attestation: Self = serde_json::from_str(text).map_err(|e| Refused::Unreadable(e.to_string()))?;
        if attestation.sum() != attestation.digest {
            return Err(Refused::Edited);
        }
        Ok(attestation)
    }

    /// Whether it may be acted on by the clock and by what it says, before anything is asked.
    ///
    /// # Errors
    /// [`Refused::Verdict`], [`Refused::Expired`] or [`Refused::Clock`].
    pub fn good_at(&self, now: Timestamp) -> Result<(), Refused> {
        match self.verdict {
            Attested::Ready => {}
            Attested::NotReady => return Err(Refused::Verdict("not ready")),
            Attested::NotDetermined => return Err(Refused::Verdict("not determined")),
        }
        if now.duration_since(self.collected_at) < -SKEW {
            return Err(Refused::Clock {
                collected_at: self.collected_at,
                now,
            });
        }
        if now >= self.expires_at {
            return Err(Refused::Expired(self.expires_at));
        }
        Ok(())
    }

    /// Whether it may be acted on for what a fresh check has seen.
    ///
    /// # Errors
    /// What does not match.
    pub fn matches(
        &self,
        facts: &Facts,
        report: &Report,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.good_at(now)?;
        let subject = Subject::of(facts, report, policy).map_err(Refused::NotSeen)?;
        subject.difference(&self.subject).map_or(Ok(()), Err)
    }

    /// Whether what a last look sees of a deployment is what was attested, and the attestation is good until `until`, when the
    /// request has left. A version that is not known was not seen to differ.
    ///
    /// # Errors
    /// [`Refused::Expired`], [`Refused::Clock`], or what does not match.
    pub fn still(
        &self,
        view: &View,
        blue: Option<PgVersion>,
        green: Option<PgVersion>,
        until: Timestamp,
    ) -> Result<(), Refused> {
        self.good_at(until)?;
        let mut seen = self.subject.clone();
        seen.deployment.clone_from(&view.id);
        let pairs = view.members.iter().map(|member| Pair {
            blue: member.source.arn.clone(),
            blue_resource_id: member.source.resource_id.clone(),
            green: member
                .target
                .as_ref()
                .map_or_else(String::new, |target| target.arn.clone()),
            green_resource_id: member
                .target
                .as_ref()
                .and_then(|target| target.resource_id.clone()),
        });
        seen.members = pairs.collect();
        seen.members.sort();
        if let Some(version) = blue {
            seen.source_version = version.to_string();
        }
        if let Some(version) = green {
            seen.target_version = version.to_string();
        }
        seen.difference(&self.subject).map_or(Ok(()), Err)
    }

    /// For the journal.
    #[must_use]
    pub fn remark(&self) -> crate::switchover::remark::Remark {
        crate::switchover::remark::Remark::Attested(crate::switchover::remark::Attested {
            digest: self.digest.clone(),
            collected_at: self.collected_at,
            expires_at: self.expires_at,
        })
    }
}
