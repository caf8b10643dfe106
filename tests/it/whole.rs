//! The upgrade around the switchover, end to end on real servers: prepare, create, clean up, each also with a fault in its way.

use std::{collections::BTreeSet, path::Path, time::Duration};

use greenlight::{
    model::Engine,
    permissions::{self, Purpose},
};
use sandbox::{Effect, Sandbox, Scenario};
use serde_json::Value;

use crate::cli::{Ran, greenlight};

mod alone;
mod asked;
mod instance;
mod moto;

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

#[test]
fn a_cluster_is_prepared_and_a_second_run_finds_nothing() {
    let mut scenario = cluster();
    scenario.cluster[0].parameter_group = None;
    let stage = Stage::new(scenario);
    let first = stage.ends(PREPARE, 10);
    for told in [
        "main-cluster-aurora-postgresql12 (aurora-postgresql12), to be made",
        "rds.logical_replication",
        "main-cluster gets it instead of default.aurora-postgresql12",
        "main-cluster-pg14 (aurora-postgresql14), to be made",
        "2. failover to db-cluster2",
        "3. db-cluster1, the writer until then",
        "aws rds create-db-cluster-parameter-group",
    ] {
        assert!(first.stdout.contains(told), "{told}\n{}", first.stdout);
    }
    assert_eq!(stage.effects("ModifyDBClusterParameterGroup"), 0);
    assert_eq!(
        stage
            .ends(&format!("{PREPARE} --apply"), 2)
            .stdout
            .matches("PREPARE")
            .count(),
        1
    );

    // The groups first, then the reboots, then nothing is left.
    stage.ends(&format!("{PREPARE} --apply --yes"), 10);
    assert_eq!(stage.effects("CreateDBClusterParameterGroup"), 2);
    assert_eq!(
        (
            stage.effects("ModifyDBCluster"),
            stage.effects("RebootDBInstance")
        ),
        (1, 0)
    );
    let second = stage.ends(&format!("{PREPARE} --apply --reboot --yes"), 0);
    assert!(second.stderr.contains("DONE"), "{}", second.stderr);
    assert_eq!(
        (
            stage.effects("CreateDBClusterParameterGroup"),
            stage.effects("FailoverDBCluster")
        ),
        (2, 1)
    );
    let order: Vec<String> = stage
        .sandbox
        .calls()
        .all()
        .iter()
        .filter(|call| matches!(call.action.as_str(), "RebootDBInstance" | "FailoverDBCluster"))
        .map(|call| format!("{} {:?}", call.action, call.params.get("DBInstanceIdentifier")))
        .collect();
    assert_eq!(order.len(), 3, "{order:?}");
    assert!(
        order[0].contains("db-cluster2") && order[2].contains("db-cluster1"),
        "{order:?}"
    );
    let third = stage.ends(PREPARE, 0);
    assert!(
        third.stdout.contains("DONE: nothing is left to do"),
        "{}",
        third.stdout
    );
    stage.ends(&format!("{PREPARE} --apply --reboot --yes"), 0);
    assert_eq!(stage.effects("ModifyDBClusterParameterGroup"), 2);

    // What prepare has made is what create wants.
    let created = stage.ends(
        "create --cluster main-cluster --target-version 14.10 --target-parameter-group main-cluster-pg14 --yes --poll 1",
        0,
    );
    assert!(created.stderr.contains("has caught up"), "{}", created.stderr);
    let account = stage.sandbox.rds().account();
    let green = account
        .clusters
        .values()
        .find(|c| c.id.contains("-green-"))
        .expect("green");
    assert_eq!(green.parameter_group, "main-cluster-pg14");
}

#[test]
fn faults_stop_prepare_and_the_next_run_does_what_is_left() {
    let mut scenario = cluster();
    scenario.cluster[0].parameter_group = None;
    prepared_through_faults(&Stage::new(scenario), &CLUSTER);
}

