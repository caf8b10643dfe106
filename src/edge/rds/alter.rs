//! The changing calls of `prepare`, `create` and `cleanup`, each sent once through [`Changes`].

use aws_sdk_rds::types::{ApplyMethod, Parameter};

use super::change::Changes;
use crate::{model::ResourceKind, prepare::Action, switchover::evidence::Answer};

/// What a deployment is made of.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateBlueGreenDeployment.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// `BlueGreenDeploymentName`.
    pub name: String,
    /// `Source`.
    pub source: String,
    /// `TargetEngineVersion`.
    pub target_version: String,
    /// `TargetDBClusterParameterGroupName`, or `TargetDBParameterGroupName` where the source is an instance.
    pub parameter_group: Option<String>,
}

impl Changes {
    /// `CreateBlueGreenDeployment`.
    pub async fn create(&self, wanted: &Creation) -> Answer {
        let of_cluster = wanted.source.contains(":cluster:");
        let group = wanted.parameter_group.clone();
        let (cluster_group, instance_group) = if of_cluster { (group, None) } else { (None, group) };
        let sent = self.send("CreateBlueGreenDeployment", |rds| {
            rds.create_blue_green_deployment()
                .blue_green_deployment_name(&wanted.name)
                .source(&wanted.source)
                .target_engine_version(&wanted.target_version)
                .set_target_db_cluster_parameter_group_name(cluster_group)
                .set_target_db_parameter_group_name(instance_group)
                .send()
        });
        sent.await.answer()
    }

    /// `DeleteBlueGreenDeployment`. `target` must be none after the switchover, when green is production.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteBlueGreenDeployment.html>
    pub async fn delete_deployment(&self, id: &str, target: Option<bool>) -> Answer {
        let sent = self.send("DeleteBlueGreenDeployment", |rds| {
            rds.delete_blue_green_deployment()
                .blue_green_deployment_identifier(id)
                .set_delete_target(target)
                .send()
        });
        sent.await.answer()
    }

    /// `CreateDBClusterSnapshot` or `CreateDBSnapshot`.
    pub async fn snapshot(&self, name: &str, of: &str, of_cluster: bool) -> Answer {
        if of_cluster {
            let sent = self.send("CreateDBClusterSnapshot", |rds| {
                rds.create_db_cluster_snapshot()
                    .db_cluster_snapshot_identifier(name)
                    .db_cluster_identifier(of)
                    .send()
            });
            return sent.await.answer();
        }
        let sent = self.send("CreateDBSnapshot", |rds| {
            rds.create_db_snapshot()
                .db_snapshot_identifier(name)
                .db_instance_identifier(of)
                .send()
        });
        sent.await.answer()
    }

    /// `DeleteDBInstance`, without a snapshot of its own: it was taken before, or not wanted. `keep_backups` is for
    /// instances that are no members of a cluster.
    pub async fn delete_instance(&self, id: &str, keep_backups: Option<bool>) -> Answer {
        let sent = self.send("DeleteDBInstance", |rds| {
            rds.delete_db_instance()
                .db_instance_identifier(id)
                .skip_final_snapshot(true)
                .set_delete_automated_backups(keep_backups.map(|keep| !keep))
                .send()
        });
        sent.await.answer()
    }

    /// `DeleteDBCluster`, likewise.
    pub async fn delete_cluster(&self, id: &str, keep_backups: bool) -> Answer {
        let sent = self.send("DeleteDBCluster", |rds| {
            rds.delete_db_cluster()
                .db_cluster_identifier(id)
                .skip_final_snapshot(true)
                .delete_automated_backups(!keep_backups)
                .send()
        });
        sent.await.answer()
    }

    /// One action of a preparation.
    pub async fn act(&self, action: &Action) -> Answer {
        match action {
            Action::MakeGroup {
                kind: ResourceKind::Cluster,
                name,
                family,
                description,
            } => {
                let sent = self.send("CreateDBClusterParameterGroup", |rds| {
                    rds.create_db_cluster_parameter_group()
                        .db_cluster_parameter_group_name(name)
                        .db_parameter_group_family(family)
                        .description(description)
                        .send()
                });
                sent.await.answer()
            }
            Action::MakeGroup {
                name,
                family,
                description,
                ..
            } => {
                let sent = self.send("CreateDBParameterGroup", |rds| {
                    rds.create_db_parameter_group()
                        .db_parameter_group_name(name)
                        .db_parameter_group_family(family)
                        .description(description)
                        .send()
                });
                sent.await.answer()
            }
            Action::SetValues {
                kind: ResourceKind::Cluster,
                name,
                values,
            } => {
                let values = Some(parameters(values));
                let sent = self.send("ModifyDBClusterParameterGroup", |rds| {
                    rds.modify_db_cluster_parameter_group()
                        .db_cluster_parameter_group_name(name)
                        .set_parameters(values)
                        .send()
                });
                sent.await.answer()
            }
            Action::SetValues { name, values, .. } => {
                let values = Some(parameters(values));
                let sent = self.send("ModifyDBParameterGroup", |rds| {
                    rds.modify_db_parameter_group()
                        .db_parameter_group_name(name)
                        .set_parameters(values)
                        .send()
                });
                sent.await.answer()
            }
            Action::Attach {
                kind: ResourceKind::Cluster,
                id,
                group,
            } => {
                let sent = self.send("ModifyDBCluster", |rds| {
                    rds.modify_db_cluster()
                        .db_cluster_identifier(id)
                        .db_cluster_parameter_group_name(group)
                        .apply_immediately(true)
                        .send()
                });
                sent.await.answer()
            }
            Action::Attach { id, group, .. } => {
                let sent = self.send("ModifyDBInstance", |rds| {
                    rds.modify_db_instance()
                        .db_instance_identifier(id)
                        .db_parameter_group_name(group)
                        .apply_immediately(true)
                        .send()
                });
                sent.await.answer()
            }
            Action::Reboot { id } => {
                let sent = self.send("RebootDBInstance", |rds| {
                    rds.reboot_db_instance().db_instance_identifier(id).send()
                });
                sent.await.answer()
            }
            Action::Failover { cluster, to } => {
                let sent = self.send("FailoverDBCluster", |rds| {
                    rds.failover_db_cluster()
                        .db_cluster_identifier(cluster)
                        .target_db_instance_identifier(to)
                        .send()
                });
                sent.await.answer()
            }
        }
    }
}

fn parameters(values: &[(String, String, bool)]) -> Vec<Parameter> {
    let one = |(name, value, waits): &(String, String, bool)| {
        let method = if *waits {
            ApplyMethod::PendingReboot
        } else {
            ApplyMethod::Immediate
        };
        Parameter::builder()
            .parameter_name(name)
            .parameter_value(value)
            .apply_method(method)
            .build()
    };
    values.iter().map(one).collect()
}
