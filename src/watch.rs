//! What is known of a deployment that is watched: pure, over looks at RDS and at both servers.
//!
//! Each look gives the [`News`] that it brought; whoever shows them needs no memory of its own. A look that failed is news
//! once, and so is the first that goes well again.

use jiff::{SignedDuration, Timestamp};

use crate::{
    facts::rds::Deployment,
    model::{DeploymentStatus, MemberStatus},
    switchover::{
        moment::LagLine,
        settle::{Hold, Lag, Limits},
    },
};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Green is there.
    Available,
    /// Green is there and has caught up.
    Ready,
    /// The switchover is over.
    Switched,
    /// There is no deployment any more.
    Gone,
}

/// How a wait came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is so.
    Reached(String),
    /// It will not be so by itself.
    Missed(String),
}

/// Who could not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The RDS API.
    Rds,
    /// One of the servers.
    Databases,
}

impl Place {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rds => "RDS",
            Self::Databases => "the databases",
        }
    }
}

/// Something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The deployment's status, with RDS's own words.
    Status(String, Option<String>),
    /// A member's status.
    Member(String, String),
    /// A task's status.
    Task(String, String),
    /// An event of RDS.
    Event(Timestamp, String),
    /// A look failed; looking goes on.
    Trouble(Place, String),
    /// Looking works again.
    Better(Place),
    /// The deployment is gone.
    Gone,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Watched {
    /// The deployment as it was last seen.
    pub deployment: Option<Deployment>,
    /// It was there and is not any more.
    pub gone: bool,
    /// The lag of each database.
    pub lag: Vec<LagLine>,
    /// Slots that nobody reads.
    pub silent: Vec<String>,
    /// What fails at present, by place.
    pub trouble: Vec<(Place, String)>,
    /// The last events, the newest last.
    pub events: Vec<(Timestamp, String)>,
    hold: Hold,
    looked_at: Option<Timestamp>,
    newest_event: Option<Timestamp>,
    calm_why: String,
}

/// Events that are kept.
const KEPT: usize = 5;

impl Watched {
    /// A look at the deployment.
    pub fn described(&mut self, look: Result<Option<Deployment>, String>) -> Vec<News> {
        let found = match look {
            Err(why) => return self.failed(Place::Rds, why),
            Ok(found) => found,
        };
        let mut news = self.went_well(Place::Rds);
        let Some(now) = found else {
            if !std::mem::replace(&mut self.gone, true) {
                news.push(News::Gone);
            }
            return news;
        };
        let before = self.deployment.take();
        let status = now.status.to_string();
        let same_status = before
            .as_ref()
            .is_some_and(|b| b.status == now.status && b.status_details == now.status_details);
        if !same_status {
            news.push(News::Status(status, now.status_details.clone()));
        }
        for member in &now.members {
            let status = member
                .status
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let known = before
                .iter()
                .flat_map(|b| &b.members)
                .find(|m| m.source == member.source);
            let known = known.map(|m| m.status.as_ref().map(ToString::to_string).unwrap_or_default());
            if known.as_ref() != Some(&status) {
                news.push(News::Member(member_name(member), status));
            }
        }
        for task in &now.tasks {
            let known = before
                .iter()
                .flat_map(|b| &b.tasks)
                .find(|t| t.name == task.name)
                .map(|t| &t.status);
            if known != Some(&task.status) {
                news.push(News::Task(task.name.clone(), task.status.clone()));
            }
        }
        self.deployment = Some(now);
        news
    }

    /// Events, in any order; those that were told before are left out.
    pub fn heard(&mut self, mut events: Vec<(Timestamp, String)>) -> Vec<News> {
        events.sort();
        let newest = self.newest_event;
        events.retain(|(at, text)| {
            newest.is_none_or(|newest| *at >= newest)
                && !self.events.iter().any(|e| e.0 == *at && e.1 == *text)
        });
        // Of what was before only the last is of interest.
        let skip = if newest.is_none() {
            events.len().saturating_sub(KEPT)
        } else {
            0
        };
        let fresh: Vec<(Timestamp, String)> = events.into_iter().skip(skip).collect();
        if let Some((at, _)) = fresh.last() {
            self.newest_event = Some(*at);
        }
        self.events.extend(fresh.iter().cloned());
        let over = self.events.len().saturating_sub(KEPT);
        self.events.drain(..over);
        fresh
            .into_iter()
            .map(|(at, text)| News::Event(at, text))
            .collect()
    }

