//! What blue's and green's parameter groups lack before a deployment can be made, and the order in which it comes about.
//!
//! Pure: facts in, a [`Preparation`] out. The values are those that the capacity checks advise and, for green's group, those
//! that the plan carries over; nothing is added up here. Every action can be repeated: a second run finds what the first one
//! left.

mod actions;
mod assess;
mod reboots;
mod show;
mod sight;

use serde::Serialize;

use crate::model::{Engine, PgVersion, Replication, ResourceKind};

pub use actions::{Action, commands};
pub use assess::{Asked, NotKnown, assess};
pub use reboots::{Next, Turn, next};
pub use show::{cli, json, text};

/// A value to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// The parameter.
    pub name: String,
    /// What it is now: the group's value, or what is in force; none where neither tells.
    pub from: Option<String>,
    /// What it is to be.
    pub to: String,
    /// Why, with the arithmetic.
    pub why: String,
    /// Only a reboot brings it into force.
    pub needs_reboot: bool,
}

/// What is to be done to one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupWork {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its family.
    pub family: String,
    /// It has to be made first.
    pub make: bool,
    /// Values to set.
    pub values: Vec<Value>,
    /// Clusters or instances that are to use it instead of what they use.
    pub attach: Vec<Attach>,
}

impl GroupWork {
    /// Whether nothing is to be done.
    pub fn is_done(&self) -> bool {
        !self.make && self.values.is_empty() && self.attach.is_empty()
    }
}

/// A cluster or an instance that gets another group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attach {
    /// Its name.
    pub id: String,
    /// The group that it has.
    pub instead_of: String,
}

/// Green's group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// What is to be done to it.
    pub work: GroupWork,
    /// Values of blue's that it has already.
    pub there: usize,
    /// Parameters that somebody set to another value there: theirs stays. Name, blue's value, theirs.
    pub kept: Vec<(String, String, String)>,
    /// Parameters that the family does not have.
    pub gone: Vec<String>,
    /// Values that are left out or changed on purpose, and why.
    pub left_out: Vec<(String, String)>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preparation {
    /// The cluster or instance.
    pub subject: String,
    /// The engine.
    #[serde(serialize_with = "spelled")]
    pub engine: Engine,
    /// What blue runs.
    #[serde(serialize_with = "spelled")]
    pub source: PgVersion,
    /// Where to, if that was said.
    #[serde(serialize_with = "spelled_if_any")]
    pub target_version: Option<PgVersion>,
    /// The replication of the deployment.
    #[serde(serialize_with = "spelled")]
    pub replication: Replication,
    /// The group that blue's settings come from, as it is now.
    pub group: String,
    /// Blue's groups, those with nothing to do left out.
    pub blue: Vec<GroupWork>,
    /// Green's group; none where no target was said, or where green takes blue's.
    pub target: Option<Target>,
    /// Instances that have to reboot, in order, with the failover between them.
    pub reboots: Vec<Turn>,
    /// Instances that do not run with what their groups say, although RDS shows no pending reboot.
    pub forced: Vec<String>,
    /// What could not be looked at, so that it is not known whether it is enough.
    pub unknown: Vec<String>,
    /// What to know.
    pub notes: Vec<String>,
}

impl Preparation {
    /// Whether groups are to be made, changed or attached.
    pub fn changes(&self) -> bool {
        !self.blue.is_empty() || self.target.as_ref().is_some_and(|target| !target.work.is_done())
    }

    /// Whether nothing at all is to be done, and that is known.
    pub fn is_done(&self) -> bool {
        !self.changes() && self.reboots.is_empty() && self.unknown.is_empty()
    }
}

fn spelled<S: serde::Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn spelled_if_any<S: serde::Serializer>(value: &Option<PgVersion>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
