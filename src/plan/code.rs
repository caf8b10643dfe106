//! The parameter group of the target as infrastructure code, to be deployed before green is created.
//!
//! Only the group: the version and the group's name go into the code after the switchover, and `greenlight drift` says
//! where. Deployed earlier they would upgrade blue in place.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Carried, Plan};

/// The languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A CloudFormation template in JSON.
    CloudFormation,
    /// A CDK construct in Python.
    CdkPython,
    /// A CDK construct in TypeScript.
    CdkTypescript,
    /// Terraform.
    Terraform,
}

/// What is said where nothing has to be made.
#[derive(Debug, thiserror::Error)]
#[error("there is nothing to declare: green gets the parameter group {0}, which is there already")]
pub struct NothingToMake(pub String);

/// Renders the group.
///
/// # Errors
/// [`NothingToMake`] where green gets a group that is there.
pub fn code(plan: &Plan, language: Code) -> Result<String, NothingToMake> {
    let groups = &plan.groups;
    if !groups.make {
        return Err(NothingToMake(groups.target.clone()));
    }
    let set = groups
        .values
        .iter()
        .filter(|v| matches!(v.carried, Carried::Set | Carried::Unknown));
    let values: Map<String, Value> = set
        .map(|v| (v.name.clone(), Value::String(v.value.clone())))
        .collect();
    let description = format!("For the upgrade to {}", plan.target());
    let of_cluster = groups.kind == "cluster";
    Ok(match language {
        Code::CloudFormation => {
            let (kind, name) = match of_cluster {
                true => ("AWS::RDS::DBClusterParameterGroup", "DBClusterParameterGroupName"),
                false => ("AWS::RDS::DBParameterGroup", "DBParameterGroupName"),
            };
            let template = json!({
                "AWSTemplateFormatVersion": "2010-09-09",
                "Description": description,
                "Resources": {"UpgradeParameterGroup": {"Type": kind, "Properties": {
                    name: groups.target, "Description": description, "Family": groups.family, "Parameters": values,
                }}},
            });
            format!("{template:#}\n")
        }
        Code::Terraform => {
            let kind = if of_cluster {
                "aws_rds_cluster_parameter_group"
            } else {
                "aws_db_parameter_group"
            };
            let mut out = format!(
                "resource \"{kind}\" \"upgrade\" {{\n  name        = {}\n  family      = {}\n  description = {}\n",
                hcl(&groups.target),
                hcl(&groups.family),
                hcl(&description)
            );
            for (name, value) in &values {
                let value = value.as_str().unwrap_or_default();
                let _ = write!(
                    out,
                    "\n  parameter {{\n    name         = {}\n    value        = {}\n    apply_method = \"pending-reboot\"\n  }}\n",
                    hcl(name),
                    hcl(value)
                );
            }
            out.push_str("}\n");
            out
        }
        Code::CdkPython => {
            let (class, name) = match of_cluster {
                true => ("CfnDBClusterParameterGroup", "db_cluster_parameter_group_name"),
                false => ("CfnDBParameterGroup", "db_parameter_group_name"),
            };
            let mut out = format!(
                "from aws_cdk import aws_rds as rds\nfrom constructs import Construct\n\n\n\
                 def upgrade_parameter_group(scope: Construct) -> rds.{class}:\n    return rds.{class}(\n        scope,\n        \
                 \"UpgradeParameterGroup\",\n        {name}={},\n        description={},\n        family={},\n        parameters={{\n",
                quoted(&groups.target),
                quoted(&description),
                quoted(&groups.family)
            );
            for (name, value) in &values {
                let _ = writeln!(out, "            {}: {value},", quoted(name));
            }
            out.push_str("        },\n    )\n");
            out
        }
        Code::CdkTypescript => {
            let (class, name) = match of_cluster {
                true => ("CfnDBClusterParameterGroup", "dbClusterParameterGroupName"),
                false => ("CfnDBParameterGroup", "dbParameterGroupName"),
            };
            let mut out = format!(
                "import * as rds from 'aws-cdk-lib/aws-rds';\nimport {{ Construct }} from 'constructs';\n\n\
                 export function upgradeParameterGroup(scope: Construct): rds.{class} {{\n  \
                 return new rds.{class}(scope, 'UpgradeParameterGroup', {{\n    {name}: {},\n    description: {},\n    \
                 family: {},\n    parameters: {{\n",
                quoted(&groups.target),
                quoted(&description),
                quoted(&groups.family)
            );
            for (name, value) in &values {
                let _ = writeln!(out, "      {}: {value},", quoted(name));
            }
            out.push_str("    },\n  });\n}\n");
            out
        }
    })
}

/// A text as JSON, Python and TypeScript write it alike.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A text as HCL writes it: like JSON, but `${` and `%{` begin a template. RDS formulas hold them.
fn hcl(text: &str) -> String {
    quoted(text).replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    #[test]
    fn formulas_stay_texts_in_hcl() {
        assert_eq!(
            super::hcl("GREATEST(${DBInstanceVCPU*2},8)"),
            "\"GREATEST($${DBInstanceVCPU*2},8)\""
        );
        assert_eq!(super::hcl("a\"b%{c"), "\"a\\\"b%%{c\"");
    }
}
