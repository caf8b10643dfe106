//! The emulated RDS API: its shapes as an independent client reads them, its states, its faults.

#[path = "support/client.rs"]
mod client;
#[path = "support/python.rs"]
mod python;

use std::{net::TcpListener, time::Duration};

use client::{call, control};
use sandbox::{
    ClusterSpec, Effect, FaultRule, Options, Resource, Sandbox, Scenario, Speed, SwitchoverOutcome,
};

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

/// Every call of the API that answers something, so that every shape is held against the model.
const READS: &str = "\
DescribeDBClusters
DescribeDBClusters	DBClusterIdentifier=MAIN-cluster
DescribeDBInstances
DescribeDBInstances	Filters.Filter.1.Name=db-cluster-id	Filters.Filter.1.Values.Value.1=main-cluster
DescribeDBClusterParameters	DBClusterParameterGroupName=main-cluster-params
DescribeDBClusterParameters	DBClusterParameterGroupName=default.aurora-postgresql14	Source=system
DescribeDBParameters	DBParameterGroupName=default.aurora-postgresql14
DescribeDBClusterParameterGroups
DescribeDBParameterGroups
DescribeEngineDefaultClusterParameters	DBParameterGroupFamily=aurora-postgresql17
DescribeEngineDefaultParameters	DBParameterGroupFamily=postgres18
DescribeDBEngineVersions	Engine=aurora-postgresql	IncludeAll=true
DescribeDBEngineVersions	Engine=postgres	EngineVersion=16
DescribeDBMajorEngineVersions	Engine=aurora-postgresql
DescribeOrderableDBInstanceOptions	Engine=aurora-postgresql	EngineVersion=12.17	MaxRecords=1000
DescribeBlueGreenDeployments
DescribePendingMaintenanceActions
DescribeEvents	Duration=60
DescribeDBProxies
DescribeDBProxyTargets	DBProxyName=app
DescribeGlobalClusters
DescribeIntegrations
DescribeDBClusterEndpoints
DescribeAccountAttributes
DescribeCertificates
DescribeDBLogFiles	DBInstanceIdentifier=db-cluster1
DownloadDBLogFilePortion	DBInstanceIdentifier=db-cluster1	LogFileName=error/postgresql.log
ListTagsForResource	ResourceName=arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster
CreateDBClusterParameterGroup	DBClusterParameterGroupName=new-group	DBParameterGroupFamily=aurora-postgresql14	Description=d
CreateDBParameterGroup	DBParameterGroupName=new-group	DBParameterGroupFamily=aurora-postgresql14	Description=d
ModifyDBClusterParameterGroup	DBClusterParameterGroupName=new-group	Parameters.Parameter.1.ParameterName=rds.logical_replication	Parameters.Parameter.1.ParameterValue=1	Parameters.Parameter.1.ApplyMethod=pending-reboot
ModifyDBParameterGroup	DBParameterGroupName=new-group	Parameters.Parameter.1.ParameterName=work_mem	Parameters.Parameter.1.ParameterValue=8192	Parameters.Parameter.1.ApplyMethod=immediate
ModifyDBCluster	DBClusterIdentifier=main-cluster	DeletionProtection=false
ModifyDBInstance	DBInstanceIdentifier=db-cluster2	DeletionProtection=false
AddTagsToResource	ResourceName=arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster	Tags.Tag.1.Key=a	Tags.Tag.1.Value=b
CreateDBClusterSnapshot	DBClusterIdentifier=main-cluster	DBClusterSnapshotIdentifier=before
CreateDBSnapshot	DBInstanceIdentifier=shop	DBSnapshotIdentifier=before-shop
RebootDBInstance	DBInstanceIdentifier=db-cluster2
FailoverDBCluster	DBClusterIdentifier=main-cluster	TargetDBInstanceIdentifier=db-cluster2
CreateBlueGreenDeployment	BlueGreenDeploymentName=shop-16	Source=arn:aws:rds:eu-west-1:123456789012:db:shop	TargetEngineVersion=16.6
DeleteDBInstance	DBInstanceIdentifier=lonely	SkipFinalSnapshot=true
";

