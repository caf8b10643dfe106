//! What to write so that code and database agree again.

use serde_json::Value;

use super::{
    Edit,
    code::{Declared, Document, Kind, Language},
    property::{Property, Same, plain, tags},
};
use crate::model::{Arn, shell::quote};

/// Where a live resource is, for commands.
pub(super) struct There<'a> {
    pub(super) id: &'a str,
    pub(super) arn: &'a Arn,
    pub(super) engine: &'a str,
    pub(super) member: bool,
}

/// The edit for one difference.
pub(super) fn edit<T>(
    document: &Document,
    declared: &Declared,
    property: &Property<T>,
    name: &str,
    code: &Value,
    live: &Value,
    there: &There<'_>,
) -> Option<Edit> {
    let edit = |at: &str, property: Option<&str>, write: String| Edit {
        file: document.file.clone(),
        at: at.to_owned(),
        property: property.map(str::to_owned),
        write,
    };
    match property.same {
        // The code is right: what the upgrade dropped is put back on the database.
        Same::Roles => {
            let commands = roles(there, code, live);
            return (!commands.is_empty()).then(|| edit(there.id, None, commands));
        }
        Same::Tags => {
            let missing: Vec<String> = tags(code)
                .iter()
                .filter(|(k, v)| live.get(k).map(plain).as_ref() != Some(v))
                .map(|(k, v)| format!("Key={},Value={}", quote(k), quote(v)))
                .collect();
            let arn = there.arn;
            let command = format!(
                "aws rds add-tags-to-resource --resource-name {arn} --tags {}",
                missing.join(" ")
            );
            return Some(edit(there.id, None, command));
        }
        _ => {}
    }
    let value = if live.is_null() { return None } else { live };
    Some(match (document.language, &declared.construct, property.cdk) {
        (Language::Cdk, construct, Some(cdk)) => {
            let member = there.member && declared.kind == Kind::Instance;
            let write = cdk_value(property.same, cdk, value, there, member);
            edit(
                construct.as_deref().unwrap_or(&declared.address),
                Some(cdk),
                write,
            )
        }
        (Language::Cdk | Language::CloudFormation, ..) => {
            edit(&declared.address, Some(name), format!("\"{name}\": {value}"))
        }
        _ => edit(&declared.address, Some(name), format!("{name} = {value}")),
    })
}

fn cdk_value(same: Same, cdk: &str, value: &Value, there: &There<'_>, member: bool) -> String {
    let aurora = there.engine == "aurora-postgresql";
    match (same, cdk) {
        (Same::Version, _) => {
            let full = plain(value);
            let major = full.split('.').next().unwrap_or(&full);
            if aurora {
                format!(
                    "rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.of(\"{full}\", \"{major}\"))"
                )
            } else {
                format!(
                    "rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of(\"{full}\", \"{major}\"))"
                )
            }
        }
        (Same::Group, _) => format!(
            "rds.ParameterGroup.from_parameter_group_name(self, \"{}\", {value})",
            if member {
                "InstanceParameterGroup"
            } else {
                "ParameterGroup"
            }
        ),
        (_, "instance_type") => {
            let class = plain(value);
            format!(
                "ec2.InstanceType(\"{}\")",
                class.strip_prefix("db.").unwrap_or(&class)
            )
        }
        (_, "backup") => format!("rds.BackupProps(retention=Duration.days({value}))"),
        (_, "backup_retention" | "monitoring_interval") => {
            let unit = if cdk == "backup_retention" {
                "days"
            } else {
                "seconds"
            };
            format!("Duration.{unit}({value})")
        }
        (Same::Truth, _) => if *value == Value::Bool(true) {
            "True"
        } else {
            "False"
        }
        .to_owned(),
        _ => value.to_string(),
    }
}

/// Commands that add the roles that are missing.
fn roles(there: &There<'_>, code: &Value, live: &Value) -> String {
    let part = |role: &Value, name: &str| role.get(name).and_then(Value::as_str).map(str::to_owned);
    let has = |arn: &str| {
        live.as_array()
            .into_iter()
            .flatten()
            .any(|role| part(role, "RoleArn").as_deref() == Some(arn))
    };
    let (verb, flag) = match there.arn.kind() {
        "cluster" => ("add-role-to-db-cluster", "--db-cluster-identifier"),
        _ => ("add-role-to-db-instance", "--db-instance-identifier"),
    };
    let missing = code.as_array().into_iter().flatten().filter_map(|role| {
        let (arn, feature) = match role {
            Value::Null => ("ROLE_ARN".to_owned(), None),
            Value::String(arn) => (arn.clone(), None),
            _ => (part(role, "RoleArn")?, part(role, "FeatureName")),
        };
        let feature = feature
            .map(|f| format!(" --feature-name {}", quote(&f)))
            .unwrap_or_default();
        (!has(&arn)).then(|| {
            format!(
                "aws rds {verb} {flag} {} --role-arn {}{feature}",
                quote(there.id),
                quote(&arn)
            )
        })
    });
    missing.collect::<Vec<_>>().join("\n")
}
