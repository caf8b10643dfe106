//! The collector against a local RDS: what it reads, how it says what it cannot, and that its facts are judged.

use std::{collections::BTreeSet, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_rds::{Client, config::Credentials};
use greenlight::{
    edge::rds::{Collected, RdsError, RdsRequest, Subject, collect},
    facts::{Fact, Facts, SCHEMA, Why},
    model::{DeploymentStatus, Engine, MemberStatus, PgVersion, Phase},
    permissions,
    policy::Policy,
    report::{Outcome, Report},
    situation::Situation,
    verdict::Level,
};
use sandbox::{Effect, FaultRule, Resource, Sandbox, Scenario, SwitchoverOutcome};

/// A built-in scenario without databases: only the API is asked here.
fn scenario(name: &str) -> Scenario {
    let mut scenario = Scenario::load(name).expect("a built-in scenario");
    scenario.servers = false;
    scenario
}

async fn start(scenario: Scenario) -> Sandbox {
    Sandbox::start(scenario).await.expect("the scenario is valid")
}

pub(crate) async fn config_in(url: &str, region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(
            "AKIASANDBOXSANDBOX00",
            "opens-nothing",
            None,
            None,
            "test",
        ))
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(5)))
        .timeout_config(timeouts)
        .endpoint_url(url)
        .load()
        .await
}

pub(crate) async fn config(sandbox: &Sandbox) -> SdkConfig {
    config_in(&sandbox.endpoint_url(), "eu-west-1").await
}

/// An SDK client of its own, for what greenlight is not to do.
pub(crate) async fn client(sandbox: &Sandbox) -> Client {
    Client::new(&config(sandbox).await)
}

fn cluster(name: &str) -> RdsRequest {
    request(Subject::Cluster(name.to_owned()))
}

fn request(subject: Subject) -> RdsRequest {
    RdsRequest {
        subject,
        target_version: None,
        target_parameter_group: None,
        endpoint_url: None,
    }
}

async fn read(sandbox: &Sandbox, request: RdsRequest) -> Collected {
    collect(&config(sandbox).await, &request)
        .await
        .expect("collected")
}

async fn refused(sandbox: &Sandbox, request: RdsRequest) -> RdsError {
    collect(&config(sandbox).await, &request)
        .await
        .expect_err("refused")
}

/// A document whose databases were not asked, as it comes back from a file.
fn document(collected: Collected) -> Facts {
    let facts = Facts {
        schema: SCHEMA,
        greenlight: "0.1.0".to_owned(),
        collected_at: jiff::Timestamp::UNIX_EPOCH,
        request: collected.request,
        engine: collected.engine,
        rds: Fact::Known(collected.facts),
        blue: Fact::unknown(Why::NotAsked, "not asked here"),
        green: collected
            .green
            .map(|_| Fact::unknown(Why::NotAsked, "not asked here")),
        lag: Vec::new(),
        contents: None,
    };
    let text = serde_json::to_string(&facts).expect("JSON");
    let back = Facts::from_json(&text).expect("the same document");
    assert_eq!(back, facts);
    back
}

fn judged(facts: &Facts, phase: Phase) -> Report {
    let mut policy = Policy::at(facts.collected_at);
    policy.only = vec!["rds".to_owned()];
    Report::make(facts, Situation::of(facts, Some(phase)), &policy)
}

/// Ids of checks with open findings of a level.
fn found(report: &Report, level: Level) -> BTreeSet<&str> {
    let checks = report.checks.iter();
    checks
        .filter(|c| c.findings.iter().any(|f| f.level == level))
        .map(|c| c.id)
        .collect()
}

/// Ids of checks that could not be told.
fn unknown(report: &Report) -> Vec<String> {
    let checks = report.checks.iter().filter(|c| c.outcome == Outcome::Unknown);
    checks
        .map(|c| {
            format!(
                "{}: {:?}",
                c.id,
                c.unseen.iter().map(|u| &u.why).collect::<Vec<_>>()
            )
        })
        .collect()
}

