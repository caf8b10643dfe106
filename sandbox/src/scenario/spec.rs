//! What a scenario says of each resource.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::world::{account::Tags, catalogue::GroupKind};

/// A custom parameter group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Whether of clusters or of instances.
    pub kind: GroupKind,
    /// `aurora-postgresql12`, `postgres14`
    pub family: String,
    /// Its description.
    #[serde(default)]
    pub description: Option<String>,
    /// What is set in it.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A database of a cluster or instance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    /// Its name.
    pub name: String,
    /// Statements run in it as the master user.
    #[serde(default)]
    pub sql: String,
}

/// A steady load of inserts and updates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// Writers, spread over the databases.
    pub writers: usize,
    /// The databases written to.
    pub databases: Vec<String>,
    /// The pause of a writer between two transactions, in milliseconds.
    #[serde(default = "pause")]
    pub pause_ms: u64,
}

fn pause() -> u64 {
    20
}

/// An Aurora cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSpec {
    /// Its identifier.
    pub id: String,
    /// `aurora-postgresql` unless said otherwise.
    pub engine: String,
    /// Its engine version.
    pub version: String,
    /// The class of all instances.
    pub class: String,
    /// Identifiers of the instances, the writer first.
    pub instances: Vec<String>,
    /// The cluster parameter group; the default group when absent.
    pub parameter_group: Option<String>,
    /// The parameter group of the instances; the default group when absent.
    pub instance_parameter_group: Option<String>,
    /// Whether the group's static parameters still wait for a reboot.
    pub pending_reboot: bool,
    /// The master user.
    pub master_username: String,
    /// Whether Secrets Manager holds the master password.
    pub managed_password: bool,
    /// The first database.
    pub database_name: Option<String>,
    /// `available` unless said otherwise.
    pub status: String,
    /// `provisioned` unless said otherwise.
    pub engine_mode: String,
    /// Whether it is an Aurora Limitless Database.
    pub limitless: bool,
    /// Whether IAM users may log in.
    pub iam_authentication: bool,
    /// Whether it is protected against deletion.
    pub deletion_protection: bool,
    /// Whether minor upgrades come by themselves.
    pub auto_minor_upgrade: bool,
    /// The days for which backups are kept.
    pub backup_retention: i64,
    /// The global database that it is a member of.
    pub global_cluster: Option<String>,
    /// ARNs of replicas in other Regions.
    pub read_replicas: Vec<String>,
    /// Associated roles, by feature name.
    pub roles: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
    /// Its databases.
    pub database: Vec<DatabaseSpec>,
    /// Statements run as superuser in the database `postgres`, before the databases are made: roles and the like.
    pub setup: String,
    /// A write load, for worlds with servers.
    pub load: Option<LoadSpec>,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            id: String::new(),
            engine: "aurora-postgresql".to_owned(),
            version: String::new(),
            class: "db.r6g.large".to_owned(),
            instances: Vec::new(),
            parameter_group: None,
            instance_parameter_group: None,
            pending_reboot: false,
            master_username: "postgres".to_owned(),
            managed_password: false,
            database_name: None,
            status: "available".to_owned(),
            engine_mode: "provisioned".to_owned(),
            limitless: false,
            iam_authentication: false,
            deletion_protection: false,
            auto_minor_upgrade: false,
            backup_retention: 7,
            global_cluster: None,
            read_replicas: Vec::new(),
            roles: BTreeMap::new(),
            tags: Tags::new(),
            database: Vec::new(),
            setup: String::new(),
            load: None,
        }
    }
}

