//! What a decision rests on and what came of it: the full check, the last look, the consent, the intent and the answer.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::deployment::Look;
use super::history::Mark;
use super::settle::Sample;

/// What the full check said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Readiness {
    /// No blocker failed and none is unknown.
    Ready,
    /// At least one blocker failed.
    NotReady,
    /// No blocker failed, but at least one could not be determined.
    NotDetermined {
        /// What.
        why: String,
    },
    /// The check is of no matter: what it saw is not what the attestation says that was given.
    NotAttested {
        /// What differs.
        why: String,
    },
}

/// A full check, as far as the decision needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// When the collection of facts *began*: every fact is at most this old.
    pub at: Timestamp,
    /// What was judged.
    #[serde(flatten)]
    pub readiness: Readiness,
    /// Digest over what a person agrees to: identity, versions, findings, waivers. Not over lag, which always moves.
    pub digest: String,
    /// What is open all the same: warnings, waived blockers. For the question and for the change record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
}

/// A finding that does not stand in the way, or (when not ready) one that does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Open {
    /// The check's id.
    pub check: String,
    /// What it is about.
    pub subject: String,
    /// `blocker`, `warning` or `notice`; a waived one says so.
    pub level: String,
    /// The finding in one sentence.
    pub message: String,
}

/// The last look before the request: all that may have changed since the full check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastLook {
    /// When it *began*.
    pub at: Timestamp,
    /// Lag, activity and the lock.
    pub sample: Sample,
    /// The deployment.
    pub look: Look,
    /// The newest event that RDS shows, so that later ones can be told from it.
    pub mark: Mark,
    /// Whether the attestation that the run is held to still speaks of what is there, and does until the request has left; `Ok`
    /// where none was given.
    pub attested: Result<(), String>,
}

/// How a confirmation came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The deployment's name was typed.
    Typed,
    /// `--yes` was given.
    Flag,
}

/// What is about to be submitted, and what the world was like: on disk before the request leaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The last look it rests on.
    pub at: Timestamp,
    /// `SwitchoverTimeout`.
    pub timeout: SignedDuration,
    /// Whether members already carried SWITCHOVER_FAILED, from an attempt before.
    pub failed_before: bool,
    /// The newest event at that time.
    pub mark: Mark,
}

/// A definite fault: RDS answered, and did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// `InvalidBlueGreenDeploymentStateFault`, `AccessDenied`, …
    pub code: String,
    /// RDS's words.
    pub message: String,
}

impl Fault {
    /// The code of a request that certainly never left. RDS has none of that name.
    pub const NOT_SENT: &'static str = "NotSent";

    /// Whether it is about a request that never left.
    #[must_use]
    pub fn never_left(&self) -> bool {
        self.code == Self::NOT_SENT
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What came back from `SwitchoverBlueGreenDeployment`. See [`Answer::of_fault`] for which is which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// RDS took the request.
    Accepted {
        /// `x-amzn-RequestId`.
        request_id: Option<String>,
    },
    /// RDS, or the road to it, certainly did not take the request.
    Rejected {
        /// Why.
        fault: Fault,
    },
    /// Nobody knows.
    Lost {
        /// What was seen instead of an answer.
        why: String,
    },
}

impl Answer {
    /// Sorts a fault: only a 4xx with an error code that RDS itself wrote says that nothing happened. Everything else
    /// (5xx, time-outs, an answer that cannot be read) may have taken effect.
    #[must_use]
    pub fn of_fault(status: Option<u16>, code: Option<&str>, message: &str) -> Self {
        match (status, code) {
            (Some(400..=407 | 409..=499), Some(code))
                if !code.is_empty()
                    && !matches!(code, "RequestTimeout" | "InternalFailure" | "InternalError") =>
            {
                Self::Rejected {
                    fault: Fault {
                        code: code.into(),
                        message: message.into(),
                    },
                }
            }
            _ => Self::Lost {
                why: format!(
                    "{} {message}",
                    status.map_or("no answer:".into(), |s| format!("HTTP {s}:"))
                ),
            },
        }
    }
}
