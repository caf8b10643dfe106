//! The way from what runs to the version that is wanted, as ordered steps with their commands.
//!
//! Pure: the control plane's facts in, a [`Plan`] out. Every upgrade of the way is one that RDS lists.

mod code;
mod parameters;
mod path;
mod show;
mod steps;

use serde::Serialize;

use crate::{
    facts::rds::{RdsFacts, Topology},
    model::{Engine, PgVersion, Replication},
};

pub use code::{Code, NothingToMake, code};
pub use parameters::{Carried, Groups, Setting};
pub use path::{Hop, NoWay, Wanted, by_blue_green, shortest};
pub use show::{cli, json, text};

/// What is planned for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where to.
    pub wanted: Wanted,
    /// The parameter group that green is to have.
    pub group: Option<String>,
    /// Databases that replicate, where the servers were asked.
    pub databases: Option<u64>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// The facts do not show the database.
    #[error("the facts do not show {what}: {why}")]
    NotSeen {
        /// What.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// No way.
    #[error("{0}")]
    NoWay(#[from] NoWay),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done.
    pub title: String,
    /// What it means for clients, or why it is needed.
    pub why: String,
    /// Commands, in order.
    pub commands: Vec<String>,
}

/// The plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Cluster or instance.
    pub subject: String,
    /// The engine.
    pub engine: Engine,
    /// What runs.
    pub source: PgVersion,
    /// The upgrades.
    pub hops: Vec<Hop>,
    /// How the last one replicates.
    pub replication: Replication,
    /// The parameter groups of the last one.
    pub groups: Groups,
    /// Classes of members that cannot be ordered on the target.
    pub classes_gone: Vec<String>,
    /// When support of the running major ends, in words.
    pub support: Vec<String>,
    /// What to do.
    pub steps: Vec<Step>,
    /// What to know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Where it ends.
    pub fn target(&self) -> PgVersion {
        self.hops.last().map_or(self.source, |hop| hop.to)
    }
}

/// Only the way: which version to ask RDS about.
///
/// # Errors
/// [`NoPlan`].
pub fn way(facts: &RdsFacts, engine: Engine, wanted: Wanted) -> Result<Vec<Hop>, NoPlan> {
    let blue = blue(facts)?;
    let source = blue.engine_version().ok_or(NoPlan::NotSeen {
        what: "the version that runs",
        why: "it is no PostgreSQL version".to_owned(),
    })?;
    let minors = facts.minor_versions.get().map_err(|(_, why)| NoPlan::NotSeen {
        what: "the upgrades that RDS offers",
        why: why.to_owned(),
    })?;
    let mut versions = minors.clone();
    versions.extend(facts.source_version.known().cloned().flatten());
    versions.extend(facts.target_version.known().cloned().flatten());
    Ok(shortest(&versions, engine, source, wanted)?)
}

fn blue(facts: &RdsFacts) -> Result<&Topology, NoPlan> {
    facts.blue.get().map_err(|(_, why)| NoPlan::NotSeen {
        what: "the database",
        why: why.to_owned(),
    })
}

/// Makes the plan.
///
/// # Errors
/// [`NoPlan`] where no way is known.
pub fn make(facts: &RdsFacts, engine: Engine, order: &Order) -> Result<Plan, NoPlan> {
    let hops = way(facts, engine, order.wanted)?;
    let blue = blue(facts)?;
    let (source, last) = match (hops.first(), hops.last()) {
        (Some(first), Some(last)) => (first.from, *last),
        _ => {
            return Err(NoPlan::NotSeen {
                what: "a way",
                why: "it has no upgrade".to_owned(),
            });
        }
    };
    let replication = match engine {
        Engine::Rds if last.from.major == last.to.major => Replication::Physical,
        _ => Replication::Logical,
    };
    let groups = parameters::groups(facts, blue, engine, last.to, order, replication);
    // What RDS said of classes holds for the target that it was asked about.
    let asked = facts
        .target_version
        .known()
        .and_then(Option::as_ref)
        .and_then(|v| v.version.parse().ok());
    let mut notes = Vec::new();
    let mut classes_gone = Vec::new();
    if asked == Some(last.to) {
        for (class, orderable) in &facts.orderable_on_target {
            match orderable.get() {
                Ok(true) => {}
                Ok(false) => classes_gone.push(class.clone()),
                Err((_, why)) => notes.push(format!(
                    "whether {class} can be ordered on {} is not known: {why}",
                    last.to
                )),
            }
        }
    } else {
        notes.push(format!(
            "whether the instance classes can be ordered on {} was not asked",
            last.to
        ));
    }
    if hops.iter().filter(|hop| hop.blue_green).count() > 1 {
        notes.push(
            "the way has several blue/green deployments: the parameters below are those of the last one"
                .to_owned(),
        );
    }
    notes.push(
        "green runs beside blue until it is deleted: the same instances and, on RDS, the same storage are paid twice; how \
         long building green takes depends on the size of the database and is not estimated here"
            .to_owned(),
    );
    let support = facts.major_version.known().and_then(Option::as_ref).map(|major| {
        let one = |l: &crate::facts::rds::Lifecycle| {
            let end = l.end.map_or_else(
                || "an unknown day".to_owned(),
                |t| t.strftime("%Y-%m-%d").to_string(),
            );
            format!("{} of {} ends on {end}", l.name, major.version)
        };
        major.lifecycles.iter().map(one).collect()
    });
    let mut plan = Plan {
        subject: blue.id().to_owned(),
        engine,
        source,
        hops,
        replication,
        groups,
        classes_gone,
        support: support.unwrap_or_default(),
        steps: Vec::new(),
        notes,
    };
    plan.steps = steps::steps(&plan, blue);
    Ok(plan)
}