/// A world with one of everything.
fn everything() -> Scenario {
    let shop = Scenario::load("rds-instance").expect("a built-in scenario");
    let mut scenario = guide();
    scenario.parameter_group.extend(shop.parameter_group);
    scenario.instance = shop.instance;
    let mut lonely = scenario.instance[0].clone();
    lonely.id = "lonely".to_owned();
    lonely.replicas.clear();
    scenario.instance.push(lonely);
    let rest = Scenario::parse(
        "rest",
        r#"
        [[proxy]]
        name = "app"
        target = "main-cluster"
        [[global_cluster]]
        id = "world"
        writer = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster"
        readers = ["arn:aws:rds:us-east-1:123456789012:cluster:main-us"]
        version = "12.17"
        [[integration]]
        name = "etl"
        source = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster"
        target = "arn:aws:redshift-serverless:eu-west-1:123456789012:namespace/x"
        [[endpoint]]
        id = "reports"
        cluster = "main-cluster"
        static_members = ["db-cluster2"]
        [[maintenance]]
        arn = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster"
        action = "system-update"
        description = "New Operating System update is available"
        "#,
    )
    .expect("valid TOML");
    scenario.proxy = rest.proxy;
    scenario.global_cluster = rest.global_cluster;
    scenario.integration = rest.integration;
    scenario.endpoint = rest.endpoint;
    scenario.maintenance = rest.maintenance;
    scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_fits_the_public_model() {
    let Some(packages) = python::packages() else {
        return;
    };
    let sandbox = start(everything()).await;
    let deployment = create(&sandbox).await;
    sandbox.rds().edit(|account| {
        let log = sandbox::account::LogFile {
            written: "2026-01-01T00:00:00Z".parse().expect("a time"),
            text: "a line\n".to_owned(),
        };
        let instance = account
            .instances
            .get_mut("db-cluster1")
            .expect("it is in the scenario");
        instance.logs.insert("error/postgresql.log".to_owned(), log);
        let cluster = account
            .clusters
            .get_mut("main-cluster")
            .expect("it is in the scenario");
        cluster.managed_password = true;
        cluster.roles.push((
            "arn:aws:iam::123456789012:role/s3".to_owned(),
            "s3Import".to_owned(),
        ));
    });
    let calls = format!(
        "{READS}SwitchoverBlueGreenDeployment\tBlueGreenDeploymentIdentifier={deployment}\tSwitchoverTimeout=60\n"
    );
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &calls).expect("a temporary file can be written");
    let output = python::script(
        packages,
        &sandbox.env(),
        "shapes.py",
        &[&file.path().to_string_lossy()],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains(&format!("{} answers", calls.lines().count())),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_that_moto_fills_are_filled() {
    let Some(packages) = python::packages() else {
        return;
    };
    let sandbox = start(guide()).await;
    create(&sandbox).await;
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let output = python::script(packages, &sandbox.env(), "compare.py", &[&port.to_string()]);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_pages_through_a_fleet() {
    let Some(packages) = python::packages() else {
        return;
    };
    let mut scenario = guide();
    scenario.max_instances = 2000;
    scenario.cluster.extend((0..500).map(|n| ClusterSpec {
        id: format!("fleet-{n:03}"),
        version: "16.6".to_owned(),
        instances: vec![format!("fleet-{n:03}-1")],
        ..ClusterSpec::default()
    }));
    let sandbox = start(scenario).await;
    let aws = |args: &[&str]| {
        let output = python::aws(packages, &sandbox.env(), args);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )
    };
    let (code, count, error) = aws(&["rds", "describe-db-clusters", "--query", "length(DBClusters)"]);
    assert_eq!((code, count.as_str()), (Some(0), "501"), "{error}");
    assert_eq!(sandbox.calls().of("DescribeDBClusters").len(), 6);
    let (_, parameters, _) = aws(&[
        "rds",
        "describe-db-cluster-parameters",
        "--db-cluster-parameter-group-name",
        "main-cluster-params",
        "--query",
        "length(Parameters[?Source=='user'])",
    ]);
    assert_eq!(parameters, "5");
    let (code, _, error) = aws(&["rds", "describe-db-clusters", "--db-cluster-identifier", "nope"]);
    assert_ne!(code, Some(0));
    assert!(error.contains("(DBClusterNotFoundFault)"), "{error}");
    let (_, account, _) = aws(&[
        "sts",
        "get-caller-identity",
        "--query",
        "Account",
        "--output",
        "text",
    ]);
    assert_eq!(account, "123456789012");
}

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

fn create_with(sandbox: &Sandbox, more: &[(&str, &str)]) -> client::Answer {
    let mut fields = vec![("BlueGreenDeploymentName", "one"), ("Source", CLUSTER)];
    fields.extend_from_slice(more);
    call(&sandbox.endpoint_url(), "CreateBlueGreenDeployment", &fields).expect("an answer")
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

#[tokio::test(flavor = "multi_thread")]
async fn parameters_become_settings_of_a_real_server() {
    let sandbox = start(Scenario::load("guide").expect("a built-in scenario")).await;
    let endpoint = sandbox.endpoint_url();
    let server = sandbox.server("main-cluster").expect("the scenario has servers");
    let show = async |name: &str| {
        let sql = format!("select current_setting('{name}')");
        server.value("main", &sql).await.expect("the server answers")
    };
    assert_eq!(show("wal_level").await.as_deref(), Some("replica"));
    assert_eq!(show("rds.logical_replication").await.as_deref(), Some("off"));
    let reboot = |id: &str| {
        call(&endpoint, "RebootDBInstance", &[("DBInstanceIdentifier", id)])
            .expect("an answer")
            .ok();
    };
    reboot("db-cluster1");
    let back = |account: &sandbox::account::Account| account.instances["db-cluster1"].status == "available";
    assert!(sandbox.rds().until(SOON, back).await);
    assert_eq!(show("wal_level").await.as_deref(), Some("logical"));
    assert_eq!(show("rds.logical_replication").await.as_deref(), Some("on"));
    assert_eq!(show("max_replication_slots").await.as_deref(), Some("25"));
    // The writer and the reader endpoint share a port, and both lead to the server.
    let described = call(&endpoint, "DescribeDBClusters", &[])
        .expect("an answer")
        .ok();
    let roles = sandbox.roles().expect("the scenario has servers");
    for host in [described.first("Endpoint"), described.first("ReaderEndpoint")] {
        let port: u16 = described.first("Port").parse().expect("a port");
        let (client, connection) = tokio_postgres::Config::new()
            .host(&host)
            .port(port)
            .dbname("main")
            .user(&roles.checker.name)
            .password(&roles.checker.password)
            .connect(tokio_postgres::NoTls)
            .await
            .expect("the endpoint can be connected to");
        tokio::spawn(connection);
        let row = client
            .query_one("select count(*) from pg_stat_activity", &[])
            .await;
        assert!(row.expect("the checking role may look").get::<_, i64>(0) > 0);
    }
    let load = sandbox.load("main-cluster").expect("the scenario has a load");
    let before = load.report().acknowledged;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(load.report().acknowledged > before);
    load.pause(true);
    assert!(load.lost(&server).await.expect("the server answers").is_empty());
}

/// The scenario of the guide with its deployment made, on real servers.
async fn ready() -> (Sandbox, String) {
    let options = Options {
        // 30 s of SwitchoverTimeout are 3, and a transaction of 1 s is a long one.
        timeout_second: Duration::from_millis(100),
        long_running: Duration::from_secs(1),
        ..Options::default()
    };
    let scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    let sandbox = Sandbox::start_with(scenario, options)
        .await
        .expect("the scenario is valid");
    let deployment = sandbox
        .rds()
        .deployment("main-to-14")
        .expect("the scenario makes it");
    (sandbox, deployment.id)
}

/// Whether the application's transactions are read-only on a server.
async fn read_only(sandbox: &Sandbox, server: &sandbox::pg::Server) -> String {
    let master = &sandbox.roles().expect("the scenario has servers").master;
    let client = server.connect_as("main", &master.name, &master.password).await;
    let row = client
        .expect("the master user can log in")
        .query_one("show default_transaction_read_only", &[])
        .await;
    row.expect("an answer").get(0)
}

fn switch(sandbox: &Sandbox, id: &str) {
    let fields = [("BlueGreenDeploymentIdentifier", id), ("SwitchoverTimeout", "30")];
    call(&sandbox.endpoint_url(), "SwitchoverBlueGreenDeployment", &fields)
        .expect("an answer")
        .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_pair_switches_over_without_losing_a_row() {
    let Some(packages) = python::packages() else {
        return;
    };
    let mut scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    scenario.deployment.clear();
    let sandbox = start(scenario).await;
    let env = sandbox.env();
    let aws = |args: &[&str]| {
        let output = python::aws(packages, &env, &[&["rds"], args].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let blue = sandbox.server("main-cluster").expect("a server");
    let id = aws(&[
        "create-blue-green-deployment",
        "--blue-green-deployment-name",
        "main-to-14",
        "--source",
        CLUSTER,
        "--target-engine-version",
        "14.10",
        "--target-db-cluster-parameter-group-name",
        "main-cluster-params-14",
        "--query",
        "BlueGreenDeployment.BlueGreenDeploymentIdentifier",
        "--output",
        "text",
    ]);
    settle(&sandbox, &id, "AVAILABLE").await;
    let green = sandbox.green().expect("a server");
    assert_eq!((blue.major(), green.major()), (12, 14));
    assert_eq!(read_only(&sandbox, &green).await, "on");
    let load = sandbox.load("main-cluster").expect("the scenario has a load");
    let before = load.report().acknowledged;
    aws(&[
        "switchover-blue-green-deployment",
        "--blue-green-deployment-identifier",
        &id,
        "--switchover-timeout",
        "60",
    ]);
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
    // The application goes on, on the same address.
    let more = load.report().acknowledged;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = load.report();
    assert!(more >= before && report.acknowledged > more, "{report:?}");
    assert!(
        !report.states.contains("23505"),
        "sequences were left behind: {report:?}"
    );
    load.pause(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let production = sandbox.server("main-cluster").expect("a server");
    assert_eq!(production.major(), 14);
    let lost = load.lost(&production).await.expect("the server answers");
    assert!(lost.is_empty(), "{} rows are lost, {report:?}", lost.len());
    assert_eq!(read_only(&sandbox, &production).await, "off");
    assert_eq!(read_only(&sandbox, &blue).await, "on");
    assert_eq!(
        production
            .value("main", "select count(*) from pg_subscription")
            .await
            .expect("an answer")
            .as_deref(),
        Some("0")
    );
    let endpoint = aws(&[
        "describe-db-clusters",
        "--db-cluster-identifier",
        "main-cluster-old1",
        "--query",
        "DBClusters[0].[Status,EngineVersion,Endpoint]",
        "--output",
        "text",
    ]);
    assert!(endpoint.starts_with("available\t12.17\t127.0.0.1"), "{endpoint}");
    aws(&[
        "delete-blue-green-deployment",
        "--blue-green-deployment-identifier",
        &id,
    ]);
    assert!(
        sandbox
            .rds()
            .until(SOON, |account| account.deployments.is_empty())
            .await
    );
    assert_eq!(read_only(&sandbox, &blue).await, "off");
    for instance in ["db-cluster1-old1", "db-cluster2-old1"] {
        aws(&["delete-db-instance", "--db-instance-identifier", instance]);
    }
    aws(&[
        "delete-db-cluster",
        "--db-cluster-identifier",
        "main-cluster-old1",
        "--skip-final-snapshot",
    ]);
    assert!(
        sandbox
            .rds()
            .until(SOON, |account| account.clusters.len() == 1)
            .await
    );
    assert_eq!(sandbox.rds().account().instances.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn guardrails_refuse_and_a_timeout_rolls_back() {
    let (sandbox, id) = ready().await;
    let blue = sandbox.blue().expect("a server");
    let roles = sandbox.roles().expect("the scenario has servers").clone();
    let refused = async |what: &str, reason: &str| {
        sandbox.calls().clear();
        sandbox.rds().edit(|account| account.events.clear());
        switch(&sandbox, &id);
        settle(&sandbox, &id, "AVAILABLE").await;
        let details = sandbox
            .rds()
            .deployment(&id)
            .and_then(|found| found.status_details);
        let details = details.unwrap_or_default();
        assert!(details.contains(reason), "{what}: {details}");
        assert_eq!(messages(&sandbox, "RDS-EVENT-0249").len(), 1, "{what}");
        assert_eq!(read_only(&sandbox, &blue).await, "off", "{what}");
    };

    let create_slot = "select pg_create_logical_replication_slot('debezium', 'pgoutput')";
    blue.query("main", create_slot).await.expect("a slot");
    refused("a foreign slot", "external replication").await;
    blue.query("main", "select pg_drop_replication_slot('debezium')")
        .await
        .expect("gone");

    let feed = sandbox.replication("main-to-14").expect("it is fed");
    feed.replication.pause_apply("main").await.expect("paused");
    refused("a paused apply worker", "replication is not healthy").await;
    feed.replication.resume_apply("main").await.expect("resumed");
    feed.replication.wait_caught_up(SOON).await.expect("caught up");

    let writer = blue
        .connect_as("main", &roles.master.name, &roles.master.password)
        .await
        .expect("a session");
    writer
        .batch_execute("begin; update customers set email = 'x' where id = 1; select pg_sleep(1.2)")
        .await
        .expect("a transaction stays open");
    refused("a long transaction", "long-running active writes").await;
    writer.batch_execute("rollback").await.expect("rolled back");
    writer
        .batch_execute("begin; alter table customers add column x int; select pg_sleep(1.2)")
        .await
        .expect("a transaction stays open");
    refused("long DDL", "long-running DDL").await;
    writer.batch_execute("rollback").await.expect("rolled back");

    // Green cannot catch up while its apply is blocked by a lock: the timeout comes, and blue writes again.
    let green = sandbox.green().expect("a server");
    let lock = green.connect("main").await.expect("a session");
    lock.batch_execute("begin; lock table public.load_rows in share mode")
        .await
        .expect("a lock");
    let load = sandbox.load("main-cluster").expect("the scenario has a load");
    let before = load.report().acknowledged;
    switch(&sandbox, &id);
    settle(&sandbox, &id, "SWITCHOVER_FAILED").await;
    lock.batch_execute("rollback").await.expect("rolled back");
    let details = sandbox
        .rds()
        .deployment(&id)
        .and_then(|found| found.status_details);
    assert!(
        details
            .as_ref()
            .is_some_and(|details| details.contains("timeout")),
        "{details:?}"
    );
    assert_eq!(read_only(&sandbox, &blue).await, "off");
    assert_eq!(read_only(&sandbox, &green).await, "on");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(load.report().acknowledged > before);

    // The writer's session was ended with the others.
    let writer = blue
        .connect_as("main", &roles.master.name, &roles.master.password)
        .await
        .expect("a session");
    writer
        .batch_execute("create table late (id int primary key)")
        .await
        .expect("DDL");
    refused("DDL on blue", "DDL or large object changes").await;
    // Taking it back does not help: the deployment has to be made anew.
    writer.batch_execute("drop table late").await.expect("DDL");
    refused("DDL that was taken back", "DDL or large object changes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_the_target_refuses_fails_the_upgrade() {
    let mut scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    scenario.deployment.clear();
    scenario.cluster[0].load = None;
    scenario.cluster[0].database[1].sql.push_str(
        "create function public.f(int) returns int language sql as 'select $1'; \
         create operator public.!# (leftarg = int, procedure = public.f);",
    );
    let sandbox = start(scenario).await;
    let endpoint = sandbox.endpoint_url();
    let id = create_with(&sandbox, &[("TargetEngineVersion", "14.10")])
        .ok()
        .first("BlueGreenDeploymentIdentifier");
    settle(&sandbox, &id, "INVALID_CONFIGURATION").await;
    let account = sandbox.rds().account();
    let deployment = &account.deployments[&id];
    let tasks: Vec<_> = deployment.tasks.iter().map(|task| task.status.as_str()).collect();
    assert_eq!(tasks, ["COMPLETED", "FAILED", "PENDING", "PENDING"]);
    assert_eq!(messages(&sandbox, "RDS-EVENT-0245").len(), 1);
    let writer = deployment.members[1].target.clone().expect("green's writer");
    let writer = writer.rsplit(':').next().expect("an ARN ends in a name");
    let files = call(
        &endpoint,
        "DescribeDBLogFiles",
        &[
            ("DBInstanceIdentifier", writer),
            ("FilenameContains", "pg_upgrade"),
        ],
    )
    .expect("an answer")
    .ok();
    let file = files.first("LogFileName");
    let log = call(
        &endpoint,
        "DownloadDBLogFilePortion",
        &[("DBInstanceIdentifier", writer), ("LogFileName", &file)],
    )
    .expect("an answer")
    .ok()
    .first("LogFileData");
    assert!(log.contains("billing") && log.contains("!#"), "{log}");
    let switch = call(
        &endpoint,
        "SwitchoverBlueGreenDeployment",
        &[("BlueGreenDeploymentIdentifier", &id)],
    );
    assert_eq!(
        switch.expect("an answer").first("Code"),
        "InvalidBlueGreenDeploymentStateFault"
    );
    call(
        &endpoint,
        "DeleteBlueGreenDeployment",
        &[("BlueGreenDeploymentIdentifier", &id), ("DeleteTarget", "true")],
    )
    .expect("an answer")
    .ok();
    assert!(
        sandbox
            .rds()
            .until(SOON, |account| account.clusters.len() == 1)
            .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_rds_switches_over_with_its_replica() {
    let sandbox = start(Scenario::load("rds-instance").expect("a built-in scenario")).await;
    let endpoint = sandbox.endpoint_url();
    let created = call(
        &endpoint,
        "CreateBlueGreenDeployment",
        &[
            ("BlueGreenDeploymentName", "shop-16"),
            ("Source", "arn:aws:rds:eu-west-1:123456789012:db:shop"),
            ("TargetEngineVersion", "16.6"),
            ("TargetDBParameterGroupName", "shop-16"),
        ],
    )
    .expect("an answer")
    .ok();
    let id = created.first("BlueGreenDeploymentIdentifier");
    settle(&sandbox, &id, "AVAILABLE").await;
    let blue = sandbox.blue().expect("a server");
    // What the control endpoint does to a server: apply pauses, so the switchover is refused.
    for (json, status) in [
        (r#"{"id":"shop","action":"pause-apply","database":"shop"}"#, 200),
        (r#"{"id":"nope","action":"kill"}"#, 400),
    ] {
        let answer = control(&endpoint, "/_sandbox/databases", json);
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    switch(&sandbox, &id);
    settle(&sandbox, &id, "AVAILABLE").await;
    let resume = r#"{"id":"shop","action":"resume-apply","database":"shop"}"#;
    assert_eq!(control(&endpoint, "/_sandbox/databases", resume).status, 200);
    let feed = sandbox.replication("shop-16").expect("it is fed");
    feed.replication.wait_caught_up(SOON).await.expect("caught up");
    switch(&sandbox, &id);
    settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
    let account = sandbox.rds().account();
    let mut ids: Vec<_> = account.instances.keys().map(String::as_str).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["shop", "shop-old1", "shop-replica", "shop-replica-old1"]);
    assert_eq!(account.instances["shop"].replicas, ["shop-replica"]);
    assert_eq!(
        account.instances["shop-replica-old1"].replica_source.as_deref(),
        Some("shop-old1")
    );
    let load = sandbox.load("shop").expect("the scenario has a load");
    load.pause(true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let production = sandbox.server("shop").expect("a server");
    assert_eq!(production.major(), 16);
    assert!(
        load.lost(&production)
            .await
            .expect("the server answers")
            .is_empty()
    );
    // Old blue of RDS stays read-only after the deployment is gone, until its parameter says otherwise.
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
    let master = &sandbox.roles().expect("the scenario has servers").master;
    let state = async || {
        let client = blue
            .connect_as("shop", &master.name, &master.password)
            .await
            .expect("a session");
        let row = client.query_one("show default_transaction_read_only", &[]).await;
        row.expect("an answer").get::<_, String>(0)
    };
    assert_eq!(state().await, "on");
    call(
        &endpoint,
        "ModifyDBParameterGroup",
        &[
            ("DBParameterGroupName", "shop-13"),
            (
                "Parameters.Parameter.1.ParameterName",
                "default_transaction_read_only",
            ),
            ("Parameters.Parameter.1.ParameterValue", "0"),
            ("Parameters.Parameter.1.ApplyMethod", "pending-reboot"),
        ],
    )
    .expect("an answer")
    .ok();
    call(
        &endpoint,
        "RebootDBInstance",
        &[("DBInstanceIdentifier", "shop-old1")],
    )
    .expect("an answer")
    .ok();
    let back = |account: &sandbox::account::Account| account.instances["shop-old1"].status == "available";
    assert!(sandbox.rds().until(SOON, back).await);
    assert_eq!(state().await, "off");
}