fn prepared_through_faults(stage: &Stage, of: &Of) {
    stage.allow(Purpose::Prepare, of.engine);
    let apply = format!(
        "prepare {} --target-version {} --apply --reboot --yes",
        of.subject, of.target
    );
    let [make, set, attach] = of.parameters;
    let mut faults = vec![
        (make, Effect::AccessDenied, 20),
        (make, LOST, 22),
        (set, Effect::Throttle, 20),
        (set, Effect::ErrorAfter, 22),
        (attach, Effect::ErrorBefore, 22),
        (attach, Effect::AccessDenied, 20),
        ("RebootDBInstance", Effect::AccessDenied, 20),
    ];
    let (reboots, failovers) = of.reboots;
    if failovers > 0 {
        faults.push(("FailoverDBCluster", Effect::Throttle, 20));
    }
    for (action, effect, code) in faults {
        stage.fail(action, effect.clone());
        let ran = stage.ends(&apply, code);
        assert!(
            ran.stderr.contains("run it again"),
            "{action} {effect:?}: {}",
            ran.stderr
        );
    }
    // A lost answer of a reboot or a failover is settled by what is seen.
    if failovers > 0 {
        stage.fail("FailoverDBCluster", LOST);
    }
    stage.fail("RebootDBInstance", LOST);
    stage.ends(&apply, 0);
    assert_eq!(stage.effects(make), 2);
    assert_eq!(
        (
            stage.effects("RebootDBInstance"),
            stage.effects("FailoverDBCluster")
        ),
        (reboots, failovers)
    );
}

#[test]
fn an_instance_and_its_replica_are_prepared_together() {
    let mut scenario = instance();
    scenario.instance[0].parameter_group = None;
    let stage = Stage::new(scenario);
    let prepare = "prepare --instance shop --target-version 16.6";
    let first = stage.ends(&format!("{prepare} --format json"), 10);
    let json: Value = serde_json::from_str(&first.stdout).expect("JSON");
    let attached: Vec<&str> = json["blue"][0]["attach"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|a| a["id"].as_str())
        .collect();
    assert_eq!(attached, ["shop", "shop-replica"]);
    stage.ends(&format!("{prepare} --apply --reboot --yes"), 0);
    let reboots = stage.sandbox.calls().of("RebootDBInstance");
    let order: Vec<_> = reboots
        .iter()
        .map(|call| call.params["DBInstanceIdentifier"].clone())
        .collect();
    assert_eq!(order, ["shop-replica", "shop"]);
    stage.ends(prepare, 0);
    // A minor upgrade needs nothing of it.
    stage.ends("prepare --instance shop --target-version 13.20", 0);
}

const CREATE: &str = "create --cluster main-cluster --target-version 14.10 --target-parameter-group main-cluster-params-14 \
                      --name to-14 --yes";
const JOURNAL: &str = "greenlight-create-to-14.journal";

#[test]
fn a_creation_is_sent_once_whatever_happens_to_it() {
    let stage = Stage::new(cluster());
    created_through_faults(&stage, &CLUSTER);
    // And the checks know it from then on.
    stage.ends(&format!("{CREATE} --poll 1 --journal other.journal"), 10);
}

fn created_through_faults(stage: &Stage, of: &Of) {
    let create = format!(
        "create {} --target-version {} --target-parameter-group {} --name to-14 --yes {QUICK}",
        of.subject, of.target, of.group
    );
    for effect in [Effect::AccessDenied, Effect::Throttle] {
        stage.fail("CreateBlueGreenDeployment", effect);
        let refused = stage.ends(&create, 20);
        assert!(refused.stderr.contains("RDS refused"), "{}", refused.stderr);
        stage.ends(&create, 2);
        stage.forget(JOURNAL);
    }
    // A request that vanished is looked for, and not sent again: neither by this run nor by the next.
    stage.fail("CreateBlueGreenDeployment", Effect::LostBefore);
    let unknown = stage.ends(&create, 22);
    assert!(unknown.stderr.contains("is not known"), "{}", unknown.stderr);
    let again = stage.ends(&format!("create --resume --name to-14 {QUICK}"), 22);
    assert!(again.stderr.contains("not sent again"), "{}", again.stderr);
    assert_eq!(stage.sandbox.calls().of("CreateBlueGreenDeployment").len(), 3);
    stage.forget(JOURNAL);
    // One whose answer is lost is found.
    stage.fail("CreateBlueGreenDeployment", Effect::ErrorAfter);
    let found = stage.ends(&create, 0);
    assert!(
        found.stderr.contains("no answer") && found.stderr.contains("has caught up"),
        "{}",
        found.stderr
    );
    assert_eq!(stage.effects("CreateBlueGreenDeployment"), 1);
    // Taken up again there is nothing to send.
    stage.ends(&format!("create --resume --name to-14 {QUICK}"), 0);
    assert_eq!(stage.effects("CreateBlueGreenDeployment"), 1);
}

