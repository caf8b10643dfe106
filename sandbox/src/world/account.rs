//! The state of the emulated account: what Describe calls answer from and changing calls edit.
//!
//! Everything is plain data and clonable, so that a stale Describe can be answered from an older copy. Fields carry
//! RDS's own names; their meaning is that of the
//! [API reference](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/Welcome.html). Resources are keyed by
//! identifier in lower case, as RDS stores them; servers are keyed by resource ID, which a switchover does not move.
#![expect(missing_docs, reason = "the fields are RDS's own, under RDS's names")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::catalogue::{Catalogue, Engine, GroupKind, ParameterDefinition, Version, family_parts};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Where something can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// A database cluster (Aurora).
#[derive(Debug, Clone)]
pub struct Cluster {
    pub id: String,
    pub resource_id: String,
    pub engine: String,
    pub engine_version: String,
    pub engine_mode: String,
    pub status: String,
    pub parameter_group: String,
    pub members: Vec<Member>,
    pub endpoint: Option<Address>,
    pub reader_endpoint: Option<String>,
    pub master_username: String,
    pub managed_password: bool,
    pub database_name: Option<String>,
    pub created: Timestamp,
    pub backup_retention: i64,
    pub storage_encrypted: bool,
    pub storage_type: String,
    pub iam_authentication: bool,
    pub roles: Vec<(String, String)>,
    pub deletion_protection: bool,
    pub auto_minor_upgrade: bool,
    pub global_cluster: Option<String>,
    pub replication_source: Option<String>,
    pub read_replicas: Vec<String>,
    pub limitless: bool,
    /// Absent until the cluster is cloned, which the creation of green does.
    pub clone_group: Option<String>,
    pub tags: Tags,
    /// Parameters that the server runs with, as of the last start or dynamic change.
    pub in_effect: BTreeMap<String, String>,
    pub pending_version: Option<String>,
    /// The old blue side of a switchover, which Aurora keeps read-only while the deployment lives.
    pub read_only: bool,
    /// Names of the databases, for worlds without servers; with servers they are asked.
    pub databases: Vec<String>,
}

/// An instance as a member of its cluster.
#[derive(Debug, Clone)]
pub struct Member {
    pub id: String,
    pub writer: bool,
    /// `in-sync`, `pending-reboot`, `applying`
    pub parameter_status: String,
    pub promotion_tier: i64,
}

/// A database instance: a member of a cluster, or on its own (RDS for PostgreSQL).
#[derive(Debug, Clone)]
pub struct Instance {
    pub id: String,
    pub resource_id: String,
    pub cluster: Option<String>,
    pub class: String,
    pub engine: String,
    pub engine_version: String,
    pub status: String,
    pub parameter_group: String,
    pub parameter_status: String,
    pub endpoint: Option<Address>,
    pub master_username: String,
    pub managed_password: bool,
    pub database_name: Option<String>,
    pub created: Timestamp,
    pub availability_zone: String,
    pub multi_az: bool,
    pub allocated_storage: i64,
    pub storage_type: String,
    pub storage_encrypted: bool,
    pub backup_retention: i64,
    pub iam_authentication: bool,
    pub deletion_protection: bool,
    pub auto_minor_upgrade: bool,
    pub dedicated_log_volume: bool,
    pub ca: String,
    pub replica_source: Option<String>,
    pub replicas: Vec<String>,
    pub roles: Vec<(String, String)>,
    pub tags: Tags,
    pub in_effect: BTreeMap<String, String>,
    pub pending_version: Option<String>,
    pub pending_class: Option<String>,
    pub logs: BTreeMap<String, LogFile>,
    /// Names of the databases of an instance on its own, for worlds without servers.
    pub databases: Vec<String>,
}

/// A log file of an instance.
#[derive(Debug, Clone)]
pub struct LogFile {
    pub written: Timestamp,
    pub text: String,
}

