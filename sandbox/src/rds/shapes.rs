//! Clusters, instances, groups and deployments as XML, under the model's names.
//!
//! Members that a real answer always carries are always here; those that a real answer leaves out (an endpoint that is
//! not there yet, the target of a deployment being provisioned) are left out here too.
//! Source: the public model `rds/2014-10-31` that every AWS SDK is generated from.

use jiff::Timestamp;

use super::xml::Xml;
use crate::world::{
    account::{Account, Cluster, Deployment, Instance, ParameterGroup, Snapshot, Tags},
    catalogue::GroupKind,
};

/// ISO 8601 with milliseconds, as RDS writes times.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(crate) fn tag_list(tags: &Tags) -> impl Iterator<Item = Xml> {
    tags.iter()
        .map(|(key, value)| Xml::new("Tag").text("Key", key).text("Value", value))
}

const AZS: [&str; 3] = ["a", "b", "c"];
const SUBNET_GROUP: &str = "main-subnets";
const VPC: &str = "vpc-0a1b2c3d4e5f60718";
const SECURITY_GROUP: &str = "sg-0f1e2d3c4b5a69788";

fn secret(account: &Account, resource_id: &str) -> Xml {
    Xml::new("MasterUserSecret")
        .text(
            "SecretArn",
            format!(
                "arn:aws:secretsmanager:{}:{}:secret:rds!{}-{}",
                account.region,
                account.id,
                resource_id.to_ascii_lowercase(),
                &resource_id[resource_id.len().saturating_sub(6)..]
            ),
        )
        .text("SecretStatus", "active")
        .text("KmsKeyId", kms(account))
}

fn kms(account: &Account) -> String {
    format!(
        "arn:aws:kms:{}:{}:key/1c2d3e4f-5061-7283-94a5-b6c7d8e9f001",
        account.region, account.id
    )
}

fn security_groups() -> [Xml; 1] {
    [Xml::new("VpcSecurityGroupMembership")
        .text("VpcSecurityGroupId", SECURITY_GROUP)
        .text("Status", "active")]
}

