//! What RDS refuses before it creates a deployment, and what it will make if it does not.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-creating.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-considerations.html> and
//! <https://repost.aws/knowledge-center/rds-postgresql-blue-green-deployment-error>.

use super::{
    account::{Account, Cluster, Instance, Replication, Tags},
    catalogue::{Catalogue, Engine, EngineVersion, GroupKind, Version},
};
use crate::rds::{fault::Fault, params::Params};

/// A creation that passed the checks.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) engine: Engine,
    pub(crate) source_version: Version,
    pub(crate) target_version: String,
    pub(crate) replication: Replication,
    pub(crate) cluster_group: Option<String>,
    pub(crate) instance_group: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) tags: Tags,
}

/// Blue: the identifier of a cluster or of an instance on its own.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Cluster(String),
    Instance(String),
}

impl Plan {
    pub(crate) fn is_major(&self) -> bool {
        Version::parse(&self.target_version).is_some_and(|target| target.major != self.source_version.major)
    }
}

/// Checks a `CreateBlueGreenDeployment` call.
///
/// # Errors
/// The fault that RDS answers.
pub(crate) fn create(account: &Account, params: &Params) -> Result<Plan, Fault> {
    let name = params.required("BlueGreenDeploymentName")?;
    let source = params.required("Source")?;
    if !valid_name(name) {
        return Err(Fault::invalid_value(format!(
            "The blue/green deployment name {name} must be 1 to 60 letters, digits and single hyphens, start with a \
             letter and not end with a hyphen"
        )));
    }
    if account.deployments.values().any(|known| known.name == name) {
        return Err(Fault::bad(
            "BlueGreenDeploymentAlreadyExistsFault",
            format!("A blue/green deployment with the specified name {name} already exists."),
        ));
    }
    let cluster_prefix = account.cluster_arn("");
    let instance_prefix = account.instance_arn("");
    if let Some(id) = source.strip_prefix(&cluster_prefix) {
        let cluster = account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?;
        of_cluster(account, params, name, cluster)
    } else if let Some(id) = source.strip_prefix(&instance_prefix) {
        let instance = account
            .instance(id)
            .ok_or_else(|| Fault::instance_not_found(id))?;
        of_instance(account, params, name, instance)
    } else {
        Err(Fault::invalid_value(format!(
            "Invalid Source {source}: it must be the ARN of a DB instance or DB cluster of this account and Region"
        )))
    }
}

/// `[a-zA-Z](?:-?[a-zA-Z0-9]+)*`, at most 60.
fn valid_name(name: &str) -> bool {
    name.len() <= 60
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.contains("--")
        && !name.ends_with('-')
}

fn in_use(account: &Account, resource_id: &str) -> bool {
    account.deployments.values().any(|known| {
        known.source_resource == resource_id || known.target_resource.as_deref() == Some(resource_id)
    })
}

fn of_cluster(account: &Account, params: &Params, name: &str, cluster: &Cluster) -> Result<Plan, Fault> {
    let unsupported = |why: String| Fault::bad("SourceClusterNotSupportedFault", why);
    let id = &cluster.id;
    let Some((engine @ Engine::Aurora, version)) = cluster.postgres() else {
        return Err(unsupported(format!(
            "The source DB cluster {id} with engine {} isn't supported for a blue/green deployment.",
            cluster.engine
        )));
    };
    if cluster.status != "available" {
        return Err(Fault::cluster_state(format!(
            "DB cluster {id} is not in the available state, but in {}.",
            cluster.status
        )));
    }
    if in_use(account, &cluster.resource_id) {
        return Err(unsupported(format!(
            "DB cluster {id} is already part of a blue/green deployment."
        )));
    }
    if cluster.managed_password {
        return Err(unsupported(
            "Blue/Green Deployments don't support a DB cluster whose master user password is managed in AWS Secrets \
             Manager."
                .to_owned(),
        ));
    }
    if cluster.engine_mode != "provisioned" || cluster.limitless {
        return Err(unsupported(format!(
            "Blue/Green Deployments don't support the engine mode or scalability type of DB cluster {id}."
        )));
    }
    if !Catalogue::get().blue_green_logical(version) {
        return Err(unsupported(format!(
            "Blue/Green Deployments don't support engine version {} of DB cluster {id}. Upgrade the DB cluster to a \
             supported minor version first.",
            cluster.engine_version
        )));
    }
    let foreign = |name: &String| name.starts_with("arn:") && !name.starts_with(&account.cluster_arn(""));
    if cluster
        .read_replicas
        .iter()
        .chain(&cluster.replication_source)
        .any(foreign)
    {
        return Err(unsupported(format!(
            "DB cluster {id} has a cross-Region read replica."
        )));
    }
    let writer_in_sync = cluster
        .members
        .iter()
        .filter(|member| member.writer)
        .all(|member| member.parameter_status == "in-sync");
    logical(&cluster.in_effect, writer_in_sync, "DB cluster").map_err(unsupported)?;
    if params.get("TargetDBInstanceClass").is_some() {
        return Err(Fault::invalid_combination(
            "TargetDBInstanceClass can't be specified for an Aurora DB cluster.",
        ));
    }
    let target = target_version(engine, &cluster.engine_version, params)?;
    let cluster_group = target_group(account, params, GroupKind::Cluster, target)?;
    let instance_group = target_group(account, params, GroupKind::Instance, target)?;
    for member in &cluster.members {
        if let Some(instance) = account.instance(&member.id) {
            orderable(engine, target.version, &instance.class)?;
        }
    }
    quota(account, cluster.members.len())?;
    Ok(Plan {
        name: name.to_owned(),
        source: Source::Cluster(cluster.id.clone()),
        engine,
        source_version: version,
        target_version: target.text.clone(),
        replication: Replication::Logical,
        cluster_group,
        instance_group,
        class: None,
        tags: params.tags(),
    })
}