/// A parameter group of either kind.
#[derive(Debug, Clone)]
pub struct ParameterGroup {
    pub name: String,
    pub kind: GroupKind,
    pub family: String,
    pub description: String,
    pub tags: Tags,
    pub overrides: BTreeMap<String, Override>,
}

/// A parameter that a user set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub value: String,
    /// `immediate` or `pending-reboot`
    pub method: String,
}

/// How green is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    Logical,
    Physical,
}

/// A blue/green deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub id: String,
    pub name: String,
    /// ARN; moves to `-oldN` at switchover.
    pub source: String,
    /// ARN; absent until green exists.
    pub target: Option<String>,
    pub source_resource: String,
    pub target_resource: Option<String>,
    pub status: String,
    pub status_details: Option<String>,
    pub tasks: Vec<Task>,
    pub members: Vec<MemberSwitch>,
    pub created: Timestamp,
    pub deleted: Option<Timestamp>,
    pub tags: Tags,
    pub replication: Replication,
    pub target_version: String,
    /// Whether RDS found something that the service calls Replication degraded.
    pub degraded: Option<String>,
}

/// One step of a creation.
#[derive(Debug, Clone)]
pub struct Task {
    pub name: String,
    pub status: String,
}

/// `SwitchoverDetails`: one pair of cluster or instances.
#[derive(Debug, Clone)]
pub struct MemberSwitch {
    pub source: String,
    pub target: Option<String>,
    pub status: Option<String>,
}

/// An event, as `DescribeEvents` shows it (the ID is for notifications only and not answered).
#[derive(Debug, Clone)]
pub struct Event {
    pub date: Timestamp,
    pub id: &'static str,
    pub source_type: &'static str,
    pub source: String,
    pub arn: String,
    pub category: &'static str,
    pub message: String,
}

/// A snapshot of a cluster or an instance.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub id: String,
    pub of_cluster: bool,
    pub source: String,
    pub engine: String,
    pub engine_version: String,
    pub master_username: String,
    pub created: Timestamp,
    pub status: String,
    pub tags: Tags,
}

/// An RDS Proxy and its targets.
#[derive(Debug, Clone)]
pub struct DbProxy {
    pub name: String,
    pub status: String,
    pub engine_family: String,
    pub endpoint: String,
    pub created: Timestamp,
    pub require_tls: bool,
    /// The tracked cluster or instance.
    pub target: Option<String>,
    pub health: String,
}

/// A global database.
#[derive(Debug, Clone)]
pub struct GlobalCluster {
    pub id: String,
    pub status: String,
    pub engine: String,
    pub engine_version: String,
    /// ARN and whether it is the writer.
    pub members: Vec<(String, bool)>,
}

/// A zero-ETL integration.
#[derive(Debug, Clone)]
pub struct Integration {
    pub name: String,
    pub source: String,
    pub target: String,
    pub status: String,
    pub created: Timestamp,
}

/// A custom endpoint of a cluster.
#[derive(Debug, Clone)]
pub struct CustomEndpoint {
    pub id: String,
    pub cluster: String,
    pub custom_type: String,
    pub static_members: Vec<String>,
    pub excluded_members: Vec<String>,
}

/// A maintenance action that waits for a resource.
#[derive(Debug, Clone)]
pub struct Maintenance {
    pub arn: String,
    pub action: String,
    pub description: String,
}

/// Everything of one account in one Region.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub region: String,
    pub clusters: BTreeMap<String, Cluster>,
    pub instances: BTreeMap<String, Instance>,
    pub groups: BTreeMap<(GroupKind, String), ParameterGroup>,
    pub deployments: BTreeMap<String, Deployment>,
    pub events: Vec<Event>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub proxies: BTreeMap<String, DbProxy>,
    pub global_clusters: BTreeMap<String, GlobalCluster>,
    pub integrations: BTreeMap<String, Integration>,
    pub endpoints: BTreeMap<String, CustomEndpoint>,
    pub maintenance: Vec<Maintenance>,
    /// Instance quota, for refusals.
    pub max_instances: usize,
    /// Families whose default groups have been used, and so exist.
    pub default_groups: BTreeSet<(GroupKind, String)>,
}

