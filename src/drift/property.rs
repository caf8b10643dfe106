//! What is compared: each property's names in both languages and the CDK, what it is in the RDS API's answer, and when
//! two values of it are the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{code::Kind, resolve::truth};
use crate::{
    facts::rds::{AssociatedRole, Cluster, Instance},
    model::PgVersion,
};

/// When two values are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    /// The same text.
    Text,
    /// The same name; RDS keeps names in lower case.
    Name,
    /// The same engine version; a major alone is any of its minors.
    Version,
    /// Both true or both false, also as texts.
    Truth,
    /// The same number, also as texts.
    Number,
    /// The same members in any order.
    Set,
    /// The same KMS key, by ARN or id.
    Key,
    /// The same roles.
    Roles,
    /// The tags that the code has are there.
    Tags,
    /// A parameter group: decided where groups are known.
    Group,
}

/// One property of a live `T`.
pub(super) struct Property<T> {
    /// Its names: CloudFormation's first, then Terraform's.
    pub(super) names: &'static [&'static str],
    /// The property of the CDK construct, in Python; none where people set it on the Cfn resource.
    pub(super) cdk: Option<&'static str>,
    pub(super) same: Same,
    /// An answer without it is no answer.
    pub(super) decisive: bool,
    /// Instances only: it means something for a member of a cluster.
    pub(super) member: bool,
    /// Null where RDS does not say.
    pub(super) live: fn(&T) -> Value,
}

const fn row<T>(
    names: &'static [&'static str],
    cdk: Option<&'static str>,
    same: Same,
    live: fn(&T) -> Value,
) -> Property<T> {
    Property {
        names,
        cdk,
        same,
        decisive: false,
        member: false,
        live,
    }
}

impl<T> Property<T> {
    const fn decisive(mut self) -> Self {
        self.decisive = true;
        self
    }

    const fn of_members(mut self) -> Self {
        self.member = true;
        self
    }
}

fn roles(roles: &[AssociatedRole]) -> Value {
    roles
        .iter()
        .map(|r| json!({ "RoleArn": r.arn, "FeatureName": r.feature }))
        .collect()
}

fn some<T: Into<Value> + Clone>(value: &Option<T>) -> Value {
    value.clone().map_or(Value::Null, Into::into)
}

/// Of clusters.
pub(super) static CLUSTER: [Property<Cluster>; 19] = [
    row(
        &["EngineVersion", "engine_version"],
        Some("engine"),
        Same::Version,
        |c: &Cluster| json!(c.engine_version),
    )
    .decisive(),
    row(
        &["DBClusterParameterGroupName", "db_cluster_parameter_group_name"],
        Some("parameter_group"),
        Same::Group,
        |c: &Cluster| json!(c.parameter_group),
    )
    .decisive(),
    row(
        &["DBClusterIdentifier", "cluster_identifier"],
        Some("cluster_identifier"),
        Same::Name,
        |c: &Cluster| json!(c.id),
    ),
    row(
        &["Engine", "engine"],
        Some("engine"),
        Same::Name,
        |c: &Cluster| json!(c.engine),
    ),
    row(&["EngineMode", "engine_mode"], None, Same::Name, |c: &Cluster| {
        some(&c.engine_mode)
    }),
    row(
        &["DatabaseName", "database_name"],
        Some("default_database_name"),
        Same::Text,
        |c: &Cluster| some(&c.database_name),
    ),
    row(
        &["MasterUsername", "master_username"],
        Some("credentials"),
        Same::Text,
        |c: &Cluster| some(&c.master_username),
    ),
    row(&["Port", "port"], Some("port"), Same::Number, |c: &Cluster| {
        some(&c.port)
    }),
    row(
        &["StorageEncrypted", "storage_encrypted"],
        Some("storage_encrypted"),
        Same::Truth,
        |c: &Cluster| json!(c.storage_encrypted),
    ),
    row(
        &["KmsKeyId", "kms_key_id"],
        Some("storage_encryption_key"),
        Same::Key,
        |c: &Cluster| some(&c.kms_key_id),
    ),
    row(
        &["ManageMasterUserPassword", "manage_master_user_password"],
        None,
        Same::Truth,
        |c: &Cluster| json!(c.managed_password),
    ),
    row(
        &[
            "EnableIAMDatabaseAuthentication",
            "iam_database_authentication_enabled",
        ],
        Some("iam_authentication"),
        Same::Truth,
        |c: &Cluster| json!(c.iam_authentication),
    ),
    row(
        &["AssociatedRoles", "iam_roles"],
        None,
        Same::Roles,
        |c: &Cluster| roles(&c.associated_roles),
    ),
    row(
        &["DeletionProtection", "deletion_protection"],
        Some("deletion_protection"),
        Same::Truth,
        |c: &Cluster| json!(c.deletion_protection),
    ),
    row(
        &["BackupRetentionPeriod", "backup_retention_period"],
        Some("backup"),
        Same::Number,
        |c: &Cluster| some(&c.backup_retention_days),
    ),
    row(
        &["StorageType", "storage_type"],
        Some("storage_type"),
        Same::Name,
        |c: &Cluster| some(&c.storage_type),
    ),
    row(
        &["EnableCloudwatchLogsExports", "enabled_cloudwatch_logs_exports"],
        Some("cloudwatch_logs_exports"),
        Same::Set,
        |c: &Cluster| json!(c.log_exports),
    ),
    row(
        &["EngineLifecycleSupport", "engine_lifecycle_support"],
        Some("engine_lifecycle_support"),
        Same::Name,
        |c: &Cluster| some(&c.lifecycle_support),
    ),
    row(&["Tags", "tags"], None, Same::Tags, |c: &Cluster| json!(c.tags)),
];

