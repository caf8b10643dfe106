//! Deletions: of deployments with or without green, of instances and clusters.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-deleting.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteBlueGreenDeployment.html>.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    World,
    account::{Account, Deployment},
    databases::Databases,
    names::kind_and_id,
    pace::Step,
    physical,
};
use crate::{
    pg::{self, StopMode},
    rds::fault::Fault,
    replicate,
};

impl World {
    /// Deletes a deployment; with `delete_target` green goes too, without it green becomes a cluster of its own.
    ///
    /// # Errors
    /// The fault that RDS answers: no such deployment, one that is being switched over, or `DeleteTarget` when the
    /// target is production or protected.
    pub(crate) fn begin_deletion(
        self: &Arc<Self>,
        id: &str,
        delete_target: Option<bool>,
    ) -> Result<Deployment, Fault> {
        let deployment = self.edit(|account| {
            let id = id.to_ascii_lowercase();
            let found = account
                .deployments
                .get(&id)
                .ok_or_else(|| Fault::deployment_not_found(&id))?;
            match found.status.as_str() {
                "SWITCHOVER_IN_PROGRESS" | "DELETING" => {
                    return Err(Fault::deployment_state(format!(
                        "Blue/green deployment {id} is in the {} state and can't be deleted.",
                        found.status
                    )));
                }
                "SWITCHOVER_COMPLETED" if delete_target.is_some() => {
                    return Err(Fault::invalid_combination(
                        "You can't specify the DeleteTarget option when the blue/green deployment status is \
                         SWITCHOVER_COMPLETED.",
                    ));
                }
                _ => {}
            }
            if delete_target == Some(true) {
                for target in found.members.iter().filter_map(|pair| pair.target.as_deref()) {
                    protected(account, target)?;
                }
            }
            let deployment = account.deployments.get_mut(&id).expect("it was found above");
            "DELETING".clone_into(&mut deployment.status);
            deployment.deleted = Some(Timestamp::now());
            Ok(deployment.clone())
        })?;
        let world = Arc::clone(self);
        let gone = deployment.clone();
        self.spawn(async move { world.delete_deployment(&gone, delete_target == Some(true)).await });
        Ok(deployment)
    }

    async fn delete_deployment(&self, deployment: &Deployment, delete_target: bool) {
        self.pace.step(Step::Other).await;
        if let Some(databases) = self.databases() {
            let done = self.release(databases, deployment, delete_target).await;
            if let Err(error) = done {
                tracing::warn!(%error, "a side of the deleted deployment could not be set free");
            }
        }
        self.edit(|account| {
            if delete_target {
                for target in deployment
                    .members
                    .iter()
                    .filter_map(|pair| pair.target.as_deref())
                {
                    let (kind, id) = kind_and_id(account, target);
                    match kind {
                        "cluster" => drop(account.clusters.remove(&id)),
                        _ => drop(account.instances.remove(&id)),
                    }
                }
            }
            let source = &deployment.source_resource;
            for cluster in account
                .clusters
                .values_mut()
                .filter(|found| found.resource_id == *source)
            {
                cluster.read_only = false;
                cluster.in_effect.remove("default_transaction_read_only");
            }
            account.event(
                "RDS-EVENT-0246",
                "blue-green-deployment",
                &deployment.id,
                "deletion",
                "Blue/green deployment deleted.",
            );
            account.deployments.remove(&deployment.id);
        });
        self.clear_away().await;
    }

    /// Takes replication away, and with it what kept a side from being written to.
    async fn release(
        &self,
        databases: &Databases,
        deployment: &Deployment,
        delete_target: bool,
    ) -> pg::Result<()> {
        let blue = self.server(&deployment.source_resource);
        let green = self.server(deployment.target_resource.as_deref().unwrap_or_default());
        if let Some(link) = databases.disconnect(&deployment.id) {
            link.replication.drop_subscriptions_and_slots().await?;
            // Without its deployment green is a cluster of its own.
            return match green {
                Some(green) if !delete_target => replicate::resume_writes(&green).await,
                _ => Ok(()),
            };
        }
        if let Some(slot) = databases.take_standby_slot(&deployment.id) {
            match green {
                Some(green) if !delete_target => green.promote().await?,
                Some(green) => green.stop(StopMode::Fast).await?,
                None => {}
            }
            return match blue {
                Some(blue) => physical::drop_slot(&blue, &slot).await,
                None => Ok(()),
            };
        }
        // Aurora's old blue becomes writable again: nothing guards it any more. RDS's stays as it is.
        match blue {
            Some(old) if deployment.source.contains(":cluster:") => replicate::resume_writes(&old).await,
            _ => Ok(()),
        }
    }

