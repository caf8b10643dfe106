//! What the RDS API said, in its own words and our own structs.
//!
//! Field names follow the API's (snake case); statuses stay strings where the API has no enumeration. Only what checks
//! use is kept. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/Welcome.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fact;
use crate::model::{Arn, DeploymentStatus, MemberStatus, PgVersion, ResourceKind};

/// The control plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RdsFacts {
    /// Twelve-digit account id.
    pub account: Fact<String>,
    /// Region, for example `eu-west-1`.
    pub region: String,
    /// The API's endpoint where it was overridden.
    pub endpoint_url: Option<String>,
    /// The deployment's source: production before the switchover, `…-old1` after it. Without a deployment the cluster
    /// or instance that was asked for.
    pub blue: Fact<Topology>,
    /// The deployment's target: green before the switchover, production after it. `Known(None)` where there is no
    /// deployment, or its target is not there yet.
    pub green: Fact<Option<Topology>>,
    /// The deployment; `Known(None)` where there is none.
    pub deployment: Fact<Option<Deployment>>,
    /// Parameter groups by `cluster:NAME` and `instance:NAME`, with all their parameters: those in use on either side,
    /// and the one green is to have. `Known(None)` where there is no such group.
    pub parameter_groups: BTreeMap<String, Fact<Option<ParameterGroup>>>,
    /// The engine version that blue runs; `Known(None)` where the API does not list it (any more).
    pub source_version: Fact<Option<EngineVersion>>,
    /// Every engine version of blue's parameter group family: the minor versions that blue could be raised to first.
    pub minor_versions: Fact<Vec<EngineVersion>>,
    /// The engine version to upgrade to; `Known(None)` where the API does not list it; unknown (not asked) without one.
    pub target_version: Fact<Option<EngineVersion>>,
    /// Support dates of blue's major; `Known(None)` where the API does not list it.
    pub major_version: Fact<Option<MajorVersion>>,
    /// Instance classes of blue's members: can they be ordered on the target version? Empty without a target version.
    pub orderable_on_target: BTreeMap<String, Fact<bool>>,
    /// Instance classes of blue's members: can they (still) be ordered on blue's version, on which green is first built?
    pub orderable_on_source: BTreeMap<String, Fact<bool>>,
    /// Pending maintenance of blue's resources.
    pub pending_maintenance: Fact<Vec<PendingMaintenance>>,
    /// Events of the deployment and of both sides, newest first.
    pub events: Fact<Vec<Event>>,
    /// RDS Proxies of the account that target blue or green.
    pub proxies: Fact<Vec<Proxy>>,
    /// The global cluster that blue belongs to; `Known(None)` where it belongs to none.
    pub global_cluster: Fact<Option<GlobalCluster>>,
    /// Zero-ETL integrations whose source is blue or green.
    pub integrations: Fact<Vec<Integration>>,
    /// Custom endpoints of blue's cluster.
    pub cluster_endpoints: Fact<Vec<ClusterEndpoint>>,
    /// Clusters that share their storage with blue's by cloning (`clone-group-id`), blue included; `Known(None)` where
    /// blue is no Aurora cluster.
    pub clones: Fact<Option<u32>>,
    /// Account quotas by name: `DBInstances`, `DBClusters` …
    pub quotas: Fact<BTreeMap<String, Quota>>,
}

/// One side: a cluster with its instances, or an instance with its replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The cluster; none for RDS instances.
    pub cluster: Option<Cluster>,
    /// The members (writer first), or the instance itself followed by its read replicas of the same Region.
    pub instances: Vec<Instance>,
}

