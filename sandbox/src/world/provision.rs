//! Creation of a deployment: green comes into being, task by task.
//!
//! The call answers `PROVISIONING`; then the tasks run one after another, and the deployment ends `AVAILABLE`, or
//! `INVALID_CONFIGURATION` with the failed task, an event and, for a failed upgrade, a precheck log on green.
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-creating.html>

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    World,
    account::{Account, Deployment, LogFile, Replication},
    checks::{Plan, too_low},
    databases::Link,
    green::{draft, make_green},
    guardrails,
    pace::Step,
    physical,
};
use crate::{copy, pg, replicate};

/// How long setting replication up may take.
const ESTABLISH: Duration = Duration::from_secs(120);

pub(super) const READ_REPLICA: &str = "CREATING_READ_REPLICA_OF_SOURCE";
pub(super) const UPGRADE: &str = "DB_ENGINE_VERSION_UPGRADE";
pub(super) const INSTANCES: &str = "CREATE_DB_INSTANCES_FOR_CLUSTER";
pub(super) const TOPOLOGY: &str = "CREATING_TOPOLOGY_OF_SOURCE";
pub(super) const BACKUPS: &str = "CONFIGURE_BACKUPS";

/// A creation that failed: which task, and why.
struct Failure {
    task: &'static str,
    reason: String,
    log: Option<String>,
}

impl World {
    /// Enters the deployment into the account and lets its tasks run.
    pub(crate) fn begin_deployment(self: &Arc<Self>, plan: Plan) -> Deployment {
        let deployment = self.edit(|account| {
            let deployment = draft(account, &plan);
            account
                .deployments
                .insert(deployment.id.clone(), deployment.clone());
            deployment
        });
        let world = Arc::clone(self);
        let id = deployment.id.clone();
        self.spawn(async move { world.provision(id, plan).await });
        deployment
    }

    async fn provision(self: Arc<Self>, id: String, plan: Plan) {
        let done = self.tasks_of(&id, &plan).await;
        if done.is_err() {
            // Green stays as far as it came, so that its logs can be read and it can be deleted with the deployment.
            self.edit(|account| account.settle_green(&id));
            if let Err(error) = self.open_endpoints().await {
                tracing::warn!(%error, "an endpoint could not be opened");
            }
        }
        self.edit(|account| match done {
            Ok(()) => {
                set_status(account, &id, "AVAILABLE", None);
                account.event(
                    "RDS-EVENT-0244",
                    "blue-green-deployment",
                    &id,
                    "creation",
                    "Blue/green deployment tasks completed. You can make more modifications to the green environment \
                     databases or switch over the deployment.",
                );
            }
            Err(failure) => fail(account, &id, &failure),
        });
    }

    async fn tasks_of(&self, id: &str, plan: &Plan) -> Result<(), Failure> {
        self.begin_task(id, READ_REPLICA).await;
        self.look_at_blue(id, plan).await?;
        let green = self.edit(|account| {
            let green = make_green(account, id, plan);
            // A cluster's writer comes with it; the readers follow when its version is right.
            if green.cluster {
                green.make_members(account, id, plan, true);
            }
            green
        });
        let upgrades = self.version_changes(id, plan);
        if !upgrades {
            self.build_green(id, plan, READ_REPLICA).await?;
        }
        self.end_task(id, READ_REPLICA);
        if upgrades {
            self.begin_task(id, UPGRADE).await;
            self.build_green(id, plan, UPGRADE).await?;
            self.end_task(id, UPGRADE);
        }
        if green.cluster || green.replicas > 0 {
            let task = if green.cluster { INSTANCES } else { TOPOLOGY };
            self.begin_task(id, task).await;
            self.edit(|account| green.make_members(account, id, plan, false));
            self.end_task(id, task);
        }
        self.begin_task(id, BACKUPS).await;
        self.edit(|account| green.finish(account, id));
        let opened = self.open_endpoints().await;
        opened.map_err(|error| Failure::of(BACKUPS, error))?;
        self.end_task(id, BACKUPS);
        Ok(())
    }

