//! What the API says is what real servers do.

use std::time::{Duration, Instant};

use sandbox::{Options, Sandbox, Scenario};

use crate::{
    CLUSTER, SOON,
    client::{call, control},
    create_with, messages, python, settle, start,
};

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
    goes_on(load).await;
    load.pause(true);
    assert!(load.lost(&server).await.expect("the server answers").is_empty());
}

/// Waits until clients have written on.
async fn goes_on(load: &sandbox::Load) {
    let before = load.report().acknowledged;
    let began = Instant::now();
    while load.report().acknowledged <= before {
        assert!(began.elapsed() < SOON, "{:?}", load.report());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The scenario of the guide with its deployment made, on real servers.
async fn ready() -> (Sandbox, String) {
    let options = Options {
        // 30 s of SwitchoverTimeout are 3 and 600 a minute, and a transaction of 1 s is a long one.
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
    switch_within(sandbox, id, "30");
}

fn switch_within(sandbox: &Sandbox, id: &str, timeout: &str) {
    let fields = [
        ("BlueGreenDeploymentIdentifier", id),
        ("SwitchoverTimeout", timeout),
    ];
    call(&sandbox.endpoint_url(), "SwitchoverBlueGreenDeployment", &fields)
        .expect("an answer")
        .ok();
}

/// The way of the guide: a minor upgrade first, which also puts the waiting parameters into effect, then green.
#[tokio::test(flavor = "multi_thread")]
async fn the_guide_can_be_followed_to_its_end() {
    let sandbox = start(Scenario::load("guide").expect("a built-in scenario")).await;
    let endpoint = sandbox.endpoint_url();
    let fields = [("TargetEngineVersion", "14.10")];
    let refused = create_with(&sandbox, &fields);
    assert!(refused.body.contains("engine version 12.14"), "{}", refused.body);
    let upgrade = [
        ("DBClusterIdentifier", "main-cluster"),
        ("EngineVersion", "12.17"),
    ];
    let later = call(&endpoint, "ModifyDBCluster", &upgrade)
        .expect("an answer")
        .ok();
    assert_eq!(
        later.all("EngineVersion"),
        ["12.14", "12.17"],
        "in effect, and pending"
    );
    let at_once = [&upgrade[..], &[("ApplyImmediately", "true")]].concat();
    call(&endpoint, "ModifyDBCluster", &at_once)
        .expect("an answer")
        .ok();
    let done =
        |account: &sandbox::account::Account| account.clusters["main-cluster"].engine_version == "12.17";
    assert!(sandbox.rds().until(SOON, done).await);
    let account = sandbox.rds().account();
    let cluster = &account.clusters["main-cluster"];
    assert!(
        cluster
            .members
            .iter()
            .all(|member| member.parameter_status == "in-sync")
    );
    assert_eq!(cluster.pending_version, None);
    let id = create_with(&sandbox, &fields)
        .ok()
        .first("BlueGreenDeploymentIdentifier");
    settle(&sandbox, &id, "AVAILABLE").await;
    let green = sandbox.green().expect("a server");
    let rows = "select count(*) from \"a b\".\"Semi;colon\"\"s\"";
    let rows = green
        .value("Ünï\"quoted; db", rows)
        .await
        .expect("the odd names are there");
    assert_eq!(rows.as_deref(), Some("20"));
    let log = call(
        &endpoint,
        "DownloadDBLogFilePortion",
        &[
            ("DBInstanceIdentifier", "db-cluster1"),
            ("LogFileName", "error/postgresql.log"),
        ],
    );
    let log = log.expect("an answer").ok().first("LogFileData");
    assert!(log.contains("logical decoding found consistent point"), "{log}");
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
    goes_on(load).await;
    let report = load.report();
    assert!(report.acknowledged > before, "{report:?}");
    assert!(
        !report.states.contains("23505"),
        "sequences were left behind: {report:?}"
    );
    load.pause(true);
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
        // The guardrail comes before the timeout, however busy the machine is.
        switch_within(&sandbox, &id, "600");
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

    // Its transactions must not pass for long ones on a busy machine.
    let load = sandbox.load("main-cluster").expect("the scenario has a load");
    load.pause(true);
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
    load.pause(false);
    goes_on(load).await;
    load.pause(true);
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
    load.pause(false);
    goes_on(load).await;
    load.pause(true);

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
    green.kill();
    refused("a dead green", "the environments can't be checked").await;
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

#[tokio::test(flavor = "multi_thread")]
async fn within_a_major_green_is_a_physical_standby() {
    for (from, to, delete_early) in [
        ("11.19", "11.22", false),
        ("13.18", "13.21", true),
        ("18.1", "18.3", false),
    ] {
        let mut scenario = Scenario::load("rds-instance").expect("a built-in scenario");
        // No logical replication is needed for it.
        scenario.instance[0].parameter_group = None;
        scenario.instance[0].version = from.to_owned();
        scenario.instance[0].class = "db.r5.large".to_owned();
        let sandbox = start(scenario).await;
        let endpoint = sandbox.endpoint_url();
        let id = call(
            &endpoint,
            "CreateBlueGreenDeployment",
            &[
                ("BlueGreenDeploymentName", "shop-minor"),
                ("Source", "arn:aws:rds:eu-west-1:123456789012:db:shop"),
                ("TargetEngineVersion", to),
            ],
        )
        .expect("an answer")
        .ok()
        .first("BlueGreenDeploymentIdentifier");
        settle(&sandbox, &id, "AVAILABLE").await;
        let (blue, green) = (
            sandbox.blue().expect("a server"),
            sandbox.green().expect("a server"),
        );
        let recovery = "select pg_is_in_recovery()";
        assert_eq!(
            green.value("shop", recovery).await.expect("an answer").as_deref(),
            Some("t")
        );
        let fields = [
            ("BlueGreenDeploymentIdentifier", id.as_str()),
            ("DeleteTarget", "false"),
        ];
        if delete_early {
            call(&endpoint, "DeleteBlueGreenDeployment", &fields)
                .expect("an answer")
                .ok();
            assert!(
                sandbox
                    .rds()
                    .until(SOON, |account| account.deployments.is_empty())
                    .await
            );
        } else {
            switch(&sandbox, &id);
            settle(&sandbox, &id, "SWITCHOVER_COMPLETED").await;
            let load = sandbox.load("shop").expect("the scenario has a load");
            goes_on(load).await;
            load.pause(true);
            let production = sandbox.server("shop").expect("a server");
            assert_eq!(production.port(), green.port());
            assert!(
                load.lost(&production)
                    .await
                    .expect("the server answers")
                    .is_empty()
            );
            assert!(messages(&sandbox, "RDS-EVENT-0307").is_empty());
        }
        assert_eq!(
            green.value("shop", recovery).await.expect("an answer").as_deref(),
            Some("f")
        );
        let slots = blue
            .value("postgres", "select count(*) from pg_replication_slots")
            .await;
        assert_eq!(slots.expect("an answer").as_deref(), Some("0"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_with_the_sandbox() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .expect("a certificate");
    let options = Options {
        certificate: Some(sandbox::pg::Certificate {
            chain: key.cert.pem(),
            key: key.signing_key.serialize_pem(),
        }),
        ..Options::default()
    };
    let scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    let sandbox = Sandbox::start_with(scenario, options)
        .await
        .expect("the scenario is valid");
    let mut left = Vec::new();
    for server in [sandbox.blue(), sandbox.green()] {
        let server = server.expect("a server");
        assert_eq!(
            server
                .value("postgres", "show ssl")
                .await
                .expect("an answer")
                .as_deref(),
            Some("on")
        );
        left.push((server.data_dir().to_path_buf(), server.address()));
    }
    let api = sandbox.endpoint_url().replace("http://", "");
    let endpoints: Vec<_> = sandbox
        .endpoints("main-cluster")
        .iter()
        .map(|proxy| proxy.addr())
        .collect();
    // A call that is under way holds nothing back.
    switch(
        &sandbox,
        &sandbox
            .rds()
            .deployment("main-to-14")
            .expect("the scenario makes it")
            .id,
    );
    drop(sandbox);
    let began = Instant::now();
    while left.iter().any(|(folder, _)| folder.exists()) && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (folder, address) in left {
        assert!(!folder.exists(), "{} is left", folder.display());
        assert!(std::net::TcpStream::connect(address).is_err());
    }
    assert!(std::net::TcpStream::connect(api).is_err());
    for endpoint in endpoints {
        assert!(std::net::TcpStream::connect(endpoint).is_err());
    }
}
