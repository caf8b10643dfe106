//! It goes well: under write load, in several databases with hostile names, for a cluster and for an instance.

use greenlight::switchover::record::Record;
use jiff::Timestamp;
use sandbox::Scenario;

use super::stage::{ACTION, Stage, guide};

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
    let asked = stage.sandbox.calls().of(ACTION)[0].at;
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

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_with_a_replica_is_switched_over() {
    let mut scenario = Scenario::load("rds-instance").expect("built in");
    let deployment = "[[deployment]]\nname = \"shop-to-16\"\nsource = \"shop\"\ntarget_version = \"16.6\"\ntarget_parameter_group = \"shop-16\"";
    let with = Scenario::parse("deployment", deployment).expect("a deployment");
    scenario.deployment = with.deployment;
    let stage = Stage::new(scenario).await;
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
    let before = load.report().acknowledged;
    stage
        .until("clients write again", async || {
            load.report().acknowledged > before + 20
        })
        .await;
    load.pause(true);
    let production = stage.sandbox.server("shop").expect("production");
    assert_eq!(production.major(), 16);
    assert!(load.lost(&production).await.expect("read").is_empty());
}