    /// Green's server: of the target's major, with everything that blue has, and fed by blue from then on.
    ///
    /// RDS clones blue and runs `pg_upgrade` on the clone; here the objects are created anew, and what the new major
    /// does not take is the failed upgrade.
    async fn build_green(&self, id: &str, plan: &Plan, task: &'static str) -> Result<(), Failure> {
        let Some(databases) = self.databases() else {
            return Ok(());
        };
        let failed = |error: pg::Error| Failure::of(task, error);
        let (source, target) = self.read(|account| {
            let found = account.deployments.get(id);
            let source = found.map(|found| found.source_resource.clone());
            (source, found.and_then(|found| found.target_resource.clone()))
        });
        let (Some(source), Some(target)) = (source, target) else {
            return Ok(());
        };
        let (Some(blue), Some((major, settings))) = (self.server(&source), self.settings_of(&target)) else {
            return Ok(());
        };
        if plan.replication == Replication::Physical {
            let green = databases
                .start_standby(id, &blue, &target, settings)
                .await
                .map_err(failed)?;
            return physical::wait_caught_up(&blue, &green, ESTABLISH)
                .await
                .map_err(failed);
        }
        let fingerprint = guardrails::fingerprint(&blue).await.map_err(failed)?;
        let green = databases.start(&target, major, settings).await.map_err(failed)?;
        let copied = copy::copy(&blue, &green).await.map_err(failed)?;
        if !copied.failures.is_empty() {
            let log = precheck_log(&copied.failures);
            return Err(Failure {
                task,
                reason: "the upgrade precheck failed; see pg_upgrade_precheck.log of the green environment"
                    .to_owned(),
                log: Some(log),
            });
        }
        let replication = replicate::establish(&blue, &green, &databases.roles.replication, ESTABLISH)
            .await
            .map_err(failed)?;
        // AVAILABLE means that green follows, in every database.
        let caught_up = replication.wait_caught_up(ESTABLISH).await;
        caught_up.map_err(failed)?;
        databases.connect(
            id,
            Link {
                replication,
                fingerprint,
            },
        );
        Ok(())
    }

    fn version_changes(&self, id: &str, plan: &Plan) -> bool {
        self.read(|account| {
            let source = account
                .deployments
                .get(id)
                .map(|found| found.source_resource.clone())
                .unwrap_or_default();
            let version = account
                .cluster_by_resource(&source)
                .map(|found| found.engine_version.clone())
                .or_else(|| {
                    let mut instances = account.instances.values();
                    let found = instances.find(|found| found.resource_id == source);
                    found.map(|found| found.engine_version.clone())
                });
            version.as_deref() != Some(plan.target_version.as_str())
        })
    }

    async fn begin_task(&self, id: &str, task: &str) {
        self.edit(|account| set_task(account, id, task, "IN_PROGRESS"));
        self.pace.step(Step::Task).await;
    }

    fn end_task(&self, id: &str, task: &str) {
        self.edit(|account| set_task(account, id, task, "COMPLETED"));
    }

    /// What RDS notices only once it works on green: other consumers of blue's log, and parameters that are too low.
    async fn look_at_blue(&self, id: &str, plan: &Plan) -> Result<(), Failure> {
        if plan.replication == Replication::Physical {
            return Ok(());
        }
        let blue = self.read(|account| {
            account
                .deployments
                .get(id)
                .map(|found| found.source_resource.clone())
        });
        let blue = blue.unwrap_or_default();
        let (databases, external) = match self.server(&blue) {
            None => (self.read(|account| account.database_count(&blue)), Vec::new()),
            Some(server) => {
                let failed = |error: pg::Error| Failure::of(READ_REPLICA, error);
                let external = guardrails::external_replication(&server).await.map_err(failed)?;
                let databases = guardrails::databases(&server).await.map_err(failed)?;
                (databases.len(), external)
            }
        };
        let failed = |reason| Failure {
            task: READ_REPLICA,
            reason,
            log: None,
        };
        if !external.is_empty() {
            return Err(failed(format!(
                "there is external replication on the blue primary instance: {}",
                external.join(", ")
            )));
        }
        let low = self.read(|account| match account.running(&blue) {
            Some((_, _, in_effect)) => too_low(in_effect, databases, external.len()),
            None => Vec::new(),
        });
        if low.is_empty() {
            return Ok(());
        }
        Err(failed(format!(
            "Creation of blue/green deployment failed due to incompatible parameter(s): [{}]",
            low.join(", ")
        )))
    }
}

