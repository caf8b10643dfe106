//! Parameter groups made ready, and what waits for a reboot rebooted.

use serde_json::Value;

use super::{CLUSTER, CREATE, Effect, LOST, Of, PREPARE, Purpose, QUICK, Scenario, Stage, cluster, instance};

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

pub(super) fn prepared_through_faults(stage: &Stage, of: &Of) {
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
