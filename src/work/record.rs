//! What the journal of such work holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::machine::{End, Sight};
use crate::switchover::{
    evidence::{Answer, Consent, Readiness},
    journal::Kinds,
    record::Actor,
};

/// One request, and what it is to bring about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// `CreateBlueGreenDeployment`.
    Create {
        /// `BlueGreenDeploymentName`.
        name: String,
        /// `Source`, an ARN.
        source: String,
        /// `TargetEngineVersion`.
        target_version: String,
        /// Green's (cluster) parameter group.
        parameter_group: Option<String>,
    },
    /// `DeleteBlueGreenDeployment`.
    DeleteDeployment {
        /// `bgd-…`
        id: String,
        /// `DeleteTarget`; none after the switchover, when green is production.
        target: Option<bool>,
    },
    /// `CreateDBClusterSnapshot` or `CreateDBSnapshot`.
    Snapshot {
        /// Its name.
        name: String,
        /// Of what.
        of: String,
        /// Which is a cluster.
        of_cluster: bool,
    },
    /// `DeleteDBInstance`.
    DeleteInstance {
        /// Its name.
        id: String,
        /// `DbiResourceId`, so that no other one of that name is deleted.
        resource_id: String,
        /// Whether automated backups stay; none for members of a cluster, which have none of their own.
        keep_backups: Option<bool>,
    },
    /// `DeleteDBCluster`.
    DeleteCluster {
        /// Its name.
        id: String,
        /// `DbClusterResourceId`.
        resource_id: String,
        /// Whether automated backups stay.
        keep_backups: bool,
    },
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create { name, .. } => write!(f, "create deployment {name}"),
            Self::DeleteDeployment {
                id,
                target: Some(true),
            } => write!(f, "delete deployment {id} with green"),
            Self::DeleteDeployment { id, .. } => write!(f, "delete deployment {id}"),
            Self::Snapshot { name, of, .. } => write!(f, "take snapshot {name} of {of}"),
            Self::DeleteInstance { id, .. } => write!(f, "delete instance {id}"),
            Self::DeleteCluster { id, .. } => write!(f, "delete cluster {id}"),
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The first record.
    Work(Box<Head>),
    /// A run begins.
    Run {
        /// Now.
        at: Timestamp,
        /// Who runs it, and where.
        by: Actor,
    },
    /// The checks were made.
    Checked {
        /// Now.
        at: Timestamp,
        /// What they said.
        readiness: Readiness,
    },
    /// Somebody agreed.
    Confirmed {
        /// Now.
        at: Timestamp,
        /// How.
        how: Consent,
    },
    /// The request is about to leave. Without [`Record::Withdrawn`] or a rejection after it, it counts as sent.
    Intent {
        /// Now.
        at: Timestamp,
        /// For what.
        work: Task,
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
    Seen {
        /// Now.
        at: Timestamp,
        /// What.
        sight: Sight,
    },
    /// A task is over for this run.
    Ended {
        /// Now.
        at: Timestamp,
        /// Which.
        work: Task,
        /// How.
        end: End,
    },
}

/// What a journal is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// The version of the journal's format.
    pub format: u32,
    /// The writer's version.
    pub tool: String,
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
    /// All that is to be done, in order. A run that takes it up does this and nothing else.
    pub tasks: Vec<Task>,
}

impl Kinds for Record {
    const FIRST: &'static str = "work";
    const KINDS: &'static [&'static str] = &[
        "work",
        "run",
        "checked",
        "confirmed",
        "intent",
        "withdrawn",
        "answered",
        "seen",
        "ended",
    ];
    const WORK: &'static str = "a creation or a clean-up";
}
