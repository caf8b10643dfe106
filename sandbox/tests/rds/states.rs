//! The state machines, in worlds without databases.

use sandbox::{Scenario, SwitchoverOutcome};

use crate::{CLUSTER, SOON, client::call, create, create_with, guide, manual, messages, settle, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_goes_task_by_task() {
    let sandbox = manual(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let created = call(
        &endpoint,
        "CreateBlueGreenDeployment",
        &[
            ("BlueGreenDeploymentName", "main-to-14"),
            ("Source", CLUSTER),
            ("TargetEngineVersion", "14.10"),
        ],
    )
    .expect("an answer")
    .ok();
    assert_eq!(created.first("BlueGreenDeployment").matches("PENDING").count(), 4);
    assert!(!created.body.contains("<Target>"), "green is not there yet");
    let id = created.first("BlueGreenDeploymentIdentifier");
    let mut seen = Vec::new();
    for step in 0..4 {
        let running = sandbox.rds().until(SOON, |account| {
            let tasks = &account.deployments[&id].tasks;
            tasks[step].status == "IN_PROGRESS" && tasks[..step].iter().all(|task| task.status == "COMPLETED")
        });
        assert!(running.await, "task {step}");
        let answer = call(
            &endpoint,
            "DescribeBlueGreenDeployments",
            &[("BlueGreenDeploymentIdentifier", &id)],
        )
        .expect("an answer")
        .ok();
        seen.push(answer.first("Name"));
        assert!(answer.body.contains("<Status>PROVISIONING</Status>"));
        sandbox.rds().advance(1);
    }
    settle(&sandbox, &id, "AVAILABLE").await;
    let account = sandbox.rds().account();
    let deployment = &account.deployments[&id];
    let green = account
        .cluster_by_resource(deployment.target_resource.as_deref().expect("green is there"))
        .expect("green is a cluster");
    assert!(green.id.starts_with("main-cluster-green-") && green.id.len() == "main-cluster-green-".len() + 6);
    assert_eq!(green.engine_version, "14.10");
    assert_eq!(green.clone_group, account.clusters["main-cluster"].clone_group);
    assert!(green.clone_group.is_some(), "green is a clone");
    // No group was named and the major changes: the default group, without logical replication.
    assert_eq!(green.parameter_group, "default.aurora-postgresql14");
    assert_eq!(deployment.members.len(), 3);
    assert!(
        deployment
            .members
            .iter()
            .all(|pair| pair.status.as_deref() == Some("AVAILABLE"))
    );
    assert_eq!(messages(&sandbox, "RDS-EVENT-0244").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rds_refuses_is_refused() {
    type Change = fn(&mut Scenario);
    let mut target = "14.10";
    let cases: [(&str, Change, &str); 9] = [
        (
            "too old a minor",
            |s| s.cluster[0].version = "12.14".to_owned(),
            "SourceClusterNotSupportedFault",
        ),
        (
            "a managed password",
            |s| s.cluster[0].managed_password = true,
            "SourceClusterNotSupportedFault",
        ),
        (
            "parameters that wait",
            |s| s.cluster[0].pending_reboot = true,
            "SourceClusterNotSupportedFault",
        ),
        (
            "a default group",
            |s| s.cluster[0].parameter_group = None,
            "SourceClusterNotSupportedFault",
        ),
        (
            "a stopped cluster",
            |s| s.cluster[0].status = "stopped".to_owned(),
            "InvalidDBClusterStateFault",
        ),
        (
            "another engine",
            |s| {
                s.cluster[0].engine = "aurora-mysql".to_owned();
                s.cluster[0].version = "8.0".to_owned();
                s.cluster[0].parameter_group = None;
            },
            "SourceClusterNotSupportedFault",
        ),
        (
            "Serverless v1",
            |s| s.cluster[0].engine_mode = "serverless".to_owned(),
            "SourceClusterNotSupportedFault",
        ),
        (
            "a class that 14 does not have",
            |s| s.cluster[0].class = "db.r4.large".to_owned(),
            "InvalidParameterCombination",
        ),
        ("a quota", |s| s.max_instances = 3, "InstanceQuotaExceeded"),
    ];
    for (what, change, code) in cases {
        let mut scenario = guide();
        change(&mut scenario);
        let sandbox = start(scenario).await;
        let answer = create_with(&sandbox, &[("TargetEngineVersion", target)]);
        assert_eq!(answer.first("Code"), code, "{what}: {}", answer.body);
        assert!(sandbox.rds().account().deployments.is_empty(), "{what}");
    }
    let sandbox = start(guide()).await;
    target = "14.7";
    for (what, fields, code) in [
        (
            "an older target",
            [("TargetEngineVersion", target)],
            "InvalidParameterCombination",
        ),
        (
            "a version that is none",
            [("TargetEngineVersion", "14.99")],
            "InvalidParameterCombination",
        ),
        (
            "an absent group",
            [("TargetDBClusterParameterGroupName", "nope")],
            "DBClusterParameterGroupNotFound",
        ),
        (
            "a class",
            [("TargetDBInstanceClass", "db.r6g.large")],
            "InvalidParameterCombination",
        ),
        (
            "a group of the source's family",
            [("TargetDBClusterParameterGroupName", "main-cluster-params")],
            "",
        ),
    ] {
        let answer = create_with(&sandbox, &fields);
        match code {
            // Without another version the group does fit: that creation is one to the same version.
            "" => assert_eq!(answer.status, 200, "{what}: {}", answer.body),
            code => assert_eq!(answer.first("Code"), code, "{what}: {}", answer.body),
        }
    }
    let again = create_with(&sandbox, &[]);
    assert_eq!(
        again.fault(),
        (400, "BlueGreenDeploymentAlreadyExistsFault".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_too_low_fail_the_creation_later() {
    let mut scenario = guide();
    let group = &mut scenario.parameter_group[0];
    // Four databases: three of the scenario and `postgres`.
    group
        .parameters
        .insert("max_logical_replication_workers".to_owned(), "3".to_owned());
    let sandbox = start(scenario).await;
    let id = create_with(&sandbox, &[("TargetEngineVersion", "14.10")])
        .ok()
        .first("BlueGreenDeploymentIdentifier");
    settle(&sandbox, &id, "INVALID_CONFIGURATION").await;
    let account = sandbox.rds().account();
    assert_eq!(account.deployments[&id].tasks[0].status, "FAILED");
    let message = messages(&sandbox, "RDS-EVENT-0245").remove(0);
    assert!(
        message.contains("incompatible parameter(s): [max_logical_replication_workers]"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_parameter_waits_for_the_reboot() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let set = |name: &str, value: &str, method: &str| {
        call(
            &endpoint,
            "ModifyDBClusterParameterGroup",
            &[
                ("DBClusterParameterGroupName", "main-cluster-params"),
                ("Parameters.Parameter.1.ParameterName", name),
                ("Parameters.Parameter.1.ParameterValue", value),
                ("Parameters.Parameter.1.ApplyMethod", method),
            ],
        )
        .expect("an answer")
    };
    set("work_mem", "8192", "immediate").ok();
    assert_eq!(
        set("max_wal_senders", "30", "immediate").first("Code"),
        "InvalidParameterCombination"
    );
    assert_eq!(
        set("wal_level", "logical", "pending-reboot").first("Code"),
        "InvalidParameterValue"
    );
    set("max_wal_senders", "30", "pending-reboot").ok();
    let cluster = |name: &str| {
        sandbox.rds().account().clusters["main-cluster"]
            .in_effect
            .get(name)
            .cloned()
    };
    assert_eq!(cluster("work_mem").as_deref(), Some("8192"));
    assert_eq!(cluster("max_wal_senders").as_deref(), Some("25"));
    let statuses = || {
        let answer = call(&endpoint, "DescribeDBClusters", &[])
            .expect("an answer")
            .ok();
        answer.all("DBClusterParameterGroupStatus")
    };
    assert_eq!(statuses(), ["pending-reboot", "pending-reboot"]);
    call(
        &endpoint,
        "RebootDBInstance",
        &[("DBInstanceIdentifier", "db-cluster1")],
    )
    .expect("an answer")
    .ok();
    let back = |account: &sandbox::account::Account| account.instances["db-cluster1"].status == "available";
    assert!(sandbox.rds().until(SOON, back).await);
    assert_eq!(statuses(), ["in-sync", "pending-reboot"]);
    assert_eq!(cluster("max_wal_senders").as_deref(), Some("30"));
    let default = call(
        &endpoint,
        "ModifyDBClusterParameterGroup",
        &[
            ("DBClusterParameterGroupName", "default.aurora-postgresql14"),
            ("Parameters.Parameter.1.ParameterName", "work_mem"),
            ("Parameters.Parameter.1.ParameterValue", "1"),
            ("Parameters.Parameter.1.ApplyMethod", "immediate"),
        ],
    );
    assert_eq!(default.expect("an answer").first("Code"), "InvalidParameterValue");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_moves_the_names() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let id = create(&sandbox).await;
    let before = sandbox.rds().account();
    let green = before.deployments[&id]
        .target_resource
        .clone()
        .expect("green is there");
    let too_short = call(
        &endpoint,
        "SwitchoverBlueGreenDeployment",
        &[
            ("BlueGreenDeploymentIdentifier", &id),
            ("SwitchoverTimeout", "29"),
        ],
    );
    assert_eq!(
        too_short.expect("an answer").first("Code"),
        "InvalidParameterValue"
    );
    let started = call(
        &endpoint,
        "SwitchoverBlueGreenDeployment",
        &[("BlueGreenDeploymentIdentifier", &id)],
    );
    assert!(
        started
            .expect("an answer")
            .ok()
            .body
            .contains("SWITCHOVER_IN_PROGRESS")
    );
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
    let after = sandbox.rds().account();
    let production = &after.clusters["main-cluster"];
    assert_eq!(production.resource_id, green);
    assert_eq!(production.engine_version, "14.10");
    assert_eq!(production.endpoint, before.clusters["main-cluster"].endpoint);
    assert_eq!(production.tags, before.clusters["main-cluster"].tags);
    assert_eq!(production.members[0].id, "db-cluster1");
    assert!(after.clusters["main-cluster-old1"].read_only);
    assert!(after.instances.contains_key("db-cluster1-old1"));
    let deployment = &after.deployments[&id];
    assert_eq!(deployment.source, format!("{CLUSTER}-old1"));
    assert_eq!(deployment.target.as_deref(), Some(CLUSTER));
    for (event, times) in [
        ("RDS-EVENT-0247", 1),
        ("RDS-EVENT-0248", 1),
        ("RDS-EVENT-0259", 1),
        ("RDS-EVENT-0260", 1),
        ("RDS-EVENT-0250", 2),
        ("RDS-EVENT-0251", 2),
        ("RDS-EVENT-0311", 1),
        ("RDS-EVENT-0312", 1),
    ] {
        assert_eq!(messages(&sandbox, event).len(), times, "{event}");
    }
    // Green is production now: it cannot be deleted along.
    let refused = call(
        &endpoint,
        "DeleteBlueGreenDeployment",
        &[("BlueGreenDeploymentIdentifier", &id), ("DeleteTarget", "true")],
    );
    assert_eq!(
        refused.expect("an answer").first("Code"),
        "InvalidParameterCombination"
    );
    call(
        &endpoint,
        "DeleteBlueGreenDeployment",
        &[("BlueGreenDeploymentIdentifier", &id)],
    )
    .expect("an answer")
    .ok();
    assert!(
        sandbox
            .rds()
            .until(SOON, |account| account.deployments.is_empty())
            .await
    );
    assert!(!sandbox.rds().account().clusters["main-cluster-old1"].read_only);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_switchover_can_leave_the_deployment_available() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let id = create(&sandbox).await;
    for (status, outcome, member) in [
        (
            "AVAILABLE",
            SwitchoverOutcome::RolledBack {
                reason: "a test".to_owned(),
                status: "AVAILABLE".to_owned(),
            },
            "SWITCHOVER_FAILED",
        ),
        (
            "SWITCHOVER_FAILED",
            SwitchoverOutcome::RolledBack {
                reason: "a test".to_owned(),
                status: "SWITCHOVER_FAILED".to_owned(),
            },
            "SWITCHOVER_FAILED",
        ),
        (
            "AVAILABLE",
            SwitchoverOutcome::Refused {
                reason: "long running transactions".to_owned(),
            },
            "AVAILABLE",
        ),
    ] {
        sandbox.rds().next_switchover(outcome);
        call(
            &endpoint,
            "SwitchoverBlueGreenDeployment",
            &[("BlueGreenDeploymentIdentifier", &id)],
        )
        .expect("an answer")
        .ok();
        settle(&sandbox, &id, status).await;
        let account = sandbox.rds().account();
        let members = &account.deployments[&id].members;
        assert!(
            members.iter().all(|pair| pair.status.as_deref() == Some(member)),
            "{members:?}"
        );
        assert_eq!(account.clusters["main-cluster"].engine_version, "12.17");
    }
    assert_eq!(messages(&sandbox, "RDS-EVENT-0249").len(), 3);
    assert_eq!(messages(&sandbox, "RDS-EVENT-0261").len(), 3);
    assert_eq!(messages(&sandbox, "RDS-EVENT-0252").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_deleted_with_or_without_green() {
    for (delete_target, clusters) in [("true", 1), ("false", 2)] {
        let sandbox = start(guide()).await;
        let endpoint = sandbox.endpoint_url();
        let id = create(&sandbox).await;
        let fields = [
            ("BlueGreenDeploymentIdentifier", id.as_str()),
            ("DeleteTarget", delete_target),
        ];
        let protect = |protect: bool| {
            sandbox.rds().edit(|account| {
                for cluster in account.clusters.values_mut() {
                    cluster.deletion_protection = protect;
                }
            });
        };
        protect(true);
        let answer = call(&endpoint, "DeleteBlueGreenDeployment", &fields).expect("an answer");
        if delete_target == "true" {
            assert_eq!(answer.first("Code"), "InvalidBlueGreenDeploymentStateFault");
            protect(false);
            call(&endpoint, "DeleteBlueGreenDeployment", &fields)
                .expect("an answer")
                .ok();
        }
        assert!(
            sandbox
                .rds()
                .until(SOON, |account| account.deployments.is_empty())
                .await
        );
        assert_eq!(sandbox.rds().account().clusters.len(), clusters);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_green_instance_breaks_its_pair() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let id = create(&sandbox).await;
    let account = sandbox.rds().account();
    let reader = account.deployments[&id].members[2]
        .target
        .clone()
        .expect("a pair");
    let reader = reader.rsplit(':').next().expect("an ARN ends in a name");
    call(&endpoint, "DeleteDBInstance", &[("DBInstanceIdentifier", reader)])
        .expect("an answer")
        .ok();
    let missing = sandbox.rds().until(SOON, |account| {
        account.deployments[&id].members[2].status.as_deref() == Some("MISSING_TARGET")
    });
    assert!(missing.await);
    call(
        &endpoint,
        "SwitchoverBlueGreenDeployment",
        &[("BlueGreenDeploymentIdentifier", &id)],
    )
    .expect("an answer")
    .ok();
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
    let account = sandbox.rds().account();
    // Blue's reader keeps its name, and its place in the old cluster.
    assert_eq!(
        account.instances["db-cluster2"].cluster.as_deref(),
        Some("main-cluster-old1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_running_switchover_can_be_changed() {
    let sandbox = manual(guide()).await;
    let endpoint = sandbox.endpoint_url();
    sandbox.rds().advance(4);
    let id = create(&sandbox).await;
    let deployment = [("BlueGreenDeploymentIdentifier", id.as_str())];
    let switch = || call(&endpoint, "SwitchoverBlueGreenDeployment", &deployment).expect("an answer");
    switch().ok();
    assert_eq!(switch().first("Code"), "InvalidBlueGreenDeploymentStateFault");
    for (action, fields, code) in [
        (
            "DeleteBlueGreenDeployment",
            deployment,
            "InvalidBlueGreenDeploymentStateFault",
        ),
        (
            "ModifyDBCluster",
            [("DBClusterIdentifier", "main-cluster")],
            "InvalidDBClusterStateFault",
        ),
        (
            "FailoverDBCluster",
            [("DBClusterIdentifier", "main-cluster")],
            "InvalidDBClusterStateFault",
        ),
        (
            "RebootDBInstance",
            [("DBInstanceIdentifier", "db-cluster1")],
            "InvalidDBInstanceState",
        ),
        (
            "DeleteDBInstance",
            [("DBInstanceIdentifier", "db-cluster1")],
            "InvalidDBInstanceState",
        ),
    ] {
        let answer = call(&endpoint, action, &fields).expect("an answer");
        assert_eq!(answer.first("Code"), code, "{action}: {}", answer.body);
    }
    sandbox.rds().advance(4);
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
}