/// `DBCluster`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// `DBClusterIdentifier`.
    pub id: String,
    /// `DBClusterArn`.
    pub arn: Arn,
    /// `DbClusterResourceId`, which stays when names move.
    pub resource_id: String,
    /// `Engine`.
    pub engine: String,
    /// `EngineVersion`.
    pub engine_version: String,
    /// `EngineMode`: `provisioned`, `serverless` …
    pub engine_mode: Option<String>,
    /// `Status`.
    pub status: String,
    /// Writer endpoint.
    pub endpoint: Option<String>,
    /// Reader endpoint.
    pub reader_endpoint: Option<String>,
    /// Port of both.
    pub port: Option<u16>,
    /// `DatabaseName`: made with the cluster.
    pub database_name: Option<String>,
    /// `MasterUsername`.
    pub master_username: Option<String>,
    /// `DBClusterParameterGroup`.
    pub parameter_group: String,
    /// `DBClusterMembers`.
    pub members: Vec<ClusterMember>,
    /// Whether Secrets Manager holds the master password (`MasterUserSecret`).
    pub managed_password: bool,
    /// `IAMDatabaseAuthenticationEnabled`.
    pub iam_authentication: bool,
    /// `StorageEncrypted`.
    pub storage_encrypted: bool,
    /// `KmsKeyId`.
    pub kms_key_id: Option<String>,
    /// `BackupRetentionPeriod`, days.
    pub backup_retention_days: Option<i32>,
    /// `DeletionProtection`.
    pub deletion_protection: bool,
    /// `ReplicationSourceIdentifier`.
    pub replication_source: Option<String>,
    /// `ReadReplicaIdentifiers`.
    pub read_replicas: Vec<String>,
    /// `AssociatedRoles`: role ARN and feature.
    pub associated_roles: Vec<AssociatedRole>,
    /// `GlobalWriteForwardingStatus`.
    pub global_write_forwarding: Option<String>,
    /// `ActivityStreamStatus`.
    pub activity_stream: Option<String>,
    /// `EngineLifecycleSupport`.
    pub lifecycle_support: Option<String>,
    /// `ClusterScalabilityType`: `standard`, `limitless`.
    pub scalability_type: Option<String>,
    /// `CloneGroupId`.
    pub clone_group_id: Option<String>,
    /// `VPCNetworkingEnabled`: only clusters of the express configuration have it, and there it can be false.
    pub vpc_networking: Option<bool>,
    /// `StorageType`: `aurora`, `aurora-iopt1`; or the volume type of a Multi-AZ DB cluster.
    pub storage_type: Option<String>,
    /// `EnabledCloudwatchLogsExports`.
    pub log_exports: Vec<String>,
    /// `ClusterCreateTime`.
    pub created_at: Option<Timestamp>,
    /// `PendingModifiedValues.EngineVersion`.
    pub pending_engine_version: Option<String>,
    /// `TagList`.
    pub tags: BTreeMap<String, String>,
}

/// `DBClusterMember`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterMember {
    /// `DBInstanceIdentifier`.
    pub instance_id: String,
    /// `IsClusterWriter`.
    pub writer: bool,
    /// `DBClusterParameterGroupStatus`: `in-sync`, `pending-reboot` …
    pub parameter_group_status: String,
}

/// `AssociatedRoles` of cluster and instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssociatedRole {
    /// `RoleArn`.
    pub arn: String,
    /// `FeatureName`.
    pub feature: Option<String>,
    /// `Status`.
    pub status: Option<String>,
}

