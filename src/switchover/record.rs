//! What a journal can hold: typed records only, so that nothing else (a password, a URL with one in it) can get in.
//!
//! The format is versioned by [`FORMAT`]. A kind that this version does not know is refused by the reader, never skipped: it
//! may be the one record that forbids a second request.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::deployment::View;
use super::history::Proof;
use super::machine::{Answer, Config, Consent, Evidence, Intent};
use super::outcome::Outcome;
use super::remark::Remark;
use super::settle::Sample;

/// The version of the journal's format.
pub const FORMAT: u32 = 1;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The first record: what the journal is about.
    Header(Box<Header>),
    /// A run begins.
    Run {
        /// Now.
        at: Timestamp,
        /// Who runs it, and where.
        by: Actor,
        /// With which options.
        config: Box<Config>,
    },
    /// The lock on blue is held.
    Locked {
        /// Now.
        at: Timestamp,
    },
    /// A full check is done.
    Checked {
        /// Now, not when it began.
        at: Timestamp,
        /// What it said.
        evidence: Evidence,
    },
    /// Lag and activity have held still.
    Settled {
        /// Now.
        at: Timestamp,
        /// For how long at least.
        held: SignedDuration,
        /// The last sample.
        sample: Sample,
    },
    /// Ready, settled and fresh: the question may be asked.
    Decided {
        /// Now.
        at: Timestamp,
        /// What is decided on.
        digest: String,
        /// When its collection began.
        evidence_at: Timestamp,
        /// Whether the run ends here.
        dry_run: bool,
    },
    /// Somebody agreed.
    Confirmed {
        /// Now.
        at: Timestamp,
        /// How.
        how: Consent,
        /// To what.
        digest: String,
    },
    /// The request is about to leave. Without [`Record::Withdrawn`] after it, it counts as sent.
    Intent {
        /// Now.
        at: Timestamp,
        /// What it rests on.
        intent: Intent,
    },
    /// The request for the intent before was not sent.
    Withdrawn {
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
    /// RDS shows something new.
    Progress {
        /// Now.
        at: Timestamp,
        /// What.
        view: View,
    },
    /// The events since the request were read and say something new.
    Events {
        /// Now.
        at: Timestamp,
        /// What they prove.
        proof: Proof,
    },
    /// RDS completed the switchover.
    Completed {
        /// Now.
        at: Timestamp,
    },
    /// Ctrl-C, and the run went on.
    Interrupted {
        /// Now.
        at: Timestamp,
    },
    /// The run is over.
    Ended {
        /// How.
        outcome: Outcome,
    },
    /// For the change record alone; decides nothing.
    Remark {
        /// Now.
        at: Timestamp,
        /// What.
        remark: Box<Remark>,
    },
}

/// The kinds that this version knows, as they are spelled in the file.
pub const KINDS: &[&str] = &[
    "header",
    "run",
    "locked",
    "checked",
    "settled",
    "decided",
    "confirmed",
    "intent",
    "withdrawn",
    "answered",
    "progress",
    "events",
    "completed",
    "interrupted",
    "ended",
    "remark",
];

/// What a journal is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The writer's version.
    pub tool: String,
    /// The deployment's name.
    pub name: String,
    /// The AWS account, if it is known.
    pub account: Option<String>,
    /// The AWS region.
    pub region: String,
    /// The RDS endpoint where it is not AWS's own.
    pub endpoint: Option<String>,
    /// When it was begun.
    pub at: Timestamp,
    /// Who began it.
    pub by: Actor,
    /// The options it was begun with; `config.identity` is the deployment.
    pub config: Config,
}

/// Who runs greenlight, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The account name on the machine.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// The AWS identity (`arn:aws:sts::…`), if it is known.
    pub principal: Option<String>,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{} (pid {})", self.user, self.host, self.pid)
    }
}
