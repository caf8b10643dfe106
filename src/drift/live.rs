//! The live side: which topology is production, and what is known of its parameter groups.

use std::collections::BTreeMap;

use crate::{
    facts::rds::{RdsFacts, Topology},
    model::{DeploymentStatus, ResourceKind},
};

/// Production: green once it is switched over, blue before and without a deployment.
pub(super) fn production(facts: &RdsFacts) -> Option<&Topology> {
    let deployment = facts.deployment.known().and_then(Option::as_ref);
    let there = |t: &&Topology| t.cluster.is_some() || !t.instances.is_empty();
    match deployment.map(|d| &d.status) {
        Some(DeploymentStatus::SwitchoverCompleted) => facts.green.known()?.as_ref().filter(there),
        _ => facts.blue.known().filter(there),
    }
}

/// The tags of the cluster or of the instance.
pub(super) fn tags(topology: &Topology) -> Option<&BTreeMap<String, String>> {
    match &topology.cluster {
        Some(cluster) => Some(&cluster.tags),
        None => topology.instances.first().map(|i| &i.tags),
    }
}

/// A group's family: as it was read, or as a default group's name tells it.
pub(super) fn family(facts: &RdsFacts, kind: ResourceKind, name: &str) -> Option<String> {
    let read = facts.group(kind, name).and_then(|g| g.family.clone());
    read.or_else(|| name.strip_prefix("default.").map(str::to_owned))
}

/// The old production that a switchover leaves, where it is still there.
pub(super) fn left_over(facts: &RdsFacts) -> Option<&Topology> {
    let deployment = facts.deployment.known().and_then(Option::as_ref)?;
    let done = deployment.status == DeploymentStatus::SwitchoverCompleted;
    facts
        .blue
        .known()
        .filter(|t| done && (t.cluster.is_some() || !t.instances.is_empty()))
}
