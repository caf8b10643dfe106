//! Who reboots when: readers first, then the writer's role moves to one of them, then the old writer.
//!
//! A static parameter is in force after a reboot only, and RDS never reboots for it by itself. Readers go first because a
//! standby must not have lower limits than its primary, and because the writer's role can then move to an instance that has
//! the new settings. <https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_RebootCluster.html>

use std::collections::BTreeSet;

use serde::Serialize;

use super::Action;
use crate::{
    checks::{is_usable, out_of_sync},
    facts::rds::{Instance, Topology},
};

/// One turn, as it is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "turn", rename_all = "kebab-case")]
pub enum Turn {
    /// A reader reboots; nothing but its own connections is cut.
    Reader {
        /// The instance.
        id: String,
    },
    /// The writer's role moves.
    Failover {
        /// The cluster.
        cluster: String,
        /// To this reader.
        to: String,
    },
    /// The writer reboots: the old one after a failover, else an outage.
    Writer {
        /// The instance.
        id: String,
        /// It is still the writer.
        outage: bool,
    },
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing is left.
    Done,
    /// Something is not at rest.
    Wait(String),
    /// This.
    Act(Action),
    /// It does not get on.
    Stuck(String),
}

/// The turns for instances that have to reboot.
pub(super) fn turns(blue: &Topology, waiting: &BTreeSet<String>) -> Vec<Turn> {
    let Some(writer) = blue.writer() else {
        return Vec::new();
    };
    let readers = blue.instances.iter().filter(|i| i.id != writer.id);
    let mut turns: Vec<Turn> = readers
        .clone()
        .filter(|i| waiting.contains(&i.id))
        .map(|i| Turn::Reader { id: i.id.clone() })
        .collect();
    if waiting.contains(&writer.id) {
        let heir = blue
            .cluster
            .as_ref()
            .and_then(|_| heir(writer, readers.collect()));
        if let (Some(cluster), Some(heir)) = (&blue.cluster, heir) {
            turns.push(Turn::Failover {
                cluster: cluster.id.clone(),
                to: heir.id.clone(),
            });
        }
        turns.push(Turn::Writer {
            id: writer.id.clone(),
            outage: heir.is_none(),
        });
    }
    turns
}

/// The reader that takes over: one of the writer's class where there is one.
fn heir<'a>(writer: &Instance, readers: Vec<&'a Instance>) -> Option<&'a Instance> {
    let alike = readers.iter().find(|i| i.class == writer.class);
    alike.or(readers.first()).copied()
}

/// The next thing to do, from what RDS shows now. `rebooted` are the instances that this run has rebooted.
/// `forced` are instances that do not run with their groups' values although RDS shows nothing pending.
pub fn next(blue: &Topology, rebooted: &BTreeSet<String>, forced: &BTreeSet<String>) -> Next {
    let restless = blue.instances.iter().find(|i| !is_usable(&i.status));
    if let Some(instance) = restless {
        return match instance.status.as_str() {
            "incompatible-parameters"
            | "failed"
            | "storage-full"
            | "stopped"
            | "inaccessible-encryption-credentials" => {
                Next::Stuck(format!("{} is {}", instance.id, instance.status))
            }
            status => Next::Wait(format!("{} is {status}", instance.id)),
        };
    }
    if let Some(cluster) = blue.cluster.as_ref().filter(|c| !is_usable(&c.status)) {
        return Next::Wait(format!("{} is {}", cluster.id, cluster.status));
    }
    let states = out_of_sync(blue);
    if let Some((instance, group, status, _)) = states
        .iter()
        .find(|(_, _, status, _)| *status == "failed-to-apply")
    {
        return Next::Stuck(format!(
            "{instance} could not apply parameter group {group} ({status})"
        ));
    }
    if let Some((instance, _, status, _)) = states
        .iter()
        .find(|(_, _, status, _)| *status != "pending-reboot")
    {
        return Next::Wait(format!("{instance}: its parameters are {status}"));
    }
    let mut waiting: BTreeSet<String> = states.iter().map(|(id, ..)| (*id).to_owned()).collect();
    waiting.extend(forced.difference(rebooted).cloned());
    let Some(turn) = turns(blue, &waiting).into_iter().next() else {
        return Next::Done;
    };
    match turn {
        Turn::Reader { id } | Turn::Writer { id, .. } if rebooted.contains(&id) => {
            Next::Stuck(format!("{id} was rebooted, and still waits for a reboot"))
        }
        Turn::Reader { id } | Turn::Writer { id, .. } => Next::Act(Action::Reboot { id }),
        Turn::Failover { cluster, to } => Next::Act(Action::Failover { cluster, to }),
    }
}