    /// A look at the lag.
    pub fn sampled(
        &mut self,
        at: Timestamp,
        lag: &Lag,
        lines: Vec<LagLine>,
        silent: Vec<String>,
        limits: &Limits,
    ) -> Vec<News> {
        self.looked_at = Some(at);
        self.silent = silent;
        match lag {
            Lag::Unknown { why } => {
                self.hold.observe(at, false, limits.max_gap);
                self.calm_why.clone_from(why);
                self.failed(Place::Databases, why.clone())
            }
            Lag::Worst { database, bytes, .. } => {
                let calm = *bytes <= limits.bytes && self.silent.is_empty();
                self.calm_why = match (self.silent.first(), *bytes > limits.bytes) {
                    (Some(silent), _) => silent.clone(),
                    (None, true) => format!("{database} is behind"),
                    (None, false) => String::new(),
                };
                self.hold.observe(at, calm, limits.max_gap);
                self.lag = lines;
                self.went_well(Place::Databases)
            }
        }
    }

    /// How long lag has been calm, at the last look.
    pub fn calm_for(&self) -> Option<SignedDuration> {
        self.hold.lasted(self.looked_at?)
    }

    /// When the lag was looked at last.
    pub fn looked_at(&self) -> Option<Timestamp> {
        self.looked_at
    }

    /// Why lag is not calm.
    pub fn not_calm(&self) -> &str {
        &self.calm_why
    }

    /// Whether the wait is over.
    pub fn end(&self, goal: Option<Goal>, stable_for: SignedDuration) -> Option<End> {
        if self.gone {
            return Some(match goal {
                None | Some(Goal::Gone) => End::Reached("the deployment is gone".to_owned()),
                Some(_) => End::Missed("the deployment is gone".to_owned()),
            });
        }
        let deployment = self.deployment.as_ref()?;
        let status = &deployment.status;
        let members_ready = deployment
            .members
            .iter()
            .all(|m| m.status == Some(MemberStatus::Available) || m.status.is_none());
        let failed = match status {
            DeploymentStatus::InvalidConfiguration | DeploymentStatus::SwitchoverFailed => true,
            DeploymentStatus::Other(text) => text.contains("FAILED"),
            _ => false,
        };
        let missed = || {
            let details = deployment.status_details.as_deref().unwrap_or("no details");
            Some(End::Missed(format!("the deployment is {status}: {details}")))
        };
        match (goal?, status) {
            (Goal::Gone, _) => None,
            (Goal::Available, DeploymentStatus::Available) => Some(End::Reached("green is there".to_owned())),
            (Goal::Ready, DeploymentStatus::Available) => {
                let calm = self
                    .calm_for()
                    .filter(|calm| *calm >= stable_for && members_ready)?;
                Some(End::Reached(format!(
                    "green has caught up: calm for {} s",
                    calm.as_secs()
                )))
            }
            (Goal::Switched, DeploymentStatus::SwitchoverCompleted) => {
                Some(End::Reached("switched over".to_owned()))
            }
            (_, DeploymentStatus::SwitchoverCompleted) => {
                Some(End::Missed("the deployment is switched over already".to_owned()))
            }
            (_, DeploymentStatus::Deleting) => {
                Some(End::Missed("the deployment is being deleted".to_owned()))
            }
            _ if failed => missed(),
            _ => None,
        }
    }

    fn failed(&mut self, place: Place, why: String) -> Vec<News> {
        match self.trouble.iter_mut().find(|(p, _)| *p == place) {
            Some((_, known)) if *known == why => Vec::new(),
            Some((_, known)) => {
                known.clone_from(&why);
                vec![News::Trouble(place, why)]
            }
            None => {
                self.trouble.push((place, why.clone()));
                vec![News::Trouble(place, why)]
            }
        }
    }

    fn went_well(&mut self, place: Place) -> Vec<News> {
        let before = self.trouble.len();
        self.trouble.retain(|(p, _)| *p != place);
        if self.trouble.len() < before {
            vec![News::Better(place)]
        } else {
            Vec::new()
        }
    }
}

