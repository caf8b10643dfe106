//! From what a scenario says to the account that it means.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ClusterSpec, GroupSpec, InstanceSpec, Scenario, ScenarioError};
use crate::world::{
    account::{
        Account, Cluster, CustomEndpoint, DbProxy, GlobalCluster, Instance, Integration, Maintenance, Member,
        Override, ParameterGroup,
    },
    catalogue::{Catalogue, Engine, GroupKind, Version, family_parts},
    ids,
};

impl Scenario {
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
        if let Some(fleet) = &self.fleet {
            let (groups, clusters, instances) = fleet.specs()?;
            for spec in &groups {
                spec.build(&mut account)?;
            }
            for spec in &clusters {
                spec.build(&mut account)?;
            }
            for spec in &instances {
                spec.build(&mut account)?;
            }
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
            clone_group: None,
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
