//! How a guarded switchover ends, why, and with which exit code.
//!
//! Each end makes one claim about production. Only [`Outcome::Switched`] and [`Outcome::RolledBack`] say what RDS did;
//! whatever cannot be known is [`Outcome::Unknown`], and never dressed up as one of the others.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::machine::Fault;

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum Outcome {
    /// RDS completed the switchover for every member.
    Switched {
        /// What the checks of phase `verify` said afterwards.
        verified: Verified,
    },
    /// A dry run came to the point where it would have asked and submitted.
    DryRun,
    /// The full check found blockers. Nothing was submitted.
    NotReady {
        /// The report's digest, as in the journal.
        digest: String,
    },
    /// A blocker could not be determined. Nothing was submitted.
    NotDetermined {
        /// What could not be determined.
        why: String,
    },
    /// greenlight or RDS refused. Nothing was changed by this run.
    Refused {
        /// Which guard, and what it saw.
        refusal: Refusal,
    },
    /// RDS gave the switchover up; blue is production.
    RolledBack {
        /// RDS's own words, as far as there are any.
        why: String,
    },
    /// What became of the request cannot be known from here; a person is needed.
    Unknown {
        /// Why it cannot be known.
        reason: Doubt,
    },
    /// Interrupted before anything was submitted.
    Interrupted,
}

/// The result of the checks after the switchover.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verified", rename_all = "snake_case")]
pub enum Verified {
    /// Everything was looked at and nothing was found.
    Clean,
    /// Findings, or checks that could not tell.
    Problems {
        /// Failed checks.
        failed: u32,
        /// Checks that could not tell.
        unknown: u32,
    },
    /// The verification itself did not come to an end.
    Not {
        /// Why.
        why: String,
    },
}

/// A refusal before, or instead of, a switchover.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// Somebody else holds the lock.
    Locked {
        /// Who, as far as it is known.
        holder: String,
    },
    /// The lock could not be taken, or was lost on the way.
    LockLost {
        /// Why.
        why: String,
    },
    /// Confirmation is wanted, and there is nobody to ask.
    NoTerminal,
    /// The operator did not confirm.
    Declined,
    /// Lag or activity did not calm down within `--wait`.
    Unsettled {
        /// What was in the way at the end.
        why: String,
    },
    /// Evidence was too old each time it could have been used.
    Stale {
        /// How many full checks were made.
        rounds: u8,
    },
    /// The journal took longer to write than the last look may be old.
    SlowJournal,
    /// The journal could not be written.
    Journal {
        /// The error.
        why: String,
    },
    /// The attestation that was given does not speak of what is there now, or not any more.
    NotAttested {
        /// What differs.
        why: String,
    },
    /// The deployment is gone.
    Gone,
    /// It is not the deployment that was checked.
    Changed {
        /// What differs.
        what: String,
    },
    /// A switchover that this run did not start is running.
    AlreadyRunning {
        /// What RDS shows.
        seen: String,
    },
    /// The deployment has been switched over already.
    AlreadySwitched,
    /// The deployment or a member is not in a state to be switched over.
    NotAvailable {
        /// What RDS shows.
        seen: String,
    },
    /// RDS answered the request with a definite fault.
    ByRds {
        /// The fault.
        fault: Fault,
        /// What a look right afterwards showed.
        seen: String,
    },
}

/// Why an outcome cannot be known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// The answer was lost, and RDS shows neither a start nor an end: the request may never have arrived, may have
    /// run and rolled back, or may still be on its way.
    NeverSeen,
    /// RDS took the request, and then showed neither a start nor an end.
    NeverStarted,
    /// It was still running when the time to watch was over.
    StillRunning {
        /// What RDS showed last.
        seen: String,
    },
    /// A status that this version does not know, or a combination that makes no sense, until the end.
    Odd {
        /// What RDS showed last.
        seen: String,
    },
    /// Some members are switched over and others are not.
    Partial {
        /// What RDS showed last.
        seen: String,
    },
    /// The deployment vanished and the events do not tell.
    Gone,
    /// Another deployment, or other members, under the same id.
    Changed {
        /// What differs.
        what: String,
    },
    /// RDS could not be asked until the end of the time to watch.
    Blind {
        /// The last error.
        why: String,
    },
    /// The operator left while it was running.
    Left,
}