/// Of instances.
pub(super) static INSTANCE: [Property<Instance>; 25] = [
    row(
        &["EngineVersion", "engine_version"],
        Some("engine"),
        Same::Version,
        |i: &Instance| json!(i.engine_version),
    )
    .decisive()
    .of_members(),
    row(
        &[
            "DBParameterGroupName",
            "db_parameter_group_name",
            "parameter_group_name",
        ],
        Some("parameter_group"),
        Same::Group,
        |i: &Instance| i.parameter_groups.first().map_or(Value::Null, |g| json!(g.name)),
    )
    .decisive()
    .of_members(),
    row(
        &["DBInstanceIdentifier", "identifier"],
        Some("instance_identifier"),
        Same::Name,
        |i: &Instance| json!(i.id),
    )
    .of_members(),
    row(
        &["DBInstanceClass", "instance_class"],
        Some("instance_type"),
        Same::Name,
        |i: &Instance| json!(i.class),
    )
    .of_members(),
    row(
        &["Engine", "engine"],
        Some("engine"),
        Same::Name,
        |i: &Instance| json!(i.engine),
    )
    .of_members(),
    row(
        &["DBName", "db_name"],
        Some("database_name"),
        Same::Text,
        |i: &Instance| some(&i.database_name),
    ),
    row(
        &["MasterUsername", "username"],
        Some("credentials"),
        Same::Text,
        |i: &Instance| some(&i.master_username),
    ),
    row(&["Port", "port"], Some("port"), Same::Number, |i: &Instance| {
        some(&i.port)
    }),
    row(
        &["StorageEncrypted", "storage_encrypted"],
        Some("storage_encrypted"),
        Same::Truth,
        |i: &Instance| json!(i.storage_encrypted),
    ),
    row(
        &["KmsKeyId", "kms_key_id"],
        Some("storage_encryption_key"),
        Same::Key,
        |i: &Instance| some(&i.kms_key_id),
    ),
    row(
        &["ManageMasterUserPassword", "manage_master_user_password"],
        None,
        Same::Truth,
        |i: &Instance| json!(i.managed_password),
    ),
    row(
        &[
            "EnableIAMDatabaseAuthentication",
            "iam_database_authentication_enabled",
        ],
        Some("iam_authentication"),
        Same::Truth,
        |i: &Instance| json!(i.iam_authentication),
    ),
    row(&["AssociatedRoles"], None, Same::Roles, |i: &Instance| {
        roles(&i.associated_roles)
    }),
    row(
        &["DeletionProtection", "deletion_protection"],
        Some("deletion_protection"),
        Same::Truth,
        |i: &Instance| json!(i.deletion_protection),
    ),
    row(
        &["BackupRetentionPeriod", "backup_retention_period"],
        Some("backup_retention"),
        Same::Number,
        |i: &Instance| some(&i.backup_retention_days),
    ),
    row(
        &["StorageType", "storage_type"],
        Some("storage_type"),
        Same::Name,
        |i: &Instance| some(&i.storage_type),
    ),
    row(
        &["AllocatedStorage", "allocated_storage"],
        Some("allocated_storage"),
        Same::Number,
        |i: &Instance| some(&i.allocated_storage_gib),
    ),
    row(
        &["MultiAZ", "multi_az"],
        Some("multi_az"),
        Same::Truth,
        |i: &Instance| json!(i.multi_az),
    ),
    row(
        &["AutoMinorVersionUpgrade", "auto_minor_version_upgrade"],
        Some("auto_minor_version_upgrade"),
        Same::Truth,
        |i: &Instance| json!(i.auto_minor_version_upgrade),
    )
    .of_members(),
    row(
        &["CACertificateIdentifier", "ca_cert_identifier"],
        Some("ca_certificate"),
        Same::Name,
        |i: &Instance| some(&i.ca_certificate),
    )
    .of_members(),
    row(
        &["EnablePerformanceInsights", "performance_insights_enabled"],
        Some("enable_performance_insights"),
        Same::Truth,
        |i: &Instance| json!(i.performance_insights),
    )
    .of_members(),
    row(
        &["MonitoringInterval", "monitoring_interval"],
        Some("monitoring_interval"),
        Same::Number,
        |i: &Instance| some(&i.monitoring_interval_seconds),
    )
    .of_members(),
    row(
        &["EnableCloudwatchLogsExports", "enabled_cloudwatch_logs_exports"],
        Some("cloudwatch_logs_exports"),
        Same::Set,
        |i: &Instance| json!(i.log_exports),
    ),
    row(
        &["EngineLifecycleSupport", "engine_lifecycle_support"],
        Some("engine_lifecycle_support"),
        Same::Name,
        |i: &Instance| some(&i.lifecycle_support),
    ),
    row(&["Tags", "tags"], None, Same::Tags, |i: &Instance| json!(i.tags)).of_members(),
];