    /// Deletes an instance.
    ///
    /// # Errors
    /// The fault that RDS answers.
    pub(crate) fn begin_instance_deletion(self: &Arc<Self>, id: &str) -> Result<(), Fault> {
        let id = self.edit(|account| {
            let found = account.instance(id).ok_or_else(|| Fault::instance_not_found(id))?;
            let id = found.id.clone();
            if found.cluster.is_none() && found.deletion_protection {
                return Err(Fault::invalid_combination(format!(
                    "Cannot delete protected DB Instance {id}, please disable deletion protection and try again."
                )));
            }
            if matches!(found.status.as_str(), "deleting" | "creating") {
                return Err(Fault::instance_state(format!(
                    "Instance {id} is already being {}.",
                    if found.status == "deleting" { "deleted" } else { "created" }
                )));
            }
            busy(account, &account.instance_arn(&id))?;
            if let Some(instance) = account.instances.get_mut(&id) {
                "deleting".clone_into(&mut instance.status);
            }
            Ok(id)
        })?;
        let world = Arc::clone(self);
        self.spawn(async move {
            world.pace.step(Step::Other).await;
            world.edit(|account| forget_instance(account, &id));
            world.clear_away().await;
        });
        Ok(())
    }

    /// Deletes a cluster that has no instances any more.
    ///
    /// # Errors
    /// The fault that RDS answers.
    pub(crate) fn begin_cluster_deletion(self: &Arc<Self>, id: &str) -> Result<(), Fault> {
        let id = self.edit(|account| {
            let found = account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?;
            let id = found.id.clone();
            if found.deletion_protection {
                return Err(Fault::invalid_combination(
                    "Cannot delete protected Cluster, please disable deletion protection and try again.",
                ));
            }
            let alive = |member: &super::account::Member| {
                account
                    .instance(&member.id)
                    .is_some_and(|instance| instance.status != "deleting")
            };
            if found.members.iter().any(alive) {
                return Err(Fault::cluster_state(
                    "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
                ));
            }
            busy(account, &account.cluster_arn(&id))?;
            if let Some(cluster) = account.clusters.get_mut(&id) {
                "deleting".clone_into(&mut cluster.status);
            }
            Ok(id)
        })?;
        let world = Arc::clone(self);
        self.spawn(async move {
            world.pace.step(Step::Other).await;
            world.edit(|account| {
                let arn = account.cluster_arn(&id);
                account.clusters.remove(&id);
                missing(account, &arn);
                account.event(
                    "RDS-EVENT-0171",
                    "db-cluster",
                    &id,
                    "deletion",
                    "DB cluster deleted",
                );
            });
            world.clear_away().await;
        });
        Ok(())
    }
}

fn protected(account: &Account, arn: &str) -> Result<(), Fault> {
    let (kind, id) = kind_and_id(account, arn);
    let protected = match kind {
        "cluster" => account
            .cluster(&id)
            .is_some_and(|found| found.deletion_protection),
        _ => account
            .instance(&id)
            .is_some_and(|found| found.cluster.is_none() && found.deletion_protection),
    };
    match protected {
        true => Err(Fault::deployment_state(format!(
            "The green environment can't be deleted: deletion protection is enabled on {id}."
        ))),
        false => Ok(()),
    }
}

/// Nothing in a running switchover can be deleted or modified.
pub(crate) fn busy(account: &Account, arn: &str) -> Result<(), Fault> {
    let running = account.deployments.values().find(|found| {
        found.status == "SWITCHOVER_IN_PROGRESS"
            && found
                .members
                .iter()
                .any(|pair| pair.source == arn || pair.target.as_deref() == Some(arn))
    });
    let Some(deployment) = running else {
        return Ok(());
    };
    let (kind, id) = kind_and_id(account, arn);
    let why = format!(
        "{id} is part of the running switchover of blue/green deployment {}.",
        deployment.id
    );
    Err(match kind {
        "cluster" => Fault::cluster_state(why),
        _ => Fault::instance_state(why),
    })
}

fn forget_instance(account: &mut Account, id: &str) {
    let arn = account.instance_arn(id);
    account.instances.remove(id);
    for cluster in account.clusters.values_mut() {
        cluster.members.retain(|member| member.id != id);
        // Without a writer the next member takes over.
        if !cluster.members.iter().any(|member| member.writer)
            && let Some(first) = cluster.members.first_mut()
        {
            first.writer = true;
        }
    }
    for instance in account.instances.values_mut() {
        instance.replicas.retain(|replica| replica != id);
    }
    missing(account, &arn);
    account.event(
        "RDS-EVENT-0003",
        "db-instance",
        id,
        "deletion",
        "DB instance deleted",
    );
}

/// A pair that lost one of its sides says so; the switchover leaves it out.
fn missing(account: &mut Account, arn: &str) {
    for deployment in account.deployments.values_mut() {
        if deployment.status == "SWITCHOVER_COMPLETED" {
            continue;
        }
        for pair in &mut deployment.members {
            if pair.source == arn {
                pair.status = Some("MISSING_SOURCE".to_owned());
            } else if pair.target.as_deref() == Some(arn) {
                pair.status = Some("MISSING_TARGET".to_owned());
            } else {
                continue;
            }
            if deployment.source == arn || deployment.target.as_deref() == Some(arn) {
                "INVALID_CONFIGURATION".clone_into(&mut deployment.status);
            }
        }
    }
}