#[test]
fn interrupted_and_killed_a_creation_is_taken_up() {
    let options = sandbox::Options {
        speed: sandbox::Speed::Manual,
        ..sandbox::Options::default()
    };
    let stage = Stage::with(cluster(), options);
    // Nothing goes on at RDS until it is let: the first run waits, and is interrupted.
    let first = stage.begin(&format!("{CREATE} {QUICK}"));
    stage.until_called("CreateBlueGreenDeployment", 1);
    let looks = || stage.sandbox.calls().of("DescribeBlueGreenDeployments").len();
    stage.until_called("DescribeBlueGreenDeployments", looks() + 2);
    let sent = std::process::Command::new("kill")
        .args(["-INT", &first.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
    let first = first.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&first.stderr).replace('\n', " ");
    assert_eq!(first.status.code(), Some(130), "{said}");
    assert!(said.contains("goes on") && said.contains("--resume"), "{said}");

    // The second is killed while it waits.
    let resume = format!("create --resume --name to-14 {QUICK}");
    let before = looks();
    let mut second = stage.begin(&resume);
    stage.until_called("DescribeBlueGreenDeployments", before + 2);
    second.kill().expect("it runs");
    second.wait().expect("it ends");

    let stop = std::sync::atomic::AtomicBool::new(false);
    let third = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                stage.sandbox.rds().advance(1);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let third = stage.run(&resume);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        third
    });
    assert_eq!(third.code, 0, "{}", third.stderr);
    assert!(third.stderr.contains("has caught up"), "{}", third.stderr);
    assert_eq!(stage.sandbox.calls().of("CreateBlueGreenDeployment").len(), 1);
}

#[test]
fn what_is_not_ready_is_not_created() {
    let mut scenario = cluster();
    scenario.cluster[0].pending_reboot = true;
    let stage = Stage::new(scenario);
    let ran = stage.ends(CREATE, 10);
    assert!(
        ran.stdout.contains("pending-reboot") && ran.stderr.contains("nothing was created"),
        "{}",
        ran.stdout
    );
    assert!(!stage.here.path().join(JOURNAL).exists());
    assert_eq!(stage.sandbox.calls().of("CreateBlueGreenDeployment").len(), 0);
}