fn of_instance(account: &Account, params: &Params, name: &str, instance: &Instance) -> Result<Plan, Fault> {
    let unsupported = |why: String| Fault::bad("SourceDatabaseNotSupportedFault", why);
    let id = &instance.id;
    let Some((engine @ Engine::Postgres, version)) = instance.postgres() else {
        return Err(unsupported(format!(
            "The source DB instance {id} with engine {} isn't supported for a blue/green deployment.",
            instance.engine
        )));
    };
    if instance.cluster.is_some() {
        return Err(unsupported(format!(
            "DB instance {id} is a member of a DB cluster."
        )));
    }
    if instance.status != "available" {
        return Err(Fault::instance_state(format!(
            "DB instance {id} is not in the available state, but in {}.",
            instance.status
        )));
    }
    if in_use(account, &instance.resource_id) {
        return Err(unsupported(format!(
            "DB instance {id} is already part of a blue/green deployment."
        )));
    }
    if instance.managed_password {
        return Err(unsupported(
            "Blue/Green Deployments don't support a DB instance whose master user password is managed in AWS Secrets \
             Manager."
                .to_owned(),
        ));
    }
    if instance.replica_source.is_some() {
        return Err(unsupported(format!("DB instance {id} is a read replica.")));
    }
    for replica in &instance.replicas {
        let cascading = account
            .instance(replica)
            .is_some_and(|replica| !replica.replicas.is_empty());
        if replica.starts_with("arn:") || cascading {
            return Err(unsupported(format!(
                "DB instance {id} has a cross-Region or cascading read replica: {replica}."
            )));
        }
    }
    let target = target_version(engine, &instance.engine_version, params)?;
    let replication = match target.version.major == version.major {
        true => Replication::Physical,
        false => Replication::Logical,
    };
    let supported = match replication {
        Replication::Logical => Catalogue::get().blue_green_logical(version),
        Replication::Physical => Catalogue::get().blue_green_physical(version),
    };
    if !supported {
        return Err(unsupported(format!(
            "Blue/Green Deployments don't support engine version {} of DB instance {id}.",
            instance.engine_version
        )));
    }
    if instance.backup_retention == 0 {
        return Err(unsupported(format!(
            "Automated backups are not enabled on DB instance {id}."
        )));
    }
    if replication == Replication::Logical {
        logical(
            &instance.in_effect,
            instance.parameter_status == "in-sync",
            "DB instance",
        )
        .map_err(unsupported)?;
    }
    let instance_group = target_group(account, params, GroupKind::Instance, target)?;
    let class = params.get("TargetDBInstanceClass").map(str::to_owned);
    if let Some(class) = &class {
        // Green is first built on the source's version, so the class must exist there too.
        orderable(engine, version, class)?;
    }
    orderable(
        engine,
        target.version,
        class.as_deref().unwrap_or(&instance.class),
    )?;
    quota(account, 1 + instance.replicas.len())?;
    Ok(Plan {
        name: name.to_owned(),
        source: Source::Instance(instance.id.clone()),
        engine,
        source_version: version,
        target_version: target.text.clone(),
        replication,
        cluster_group: None,
        instance_group,
        class,
        tags: params.tags(),
    })
}