#[tokio::test]
async fn a_cluster_before_its_deployment() {
    let sandbox = start(scenario("guide")).await;
    let wanted = RdsRequest {
        target_version: Some(PgVersion::new(14, 10)),
        target_parameter_group: Some("main-cluster-params-14".to_owned()),
        ..cluster("main-cluster")
    };
    let collected = read(&sandbox, wanted).await;
    assert_eq!(collected.engine, Engine::Aurora);
    assert_eq!(collected.green, None);
    let blue = collected.blue.clone().expect("an endpoint");
    assert!(
        blue.host.starts_with("main-cluster.cluster-") || blue.host.starts_with("127."),
        "{blue:?}"
    );
    assert_eq!(blue.database.as_deref(), Some("main"));
    let facts = &collected.facts;
    assert_eq!(facts.account, Fact::Known("123456789012".to_owned()));
    assert_eq!(facts.deployment, Fact::Known(None));
    let side = facts.blue.known().expect("blue");
    assert_eq!(side.writer().expect("a writer").id, "db-cluster1");
    assert_eq!(side.instances.len(), 2);
    let group = facts.parameter_groups["cluster:main-cluster-params"]
        .known()
        .expect("read");
    let group = group.as_ref().expect("it exists");
    assert_eq!(group.family.as_deref(), Some("aurora-postgresql12"));
    // More than one page of them.
    assert!(
        group.parameters.len() > 100,
        "{} parameters",
        group.parameters.len()
    );
    assert_eq!(
        group.parameters["rds.logical_replication"].source.as_deref(),
        Some("user")
    );
    assert!(facts.minor_versions.known().expect("read").len() > 1);

    let facts = document(collected);
    let report = judged(&facts, Phase::Create);
    assert_eq!(unknown(&report), Vec::<String>::new());
    assert_eq!(
        found(&report, Level::Blocker),
        BTreeSet::from(["minimum-version", "source-parameter-groups-in-sync"])
    );
    let path = report
        .checks
        .iter()
        .find(|c| c.id == "upgrade-path")
        .expect("judged");
    let Outcome::Passed { note: Some(note) } = &path.outcome else {
        panic!("{:?}", path.outcome);
    };
    assert!(note.contains("in two steps: 12.14 -> "), "{note}");
}

#[tokio::test]
async fn a_deployment_is_found_by_everything_that_names_it() {
    let sandbox = start(scenario("guide-ready")).await;
    let first = read(&sandbox, cluster("main-cluster")).await;
    let deployment = first
        .facts
        .deployment
        .known()
        .expect("known")
        .as_ref()
        .expect("there");
    let (id, name) = (deployment.id.clone(), deployment.name.clone());
    let green = deployment.target.clone().expect("a target");
    for subject in [
        Subject::Cluster(deployment.source.to_string()),
        Subject::Cluster(green.name().to_owned()),
        Subject::Deployment(id),
        Subject::Deployment(name),
    ] {
        let again = read(&sandbox, request(subject.clone())).await;
        assert_eq!(again.facts.deployment, first.facts.deployment, "{subject:?}");
        assert_eq!(again.facts.blue, first.facts.blue, "{subject:?}");
        assert_eq!(again.facts.green, first.facts.green, "{subject:?}");
    }
    assert_eq!(first.request.target_version, Some(PgVersion::new(14, 10)));
    assert_eq!(
        first.request.target_parameter_group.as_deref(),
        Some("main-cluster-params-14")
    );
    let report = judged(&document(first), Phase::Switchover);
    assert_eq!(unknown(&report), Vec::<String>::new());
    assert_eq!(found(&report, Level::Blocker), BTreeSet::new());
}

#[tokio::test]
async fn an_instance_comes_with_its_replicas() {
    let sandbox = start(scenario("rds-instance")).await;
    let collected = read(
        &sandbox,
        RdsRequest {
            target_version: Some(PgVersion::major(16)),
            target_parameter_group: Some("shop-16".to_owned()),
            ..request(Subject::Instance("shop".to_owned()))
        },
    )
    .await;
    assert_eq!(collected.engine, Engine::Rds);
    let side = collected.facts.blue.known().expect("blue");
    let ids: Vec<&str> = side.instances.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["shop", "shop-replica"]);
    assert_eq!(collected.facts.orderable_on_source.len(), 1);
    let report = judged(&document(collected), Phase::Create);
    assert_eq!(unknown(&report), Vec::<String>::new());
    assert_eq!(found(&report, Level::Blocker), BTreeSet::new());
}

async fn switch(sandbox: &Sandbox, wanted: &str) {
    let id = sandbox.rds().deployment("main-to-14").expect("the deployment").id;
    let client = Client::new(&config(sandbox).await);
    let call = client.switchover_blue_green_deployment();
    call.blue_green_deployment_identifier(&id)
        .send()
        .await
        .expect("accepted");
    let ended = |account: &sandbox::account::Account| account.deployments[&id].status == wanted;
    assert!(
        sandbox.rds().until(Duration::from_secs(60), ended).await,
        "{wanted}"
    );
}

