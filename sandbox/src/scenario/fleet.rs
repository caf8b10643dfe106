//! A fleet: many clusters and instances by a rule, for what is run over all of an account.
//!
//! The rule is fixed: the same numbers give the same resources. Versions, classes, parameter groups and tags go round, so
//! that a fleet has all kinds: ready and not, with groups of their own and with shared ones, old and new.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ClusterSpec, GroupSpec, InstanceSpec, ScenarioError};
use crate::world::catalogue::{Engine, GroupKind, Version};

/// How many of what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetSpec {
    /// Aurora PostgreSQL clusters, `fleet-0000` and so on, with one to three instances each.
    pub clusters: usize,
    /// RDS for PostgreSQL instances, `solo-0000` and so on.
    pub instances: usize,
    /// Engines that are not PostgreSQL, as instances `other-0000` and so on.
    pub others: usize,
    /// Every so manieth cluster has a parameter group of its own; the others share one by major.
    pub own_group_every: usize,
}

impl Default for FleetSpec {
    fn default() -> Self {
        Self {
            clusters: 0,
            instances: 0,
            others: 0,
            own_group_every: 2,
        }
    }
}

/// Versions that go round, the first twice as often.
const AURORA: [&str; 8] = [
    "12.14", "12.22", "13.18", "14.15", "12.14", "15.10", "16.6", "11.21",
];
const RDS: [&str; 5] = ["12.22", "13.18", "14.10", "15.10", "16.6"];
const CLASSES: [&str; 5] = [
    "db.r6g.large",
    "db.r5.xlarge",
    "db.t3.medium",
    "db.r4.large",
    "db.r6g.2xlarge",
];
const TEAMS: [&str; 4] = ["payments", "search", "identity", "billing"];

type Specs = (Vec<GroupSpec>, Vec<ClusterSpec>, Vec<InstanceSpec>);

impl FleetSpec {
    /// What is built of it.
    pub(super) fn specs(&self) -> Result<Specs, ScenarioError> {
        let mut groups: BTreeMap<String, GroupSpec> = BTreeMap::new();
        let mut clusters = Vec::with_capacity(self.clusters);
        for n in 0..self.clusters {
            let version = AURORA[n % AURORA.len()];
            let class = CLASSES[n % CLASSES.len()];
            // r4 ends with 12: RDS would have no such cluster.
            let class = match (class, major(version)?) {
                ("db.r4.large", 13..) => "db.r6g.large",
                _ => class,
            };
            let id = format!("fleet-{n:04}");
            let group = match self.own_group_every {
                0 => None,
                every if n % every == 0 => Some(format!("{id}-params")),
                _ => Some(format!("shared-aurora-{}", major(version)?)),
            };
            if let Some(name) = &group {
                let spec = group_spec(
                    name,
                    GroupKind::Cluster,
                    Engine::Aurora.family(major(version)?),
                    n,
                );
                groups.entry(name.clone()).or_insert(spec);
            }
            clusters.push(ClusterSpec {
                version: version.to_owned(),
                class: class.to_owned(),
                instances: (1..=1 + n % 3).map(|i| format!("{id}-{i}")).collect(),
                parameter_group: group,
                managed_password: n % 17 == 0,
                database_name: Some("app".to_owned()),
                tags: tags(n),
                id,
                ..ClusterSpec::default()
            });
        }
        let solo = (0..self.instances).map(|n| InstanceSpec {
            id: format!("solo-{n:04}"),
            version: RDS[n % RDS.len()].to_owned(),
            backup_retention: if n % 11 == 0 { 0 } else { 7 },
            tags: tags(n),
            ..InstanceSpec::default()
        });
        let others = (0..self.others).map(|n| InstanceSpec {
            id: format!("other-{n:04}"),
            engine: if n % 2 == 0 { "mysql" } else { "sqlserver-se" }.to_owned(),
            version: "8.0.35".to_owned(),
            tags: tags(n),
            ..InstanceSpec::default()
        });
        Ok((
            groups.into_values().collect(),
            clusters,
            solo.chain(others).collect(),
        ))
    }
}

fn major(version: &str) -> Result<u32, ScenarioError> {
    Version::parse(version)
        .map(|version| version.major)
        .ok_or_else(|| ScenarioError::Contradiction(format!("{version} is no version")))
}

fn tags(n: usize) -> BTreeMap<String, String> {
    let stage = if n.is_multiple_of(5) { "prod" } else { "test" };
    [("team", TEAMS[n % TEAMS.len()]), ("stage", stage)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Logical replication is on in two of three.
fn group_spec(name: &str, kind: GroupKind, family: String, n: usize) -> GroupSpec {
    let on = !n.is_multiple_of(3);
    let values = [
        ("rds.logical_replication", if on { "1" } else { "0" }),
        ("max_replication_slots", "25"),
        ("max_wal_senders", "25"),
        ("max_logical_replication_workers", "25"),
        ("max_worker_processes", "50"),
    ];
    GroupSpec {
        name: name.to_owned(),
        kind,
        family,
        description: None,
        parameters: values
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        tags: BTreeMap::new(),
    }
}