#[test]
fn a_creation_that_fails_is_explained_and_removed() {
    let stage = Stage::new(cluster());
    // The upgrade of green refuses what the checks are told not to look at.
    stage.execute(
        "main-cluster",
        "main",
        "create table old (id int primary key, t regproc)",
    );
    let failed = stage.ends(&format!("{CREATE} {QUICK}"), 21);
    for told in [
        "INVALID_CONFIGURATION",
        "DB_ENGINE_VERSION_UPGRADE",
        "cleanup --deployment to-14 --unwanted --delete-target",
    ] {
        assert!(
            failed.stderr.replace('\n', " ").contains(told),
            "{told}\n{}",
            failed.stderr
        );
    }
    let gone = stage.ends(
        "cleanup --deployment to-14 --unwanted --delete-target --yes --poll 1",
        0,
    );
    assert!(gone.stderr.contains("no logical slot is left"), "{}", gone.stderr);
    let account = stage.sandbox.rds().account();
    assert!(account.deployments.is_empty());
    assert!(
        !account.clusters.keys().any(|id| id.contains("green")),
        "{:?}",
        account.clusters.keys()
    );
}

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
fn an_unwanted_deployment_goes_and_green_may_stay() {
    let stage = Stage::new(cluster());
    stage.ends(&format!("{CREATE} {QUICK}"), 0);
    let cleanup = "cleanup --deployment to-14 --yes --poll 1 --reconcile-for 2";
    // Without saying so nothing that was not switched over is removed.
    let refused = stage.ends(cleanup, 20);
    assert!(
        refused.stderr.contains("AVAILABLE, not switched over"),
        "{}",
        refused.stderr
    );
    let slot = "select pg_create_logical_replication_slot('left_behind', 'pgoutput')";
    stage.execute("main-cluster", "main", slot);
    stage.fail("DeleteBlueGreenDeployment", Effect::LostBefore);
    stage.ends(&format!("{cleanup} --unwanted"), 22);
    stage.ends(&format!("{cleanup} --resume"), 22);
    assert_eq!(stage.effects("DeleteBlueGreenDeployment"), 0);
    stage.forget("greenlight-cleanup-to-14.journal");
    stage.fail("DeleteBlueGreenDeployment", Effect::ErrorAfter);
    let done = stage.ends(&format!("{cleanup} --unwanted"), 0);
    for told in [
        "green is a database of its own",
        "pg_drop_replication_slot('left_behind')",
    ] {
        assert!(done.stderr.contains(told), "{told}\n{}", done.stderr);
    }
    assert_eq!(stage.effects("DeleteBlueGreenDeployment"), 1);
    let account = stage.sandbox.rds().account();
    assert!(
        account.clusters.keys().any(|id| id.contains("-green-")),
        "{:?}",
        account.clusters.keys()
    );
}

#[test]
fn the_guides_cluster_is_prepared_as_it_is() {
    let mut scenario = Scenario::load("guide").expect("a built-in scenario");
    scenario.cluster[0].load = None;
    let stage = Stage::new(scenario);
    let first = stage.ends(PREPARE, 10);
    for told in [
        "main-cluster-params has what a deployment needs",
        "begins with an upgrade in place from 12.14 to 12.17",
    ] {
        assert!(
            first.stdout.replace("\n  ", " ").contains(told),
            "{told}\n{}",
            first.stdout
        );
    }
    let done = stage.ends(&format!("{PREPARE} --apply --reboot --yes"), 0);
    assert!(
        done.stderr
            .contains("next: greenlight create --cluster main-cluster"),
        "{}",
        done.stderr
    );
    let json = stage.ends(&format!("{PREPARE} --format json"), 0);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        (&json["done"], &json["schema"]),
        (&Value::Bool(true), &Value::from(1))
    );
}

#[test]
fn a_server_that_does_not_run_with_its_group_is_rebooted_although_rds_shows_nothing() {
    let stage = Stage::new(cluster());
    // The server was started without its group's values, and RDS says that all is in sync.
    stage.execute(
        "main-cluster",
        "postgres",
        "alter system set max_logical_replication_workers = 2",
    );
    let server = stage.sandbox.server("main-cluster").expect("it has a server");
    sandbox::pg::block_on(server.restart::<String, String>([])).expect("it restarts");
    let first = stage.ends(PREPARE, 10);
    let told = "max_logical_replication_workers is 2 on the server";
    assert!(
        first.stdout.contains(told) && first.stdout.contains("reboot 1 instance"),
        "{}",
        first.stdout
    );
    // Here a reboot does not help, and that is said.
    let after = stage.ends(&format!("{PREPARE} --apply --reboot --yes"), 21);
    assert!(after.stderr.contains("not in force"), "{}", after.stderr);
    assert_eq!(
        (
            stage.effects("RebootDBInstance"),
            stage.effects("FailoverDBCluster")
        ),
        (1, 1)
    );
}

#[test]
fn while_green_lives_blues_parameters_stay() {
    let stage = Stage::new(cluster());
    stage.ends(&format!("{CREATE} {QUICK}"), 0);
    let refused = stage.ends(&format!("{PREPARE} --apply --yes"), 20);
    assert!(
        refused.stderr.contains("is in deployment to-14"),
        "{}",
        refused.stderr
    );
    assert_eq!(stage.sandbox.calls().of("CreateDBClusterParameterGroup").len(), 0);
}