#[tokio::test]
async fn after_the_switchover_the_source_is_old_and_the_target_production() {
    let sandbox = start(scenario("guide-ready")).await;
    switch(&sandbox, "SWITCHOVER_COMPLETED").await;
    let collected = read(&sandbox, cluster("main-cluster")).await;
    let blue = collected.facts.blue.known().expect("blue");
    let green = collected
        .facts
        .green
        .known()
        .expect("green")
        .as_ref()
        .expect("there");
    assert_eq!((blue.id(), green.id()), ("main-cluster-old1", "main-cluster"));
    assert_eq!(green.engine_version(), Some(PgVersion::new(14, 10)));
    let facts = document(collected);
    assert_eq!(Situation::of(&facts, None).phase, Phase::Verify);
    let report = judged(&facts, Phase::Verify);
    assert_eq!(unknown(&report), Vec::<String>::new());
    assert_eq!(found(&report, Level::Blocker), BTreeSet::new());
    assert!(found(&report, Level::Notice).contains("old-side-removed"));

    // Once the old side is gone the deployment still tells which side is which.
    sandbox.rds().edit(|account| {
        account.clusters.remove("main-cluster-old1");
        account.instances.retain(|id, _| !id.ends_with("-old1"));
    });
    let collected = read(&sandbox, cluster("main-cluster")).await;
    assert_eq!(collected.engine, Engine::Aurora);
    assert_eq!(collected.blue, None);
    let report = judged(&document(collected), Phase::Verify);
    assert!(!found(&report, Level::Notice).contains("old-side-removed"));
}

#[tokio::test]
async fn a_switchover_that_was_rolled_back_shows_in_the_members() {
    let sandbox = start(scenario("guide-ready")).await;
    sandbox.rds().next_switchover(SwitchoverOutcome::RolledBack {
        reason: "external replication on the blue cluster".to_owned(),
        status: "AVAILABLE".to_owned(),
    });
    let id = sandbox.rds().deployment("main-to-14").expect("the deployment").id;
    let client = Client::new(&config(&sandbox).await);
    let call = client.switchover_blue_green_deployment();
    call.blue_green_deployment_identifier(&id)
        .send()
        .await
        .expect("accepted");
    let failed = |account: &sandbox::account::Account| {
        let members = &account.deployments[&id].members;
        members
            .iter()
            .any(|m| m.status.as_deref() == Some("SWITCHOVER_FAILED"))
    };
    assert!(sandbox.rds().until(Duration::from_secs(60), failed).await);
    let collected = read(&sandbox, cluster("main-cluster")).await;
    let deployment = collected
        .facts
        .deployment
        .known()
        .expect("known")
        .clone()
        .expect("there");
    assert_eq!(deployment.status, DeploymentStatus::Available);
    assert!(
        deployment
            .members
            .iter()
            .any(|m| m.status == Some(MemberStatus::SwitchoverFailed))
    );
    let report = judged(&document(collected), Phase::Switchover);
    assert!(found(&report, Level::Warning).contains("deployment-members"));
}

#[tokio::test]
async fn statuses_of_the_future_are_kept_and_not_taken_for_good() {
    let sandbox = start(scenario("guide-ready")).await;
    sandbox.rds().arm(FaultRule::always(
        "DescribeBlueGreenDeployments",
        Effect::Status {
            resource: Resource::Deployment,
            status: "AWAITING_MOON".to_owned(),
        },
    ));
    let report = judged(
        &document(read(&sandbox, cluster("main-cluster")).await),
        Phase::Switchover,
    );
    assert!(
        unknown(&report)
            .iter()
            .any(|line| line.starts_with("deployment-status")),
        "{:?}",
        unknown(&report)
    );
}

#[tokio::test]
async fn a_missing_right_costs_one_fact_and_is_named() {
    let sandbox = start(scenario("guide-ready")).await;
    sandbox.faults().allow_only([
        "DescribeDBClusters",
        "DescribeDBInstances",
        "DescribeBlueGreenDeployments",
    ]);
    let facts = read(&sandbox, cluster("main-cluster")).await.facts;
    assert!(facts.blue.known().is_some() && facts.green.known().is_some_and(Option::is_some));
    let denied = |why: Why, detail: &str, action: &str| {
        assert_eq!(why, Why::Privilege, "{action}: {detail}");
        assert!(
            detail.contains(&format!("rds:{action} is not allowed")),
            "{detail}"
        );
    };
    macro_rules! each {
        ($($fact:expr => $action:literal),* $(,)?) => {
            $(let (why, detail) = $fact.get().expect_err($action); denied(why, detail, $action);)*
        };
    }
    each!(
        facts.events => "DescribeEvents",
        facts.proxies => "DescribeDBProxies",
        facts.quotas => "DescribeAccountAttributes",
        facts.integrations => "DescribeIntegrations",
        facts.global_cluster => "DescribeGlobalClusters",
        facts.cluster_endpoints => "DescribeDBClusterEndpoints",
        facts.pending_maintenance => "DescribePendingMaintenanceActions",
        facts.source_version => "DescribeDBEngineVersions",
        facts.target_version => "DescribeDBEngineVersions",
        facts.major_version => "DescribeDBMajorEngineVersions",
        facts.parameter_groups["cluster:main-cluster-params"] => "DescribeDBClusterParameters",
        facts.orderable_on_target["db.t3.medium"] => "DescribeOrderableDBInstanceOptions",
    );
    // Without the right to see deployments nothing is claimed about one.
    sandbox
        .faults()
        .allow_only(["DescribeDBClusters", "DescribeDBInstances"]);
    let facts = read(&sandbox, cluster("main-cluster")).await.facts;
    assert!(facts.deployment.get().is_err() && facts.green.get().is_err());
}

