//! The switchover: guardrails, stopped writes, drained replication, swapped names, or everything back as it was.
//!
//! The order is that of
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>: guardrails,
//! stop writes on both sides, drop connections, wait for green, synchronise sequences, rename, allow connections and
//! writes. Until the names move every failure, the timeout included, puts both sides back.

use std::{sync::Arc, time::Duration};

use super::{
    World,
    account::{Account, Deployment, Tags},
    databases::Link,
    guardrails,
    pace::Step,
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
        if let (Some(sides), Some(link)) = (sides, &link)
            && let Some(reason) = self.guardrails(id, sides, link, seconds).await
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
    async fn guardrails(&self, id: &str, sides: &Sides, link: &Link, seconds: u32) -> Option<String> {
        let looked = async {
            let databases = link.replication.links().len();
            if let Some(reason) = guardrails::green(&sides.green, databases).await? {
                return Ok(Some(reason));
            }
            if let Some(reason) = guardrails::lag(&sides.blue, seconds).await? {
                return Ok(Some(reason));
            }
            if let Some(reason) = guardrails::blue(&sides.blue, self.pace.long_running).await? {
                return Ok(Some(reason));
            }
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
        for (resource, server) in [(&sides.source, &sides.blue), (&sides.target, &sides.green)] {
            self.set_mode(resource, Mode::Refuse).await;
            replicate::stop_writes(server).await?;
            self.cut_connections(resource);
        }
        Ok(())
    }

    /// Blue writes again, green does not, and both take connections.
    async fn restore(&self, sides: &Sides) {
        for result in [
            replicate::resume_writes(&sides.blue).await,
            replicate::stop_writes(&sides.green).await,
        ] {
            if let Err(error) = result {
                tracing::warn!(%error, "a side could not be put back");
            }
        }
        self.set_mode(&sides.source, Mode::open()).await;
        self.set_mode(&sides.target, Mode::open()).await;
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

/// Kind and identifier of everything in a deployment, blue and green.
fn parties(account: &Account, deployment: &Deployment) -> Vec<(&'static str, String)> {
    deployment
        .members
        .iter()
        .flat_map(|pair| std::iter::once(&pair.source).chain(&pair.target))
        .map(|arn| kind_and_id(account, arn))
        .collect()
}

/// `cluster` or `db`, and the identifier, of an ARN of this account.
pub(super) fn kind_and_id(account: &Account, arn: &str) -> (&'static str, String) {
    match arn.strip_prefix(&account.cluster_arn("")) {
        Some(id) => ("cluster", id.to_owned()),
        None => ("db", account.local_id("db", arn)),
    }
}

/// What the events tell.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Started,
    Sequences,
    SequencesDone,
    SequencesFailed,
    Completed,
}

/// Events of the deployment and of each of its pairs.
/// Source of the numbers: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html>
fn announce(account: &mut Account, id: &str, phase: Phase) {
    let Some(deployment) = account.deployments.get(id).cloned() else {
        return;
    };
    let target = deployment.target.clone().unwrap_or_default();
    let source = deployment.source.clone();
    match phase {
        Phase::Started => account.event(
            "RDS-EVENT-0247",
            "blue-green-deployment",
            id,
            "notification",
            format!("Switchover from {source} to {target} started."),
        ),
        Phase::Completed => account.event(
            "RDS-EVENT-0248",
            "blue-green-deployment",
            id,
            "notification",
            "Switchover completed on blue/green deployment.",
        ),
        Phase::Sequences | Phase::SequencesDone | Phase::SequencesFailed => {}
    }
    for pair in deployment.members {
        let Some(target) = pair.target else {
            continue;
        };
        let (kind, blue) = kind_and_id(account, &pair.source);
        let (_, green) = kind_and_id(account, &target);
        let cluster = kind == "cluster";
        let source_type = if cluster { "db-cluster" } else { "db-instance" };
        // Only the writing side has sequences: the cluster, or the instance on its own.
        let writes = cluster
            || account
                .instance(&blue)
                .is_some_and(|found| found.cluster.is_none());
        let (event, message) = match (phase, cluster) {
            (Phase::Started, true) => (
                "RDS-EVENT-0259",
                format!("Switchover from DB cluster {blue} to {green} started."),
            ),
            (Phase::Started, false) => (
                "RDS-EVENT-0250",
                format!("Switchover from DB instance {blue} to {green} started."),
            ),
            (Phase::Completed, true) => (
                "RDS-EVENT-0260",
                format!(
                    "Switchover from DB cluster {blue} to {green} completed and the clusters were renamed."
                ),
            ),
            (Phase::Completed, false) => (
                "RDS-EVENT-0251",
                format!(
                    "Switchover from DB instance {blue} to {green} completed and the instances were renamed."
                ),
            ),
            (Phase::Sequences, _) if writes => (
                if cluster {
                    "RDS-EVENT-0311"
                } else {
                    "RDS-EVENT-0307"
                },
                format!(
                    "Sequence sync for switchover of {blue} to {green} has initiated. It may lead to extended downtime."
                ),
            ),
            (Phase::SequencesDone, _) if writes => (
                if cluster {
                    "RDS-EVENT-0312"
                } else {
                    "RDS-EVENT-0308"
                },
                format!("Sequence sync for switchover of {blue} to {green} has completed."),
            ),
            (Phase::SequencesFailed, _) if writes => (
                if cluster {
                    "RDS-EVENT-0314"
                } else {
                    "RDS-EVENT-0310"
                },
                format!(
                    "Sequence sync for switchover of {blue} to {green} was cancelled because sequences failed to sync."
                ),
            ),
            _ => continue,
        };
        let category = match phase {
            Phase::SequencesFailed => "failure",
            _ => "notification",
        };
        let source = if matches!(phase, Phase::Completed) {
            &green
        } else {
            &blue
        };
        account.event(event, source_type, source, category, message);
    }
}

/// Blue's names become `-oldN`, green takes blue's, and the deployment's ARNs follow, as the real API shows them.
pub(super) fn swap_names(account: &mut Account, id: &str) {
    let Some(mut deployment) = account.deployments.get(id).cloned() else {
        return;
    };
    for pair in &mut deployment.members {
        let Some(target) = pair.target.clone() else {
            continue;
        };
        if matches!(pair.status.as_deref(), Some("MISSING_SOURCE" | "MISSING_TARGET")) {
            continue;
        }
        let (kind, blue) = kind_and_id(account, &pair.source);
        let (_, green) = kind_and_id(account, &target);
        let old = account.old_name(kind, &blue);
        let is_first = pair.source == deployment.source;
        if kind == "cluster" {
            account.rename_cluster(&blue, &old);
            account.rename_cluster(&green, &blue);
            swap_cluster(account, &old, &blue);
        } else {
            account.rename_instance(&blue, &old);
            account.rename_instance(&green, &blue);
            swap_instance(account, &old, &blue);
        }
        pair.source = account.arn(if kind == "cluster" { "cluster" } else { "db" }, &old);
        pair.target = Some(account.arn(if kind == "cluster" { "cluster" } else { "db" }, &blue));
        pair.status = Some("SWITCHOVER_COMPLETED".to_owned());
        if is_first {
            deployment.source.clone_from(&pair.source);
            deployment.target.clone_from(&pair.target);
        }
    }
    account.deployments.insert(deployment.id.clone(), deployment);
}

/// Endpoints move with the names, blue's tags replace all of green's, old blue stays read-only.
fn swap_cluster(account: &mut Account, old: &str, new: &str) {
    let mut taken: Option<(_, _, Tags)> = None;
    if let Some(blue) = account.clusters.get_mut(old) {
        taken = Some((
            blue.endpoint.take(),
            blue.reader_endpoint.take(),
            blue.tags.clone(),
        ));
        blue.read_only = true;
        blue.in_effect
            .insert("default_transaction_read_only".to_owned(), "1".to_owned());
    }
    if let (Some(green), Some((endpoint, reader, tags))) = (account.clusters.get_mut(new), taken) {
        green.endpoint = endpoint;
        green.reader_endpoint = reader;
        green.tags = tags;
    }
    // Custom endpoints belong to the name.
    for endpoint in account
        .endpoints
        .values_mut()
        .filter(|endpoint| endpoint.cluster == old)
    {
        new.clone_into(&mut endpoint.cluster);
    }
    for proxy in account
        .proxies
        .values_mut()
        .filter(|proxy| proxy.target.as_deref() == Some(old))
    {
        proxy.target = Some(new.to_owned());
    }
}

fn swap_instance(account: &mut Account, old: &str, new: &str) {
    let mut taken = None;
    if let Some(blue) = account.instances.get_mut(old) {
        taken = Some((blue.endpoint.take(), blue.tags.clone()));
    }
    if let (Some(green), Some((endpoint, tags))) = (account.instances.get_mut(new), taken) {
        green.endpoint = endpoint;
        green.tags = tags;
    }
}

/// Tells why it stopped, and leaves everything as it was.
fn put_back(account: &mut Account, id: &str, stopped: &Stopped) {
    let (reason, status, members) = match stopped {
        Stopped::Refused(reason) => (reason, "AVAILABLE", "AVAILABLE"),
        Stopped::RolledBack(reason, status) => (reason, status.as_str(), "SWITCHOVER_FAILED"),
    };
    set_status(
        account,
        id,
        status,
        Some(format!("Switchover was canceled: {reason}")),
    );
    let Some(deployment) = account.deployments.get_mut(id) else {
        return;
    };
    for pair in &mut deployment.members {
        if pair.status.as_deref() == Some("SWITCHOVER_IN_PROGRESS") {
            pair.status = Some(members.to_owned());
        }
    }
    let deployment = deployment.clone();
    account.event(
        "RDS-EVENT-0249",
        "blue-green-deployment",
        id,
        "failure",
        format!("Switchover canceled on blue/green deployment due to {reason}."),
    );
    for pair in deployment.members {
        let Some(target) = pair.target else {
            continue;
        };
        let (kind, blue) = kind_and_id(account, &pair.source);
        let (_, green) = kind_and_id(account, &target);
        let (event, source_type, what) = match kind {
            "cluster" => ("RDS-EVENT-0261", "db-cluster", "DB cluster"),
            _ => ("RDS-EVENT-0252", "db-instance", "DB instance"),
        };
        account.event(
            event,
            source_type,
            &blue,
            "failure",
            format!("Switchover from {what} {blue} to {green} was canceled due to {reason}."),
        );
    }
}