/// `DBInstance`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// `DBInstanceIdentifier`.
    pub id: String,
    /// `DBInstanceArn`.
    pub arn: Arn,
    /// `DbiResourceId`, which stays when names move.
    pub resource_id: String,
    /// `Engine`.
    pub engine: String,
    /// `EngineVersion`.
    pub engine_version: String,
    /// `DBInstanceStatus`.
    pub status: String,
    /// `DBInstanceClass`.
    pub class: String,
    /// `Endpoint.Address`.
    pub endpoint: Option<String>,
    /// `Endpoint.Port`.
    pub port: Option<u16>,
    /// `DBName`.
    pub database_name: Option<String>,
    /// `MasterUsername`.
    pub master_username: Option<String>,
    /// `DBParameterGroups`: name and `ParameterApplyStatus`.
    pub parameter_groups: Vec<AppliedGroup>,
    /// `DBClusterIdentifier`.
    pub cluster_id: Option<String>,
    /// `MultiAZ`.
    pub multi_az: bool,
    /// Whether Secrets Manager holds the master password (`MasterUserSecret`).
    pub managed_password: bool,
    /// `IAMDatabaseAuthenticationEnabled`.
    pub iam_authentication: bool,
    /// `StorageEncrypted`.
    pub storage_encrypted: bool,
    /// `KmsKeyId`.
    pub kms_key_id: Option<String>,
    /// `BackupRetentionPeriod`, days.
    pub backup_retention_days: Option<i32>,
    /// `DeletionProtection`.
    pub deletion_protection: bool,
    /// `AutoMinorVersionUpgrade`.
    pub auto_minor_version_upgrade: bool,
    /// `ReadReplicaSourceDBInstanceIdentifier`.
    pub replication_source: Option<String>,
    /// `ReadReplicaSourceDBClusterIdentifier`: it replicates a Multi-AZ DB cluster.
    pub replication_source_cluster: Option<String>,
    /// `ReadReplicaDBInstanceIdentifiers`: an ARN where it is in another Region.
    pub read_replicas: Vec<String>,
    /// `ReadReplicaDBClusterIdentifiers`: Aurora or Multi-AZ DB clusters that replicate this instance.
    pub read_replica_clusters: Vec<String>,
    /// `AssociatedRoles`.
    pub associated_roles: Vec<AssociatedRole>,
    /// `DedicatedLogVolume`.
    pub dedicated_log_volume: bool,
    /// `StorageType`.
    pub storage_type: Option<String>,
    /// `AllocatedStorage`, GiB.
    pub allocated_storage_gib: Option<i32>,
    /// `CACertificateIdentifier`.
    pub ca_certificate: Option<String>,
    /// `CertificateDetails.ValidTill`: when the server certificate expires.
    pub certificate_valid_till: Option<Timestamp>,
    /// `EngineLifecycleSupport`.
    pub lifecycle_support: Option<String>,
    /// `PendingModifiedValues.EngineVersion`.
    pub pending_engine_version: Option<String>,
    /// Names of the other fields that `PendingModifiedValues` holds: `DBInstanceClass`, `StorageType` …
    pub pending_changes: Vec<String>,
    /// `EnabledCloudwatchLogsExports`.
    pub log_exports: Vec<String>,
    /// `PerformanceInsightsEnabled`.
    pub performance_insights: bool,
    /// `MonitoringInterval`, seconds; 0 where enhanced monitoring is off.
    pub monitoring_interval_seconds: Option<i32>,
    /// `ActivityStreamStatus`.
    pub activity_stream: Option<String>,
    /// `StorageVolumeStatus`: `Initializing`, `Optimizing` …
    pub storage_status: Option<String>,
    /// `InstanceCreateTime`.
    pub created_at: Option<Timestamp>,
    /// `StatusInfos`: type, normal, status, message.
    pub status_infos: Vec<StatusInfo>,
    /// `TagList`.
    pub tags: BTreeMap<String, String>,
}

/// `DBInstanceStatusInfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusInfo {
    /// `StatusType`, for example `read replication`.
    pub kind: String,
    /// `Normal`.
    pub normal: bool,
    /// `Status`: `replicating`, `error`, `stopped`, `terminated`.
    pub status: String,
    /// `Message`.
    pub message: Option<String>,
}

/// `DBParameterGroupStatus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedGroup {
    /// `DBParameterGroupName`.
    pub name: String,
    /// `ParameterApplyStatus`: `in-sync`, `pending-reboot`, `applying` …
    pub status: String,
}

/// A parameter group with the values that matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// Its name.
    pub name: String,
    /// `DBParameterGroupFamily`: `aurora-postgresql14`; none where the API gave the values but not the family.
    pub family: Option<String>,
    /// Parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
}

/// `Parameter`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// `ParameterValue`; may be a formula such as `{DBInstanceClassMemory/9531392}`.
    pub value: Option<String>,
    /// `Source`: `user`, `system`, `engine-default`.
    pub source: Option<String>,
    /// `ApplyType`: `static` or `dynamic`.
    pub apply_type: Option<String>,
    /// `ApplyMethod`: `immediate` or `pending-reboot`.
    pub apply_method: Option<String>,
    /// `IsModifiable`.
    pub modifiable: bool,
    /// `AllowedValues`.
    pub allowed: Option<String>,
}

