//! The commands around reports, in the shipped binary.

use std::{fs, path::Path};

use serde_json::Value;

use crate::cli::greenlight;

const FACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/report-aurora.json");

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn parse(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

const WAIVER: &str = "\
[[waivers]]
check = \"replica-identity\"
subject = \"main/audit.*\"
reason = \"frozen\"
until = 2020-01-31
";

#[test]
fn one_run_writes_every_format() {
    let here = folder();
    let files = [
        ("table", "r.txt"),
        ("json", "r.json"),
        ("markdown", "r.md"),
        ("html", "r.html"),
        ("junit", "r.xml"),
        ("sarif", "r.sarif"),
        ("github", "r.log"),
        ("gitlab", "r.gl.json"),
    ];
    let outputs: Vec<String> = files
        .iter()
        .map(|(format, file)| format!("{format}={file}"))
        .collect();
    let mut args = vec!["check", "--facts", FACTS, "--format", "github"];
    for output in &outputs {
        args.extend(["-o", output.as_str()]);
    }
    let summary = here.path().join("summary.md");
    fs::write(&summary, "before\n").expect("a file");
    let env = [("GITHUB_STEP_SUMMARY", summary.to_str().expect("a path"))];
    let ran = greenlight(here.path(), &args, &env);
    let report = parse(&here.path().join("r.json"));
    assert_eq!(
        Some(i64::from(ran.code)),
        report["exit_code"].as_i64(),
        "{}",
        ran.stderr
    );
    for (_, file) in files {
        let text = fs::read_to_string(here.path().join(file)).expect("a report");
        assert!(text.len() > 200 && text.ends_with('\n'), "{file} is cut off");
    }
    assert_eq!(
        fs::read_to_string(here.path().join("r.log")).expect("a log"),
        ran.stdout
    );
    // The step's summary is added to, and is the same as the Markdown report.
    let summary = fs::read_to_string(&summary).expect("a summary");
    let markdown = fs::read_to_string(here.path().join("r.md")).expect("a page");
    assert_eq!(summary, format!("before\n{markdown}"));
}

/// Without the format nothing is written behind a pipeline's back.
#[test]
fn only_the_github_format_writes_a_summary() {
    let here = folder();
    let summary = here.path().join("summary.md");
    let env = [("GITHUB_STEP_SUMMARY", summary.to_str().expect("a path"))];
    greenlight(here.path(), &["check", "--facts", FACTS], &env);
    assert!(!summary.exists());
}

#[test]
fn wrong_files_are_usage() {
    let here = folder();
    fs::write(here.path().join("bad.json"), "{\"schema\": 7}").expect("a file");
    for (args, wanted) in [
        (
            &["check", "--facts", FACTS, "-o", "htlm=x"][..],
            "did you mean \"html\"?",
        ),
        (
            &["check", "--facts", FACTS, "-o", "json=x", "-o", "html=x"],
            "x is written twice",
        ),
        (&["check", "--facts", FACTS, "-o", "json="], "write FORMAT=FILE"),
        (
            &["check", "--facts", FACTS, "--baseline", "none.json"],
            "cannot read none.json",
        ),
        (
            &["check", "--facts", FACTS, "--baseline", "bad.json"],
            "bad.json: the report has schema 7",
        ),
        (
            &["diff", "bad.json", "bad.json"],
            "bad.json: the report has schema 7",
        ),
        (&["config", "check", "none.toml"], "cannot read none.toml"),
        (&["explain", "replica-identiy"], "did you mean replica-identity"),
        (&["explain", "identity"], "replica-identity"),
        (&["explain", "zzz"], "greenlight checks --search zzz"),
        (&["checks", "--group", "shcema"], "did you mean \"schema\"?"),
        (&["man", "chek"], "did you mean \"check\"?"),
    ] {
        let ran = greenlight(here.path(), args, &[]);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn config_check_says_what_is_in_force_and_from_where() {
    let here = folder();
    let ran = greenlight(here.path(), &["config", "check"], &[]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stdout.contains("there is no greenlight.toml here"),
        "{}",
        ran.stdout
    );
    let text = format!(
        "fail-on = \"warning\"\n\n[thresholds]\nmax-lag-bytes = 1024\n\n[levels]\nunlogged-tables = \"blocker\"\n\n{WAIVER}"
    );
    fs::write(here.path().join("greenlight.toml"), text).expect("a file");
    let ran = greenlight(here.path(), &["config", "check"], &[]);
    let said: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    for wanted in [
        &[
            "fail-on",
            "warning",
            "greenlight.toml:1",
            "(instead",
            "of",
            "blocker)",
        ][..],
        &[
            "thresholds.max-lag-bytes",
            "1024",
            "greenlight.toml:4",
            "(instead",
            "of",
            "16777216)",
        ],
        &["thresholds.max-lag-seconds", "10.0", "default"],
        &[
            "levels.unlogged-tables",
            "blocker",
            "greenlight.toml:7",
            "(instead",
            "of",
            "warning)",
        ],
        &["replica-identity", "main/audit.*"],
    ] {
        assert!(
            said.iter().any(|line| line == wanted),
            "{wanted:?}\n{}",
            ran.stdout
        );
    }
    assert!(
        ran.stdout
            .contains("ended on 2020-01-31: it accepts nothing any more; approved by nobody")
    );
    let ran = greenlight(
        here.path(),
        &["config", "check", "greenlight.toml", "--format", "json"],
        &[],
    );
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(value["waivers"][0]["from"], "greenlight.toml:9");
}

/// An ended waiver comes back as a finding in every report, and `--baseline` and `diff` see what is new.
#[test]
fn waivers_and_baselines_end_to_end() {
    let here = folder();
    let ran = greenlight(
        here.path(),
        &["check", "--facts", FACTS, "-o", "json=old.json"],
        &[],
    );
    fs::write(here.path().join("greenlight.toml"), WAIVER).expect("a file");
    let args = [
        "check",
        "--facts",
        FACTS,
        "--baseline",
        "old.json",
        "-o",
        "json=new.json",
    ];
    let again = greenlight(here.path(), &args, &[]);
    assert_eq!(again.code, ran.code, "a baseline accepts nothing");
    assert!(
        again.stdout.contains("it ended on 2020-01-31"),
        "{}",
        again.stdout
    );
    assert!(
        again.stdout.contains("new: waiver of replica-identity"),
        "{}",
        again.stdout
    );
    let report = parse(&here.path().join("new.json"));
    assert_eq!(report["baseline"]["file"], "old.json");
    assert_eq!(report["policy_file"], "greenlight.toml");
    let diff = greenlight(here.path(), &["diff", "old.json", "new.json"], &[]);
    assert_eq!(diff.code, 0, "a warning does not gate: {}", diff.stdout);
    assert!(diff.stdout.contains("NEW (1)"), "{}", diff.stdout);
    let strict = [
        "diff",
        "old.json",
        "new.json",
        "--fail-on",
        "warning",
        "--format",
        "json",
    ];
    let diff = greenlight(here.path(), &strict, &[]);
    assert_eq!(diff.code, 10);
    let diff: Value = serde_json::from_str(&diff.stdout).expect("JSON");
    assert_eq!(
        (&diff["exit_code"], &diff["new"][0]["check"]),
        (&10.into(), &"waivers".into())
    );
}

#[test]
fn pages_lists_and_man_pages() {
    let here = folder();
    let run = |args: &[&str]| {
        let ran = greenlight(here.path(), args, &[]);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.stdout
    };
    let page = run(&["explain", "replica-identity"]);
    for wanted in [
        "REPLICA-IDENTITY",
        "QUERY",
        "FIX",
        "SOURCES",
        "    select pg_catalog.format",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(!page.contains("Scenarios") && !page.contains("```") && !page.contains('\u{1b}'));
    let prose = page
        .lines()
        .filter(|l| !l.starts_with("    ") && !l.contains("://"));
    assert!(
        prose.clone().all(|l| l.chars().count() <= 80),
        "{:?}",
        prose.max_by_key(|l| l.len())
    );
    assert!(run(&["explain", "waivers"]).contains("allow-unknown"));
    assert!(run(&["explain", "schema"]).contains("replica-identity"));
    assert!(run(&["--color", "always", "explain", "replica-identity"]).contains('\u{1b}'));

    let list: Value = serde_json::from_str(&run(&["checks", "--format", "json"])).expect("JSON");
    let all = list.as_array().expect("a list").len() as u64;
    let count = |args: &[&str]| {
        let text = run(args);
        let last = text
            .lines()
            .last()
            .expect("a count")
            .split(' ')
            .next()
            .expect("a number");
        last.parse::<u64>().expect("a number")
    };
    let blockers = count(&["checks", "--level", "blocker"]);
    assert!(all > 1 && count(&["checks"]) == all && blockers > 0 && blockers < all);
    assert_eq!(count(&["checks", "--search", "no such word at all"]), 0);
    assert!(run(&["checks", "--format", "markdown"]).starts_with("| check |"));

    assert!(run(&["man"]).contains(".TH greenlight 1"));
    assert!(run(&["man", "check"]).contains("baseline"));
    assert!(run(&["man", "config check"]).contains(".TH"));
    run(&["man", "--all", "."]);
    for name in ["greenlight.1", "greenlight-check.1", "greenlight-config-check.1"] {
        assert!(here.path().join(name).is_file(), "{name}");
    }
}
