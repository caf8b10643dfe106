//! The shipped binary is killed without warning after every record that a run writes, and taken up again: the same
//! end, or an honest "unknown" where nothing can be known; and never two requests.

use std::time::{Duration, Instant};

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
    let quick = ["--stable-for", "0ms"];
    let record = format!("\"kind\":\"{kind}\"");
    let was_killed = killed(&stage, "a.journal", &quick, |text| text.contains(&record)).await;
    let ended = stage.run("a.journal", &["--resume", "--stable-for", "0ms"]).await;
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

/// The kinds of all complete records, remarks too.
fn kinds(text: &str) -> Vec<String> {
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("a record");
            entry["record"]["kind"].as_str().expect("a kind").to_owned()
        })
        .collect()
}

fn written(stage: &Stage) -> Vec<String> {
    kinds(&std::fs::read_to_string(stage.journal("a.journal")).unwrap_or_default())
}

/// Runs again and again, each time killed one record later than the time before, until a run comes to its end; says after
/// what it was killed.
async fn killed_one_later_each_time(stage: &Stage, more: &[&str]) -> Vec<String> {
    let mut after = Vec::new();
    for records in 1.. {
        let before = written(stage).len();
        let there = |text: &str| text.lines().count() >= before + records;
        if !killed(stage, "a.journal", more, there).await {
            break;
        }
        after.extend(written(stage).pop());
    }
    after
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_each_record_before_the_consent_it_still_comes_to_its_end() {
    let stage = Stage::new(quiet()).await;
    // A dry run writes every record up to the decision, and cannot go further.
    let mut after = Vec::new();
    let begun = Instant::now();
    // It is killed a little later than asked, and on a busy machine a run may come to its end before: then from the beginning.
    while after.len() < 6 {
        assert!(begun.elapsed() < PATIENCE, "{after:?}");
        after.extend(killed_one_later_each_time(&stage, &["--dry-run", "--stable-for", "0ms"]).await);
    }
    assert_eq!(stage.asked(), 0);
    let ended = stage
        .run("a.journal", &["--resume", "--stable-for", "0ms"])
        .await
        .with(0);
    told(&stage, &ended);
    eprintln!("killed {} times before the consent: {after:?}", after.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_each_record_from_the_answer_on_it_still_comes_to_its_end() {
    // RDS takes its time, so that the runs one after the other see every part of it.
    let stage = Stage::at(quiet(), Speed::Every(Duration::from_millis(700))).await;
    let answered = |text: &str| text.contains("\"kind\":\"answered\"");
    let mut kills = usize::from(killed(&stage, "a.journal", &["--stable-for", "0ms"], answered).await);
    let after = killed_one_later_each_time(&stage, &["--resume"]).await;
    kills += after.len();
    // How much more there is depends on how long the runs take beside it: the answer, the next run, and what that sees.
    assert!(kills >= 3, "{after:?}");
    // Nothing changes any more.
    let ended = stage.run("a.journal", &["--resume"]).await.with(0);
    told(&stage, &ended);
    eprintln!("killed {kills} times after the answer: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_consent() {
    killed_after("confirmed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_intent() {
    killed_after("intent").await;
}