/// `BlueGreenDeployment`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// `BlueGreenDeploymentIdentifier`: `bgd-…`.
    pub id: String,
    /// `BlueGreenDeploymentName`.
    pub name: String,
    /// `Source`: production before the switchover, `…-old1` after it.
    pub source: Arn,
    /// `Target`: green before the switchover, production after it.
    pub target: Option<Arn>,
    /// `Status`.
    pub status: DeploymentStatus,
    /// `StatusDetails`: free text.
    pub status_details: Option<String>,
    /// `SwitchoverDetails`.
    pub members: Vec<Member>,
    /// `Tasks`.
    pub tasks: Vec<Task>,
    /// `CreateTime`.
    pub created_at: Option<Timestamp>,
    /// `DeleteTime`.
    pub deleted_at: Option<Timestamp>,
}

/// `SwitchoverDetail`: one for the cluster, one for each instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// `SourceMember`.
    pub source: Option<Arn>,
    /// `TargetMember`; absent while it is being made.
    pub target: Option<Arn>,
    /// `Status`; absent while it is being made.
    pub status: Option<MemberStatus>,
}

/// `BlueGreenDeploymentTask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// `Name`, an open set: `CREATING_READ_REPLICA_OF_SOURCE`, `DB_ENGINE_VERSION_UPGRADE` …
    pub name: String,
    /// `Status`: `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub status: String,
}

/// `DBEngineVersion`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineVersion {
    /// `EngineVersion`.
    pub version: String,
    /// `DBParameterGroupFamily`.
    pub family: Option<String>,
    /// `Status`: `available` or `deprecated`.
    pub status: Option<String>,
    /// `ValidUpgradeTarget`.
    pub upgrade_targets: Vec<UpgradeTarget>,
}

/// `UpgradeTarget`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeTarget {
    /// `EngineVersion`.
    pub version: String,
    /// `IsMajorVersionUpgrade`.
    pub major: bool,
    /// `AutoUpgrade`.
    pub auto: bool,
}

/// `DBMajorEngineVersion`: when support ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MajorVersion {
    /// `MajorEngineVersion`.
    pub version: String,
    /// `SupportedEngineLifecycles`.
    pub lifecycles: Vec<Lifecycle>,
}

/// `SupportedEngineLifecycle`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// `LifecycleSupportName`: `open-source-rds-standard-support` or `open-source-rds-extended-support`.
    pub name: String,
    /// `LifecycleSupportStartDate`.
    pub start: Option<Timestamp>,
    /// `LifecycleSupportEndDate`.
    pub end: Option<Timestamp>,
}

/// `PendingMaintenanceAction` of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingMaintenance {
    /// `ResourceIdentifier`.
    pub resource: Arn,
    /// `Action`: `system-update`, `db-upgrade`, `ca-certificate-rotation` …
    pub action: String,
    /// `Description`.
    pub description: Option<String>,
    /// `CurrentApplyDate`.
    pub apply_at: Option<Timestamp>,
    /// `AutoAppliedAfterDate`: from then on it is applied in the next maintenance window.
    pub auto_applied_after: Option<Timestamp>,
    /// `ForcedApplyDate`: it is applied then in any case.
    pub forced_at: Option<Timestamp>,
}

/// `Event`. The API gives no event ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// `Date`.
    pub at: Option<Timestamp>,
    /// `SourceIdentifier`.
    pub source: Option<String>,
    /// `SourceType`.
    pub source_type: Option<String>,
    /// `Message`.
    pub message: String,
}

/// `DBProxy` with its targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `DBProxyName`.
    pub name: String,
    /// `Status`.
    pub status: String,
    /// Cluster (`TrackedClusterId`) or instance (`RdsResourceId`) and `TargetHealth.State` of each target.
    pub targets: Fact<Vec<ProxyTarget>>,
}