/// Every name under which a setting of a kind is read; what is not here is not even looked at.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    let own: Vec<&'static str> = match kind {
        Kind::Cluster => CLUSTER
            .iter()
            .flat_map(|p| p.names)
            .copied()
            .chain(["SnapshotIdentifier"])
            .collect(),
        Kind::Instance => INSTANCE
            .iter()
            .flat_map(|p| p.names)
            .copied()
            .chain([
                "DBClusterIdentifier",
                "cluster_identifier",
                "SourceDBInstanceIdentifier",
                "replicate_source_db",
            ])
            .collect(),
        Kind::ClusterGroup => vec![
            "DBClusterParameterGroupName",
            "name",
            "Family",
            "family",
            "Parameters",
            "parameter",
        ],
        Kind::InstanceGroup => vec![
            "DBParameterGroupName",
            "name",
            "Family",
            "family",
            "Parameters",
            "parameter",
        ],
        Kind::GlobalCluster => vec![
            "GlobalClusterIdentifier",
            "global_cluster_identifier",
            "EngineVersion",
            "engine_version",
        ],
        Kind::ProxyTargets => {
            vec![
                "DBClusterIdentifiers",
                "DBInstanceIdentifiers",
                "db_cluster_identifier",
                "db_instance_identifier",
            ]
        }
        Kind::Integration => vec!["SourceArn", "source_arn", "IntegrationName", "integration_name"],
    };
    own.into_iter()
}

/// Whether code and database agree; groups are decided elsewhere.
pub(super) fn is_same(same: Same, code: &Value, live: &Value) -> bool {
    let (a, b) = (plain(code), plain(live));
    match same {
        Same::Text | Same::Group => a == b,
        Same::Name => a.eq_ignore_ascii_case(&b),
        Same::Version => same_version(&a, &b),
        Same::Truth => truth(code).is_some() && truth(code) == truth(live),
        Same::Number => a.trim().parse::<i64>().is_ok_and(|a| b.trim().parse() == Ok(a)),
        Same::Set => set(code) == set(live),
        Same::Key => a == b || b.rsplit_once('/').is_some_and(|(_, id)| id == a),
        Same::Roles => same_roles(code, live),
        Same::Tags => tags(code)
            .iter()
            .all(|(name, value)| live.get(name).is_some_and(|v| plain(v) == *value)),
    }
}