/// `DBCluster`
pub(crate) fn cluster(account: &Account, cluster: &Cluster) -> Xml {
    let port = cluster.endpoint.as_ref().map_or(5432, |endpoint| endpoint.port);
    let members = cluster.members.iter().map(|member| {
        // The member is shown under the name that the instance was created with: identifiers are lower case.
        Xml::new("DBClusterMember")
            .text("DBInstanceIdentifier", &member.id)
            .text("IsClusterWriter", member.writer)
            .text("DBClusterParameterGroupStatus", &member.parameter_status)
            .text("PromotionTier", member.promotion_tier)
    });
    let mut xml = Xml::new("DBCluster")
        .text("AllocatedStorage", 1)
        .texts(
            "AvailabilityZones",
            "AvailabilityZone",
            AZS.iter().map(|az| format!("{}{az}", account.region)),
        )
        .text("BackupRetentionPeriod", cluster.backup_retention)
        .maybe("DatabaseName", cluster.database_name.as_ref())
        .text("DBClusterIdentifier", &cluster.id)
        .text("DBClusterParameterGroup", &cluster.parameter_group)
        .text("DBSubnetGroup", SUBNET_GROUP)
        .text("Status", &cluster.status)
        .text("EarliestRestorableTime", time(cluster.created))
        .maybe(
            "Endpoint",
            cluster.endpoint.as_ref().map(|endpoint| &endpoint.host),
        )
        .maybe("ReaderEndpoint", cluster.reader_endpoint.as_ref());
    let custom: Vec<String> = account
        .endpoints
        .values()
        .filter(|endpoint| endpoint.cluster == cluster.id)
        .map(|endpoint| custom_host(account, &endpoint.id))
        .collect();
    if !custom.is_empty() {
        xml = xml.texts("CustomEndpoints", "member", custom);
    }
    xml = xml
        .text("MultiAZ", cluster.members.len() > 1)
        .text("Engine", &cluster.engine)
        .text("EngineVersion", &cluster.engine_version)
        .text("LatestRestorableTime", time(Timestamp::now()))
        .text("Port", port)
        .text("MasterUsername", &cluster.master_username)
        .text("PreferredBackupWindow", "02:00-02:30")
        .text("PreferredMaintenanceWindow", "sun:04:00-sun:04:30")
        .maybe("ReplicationSourceIdentifier", cluster.replication_source.as_ref())
        .texts(
            "ReadReplicaIdentifiers",
            "ReadReplicaIdentifier",
            &cluster.read_replicas,
        )
        .list("DBClusterMembers", members)
        .list("VpcSecurityGroups", security_groups())
        .text("HostedZoneId", "Z29XKXDKYMONMX")
        .text("StorageEncrypted", cluster.storage_encrypted)
        .maybe("KmsKeyId", cluster.storage_encrypted.then(|| kms(account)))
        .text("DbClusterResourceId", &cluster.resource_id)
        .text("DBClusterArn", account.cluster_arn(&cluster.id))
        .list("AssociatedRoles", roles("DBClusterRole", &cluster.roles))
        .text("IAMDatabaseAuthenticationEnabled", cluster.iam_authentication)
        .maybe("CloneGroupId", cluster.clone_group.as_ref())
        .text("ClusterCreateTime", time(cluster.created))
        .text("EngineMode", &cluster.engine_mode)
        .text("StorageType", &cluster.storage_type)
        .text("AutoMinorVersionUpgrade", cluster.auto_minor_upgrade)
        .text("DeletionProtection", cluster.deletion_protection)
        .text("HttpEndpointEnabled", false)
        .text("ActivityStreamStatus", "stopped")
        .text("CopyTagsToSnapshot", true)
        .text("CrossAccountClone", false)
        .list("DomainMemberships", [])
        .list("TagList", tag_list(&cluster.tags))
        .maybe("GlobalClusterIdentifier", cluster.global_cluster.as_ref())
        .text("NetworkType", "IPV4")
        .text("DatabaseInsightsMode", "standard")
        .text("PerformanceInsightsEnabled", false)
        .text("EngineLifecycleSupport", "open-source-rds-extended-support")
        .text(
            "ClusterScalabilityType",
            if cluster.limitless {
                "limitless"
            } else {
                "standard"
            },
        );
    if let Some(version) = &cluster.pending_version {
        xml = xml.child(Xml::new("PendingModifiedValues").text("EngineVersion", version));
    }
    if cluster.managed_password {
        xml = xml.child(secret(account, &cluster.resource_id));
    }
    if cluster.limitless {
        xml = xml.child(
            Xml::new("LimitlessDatabase")
                .text("Status", "enabled")
                .text("MinRequiredACU", 96.0),
        );
    }
    xml
}

fn roles(member: &'static str, roles: &[(String, String)]) -> Vec<Xml> {
    roles
        .iter()
        .map(|(arn, feature)| {
            Xml::new(member)
                .text("RoleArn", arn)
                .text("FeatureName", feature)
                .text("Status", "ACTIVE")
        })
        .collect()
}

/// The host name of a custom endpoint.
pub(crate) fn custom_host(account: &Account, id: &str) -> String {
    format!(
        "{id}.cluster-custom-c7qexample2x.{}.rds.amazonaws.com",
        account.region
    )
}

