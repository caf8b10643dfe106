//! The switchover: guardrails, stopped writes, drained replication, swapped names, or everything back as it was.
//!
//! The order is that of
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>: guardrails,
//! stop writes on both sides, drop connections, wait for green, synchronise sequences, rename, allow connections and
//! writes. Until the names move every failure, the timeout included, puts both sides back.

use std::{sync::Arc, time::Duration};

use super::{
    World,
    account::{Account, Deployment, Replication},
    databases::Link,
    guardrails,
    names::{Phase, announce, parties, put_back, swap_names},
    pace::Step,
    physical,
    provision::set_status,
};
use crate::{
    pg::{self, Server},
    proxy::Mode,
    rds::{fault::Fault, faults::SwitchoverOutcome},
    replicate,
};

/// Why a switchover did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// A guardrail refused it; nothing was touched.
    Refused(String),
    /// It was rolled back; the deployment's status is then this.
    RolledBack(String, String),
}

impl World {
    /// Starts a switchover.
    ///
    /// # Errors
    /// The fault that RDS answers when there is no such deployment or it is not in a state to be switched over.
    pub(crate) fn begin_switchover(self: &Arc<Self>, id: &str, timeout: i64) -> Result<Deployment, Fault> {
        let deployment = self.edit(|account| {
            let id = id.to_ascii_lowercase();
            let found = account
                .deployments
                .get(&id)
                .ok_or_else(|| Fault::deployment_not_found(&id))?;
            if !matches!(found.status.as_str(), "AVAILABLE" | "SWITCHOVER_FAILED") {
                return Err(Fault::deployment_state(format!(
                    "Blue/green deployment {id} is in the {} state and can't be switched over.",
                    found.status
                )));
            }
            for pair in &found.members {
                if matches!(pair.status.as_deref(), Some("MISSING_SOURCE" | "MISSING_TARGET"))
                    && pair.source == found.source
                {
                    return Err(Fault::deployment_state(format!(
                        "Blue/green deployment {id} has no counterpart for {}.",
                        pair.source
                    )));
                }
            }
            for (kind, name) in parties(account, found) {
                let status = match kind {
                    "cluster" => account.cluster(&name).map(|found| found.status.clone()),
                    _ => account.instance(&name).map(|found| found.status.clone()),
                };
                if let Some(status) = status.filter(|status| status != "available") {
                    return Err(Fault::deployment_state(format!(
                        "Blue/green deployment {id} can't be switched over: {name} is in the {status} state."
                    )));
                }
            }
            set_status(account, &id, "SWITCHOVER_IN_PROGRESS", None);
            let deployment = account.deployments.get_mut(&id).expect("it was found above");
            for pair in &mut deployment.members {
                pair.begin();
            }
            Ok(deployment.clone())
        })?;
        let world = Arc::clone(self);
        let id = deployment.id.clone();
        let seconds = u32::try_from(timeout).unwrap_or(300);
        self.spawn(async move { world.switch(&id, seconds).await });
        Ok(deployment)
    }

    async fn switch(self: Arc<Self>, id: &str, seconds: u32) {
        let outcome = self.faults.take_switchover();
        let limit = self.pace.timeout_second * seconds;
        let sides = self.sides(id);
        let attempt = self.prepare(id, &sides, seconds, limit, outcome);
        let stopped = match tokio::time::timeout(limit, attempt).await {
            Ok(Ok(())) => return self.complete(id, &sides).await,
            Ok(Err(stopped)) => stopped,
            Err(_) => Stopped::RolledBack(
                format!("the switchover timeout of {seconds} seconds was reached"),
                "SWITCHOVER_FAILED".to_owned(),
            ),
        };
        if let (Some(sides), Stopped::RolledBack(..)) = (&sides, &stopped) {
            self.restore(sides).await;
        }
        self.edit(|account| put_back(account, id, &stopped));
    }

