//! Faults on command, and those of wrong requests.

use sandbox::{Effect, FaultRule, Resource};

use crate::{
    SOON,
    client::{call, control, sent},
    create, guide, settle, start,
};

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_when_they_are_asked_for() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let describe = || call(&endpoint, "DescribeDBClusters", &[]);
    let rds = sandbox.rds();
    for (effect, fault) in [
        (Effect::Throttle, (400, "Throttling")),
        (Effect::ErrorBefore, (500, "InternalFailure")),
        (Effect::Unavailable, (503, "ServiceUnavailable")),
        (Effect::ExpiredToken, (403, "ExpiredToken")),
        (Effect::InvalidToken, (403, "InvalidClientTokenId")),
        (Effect::AccessDenied, (403, "AccessDenied")),
    ] {
        rds.fail_next("Describe*", 1, effect);
        assert_eq!(
            describe().expect("an answer").fault(),
            (fault.0, fault.1.to_owned())
        );
        describe().expect("an answer").ok();
    }
    rds.fail_next("DescribeDBClusters", 1, Effect::LostBefore);
    assert!(describe().is_none());
    rds.arm(FaultRule::always(
        "Describe*",
        Effect::Status {
            resource: Resource::Cluster,
            status: "polishing".to_owned(),
        },
    ));
    assert_eq!(describe().expect("an answer").first("Status"), "polishing");
    sandbox.faults().clear();
    assert_eq!(describe().expect("an answer").first("Status"), "available");
    sandbox.faults().allow_only(["DescribeDBInstances"]);
    let denied = describe().expect("an answer");
    assert!(
        denied
            .first("Message")
            .contains("is not authorized to perform: rds:DescribeDBClusters")
    );
    sandbox.faults().clear();
    sandbox.faults().limit_requests(1, 0.001);
    describe().expect("an answer").ok();
    assert_eq!(describe().expect("an answer").first("Code"), "Throttling");
    sandbox.faults().clear();
    let armed = control(
        &endpoint,
        "/_sandbox/faults",
        r#"{"action":"DescribeDBClusters","effect":"throttle","times":1}"#,
    );
    assert_eq!(armed.status, 200);
    assert_eq!(describe().expect("an answer").first("Code"), "Throttling");
    assert_eq!(control(&endpoint, "/_sandbox/faults", "{}").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_can_outlive_its_lost_answer() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    let id = create(&sandbox).await;
    let rds = sandbox.rds();
    rds.arm(FaultRule::always("DescribeBlueGreenDeployments", Effect::Stale));
    rds.fail_next("SwitchoverBlueGreenDeployment", 1, Effect::LostAfter);
    let fields = [("BlueGreenDeploymentIdentifier", id.as_str())];
    assert!(call(&endpoint, "SwitchoverBlueGreenDeployment", &fields).is_none());
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
    let status = || {
        let answer = call(&endpoint, "DescribeBlueGreenDeployments", &fields)
            .expect("an answer")
            .ok();
        answer.all("Status").pop().expect("a deployment has a status")
    };
    assert_eq!(status(), "AVAILABLE", "the stale answer");
    sandbox.faults().clear();
    assert_eq!(status(), "SWITCHOVER_COMPLETED");
    assert_eq!(sandbox.calls().effects("SwitchoverBlueGreenDeployment"), 1);
    let lost = &sandbox.calls().of("SwitchoverBlueGreenDeployment")[0];
    assert_eq!((lost.status, lost.took_effect), (None, true));
    assert_eq!(lost.params["BlueGreenDeploymentIdentifier"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_carried_out_though_its_sender_has_hung_up() {
    let sandbox = start(guide()).await;
    let id = create(&sandbox).await;
    let action = "SwitchoverBlueGreenDeployment";
    let late = Effect::Delay { milliseconds: 300 };
    sandbox.rds().fail_next(action, 1, late);
    let fields = [("BlueGreenDeploymentIdentifier", id.as_str())];
    drop(sent(&sandbox.endpoint_url(), action, &fields));
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
    let began = std::time::Instant::now();
    while sandbox.calls().effects(action) == 0 && began.elapsed() < SOON {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(sandbox.calls().effects(action), 1, "it is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_get_the_right_fault() {
    let sandbox = start(guide()).await;
    let endpoint = sandbox.endpoint_url();
    for (action, fields, fault) in [
        ("DescribeNothing", vec![], (400, "InvalidAction")),
        (
            "DescribeDBClusters",
            vec![("MaxRecords", "5")],
            (400, "InvalidParameterValue"),
        ),
        (
            "DescribeDBClusters",
            vec![("Marker", "x")],
            (400, "InvalidParameterValue"),
        ),
        (
            "DescribeDBInstances",
            vec![("DBInstanceIdentifier", "nope")],
            (404, "DBInstanceNotFound"),
        ),
        ("DescribeDBClusterParameters", vec![], (400, "MissingParameter")),
        (
            "DescribeDBClusterParameters",
            vec![("DBClusterParameterGroupName", "nope")],
            (404, "DBParameterGroupNotFound"),
        ),
        (
            "DescribeBlueGreenDeployments",
            vec![("BlueGreenDeploymentIdentifier", "bgd-nope")],
            (404, "BlueGreenDeploymentNotFoundFault"),
        ),
        (
            "SwitchoverBlueGreenDeployment",
            vec![("BlueGreenDeploymentIdentifier", "bgd-nope")],
            (404, "BlueGreenDeploymentNotFoundFault"),
        ),
        (
            "DeleteDBCluster",
            vec![("DBClusterIdentifier", "nope")],
            (404, "DBClusterNotFoundFault"),
        ),
        (
            "DeleteDBCluster",
            vec![
                ("DBClusterIdentifier", "main-cluster"),
                ("SkipFinalSnapshot", "true"),
            ],
            (400, "InvalidDBClusterStateFault"),
        ),
        (
            "DeleteDBCluster",
            vec![("DBClusterIdentifier", "main-cluster")],
            (400, "InvalidParameterCombination"),
        ),
        (
            "ModifyDBCluster",
            vec![
                ("DBClusterIdentifier", "main-cluster"),
                ("EngineVersion", "12.16"),
            ],
            (400, "InvalidParameterCombination"),
        ),
    ] {
        let answer = call(&endpoint, action, &fields).expect("an answer");
        assert_eq!(
            answer.fault(),
            (fault.0, fault.1.to_owned()),
            "{action} {fields:?}: {}",
            answer.body
        );
        assert_eq!(answer.first("Type"), "Sender");
    }
}