/// `DBProxyTarget`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyTarget {
    /// `TrackedClusterId`.
    pub cluster_id: Option<String>,
    /// `RdsResourceId`.
    pub resource: Option<String>,
    /// `TargetHealth.State`: `AVAILABLE`, `UNAVAILABLE`, `REGISTERING`.
    pub health: Option<String>,
    /// `TargetHealth.Description`.
    pub description: Option<String>,
}

/// `GlobalCluster`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalCluster {
    /// `GlobalClusterIdentifier`.
    pub id: String,
    /// Blue is its writer.
    pub blue_is_writer: bool,
    /// ARNs of the other members.
    pub others: Vec<String>,
}

/// `Integration` (zero-ETL).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// `IntegrationName`.
    pub name: String,
    /// `IntegrationArn`.
    pub arn: Option<String>,
    /// `SourceArn`.
    pub source: String,
    /// `Status`.
    pub status: String,
}

/// `DBClusterEndpoint` of type `CUSTOM`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterEndpoint {
    /// `DBClusterEndpointIdentifier`.
    pub id: String,
    /// `StaticMembers`.
    pub static_members: Vec<String>,
    /// `ExcludedMembers`.
    pub excluded_members: Vec<String>,
}

/// `AccountQuota`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// `Used`.
    pub used: i64,
    /// `Max`.
    pub max: i64,
}

impl Topology {
    /// The keys of all its parameter groups: the cluster's, and those of each instance. A group that several use comes as often.
    pub fn group_keys(&self) -> impl Iterator<Item = String> {
        let cluster = self.cluster.iter();
        let cluster = cluster.map(|c| ResourceKind::Cluster.group_key(&c.parameter_group));
        let instances = self.instances.iter().flat_map(|i| &i.parameter_groups);
        cluster.chain(instances.map(|g| ResourceKind::Instance.group_key(&g.name)))
    }

    /// The writer: the cluster's writing member, or the instance itself.
    pub fn writer(&self) -> Option<&Instance> {
        match &self.cluster {
            Some(cluster) => {
                let member = cluster.members.iter().find(|m| m.writer)?;
                self.instances.iter().find(|i| i.id == member.instance_id)
            }
            None => self.instances.first(),
        }
    }

    /// Members other than the writer.
    pub fn readers(&self) -> usize {
        self.instances.len().saturating_sub(1)
    }

    /// Whether it is a cluster, or an instance with its replicas.
    pub fn kind(&self) -> ResourceKind {
        match self.cluster {
            Some(_) => ResourceKind::Cluster,
            None => ResourceKind::Instance,
        }
    }

    /// The cluster's or the instance's name.
    pub fn id(&self) -> &str {
        match &self.cluster {
            Some(cluster) => &cluster.id,
            None => self.instances.first().map_or("", |i| &i.id),
        }
    }

    /// The cluster's or the instance's ARN.
    pub fn arn(&self) -> Option<&Arn> {
        match &self.cluster {
            Some(cluster) => Some(&cluster.arn),
            None => self.instances.first().map(|instance| &instance.arn),
        }
    }

    /// The engine version that the control plane shows.
    pub fn engine_version(&self) -> Option<PgVersion> {
        let text = match &self.cluster {
            Some(cluster) => &cluster.engine_version,
            None => &self.instances.first()?.engine_version,
        };
        text.parse().ok()
    }
}

impl RdsFacts {
    /// A parameter group, where it was read and is there.
    pub fn group(&self, kind: ResourceKind, name: &str) -> Option<&ParameterGroup> {
        self.parameter_groups
            .get(&kind.group_key(name))?
            .known()?
            .as_ref()
    }

    /// The group that blue's settings come from: the cluster's, or the instance's.
    pub fn group_key(topology: &Topology) -> Option<String> {
        match &topology.cluster {
            Some(cluster) => Some(ResourceKind::Cluster.group_key(&cluster.parameter_group)),
            None => topology
                .instances
                .first()?
                .parameter_groups
                .first()
                .map(|g| ResourceKind::Instance.group_key(&g.name)),
        }
    }
}