/// `DBInstance`
pub(crate) fn instance(account: &Account, instance: &Instance) -> Xml {
    let mut xml = Xml::new("DBInstance")
        .text("DBInstanceIdentifier", &instance.id)
        .text("DBInstanceClass", &instance.class)
        .text("Engine", &instance.engine)
        .text("DBInstanceStatus", &instance.status)
        .text("MasterUsername", &instance.master_username)
        .maybe("DBName", instance.database_name.as_ref());
    if let Some(endpoint) = &instance.endpoint {
        xml = xml.child(
            Xml::new("Endpoint")
                .text("Address", &endpoint.host)
                .text("Port", endpoint.port)
                .text("HostedZoneId", "Z29XKXDKYMONMX"),
        );
    }
    let pending = Xml::new("PendingModifiedValues")
        .maybe("DBInstanceClass", instance.pending_class.as_ref())
        .maybe("EngineVersion", instance.pending_version.as_ref());
    xml = xml
        .text("AllocatedStorage", instance.allocated_storage)
        .text("InstanceCreateTime", time(instance.created))
        .text("PreferredBackupWindow", "02:00-02:30")
        .text("BackupRetentionPeriod", instance.backup_retention)
        .list("DBSecurityGroups", [])
        .list("VpcSecurityGroups", security_groups())
        .list(
            "DBParameterGroups",
            [Xml::new("DBParameterGroup")
                .text("DBParameterGroupName", &instance.parameter_group)
                .text("ParameterApplyStatus", &instance.parameter_status)],
        )
        .text("AvailabilityZone", &instance.availability_zone)
        .child(subnet_group(account))
        .text("PreferredMaintenanceWindow", "sun:04:00-sun:04:30")
        .child(pending)
        .text("MultiAZ", instance.multi_az)
        .text("EngineVersion", &instance.engine_version)
        .text("AutoMinorVersionUpgrade", instance.auto_minor_upgrade)
        .maybe(
            "ReadReplicaSourceDBInstanceIdentifier",
            instance.replica_source.as_ref(),
        )
        .texts(
            "ReadReplicaDBInstanceIdentifiers",
            "ReadReplicaDBInstanceIdentifier",
            &instance.replicas,
        )
        .text("LicenseModel", "postgresql-license")
        .list(
            "OptionGroupMemberships",
            [Xml::new("OptionGroupMembership")
                .text("OptionGroupName", option_group(instance))
                .text("Status", "in-sync")],
        )
        .text("PubliclyAccessible", false);
    if instance.replica_source.is_some() {
        xml = xml.list(
            "StatusInfos",
            [Xml::new("DBInstanceStatusInfo")
                .text("StatusType", "read replication")
                .text("Normal", true)
                .text("Status", "replicating")],
        );
    }
    xml = xml
        .text("StorageType", &instance.storage_type)
        .text("DbInstancePort", 0)
        .maybe("DBClusterIdentifier", instance.cluster.as_ref())
        .text("StorageEncrypted", instance.storage_encrypted)
        .maybe("KmsKeyId", instance.storage_encrypted.then(|| kms(account)))
        .text("DbiResourceId", &instance.resource_id)
        .text("CACertificateIdentifier", &instance.ca)
        .list("DomainMemberships", [])
        .text("CopyTagsToSnapshot", true)
        .text("MonitoringInterval", 0)
        .maybe("PromotionTier", instance.cluster.is_some().then_some(1))
        .text("DBInstanceArn", account.instance_arn(&instance.id))
        .text("IAMDatabaseAuthenticationEnabled", instance.iam_authentication)
        .text("DatabaseInsightsMode", "standard")
        .text("PerformanceInsightsEnabled", false)
        .text("DeletionProtection", instance.deletion_protection)
        .list("AssociatedRoles", roles("DBInstanceRole", &instance.roles))
        .list("TagList", tag_list(&instance.tags))
        .text("CustomerOwnedIpEnabled", false)
        .text("NetworkType", "IPV4")
        .text("ActivityStreamStatus", "stopped")
        .text("BackupTarget", "region")
        .child(
            Xml::new("CertificateDetails")
                .text("CAIdentifier", &instance.ca)
                .text("ValidTill", "2061-05-22T00:00:00.000Z"),
        )
        .text("DedicatedLogVolume", instance.dedicated_log_volume)
        .text("IsStorageConfigUpgradeAvailable", false)
        .text("EngineLifecycleSupport", "open-source-rds-extended-support");
    if instance.managed_password {
        xml = xml.child(secret(account, &instance.resource_id));
    }
    xml
}

fn option_group(instance: &Instance) -> String {
    let major = instance.engine_version.split('.').next().unwrap_or_default();
    format!("default:{}-{major}", instance.engine)
}

