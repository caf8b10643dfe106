//! The upgrade in infrastructure code: the parameter group of the target, to be deployed before green is created, and the
//! edits of the cluster or instance, which follow after the switchover. Deployed earlier those would upgrade blue in place;
//! so they are apart, and nothing carries them out until somebody asks for it.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{Carried, Groups, Plan};
use crate::model::{Engine, PgVersion, ResourceKind};

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
#[error(
    "there is no group to declare: green gets {group}, which is there already. After the switchover the code gets that group and \
     the engine version {version}; `greenlight drift` prints the edits"
)]
pub struct NothingToMake {
    /// Green's group.
    pub group: String,
    /// Green's version.
    pub version: PgVersion,
}

/// Renders the group.
///
/// # Errors
/// [`NothingToMake`] where green gets a group that is there.
pub fn code(plan: &Plan, language: Code) -> Result<String, NothingToMake> {
    let groups = &plan.groups;
    if !groups.make {
        return Err(NothingToMake {
            group: groups.target.clone(),
            version: plan.target(),
        });
    }
    let upgrade = Upgrade::of(plan);
    Ok(match language {
        Code::CloudFormation => upgrade.cloud_formation(),
        Code::Terraform => upgrade.terraform(),
        Code::CdkPython => upgrade.cdk_python(),
        Code::CdkTypescript => upgrade.cdk_typescript(),
    })
}

/// What every language says.
struct Upgrade<'a> {
    plan: &'a Plan,
    groups: &'a Groups,
    values: BTreeMap<&'a str, &'a str>,
    description: String,
}

impl<'a> Upgrade<'a> {
    fn of(plan: &'a Plan) -> Self {
        let groups = &plan.groups;
        let set = groups
            .values
            .iter()
            .filter(|v| matches!(v.carried, Carried::Set | Carried::Unknown));
        Self {
            plan,
            groups,
            values: set.map(|v| (v.name.as_str(), v.value.as_str())).collect(),
            description: format!("For the upgrade to {}", plan.target()),
        }
    }

    fn cloud_formation(&self) -> String {
        let (kind, name) = match self.groups.kind {
            ResourceKind::Cluster => ("AWS::RDS::DBClusterParameterGroup", "DBClusterParameterGroupName"),
            ResourceKind::Instance => ("AWS::RDS::DBParameterGroup", "DBParameterGroupName"),
        };
        let resource = match self.groups.kind {
            ResourceKind::Cluster => "AWS::RDS::DBCluster",
            ResourceKind::Instance => "AWS::RDS::DBInstance",
        };
        // Metadata changes nothing: the edits are there to be copied.
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.description,
            "Metadata": {"AfterTheSwitchover": {
                "Why": BEFORE,
                "Resource": resource,
                "Properties": {"EngineVersion": self.plan.target().to_string(), name: {"Ref": "UpgradeParameterGroup"}},
            }},
            "Resources": {"UpgradeParameterGroup": {"Type": kind, "Properties": {
                name: self.groups.target, "Description": self.description, "Family": self.groups.family, "Parameters": self.values,
            }}},
        });
        format!("{template:#}\n")
    }

    fn terraform(&self) -> String {
        let kind = match self.groups.kind {
            ResourceKind::Cluster => "aws_rds_cluster_parameter_group",
            ResourceKind::Instance => "aws_db_parameter_group",
        };
        let mut out = format!(
            "resource \"{kind}\" \"upgrade\" {{\n  name        = {}\n  family      = {}\n  description = {}\n",
            hcl(&self.groups.target),
            hcl(&self.groups.family),
            hcl(&self.description)
        );
        for (name, value) in &self.values {
            let _ = write!(
                out,
                "\n  parameter {{\n    name         = {}\n    value        = {}\n    apply_method = \"pending-reboot\"\n  }}\n",
                hcl(name),
                hcl(value)
            );
        }
        out.push_str("}\n");
        out.push_str(&terraform_edits(self.plan, kind));
        out
    }

    /// The constructs of the group, and of what it is for: their names are the same in every language. So is the property, in its spelling,
    /// by which the one is named and the other refers to it.
    fn cdk_classes(&self) -> [&'static str; 2] {
        match self.groups.kind {
            ResourceKind::Cluster => ["CfnDBClusterParameterGroup", "CfnDBCluster"],
            ResourceKind::Instance => ["CfnDBParameterGroup", "CfnDBInstance"],
        }
    }

    fn cdk_python(&self) -> String {
        let [class, resource] = self.cdk_classes();
        let property = match self.groups.kind {
            ResourceKind::Cluster => "db_cluster_parameter_group_name",
            ResourceKind::Instance => "db_parameter_group_name",
        };
        let mut out = format!(
            "from aws_cdk import aws_rds as rds\nfrom constructs import Construct\n\n\n\
             def upgrade_parameter_group(scope: Construct) -> rds.{class}:\n    return rds.{class}(\n        scope,\n        \
             \"UpgradeParameterGroup\",\n        {property}={},\n        description={},\n        family={},\n        parameters={{\n",
            quoted(&self.groups.target),
            quoted(&self.description),
            quoted(&self.groups.family)
        );
        for (name, value) in &self.values {
            let _ = writeln!(out, "            {}: {},", quoted(name), quoted(value));
        }
        out.push_str("        },\n    )\n");
        let version = quoted(&self.plan.target().to_string());
        let _ = write!(
            out,
            "\n\n# {BEFORE}\n# `resource` is what the construct makes: `cluster.node.default_child` of a construct of level 2, whose own\n\
             # properties say the same: version={}, parameter_group=…\n\
             def after_the_switchover(resource: rds.{resource}, group: rds.{class}) -> None:\n    \
             resource.engine_version = {version}\n    resource.{property} = group.ref\n",
            level_2(self.plan, false)
        );
        out
    }

    fn cdk_typescript(&self) -> String {
        let [class, resource] = self.cdk_classes();
        let property = match self.groups.kind {
            ResourceKind::Cluster => "dbClusterParameterGroupName",
            ResourceKind::Instance => "dbParameterGroupName",
        };
        let mut out = format!(
            "import * as rds from 'aws-cdk-lib/aws-rds';\nimport {{ Construct }} from 'constructs';\n\n\
             export function upgradeParameterGroup(scope: Construct): rds.{class} {{\n  \
             return new rds.{class}(scope, 'UpgradeParameterGroup', {{\n    {property}: {},\n    description: {},\n    \
             family: {},\n    parameters: {{\n",
            quoted(&self.groups.target),
            quoted(&self.description),
            quoted(&self.groups.family)
        );
        for (name, value) in &self.values {
            let _ = writeln!(out, "      {}: {},", quoted(name), quoted(value));
        }
        out.push_str("    },\n  });\n}\n");
        let version = quoted(&self.plan.target().to_string());
        let _ = write!(
            out,
            "\n// {BEFORE}\n// `resource` is what the construct makes: `cluster.node.defaultChild` of a construct of level 2, whose own\n\
             // properties say the same: version: {}, parameterGroup: …\n\
             export function afterTheSwitchover(resource: rds.{resource}, group: rds.{class}): void {{\n  \
             resource.engineVersion = {version};\n  resource.{property} = group.ref;\n}}\n",
            level_2(self.plan, true)
        );
        out
    }
}