impl Failure {
    fn of(task: &'static str, error: impl std::fmt::Display) -> Self {
        Self {
            task,
            reason: error.to_string(),
            log: None,
        }
    }
}

/// The log that RDS leaves on green when `pg_upgrade --check` finds something.
fn precheck_log(failures: &[copy::Failure]) -> String {
    let mut log = String::from("Upgrade could not be run. The following objects can't be upgraded:\n");
    for failure in failures {
        let database = failure.database.as_deref().unwrap_or("(all databases)");
        log.push_str(&format!(
            "------------------------------------------------------------------\nDatabase: {database}\nObject: {}\nError: \
             {}\nStatement: {}\n",
            failure.object, failure.error, failure.statement
        ));
    }
    log
}

impl Account {
    /// Makes `available` what a creation that failed has left `creating`.
    fn settle_green(&mut self, id: &str) {
        let targets: Vec<String> = self
            .deployments
            .get(id)
            .into_iter()
            .flat_map(|deployment| &deployment.members)
            .filter_map(|pair| pair.target.clone())
            .collect();
        for target in targets {
            if let Some(cluster) = self.cluster_mut(&target) {
                "available".clone_into(&mut cluster.status);
            }
            if let Some(instance) = self.instance_mut(&target) {
                "available".clone_into(&mut instance.status);
            }
        }
    }

    /// How many databases the scenario gave the resource, for worlds without servers.
    fn database_count(&self, resource_id: &str) -> usize {
        if let Some(cluster) = self.cluster_by_resource(resource_id) {
            return cluster.databases.len();
        }
        let mut instances = self.instances.values();
        instances
            .find(|found| found.resource_id == resource_id)
            .map_or(0, |found| found.databases.len())
    }
}
fn set_task(account: &mut Account, id: &str, task: &str, status: &str) {
    if let Some(deployment) = account.deployments.get_mut(id) {
        for found in deployment.tasks.iter_mut().filter(|found| found.name == task) {
            status.clone_into(&mut found.status);
        }
    }
}

pub(super) fn set_status(account: &mut Account, id: &str, status: &str, details: Option<String>) {
    if let Some(deployment) = account.deployments.get_mut(id) {
        status.clone_into(&mut deployment.status);
        deployment.status_details = details;
    }
}

fn fail(account: &mut Account, id: &str, failure: &Failure) {
    set_task(account, id, failure.task, "FAILED");
    set_status(account, id, "INVALID_CONFIGURATION", Some(failure.reason.clone()));
    account.event(
        "RDS-EVENT-0245",
        "blue-green-deployment",
        id,
        "failure",
        format!(
            "Creation of blue/green deployment failed because {}",
            failure.reason
        ),
    );
    let target = account
        .deployments
        .get(id)
        .and_then(|deployment| deployment.target_resource.clone());
    if let (Some(text), Some(target)) = (&failure.log, target) {
        write_log(account, &target, "error/pg_upgrade_precheck.log", text);
    }
}

/// Puts a log file on the writer of a cluster, or on an instance.
pub(super) fn write_log(account: &mut Account, resource_id: &str, name: &str, text: &str) {
    let writer = account
        .cluster_by_resource(resource_id)
        .and_then(|cluster| account.writer(cluster))
        .map(|writer| writer.resource_id.clone())
        .unwrap_or_else(|| resource_id.to_owned());
    let log = LogFile {
        written: Timestamp::now(),
        text: text.to_owned(),
    };
    for instance in account
        .instances
        .values_mut()
        .filter(|found| found.resource_id == writer)
    {
        instance.logs.insert(name.to_owned(), log.clone());
    }
}