impl Account {
    /// An account in which nothing has been made yet.
    pub fn new(id: &str, region: &str) -> Self {
        Self {
            id: id.to_owned(),
            region: region.to_owned(),
            clusters: BTreeMap::new(),
            instances: BTreeMap::new(),
            groups: BTreeMap::new(),
            deployments: BTreeMap::new(),
            events: Vec::new(),
            snapshots: BTreeMap::new(),
            proxies: BTreeMap::new(),
            global_clusters: BTreeMap::new(),
            integrations: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            maintenance: Vec::new(),
            max_instances: 40,
            default_groups: BTreeSet::new(),
        }
    }

    /// `arn:aws:rds:<region>:<account>:<kind>:<name>`
    pub fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:rds:{}:{}:{kind}:{name}", self.region, self.id)
    }

    /// The ARN of a cluster.
    pub fn cluster_arn(&self, id: &str) -> String {
        self.arn("cluster", id)
    }

    /// The ARN of an instance.
    pub fn instance_arn(&self, id: &str) -> String {
        self.arn("db", id)
    }

    /// The identifier that an identifier or ARN of this account and kind names, in lower case.
    pub fn local_id(&self, kind: &str, name_or_arn: &str) -> String {
        name_or_arn
            .strip_prefix(&self.arn(kind, ""))
            .unwrap_or(name_or_arn)
            .to_ascii_lowercase()
    }

    /// A cluster by identifier or ARN.
    pub fn cluster(&self, name_or_arn: &str) -> Option<&Cluster> {
        self.clusters.get(&self.local_id("cluster", name_or_arn))
    }

    /// A cluster by identifier or ARN, to change it.
    pub fn cluster_mut(&mut self, name_or_arn: &str) -> Option<&mut Cluster> {
        let id = self.local_id("cluster", name_or_arn);
        self.clusters.get_mut(&id)
    }

    /// An instance by identifier or ARN.
    pub fn instance(&self, name_or_arn: &str) -> Option<&Instance> {
        self.instances.get(&self.local_id("db", name_or_arn))
    }

    /// An instance by identifier or ARN, to change it.
    pub fn instance_mut(&mut self, name_or_arn: &str) -> Option<&mut Instance> {
        let id = self.local_id("db", name_or_arn);
        self.instances.get_mut(&id)
    }

    /// The cluster with a resource ID.
    pub fn cluster_by_resource(&self, resource_id: &str) -> Option<&Cluster> {
        self.clusters
            .values()
            .find(|cluster| cluster.resource_id == resource_id)
    }

    /// A parameter group; `default.<family>` exists for every family.
    pub fn group(&self, kind: GroupKind, name: &str) -> Option<ParameterGroup> {
        let name = name.to_ascii_lowercase();
        if let Some(group) = self.groups.get(&(kind, name.clone())) {
            return Some(group.clone());
        }
        let family = name.strip_prefix("default.")?;
        let (engine, major) = family_parts(family)?;
        let known = Catalogue::get().families().contains(&(engine, major));
        (known && (engine == Engine::Aurora || kind == GroupKind::Instance)).then(|| ParameterGroup {
            description: match kind {
                GroupKind::Cluster => format!("Default cluster parameter group for {family}"),
                GroupKind::Instance => format!("Default parameter group for {family}"),
            },
            kind,
            family: family.to_owned(),
            tags: Tags::new(),
            overrides: BTreeMap::new(),
            name: name.clone(),
        })
    }

    /// The definitions of a group's family, each with the value that the group gives it.
    pub fn effective(&self, kind: GroupKind, name: &str) -> BTreeMap<String, String> {
        let Some(group) = self.group(kind, name) else {
            return BTreeMap::new();
        };
        group
            .definitions()
            .into_iter()
            .filter_map(|definition| {
                let value = match group.overrides.get(&definition.name) {
                    Some(set) => Some(set.value.clone()),
                    None => definition.default,
                };
                Some((definition.name, value?))
            })
            .collect()
    }

    /// The writer of a cluster.
    pub fn writer(&self, cluster: &Cluster) -> Option<&Instance> {
        let member = cluster.members.iter().find(|member| member.writer)?;
        self.instances.get(&member.id)
    }

    /// Whether an instance is the writer of its cluster.
    pub fn is_writer(&self, instance: &str) -> bool {
        let mut members = self.clusters.values().flat_map(|cluster| &cluster.members);
        members.any(|member| member.writer && member.id == instance)
    }

    /// Gives whatever is up and has no address yet the one that RDS would give it, in worlds without servers.
    pub(crate) fn name_endpoints(&mut self) {
        let domain = format!("c7qexample2x.{}.rds.amazonaws.com", self.region);
        for cluster in self
            .clusters
            .values_mut()
            .filter(|found| found.endpoint.is_none())
        {
            cluster.endpoint = Some(Address {
                host: format!("{}.cluster-{domain}", cluster.id),
                port: 5432,
            });
            cluster.reader_endpoint = Some(format!("{}.cluster-ro-{domain}", cluster.id));
        }
        for instance in self
            .instances
            .values_mut()
            .filter(|found| found.endpoint.is_none())
        {
            instance.endpoint = Some(Address {
                host: format!("{}.{domain}", instance.id),
                port: 5432,
            });
        }
    }

    /// Adds an event.
    pub fn event(
        &mut self,
        id: &'static str,
        source_type: &'static str,
        source: &str,
        category: &'static str,
        message: impl Into<String>,
    ) {
        let kind = match source_type {
            "db-cluster" => "cluster",
            "blue-green-deployment" => "deployment",
            _ => "db",
        };
        self.events.push(Event {
            date: Timestamp::now(),
            id,
            source_type,
            source: source.to_owned(),
            arn: self.arn(kind, source),
            category,
            message: message.into(),
        });
    }

    /// The tags of any resource, by its ARN.
    pub fn tags_mut(&mut self, arn: &str) -> Option<&mut Tags> {
        let own = format!("arn:aws:rds:{}:{}:", self.region, self.id);
        let (kind, name) = arn.strip_prefix(&own)?.split_once(':')?;
        let name = name.to_ascii_lowercase();
        match kind {
            "cluster" => self.clusters.get_mut(&name).map(|found| &mut found.tags),
            "db" => self.instances.get_mut(&name).map(|found| &mut found.tags),
            "deployment" => self.deployments.get_mut(&name).map(|found| &mut found.tags),
            "cluster-pg" => self
                .groups
                .get_mut(&(GroupKind::Cluster, name))
                .map(|found| &mut found.tags),
            "pg" => self
                .groups
                .get_mut(&(GroupKind::Instance, name))
                .map(|found| &mut found.tags),
            "cluster-snapshot" | "snapshot" => self.snapshots.get_mut(&name).map(|found| &mut found.tags),
            _ => None,
        }
    }
}

impl ParameterGroup {
    /// What the group's family can name.
    pub(crate) fn definitions(&self) -> Vec<ParameterDefinition> {
        family_parts(&self.family)
            .map(|(engine, major)| Catalogue::get().parameters(engine, major, self.kind))
            .unwrap_or_default()
    }

    /// `default.*`, which cannot be changed.
    pub fn is_default(&self) -> bool {
        self.name.starts_with("default.")
    }
}

impl Cluster {
    /// The engine, unless it is no PostgreSQL.
    pub fn postgres(&self) -> Option<(Engine, Version)> {
        Some((
            Engine::parse(&self.engine)?,
            Version::parse(&self.engine_version)?,
        ))
    }
}

impl Instance {
    /// The engine, unless it is no PostgreSQL.
    pub fn postgres(&self) -> Option<(Engine, Version)> {
        Some((
            Engine::parse(&self.engine)?,
            Version::parse(&self.engine_version)?,
        ))
    }
}
