//! `greenlight watch` on real servers: what is new is told, a wait ends as it should, and what is lost is said and survived.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sandbox::{Effect, FaultRule, Options, Sandbox, Scenario, Speed, proxy::Mode};
use serde_json::Value;

use crate::{
    cli::{Ran, greenlight},
    support::PATIENCE,
};

fn ready() -> Scenario {
    let mut scenario = Scenario::load("guide-ready").expect("built in");
    scenario.cluster[0].load = None;
    scenario
}

fn start(scenario: Scenario, options: Options) -> Sandbox {
    Sandbox::start_blocking(scenario, options).expect("the scenario is valid")
}

fn watch(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let here = tempfile::tempdir().expect("a folder");
    let env = sandbox.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut all = vec!["watch", "--deployment", "main-to-14"];
    all.extend(args);
    greenlight(here.path(), &all, &env)
}

fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// A watch that runs beside the test, line by line.
struct Beside {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Beside {
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_greenlight"))
            .args(["watch", "--deployment", "main-to-14", "--format", "json"])
            .args(args)
            .env_clear()
            .envs(sandbox.env())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// The next event that fits.
    fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.next().expect("it goes on").expect("UTF-8");
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if fits(&event) {
                return event;
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn waits_end_as_they_should() {
    let sandbox = start(ready(), Options::default());
    let ran = watch(&sandbox, &["--until", "available", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = events(&ran.stdout);
    assert!(
        told.iter()
            .any(|e| e["event"] == "status" && e["status"] == "AVAILABLE"),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|e| e["event"] == "member" && e["member"] == "cluster main-cluster")
    );
    let last = told.last().expect("an end");
    assert_eq!((&last["event"], &last["end"]), (&"end".into(), &"reached".into()));

    let ran = watch(
        &sandbox,
        &[
            "--until",
            "ready",
            "--stable-for",
            "1s",
            "--interval",
            "300ms",
            "--timeout",
            "60s",
        ],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("green has caught up"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  lag "), "{}", ran.stdout);

    // Nothing is switched over by waiting for it.
    let ran = watch(&sandbox, &["--until", "switched", "--timeout", "5s"]);
    assert_eq!(ran.code, 11, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("not switched in time, status AVAILABLE"),
        "{}",
        ran.stdout
    );

    for (args, wanted) in [
        (&["--until", "ready", "--api-only"][..], "needs the lag"),
        (&["--interval", "never"], "write a time"),
        (&["--max-lag", "1 parsec"], "write bytes"),
    ] {
        let ran = watch(&sandbox, args);
        assert!(
            ran.code == 2 && ran.stderr.contains(wanted),
            "{args:?} {}",
            ran.stderr
        );
    }
}

#[test]
fn what_is_lost_is_said_and_survived() {
    let sandbox = start(ready(), Options::default());
    let mut beside = Beside::start(&sandbox, &["--interval", "300ms", "--api-interval", "300ms"]);
    let lag =
        beside.until(|e| e["event"] == "lag" && e["databases"].as_array().is_some_and(|l| !l.is_empty()));
    let databases = lag["databases"].as_array().expect("databases");
    assert!(databases.iter().any(|l| l["database"] == "main"), "{lag}");

    // The database side: connections are cut, and refused for a while.
    let blue = sandbox.endpoints("main-cluster");
    for endpoint in &blue {
        sandbox::pg::block_on(endpoint.set_mode(Mode::Refuse));
        endpoint.drop_connections();
    }
    let trouble = beside.until(|e| e["event"] == "trouble");
    assert_eq!(trouble["with"], "the databases");
    for endpoint in &blue {
        sandbox::pg::block_on(endpoint.set_mode(Mode::open()));
    }
    beside.until(|e| e["event"] == "better" && e["with"] == "the databases");

    // The API throttles: said once, asked more rarely, and all goes on.
    sandbox
        .rds()
        .arm(FaultRule::always("Describe*", Effect::Throttle));
    let trouble = beside.until(|e| e["event"] == "trouble" && e["with"] == "RDS");
    assert!(
        trouble["why"].as_str().expect("why").contains("Throttling"),
        "{trouble}"
    );
    beside.until(|e| e["event"] == "lag");
    sandbox.faults().clear();
    beside.until(|e| e["event"] == "better" && e["with"] == "RDS");

    // Ctrl-C ends it cleanly.
    let pid = beside.child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill");
    assert!(sent.success());
    let begun = Instant::now();
    let status = beside.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert!(begun.elapsed() < PATIENCE);
}

/// A deployment that is being made: green comes while it is watched, and its lag is seen then.
#[test]
fn green_is_found_when_it_comes() {
    let mut scenario = ready();
    let deployment = scenario.deployment.remove(0);
    let options = Options {
        speed: Speed::Manual,
        ..Options::default()
    };
    let sandbox = start(scenario, options);
    sandbox::pg::block_on(async {
        let config = crate::rds_collect::config(&sandbox).await;
        let client = aws_sdk_rds::Client::new(&config);
        let source = sandbox.rds().account().cluster_arn("main-cluster");
        client
            .create_blue_green_deployment()
            .blue_green_deployment_name(&deployment.name)
            .source(source)
            .target_engine_version("14.10")
            .target_db_cluster_parameter_group_name("main-cluster-params-14")
            .send()
            .await
            .expect("it begins");
    });
    let args = [
        "--until",
        "ready",
        "--stable-for",
        "1s",
        "--interval",
        "300ms",
        "--api-interval",
        "300ms",
        "--timeout",
        "100s",
    ];
    let mut beside = Beside::start(&sandbox, &args);
    beside.until(|e| e["event"] == "status" && e["status"] == "PROVISIONING");
    let begun = Instant::now();
    while sandbox
        .rds()
        .deployment("main-to-14")
        .is_none_or(|d| d.status != "AVAILABLE")
    {
        assert!(begun.elapsed() < PATIENCE, "green is never made");
        sandbox.rds().advance(1);
        std::thread::sleep(Duration::from_millis(50));
    }
    beside.until(|e| e["event"] == "task" && e["status"] == "COMPLETED");
    beside.until(|e| e["event"] == "status" && e["status"] == "AVAILABLE");
    beside.until(|e| e["event"] == "lag" && !e["databases"].as_array().expect("a list").is_empty());
    let end = beside.until(|e| e["event"] == "end");
    assert_eq!(end["end"], "reached", "{end}");
    assert_eq!(beside.child.wait().expect("it ends").code(), Some(0));
}