/// When the edits are due.
const BEFORE: &str = "After the switchover, never before it: deployed earlier this upgrades blue in place.";

/// The version as constructs of level 2 take it: the full one and its major.
fn level_2(plan: &Plan, typescript: bool) -> String {
    let class = match plan.engine {
        Engine::Aurora => "AuroraPostgresEngineVersion",
        _ => "PostgresEngineVersion",
    };
    let (version, major) = (plan.target(), plan.target().major);
    let mark = if typescript { '\'' } else { '"' };
    format!("rds.{class}.of({mark}{version}{mark}, {mark}{major}{mark})")
}

/// The edits of the cluster or instance as comments: Terraform has no other place where they wait.
///
/// Aurora has no `blue_green_update`, by the provider's own decision; an instance has it, and it would make a deployment of its
/// own. <https://hashicorp.github.io/terraform-provider-aws/design-decisions/rds-bluegreen-deployments/>
fn terraform_edits(plan: &Plan, group: &str) -> String {
    let (resource, property, more) = match plan.groups.kind {
        ResourceKind::Cluster => (
            "aws_rds_cluster",
            "db_cluster_parameter_group_name",
            "aws_rds_cluster has no blue_green_update: the provider never makes a deployment of Aurora by itself.",
        ),
        ResourceKind::Instance => (
            "aws_db_instance",
            "parameter_group_name",
            "Without blue_green_update { enabled = true }: that makes a deployment of its own, and switches it over unguarded.",
        ),
    };
    let property_pad = " ".repeat(property.len().saturating_sub("engine_version".len()));
    let name = hcl(&plan.subject).replace(|c: char| c.is_control(), " ");
    format!(
        "\n# {BEFORE}\n# {more}\n# Until then lifecycle {{ ignore_changes = [engine_version, {property}] }} keeps an apply from\n\
         # touching either. Then edit the resource of {name}, run `terraform apply -refresh-only`, and `terraform plan`\n\
         # has nothing left to do:\n#\n\
         # resource \"{resource}\" \"this\" {{\n#   engine_version{property_pad} = {}\n#   {property} = {group}.upgrade.name\n# }}\n",
        hcl(&plan.target().to_string())
    )
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