/// An RDS for PostgreSQL instance and its read replicas.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceSpec {
    /// Its identifier.
    pub id: String,
    /// `postgres` unless said otherwise.
    pub engine: String,
    /// Its engine version.
    pub version: String,
    /// Its class.
    pub class: String,
    /// Identifiers of read replicas.
    pub replicas: Vec<String>,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// The parameter group; the default group when absent.
    pub parameter_group: Option<String>,
    /// Whether the group's static parameters still wait for a reboot.
    pub pending_reboot: bool,
    /// The master user.
    pub master_username: String,
    /// Whether Secrets Manager holds the master password.
    pub managed_password: bool,
    /// The first database.
    pub database_name: Option<String>,
    /// `available` unless said otherwise.
    pub status: String,
    /// GiB.
    pub allocated_storage: i64,
    /// Whether IAM users may log in.
    pub iam_authentication: bool,
    /// Whether it is protected against deletion.
    pub deletion_protection: bool,
    /// Whether minor upgrades come by themselves.
    pub auto_minor_upgrade: bool,
    /// Whether it has a dedicated log volume.
    pub dedicated_log_volume: bool,
    /// The days for which backups are kept.
    pub backup_retention: i64,
    /// Associated roles, by feature name.
    pub roles: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
    /// Its databases.
    pub database: Vec<DatabaseSpec>,
    /// Statements run as superuser in the database `postgres`, before the databases are made.
    pub setup: String,
    /// A write load, for worlds with servers.
    pub load: Option<LoadSpec>,
}

impl Default for InstanceSpec {
    fn default() -> Self {
        Self {
            id: String::new(),
            engine: "postgres".to_owned(),
            version: String::new(),
            class: "db.r6g.large".to_owned(),
            replicas: Vec::new(),
            multi_az: false,
            parameter_group: None,
            pending_reboot: false,
            master_username: "postgres".to_owned(),
            managed_password: false,
            database_name: None,
            status: "available".to_owned(),
            allocated_storage: 100,
            iam_authentication: false,
            deletion_protection: false,
            auto_minor_upgrade: false,
            dedicated_log_volume: false,
            backup_retention: 7,
            roles: BTreeMap::new(),
            tags: Tags::new(),
            database: Vec::new(),
            setup: String::new(),
            load: None,
        }
    }
}

/// A deployment that is made, by the API's own way, before the sandbox is ready.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSpec {
    /// Its name.
    pub name: String,
    /// The identifier of the cluster or instance.
    pub source: String,
    /// The version of green.
    #[serde(default)]
    pub target_version: Option<String>,
    /// The cluster parameter group of green.
    #[serde(default)]
    pub target_cluster_parameter_group: Option<String>,
    /// The instance parameter group of green.
    #[serde(default)]
    pub target_parameter_group: Option<String>,
}

/// An RDS Proxy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySpec {
    /// Its name.
    pub name: String,
    /// The cluster or instance behind it.
    #[serde(default)]
    pub target: Option<String>,
    /// `AVAILABLE` unless said otherwise.
    #[serde(default = "available")]
    pub health: String,
}

fn available() -> String {
    "AVAILABLE".to_owned()
}

/// A global database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalSpec {
    /// Its identifier.
    pub id: String,
    /// The ARN of the writing cluster.
    pub writer: String,
    /// ARNs of the reading clusters.
    #[serde(default)]
    pub readers: Vec<String>,
    /// The engine version.
    pub version: String,
}

/// A zero-ETL integration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrationSpec {
    /// Its name.
    pub name: String,
    /// The ARN of the source.
    pub source: String,
    /// The ARN of the target.
    pub target: String,
    /// `active` unless said otherwise.
    #[serde(default = "active")]
    pub status: String,
}

fn active() -> String {
    "active".to_owned()
}

/// A custom endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// Its identifier.
    pub id: String,
    /// The cluster's identifier.
    pub cluster: String,
    /// Members by list.
    #[serde(default)]
    pub static_members: Vec<String>,
    /// Members excluded by list.
    #[serde(default)]
    pub excluded_members: Vec<String>,
}

/// A maintenance action.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceSpec {
    /// The ARN of the resource.
    pub arn: String,
    /// `system-update`, `db-upgrade`, `ca-certificate-rotation`
    pub action: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
}

/// A bucket of requests, as [`crate::Faults::limit_requests`] takes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestLimitSpec {
    /// Requests that a full bucket holds.
    pub burst: u32,
    /// Requests that it gains a second.
    pub per_second: f64,
}
