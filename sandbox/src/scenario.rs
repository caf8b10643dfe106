//! Scenarios: the state that a sandbox starts in, as a TOML file or built in code.
//!
//! A file names resources as RDS would show them; everything left out has a usual value. The files in `scenarios/` are
//! built into the crate and found by name.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use serde::Deserialize;

use crate::world::{
    account::{
        Account, Cluster, CustomEndpoint, DbProxy, GlobalCluster, Instance, Integration, Maintenance, Member,
        Override, ParameterGroup, Tags,
    },
    catalogue::{Catalogue, Engine, GroupKind, Version, family_parts},
    ids,
};

/// What a sandbox starts with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// One line for `sandbox list`.
    pub about: String,
    /// The account ID, 12 digits.
    pub account: String,
    /// The one Region that has resources.
    pub region: String,
    /// Whether databases run; without them only the API answers, and endpoints are names that do not resolve.
    pub servers: bool,
    /// Custom parameter groups.
    pub parameter_group: Vec<GroupSpec>,
    /// Aurora clusters.
    pub cluster: Vec<ClusterSpec>,
    /// RDS for PostgreSQL instances.
    pub instance: Vec<InstanceSpec>,
    /// Deployments to be made before the sandbox is ready.
    pub deployment: Vec<DeploymentSpec>,
    /// RDS proxies.
    pub proxy: Vec<ProxySpec>,
    /// Global databases.
    pub global_cluster: Vec<GlobalSpec>,
    /// Zero-ETL integrations.
    pub integration: Vec<IntegrationSpec>,
    /// Custom cluster endpoints.
    pub endpoint: Vec<EndpointSpec>,
    /// Pending maintenance.
    pub maintenance: Vec<MaintenanceSpec>,
    /// The quota of instances.
    pub max_instances: usize,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            about: String::new(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            servers: false,
            parameter_group: Vec::new(),
            cluster: Vec::new(),
            instance: Vec::new(),
            deployment: Vec::new(),
            proxy: Vec::new(),
            global_cluster: Vec::new(),
            integration: Vec::new(),
            endpoint: Vec::new(),
            maintenance: Vec::new(),
            max_instances: 40,
        }
    }
}

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

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no such file, and no built-in scenario of that name.
    #[error("there is no scenario {name}: give the path of a TOML file or one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not a scenario.
    #[error("the scenario {name} is not valid: {source}")]
    Parse {
        /// The scenario.
        name: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The resources contradict each other.
    #[error("the scenario cannot be built: {0}")]
    Contradiction(String),
}

const BUILT_IN: [(&str, &str); 4] = [
    ("empty", include_str!("../scenarios/empty.toml")),
    ("guide", include_str!("../scenarios/guide.toml")),
    ("guide-ready", include_str!("../scenarios/guide-ready.toml")),
    ("rds-instance", include_str!("../scenarios/rds-instance.toml")),
];

impl Scenario {
    /// The scenarios that are built in: name and description.
    pub fn list() -> Vec<(&'static str, String)> {
        BUILT_IN
            .iter()
            .map(|(name, text)| {
                let scenario = Self::parse(name, text).expect("the built-in scenarios are valid");
                (*name, scenario.about)
            })
            .collect()
    }

    /// A scenario by name, or from a file.
    ///
    /// # Errors
    /// When there is none, or it is not valid.
    pub fn load(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(name, text);
        }
        if !Path::new(name).exists() {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(ScenarioError::Unknown {
                name: name.to_owned(),
                known: names.join(", "),
            });
        }
        let text = std::fs::read_to_string(name).map_err(|source| ScenarioError::Read {
            path: name.to_owned(),
            source,
        })?;
        Self::parse(name, &text)
    }

    /// A scenario from TOML text.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(|source| ScenarioError::Parse {
            name: name.to_owned(),
            source: Box::new(source),
        })
    }

    /// The account as it is at the start.
    pub(crate) fn account(&self) -> Result<Account, ScenarioError> {
        let mut account = Account::new(&self.account, &self.region);
        account.max_instances = self.max_instances;
        for spec in &self.parameter_group {
            spec.build(&mut account)?;
        }
        for spec in &self.cluster {
            spec.build(&mut account)?;
        }
        for spec in &self.instance {
            spec.build(&mut account)?;
        }
        self.surroundings(&mut account);
        Ok(account)
    }

    fn surroundings(&self, account: &mut Account) {
        let now = Timestamp::now();
        for spec in &self.proxy {
            account.proxies.insert(
                spec.name.clone(),
                DbProxy {
                    name: spec.name.clone(),
                    status: "available".to_owned(),
                    engine_family: "POSTGRESQL".to_owned(),
                    endpoint: format!(
                        "{}.proxy-c7qexample2x.{}.rds.amazonaws.com",
                        spec.name, self.region
                    ),
                    created: now,
                    require_tls: true,
                    target: spec.target.clone(),
                    health: spec.health.clone(),
                },
            );
        }
        for spec in &self.global_cluster {
            let readers = spec.readers.iter().map(|reader| (reader.clone(), false));
            account.global_clusters.insert(
                spec.id.clone(),
                GlobalCluster {
                    id: spec.id.clone(),
                    status: "available".to_owned(),
                    engine: "aurora-postgresql".to_owned(),
                    engine_version: spec.version.clone(),
                    members: std::iter::once((spec.writer.clone(), true))
                        .chain(readers)
                        .collect(),
                },
            );
        }
        for spec in &self.integration {
            account.integrations.insert(
                spec.name.clone(),
                Integration {
                    name: spec.name.clone(),
                    source: spec.source.clone(),
                    target: spec.target.clone(),
                    status: spec.status.clone(),
                    created: now,
                },
            );
        }
        for spec in &self.endpoint {
            account.endpoints.insert(
                spec.id.clone(),
                CustomEndpoint {
                    id: spec.id.clone(),
                    cluster: spec.cluster.clone(),
                    custom_type: "ANY".to_owned(),
                    static_members: spec.static_members.clone(),
                    excluded_members: spec.excluded_members.clone(),
                },
            );
        }
        for spec in &self.maintenance {
            account.maintenance.push(Maintenance {
                arn: spec.arn.clone(),
                action: spec.action.clone(),
                description: spec.description.clone(),
            });
        }
    }
}