    /// Both servers of a deployment, in a world that has servers.
    fn sides(&self, id: &str) -> Option<Sides> {
        let (source, target) = self.read(|account| {
            let found = account.deployments.get(id)?;
            Some((found.source_resource.clone(), found.target_resource.clone()?))
        })?;
        Some(Sides {
            blue: self.server(&source)?,
            green: self.server(&target)?,
            source,
            target,
        })
    }

    /// Everything that can still be taken back.
    async fn prepare(
        &self,
        id: &str,
        sides: &Option<Sides>,
        seconds: u32,
        limit: Duration,
        outcome: Option<SwitchoverOutcome>,
    ) -> Result<(), Stopped> {
        self.edit(|account| announce(account, id, Phase::Started));
        self.pace.step(Step::Switchover).await;
        if let Some(SwitchoverOutcome::Refused { reason }) = &outcome {
            return Err(Stopped::Refused(reason.clone()));
        }
        let link = self.databases().and_then(|databases| databases.link(id));
        if let Some(sides) = sides
            && let Some(reason) = self.guardrails(id, sides, link.as_deref(), seconds).await
        {
            return Err(Stopped::Refused(reason));
        }
        if let Some(sides) = sides {
            self.stop_both(sides).await.map_err(rolled_back)?;
        }
        self.pace.step(Step::Switchover).await;
        if let Some(SwitchoverOutcome::RolledBack { reason, status }) = outcome {
            return Err(Stopped::RolledBack(reason, status));
        }
        if let Some(link) = &link {
            link.replication.wait_drained(limit).await.map_err(rolled_back)?;
        } else if let Some(sides) = sides {
            let caught_up = physical::wait_caught_up(&sides.blue, &sides.green, limit).await;
            caught_up.map_err(rolled_back)?;
            return sides.green.promote().await.map_err(rolled_back);
        }
        if self.read(|account| account.is_physical(id)) {
            return Ok(());
        }
        self.edit(|account| announce(account, id, Phase::Sequences));
        self.pace.step(Step::Switchover).await;
        if let Some(sides) = sides {
            // Nobody reaches it yet: its endpoints are closed.
            replicate::resume_writes(&sides.green)
                .await
                .map_err(rolled_back)?;
        }
        if let Some(link) = &link {
            let synchronised = link.replication.sync_sequences().await;
            if let Err(error) = synchronised {
                self.edit(|account| announce(account, id, Phase::SequencesFailed));
                return Err(rolled_back(error));
            }
        }
        self.edit(|account| announce(account, id, Phase::SequencesDone));
        Ok(())
    }

    /// The names move: from here on there is no way back.
    async fn complete(&self, id: &str, sides: &Option<Sides>) {
        if let Some(link) = self.databases().and_then(|databases| databases.disconnect(id))
            && let Err(error) = link.replication.drop_subscriptions_and_slots().await
        {
            tracing::warn!(%error, "replication could not be removed");
        }
        let slot = self
            .databases()
            .and_then(|databases| databases.take_standby_slot(id));
        if let (Some(slot), Some(sides)) = (slot, sides)
            && let Err(error) = physical::drop_slot(&sides.blue, &slot).await
        {
            tracing::warn!(%error, "the slot of the standby could not be removed");
        }
        self.edit(|account| swap_names(account, id));
        if let Err(error) = self.open_endpoints().await {
            tracing::warn!(%error, "an endpoint could not be opened");
        }
        if let Some(sides) = sides {
            self.set_mode(&sides.source, Mode::open()).await;
            self.set_mode(&sides.target, Mode::open()).await;
        }
        self.pace.step(Step::Switchover).await;
        self.edit(|account| {
            let details = Some("Switchover completed".to_owned());
            set_status(account, id, "SWITCHOVER_COMPLETED", details);
            announce(account, id, Phase::Completed);
        });
    }

