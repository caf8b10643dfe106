//! On a terminal: the question is put with everything that matters, only the deployment's name is taken for a yes, and the
//! block that is redrawn is there. `script` gives the terminal.

use std::process::Stdio;

use tokio::{io::AsyncWriteExt as _, process::Command};

use super::stage::{Ended, PATIENCE, Stage, quiet};

/// Runs the binary on a terminal and types this when it asks.
async fn typed(stage: &Stage, journal: &str, answer: &str) -> Option<Ended> {
    let plain = stage.command(journal, &["--ask", "--stable-for", "1s"]);
    let plain = plain.as_std();
    let words = std::iter::once(plain.get_program()).chain(plain.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let screen = stage.folder.path().join(format!("{journal}.screen"));
    let started = Command::new("script")
        .args(["-qefc", &words.join(" ")])
        .arg(&screen)
        .current_dir(stage.folder.path())
        .env_clear()
        .envs(stage.sandbox.env())
        .env("PATH", "/usr/bin:/bin")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("skipped: there is no `script` here");
        return None;
    };
    let shown = || std::fs::read_to_string(&screen).unwrap_or_default();
    stage
        .until("the question is put", async || {
            shown().contains("Type the deployment's name")
        })
        .await;
    let mut keys = child.stdin.take().expect("piped");
    keys.write_all(format!("{answer}\n").as_bytes())
        .await
        .expect("typed");
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    let status = status.expect("it comes to an end").expect("it was started");
    Some(Ended {
        code: status.code(),
        stdout: shown(),
        stderr: String::new(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_name_is_a_yes() {
    let stage = Stage::new(quiet()).await;
    let Some(no) = typed(&stage, "a.journal", "yes").await else {
        return;
    };
    no.with(20).says("that is not its name");
    assert_eq!(stage.asked(), 0);

    let Some(yes) = typed(&stage, "a.journal", "main-to-14").await else {
        return;
    };
    let yes = yes.with(0);
    for shown in [
        "account      123456789012",
        "region       eu-west-1 at http://127.0.0.1",
        "production   main-cluster  12.17",
        "14.10",
        "members      main-cluster, db-cluster1, db-cluster2",
        "lag          billing",
        // The sandbox's Aurora has no `aurora_version()`, and 12.17 has good and bad patches.
        "open         1 findings below blocker",
        "engine-faults  blue:engine-version",
        "of --wait left",
        "SWITCHED OVER main-to-14",
    ] {
        assert!(
            yes.stdout.contains(shown),
            "{shown:?} is missing in\n{}",
            yes.stdout
        );
    }
    assert_eq!(stage.asked(), 1);
}
