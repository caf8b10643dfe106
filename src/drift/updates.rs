//! What updating a property does, as the data files in `data/` have it with their sources.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// How a property is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// In place, without interruption.
    NoInterruption,
    /// In place; the database may restart.
    SomeInterruptions,
    /// By another resource in some cases.
    Conditional,
    /// By another resource.
    Replacement,
}

/// What is known of a resource type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Type {
    /// Where the rules are written.
    pub(super) source: String,
    #[serde(default)]
    replacement: Vec<String>,
    #[serde(default)]
    conditional: Vec<String>,
    #[serde(default)]
    some_interruptions: Vec<String>,
    #[serde(default)]
    text: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct File {
    #[expect(dead_code, reason = "for readers of the file; every file must say it")]
    as_of: String,
    #[serde(flatten)]
    types: BTreeMap<String, Type>,
}

static TYPES: LazyLock<BTreeMap<String, Type>> = LazyLock::new(|| {
    let files = [
        include_str!("../../data/cloudformation-updates.toml"),
        include_str!("../../data/terraform-updates.toml"),
    ];
    files
        .iter()
        .flat_map(|text| {
            toml::from_str::<File>(text)
                .expect("the data files are checked by a test")
                .types
        })
        .collect()
});

/// The rules of a resource type.
pub(super) fn of(type_name: &str) -> Option<&'static Type> {
    TYPES.get(type_name)
}

impl Type {
    pub(super) fn behaviour(&self, property: &str) -> Behaviour {
        let is_in = |list: &[String]| list.iter().any(|name| name == property);
        if is_in(&self.replacement) {
            Behaviour::Replacement
        } else if is_in(&self.conditional) {
            Behaviour::Conditional
        } else if is_in(&self.some_interruptions) {
            Behaviour::SomeInterruptions
        } else {
            Behaviour::NoInterruption
        }
    }

    /// What the documentation says besides.
    pub(super) fn text(&self, property: &str) -> Option<&str> {
        self.text.get(property).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dangerous_ones_are_known() {
        for (type_name, property, behaviour) in [
            (
                "AWS::RDS::DBCluster",
                "DBClusterIdentifier",
                Behaviour::Replacement,
            ),
            ("AWS::RDS::DBCluster", "StorageEncrypted", Behaviour::Replacement),
            (
                "AWS::RDS::DBCluster",
                "EngineVersion",
                Behaviour::SomeInterruptions,
            ),
            (
                "AWS::RDS::DBCluster",
                "DBClusterParameterGroupName",
                Behaviour::NoInterruption,
            ),
            ("AWS::RDS::DBCluster", "MasterUsername", Behaviour::Conditional),
            (
                "AWS::RDS::DBInstance",
                "DBInstanceIdentifier",
                Behaviour::Replacement,
            ),
            (
                "AWS::RDS::DBInstance",
                "DBParameterGroupName",
                Behaviour::SomeInterruptions,
            ),
            (
                "AWS::RDS::DBClusterParameterGroup",
                "Family",
                Behaviour::Replacement,
            ),
            ("aws_rds_cluster", "storage_encrypted", Behaviour::Replacement),
            ("aws_db_instance", "engine_version", Behaviour::SomeInterruptions),
        ] {
            let known = of(type_name).expect(type_name);
            assert_eq!(known.behaviour(property), behaviour, "{type_name}.{property}");
            assert!(known.source.starts_with("https://"));
        }
    }
}
