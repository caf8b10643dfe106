//! On a terminal: only the name is a yes, Ctrl-C leaves, and without a terminal nobody is asked. `script` gives the terminal.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use super::{CREATE, QUICK, Stage, cluster};

/// Runs it on a terminal, types this when it asks, and gives the exit code and what was shown; none where there is no `script`.
fn typed(stage: &Stage, line: &str, asks: &str, keys: &str) -> Option<(Option<i32>, String)> {
    let screen = stage.here.path().join("screen");
    let _ = std::fs::remove_file(&screen);
    let command = format!("'{}' {line}", env!("CARGO_BIN_EXE_greenlight"));
    let started = Command::new("script")
        .args(["-qefc", &command])
        .arg(&screen)
        .current_dir(stage.here.path())
        .env_clear()
        .envs(stage.sandbox.env())
        .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh"), ("TERM", "xterm")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        eprintln!("NOT TESTED: there is no `script` here");
        return None;
    };
    let shown = || std::fs::read_to_string(&screen).unwrap_or_default();
    let asked = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        shown().contains(asks)
    });
    assert!(asked, "{line}: it is not asked: {}", shown());
    let mut input = child.stdin.take().expect("piped");
    input.write_all(keys.as_bytes()).expect("typed");
    let status = child.wait().expect("it ends");
    Some((status.code(), shown()))
}

#[test]
fn only_the_name_is_a_yes_when_a_deployment_is_made_or_removed() {
    let stage = Stage::new(cluster());
    let create = format!("{} {QUICK}", CREATE.replace(" --yes", ""));
    let asks = "To create deployment to-14, type main-cluster:";
    let sent = |action: &str| stage.sandbox.calls().of(action).len();
    let alone = stage.ends(&create, 2);
    assert!(alone.stderr.contains("nobody to ask"), "{}", alone.stderr);
    for (keys, code, told) in [
        ("yes\n", 20, "not agreed to; nothing was changed"),
        ("to-14\n", 20, "not agreed to"),
        ("\n", 20, "not agreed to"),
        ("\x04", 20, "not agreed to"),
        ("\x03", 130, "interrupted"),
    ] {
        let Some((status, shown)) = typed(&stage, &create, asks, keys) else {
            return;
        };
        assert_eq!(status, Some(code), "{keys:?}: {shown}");
        assert!(shown.contains(told), "{keys:?}: {shown}");
        for line in [
            "of          arn:aws:rds:",
            "to          14.10",
            "no DDL on production",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert!(!stage.here.path().join("greenlight-create-to-14.journal").exists());
    }
    assert_eq!(sent("CreateBlueGreenDeployment"), 0);
    let (status, shown) = typed(&stage, &create, asks, "main-cluster\n").expect("there is one");
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(sent("CreateBlueGreenDeployment"), 1);

    let cleanup = "cleanup --deployment to-14 --unwanted --delete-target --poll 1";
    let asks = "To delete what is listed, type to-14:";
    stage.ends(cleanup, 2);
    for (keys, code) in [("main-cluster\n", 20), ("\x03", 130)] {
        let (status, shown) = typed(&stage, cleanup, asks, keys).expect("there is one");
        assert_eq!(status, Some(code), "{keys:?}: {shown}");
        assert!(
            shown.contains("About to delete") && shown.contains("-green-"),
            "{shown}"
        );
    }
    assert_eq!(sent("DeleteBlueGreenDeployment"), 0);
    let (status, shown) = typed(&stage, cleanup, asks, "to-14\n").expect("there is one");
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(stage.effects("DeleteBlueGreenDeployment"), 1);
}