    /// The first guardrail that stands in the way.
    async fn guardrails(&self, id: &str, sides: &Sides, link: Option<&Link>, seconds: u32) -> Option<String> {
        let looked = async {
            let green = match (
                link,
                self.databases().and_then(|databases| databases.standby_slot(id)),
            ) {
                (Some(link), _) => guardrails::green(&sides.green, link.replication.links().len()).await?,
                (None, Some(slot)) => physical::health(&sides.blue, &slot).await?,
                (None, None) => None,
            };
            if green.is_some() {
                return Ok(green);
            }
            if let Some(reason) = guardrails::lag(&sides.blue, seconds).await? {
                return Ok(Some(reason));
            }
            if let Some(reason) = guardrails::blue(&sides.blue, self.pace.long_running).await? {
                return Ok(Some(reason));
            }
            let Some(link) = link else {
                return Ok(None);
            };
            let now = guardrails::fingerprint(&sides.blue).await?;
            let changed = guardrails::changed(&link.fingerprint, &now);
            Ok(self.edit(|account| degrade(account, id, &changed)))
        };
        // A side that cannot be looked at is not healthy.
        let looked: pg::Result<Option<String>> = looked.await;
        looked.unwrap_or_else(|error| Some(format!("the environments can't be checked: {error}")))
    }

    /// Refuses new connections on both sides, then stops writes and ends sessions.
    async fn stop_both(&self, sides: &Sides) -> pg::Result<()> {
        for resource in [&sides.source, &sides.target] {
            self.set_mode(resource, Mode::Refuse).await;
        }
        replicate::stop_writes(&sides.blue).await?;
        // A standby takes no writes anyway, and its sessions end with their connections.
        if !physical::is_standby(&sides.green).await? {
            replicate::stop_writes(&sides.green).await?;
        }
        self.cut_connections(&sides.source);
        self.cut_connections(&sides.target);
        Ok(())
    }

    /// Blue writes again, green does not, and both take connections.
    async fn restore(&self, sides: &Sides) {
        let green = match physical::is_standby(&sides.green).await {
            Ok(true) => Ok(()),
            Ok(false) => replicate::stop_writes(&sides.green).await,
            Err(error) => Err(error),
        };
        for result in [replicate::resume_writes(&sides.blue).await, green] {
            if let Err(error) = result {
                tracing::warn!(%error, "a side could not be put back");
            }
        }
        self.set_mode(&sides.source, Mode::open()).await;
        self.set_mode(&sides.target, Mode::open()).await;
    }
}

impl Account {
    /// Whether green is a standby, which has nothing to synchronise.
    fn is_physical(&self, id: &str) -> bool {
        let deployment = self.deployments.get(id);
        deployment.is_some_and(|found| found.replication == Replication::Physical)
    }
}

/// Remembers that DDL ran on blue: replication stays degraded, whatever is done about it, until the deployment is made
/// anew.
fn degrade(account: &mut Account, id: &str, databases: &[String]) -> Option<String> {
    let deployment = account.deployments.get_mut(id)?;
    if deployment.degraded.is_none() && !databases.is_empty() {
        deployment.degraded = Some(format!(
            "DDL or large object changes on the blue environment since the creation of the deployment (in {})",
            databases.join(", ")
        ));
    }
    deployment.degraded.clone()
}

/// Both servers of a deployment, and the resources that they belong to.
#[derive(Debug)]
struct Sides {
    source: String,
    target: String,
    blue: Server,
    green: Server,
}

fn rolled_back(error: pg::Error) -> Stopped {
    Stopped::RolledBack(error.to_string(), "SWITCHOVER_FAILED".to_owned())
}

impl super::account::MemberSwitch {
    fn begin(&mut self) {
        if !matches!(self.status.as_deref(), Some("MISSING_SOURCE" | "MISSING_TARGET")) {
            self.status = Some("SWITCHOVER_IN_PROGRESS".to_owned());
        }
    }
}