#[test]
fn the_old_side_of_a_cluster_is_deleted_after_its_snapshot() {
    let stage = Stage::new(cluster());
    let cleanup = format!("cleanup --deployment to-14 --yes {VERIFY}");
    stage.ends(&cleanup, 2);
    stage.allow(Purpose::Create, Engine::Aurora);
    stage.ends(&format!("{CREATE} {QUICK}"), 0);
    stage.sandbox.faults().allow_only(["*"]);
    switch_over(&stage, "to-14");
    stage.allow(Purpose::Cleanup, Engine::Aurora);
    assert!(
        stage
            .ends(&format!("{cleanup} --unwanted"), 20)
            .stderr
            .contains("production")
    );
    stage.ends(&format!("{cleanup} --delete-old"), 2);
    let whole = format!("{cleanup} --delete-old --final-snapshot main-on-12");

    // Protected, and in use: nothing is deleted.
    let protect = |on: bool| {
        stage.sandbox.rds().edit(|account| {
            account
                .clusters
                .get_mut("main-cluster-old1")
                .expect("it is there")
                .deletion_protection = on;
        });
    };
    protect(true);
    assert!(stage.ends(&whole, 20).stderr.contains("--no-deletion-protection"));
    protect(false);
    let slot = "select pg_create_logical_replication_slot('cdc', 'pgoutput')";
    stage.execute("main-cluster-old1", "main", slot);
    let used = stage.ends(&whole, 10);
    assert!(
        used.stderr.contains("replication slot cdc waits for its reader"),
        "{}",
        used.stderr
    );
    stage.execute(
        "main-cluster-old1",
        "main",
        "select pg_drop_replication_slot('cdc')",
    );
    for action in [
        "DeleteBlueGreenDeployment",
        "DeleteDBInstance",
        "DeleteDBCluster",
        "CreateDBClusterSnapshot",
    ] {
        assert_eq!(stage.sandbox.calls().of(action).len(), 0, "{action}");
    }

    // A fault at each step, and the next run goes on from there.
    let resume = format!("cleanup --deployment to-14 --resume {VERIFY}");
    stage.fail("CreateDBClusterSnapshot", Effect::AccessDenied);
    stage.ends(&whole, 20);
    for (action, effect, code) in [
        ("CreateDBClusterSnapshot", Effect::Throttle, 20),
        ("DeleteBlueGreenDeployment", Effect::AccessDenied, 20),
        ("DeleteBlueGreenDeployment", Effect::Throttle, 20),
        ("DeleteDBInstance", Effect::AccessDenied, 20),
        ("DeleteDBCluster", Effect::Throttle, 20),
    ] {
        stage.fail(action, effect);
        stage.ends(&resume, code);
    }
    stage.fail("DeleteDBCluster", LOST);
    let done = stage.ends(&resume, 0);
    assert!(
        done.stderr.contains("the old side are deleted"),
        "{}",
        done.stderr
    );
    for (action, times) in [
        ("CreateDBClusterSnapshot", 1),
        ("DeleteBlueGreenDeployment", 1),
        ("DeleteDBInstance", 2),
        ("DeleteDBCluster", 1),
    ] {
        assert_eq!(stage.effects(action), times, "{action}");
    }
    let deletions = stage.sandbox.calls().of("DeleteBlueGreenDeployment");
    assert!(
        !deletions
            .iter()
            .any(|call| call.params.contains_key("DeleteTarget"))
    );
    let account = stage.sandbox.rds().account();
    let clusters: Vec<&String> = account.clusters.keys().collect();
    assert_eq!(clusters, ["main-cluster"], "production stays");
    assert_eq!(account.snapshots["main-on-12"].status, "available");
}

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

#[test]
fn the_journal_of_other_work_is_not_taken_up() {
    let here = tempfile::tempdir().expect("a folder");
    let path: &Path = here.path();
    let ran = greenlight(path, &["create", "--resume", "--name", "nothing"], &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("greenlight-create-nothing.journal"),
        "{}",
        ran.stderr
    );
    let ran = greenlight(path, &["create", "--cluster", "x"], &[]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--target-version"),
        "{}",
        ran.stderr
    );
    let ran = greenlight(path, &["prepare"], &[]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--cluster or --instance"),
        "{}",
        ran.stderr
    );
}
