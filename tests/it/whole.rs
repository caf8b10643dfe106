//! The upgrade around the switchover, end to end on real servers: prepare, create, clean up, each also with a fault in its way.

use std::{collections::BTreeSet, time::Duration};

use greenlight::{
    model::Engine,
    permissions::{self, Purpose},
};
use sandbox::{Effect, Sandbox, Scenario};
use serde_json::Value;

use crate::cli::{Ran, greenlight};

mod alone;
mod asked;
mod cleanup;
mod create;
mod instance;
mod moto;
mod prepare;

/// What a story is told of.
pub(crate) struct Of {
    engine: Engine,
    /// `--cluster main-cluster`
    subject: &'static str,
    target: &'static str,
    /// Green's group, which the scenario has.
    group: &'static str,
    /// The calls about its parameter groups: making, setting, giving it to blue.
    parameters: [&'static str; 3],
    /// Reboots and failovers that bring them into force.
    reboots: (usize, usize),
}

const CLUSTER: Of = Of {
    engine: Engine::Aurora,
    subject: "--cluster main-cluster",
    target: "14.10",
    group: "main-cluster-params-14",
    parameters: [
        "CreateDBClusterParameterGroup",
        "ModifyDBClusterParameterGroup",
        "ModifyDBCluster",
    ],
    reboots: (2, 1),
};

const LOST: Effect = Effect::LostAfter;

/// The guide's cluster on a version that blue/green knows, with nothing in its way but what prepare is for.
pub(crate) fn cluster() -> Scenario {
    let mut scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    scenario.deployment.clear();
    scenario.cluster[0].load = None;
    // A name that RDS's precheck refuses.
    scenario.cluster[0]
        .database
        .retain(|database| !database.name.contains('"'));
    scenario
}

fn instance() -> Scenario {
    let mut scenario = Scenario::load("rds-instance").expect("a built-in scenario");
    scenario.instance[0].load = None;
    scenario
}

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    here: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self::with(scenario, sandbox::Options::default())
    }

    fn with(scenario: Scenario, options: sandbox::Options) -> Self {
        let sandbox = Sandbox::start_blocking(scenario, options).expect("the scenario is valid");
        Self {
            sandbox,
            here: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        let env = self.sandbox.env();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let args: Vec<&str> = line.split(' ').collect();
        let ran = greenlight(self.here.path(), &args, &env);
        if std::env::var_os("SHOW").is_some() {
            eprintln!(
                "$ greenlight {line}\n{}{}(exit {})\n",
                ran.stdout, ran.stderr, ran.code
            );
        }
        ran
    }

    /// Begins it, and lets it go on by itself.
    fn begin(&self, line: &str) -> std::process::Child {
        std::process::Command::new(env!("CARGO_BIN_EXE_greenlight"))
            .args(line.split(' '))
            .current_dir(self.here.path())
            .env_clear()
            .envs(self.sandbox.env())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs")
    }

    /// Waits until an action was called so often.
    fn until_called(&self, action: &str, times: usize) {
        for _ in 0..1200 {
            if self.sandbox.calls().of(action).len() >= times {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{action} was not called {times} times within a minute");
    }

    /// Runs it, and holds it to its exit code.
    pub(crate) fn ends(&self, line: &str, code: i32) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, code, "{line}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    fn effects(&self, action: &str) -> usize {
        self.sandbox.calls().effects(action)
    }

    fn fail(&self, action: &str, effect: Effect) {
        self.sandbox.rds().fail_next(action, 1, effect);
    }

    fn forget(&self, journal: &str) {
        std::fs::remove_file(self.here.path().join(journal)).expect("it is there");
    }

    /// Lets pass only what the printed policy of a purpose names.
    fn allow(&self, purpose: Purpose, engine: Engine) {
        self.sandbox.faults().allow_only(actions(purpose, engine));
    }

    fn execute(&self, id: &str, database: &str, sql: &str) {
        let server = self.sandbox.server(id).expect("it has a server");
        sandbox::pg::block_on(server.execute(database, sql)).expect("it can be run");
    }
}

/// The actions of a policy.
fn actions(purpose: Purpose, engine: Engine) -> Vec<String> {
    let policy = permissions::policy(purpose, engine);
    let statements = policy["Statement"].as_array().expect("statements");
    let all = statements
        .iter()
        .flat_map(|s| s["Action"].as_array().expect("actions"));
    all.filter_map(|a| a.as_str()?.strip_prefix("rds:").map(str::to_owned))
        .collect()
}

/// What the policies name beyond the calls that were made is what RDS asks of the caller for its own doing, or what only
/// some databases need.
fn only_what_is_used(stage: &Stage, engine: Engine) {
    let calls = stage.sandbox.calls().all();
    let used: BTreeSet<String> = calls.into_iter().map(|call| call.action).collect();
    let not_ours = [
        "AddTagsToResource",
        "CreateDBCluster",
        "CreateDBClusterEndpoint",
        "CreateDBInstance",
        "CreateDBInstanceReadReplica",
        "DeleteDBClusterEndpoint",
    ];
    for purpose in [Purpose::Prepare, Purpose::Create, Purpose::Cleanup] {
        for action in actions(purpose, engine) {
            let looking = action.starts_with("Describe") && !action.ends_with("Snapshots");
            let sometimes =
                purpose == Purpose::Prepare && engine == Engine::Aurora && action == "ModifyDBParameterGroup";
            let known = used.contains(&action) || not_ours.contains(&action.as_str());
            assert!(
                looking || sometimes || known,
                "{purpose:?} names {action}, which is never called"
            );
        }
    }
}

const PREPARE: &str = "prepare --cluster main-cluster --target-version 14.10";

const QUICK: &str = "--poll 1 --reconcile-for 2 --only replica-identity --lag-samples 1";

const CREATE: &str = "create --cluster main-cluster --target-version 14.10 --target-parameter-group main-cluster-params-14 \
                      --name to-14 --yes";
const JOURNAL: &str = "greenlight-create-to-14.journal";

/// Switches over as RDS does, without greenlight.
fn switch_over(stage: &Stage, name: &str) {
    let rds = stage.sandbox.rds();
    let id = rds.deployment(name).expect("it is there").id;
    sandbox::pg::block_on(async {
        let client = crate::rds_collect::client(&stage.sandbox).await;
        let sent = client
            .switchover_blue_green_deployment()
            .blue_green_deployment_identifier(&id)
            .send();
        sent.await.expect("it is ready");
        let over = rds.until(Duration::from_secs(60), |account| {
            account.deployments[&id].status == "SWITCHOVER_COMPLETED"
        });
        assert!(over.await, "it completes");
    });
}

/// The verification is that of the checks, and theirs are tested elsewhere.
const VERIFY: &str = "--only version-in-force,production-writable --poll 1 --reconcile-for 2 --lag-samples 1";

#[test]
fn an_instance_is_created_and_cleaned_up_with_exactly_the_rights_of_the_policy() {
    let mut scenario = instance();
    scenario.instance[0].parameter_group = None;
    let stage = Stage::new(scenario);
    let allow = |purpose| stage.allow(purpose, Engine::Rds);
    allow(Purpose::Prepare);
    stage.ends(
        "prepare --instance shop --target-version 16.6 --apply --reboot --yes",
        0,
    );
    let create =
        "create --instance shop --target-version 16.6 --target-parameter-group shop-16 --name shop-16 --yes";
    let refused = stage.ends(&format!("{create} {QUICK} --format json"), 20);
    assert!(refused.stderr.contains("AccessDenied"), "{}", refused.stderr);
    let last = events(&refused).pop().expect("events");
    assert_eq!((&last["event"], &last["exit_code"]), (&"end".into(), &20.into()));
    assert!(
        last["text"]
            .as_str()
            .is_some_and(|text| text.contains("AccessDenied"))
    );
    stage.forget("greenlight-create-shop-16.journal");
    allow(Purpose::Create);
    let created = stage.ends(&format!("{create} {QUICK} --format json"), 0);
    let events = events(&created);
    let kinds: Vec<&str> = events.iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(kinds[..3], ["checked", "begun", "answered"], "{kinds:?}");
    assert!(
        kinds.contains(&"seen") && kinds.contains(&"available"),
        "{kinds:?}"
    );
    assert_eq!(events[0]["report"]["verdict"], "ready");
    assert_eq!(events[1]["tasks"][0]["task"], "create");
    assert_eq!(
        events.last().map(|e| (&e["event"], &e["exit_code"])),
        Some((&"end".into(), &0.into()))
    );
    stage.sandbox.faults().allow_only(["*"]);
    switch_over(&stage, "shop-16");
    allow(Purpose::Cleanup);
    let done = stage.ends(
        &format!(
            "cleanup --deployment shop-16 --delete-old --final-snapshot shop-on-13 --yes --format json {VERIFY}"
        ),
        0,
    );
    let ended = ended_tasks(&done);
    assert_eq!(
        ended,
        [
            "snapshot",
            "delete_deployment",
            "delete_instance",
            "delete_instance"
        ]
    );
    assert!(
        done.stderr.contains("the old side are deleted"),
        "{}",
        done.stderr
    );
    let account = stage.sandbox.rds().account();
    assert!(
        account.instances.keys().all(|id| !id.contains("old1")),
        "{:?}",
        account.instances.keys()
    );
    only_what_is_used(&stage, Engine::Rds);
}

/// The lines of `--format json`, each of which is an event of the format that is promised.
fn events(ran: &Ran) -> Vec<Value> {
    let parse =
        |line: &str| -> Value { serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")) };
    let all: Vec<Value> = ran.stdout.lines().map(parse).collect();
    for event in &all {
        assert_eq!(event["schema"], 1, "{event}");
        assert!(
            event["at"].as_str().is_some_and(|at| at.ends_with('Z')),
            "{event}"
        );
    }
    all
}

/// The tasks that ended, by kind.
fn ended_tasks(ran: &Ran) -> Vec<String> {
    let all = events(ran).into_iter().filter(|e| e["event"] == "ended");
    all.map(|e| e["task"]["task"].as_str().expect("a kind").to_owned())
        .collect()
}