/// Logical replication must be on, in effect and in step with the group.
fn logical(
    in_effect: &std::collections::BTreeMap<String, String>,
    in_sync: bool,
    what: &str,
) -> Result<(), String> {
    let value = |name: &str| in_effect.get(name).map(String::as_str);
    if value("rds.logical_replication") != Some("1") {
        return Err(format!(
            "Blue/Green Deployments require a {what} with logical replication enabled. Set rds.logical_replication to \
             1 in a custom parameter group and reboot."
        ));
    }
    if !in_sync {
        return Err(format!(
            "Blue/Green Deployments require a {what} that is in sync with its parameter group. Reboot to apply the \
             pending parameter changes."
        ));
    }
    if value("synchronous_commit").is_some_and(|value| value != "on") {
        return Err(format!(
            "Blue/Green Deployments require a {what} with synchronous_commit set to on."
        ));
    }
    Ok(())
}

fn target_version(engine: Engine, source: &str, params: &Params) -> Result<&'static EngineVersion, Fault> {
    let catalogue = Catalogue::get();
    let wanted = params.get("TargetEngineVersion").unwrap_or(source);
    let unknown =
        |text: &str| Fault::invalid_combination(format!("Cannot find version {text} for {}", engine.name()));
    let source = catalogue.version(engine, source).ok_or_else(|| unknown(source))?;
    // A major alone stands for its default minor.
    let target = catalogue
        .version(engine, wanted)
        .or_else(|| {
            wanted
                .parse()
                .ok()
                .and_then(|major| catalogue.default_minor(engine, major))
        })
        .ok_or_else(|| unknown(wanted))?;
    let valid = target.text == source.text
        || catalogue
            .targets(source)
            .iter()
            .any(|known| known.text == target.text);
    match valid {
        true => Ok(target),
        false => Err(Fault::invalid_combination(format!(
            "Cannot upgrade {} from {} to {}",
            engine.name(),
            source.text,
            target.text
        ))),
    }
}

fn target_group(
    account: &Account,
    params: &Params,
    kind: GroupKind,
    target: &EngineVersion,
) -> Result<Option<String>, Fault> {
    let (field, not_found): (_, fn(&str) -> Fault) = match kind {
        GroupKind::Cluster => (
            "TargetDBClusterParameterGroupName",
            Fault::cluster_parameter_group_not_found,
        ),
        GroupKind::Instance => ("TargetDBParameterGroupName", Fault::parameter_group_not_found),
    };
    let Some(name) = params.get(field) else {
        return Ok(None);
    };
    let group = account.group(kind, name).ok_or_else(|| not_found(name))?;
    let family = target.engine.family(target.version.major);
    if group.family != family {
        return Err(Fault::invalid_combination(format!(
            "The Parameter Group {} with DBParameterGroupFamily {} can't be used for this instance. Please use a \
             Parameter Group with DBParameterGroupFamily {family}",
            group.name, group.family
        )));
    }
    Ok(Some(group.name))
}

fn orderable(engine: Engine, version: Version, class: &str) -> Result<(), Fault> {
    match Catalogue::get()
        .classes(engine, version)
        .iter()
        .any(|known| known == class)
    {
        true => Ok(()),
        false => Err(Fault::invalid_combination(format!(
            "RDS does not support creating a DB instance with the following combination: DBInstanceClass={class}, \
             Engine={}, EngineVersion={}.{}",
            engine.name(),
            version.major,
            version.minor
        ))),
    }
}

fn quota(account: &Account, more: usize) -> Result<(), Fault> {
    match account.instances.len() + more > account.max_instances {
        true => Err(Fault::bad(
            "InstanceQuotaExceeded",
            "The request would result in the user exceeding the allowed number of DB instances.",
        )),
        false => Ok(()),
    }
}

/// The parameters that are too low for so many databases and foreign slots, by RDS's own rules.
///
/// RDS looks only when it builds green, so this comes as a failed creation and not as a fault.
/// Source: <https://repost.aws/knowledge-center/rds-postgresql-blue-green-deployment-error>
pub(crate) fn too_low(
    in_effect: &std::collections::BTreeMap<String, String>,
    databases: usize,
    slots: usize,
) -> Vec<&'static str> {
    let value = |name: &str, engine_default: usize| {
        in_effect
            .get(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(engine_default)
    };
    let workers = value("max_logical_replication_workers", 4);
    let mut low = Vec::new();
    if value("max_replication_slots", 10) < databases + slots + 1 {
        low.push("max_replication_slots");
    }
    if value("max_wal_senders", 10) < databases + slots {
        low.push("max_wal_senders");
    }
    if workers < databases {
        low.push("max_logical_replication_workers");
    }
    if value("max_worker_processes", 8) < workers + 1 {
        low.push("max_worker_processes");
    }
    low
}