fn contradiction(why: String) -> ScenarioError {
    ScenarioError::Contradiction(why)
}

impl GroupSpec {
    fn build(&self, account: &mut Account) -> Result<(), ScenarioError> {
        family_parts(&self.family)
            .ok_or_else(|| contradiction(format!("{} is no parameter group family", self.family)))?;
        let group = ParameterGroup {
            name: self.name.to_ascii_lowercase(),
            kind: self.kind,
            family: self.family.clone(),
            description: self
                .description
                .clone()
                .unwrap_or_else(|| format!("Cluster parameter group for {}", self.family)),
            tags: self.tags.clone(),
            overrides: BTreeMap::new(),
        };
        let known: Vec<_> = group.definitions().into_iter().map(|found| found.name).collect();
        let mut group = group;
        for (name, value) in &self.parameters {
            if !known.contains(name) {
                return Err(contradiction(format!("{} has no parameter {name}", self.family)));
            }
            group.overrides.insert(
                name.clone(),
                Override {
                    value: value.clone(),
                    method: "pending-reboot".to_owned(),
                },
            );
        }
        account.groups.insert((self.kind, group.name.clone()), group);
        Ok(())
    }
}

/// The group that is named, or the default group of the version's family.
fn group_or_default(
    account: &mut Account,
    kind: GroupKind,
    named: Option<&String>,
    engine: &str,
    version: &str,
) -> Result<String, ScenarioError> {
    if let Some(named) = named {
        let group = account.group(kind, named);
        let group = group.ok_or_else(|| contradiction(format!("there is no parameter group {named}")))?;
        return Ok(group.name);
    }
    let major = Version::parse(version).map_or(0, |version| version.major);
    let family = match Engine::parse(engine) {
        Some(engine) => engine.family(major),
        // Other engines are only named, so that a client can be seen to refuse them.
        None => format!("{engine}{version}"),
    };
    if Engine::parse(engine).is_some() {
        account.default_groups.insert((kind, family.clone()));
    }
    Ok(format!("default.{family}"))
}

fn known_version(engine: &str, version: &str) -> Result<(), ScenarioError> {
    match Engine::parse(engine) {
        Some(engine) if Catalogue::get().version(engine, version).is_none() => Err(contradiction(format!(
            "{} has no version {version} in data/versions.toml",
            engine.name()
        ))),
        _ => Ok(()),
    }
}

