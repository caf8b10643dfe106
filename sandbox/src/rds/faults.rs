//! Faults on command: what goes wrong, for which calls, and how often.
//!
//! A rule names an action (`SwitchoverBlueGreenDeployment`, `Describe*`, `*`), the first matching call that it hits and
//! how many. Rules are looked at in the order in which they were armed and the first that fits wins. "Before" means
//! that the call has no effect; "after" that it has, and only the answer is bad: the case that a careless retry turns
//! into a second switchover.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::world::account::Account;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Effect {
    /// `Throttling`, HTTP 400, before the call has an effect.
    Throttle,
    /// `InternalFailure`, HTTP 500, before the call has an effect.
    ErrorBefore,
    /// `InternalFailure`, HTTP 500, although the call had its effect.
    ErrorAfter,
    /// `ServiceUnavailable`, HTTP 503, before the call has an effect.
    Unavailable,
    /// The connection ends without an answer, before the call has an effect.
    LostBefore,
    /// The connection ends without an answer, although the call had its effect.
    LostAfter,
    /// The answer comes from the state at the time when the rule was armed.
    Stale,
    /// The answer comes later.
    Delay {
        /// How much later.
        milliseconds: u64,
    },
    /// The answer shows another status than the real one.
    Status {
        /// Whose status.
        resource: Resource,
        /// The status, such as one that no client knows.
        status: String,
    },
    /// `AccessDenied`, HTTP 403, with RDS's message.
    AccessDenied,
    /// `ExpiredToken`, HTTP 403.
    ExpiredToken,
    /// `InvalidClientTokenId`, HTTP 403.
    InvalidToken,
    /// Any other fault.
    Fault {
        /// The HTTP status.
        http: u16,
        /// The error code.
        code: String,
        /// The message.
        message: String,
    },
}

/// What [`Effect::Status`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// `BlueGreenDeployment.Status`
    Deployment,
    /// `SwitchoverDetails[].Status`
    SwitchoverMember,
    /// `Tasks[].Status`
    Task,
    /// `DBCluster.Status`
    Cluster,
    /// `DBInstance.DBInstanceStatus`
    Instance,
    /// `DBClusterMembers[].DBClusterParameterGroupStatus` and `ParameterApplyStatus`
    ParameterStatus,
}

/// A rule: which calls an effect hits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FaultRule {
    /// An action, with `*` at its end for all that begin so.
    pub action: String,
    /// The effect.
    #[serde(flatten)]
    pub effect: Effect,
    /// The first matching call that is hit, from 1.
    #[serde(default = "first")]
    pub nth: u32,
    /// How many calls are hit; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// How long the rule holds; for ever when absent.
    #[serde(default)]
    pub seconds: Option<f64>,
}

fn first() -> u32 {
    1
}

impl FaultRule {
    /// Hits every call of `action`.
    pub fn always(action: impl Into<String>, effect: Effect) -> Self {
        Self {
            action: action.into(),
            effect,
            nth: 1,
            times: None,
            seconds: None,
        }
    }

    /// Hits the next `times` calls of `action`.
    pub fn next(action: impl Into<String>, times: u32, effect: Effect) -> Self {
        Self {
            times: Some(times),
            ..Self::always(action, effect)
        }
    }

    fn fits(&self, action: &str) -> bool {
        match self.action.strip_suffix('*') {
            Some(start) => action.starts_with(start),
            None => self.action == action,
        }
    }
}

/// How the next switchover ends, whatever the databases say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum SwitchoverOutcome {
    /// A guardrail refuses it: nothing was stopped.
    Refused {
        /// What the events say.
        reason: String,
    },
    /// It is rolled back after writes were stopped.
    RolledBack {
        /// What the events say.
        reason: String,
        /// What the deployment's status is afterwards: `SWITCHOVER_FAILED`, or `AVAILABLE` with only the members
        /// `SWITCHOVER_FAILED`.
        status: String,
    },
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    since: Instant,
    seen: u32,
    snapshot: Option<Arc<Account>>,
}

/// The faults that are armed.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<Armed>>,
    allowed: Mutex<Option<Vec<String>>>,
    switchover: Mutex<Option<SwitchoverOutcome>>,
    bucket: Mutex<Option<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    size: f64,
    rate: f64,
    tokens: f64,
    filled: Instant,
}

/// What a call meets.
pub(crate) struct Hit {
    pub(crate) effect: Effect,
    pub(crate) snapshot: Option<Arc<Account>>,
}

impl Faults {
    /// Arms a rule. For [`Effect::Stale`] `account` is what the answers will show.
    pub(crate) fn arm(&self, rule: FaultRule, account: &Account) {
        let snapshot = (rule.effect == Effect::Stale).then(|| Arc::new(account.clone()));
        lock(&self.armed).push(Armed {
            rule,
            since: Instant::now(),
            seen: 0,
            snapshot,
        });
    }

    /// Disarms everything, including the allow list and the request limit.
    pub fn clear(&self) {
        lock(&self.armed).clear();
        *lock(&self.allowed) = None;
        *lock(&self.switchover) = None;
        *lock(&self.bucket) = None;
    }