/// `cluster main-cluster`, `instance main-1`: production's name, which does not change.
pub fn member_name(member: &crate::facts::rds::Member) -> String {
    match &member.source {
        Some(arn) if arn.kind() == "cluster" => format!("cluster {}", arn.name()),
        Some(arn) => format!("instance {}", arn.name()),
        None => "a member".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::rds::{Member, Task};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("a time")
    }

    fn deployment(status: &str) -> Deployment {
        let arn = |name: &str| {
            format!("arn:aws:rds:eu-west-1:1:cluster:{name}")
                .parse()
                .expect("an ARN")
        };
        Deployment {
            id: "bgd-1".to_owned(),
            name: "up".to_owned(),
            source: arn("main"),
            target: Some(arn("main-green")),
            status: DeploymentStatus::from(status.to_owned()),
            status_details: None,
            members: vec![Member {
                source: Some(arn("main")),
                target: Some(arn("main-green")),
                status: Some(MemberStatus::from(status.to_owned())),
            }],
            tasks: vec![Task {
                name: "DB_ENGINE_VERSION_UPGRADE".to_owned(),
                status: "COMPLETED".to_owned(),
            }],
            created_at: None,
            deleted_at: None,
        }
    }

    fn lag(bytes: u64) -> Lag {
        Lag::Worst {
            database: "app".to_owned(),
            bytes,
            time: None,
        }
    }

    #[test]
    fn only_what_is_new_is_news() {
        let mut watched = Watched::default();
        let first = watched.described(Ok(Some(deployment("PROVISIONING"))));
        assert_eq!(first.len(), 3, "{first:?}");
        assert_eq!(watched.described(Ok(Some(deployment("PROVISIONING")))), vec![]);
        let next = watched.described(Ok(Some(deployment("AVAILABLE"))));
        assert_eq!(next[0], News::Status("AVAILABLE".to_owned(), None));
        assert_eq!(next.len(), 2);
        let throttled = || Err("Throttling".to_owned());
        assert_eq!(watched.described(throttled()).len(), 1);
        assert_eq!(watched.described(throttled()), vec![], "once is enough");
        let better = watched.described(Ok(Some(deployment("AVAILABLE"))));
        assert_eq!(better, vec![News::Better(Place::Rds)]);
        assert_eq!(watched.described(Ok(None)), vec![News::Gone]);
        let events = vec![(at(2), "b".to_owned()), (at(1), "a".to_owned())];
        assert_eq!(watched.heard(events.clone()).len(), 2);
        assert_eq!(watched.heard(events), vec![]);
    }

    #[test]
    fn ready_needs_calm_that_lasted() {
        let stable = SignedDuration::from_secs(15);
        let limits = Limits::default();
        let mut watched = Watched::default();
        watched.described(Ok(Some(deployment("AVAILABLE"))));
        assert!(matches!(
            watched.end(Some(Goal::Available), stable),
            Some(End::Reached(_))
        ));
        assert_eq!(watched.end(Some(Goal::Ready), stable), None, "no lag was seen");
        for second in 0..15 {
            watched.sampled(at(second), &lag(0), vec![], vec![], &limits);
            assert_eq!(watched.end(Some(Goal::Ready), stable), None, "{second}");
        }
        watched.sampled(at(15), &lag(0), vec![], vec![], &limits);
        assert!(matches!(
            watched.end(Some(Goal::Ready), stable),
            Some(End::Reached(_))
        ));
        // A look that failed, a slot that nobody reads and a distance each end the calm.
        for (worst, silent) in [
            (
                Lag::Unknown {
                    why: "lost".to_owned(),
                },
                vec![],
            ),
            (lag(0), vec!["nobody reads".to_owned()]),
            (lag(limits.bytes + 1), vec![]),
        ] {
            watched.sampled(at(16), &worst, vec![], silent, &limits);
            assert_eq!(watched.end(Some(Goal::Ready), stable), None);
        }
    }

    #[test]
    fn what_cannot_be_any_more_is_missed() {
        let zero = SignedDuration::ZERO;
        for (status, goal, reached) in [
            ("INVALID_CONFIGURATION", Goal::Available, Some(false)),
            ("PROVISIONING_FAILED", Goal::Ready, Some(false)),
            ("SWITCHOVER_COMPLETED", Goal::Ready, Some(false)),
            ("SWITCHOVER_COMPLETED", Goal::Switched, Some(true)),
            ("SWITCHOVER_FAILED", Goal::Switched, Some(false)),
            ("SWITCHOVER_IN_PROGRESS", Goal::Switched, None),
            ("DELETING", Goal::Switched, Some(false)),
            ("DELETING", Goal::Gone, None),
            ("SOMETHING_NEW", Goal::Available, None),
        ] {
            let mut watched = Watched::default();
            watched.described(Ok(Some(deployment(status))));
            let end = watched
                .end(Some(goal), zero)
                .map(|end| matches!(end, End::Reached(_)));
            assert_eq!(end, reached, "{status} {goal:?}");
            watched.described(Ok(None));
            let gone = watched.end(Some(goal), zero);
            assert_eq!(matches!(gone, Some(End::Reached(_))), goal == Goal::Gone);
        }
    }
}
