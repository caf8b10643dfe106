//! Minor upgrades in place, failovers and the end of snapshots.

use std::sync::Arc;

use super::{World, pace::Step};
use crate::rds::fault::Fault;

impl World {
    /// Upgrades a cluster or an instance on its own within its major; it is `upgrading` already.
    pub(crate) fn begin_minor_upgrade(self: &Arc<Self>, resource_id: &str, version: String) {
        let world = Arc::clone(self);
        let resource_id = resource_id.to_owned();
        self.spawn(async move {
            world.pace.step(Step::Reboot).await;
            // The restart puts waiting parameters into effect as well. The server stays the one of its major.
            world.edit(|account| {
                let members: Vec<String> = account
                    .cluster_by_resource(&resource_id)
                    .map(|cluster| cluster.members.iter().map(|member| member.id.clone()).collect())
                    .unwrap_or_default();
                let alone = account.instances.values();
                let alone = alone.filter(|found| found.resource_id == resource_id);
                let alone: Vec<String> = alone.map(|found| found.id.clone()).collect();
                for id in members.iter().chain(&alone) {
                    account.rebooted(id);
                }
            });
            if let Err(error) = world.restart_server(&resource_id).await {
                tracing::warn!(resource_id, %error, "the server did not come back");
            }
            world.edit(|account| {
                let upgraded = |status: &mut String, of: &mut String, pending: &mut Option<String>| {
                    "available".clone_into(status);
                    of.clone_from(&version);
                    *pending = None;
                };
                let mut members = Vec::new();
                for cluster in account
                    .clusters
                    .values_mut()
                    .filter(|found| found.resource_id == resource_id)
                {
                    upgraded(
                        &mut cluster.status,
                        &mut cluster.engine_version,
                        &mut cluster.pending_version,
                    );
                    members.extend(cluster.members.iter().map(|member| member.id.clone()));
                }
                for instance in account.instances.values_mut() {
                    if instance.resource_id == resource_id || members.contains(&instance.id) {
                        upgraded(
                            &mut instance.status,
                            &mut instance.engine_version,
                            &mut instance.pending_version,
                        );
                    }
                }
            });
        });
    }

    /// Makes another member the writer. It runs with the parameters that it was last started with: a member that was
    /// rebooted before the failover brings their new values into force. Source:
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_WorkingWithDBClusterParamGroups.html>
    ///
    /// # Errors
    /// The fault that RDS answers: no such cluster or member, none to fail over to, or a cluster that is not available.
    pub(crate) fn begin_failover(self: &Arc<Self>, id: &str, target: Option<&str>) -> Result<(), Fault> {
        let (id, target) = self.edit(|account| {
            let cluster = account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?;
            let id = cluster.id.clone();
            super::deletion::busy(account, &account.cluster_arn(&id))?;
            if cluster.status != "available" {
                return Err(Fault::cluster_state(format!(
                    "DB cluster {id} is not available for failover."
                )));
            }
            let mut readers: Vec<_> = cluster.members.iter().filter(|member| !member.writer).collect();
            readers.sort_by_key(|member| member.promotion_tier);
            let chosen = match target {
                Some(target) => readers
                    .into_iter()
                    .find(|member| member.id.eq_ignore_ascii_case(target))
                    .ok_or_else(|| {
                        Fault::instance_state(format!(
                            "{target} is not an Aurora Replica of DB cluster {id}."
                        ))
                    })?,
                None => readers.first().copied().ok_or_else(|| {
                    Fault::cluster_state(format!("DB cluster {id} has no Aurora Replica to fail over to."))
                })?,
            };
            let chosen = chosen.id.clone();
            if let Some(cluster) = account.clusters.get_mut(&id) {
                "failing-over".clone_into(&mut cluster.status);
            }
            Ok((id, chosen))
        })?;
        let world = Arc::clone(self);
        self.spawn(async move {
            world.pace.step(Step::Other).await;
            let resource = world.read(|account| account.cluster(&id).map(|found| found.resource_id.clone()));
            let resource = resource.unwrap_or_default();
            world.cut_connections(&resource);
            let restarts = world.edit(|account| {
                if let Some(cluster) = account.clusters.get_mut(&id) {
                    for member in &mut cluster.members {
                        member.writer = member.id == target;
                    }
                }
                let values = account.cluster_parameters(&id);
                let Some(cluster) = account.clusters.get_mut(&id) else {
                    return false;
                };
                let started =
                    |member: &super::account::Member| member.writer && member.parameter_status == "in-sync";
                let newer = cluster.in_effect != values && cluster.members.iter().any(started);
                if newer {
                    cluster.in_effect = values;
                }
                newer
            });
            if restarts && let Err(error) = world.restart_server(&resource).await {
                tracing::warn!(cluster = id, %error, "the server did not come back");
            }
            world.edit(|account| {
                if let Some(cluster) = account.clusters.get_mut(&id) {
                    "available".clone_into(&mut cluster.status);
                }
                account.event(
                    "RDS-EVENT-0071",
                    "db-cluster",
                    &id,
                    "failover",
                    format!("Completed failover to DB instance: {target}"),
                );
            });
        });
        Ok(())
    }

    /// Lets a snapshot become available.
    pub(crate) fn finish_snapshot(self: &Arc<Self>, id: String) {
        let world = Arc::clone(self);
        self.spawn(async move {
            world.pace.step(Step::Other).await;
            world.edit(|account| {
                if let Some(snapshot) = account.snapshots.get_mut(&id) {
                    "available".clone_into(&mut snapshot.status);
                }
            });
        });
    }
}