fn subnet_group(account: &Account) -> Xml {
    let subnets = AZS.iter().enumerate().map(|(n, az)| {
        Xml::new("Subnet")
            .text("SubnetIdentifier", format!("subnet-0{n}aabbccddeeff001"))
            .child(Xml::new("SubnetAvailabilityZone").text("Name", format!("{}{az}", account.region)))
            .child(Xml::new("SubnetOutpost"))
            .text("SubnetStatus", "Active")
    });
    Xml::new("DBSubnetGroup")
        .text("DBSubnetGroupName", SUBNET_GROUP)
        .text("DBSubnetGroupDescription", "private subnets")
        .text("VpcId", VPC)
        .text("SubnetGroupStatus", "Complete")
        .list("Subnets", subnets)
        .text("DBSubnetGroupArn", account.arn("subgrp", SUBNET_GROUP))
        .texts("SupportedNetworkTypes", "member", ["IPV4"])
}

/// `BlueGreenDeployment`
pub(crate) fn deployment(deployment: &Deployment) -> Xml {
    let members = deployment.members.iter().map(|member| {
        Xml::new("member")
            .text("SourceMember", &member.source)
            .maybe("TargetMember", member.target.as_ref())
            .maybe("Status", member.status.as_ref())
    });
    let tasks = deployment.tasks.iter().map(|task| {
        Xml::new("member")
            .text("Name", &task.name)
            .text("Status", &task.status)
    });
    Xml::new("BlueGreenDeployment")
        .text("BlueGreenDeploymentIdentifier", &deployment.id)
        .text("BlueGreenDeploymentName", &deployment.name)
        .text("Source", &deployment.source)
        .maybe("Target", deployment.target.as_ref())
        .list("SwitchoverDetails", members)
        .list("Tasks", tasks)
        .text("Status", &deployment.status)
        .maybe("StatusDetails", deployment.status_details.as_ref())
        .text("CreateTime", time(deployment.created))
        .maybe("DeleteTime", deployment.deleted.map(time))
        .list("TagList", tag_list(&deployment.tags))
}

/// `DBClusterParameterGroup` or `DBParameterGroup`
pub(crate) fn group(account: &Account, group: &ParameterGroup) -> Xml {
    match group.kind {
        GroupKind::Cluster => Xml::new("DBClusterParameterGroup")
            .text("DBClusterParameterGroupName", &group.name)
            .text("DBParameterGroupFamily", &group.family)
            .text("Description", &group.description)
            .text(
                "DBClusterParameterGroupArn",
                account.arn("cluster-pg", &group.name),
            ),
        GroupKind::Instance => Xml::new("DBParameterGroup")
            .text("DBParameterGroupName", &group.name)
            .text("DBParameterGroupFamily", &group.family)
            .text("Description", &group.description)
            .text("DBParameterGroupArn", account.arn("pg", &group.name)),
    }
}

/// `DBClusterSnapshot` or `DBSnapshot`
pub(crate) fn snapshot(account: &Account, snapshot: &Snapshot) -> Xml {
    let (root, id, source, arn) = match snapshot.of_cluster {
        true => (
            "DBClusterSnapshot",
            "DBClusterSnapshotIdentifier",
            "DBClusterIdentifier",
            "DBClusterSnapshotArn",
        ),
        false => (
            "DBSnapshot",
            "DBSnapshotIdentifier",
            "DBInstanceIdentifier",
            "DBSnapshotArn",
        ),
    };
    let kind = if snapshot.of_cluster {
        "cluster-snapshot"
    } else {
        "snapshot"
    };
    Xml::new(root)
        .text(id, &snapshot.id)
        .text(source, &snapshot.source)
        .text("SnapshotCreateTime", time(snapshot.created))
        .text("Engine", &snapshot.engine)
        .text("EngineVersion", &snapshot.engine_version)
        .text("AllocatedStorage", 1)
        .text("Status", &snapshot.status)
        .text("Port", 5432)
        .text("VpcId", VPC)
        .text("MasterUsername", &snapshot.master_username)
        .text("LicenseModel", "postgresql-license")
        .text("SnapshotType", "manual")
        .text(
            "PercentProgress",
            if snapshot.status == "available" { 100 } else { 0 },
        )
        .text("IAMDatabaseAuthenticationEnabled", false)
        .text(arn, account.arn(kind, &snapshot.id))
        .list("TagList", tag_list(&snapshot.tags))
}
