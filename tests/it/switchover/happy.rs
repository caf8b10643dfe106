//! It goes well: under write load, in several databases with hostile names, for a cluster and for an instance.

use greenlight::{
    edge::sampler,
    model::{Engine, PgVersion, Side},
    permissions::Purpose,
    switchover::{moment, record::Record},
};
use jiff::Timestamp;
use sandbox::{Load, Scenario};

use super::stage::{ACTION, Stage, ended, guide};

/// The names of records that decide, in order.
fn kinds(records: &[Record]) -> Vec<String> {
    let values = records
        .iter()
        .filter(|record| !matches!(record, Record::Remark { .. }))
        .map(|record| serde_json::to_value(record).expect("JSON"));
    values
        .map(|value| value["kind"].as_str().expect("a kind").to_owned())
        .collect()
}

/// From the last look to the request, as RDS saw it, in milliseconds.
fn evidence_age(stage: &Stage, events: &[serde_json::Value]) -> i64 {
    let submitting = events
        .iter()
        .find(|e| e["event"] == "submitting")
        .expect("it was submitted");
    let looked: Timestamp = submitting["last_look_at"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    let asked = stage.sandbox.calls().of(ACTION).last().expect("it was asked").at;
    i64::try_from(asked.duration_since(looked).as_millis()).expect("small")
}

#[tokio::test(flavor = "multi_thread")]
async fn under_write_load_no_acknowledged_row_is_lost() {
    let load = "writers = 6\ndatabases = [\"main\", \"billing\", 'Ünï\"quoted; db']\npause_ms = 5";
    let stage = Stage::new(guide(load).expect("a scenario")).await;
    let load = stage.sandbox.load("main-cluster").expect("it writes");
    stage
        .until("rows are written", async || load.report().acknowledged > 200)
        .await;

    // The documented least rights are enough.
    let policy = greenlight::permissions::policy(Purpose::Switchover, Engine::Aurora);
    let actions = policy["Statement"].as_array().expect("statements").iter();
    let actions = actions.flat_map(|statement| statement["Action"].as_array().expect("actions"));
    let actions = actions.map(|action| action.as_str().expect("a name").replace("rds:", ""));
    stage.sandbox.faults().allow_only(actions.collect::<Vec<_>>());

    let ended = stage.run("a.journal", &["--format", "json"]).await.with(0);
    let events = ended.events();
    assert_eq!(stage.asked(), 1);
    let age = evidence_age(&stage, &events);
    assert!(age < 5_000, "the last look was {age} ms old");
    let end = events.last().expect("an end");
    assert_eq!((&end["event"], &end["exit"]), (&"end".into(), &0.into()));
    assert_eq!(end["report"]["verdict"], "ready");
    assert_eq!(stage.statuses().0, "SWITCHOVER_COMPLETED");

    // Clients go on through the same endpoint, on the new major.
    let before = load.report().acknowledged;
    stage
        .until("clients write again", async || {
            load.report().acknowledged > before + 100
        })
        .await;
    load.pause(true);
    let production = stage.sandbox.server("main-cluster").expect("production");
    assert_eq!(production.major(), 14);
    let lost = load.lost(&production).await.expect("it can be read");
    assert!(lost.is_empty(), "{} rows lost: {lost:?}", lost.len());
    let report = load.report();
    assert!(
        !report.states.contains("23505"),
        "sequences collide: {:?}",
        report.states
    );
    eprintln!(
        "switchover under load: {} rows written and found, longest gap {} ms, evidence {age} ms old",
        report.acknowledged,
        report.longest_gap.as_millis()
    );

    let kinds = kinds(&stage.records("a.journal"));
    let order = [
        "header",
        "run",
        "locked",
        "checked",
        "settled",
        "decided",
        "confirmed",
        "intent",
        "answered",
    ];
    assert_eq!(kinds[..order.len()], order);
    assert_eq!(kinds[kinds.len() - 2..], ["completed", "ended"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(stage.journal("a.journal"))
            .expect("there")
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);

    // It is over: nothing is sent again, whatever is asked.
    stage
        .run("a.journal", &["--resume"])
        .await
        .with(0)
        .says("SWITCHED OVER");
    stage
        .run("b.journal", &[])
        .await
        .with(20)
        .says("switched over already");
    assert_eq!(stage.asked(), 1);
}

/// An RDS instance with a replica, and a deployment of it.
async fn instance(target: &str, group: &str) -> Stage {
    let mut scenario = Scenario::load("rds-instance").expect("built in");
    let deployment = format!(
        "[[deployment]]\nname = \"shop-to-16\"\nsource = \"shop\"\ntarget_version = \"{target}\"\ntarget_parameter_group = \"{group}\""
    );
    let with = Scenario::parse("deployment", &deployment).expect("a deployment");
    scenario.deployment = with.deployment;
    Stage::new(scenario).await
}

/// Waits until clients have written on.
async fn writes_again(stage: &Stage, load: &Load) {
    let before = load.report().acknowledged;
    stage
        .until("clients write again", async || {
            load.report().acknowledged > before + 20
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_a_replica_is_switched_over() {
    let stage = instance("16.6", "shop-16").await;
    let load = stage.sandbox.load("shop").expect("it writes");
    stage
        .until("rows are written", async || load.report().acknowledged > 50)
        .await;

    stage
        .run("a.journal", &[])
        .await
        .with(0)
        .says("SWITCHED OVER shop-to-16")
        .says("16.6 (was 13.18)");
    assert_eq!(stage.asked(), 1);
    writes_again(&stage, load).await;
    load.pause(true);
    let production = stage.sandbox.server("shop").expect("production");
    assert_eq!(production.major(), 16);
    assert!(load.lost(&production).await.expect("read").is_empty());
}

/// Within a major RDS replicates physically: green is a standby, which is promoted.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_switched_over_to_another_minor_and_no_row_is_lost() {
    let stage = instance("13.20", "shop-13").await;
    let green = stage.sandbox.green().expect("green");
    let standby = green.value("shop", "select pg_is_in_recovery()").await;
    assert_eq!(standby.expect("an answer").as_deref(), Some("t"));
    let load = stage.sandbox.load("shop").expect("it writes");
    stage
        .until("rows are written", async || load.report().acknowledged > 50)
        .await;

    // A standby that replays nothing is behind.
    green
        .execute("shop", "select pg_wal_replay_pause()")
        .await
        .expect("paused");
    let rows = "insert into items (name) select repeat('x', 200) from generate_series(1, 20000)";
    stage
        .sandbox
        .blue()
        .expect("blue")
        .execute("shop", rows)
        .await
        .expect("rows");
    stage
        .run("a.journal", &["--wait", "4s"])
        .await
        .with(20)
        .says("the standby is");
    green
        .execute("shop", "select pg_wal_replay_resume()")
        .await
        .expect("resumed");

    // A report that cannot be written at the end changes nothing about what became of production.
    let out = stage.folder.path().join("out");
    std::fs::create_dir(&out).expect("made");
    let run = stage.spawn("a.journal", &["-o", "json=out/report.json"]);
    let settled = || {
        std::fs::read_to_string(stage.journal("a.journal")).is_ok_and(|t| t.contains("\"kind\":\"settled\""))
    };
    stage.until("it has settled", async || settled()).await;
    std::fs::remove_dir_all(&out).expect("removed");
    ended(run)
        .await
        .with(0)
        .says("13.20 (was 13.18)")
        .says("report.json");
    assert_eq!(stage.asked(), 1);
    writes_again(&stage, load).await;
    load.pause(true);
    let production = stage.sandbox.server("shop").expect("production");
    assert!(load.lost(&production).await.expect("read").is_empty());
}

/// `RUNS=100 cargo test --test it fresh_when` gives the figure.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_last_is_fresh_when_the_request_leaves() {
    let runs = std::env::var("RUNS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2);
    let stage = Stage::new(guide("writers = 2\ndatabases = [\"main\"]").expect("a scenario")).await;
    let mut ages = Vec::new();
    for run in 1..=runs {
        // A switchover that RDS refuses leaves the deployment as it was.
        let reason = "not now".to_owned();
        let refused = sandbox::SwitchoverOutcome::Refused { reason };
        stage.sandbox.rds().next_switchover(refused);
        let more = ["--format", "json", "--stable-for", "0ms", "--rest-for", "200ms"];
        let ended = stage.run(&format!("{run}.journal"), &more).await.with(21);
        ages.push(evidence_age(&stage, &ended.events()));
        assert_eq!(stage.asked(), run);
    }
    ages.sort_unstable();
    let part = |percent: usize| ages[(ages.len() * percent).div_ceil(100).saturating_sub(1)];
    eprintln!(
        "from the last look to the request, {runs} runs: median {} ms, p99 {} ms",
        part(50),
        part(99)
    );
    assert!(part(100) < 5000, "{ages:?}");
}

/// What the tool costs the databases while it settles, each second.
#[test]
fn a_look_is_a_handful_of_queries() {
    let asked = |side, major| {
        let plan = sampler::plan(side, PgVersion::major(major), moment::wanted);
        assert!(plan.database.is_empty(), "no look goes into every database");
        plan.server.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    for major in 12..=18 {
        let (blue, green) = (asked(Side::Blue, major), asked(Side::Green, major));
        assert!(blue.len() <= 5 && green.len() <= 5, "{blue:?} {green:?}");
        for wanted in ["lag", "sessions", "slots", "apply"] {
            assert!(
                blue.iter().chain(&green).any(|name| name == wanted),
                "{wanted} on {major}"
            );
        }
    }
}
