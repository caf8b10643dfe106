//! The recipes for pipelines do what they say: their shell parts run against saved facts, with hostile input.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use serde_json::Value;

const FACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/report-aurora.json");
const GREENLIGHT: &str = env!("CARGO_BIN_EXE_greenlight");

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a recipe")
}

/// The block scalar after a line that ends with `|`, found by a line before it.
fn block(yaml: &str, after: &str, key: &str) -> String {
    let start = yaml.find(after).unwrap_or_else(|| panic!("no {after}"));
    let mut lines = yaml[start..].lines().skip_while(|line| line.trim() != key);
    lines.next().unwrap_or_else(|| panic!("no {key} after {after}"));
    let lines: Vec<&str> = lines.collect();
    let indent = lines[0].len() - lines[0].trim_start().len();
    let inside = |line: &&&str| line.trim().is_empty() || line.starts_with(&" ".repeat(indent));
    let block: Vec<&str> = lines
        .iter()
        .take_while(inside)
        .map(|l| l.get(indent..).unwrap_or(""))
        .collect();
    block.join("\n") + "\n"
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(shell: &[&str], script: &str, folder: &Path, env: &[(&str, &str)]) -> Ran {
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{path}", folder.join("bin").display());
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .envs(env.iter().copied())
        .output()
        .expect("a shell");
    Ran {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// As GitHub runs `shell: bash`.
const BASH: &[&str] = &["bash", "--noprofile", "--norc", "-eo", "pipefail"];

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join("bin").join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
}

fn action_check(folder: &Path, args: &str, fail_on: &str) -> (Ran, String) {
    let output = folder.join("output");
    fs::write(&output, "").expect("a file");
    let summary = folder.join("summary.md");
    let script = block(&file("action.yml"), "id: check", "run: |");
    let ran = run(
        BASH,
        &script,
        folder,
        &[
            ("GREENLIGHT_COMMAND", GREENLIGHT),
            ("GREENLIGHT_ARGS", args),
            ("GREENLIGHT_FAIL_ON", fail_on),
            ("GREENLIGHT_REPORTS", "reports $(touch owned)"),
            ("GITHUB_OUTPUT", output.to_str().expect("a path")),
            ("GITHUB_STEP_SUMMARY", summary.to_str().expect("a path")),
        ],
    );
    (ran, fs::read_to_string(output).expect("the outputs"))
}

#[test]
fn the_action_checks_and_keeps_reports() {
    let here = tempfile::tempdir().expect("a folder");
    let (ran, output) = action_check(here.path(), &format!("\n  --facts\n{FACTS}\n\n"), "");
    assert_eq!(ran.code, 0, "the step itself goes on: {}", ran.stderr);
    let reports = here.path().join("reports $(touch owned)");
    let report = fs::read_to_string(reports.join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let wanted = format!(
        "exit-code={}\nverdict={}\n",
        report["exit_code"],
        report["verdict"].as_str().expect("a verdict")
    );
    assert_eq!(output, wanted);
    for name in ["report.html", "report.md", "report.sarif", "report.xml"] {
        assert!(reports.join(name).is_file(), "{name}");
    }
    assert!(here.path().join("summary.md").is_file());
    assert!(ran.stdout.contains("greenlight: "), "{}", ran.stdout);
    assert!(!here.path().join("owned").exists(), "an input ran as a command");
}

#[test]
fn the_action_takes_arguments_as_they_are() {
    let here = tempfile::tempdir().expect("a folder");
    let hostile = "--facts\n$(touch owned); touch owned `touch owned` * \"'";
    let (ran, output) = action_check(here.path(), hostile, "warning");
    assert_eq!(output, "exit-code=2\nverdict=\n", "{}", ran.stderr);
    assert!(
        ran.stderr.contains("cannot read $(touch owned); touch owned"),
        "{}",
        ran.stderr
    );
    assert!(!here.path().join("owned").exists(), "an input ran as a command");
}

#[test]
fn the_action_fails_where_the_check_does() {
    let script = block(&file("action.yml"), "name: Gate", "run: |");
    let here = tempfile::tempdir().expect("a folder");
    for (code, allow, wanted) in [
        ("0", "false", 0),
        ("10", "false", 10),
        ("10", "true", 10),
        ("11", "false", 11),
        ("11", "true", 0),
        ("3", "true", 3),
        ("2", "true", 2),
        // The check never got as far as to say anything.
        ("", "true", 1),
        ("", "false", 1),
    ] {
        let ran = run(
            BASH,
            &script,
            here.path(),
            &[("CODE", code), ("ALLOW_UNKNOWN", allow)],
        );
        assert_eq!(ran.code, wanted, "{code:?} {allow}");
    }
}

#[test]
fn the_action_keeps_one_comment() {
    let script = block(&file("action.yml"), "name: Comment", "run: |");
    for (found, wanted) in [
        ("", "--method POST repos/o/r/issues/7/comments"),
        ("42", "--method PATCH repos/o/r/issues/comments/42"),
    ] {
        let here = tempfile::tempdir().expect("a folder");
        program(
            here.path(),
            "gh",
            &format!(
                "#!/bin/sh\necho \"$@\" >> log\ncase \"$*\" in *--paginate*) printf '%s' '{found}' ;; esac\n"
            ),
        );
        fs::write(
            here.path().join("report.md"),
            "<!-- greenlight report -->\n## x\n",
        )
        .expect("a report");
        let env = [
            ("REPOSITORY", "o/r"),
            ("NUMBER", "7"),
            ("REPORT", "report.md"),
            ("GH_TOKEN", "t"),
        ];
        let ran = run(BASH, &script, here.path(), &env);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let log = fs::read_to_string(here.path().join("log")).expect("a log");
        assert!(log.contains("<!-- greenlight report -->"), "{log}");
        assert!(
            log.lines()
                .last()
                .is_some_and(|l| l.contains(wanted) && l.contains("body=@report.md")),
            "{log}"
        );
    }
}

#[test]
fn the_gitlab_job_runs() {
    let here = tempfile::tempdir().expect("a folder");
    let script = block(&file("ci/gitlab.yml"), "script:", "- |");
    let env = [
        ("GREENLIGHT", GREENLIGHT),
        ("GREENLIGHT_TARGET", "--facts"),
        ("GREENLIGHT_NAME", FACTS),
        ("GREENLIGHT_FAIL_ON", ""),
        ("GREENLIGHT_ID_TOKEN", "token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x"),
        ("TMPDIR", here.path().to_str().expect("a path")),
    ];
    let ran = run(&["sh", "-e"], &script, here.path(), &env);
    let report = fs::read_to_string(here.path().join("greenlight.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(
        Some(i64::from(ran.code)),
        report["exit_code"].as_i64(),
        "{}",
        ran.stderr
    );
    for name in [
        "greenlight.xml",
        "gl-code-quality-report.json",
        "greenlight.html",
        "greenlight.md",
    ] {
        assert!(here.path().join(name).is_file(), "{name}");
    }
    // The token is gone with the job.
    let left: Vec<_> = fs::read_dir(here.path())
        .expect("a folder")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert!(
        !left.iter().any(|n| n.to_string_lossy().starts_with("tmp.")),
        "{left:?}"
    );
}

#[test]
fn the_cron_job_compares_with_the_run_before_and_notifies() {
    let here = tempfile::tempdir().expect("a folder");
    program(
        here.path(),
        "notify",
        "#!/bin/sh\nfirst=$(head -n 1)\necho \"$1 $first\" >> notified\n",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/before-maintenance.sh");
    let once = |args: &str| {
        let line = format!("exec {} reports {args}", script.display());
        let env = [("GREENLIGHT", GREENLIGHT), ("GREENLIGHT_NOTIFY", "notify")];
        run(&["sh"], &line, here.path(), &env)
    };
    let first = once(&format!("--facts {FACTS}"));
    assert!([10, 11].contains(&first.code), "{}", first.stderr);
    let last = fs::read_to_string(here.path().join("reports/last.json")).expect("the last report");
    let second = once(&format!("--facts {FACTS}"));
    assert_eq!(second.code, first.code);
    let words = second.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("known and not shown"), "{words}");
    // A run that saw nothing says so and leaves the last report.
    let blind = once("--facts nowhere.json");
    assert_eq!(blind.code, 2);
    assert!(
        fs::read_to_string(here.path().join("reports/last.json"))
            .expect("it is still there")
            .len()
            >= last.len()
    );
    let notified = fs::read_to_string(here.path().join("notified")).expect("notes");
    let lines: Vec<&str> = notified.lines().collect();
    assert_eq!(lines.len(), 3, "{notified}");
    assert!(
        lines[0].ends_with("<!-- greenlight report -->")
            && lines[2].starts_with("2 greenlight could not look")
    );
}

/// The trust policy lets one repository in, and asks for the audience.
#[test]
fn the_trust_policy_is_narrow() {
    let policy: Value = serde_json::from_str(&file("ci/oidc-trust-policy.json")).expect("JSON");
    let condition = &policy["Statement"][0]["Condition"]["StringEquals"];
    assert_eq!(
        condition["token.actions.githubusercontent.com:aud"],
        "sts.amazonaws.com"
    );
    let subjects = condition["token.actions.githubusercontent.com:sub"]
        .as_array()
        .expect("subjects");
    assert!(subjects.iter().all(|s| {
        s.as_str()
            .is_some_and(|s| s.starts_with("repo:") && !s.contains('*'))
    }));
}