fn same_version(code: &str, live: &str) -> bool {
    match (code.parse::<PgVersion>(), live.parse::<PgVersion>()) {
        (Ok(code), Ok(live)) if code.minor.is_none() => code.major == live.major,
        _ => code == live,
    }
}

fn set(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(plain).collect()
}

/// Tags of either language: a map, or a list of keys and values.
pub(super) fn tags(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), plain(v))).collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|t| Some((t.get("Key")?.as_str()?.to_owned(), plain(t.get("Value")?))))
            .collect(),
        _ => Vec::new(),
    }
}

/// Role and feature; the feature is not told by Terraform's `iam_roles`, and null is a role that the stack makes.
fn same_roles(code: &Value, live: &Value) -> bool {
    let part = |role: &Value, name: &str| role.get(name).and_then(Value::as_str).map(str::to_owned);
    let (code, live) = match (code.as_array(), live.as_array()) {
        (Some(code), Some(live)) => (code, live),
        _ => return false,
    };
    code.len() == live.len()
        && code.iter().filter(|role| !role.is_null()).all(|role| {
            live.iter().any(|there| match role {
                Value::String(arn) => part(there, "RoleArn").as_ref() == Some(arn),
                _ => {
                    let feature = part(role, "FeatureName").filter(|f| !f.is_empty());
                    part(role, "RoleArn") == part(there, "RoleArn")
                        && (feature.is_none() || feature == part(there, "FeatureName"))
                }
            })
        })
}

/// A value as people would write it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(item).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => "none".to_owned(),
        Value::Object(_) => tags(value)
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

fn item(value: &Value) -> String {
    let part = |name: &str| value.get(name).and_then(Value::as_str);
    match (part("RoleArn"), part("FeatureName"), part("Key")) {
        (Some(arn), Some(feature), _) => format!("{arn} ({feature})"),
        (Some(arn), None, _) => arn.to_owned(),
        (_, _, Some(key)) => format!("{key}={}", value.get("Value").map(plain).unwrap_or_default()),
        _ if value.is_null() => "a role of the stack".to_owned(),
        _ => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sameness_follows_the_property() {
        for (same, code, live, wanted) in [
            (Same::Version, json!("14.10"), json!("14.10"), true),
            (Same::Version, json!("14"), json!("14.10"), true),
            (Same::Version, json!("14.1"), json!("14.10"), false),
            (Same::Version, json!("12.4"), json!("12.14"), false),
            (Same::Truth, json!("true"), json!(true), true),
            (Same::Truth, json!("perhaps"), json!(true), false),
            (Same::Number, json!("30"), json!(30), true),
            (Same::Number, json!("x"), json!(30), false),
            (Same::Name, json!("Main-Cluster"), json!("main-cluster"), true),
            (Same::Key, json!("1-2"), json!("arn:aws:kms:r:1:key/1-2"), true),
            (Same::Key, json!("2"), json!("arn:aws:kms:r:1:key/1-2"), false),
            (Same::Set, json!(["b", "a"]), json!(["a", "b"]), true),
            (
                Same::Tags,
                json!([{"Key": "a", "Value": "1"}]),
                json!({"a": "1", "b": "2"}),
                true,
            ),
            (Same::Tags, json!({"a": "2"}), json!({"a": "1"}), false),
            (Same::Roles, json!([null]), json!([]), false),
            (
                Same::Roles,
                json!([null]),
                json!([{"RoleArn": "r", "FeatureName": "s3Import"}]),
                true,
            ),
            (
                Same::Roles,
                json!(["r"]),
                json!([{"RoleArn": "r", "FeatureName": "s3Import"}]),
                true,
            ),
            (
                Same::Roles,
                json!([{"RoleArn": "r", "FeatureName": "s3Export"}]),
                json!([{"RoleArn": "r", "FeatureName": "s3Import"}]),
                false,
            ),
        ] {
            assert_eq!(is_same(same, &code, &live), wanted, "{same:?} {code} {live}");
        }
    }

    #[test]
    fn no_password_is_ever_read() {
        for kind in [Kind::Cluster, Kind::Instance, Kind::GlobalCluster] {
            for name in names(kind) {
                let lower = name.to_lowercase();
                let is_password = lower.contains("password") && !lower.contains("manage");
                assert!(!is_password && !lower.contains("secret"), "{name}");
            }
        }
    }
}
