//! Infrastructure code as both languages declare it: resources with the few properties that are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(super) use super::resolve::Setting;

/// Where a resource was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A CloudFormation template.
    CloudFormation,
    /// A CloudFormation template that the CDK synthesized.
    Cdk,
    /// `terraform show -json` of a state.
    TerraformState,
    /// `terraform show -json` of a plan.
    TerraformPlan,
}

impl Language {
    pub(super) fn is_terraform(self) -> bool {
        matches!(self, Self::TerraformState | Self::TerraformPlan)
    }
}

/// What kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A DB cluster.
    Cluster,
    /// A DB instance, alone or in a cluster.
    Instance,
    /// A DB cluster parameter group.
    ClusterGroup,
    /// A DB parameter group.
    InstanceGroup,
    /// A global cluster.
    GlobalCluster,
    /// Targets of a proxy.
    ProxyTargets,
    /// A zero-ETL integration.
    Integration,
}

impl Kind {
    pub(super) fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "AWS::RDS::DBCluster" | "aws_rds_cluster" => Self::Cluster,
            "AWS::RDS::DBInstance" | "aws_rds_cluster_instance" | "aws_db_instance" => Self::Instance,
            "AWS::RDS::DBClusterParameterGroup" | "aws_rds_cluster_parameter_group" => Self::ClusterGroup,
            "AWS::RDS::DBParameterGroup" | "aws_db_parameter_group" => Self::InstanceGroup,
            "AWS::RDS::GlobalCluster" | "aws_rds_global_cluster" => Self::GlobalCluster,
            "AWS::RDS::DBProxyTargetGroup" | "aws_db_proxy_target" => Self::ProxyTargets,
            "AWS::RDS::Integration" | "aws_rds_integration" => Self::Integration,
            _ => return None,
        })
    }
}

/// What a Terraform plan is about to do with a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Planned {
    /// It is destroyed.
    pub(super) delete: bool,
    /// It is created.
    pub(super) create: bool,
    /// Attributes that force it.
    pub(super) because: Vec<String>,
    /// `engine_version` before.
    pub(super) version_before: Option<String>,
}

/// A declared resource. Only what is compared is kept: a password never gets in here.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) kind: Kind,
    /// `AWS::RDS::DBCluster`, `aws_rds_cluster` …
    pub(super) type_name: String,
    /// Logical id, or Terraform's address.
    pub(super) address: String,
    /// The CDK construct that made it, `Stack/Database/Cluster`.
    pub(super) construct: Option<String>,
    /// By the language's own name.
    pub(super) settings: BTreeMap<String, Setting>,
    /// CloudFormation keeps or snapshots the old one when it replaces it (`UpdateReplacePolicy`).
    pub(super) update_replace_policy: Option<String>,
    pub(super) planned: Option<Planned>,
}

impl Declared {
    /// A setting under one of its names.
    pub(super) fn setting(&self, names: &[&str]) -> Option<(&str, &Setting)> {
        names.iter().find_map(|name| {
            let (name, setting) = self.settings.get_key_value(*name)?;
            (*setting != Setting::Absent).then_some((name.as_str(), setting))
        })
    }

    /// A text, where it is known.
    pub(super) fn text(&self, names: &[&str]) -> Option<&str> {
        match self.setting(names)?.1 {
            Setting::Known(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Parameters of a group, by name.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        };
        match self.setting(&["Parameters", "parameter"]) {
            Some((_, Setting::Known(Value::Object(map)))) => map
                .iter()
                .filter_map(|(k, v)| Some((k.clone(), text(v)?)))
                .collect(),
            Some((_, Setting::Known(Value::Array(list)))) => list
                .iter()
                .filter_map(|p| Some((p.get("name")?.as_str()?.to_owned(), text(p.get("value")?)?)))
                .collect(),
            _ => BTreeMap::new(),
        }
    }
}

/// One file of infrastructure code.
#[derive(Clone, Debug)]
pub struct Document {
    /// As it was given.
    pub file: String,
    /// What it is.
    pub language: Language,
    pub(super) declared: Vec<Declared>,
    /// Resources that could not be placed: a condition or function that is not known.
    pub(super) unplaced: Vec<(String, String)>,
    /// Attributes that other resources and outputs take from resources.
    pub(super) attributes_read: BTreeSet<(String, String)>,
}

/// A file that is no infrastructure code.
#[derive(Debug, thiserror::Error)]
pub enum BadCode {
    /// Not JSON. The text itself is never shown: a state holds secrets.
    #[error(
        "{file}: not JSON (line {line}, column {column}); was it cut off? templates are read as `cdk synth` writes them \
         to cdk.out/*.template.json, states and plans as `terraform show -json` prints them"
    )]
    Syntax {
        /// The file.
        file: String,
        /// Line of the error.
        line: usize,
        /// Column of the error.
        column: usize,
    },
    /// JSON of another kind.
    #[error("{file}: {what}")]
    Other {
        /// The file.
        file: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl BadCode {
    pub(super) fn other(file: &str, what: &str) -> Self {
        Self::Other {
            file: file.to_owned(),
            what: what.to_owned(),
        }
    }

    pub(super) fn parse(file: &str, text: &str) -> Result<serde_json::Map<String, Value>, Self> {
        // serde_json refuses what is nested deeper than 128 levels.
        let value: Value = serde_json::from_str(text).map_err(|e| Self::Syntax {
            file: file.to_owned(),
            line: e.line(),
            column: e.column(),
        })?;
        match value {
            Value::Object(map) => Ok(map),
            _ => Err(Self::other(file, "JSON, but no object at its top")),
        }
    }
}