#[tokio::test]
async fn throttling_is_survived() {
    let sandbox = start(scenario("guide")).await;
    sandbox.rds().fail_next("Describe*", 2, Effect::Throttle);
    sandbox
        .rds()
        .fail_next("DescribeDBClusterParameters", 1, Effect::Unavailable);
    let facts = read(&sandbox, cluster("main-cluster")).await.facts;
    assert!(
        facts.parameter_groups["cluster:main-cluster-params"]
            .known()
            .is_some()
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is() {
    let sandbox = start(scenario("guide")).await;
    let says = async |request: RdsRequest, parts: &[&str]| {
        let error = refused(&sandbox, request).await;
        let text = error.to_string();
        assert!(error.is_usage(), "{text}");
        for part in parts {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    };
    says(
        cluster("main-clutser"),
        &["no cluster \"main-clutser\"", "similar: main-cluster", "--region"],
    )
    .await;
    says(
        request(Subject::Instance("main-cluster".to_owned())),
        &["use --cluster"],
    )
    .await;
    says(cluster("db-cluster1"), &["use --instance"]).await;
    says(
        request(Subject::Instance("db-cluster1".to_owned())),
        &["is an instance of cluster main-cluster"],
    )
    .await;
    says(
        request(Subject::Deployment("bgd-0000".to_owned())),
        &["no deployment at all"],
    )
    .await;
    says(
        cluster("arn:aws:rds:us-east-1:123456789012:cluster:main-cluster"),
        &["us-east-1", "eu-west-1", "give --region us-east-1"],
    )
    .await;
    says(
        cluster("arn:aws:rds:eu-west-1:123456789012:db:x"),
        &["is not the ARN of a cluster"],
    )
    .await;
}

#[tokio::test]
async fn other_engines_are_refused() {
    let mut world = scenario("guide");
    world.cluster[0].engine = "aurora-mysql".to_owned();
    world.cluster[0].version = "8.0.mysql_aurora.3.05.2".to_owned();
    world.cluster[0].parameter_group = None;
    let sandbox = match Sandbox::start(world).await {
        Ok(sandbox) => sandbox,
        Err(e) => panic!("the sandbox takes MySQL: {e}"),
    };
    let error = refused(&sandbox, cluster("main-cluster")).await;
    assert!(
        error.is_usage() && error.to_string().contains("aurora-mysql"),
        "{error}"
    );
}

#[tokio::test]
async fn access_that_fails_is_one_clear_message() {
    let sandbox = start(scenario("guide")).await;
    for (effect, wanted) in [
        (Effect::AccessDenied, "AWS does not allow rds:DescribeDBClusters"),
        (Effect::ExpiredToken, "session has expired"),
        (Effect::InvalidToken, "does not accept the credentials"),
    ] {
        sandbox.faults().clear();
        sandbox.rds().arm(FaultRule::always("*", effect));
        let error = refused(&sandbox, cluster("main-cluster")).await;
        assert!(!error.is_usage() && error.to_string().contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn nobody_answers() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let error = collect(&config_in(&url, "eu-west-1").await, &cluster("main-cluster"))
        .await
        .expect_err("nobody listens");
    assert!(!error.is_usage(), "{error}");
    assert!(
        error.to_string().contains("cannot reach RDS in eu-west-1"),
        "{error}"
    );
    // The cause is told, not only that there is one.
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn looking_needs_the_listed_actions_and_no_others() {
    let mut used = BTreeSet::new();
    for (name, subject) in [
        ("guide-ready", Subject::Cluster("main-cluster".to_owned())),
        ("rds-instance", Subject::Instance("shop".to_owned())),
    ] {
        let mut world = scenario(name);
        world.proxy.push(sandbox::ProxySpec {
            name: "pool".to_owned(),
            target: Some(subject.name().to_owned()),
            health: "AVAILABLE".to_owned(),
        });
        let sandbox = start(world).await;
        sandbox.calls().clear();
        let facts = read(&sandbox, request(subject)).await.facts;
        assert_eq!(facts.proxies.known().map(Vec::len), Some(1));
        used.extend(
            sandbox
                .calls()
                .all()
                .into_iter()
                .map(|call| format!("rds:{}", call.action)),
        );
    }
    assert_eq!(
        used,
        permissions::LOOK
            .iter()
            .map(|&action| action.to_owned())
            .collect()
    );
}
