//! From the SDK's structs to facts: names as the API has them, nothing guessed, what is not there stays absent.

use std::collections::BTreeMap;

use aws_sdk_rds::{primitives::DateTime, types};
use jiff::Timestamp;

use crate::{
    facts::rds::{
        AppliedGroup, AssociatedRole, Cluster, ClusterEndpoint, ClusterMember, Deployment, EngineVersion,
        Event, Instance, Lifecycle, MajorVersion, Member, Parameter, ParameterGroup, PendingMaintenance,
        ProxyTarget, StatusInfo, Task, UpgradeTarget,
    },
    model::{Arn, DeploymentStatus, MemberStatus},
};

/// A field without which the answer is of no use.
pub(super) type Missing = String;

fn must<T>(value: Option<T>, field: &str) -> Result<T, Missing> {
    value.ok_or_else(|| format!("{field} is missing"))
}

fn arn(text: Option<String>, field: &str) -> Result<Arn, Missing> {
    must(text, field)?.parse().map_err(|e| format!("{field}: {e}"))
}

/// An ARN that may be absent; one that cannot be read counts as absent.
fn some_arn(text: Option<String>) -> Option<Arn> {
    text?.parse().ok()
}

fn some_time(at: Option<DateTime>) -> Option<Timestamp> {
    let at = at?;
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

fn port(port: Option<i32>) -> Option<u16> {
    port.and_then(|port| u16::try_from(port).ok())
}

fn tags(list: Option<Vec<types::Tag>>) -> BTreeMap<String, String> {
    list.unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

pub(super) fn cluster(c: types::DbCluster) -> Result<Cluster, Missing> {
    let limitless = c.limitless_database.and_then(|l| l.status).is_some_and(|status| {
        !matches!(
            status,
            types::LimitlessDatabaseStatus::Disabled | types::LimitlessDatabaseStatus::NotInUse
        )
    });
    let members = c.db_cluster_members.unwrap_or_default();
    Ok(Cluster {
        id: must(c.db_cluster_identifier, "DBClusterIdentifier")?,
        arn: arn(c.db_cluster_arn, "DBClusterArn")?,
        resource_id: must(c.db_cluster_resource_id, "DbClusterResourceId")?,
        engine: must(c.engine, "Engine")?,
        engine_version: must(c.engine_version, "EngineVersion")?,
        engine_mode: c.engine_mode,
        status: must(c.status, "Status")?,
        endpoint: c.endpoint,
        reader_endpoint: c.reader_endpoint,
        port: port(c.port),
        database_name: c.database_name,
        master_username: c.master_username,
        parameter_group: must(c.db_cluster_parameter_group, "DBClusterParameterGroup")?,
        members: members
            .into_iter()
            .map(|m| {
                Ok(ClusterMember {
                    instance_id: must(m.db_instance_identifier, "DBInstanceIdentifier")?,
                    writer: m.is_cluster_writer.unwrap_or_default(),
                    parameter_group_status: must(
                        m.db_cluster_parameter_group_status,
                        "DBClusterParameterGroupStatus",
                    )?,
                })
            })
            .collect::<Result<_, Missing>>()?,
        managed_password: c.master_user_secret.is_some(),
        iam_authentication: c.iam_database_authentication_enabled.unwrap_or_default(),
        storage_encrypted: c.storage_encrypted.unwrap_or_default(),
        kms_key_id: c.kms_key_id,
        backup_retention_days: c.backup_retention_period,
        deletion_protection: c.deletion_protection.unwrap_or_default(),
        replication_source: c
            .replication_source_identifier
            .filter(|source| !source.is_empty()),
        read_replicas: c.read_replica_identifiers.unwrap_or_default(),
        associated_roles: c
            .associated_roles
            .unwrap_or_default()
            .into_iter()
            .filter_map(|role| associated(role.role_arn, role.feature_name, role.status))
            .collect(),
        global_write_forwarding: c.global_write_forwarding_status.map(|s| s.as_str().to_owned()),
        activity_stream: c.activity_stream_status.map(|s| s.as_str().to_owned()),
        lifecycle_support: c.engine_lifecycle_support,
        scalability_type: match limitless {
            true => Some("limitless".to_owned()),
            false => c.cluster_scalability_type.map(|s| s.as_str().to_owned()),
        },
        clone_group_id: c.clone_group_id,
        vpc_networking: c.vpc_networking_enabled,
        storage_type: c.storage_type,
        log_exports: sorted(c.enabled_cloudwatch_logs_exports),
        created_at: some_time(c.cluster_create_time),
        pending_engine_version: c.pending_modified_values.and_then(|p| p.engine_version),
        tags: tags(c.tag_list),
    })
}

fn associated(
    arn: Option<String>,
    feature: Option<String>,
    status: Option<String>,
) -> Option<AssociatedRole> {
    Some(AssociatedRole {
        arn: arn?,
        feature: feature.filter(|name| !name.is_empty()),
        status,
    })
}

fn sorted(list: Option<Vec<String>>) -> Vec<String> {
    let mut list = list.unwrap_or_default();
    list.sort();
    list
}

pub(super) fn instance(i: types::DbInstance) -> Result<Instance, Missing> {
    let endpoint = i.endpoint;
    let pending = i.pending_modified_values;
    Ok(Instance {
        id: must(i.db_instance_identifier, "DBInstanceIdentifier")?,
        arn: arn(i.db_instance_arn, "DBInstanceArn")?,
        resource_id: must(i.dbi_resource_id, "DbiResourceId")?,
        engine: must(i.engine, "Engine")?,
        engine_version: must(i.engine_version, "EngineVersion")?,
        status: must(i.db_instance_status, "DBInstanceStatus")?,
        class: must(i.db_instance_class, "DBInstanceClass")?,
        port: port(endpoint.as_ref().and_then(|e| e.port)),
        endpoint: endpoint.and_then(|e| e.address),
        database_name: i.db_name,
        master_username: i.master_username,
        parameter_groups: i
            .db_parameter_groups
            .unwrap_or_default()
            .into_iter()
            .map(|g| {
                Ok(AppliedGroup {
                    name: must(g.db_parameter_group_name, "DBParameterGroupName")?,
                    status: must(g.parameter_apply_status, "ParameterApplyStatus")?,
                })
            })
            .collect::<Result<_, Missing>>()?,
        cluster_id: i.db_cluster_identifier,
        multi_az: i.multi_az.unwrap_or_default(),
        managed_password: i.master_user_secret.is_some(),
        iam_authentication: i.iam_database_authentication_enabled.unwrap_or_default(),
        storage_encrypted: i.storage_encrypted.unwrap_or_default(),
        kms_key_id: i.kms_key_id,
        backup_retention_days: i.backup_retention_period,
        deletion_protection: i.deletion_protection.unwrap_or_default(),
        auto_minor_version_upgrade: i.auto_minor_version_upgrade.unwrap_or_default(),
        replication_source: i
            .read_replica_source_db_instance_identifier
            .filter(|s| !s.is_empty()),
        replication_source_cluster: i
            .read_replica_source_db_cluster_identifier
            .filter(|s| !s.is_empty()),
        read_replicas: i.read_replica_db_instance_identifiers.unwrap_or_default(),
        read_replica_clusters: i.read_replica_db_cluster_identifiers.unwrap_or_default(),
        associated_roles: i
            .associated_roles
            .unwrap_or_default()
            .into_iter()
            .filter_map(|role| associated(role.role_arn, role.feature_name, role.status))
            .collect(),
        dedicated_log_volume: i.dedicated_log_volume.unwrap_or_default(),
        storage_type: i.storage_type,
        allocated_storage_gib: i.allocated_storage,
        ca_certificate: i.ca_certificate_identifier,
        certificate_valid_till: some_time(i.certificate_details.and_then(|c| c.valid_till)),
        lifecycle_support: i.engine_lifecycle_support,
        pending_engine_version: pending.as_ref().and_then(|p| p.engine_version.clone()),
        pending_changes: pending.map(pending_changes).unwrap_or_default(),
        log_exports: sorted(i.enabled_cloudwatch_logs_exports),
        performance_insights: i.performance_insights_enabled.unwrap_or_default(),
        monitoring_interval_seconds: i.monitoring_interval,
        activity_stream: i.activity_stream_status.map(|s| s.as_str().to_owned()),
        storage_status: i.storage_volume_status,
        created_at: some_time(i.instance_create_time),
        status_infos: i
            .status_infos
            .unwrap_or_default()
            .into_iter()
            .filter_map(|info| {
                Some(StatusInfo {
                    kind: info.status_type?,
                    normal: info.normal.unwrap_or_default(),
                    status: info.status.unwrap_or_default(),
                    message: info.message.filter(|text| !text.is_empty()),
                })
            })
            .collect(),
        tags: tags(i.tag_list),
    })
}

/// Names of what waits, without the values: one of them is a password.
fn pending_changes(p: types::PendingModifiedValues) -> Vec<String> {
    let present = [
        ("AllocatedStorage", p.allocated_storage.is_some()),
        ("BackupRetentionPeriod", p.backup_retention_period.is_some()),
        ("CACertificateIdentifier", p.ca_certificate_identifier.is_some()),
        ("DBInstanceClass", p.db_instance_class.is_some()),
        ("DBInstanceIdentifier", p.db_instance_identifier.is_some()),
        ("DBSubnetGroupName", p.db_subnet_group_name.is_some()),
        ("DedicatedLogVolume", p.dedicated_log_volume.is_some()),
        (
            "IAMDatabaseAuthenticationEnabled",
            p.iam_database_authentication_enabled.is_some(),
        ),
        ("Iops", p.iops.is_some()),
        ("MasterUserPassword", p.master_user_password.is_some()),
        ("MultiAZ", p.multi_az.is_some()),
        ("Port", p.port.is_some()),
        ("StorageThroughput", p.storage_throughput.is_some()),
        ("StorageType", p.storage_type.is_some()),
    ];
    let present = present.into_iter().filter(|(_, there)| *there);
    present.map(|(name, _)| name.to_owned()).collect()
}

pub(super) fn deployment(d: types::BlueGreenDeployment) -> Result<Deployment, Missing> {
    Ok(Deployment {
        id: must(
            d.blue_green_deployment_identifier,
            "BlueGreenDeploymentIdentifier",
        )?,
        name: must(d.blue_green_deployment_name, "BlueGreenDeploymentName")?,
        source: arn(d.source, "Source")?,
        target: some_arn(d.target),
        status: DeploymentStatus::from(must(d.status, "Status")?),
        status_details: d.status_details.filter(|text| !text.is_empty()),
        members: d
            .switchover_details
            .unwrap_or_default()
            .into_iter()
            .map(|m| Member {
                source: some_arn(m.source_member),
                target: some_arn(m.target_member),
                status: m.status.map(MemberStatus::from),
            })
            .collect(),
        tasks: d
            .tasks
            .unwrap_or_default()
            .into_iter()
            .filter_map(|t| {
                Some(Task {
                    name: t.name?,
                    status: t.status.unwrap_or_else(|| "PENDING".to_owned()),
                })
            })
            .collect(),
        created_at: some_time(d.create_time),
        deleted_at: some_time(d.delete_time),
    })
}

pub(super) fn parameter_group(
    name: String,
    family: Option<String>,
    parameters: Vec<types::Parameter>,
) -> ParameterGroup {
    let parameters = parameters.into_iter().filter_map(|p| {
        let parameter = Parameter {
            value: p.parameter_value,
            source: p.source,
            apply_type: p.apply_type,
            apply_method: p.apply_method.map(|m| m.as_str().to_owned()),
            modifiable: p.is_modifiable.unwrap_or_default(),
            allowed: p.allowed_values,
        };
        Some((p.parameter_name?, parameter))
    });
    ParameterGroup {
        name,
        family,
        parameters: parameters.collect(),
    }
}

pub(super) fn engine_version(v: types::DbEngineVersion) -> Option<EngineVersion> {
    Some(EngineVersion {
        version: v.engine_version?,
        family: v.db_parameter_group_family,
        status: v.status,
        upgrade_targets: v
            .valid_upgrade_target
            .unwrap_or_default()
            .into_iter()
            .filter_map(|t| {
                Some(UpgradeTarget {
                    version: t.engine_version?,
                    major: t.is_major_version_upgrade.unwrap_or_default(),
                    auto: t.auto_upgrade.unwrap_or_default(),
                })
            })
            .collect(),
    })
}

pub(super) fn major_version(v: types::DbMajorEngineVersion) -> Option<MajorVersion> {
    Some(MajorVersion {
        version: v.major_engine_version?,
        lifecycles: v
            .supported_engine_lifecycles
            .unwrap_or_default()
            .into_iter()
            .filter_map(|l| {
                Some(Lifecycle {
                    name: l.lifecycle_support_name?.as_str().to_owned(),
                    start: some_time(l.lifecycle_support_start_date),
                    end: some_time(l.lifecycle_support_end_date),
                })
            })
            .collect(),
    })
}

pub(super) fn pending_maintenance(r: types::ResourcePendingMaintenanceActions) -> Vec<PendingMaintenance> {
    let Some(resource) = some_arn(r.resource_identifier) else {
        return Vec::new();
    };
    let details = r.pending_maintenance_action_details.unwrap_or_default();
    details
        .into_iter()
        .filter_map(|d| {
            Some(PendingMaintenance {
                resource: resource.clone(),
                action: d.action?,
                description: d.description,
                apply_at: some_time(d.current_apply_date),
                auto_applied_after: some_time(d.auto_applied_after_date),
                forced_at: some_time(d.forced_apply_date),
            })
        })
        .collect()
}

pub(super) fn event(e: types::Event) -> Option<Event> {
    Some(Event {
        at: some_time(e.date),
        source: e.source_identifier,
        source_type: e.source_type.map(|s| s.as_str().to_owned()),
        message: e.message?,
    })
}

pub(super) fn proxy_target(t: types::DbProxyTarget) -> ProxyTarget {
    let health = t.target_health;
    ProxyTarget {
        cluster_id: t.tracked_cluster_id,
        resource: t.rds_resource_id,
        health: health
            .as_ref()
            .and_then(|h| h.state.as_ref())
            .map(|s| s.as_str().to_owned()),
        description: health.and_then(|h| h.description).filter(|text| !text.is_empty()),
    }
}

pub(super) fn cluster_endpoint(e: types::DbClusterEndpoint) -> Option<ClusterEndpoint> {
    Some(ClusterEndpoint {
        id: e.db_cluster_endpoint_identifier?,
        static_members: e.static_members.unwrap_or_default(),
        excluded_members: e.excluded_members.unwrap_or_default(),
    })
}
