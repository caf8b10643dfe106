//! What the operator asked for: the options of a guarded switchover, with their documented defaults and limits.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::deployment::Identity;
use super::settle::Limits;

/// What the operator asked for, and whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// The deployment as it was when the run was set up.
    pub identity: Identity,
    /// How much lag is calm.
    pub limits: Limits,
    /// How long it must have held (`--stable-for`).
    pub stable_for: SignedDuration,
    /// How long to wait for that in all (`--wait`).
    pub wait: SignedDuration,
    /// How old a full check may be when the request leaves (`--max-age`).
    pub max_age: SignedDuration,
    /// How old the last look may be when the request leaves.
    pub last_look: SignedDuration,
    /// RDS's own limit on the switchover (`--timeout`), 30 to 3,600 s.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
    pub timeout: SignedDuration,
    /// How long past `timeout` to keep watching before the outcome is called unknown.
    pub grace: SignedDuration,
    /// Time between two looks while following.
    pub poll: SignedDuration,
    /// Time between two samples while settling.
    pub sample_every: SignedDuration,
    /// How long a state of rest must be seen before it counts as the end: a Describe may be older than the last one.
    pub rest_for: SignedDuration,
    /// How long to look for a trace of a request whose answer was lost.
    pub reconcile_for: SignedDuration,
    /// `--yes`: nobody is asked.
    pub yes: bool,
    /// `--dry-run`: stop before the question.
    pub dry_run: bool,
}

impl Config {
    /// The documented defaults for a deployment.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            limits: Limits::default(),
            stable_for: SignedDuration::from_secs(15),
            wait: SignedDuration::from_secs(600),
            max_age: SignedDuration::from_secs(60),
            last_look: SignedDuration::from_secs(5),
            timeout: SignedDuration::from_secs(300),
            grace: SignedDuration::from_secs(300),
            poll: SignedDuration::from_secs(2),
            sample_every: SignedDuration::from_secs(1),
            rest_for: SignedDuration::from_secs(15),
            reconcile_for: SignedDuration::from_secs(60),
            yes: false,
            dry_run: false,
        }
    }

    /// Refuses combinations that could never come to a request.
    ///
    /// # Errors
    /// Names the option and what it must be.
    pub fn validate(&self) -> Result<(), String> {
        let seconds = self.timeout.as_secs();
        if !(30..=3600).contains(&seconds) {
            return Err(format!("--timeout is {seconds} s; RDS takes 30 to 3600 s"));
        }
        let day = SignedDuration::from_hours(24);
        for (name, time) in [
            ("--stable-for", self.stable_for),
            ("--wait", self.wait),
            ("--max-age", self.max_age),
            ("the time to keep watching", self.grace),
        ] {
            if time.is_negative() || time > day {
                return Err(format!("{name} is {time:#}; it must be from 0 to 24 hours"));
            }
        }
        if self.wait < self.stable_for {
            return Err(format!(
                "--wait ({:#}) is shorter than --stable-for ({:#}), so that it could never settle",
                self.wait, self.stable_for
            ));
        }
        if self.max_age <= self.stable_for {
            return Err(format!(
                "--max-age ({:#}) must be longer than --stable-for ({:#}): the full check comes before settling",
                self.max_age, self.stable_for
            ));
        }
        if self.last_look <= SignedDuration::ZERO
            || self.poll.is_negative()
            || self.sample_every.is_negative()
        {
            return Err("the intervals between looks must be positive".into());
        }
        Ok(())
    }

    /// Whether evidence from `then` may still be acted on at `now`. Evidence from the future (a clock that was set
    /// back) may not.
    #[must_use]
    pub(crate) fn fresh(&self, then: Timestamp, now: Timestamp) -> bool {
        within(then, now, self.max_age)
    }
}

/// A time later by a duration, or the end of time.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether `now` is at or after `then`, by no more than `limit`.
pub(crate) fn within(then: Timestamp, now: Timestamp, limit: SignedDuration) -> bool {
    let age = now.duration_since(then);
    !age.is_negative() && age <= limit
}
