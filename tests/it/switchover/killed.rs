//! The shipped binary is killed without warning after every kind of record that a run writes, and taken up again: the same
//! end, or an honest "unknown" where nothing can be known; and never two requests.

use std::time::Duration;

use sandbox::Speed;

use super::stage::{Ended, PATIENCE, Stage, quiet};

/// Kills the run as soon as its journal has `there`, or lets it end by itself; returns whether it was killed.
pub(super) async fn killed(
    stage: &Stage,
    journal: &str,
    more: &[&str],
    there: impl Fn(&str) -> bool,
) -> bool {
    let mut child = stage.spawn(journal, more);
    let path = stage.journal(journal);
    let written = async {
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let complete = text.rfind('\n').map_or("", |end| &text[..end]);
            if there(complete) {
                return;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    };
    tokio::select! {
        biased;
        ended = child.wait() => {
            ended.expect("it was started");
            false
        }
        waited = tokio::time::timeout(PATIENCE, written) => {
            waited.expect("the record is written");
            // SIGKILL: nothing can be tidied up.
            child.start_kill().expect("it is killed");
            child.wait().await.expect("it is gone");
            true
        }
    }
}

/// The one thing that must hold at the end.
#[track_caller]
fn told(stage: &Stage, ended: &Ended) {
    let all = || format!("{}\n{}", ended.stdout, ended.stderr);
    match (ended.code, stage.asked()) {
        (Some(0), 1) => assert_eq!(stage.statuses().0, "SWITCHOVER_COMPLETED", "{}", all()),
        // The request had been written down and was never sent, which nobody can know.
        (Some(22), 0) => assert_eq!(stage.statuses().0, "AVAILABLE", "{}", all()),
        (code, asked) => panic!("exit {code:?} with {asked} requests\n{}", all()),
    }
}

/// Killed when the journal has a record of this kind, and taken up.
async fn killed_after(kind: &str) {
    // Steps that take time, so that there is something to be killed in.
    let stage = Stage::at(quiet(), Speed::Every(Duration::from_millis(150))).await;
    let quick = ["--stable-for", "200ms"];
    let record = format!("\"kind\":\"{kind}\"");
    let was_killed = killed(&stage, "a.journal", &quick, |text| text.contains(&record)).await;
    let ended = stage
        .run("a.journal", &["--resume", "--stable-for", "200ms"])
        .await;
    told(&stage, &ended);
    eprintln!(
        "killed after {kind}: {was_killed}, exit {:?}, {} requests",
        ended.code,
        stage.asked()
    );
    // Once more, for nothing changes any more.
    if ended.code == Some(0) {
        let again = stage.run("a.journal", &["--resume"]).await.with(0);
        told(&stage, &again);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_request_again_and_again_it_still_comes_to_its_end() {
    let stage = Stage::new(quiet()).await;
    let mut kills = 0;
    for records in 1..=6 {
        let path = stage.journal("a.journal");
        let lines = |text: &str| text.lines().count();
        let before = std::fs::read_to_string(&path).map_or(0, |text| lines(&text));
        let more: &[&str] = if before == 0 {
            &["--stable-for", "200ms"]
        } else {
            &["--stable-for", "200ms", "--resume"]
        };
        // header, run, locked, checked, settled, decided, confirmed: one more each time.
        kills += usize::from(killed(&stage, "a.journal", more, |text| lines(text) >= before + records).await);
    }
    let ended = stage
        .run("a.journal", &["--resume", "--stable-for", "200ms"])
        .await;
    told(&stage, &ended);
    assert!(kills >= 5, "{kills} kills");
    eprintln!("killed {kills} times before the request, exit {:?}", ended.code);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_consent() {
    killed_after("confirmed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_intent() {
    killed_after("intent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_answer() {
    killed_after("answered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_runs() {
    killed_after("progress").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_its_completion() {
    killed_after("completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_its_end() {
    killed_after("ended").await;
}