    /// Denies every action that is not listed (`DescribeDBClusters`, `Describe*`), as IAM would.
    pub fn allow_only<I: Into<String>>(&self, actions: impl IntoIterator<Item = I>) {
        *lock(&self.allowed) = Some(actions.into_iter().map(Into::into).collect());
    }

    /// Decides how the next switchover ends.
    pub fn next_switchover(&self, outcome: SwitchoverOutcome) {
        *lock(&self.switchover) = Some(outcome);
    }

    /// Throttles as RDS does: a bucket of `burst` requests that fills at `per_second`.
    pub fn limit_requests(&self, burst: u32, per_second: f64) {
        *lock(&self.bucket) = Some(Bucket {
            size: f64::from(burst),
            rate: per_second,
            tokens: f64::from(burst),
            filled: Instant::now(),
        });
    }

    pub(crate) fn take_switchover(&self) -> Option<SwitchoverOutcome> {
        lock(&self.switchover).take()
    }

    pub(crate) fn denies(&self, action: &str) -> bool {
        lock(&self.allowed).as_ref().is_some_and(|allowed| {
            !allowed.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => action.starts_with(start),
                None => pattern == action,
            })
        })
    }

    /// Takes a token; false when there is none.
    pub(crate) fn admits(&self) -> bool {
        let mut bucket = lock(&self.bucket);
        let Some(bucket) = bucket.as_mut() else {
            return true;
        };
        let now = Instant::now();
        let filled = now.duration_since(bucket.filled).as_secs_f64() * bucket.rate;
        bucket.tokens = (bucket.tokens + filled).min(bucket.size);
        bucket.filled = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }

    /// The effect that this call of `action` meets.
    pub(crate) fn meet(&self, action: &str) -> Option<Hit> {
        let mut found = None;
        for armed in lock(&self.armed).iter_mut() {
            let over = armed
                .rule
                .seconds
                .is_some_and(|seconds| armed.since.elapsed() > Duration::from_secs_f64(seconds));
            if over || !armed.rule.fits(action) {
                continue;
            }
            armed.seen += 1;
            let last = armed
                .rule
                .times
                .map_or(u32::MAX, |times| armed.rule.nth.saturating_add(times) - 1);
            if found.is_none() && (armed.rule.nth..=last).contains(&armed.seen) {
                found = Some(Hit {
                    effect: armed.rule.effect.clone(),
                    snapshot: armed.snapshot.clone(),
                });
            }
        }
        found
    }
}

/// Shows another status than the real one.
pub(crate) fn disguise(account: &mut Account, resource: Resource, status: &str) {
    let write = |text: &mut String| status.clone_into(text);
    match resource {
        Resource::Deployment => account
            .deployments
            .values_mut()
            .for_each(|found| write(&mut found.status)),
        Resource::SwitchoverMember => account
            .deployments
            .values_mut()
            .flat_map(|found| &mut found.members)
            .for_each(|member| member.status = Some(status.to_owned())),
        Resource::Task => account
            .deployments
            .values_mut()
            .flat_map(|found| &mut found.tasks)
            .for_each(|task| write(&mut task.status)),
        Resource::Cluster => account
            .clusters
            .values_mut()
            .for_each(|found| write(&mut found.status)),
        Resource::Instance => account
            .instances
            .values_mut()
            .for_each(|found| write(&mut found.status)),
        Resource::ParameterStatus => {
            let members = account.clusters.values_mut().flat_map(|found| &mut found.members);
            members.for_each(|member| write(&mut member.parameter_status));
            let instances = account.instances.values_mut();
            instances.for_each(|found| write(&mut found.parameter_status));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Account, Effect, FaultRule, Faults};

    #[test]
    fn a_rule_hits_the_calls_it_names() {
        let faults = Faults::default();
        let rule: FaultRule =
            serde_json::from_str(r#"{"action":"Describe*","effect":"throttle","nth":2,"times":2}"#)
                .expect("the control endpoint's form");
        faults.arm(rule, &Account::new("1", "r"));
        let hits: Vec<bool> = (0..5).map(|_| faults.meet("DescribeEvents").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.meet("CreateDBSnapshot").is_none());
        let delay: FaultRule = serde_json::from_str(r#"{"action":"*","effect":"delay","milliseconds":5}"#)
            .expect("the control endpoint's form");
        assert_eq!(delay.effect, Effect::Delay { milliseconds: 5 });
    }

    #[test]
    fn an_allow_list_denies_the_rest() {
        let faults = Faults::default();
        assert!(!faults.denies("DeleteDBCluster"));
        faults.allow_only(["Describe*", "ListTagsForResource"]);
        assert!(faults.denies("DeleteDBCluster"));
        assert!(!faults.denies("DescribeDBClusters"));
        assert!(!faults.denies("ListTagsForResource"));
    }

    #[test]
    fn the_bucket_runs_dry_and_fills() {
        let faults = Faults::default();
        faults.limit_requests(2, 1000.0);
        let first: Vec<bool> = (0..2).map(|_| faults.admits()).collect();
        assert_eq!(first, [true, true]);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(faults.admits());
    }
}
