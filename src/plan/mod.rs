//! The way from what runs to the version that is wanted, as ordered steps with their commands.
//!
//! Pure: the control plane's facts in, a [`Plan`] out. Every upgrade of the way is one that RDS lists.

mod classes;
mod code;
mod estimate;
mod limits;
mod parameters;
mod path;
mod show;
mod steps;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    facts::rds::{RdsFacts, Topology},
    model::{Engine, PgVersion, Replication},
};

pub use classes::nearest;
pub use code::{Code, NothingToMake, code};
pub use estimate::Estimate;
pub use limits::{limits, raised, set};
pub use parameters::{Carried, Groups, Need, Setting, own_group, target_group};
pub use path::{Hop, NoWay, Wanted, by_blue_green, shortest};
pub use show::{cli, json, text};

/// What is planned for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where to.
    pub wanted: Wanted,
    /// The parameter group that green is to have.
    pub group: Option<String>,
    /// What [`limits`] says of the servers, where they were asked.
    pub limits: Option<Vec<Need>>,
    /// The moment that dates are compared with.
    pub at: Option<Timestamp>,
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
    /// Commands of the AWS CLI, in order, with the checks between them.
    pub commands: Vec<String>,
    /// The command of greenlight that does all of it, guarded and resumable.
    pub tool: Option<String>,
}

/// The plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Cluster or instance.
    pub subject: String,
    /// Its Region.
    pub region: String,
    /// The RDS endpoint where it is not AWS's own.
    pub endpoint: Option<String>,
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
    /// For each of them the nearest that can be.
    pub class_choices: BTreeMap<String, Vec<String>>,
    /// When support of the running major ends, in words.
    pub support: Vec<String>,
    /// Extended Support is paid once standard support is over.
    pub extended: bool,
    /// Instances that reboot before green is made, in this order.
    pub reboots: Vec<String>,
    /// Blue's storage, where it is allocated, in GiB.
    pub storage_gib: Option<i64>,
    /// How long it takes.
    pub durations: Vec<Estimate>,
    /// What is paid twice.
    pub twice: Vec<Estimate>,
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
    let replication = last.replication(engine);
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
    if let Some(deployment) = facts.deployment.known().and_then(Option::as_ref) {
        notes.push(format!(
            "there is a deployment already, {} ({}): another one can only be created when it is gone",
            deployment.name, deployment.status
        ));
    }
    if order.limits.is_none() && replication == Replication::Logical {
        notes.push(
            "the databases were not looked at: whether slots, senders and workers suffice depends on their number \
             (--databases looks, and so does greenlight prepare)"
                .to_owned(),
        );
    }
    let (support, extended) = support(facts, blue, order.at);
    let instances = blue.instances.iter().filter_map(|i| i.allocated_storage_gib);
    let storage: i64 = instances.map(i64::from).sum();
    let mut plan = Plan {
        subject: blue.id().to_owned(),
        region: facts.region.clone(),
        endpoint: facts.endpoint_url.clone(),
        engine,
        source,
        hops,
        replication,
        groups,
        classes_gone,
        class_choices: BTreeMap::new(),
        support,
        extended,
        reboots: Vec::new(),
        storage_gib: Some(storage).filter(|gib| engine != Engine::Aurora && *gib > 0),
        durations: Vec::new(),
        twice: Vec::new(),
        steps: Vec::new(),
        notes,
    };
    if !plan.groups.needed.is_empty() {
        // Readers first, so that the writer's outage is the only one that writes see.
        plan.reboots = blue.instances.iter().rev().map(|i| i.id.clone()).collect();
    }
    plan.steps = steps::steps(&plan, blue);
    plan.durations = estimate::durations(&plan);
    plan.twice = estimate::twice(&plan, blue);
    Ok(plan)
}

/// The dates of the running major, and whether Extended Support is paid for it after the first.
fn support(facts: &RdsFacts, blue: &Topology, at: Option<Timestamp>) -> (Vec<String>, bool) {
    let Some(major) = facts.major_version.known().and_then(Option::as_ref) else {
        return (vec!["when support ends is not known".to_owned()], false);
    };
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let end = |name: &str| {
        let cycle = major.lifecycles.iter().find(|l| l.name.contains(name));
        cycle.and_then(|l| l.end)
    };
    let off = blue.cluster.as_ref().map_or_else(
        || {
            blue.instances
                .first()
                .and_then(|i| i.lifecycle_support.as_deref())
        },
        |c| c.lifecycle_support.as_deref(),
    ) == Some("open-source-rds-extended-support-disabled");
    let mut lines = Vec::new();
    let version = &major.version;
    if let Some(standard) = end("standard") {
        let verb = if at.is_some_and(|at| at > standard) {
            "ended"
        } else {
            "ends"
        };
        lines.push(format!(
            "standard support of {version} {verb} on {}",
            day(standard)
        ));
    }
    if let Some(extended) = end("extended") {
        lines.push(if off {
            format!(
                "Extended Support of {version} ends on {}, but this database is not enrolled: RDS upgrades it by itself \
                 when standard support ends",
                day(extended)
            )
        } else {
            format!(
                "from then on Extended Support is billed for each vCPU and hour, more in its last year, until {}",
                day(extended)
            )
        });
    }
    let extended = !off && end("extended").is_some();
    (lines, extended)
}