impl Outcome {
    /// The documented exit code of this end.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Switched {
                verified: Verified::Clean,
            }
            | Self::DryRun => 0,
            Self::NotReady { .. } => 10,
            Self::NotDetermined { .. } => 11,
            Self::Refused { .. } => 20,
            Self::RolledBack { .. } => 21,
            Self::Unknown { .. } => 22,
            Self::Switched { .. } => 23,
            Self::Interrupted => 130,
        }
    }

    /// Whether the request has left, or may have.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        matches!(
            self,
            Self::Switched { .. } | Self::RolledBack { .. } | Self::Unknown { .. }
        )
    }

    /// Whether `--resume` has nothing left to do after this end. The others are taken up again: before the request
    /// from the start, after it by asking RDS once more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Switched {
                verified: Verified::Clean,
            }
            | Self::RolledBack { .. } => true,
            Self::Refused { refusal } => matches!(refusal, Refusal::ByRds { .. }),
            Self::Switched { .. }
            | Self::DryRun
            | Self::NotReady { .. }
            | Self::NotDetermined { .. }
            | Self::Unknown { .. }
            | Self::Interrupted => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switched {
                verified: Verified::Clean,
            } => f.write_str("switched over and verified"),
            Self::Switched {
                verified: Verified::Problems { failed, unknown },
            } => {
                write!(
                    f,
                    "switched over; verification: {failed} failed, {unknown} could not tell"
                )
            }
            Self::Switched {
                verified: Verified::Not { why },
            } => {
                write!(
                    f,
                    "switched over, but not verified: {why}; run it again with --resume to verify"
                )
            }
            Self::DryRun => {
                f.write_str("dry run: ready, stopped before the confirmation; nothing was changed")
            }
            Self::NotReady { .. } => f.write_str("not ready; nothing was changed"),
            Self::NotDetermined { why } => write!(f, "readiness not determined ({why}); nothing was changed"),
            Self::Refused { refusal } => write!(f, "refused: {refusal}; nothing was changed by this run"),
            Self::RolledBack { why } => write!(f, "RDS gave the switchover up, blue is production: {why}"),
            Self::Unknown { reason } => write!(f, "outcome unknown, a person is needed: {reason}"),
            Self::Interrupted => f.write_str("interrupted before the request; nothing was changed"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { holder } => write!(f, "another switchover of this deployment is held by {holder}"),
            Self::LockLost { why } => write!(f, "the lock on blue is not held: {why}"),
            Self::NoTerminal => f.write_str("there is no terminal to confirm on; give --yes to go without"),
            Self::Declined => f.write_str("not confirmed"),
            Self::Unsettled { why } => write!(f, "it did not settle within --wait: {why}"),
            Self::Stale { rounds } => write!(
                f,
                "the evidence was older than --max-age each time it was to be used ({rounds} full checks); \
                 raise --max-age or lower --stable-for"
            ),
            Self::SlowJournal => {
                f.write_str("the journal's disk is too slow for evidence to stay fresh; move it")
            }
            Self::Journal { why } => write!(f, "the journal cannot be written: {why}"),
            Self::NotAttested { why } => write!(f, "the attestation does not hold: {why}"),
            Self::Gone => f.write_str("the deployment no longer exists"),
            Self::Changed { what } => write!(f, "it is not the deployment that was checked: {what}"),
            Self::AlreadyRunning { seen } => write!(
                f,
                "a switchover that this run did not start is under way: {seen}; follow it with `greenlight watch`"
            ),
            Self::AlreadySwitched => f.write_str("the deployment has been switched over already"),
            Self::NotAvailable { seen } => write!(f, "the deployment cannot be switched over now: {seen}"),
            Self::ByRds { fault, seen } if fault.never_left() => {
                write!(
                    f,
                    "the request never left this machine: {}; RDS shows {seen}",
                    fault.message
                )
            }
            Self::ByRds { fault, seen } => write!(f, "RDS said no: {fault}; afterwards it shows {seen}"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverSeen => f.write_str(
                "the answer to the request was lost and RDS shows no trace of it: it may not have arrived, may have \
                 run and rolled back, or may still be on its way",
            ),
            Self::NeverStarted => f.write_str("RDS took the request but never showed it starting"),
            Self::StillRunning { seen } => write!(f, "still running when the time to watch was over: {seen}"),
            Self::Odd { seen } => write!(f, "RDS shows a state that is not understood: {seen}"),
            Self::Partial { seen } => write!(f, "some members are switched over and others are not: {seen}"),
            Self::Gone => f.write_str("the deployment vanished and its events do not tell how it ended"),
            Self::Changed { what } => write!(f, "the deployment was replaced or modified meanwhile: {what}"),
            Self::Blind { why } => write!(f, "RDS could not be asked: {why}"),
            Self::Left => f.write_str("left while the switchover was running; --resume follows it to its end"),
        }
    }
}