impl ClusterSpec {
    fn build(&self, account: &mut Account) -> Result<(), ScenarioError> {
        known_version(&self.engine, &self.version)?;
        let group = group_or_default(
            account,
            GroupKind::Cluster,
            self.parameter_group.as_ref(),
            &self.engine,
            &self.version,
        )?;
        let instance_group = group_or_default(
            account,
            GroupKind::Instance,
            self.instance_parameter_group.as_ref(),
            &self.engine,
            &self.version,
        )?;
        let status = if self.pending_reboot {
            "pending-reboot"
        } else {
            "in-sync"
        };
        let id = self.id.to_ascii_lowercase();
        let members = self.instances.iter().enumerate().map(|(n, instance)| Member {
            id: instance.to_ascii_lowercase(),
            writer: n == 0,
            parameter_status: status.to_owned(),
            promotion_tier: 1,
        });
        let mut databases: Vec<String> = self
            .database
            .iter()
            .map(|database| database.name.clone())
            .collect();
        databases.push("postgres".to_owned());
        let cluster = Cluster {
            id: id.clone(),
            resource_id: ids::resource("cluster"),
            engine: self.engine.clone(),
            engine_version: self.version.clone(),
            engine_mode: self.engine_mode.clone(),
            status: self.status.clone(),
            parameter_group: group,
            members: members.collect(),
            endpoint: None,
            reader_endpoint: None,
            master_username: self.master_username.clone(),
            managed_password: self.managed_password,
            database_name: self.database_name.clone(),
            created: Timestamp::now(),
            backup_retention: self.backup_retention,
            storage_encrypted: true,
            storage_type: "aurora".to_owned(),
            iam_authentication: self.iam_authentication,
            roles: self
                .roles
                .iter()
                .map(|(feature, arn)| (arn.clone(), feature.clone()))
                .collect(),
            deletion_protection: self.deletion_protection,
            auto_minor_upgrade: self.auto_minor_upgrade,
            global_cluster: self.global_cluster.clone(),
            replication_source: None,
            read_replicas: self.read_replicas.clone(),
            limitless: self.limitless,
            tags: self.tags.clone(),
            in_effect: BTreeMap::new(),
            pending_version: None,
            read_only: false,
            databases,
        };
        account.clusters.insert(id.clone(), cluster);
        for (n, name) in self.instances.iter().enumerate() {
            let template = InstanceSpec {
                id: name.to_ascii_lowercase(),
                engine: self.engine.clone(),
                version: self.version.clone(),
                class: self.class.clone(),
                master_username: self.master_username.clone(),
                database_name: self.database_name.clone(),
                allocated_storage: 1,
                auto_minor_upgrade: self.auto_minor_upgrade,
                backup_retention: self.backup_retention,
                iam_authentication: self.iam_authentication,
                tags: self.tags.clone(),
                ..InstanceSpec::default()
            };
            let mut instance = template.instance(account, instance_group.clone(), n);
            instance.cluster = Some(id.clone());
            "aurora".clone_into(&mut instance.storage_type);
            instance.databases.clear();
            account.instances.insert(instance.id.clone(), instance);
        }
        // Until the reboot the server runs on its family's defaults.
        let in_effect = match self.pending_reboot {
            true => {
                let major = Version::parse(&self.version).map_or(0, |version| version.major);
                account.effective(GroupKind::Cluster, &format!("default.{}{major}", self.engine))
            }
            false => account.cluster_parameters(&id),
        };
        if let Some(cluster) = account.clusters.get_mut(&id) {
            cluster.in_effect = in_effect;
        }
        Ok(())
    }
}

impl InstanceSpec {
    fn instance(&self, account: &Account, group: String, zone: usize) -> Instance {
        let mut databases: Vec<String> = self
            .database
            .iter()
            .map(|database| database.name.clone())
            .collect();
        databases.push("postgres".to_owned());
        Instance {
            id: self.id.to_ascii_lowercase(),
            resource_id: ids::resource("db"),
            cluster: None,
            class: self.class.clone(),
            engine: self.engine.clone(),
            engine_version: self.version.clone(),
            status: self.status.clone(),
            parameter_group: group,
            parameter_status: if self.pending_reboot {
                "pending-reboot"
            } else {
                "in-sync"
            }
            .to_owned(),
            endpoint: None,
            master_username: self.master_username.clone(),
            managed_password: self.managed_password,
            database_name: self.database_name.clone(),
            created: Timestamp::now(),
            availability_zone: format!("{}{}", account.region, ["a", "b", "c"][zone % 3]),
            multi_az: self.multi_az,
            allocated_storage: self.allocated_storage,
            storage_type: "gp3".to_owned(),
            storage_encrypted: true,
            backup_retention: self.backup_retention,
            iam_authentication: self.iam_authentication,
            deletion_protection: self.deletion_protection,
            auto_minor_upgrade: self.auto_minor_upgrade,
            dedicated_log_volume: self.dedicated_log_volume,
            ca: "rds-ca-rsa2048-g1".to_owned(),
            replica_source: None,
            replicas: Vec::new(),
            roles: self
                .roles
                .iter()
                .map(|(feature, arn)| (arn.clone(), feature.clone()))
                .collect(),
            tags: self.tags.clone(),
            in_effect: BTreeMap::new(),
            pending_version: None,
            pending_class: None,
            logs: BTreeMap::new(),
            databases,
        }
    }

    fn build(&self, account: &mut Account) -> Result<(), ScenarioError> {
        known_version(&self.engine, &self.version)?;
        let group = group_or_default(
            account,
            GroupKind::Instance,
            self.parameter_group.as_ref(),
            &self.engine,
            &self.version,
        )?;
        let mut primary = self.instance(account, group.clone(), 0);
        primary.replicas = self
            .replicas
            .iter()
            .map(|replica| replica.to_ascii_lowercase())
            .collect();
        let major = Version::parse(&self.version).map_or(0, |version| version.major);
        primary.in_effect = match self.pending_reboot {
            true => account.effective(GroupKind::Instance, &format!("default.{}{major}", self.engine)),
            false => account.effective(GroupKind::Instance, &group),
        };
        let id = primary.id.clone();
        for (n, name) in primary.replicas.clone().into_iter().enumerate() {
            let mut replica = primary.clone();
            replica.id = name;
            replica.resource_id = ids::resource("db");
            replica.replica_source = Some(id.clone());
            replica.replicas.clear();
            replica.multi_az = false;
            replica.availability_zone = format!("{}{}", account.region, ["b", "c", "a"][n % 3]);
            account.instances.insert(replica.id.clone(), replica);
        }
        account.instances.insert(id, primary);
        Ok(())
    }
}
