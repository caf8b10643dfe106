//! The old side whose deployment somebody deleted first: found by its name, and deleted only where production certainly stands.

use sandbox::{ClusterSpec, InstanceSpec, Scenario};

use super::{Purpose, QUICK, Stage, VERIFY, cluster, switch_over};

const HOW: &str = "--delete-old --no-final-snapshot --yes --poll 1 --reconcile-for 2";

/// An account without servers.
fn account() -> Stage {
    let cluster = |id: &str, version: &str, members: &[&str]| ClusterSpec {
        id: id.to_owned(),
        version: version.to_owned(),
        instances: members.iter().map(|m| (*m).to_owned()).collect(),
        ..ClusterSpec::default()
    };
    let instance = |id: &str, version: &str| InstanceSpec {
        id: id.to_owned(),
        version: version.to_owned(),
        ..InstanceSpec::default()
    };
    let clusters = vec![
        cluster("main", "14.10", &["main-1"]),
        cluster("main-old1", "12.17", &[]),
        cluster("busy", "14.10", &["busy-1"]),
        cluster("busy-old1", "12.17", &["busy-1-old1"]),
        cluster("orphan-old1", "12.17", &["orphan-1-old1"]),
        cluster("back", "12.17", &["back-1"]),
        cluster("back-old1", "14.10", &["back-1-old1"]),
        ClusterSpec {
            read_replicas: vec!["arn:aws:rds:us-east-1:123456789012:cluster:far".to_owned()],
            ..cluster("wide-old1", "12.17", &["wide-1-old1"])
        },
        cluster("wide", "14.10", &["wide-1"]),
    ];
    let mut replicated = instance("shop-old1", "13.18");
    replicated.replicas = vec!["reports".to_owned()];
    let scenario = Scenario {
        cluster: clusters,
        instance: vec![instance("shop", "16.6"), replicated],
        ..Scenario::default()
    };
    Stage::new(scenario)
}

#[test]
fn an_old_side_alone_is_refused_wherever_it_may_be_wanted() {
    let stage = account();
    for (which, code, told) in [
        ("--cluster main", 20, "greenlight deletes nothing else"),
        ("--cluster gone-old1", 3, "there is no cluster gone-old1"),
        ("--cluster orphan-old1", 20, "may be the only copy"),
        ("--cluster back-old1", 20, "production, back, runs 12.17"),
        ("--cluster wide-old1", 10, "cluster:far replicates from it"),
        ("--instance shop-old1", 10, "reports replicates from it"),
        ("--instance busy-1-old1", 20, "is a member of a cluster"),
        // Nothing listens there: what uses it cannot be seen.
        ("--cluster busy-old1", 11, "cannot be seen"),
    ] {
        let ran = stage.ends(&format!("cleanup {which} {HOW}"), code);
        let said = ran.stderr.replace('\n', " ");
        assert!(said.contains(told), "{which}: {told}\n{said}");
    }
    for (line, told) in [
        ("cleanup --cluster main-old1 --yes", "--delete-old"),
        (
            "cleanup --cluster main-old1 --delete-old --yes",
            "--final-snapshot",
        ),
        ("cleanup --yes", "--deployment"),
        (
            "cleanup --cluster main-old1 --unwanted --yes",
            "cannot be used with",
        ),
    ] {
        let ran = stage.ends(line, 2);
        assert!(ran.stderr.contains(told), "{line}: {}", ran.stderr);
    }
    for action in ["DeleteDBCluster", "DeleteDBInstance"] {
        assert_eq!(stage.sandbox.calls().of(action).len(), 0, "{action}");
    }

    // Without members there is nothing to connect to, and nothing to be used.
    let done = stage.ends(&format!("cleanup --cluster main-old1 {HOW}"), 0);
    assert!(
        done.stderr.contains("DONE  the old side is deleted"),
        "{}",
        done.stderr
    );
    let account = stage.sandbox.rds().account();
    assert!(account.clusters.contains_key("main") && !account.clusters.contains_key("main-old1"));
}

#[test]
fn an_old_side_is_deleted_after_its_deployment_was_deleted_by_hand() {
    let stage = Stage::new(cluster());
    stage.ends(&format!("{} {QUICK}", super::CREATE), 0);
    switch_over(&stage, "to-14");
    stage.allow(Purpose::Cleanup, super::Engine::Aurora);
    let cleanup = "cleanup --cluster main-cluster-old1 --delete-old --final-snapshot main-on-12 --yes --poll 1 --reconcile-for 2";
    let refused = stage.ends(cleanup, 20);
    assert!(
        refused.stderr.contains("is in deployment to-14"),
        "{}",
        refused.stderr
    );
    stage.ends(&format!("cleanup --deployment to-14 --yes {VERIFY}"), 0);

    let slot = "select pg_create_logical_replication_slot('cdc', 'pgoutput')";
    stage.execute("main-cluster-old1", "main", slot);
    let used = stage.ends(cleanup, 10);
    assert!(used.stderr.contains("replication slot cdc"), "{}", used.stderr);
    let drop = "select pg_drop_replication_slot('cdc')";
    stage.execute("main-cluster-old1", "main", drop);

    stage.fail("DeleteDBInstance", super::Effect::Throttle);
    stage.ends(cleanup, 20);
    let done = stage.ends(
        "cleanup --cluster main-cluster-old1 --resume --poll 1 --reconcile-for 2",
        0,
    );
    assert!(
        done.stderr.contains("DONE  the old side is deleted"),
        "{}",
        done.stderr
    );
    let account = stage.sandbox.rds().account();
    let clusters: Vec<&String> = account.clusters.keys().collect();
    assert_eq!(clusters, ["main-cluster"], "production stays");
    assert_eq!(account.snapshots["main-on-12"].status, "available");
}
