//! The calls that a preparation comes down to, in order, and each as an AWS CLI command.

use super::{GroupWork, Preparation};
use crate::{
    facts::rds::RdsFacts,
    model::{
        ResourceKind,
        aws_cli::{self, Assignment, PARAMETERS_AT_ONCE},
        shell::quote,
    },
};

/// One call that changes something. Each can be repeated without harm, but for a reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `CreateDBClusterParameterGroup` or `CreateDBParameterGroup`.
    MakeGroup {
        /// Which kind.
        kind: ResourceKind,
        /// Its name.
        name: String,
        /// Its family.
        family: String,
        /// Its description.
        description: String,
    },
    /// `ModifyDBClusterParameterGroup` or `ModifyDBParameterGroup`.
    SetValues {
        /// Which kind.
        kind: ResourceKind,
        /// The group.
        name: String,
        /// Parameter, value, and whether it waits for a reboot.
        values: Vec<(String, String, bool)>,
    },
    /// `ModifyDBCluster` or `ModifyDBInstance`.
    Attach {
        /// Which kind.
        kind: ResourceKind,
        /// The cluster or instance.
        id: String,
        /// The group.
        group: String,
    },
    /// `RebootDBInstance`.
    Reboot {
        /// The instance.
        id: String,
    },
    /// `FailoverDBCluster`.
    Failover {
        /// The cluster.
        cluster: String,
        /// The reader that becomes the writer.
        to: String,
    },
}

impl Action {
    /// In words, as progress says it.
    pub fn title(&self) -> String {
        match self {
            Self::MakeGroup { name, family, .. } => format!("make parameter group {name} ({family})"),
            Self::SetValues { name, values, .. } => {
                let names: Vec<&str> = values.iter().map(|(name, ..)| name.as_str()).collect();
                format!("set {} in {name}", names.join(", "))
            }
            Self::Attach { id, group, .. } => format!("give {id} the parameter group {group}"),
            Self::Reboot { id } => format!("reboot {id}"),
            Self::Failover { cluster, to } => format!("fail {cluster} over to {to}"),
        }
    }

    /// As an AWS CLI command, without Region and endpoint.
    fn command(&self) -> String {
        match self {
            Self::MakeGroup {
                kind,
                name,
                family,
                description,
            } => aws_cli::make_group(*kind, name, family, description),
            Self::SetValues { kind, name, values } => {
                let values = values.iter().map(|(name, value, waits)| Assignment {
                    name,
                    value,
                    waits: *waits,
                });
                aws_cli::set_values(*kind, name, values)
            }
            Self::Attach { kind, id, group } => aws_cli::attach_group(*kind, id, group),
            Self::Reboot { id } => aws_cli::reboot(id),
            Self::Failover { cluster, to } => format!(
                "failover-db-cluster --db-cluster-identifier {} --target-db-instance-identifier {}",
                quote(cluster),
                quote(to)
            ),
        }
    }

    /// As an AWS CLI command, ready for pasting.
    pub fn cli(&self, rds: &RdsFacts) -> String {
        let endpoint = rds.endpoint_url.as_ref();
        let endpoint = endpoint.map_or_else(String::new, |url| format!(" --endpoint-url {}", quote(url)));
        format!(
            "aws rds {} --region {}{endpoint}",
            self.command(),
            quote(&rds.region)
        )
    }
}

/// The calls that make, fill and attach the groups, in order. Reboots are no part of it: they depend on how it goes.
pub fn commands(preparation: &Preparation) -> Vec<Action> {
    let mut actions = Vec::new();
    for work in &preparation.blue {
        of_group(
            work,
            &format!("{} for blue/green", preparation.subject),
            &mut actions,
        );
    }
    if let Some(target) = &preparation.target {
        of_group(
            &target.work,
            &format!("green of {}", preparation.subject),
            &mut actions,
        );
    }
    actions
}

fn of_group(work: &GroupWork, description: &str, actions: &mut Vec<Action>) {
    let kind = work.kind;
    if work.make {
        actions.push(Action::MakeGroup {
            kind,
            name: work.name.clone(),
            family: work.family.clone(),
            description: description.to_owned(),
        });
    }
    let values: Vec<(String, String, bool)> = work
        .values
        .iter()
        .map(|v| (v.name.clone(), v.to.clone(), v.needs_reboot))
        .collect();
    for some in values.chunks(PARAMETERS_AT_ONCE) {
        actions.push(Action::SetValues {
            kind,
            name: work.name.clone(),
            values: some.to_vec(),
        });
    }
    for attach in &work.attach {
        actions.push(Action::Attach {
            kind,
            id: attach.id.clone(),
            group: work.name.clone(),
        });
    }
}
