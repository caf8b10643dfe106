//! Calls that create, modify, reboot and switch over.

use std::sync::Arc;

use crate::{
    rds::{fault::Fault, params::Params, shapes, xml::Xml},
    world::{
        World,
        account::{ParameterGroup, Tags},
        catalogue::{Catalogue, Engine, GroupKind, family_parts},
        checks,
        deletion::busy,
        parameters::Setting,
    },
};

type Reply = Result<Option<Xml>, Fault>;

pub(super) async fn create_cluster_group(world: Arc<World>, params: Params) -> Reply {
    create_group(&world, &params, GroupKind::Cluster, "DBClusterParameterGroupName")
}

pub(super) async fn create_instance_group(world: Arc<World>, params: Params) -> Reply {
    create_group(&world, &params, GroupKind::Instance, "DBParameterGroupName")
}

fn create_group(world: &World, params: &Params, kind: GroupKind, field: &str) -> Reply {
    let name = params.required(field)?.to_ascii_lowercase();
    let family = params.required("DBParameterGroupFamily")?;
    let description = params.required("Description")?;
    let known = family_parts(family).filter(|family| Catalogue::get().families().contains(family));
    let fits = known.is_some_and(|(engine, _)| engine == Engine::Aurora || kind == GroupKind::Instance);
    if !fits {
        return Err(Fault::invalid_value(format!(
            "ParameterGroupFamily {family} is not a valid parameter group family"
        )));
    }
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 255
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !valid {
        return Err(Fault::invalid_value(format!(
            "The parameter {field} is not a valid identifier. Identifiers must begin with a letter; must contain only \
             ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )));
    }
    world.edit(|account| {
        if account.group(kind, &name).is_some() {
            return Err(Fault::bad(
                "DBParameterGroupAlreadyExists",
                format!("Parameter group {name} already exists"),
            ));
        }
        let group = ParameterGroup {
            name: name.clone(),
            kind,
            family: family.to_owned(),
            description: description.to_owned(),
            tags: params.tags(),
            overrides: std::collections::BTreeMap::new(),
        };
        let xml = shapes::group(account, &group);
        account.groups.insert((kind, name.clone()), group);
        Ok(Some(Xml::new("").child(xml)))
    })
}

pub(super) async fn modify_cluster_group(world: Arc<World>, params: Params) -> Reply {
    modify_group(&world, &params, GroupKind::Cluster, "DBClusterParameterGroupName").await
}

pub(super) async fn modify_instance_group(world: Arc<World>, params: Params) -> Reply {
    modify_group(&world, &params, GroupKind::Instance, "DBParameterGroupName").await
}

async fn modify_group(world: &World, params: &Params, kind: GroupKind, field: &'static str) -> Reply {
    let name = params.required(field)?.to_ascii_lowercase();
    let settings = params
        .members("Parameters")
        .iter()
        .map(|parameter| {
            Ok(Setting {
                name: parameter.required("ParameterName")?.to_owned(),
                value: parameter.required("ParameterValue")?.to_owned(),
                method: parameter.required("ApplyMethod")?.to_owned(),
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let changed = world.edit(|account| account.set_parameters(kind, &name, settings))?;
    for resource in changed {
        if let Err(error) = world.reload_server(&resource) {
            tracing::warn!(resource, %error, "the server did not reload");
        }
    }
    Ok(Some(Xml::new("").text(field, name)))
}

pub(super) async fn modify_cluster(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("DBClusterIdentifier")?;
    let at_once = params.boolean("ApplyImmediately")?.unwrap_or(false);
    let version = params.get("EngineVersion").map(str::to_owned);
    let group = params
        .get("DBClusterParameterGroupName")
        .map(str::to_ascii_lowercase);
    let new_id = params.get("NewDBClusterIdentifier").map(str::to_ascii_lowercase);
    let (resource, upgrade) = world.edit(|account| {
        let cluster = account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?;
        let id = cluster.id.clone();
        if cluster.status != "available" {
            return Err(Fault::cluster_state(format!(
                "DB cluster {id} is not in the available state, but in {}.",
                cluster.status
            )));
        }
        busy(account, &account.cluster_arn(&id))?;
        if let Some(group) = &group {
            let found = account
                .group(GroupKind::Cluster, group)
                .ok_or_else(|| Fault::cluster_parameter_group_not_found(group))?;
            let family = cluster
                .postgres()
                .map(|(engine, version)| engine.family(version.major));
            if family.as_ref() != Some(&found.family) {
                return Err(wrong_family(&found, family.as_deref().unwrap_or_default()));
            }
        }
        let upgrade = match &version {
            Some(version) if *version != cluster.engine_version => {
                may_upgrade(&cluster.engine, &cluster.engine_version, version)?;
                true
            }
            _ => false,
        };
        if let Some(new_id) = &new_id
            && account.clusters.contains_key(new_id)
        {
            return Err(Fault::bad(
                "DBClusterAlreadyExistsFault",
                format!("Cluster already exists: {new_id}"),
            ));
        }
        let cluster = account.clusters.get_mut(&id).expect("it was found above");
        if let Some(group) = group
            && group != cluster.parameter_group
        {
            cluster.parameter_group = group;
            for member in &mut cluster.members {
                "pending-reboot".clone_into(&mut member.parameter_status);
            }
        }
        if let Some(protection) = params.boolean("DeletionProtection")? {
            cluster.deletion_protection = protection;
        }
        if let Some(managed) = params.boolean("ManageMasterUserPassword")? {
            cluster.managed_password = managed;
        }
        if let Some(iam) = params.boolean("EnableIAMDatabaseAuthentication")? {
            cluster.iam_authentication = iam;
        }
        if let Some(days) = params.integer("BackupRetentionPeriod")? {
            cluster.backup_retention = days;
        }
        // Without ApplyImmediately it waits for the maintenance window, which does not come here.
        if upgrade && at_once {
            "upgrading".clone_into(&mut cluster.status);
        } else if upgrade {
            cluster.pending_version.clone_from(&version);
        }
        let resource = cluster.resource_id.clone();
        if let Some(new_id) = new_id {
            account.rename_cluster(&id, &new_id);
        }
        Ok((resource, upgrade && at_once))
    })?;
    if let (true, Some(version)) = (upgrade, version) {
        world.begin_minor_upgrade(&resource, version);
    }
    world.read(|account| {
        let cluster = account
            .cluster_by_resource(&resource)
            .ok_or_else(|| Fault::cluster_not_found(id))?;
        Ok(Some(Xml::new("").child(shapes::cluster(account, cluster))))
    })
}

fn wrong_family(group: &ParameterGroup, family: &str) -> Fault {
    Fault::invalid_combination(format!(
        "The Parameter Group {} with DBParameterGroupFamily {} can't be used for this instance. Please use a Parameter \
         Group with DBParameterGroupFamily {family}",
        group.name, group.family
    ))
}

/// In-place upgrades within a major are carried out; to another major a deployment is the sandbox's way.
fn may_upgrade(engine: &str, from: &str, to: &str) -> Result<(), Fault> {
    let catalogue = Catalogue::get();
    let engine = Engine::parse(engine)
        .ok_or_else(|| Fault::invalid_combination(format!("Cannot upgrade engine {engine}")))?;
    let source = catalogue.version(engine, from);
    let target = source.and_then(|source| {
        let mut targets = catalogue.targets(source).into_iter();
        targets.find(|target| target.text == to)
    });
    match (source, target) {
        (Some(source), Some(target)) if source.version.major == target.version.major => Ok(()),
        (Some(_), Some(_)) => Err(Fault::invalid_combination(format!(
            "the sandbox upgrades to another major only by a blue/green deployment, not in place from {from} to {to}"
        ))),
        _ => Err(Fault::invalid_combination(format!(
            "Cannot upgrade {} from {from} to {to}",
            engine.name()
        ))),
    }
}

pub(super) async fn modify_instance(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("DBInstanceIdentifier")?;
    let at_once = params.boolean("ApplyImmediately")?.unwrap_or(false);
    let group = params.get("DBParameterGroupName").map(str::to_ascii_lowercase);
    let new_id = params.get("NewDBInstanceIdentifier").map(str::to_ascii_lowercase);
    let version = params.get("EngineVersion").map(str::to_owned);
    let (resource, upgrade) = world.edit(|account| {
        let instance = account
            .instance(id)
            .ok_or_else(|| Fault::instance_not_found(id))?;
        let id = instance.id.clone();
        if instance.status != "available" {
            return Err(Fault::instance_state(format!(
                "Instance {id} is not in available state, but in {}.",
                instance.status
            )));
        }
        busy(account, &account.instance_arn(&id))?;
        if let Some(group) = &group {
            let found = account
                .group(GroupKind::Instance, group)
                .ok_or_else(|| Fault::parameter_group_not_found(group))?;
            let family = instance
                .postgres()
                .map(|(engine, version)| engine.family(version.major));
            if family.as_ref() != Some(&found.family) {
                return Err(wrong_family(&found, family.as_deref().unwrap_or_default()));
            }
        }
        let upgrade = match &version {
            Some(version) if *version != instance.engine_version => {
                if instance.cluster.is_some() {
                    return Err(Fault::invalid_combination(
                        "The engine version of a member is that of its DB cluster: modify the cluster.",
                    ));
                }
                may_upgrade(&instance.engine, &instance.engine_version, version)?;
                true
            }
            _ => false,
        };
        if let Some(new_id) = &new_id
            && account.instances.contains_key(new_id)
        {
            return Err(Fault::bad(
                "DBInstanceAlreadyExists",
                format!("DB instance already exists: {new_id}"),
            ));
        }
        let instance = account.instances.get_mut(&id).expect("it was found above");
        if let Some(group) = group
            && group != instance.parameter_group
        {
            instance.parameter_group = group;
            "pending-reboot".clone_into(&mut instance.parameter_status);
        }
        if let Some(protection) = params.boolean("DeletionProtection")? {
            instance.deletion_protection = protection;
        }
        if let Some(managed) = params.boolean("ManageMasterUserPassword")? {
            instance.managed_password = managed;
        }
        if let Some(days) = params.integer("BackupRetentionPeriod")? {
            instance.backup_retention = days;
        }
        if let Some(multi_az) = params.boolean("MultiAZ")? {
            instance.multi_az = multi_az;
        }
        if let Some(ca) = params.get("CACertificateIdentifier") {
            ca.clone_into(&mut instance.ca);
        }
        if let Some(class) = params.get("DBInstanceClass") {
            match at_once {
                true => class.clone_into(&mut instance.class),
                false => instance.pending_class = Some(class.to_owned()),
            }
        }
        if upgrade && at_once {
            "upgrading".clone_into(&mut instance.status);
        } else if upgrade {
            instance.pending_version.clone_from(&version);
        }
        let resource = instance.resource_id.clone();
        if let Some(new_id) = new_id {
            account.rename_instance(&id, &new_id);
        }
        Ok((resource, upgrade && at_once))
    })?;
    if let (true, Some(version)) = (upgrade, version) {
        world.begin_minor_upgrade(&resource, version);
    }
    world.read(|account| {
        let mut instances = account.instances.values();
        let instance = instances
            .find(|found| found.resource_id == resource)
            .ok_or_else(|| Fault::instance_not_found(id))?;
        Ok(Some(Xml::new("").child(shapes::instance(account, instance))))
    })
}

pub(super) async fn reboot(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("DBInstanceIdentifier")?;
    world.read(|account| busy(account, &account.instance_arn(&account.local_id("db", id))))?;
    world.begin_reboot(id)?;
    world.read(|account| {
        let instance = account
            .instance(id)
            .ok_or_else(|| Fault::instance_not_found(id))?;
        Ok(Some(Xml::new("").child(shapes::instance(account, instance))))
    })
}

pub(super) async fn failover(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("DBClusterIdentifier")?;
    let target = params.get("TargetDBInstanceIdentifier");
    world.begin_failover(id, target)?;
    world.read(|account| {
        let cluster = account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?;
        Ok(Some(Xml::new("").child(shapes::cluster(account, cluster))))
    })
}

pub(super) async fn create_deployment(world: Arc<World>, params: Params) -> Reply {
    let plan = world.read(|account| checks::create(account, &params))?;
    let deployment = world.begin_deployment(plan);
    Ok(Some(Xml::new("").child(shapes::deployment(&deployment))))
}

/// The user guide gives 30 to 3600 seconds; the API's model states only the lower bound.
pub(super) async fn switchover(world: Arc<World>, params: Params) -> Reply {
    let id = params.required("BlueGreenDeploymentIdentifier")?;
    let timeout = params.integer("SwitchoverTimeout")?.unwrap_or(300);
    if !(30..=3600).contains(&timeout) {
        return Err(Fault::invalid_value(format!(
            "Invalid SwitchoverTimeout {timeout}: it must be between 30 and 3600 seconds"
        )));
    }
    let deployment = world.begin_switchover(id, timeout)?;
    Ok(Some(Xml::new("").child(shapes::deployment(&deployment))))
}

pub(super) async fn add_tags(world: Arc<World>, params: Params) -> Reply {
    let arn = params.required("ResourceName")?;
    let tags: Tags = params.tags();
    if tags.is_empty() {
        return Err(Fault::missing("Tags"));
    }
    world.edit(|account| {
        let fault = super::history::resource_not_found(account, arn);
        account.tags_mut(arn).ok_or(fault)?.extend(tags);
        Ok(None)
    })
}
