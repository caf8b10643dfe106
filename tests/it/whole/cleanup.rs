//! What is left is removed: a deployment, an unwanted green, the old side.

use std::path::Path;

use super::{CREATE, Effect, Engine, LOST, Purpose, QUICK, Stage, VERIFY, cluster, switch_over};
use crate::cli::greenlight;

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
