//! The machine's vocabulary: where a run is, what happened, and what is to be done.

use jiff::{SignedDuration, Timestamp};

use super::deployment::Look;
use super::evidence::{Answer, Consent, Evidence, Fault, Intent, LastLook};
use super::follow::Following;
use super::history::{Mark, Proof};
use super::outcome::{Outcome, Refusal, Verified};
use super::record::Record;
use super::settle::{Hold, Sample};

/// What has been gathered on the way to a request and outlives a repeated check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prep {
    /// Full checks made.
    pub rounds: u8,
    /// What is left of `--wait`.
    pub patience: SignedDuration,
    /// The digest that was agreed to, and how.
    pub consent: Option<(String, Consent)>,
    /// Intents withdrawn.
    pub withdrawn: u8,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing done yet.
    Start,
    /// The lock is being taken.
    Locking,
    /// A full check is running.
    Checking(Prep),
    /// Ready; waiting until lag and activity have held still.
    Settling {
        /// See [`Prep`].
        prep: Prep,
        /// The check that it rests on.
        evidence: Evidence,
        /// When patience ends.
        deadline: Timestamp,
        /// Since when it has held still.
        hold: Hold,
    },
    /// The operator is being asked.
    Confirming {
        /// See [`Prep`].
        prep: Prep,
        /// What is being asked about.
        evidence: Evidence,
    },
    /// The last look is being taken.
    Looking {
        /// See [`Prep`].
        prep: Prep,
        /// The check that it rests on.
        evidence: Evidence,
    },
    /// The intent is being written.
    Intending {
        /// See [`Prep`].
        prep: Prep,
        /// The check that it rests on.
        evidence: Evidence,
        /// What is being written.
        intent: Intent,
        /// Ctrl-C came while it was being written.
        interrupted: bool,
    },
    /// The request is out.
    Submitting {
        /// What is on disk about it.
        intent: Intent,
        /// Ctrl-C came once.
        interrupted: bool,
    },
    /// RDS said no; one more look tells what is there now.
    Rejected {
        /// What it said.
        fault: Fault,
    },
    /// After the request: see [`super::follow`].
    Following(Following),
    /// RDS completed it; the checks of phase `verify` are running.
    Verifying {
        /// Ctrl-C came once.
        interrupted: bool,
    },
    /// The end.
    Done(Outcome),
}

impl State {
    /// Whether the request may have left.
    #[must_use]
    pub fn is_submitted(&self) -> bool {
        matches!(
            self,
            Self::Submitting { .. } | Self::Rejected { .. } | Self::Following(_) | Self::Verifying { .. }
        )
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A run begins, new or resumed, with its journal open.
    Begin {
        /// Now.
        at: Timestamp,
        /// Whether somebody can be asked.
        terminal: bool,
    },
    /// The lock is ours.
    Locked {
        /// Now.
        at: Timestamp,
    },
    /// It is not.
    LockRefused(Refusal),
    /// The full check is done.
    Checked {
        /// Now, not when it began.
        at: Timestamp,
        /// What it said.
        evidence: Evidence,
    },
    /// A sample was taken.
    Sampled {
        /// Now.
        at: Timestamp,
        /// What it showed.
        sample: Sample,
    },
    /// The operator agreed.
    Confirmed {
        /// Now.
        at: Timestamp,
    },
    /// The operator did not.
    Declined,
    /// There is nobody to ask.
    NoTerminal,
    /// The last look is done.
    Looked {
        /// Now, not when it began.
        at: Timestamp,
        /// What it showed.
        look: LastLook,
    },
    /// The intent is on disk.
    IntentDurable {
        /// Now.
        at: Timestamp,
    },
    /// The request was answered, or was not.
    Answered {
        /// Now.
        at: Timestamp,
        /// How.
        answer: Answer,
    },
    /// The deployment was looked at.
    Described {
        /// Now.
        at: Timestamp,
        /// What it showed.
        look: Look,
    },
    /// The events since the mark were read.
    Recounted {
        /// Now.
        at: Timestamp,
        /// What they prove.
        proof: Proof,
    },
    /// The verification is done.
    Verified(Verified),
    /// A record could not be written; the effects after it were dropped.
    JournalFailed {
        /// The error.
        why: String,
    },
    /// Ctrl-C.
    Interrupt {
        /// Now.
        at: Timestamp,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Write to the journal; on disk before the next effect.
    Record(Record),
    /// Tell the operator.
    Tell(Notice),
    /// Take the lock on blue → [`Event::Locked`] or [`Event::LockRefused`].
    Lock,
    /// Collect and judge → [`Event::Checked`].
    Check,
    /// Take a sample after a pause → [`Event::Sampled`].
    Sample {
        /// The pause.
        after: SignedDuration,
    },
    /// Ask → [`Event::Confirmed`], [`Event::Declined`] or [`Event::NoTerminal`].
    Confirm {
        /// What the answer will be about.
        digest: String,
    },
    /// Take the last look → [`Event::Looked`].
    Look,
    /// Write the intent → [`Event::IntentDurable`].
    Intend(Intent),
    /// Send the one request, without retries → [`Event::Answered`].
    Submit {
        /// `SwitchoverTimeout`.
        timeout: SignedDuration,
    },
    /// Describe after a pause → [`Event::Described`].
    Describe {
        /// The pause.
        after: SignedDuration,
    },
    /// Read the events after the mark → [`Event::Recounted`].
    Recount {
        /// The newest event from before the request.
        mark: Mark,
    },
    /// Run the checks of phase `verify` → [`Event::Verified`].
    Verify,
}

impl Effect {
    /// Whether an event will answer it.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !matches!(self, Self::Record(_) | Self::Tell(_))
    }
}

/// What the operator must hear beside the progress of things.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Evidence is too old to act on; checking again.
    CheckingAgain,
    /// The last look found lag or activity; settling again.
    SettlingAgain(String),
    /// Writing the intent took too long; it was withdrawn.
    IntentWithdrawn,
    /// The request is about to leave; from here on it cannot be taken back.
    Submitting,
    /// The answer is lost; nothing is sent again, RDS is asked what happened.
    Reconciling(String),
    /// Ctrl-C after the request: the switchover runs on, and so does the watching. Once more leaves.
    FollowingOn,
    /// Ctrl-C while the intent is being written: leaving right after.
    LeavingAfterWrite,
    /// The journal cannot be written any more, and it is too late to refuse for it: going on without.
    JournalLost(String),
}
