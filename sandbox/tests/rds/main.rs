//! The emulated RDS API: its shapes as an independent client reads them, its states, its faults, its servers.

mod client;
mod faults;
mod python;
mod servers;
mod shapes;
mod states;

use std::time::Duration;

use client::call;
use sandbox::{Options, Sandbox, Scenario, Speed};

const SOON: Duration = Duration::from_secs(60);

const CLUSTER: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster";

/// The ready scenario without databases and without its deployment.
fn guide() -> Scenario {
    let mut scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    scenario.servers = false;
    scenario.deployment.clear();
    scenario
}

async fn start(scenario: Scenario) -> Sandbox {
    Sandbox::start(scenario).await.expect("the scenario is valid")
}

async fn manual(scenario: Scenario) -> Sandbox {
    let options = Options {
        speed: Speed::Manual,
        ..Options::default()
    };
    Sandbox::start_with(scenario, options)
        .await
        .expect("the scenario is valid")
}

/// Creates the deployment of the guide and waits until it is settled.
async fn create(sandbox: &Sandbox) -> String {
    let id = call(
        &sandbox.endpoint_url(),
        "CreateBlueGreenDeployment",
        &[
            ("BlueGreenDeploymentName", "main-to-14"),
            ("Source", CLUSTER),
            ("TargetEngineVersion", "14.10"),
            ("TargetDBClusterParameterGroupName", "main-cluster-params-14"),
            ("Tags.Tag.1.Key", "why"),
            ("Tags.Tag.1.Value", "upgrade"),
        ],
    )
    .expect("an answer")
    .ok()
    .first("BlueGreenDeploymentIdentifier");
    settle(sandbox, &id, "AVAILABLE").await;
    id
}

fn create_with(sandbox: &Sandbox, more: &[(&str, &str)]) -> client::Answer {
    let mut fields = vec![("BlueGreenDeploymentName", "one"), ("Source", CLUSTER)];
    fields.extend_from_slice(more);
    call(&sandbox.endpoint_url(), "CreateBlueGreenDeployment", &fields).expect("an answer")
}

/// Waits until a deployment has a status, and says what it has if it does not come to that.
async fn settle(sandbox: &Sandbox, id: &str, status: &str) {
    let so = |account: &sandbox::account::Account| {
        account
            .deployments
            .get(id)
            .is_some_and(|found| found.status == status)
    };
    let settled = sandbox.rds().until(SOON, so).await;
    let account = sandbox.rds().account();
    let events: Vec<_> = account.events.iter().map(|event| event.id).collect();
    let found = account.deployments.get(id);
    assert!(settled, "{status} expected, not {found:?}, after {events:?}");
}

fn messages(sandbox: &Sandbox, id: &'static str) -> Vec<String> {
    let account = sandbox.rds().account();
    let events = account.events.iter().filter(|event| event.id == id);
    events.map(|event| event.message.clone()).collect()
}
