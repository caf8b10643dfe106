//! Commands of the AWS CLI that are printed for pasting: what follows on `aws rds`, without Region and endpoint.

use serde_json::json;

use super::{ResourceKind, shell::quote};

/// Parameters of one call: RDS takes at most twenty.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBClusterParameterGroup.html>
pub(crate) const PARAMETERS_AT_ONCE: usize = 20;

/// A value for a parameter.
pub(crate) struct Assignment<'a> {
    /// The parameter.
    pub(crate) name: &'a str,
    /// Its value.
    pub(crate) value: &'a str,
    /// Only a reboot brings it into force: static parameters take nothing else.
    pub(crate) waits: bool,
}

impl ResourceKind {
    /// The CLI's word for the thing itself.
    pub(crate) fn thing(self) -> &'static str {
        match self {
            Self::Cluster => "db-cluster",
            Self::Instance => "db-instance",
        }
    }

    /// The CLI's word for its parameter group; the flag that names one is `--GROUP-name`.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Cluster => "db-cluster-parameter-group",
            Self::Instance => "db-parameter-group",
        }
    }

    /// The CLI's word for its snapshot.
    pub(crate) fn snapshot(self) -> &'static str {
        match self {
            Self::Cluster => "db-cluster-snapshot",
            Self::Instance => "db-snapshot",
        }
    }
}

/// Makes a parameter group.
pub(crate) fn make_group(kind: ResourceKind, name: &str, family: &str, description: &str) -> String {
    let group = kind.group();
    format!(
        "create-{group} --{group}-name {} --db-parameter-group-family {} --description {}",
        quote(name),
        quote(family),
        quote(description)
    )
}

/// Sets values in a parameter group: [`PARAMETERS_AT_ONCE`] at most.
pub(crate) fn set_values<'a>(
    kind: ResourceKind,
    name: &str,
    values: impl IntoIterator<Item = Assignment<'a>>,
) -> String {
    // JSON, because the short form knows no way to write a comma in a value.
    let list = values.into_iter().map(|Assignment { name, value, waits }| {
        let method = if waits { "pending-reboot" } else { "immediate" };
        json!({ "ParameterName": name, "ParameterValue": value, "ApplyMethod": method })
    });
    let list = serde_json::Value::Array(list.collect()).to_string();
    let group = kind.group();
    format!(
        "modify-{group} --{group}-name {} --parameters {}",
        quote(name),
        quote(&list)
    )
}

/// Gives a cluster or an instance a parameter group.
pub(crate) fn attach_group(kind: ResourceKind, id: &str, name: &str) -> String {
    let (thing, group) = (kind.thing(), kind.group());
    format!(
        "modify-{thing} --{thing}-identifier {} --{group}-name {} --apply-immediately",
        quote(id),
        quote(name)
    )
}

/// Restarts an instance.
pub(crate) fn reboot(instance: &str) -> String {
    format!("reboot-db-instance --db-instance-identifier {}", quote(instance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_hands_the_cli_json_whatever_the_value_is() {
        let value = r#"%m 'x' "y" $HOME, \"#;
        let assignment = Assignment {
            name: "log_line_prefix",
            value,
            waits: false,
        };
        let command = set_values(ResourceKind::Cluster, "main-pg16", [assignment]);
        let script = format!("for word in {command}; do :; done; printf %s \"$word\"");
        let ran = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("a shell");
        let list: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert_eq!(
            list,
            json!([{ "ParameterName": "log_line_prefix", "ParameterValue": value, "ApplyMethod": "immediate" }])
        );
    }
}
