//! A switchover that was approved before, is probed while it runs, and is told afterwards.

use std::process::{Command, Stdio};

use greenlight::attest::Attestation;
use greenlight::switchover::{journal, record::Record, remark::Remark};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::stage::{Stage, guide, quiet};

const TABLE: &str = "create table public.greenlight_probe (run text not null, n bigint not null, \
at timestamptz not null default now(), primary key (run, n)); grant select, insert on public.greenlight_probe to public;";

impl Stage {
    /// Another command of the binary.
    fn other(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_greenlight"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.sandbox.env())
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code().expect("a code"),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn attest(&self, name: &str) -> Attestation {
        let (code, stdout, stderr) = self.other(&[
            "check",
            "--deployment",
            "main-to-14",
            "--lag-samples",
            "1",
            "--attest",
            name,
        ]);
        assert_eq!(code, 0, "{stdout}\n{stderr}");
        let text = std::fs::read_to_string(self.folder.path().join(name)).expect("it was written");
        Attestation::parse(&text).expect("it is one")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_probed_and_told() {
    let mut scenario = guide("writers = 2\ndatabases = [\"main\"]\npause_ms = 20").expect("a scenario");
    let database = scenario.cluster[0].database.iter_mut().find(|d| d.name == "main");
    database.expect("main").sql.push_str(TABLE);
    let stage = Stage::new(scenario).await;
    let attestation = stage.attest("main.attestation");

    let ended = stage
        .run(
            "a.journal",
            &[
                "--format",
                "json",
                "--attestation",
                "main.attestation",
                "--probe-write",
                "main/public.greenlight_probe",
            ],
        )
        .await
        .with(0);
    let events = ended.events();
    let end = events.last().expect("an end");
    let outage = &end["outage"];
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("a number in {outage:#}"));
    // One before it at least, and one after it: how many there are between depends on the machine.
    assert!(number(&outage["reads"]["attempts"]) > 1, "{outage:#}");
    let writes = &outage["writes"];
    assert!(number(&writes["acknowledged"]) > 1, "{outage:#}");
    assert_eq!(
        writes["found"], writes["acknowledged"],
        "an acknowledged row is lost: {outage:#}"
    );
    assert!(
        number(&writes["stream"]["out_ms"]) > 0,
        "writes stop while it switches: {outage:#}"
    );
    let last = |stream: &Value| stream["last"]["version"].as_str().unwrap_or_default().to_owned();
    for stream in [&outage["reads"], &writes["stream"]] {
        assert!(
            last(stream).starts_with("14."),
            "it did not follow the endpoint: {outage:#}"
        );
        let first = stream["first"]["version"].as_str().unwrap_or_default();
        assert!(first.starts_with("12."), "{outage:#}");
    }
    let out: Vec<&Value> = events.iter().filter(|e| e["event"] == "probe").collect();
    assert!(
        out.iter().any(|e| e["probe"] == "writes" && e["out"] == true),
        "{out:?}"
    );
    assert!(
        out.iter().any(|e| e["probe"] == "writes" && e["out"] == false),
        "{out:?}"
    );
    eprintln!(
        "probed switchover: reads out {} ms, writes out {} ms, {} rows acknowledged and found",
        outage["reads"]["out_ms"], writes["stream"]["out_ms"], writes["acknowledged"]
    );

    // The journal has it all, and vouches for itself.
    let log = journal::read(&stage.journal("a.journal")).expect("it verifies");
    assert_eq!(end["journal_head"], log.head, "{end:#}");
    let remarks: Vec<&Remark> = log
        .records()
        .filter_map(|r| match r {
            Record::Remark { remark, .. } => Some(remark.as_ref()),
            _ => None,
        })
        .collect();
    let has = |is: &dyn Fn(&Remark) -> bool| remarks.iter().any(|r| is(r));
    assert!(has(
        &|r| matches!(r, Remark::Judged(j) if j.phase == "switchover" && j.verdict == "ready")
    ));
    assert!(has(
        &|r| matches!(r, Remark::Judged(j) if j.phase == "verify" && j.verdict == "ready")
    ));
    assert!(has(
        &|r| matches!(r, Remark::Settling { looks, .. } if looks.len() > 1)
    ));
    assert!(has(&|r| matches!(r, Remark::Outage(_))));
    assert!(has(
        &|r| matches!(r, Remark::Attested(a) if a.digest == attestation.digest)
    ));

    let (code, text, _) = stage.other(&["report", "--journal", "a.journal", "-o", "html=a.html"]);
    assert_eq!(code, 0);
    for says in [
        "Switched over: main-to-14",
        "12.17 to 14.10",
        "Acted on the attestation",
        "What clients saw",
        "Verification",
        "AWS request id",
        &log.head,
    ] {
        assert!(text.contains(says), "{says} is missing in\n{text}");
    }
    if let Ok(folder) = std::env::var("GREENLIGHT_PICTURES") {
        for name in ["a.html", "a.journal"] {
            let to = std::path::Path::new(&folder).join(format!("switchover-{name}"));
            std::fs::copy(stage.folder.path().join(name), to).expect("kept");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attestation_that_does_not_hold_stops_it_with_nothing_changed() {
    let stage = Stage::new(quiet()).await;
    let attestation = stage.attest("good.attestation");
    let write = |name: &str, text: &str| {
        std::fs::write(stage.folder.path().join(name), text).expect("writable");
    };
    let resealed = |change: &dyn Fn(&mut Attestation)| {
        let mut other = attestation.clone();
        change(&mut other);
        other.sealed().to_text()
    };
    write(
        "edited",
        &attestation.to_text().replace("main-to-14", "main-to-15"),
    );
    write("garbage", "approved by the board");
    write(
        "expired",
        &resealed(&|a| {
            a.expires_at = Timestamp::now()
                .checked_sub(SignedDuration::from_secs(1))
                .expect("in range")
        }),
    );
    write(
        "future",
        &resealed(&|a| {
            a.collected_at = Timestamp::now()
                .checked_add(SignedDuration::from_hours(1))
                .expect("in range");
        }),
    );
    write(
        "version",
        &resealed(&|a| a.subject.source_version = "12.16".into()),
    );
    write(
        "members",
        &resealed(&|a| {
            a.subject.members.pop();
        }),
    );
    for (name, says) in [
        ("edited", "it was changed after it was written"),
        ("garbage", "it is no attestation of greenlight"),
        ("expired", "it expired at"),
        ("future", "one of the clocks is wrong"),
        ("version", "and was 12.16 when it was attested"),
        ("members", "the pair of members is"),
    ] {
        let journal = format!("{name}.journal");
        stage
            .run(&journal, &["--attestation", name])
            .await
            .with(20)
            .says(says);
        assert_eq!(stage.asked(), 0, "{name}");
    }
    // Another policy than the one that was attested.
    write("greenlight.toml", "[thresholds]\nmax-lag-seconds = 7\n");
    stage
        .run("policy.journal", &["--attestation", "good.attestation"])
        .await
        .with(20)
        .says("the list of thresholds is");
    std::fs::remove_file(stage.folder.path().join("greenlight.toml")).expect("it is there");
    stage
        .run("none.journal", &["--attestation", "nowhere"])
        .await
        .with(2)
        .says("nowhere");
    assert_eq!(stage.asked(), 0);
    assert_eq!(stage.statuses().0, "AVAILABLE");
    // What holds goes ahead, as far as a dry run goes.
    stage
        .run(
            "good.journal",
            &["--attestation", "good.attestation", "--dry-run"],
        )
        .await
        .with(0);
    // A table that is not there is refused before there is a journal.
    stage
        .run("probe.journal", &["--probe-write", "main/public.nowhere"])
        .await
        .with(2)
        .says("there is no such table on blue");
    assert!(!stage.journal("probe.journal").exists());
    assert_eq!(stage.asked(), 0);
}
