//! A sandbox, a folder for journals, and the binary run on them.

use std::{path::PathBuf, process::Stdio, time::Duration};

use greenlight::switchover::{journal, record::Record};
use sandbox::{Options, Sandbox, Scenario, ScenarioError, Speed};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// The one call that counts.
pub(crate) const ACTION: &str = "SwitchoverBlueGreenDeployment";
/// Longest time for anything that a test waits for; nothing is proven by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// See the module.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
    deployment: &'static str,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Holds the run to its exit code, with everything that it said.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert!(all.contains(text), "{text:?} is missing in\n{all}");
        self
    }

    /// The events of `--format json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("every line is an event"))
            .collect()
    }
}

/// The guide's cluster with its deployment ready, and with this load.
pub(crate) fn guide(load: &str) -> Result<Scenario, ScenarioError> {
    let mut scenario = Scenario::load("guide-ready")?;
    let load: Scenario = Scenario::parse(
        "load",
        &format!("[[cluster]]\nid = \"x\"\n[cluster.load]\n{load}"),
    )?;
    scenario.cluster[0].load = load.cluster[0].load.clone();
    Ok(scenario)
}

/// No load at all: most stories are about something else.
pub(crate) fn quiet() -> Scenario {
    let mut scenario = Scenario::load("guide-ready").expect("built in");
    scenario.cluster[0].load = None;
    scenario
}

impl Stage {
    pub(crate) async fn new(scenario: Scenario) -> Self {
        Self::at(scenario, Speed::Instant).await
    }

    pub(crate) async fn at(scenario: Scenario, speed: Speed) -> Self {
        let options = Options {
            // Making the deployment is no part of the story.
            speed: if matches!(speed, Speed::Manual) {
                Speed::Instant
            } else {
                speed
            },
            timeout_second: Duration::from_secs(1),
            ..Options::default()
        };
        let deployment = if scenario.instance.is_empty() {
            "main-to-14"
        } else {
            "shop-to-16"
        };
        let sandbox = Sandbox::start_with(scenario, options)
            .await
            .expect("the scenario starts");
        readable(&sandbox).await;
        sandbox.calls().clear();
        Self {
            sandbox,
            folder: tempfile::tempdir().expect("a folder"),
            deployment,
        }
    }

    /// The binary with short patience, except where `more` says otherwise, whose journal is `name` in the folder.
    /// `--ask` in `more` leaves out `--yes`.
    pub(crate) fn command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command.args(["switchover", "--deployment", self.deployment, "--journal", name]);
        for [flag, value] in [
            ["--stable-for", "1500ms"],
            ["--wait", "90s"],
            ["--lag-samples", "1"],
            ["--poll", "100ms"],
            ["--rest-for", "1s"],
            ["--reconcile-for", "3s"],
            ["--grace", "60s"],
            ["--timeout", "60s"],
        ] {
            if !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        if !more.contains(&"--ask") {
            command.arg("--yes");
        }
        command
            .args(more.iter().filter(|flag| **flag != "--ask"))
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.sandbox.env())
            .env("USER", "operator")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn spawn(&self, name: &str, more: &[&str]) -> Child {
        self.command(name, more).spawn().expect("the binary starts")
    }

    pub(crate) async fn run(&self, name: &str, more: &[&str]) -> Ended {
        ended(self.spawn(name, more)).await
    }

    pub(crate) fn journal(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The records of a journal, verified.
    pub(crate) fn records(&self, name: &str) -> Vec<Record> {
        let log = journal::read(&self.journal(name)).expect("the journal verifies");
        log.records().cloned().collect()
    }

    /// How many switchovers were asked for, whatever was answered.
    pub(crate) fn asked(&self) -> usize {
        self.sandbox.calls().of(ACTION).len()
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let waited = async {
            while !so().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waited).await;
        assert!(waited.is_ok(), "it never came to this: {what}");
    }

    /// Waits until a journal has so many complete lines that decide something.
    pub(crate) async fn until_lines(&self, name: &str, lines: usize) {
        let path = self.journal(name);
        let there = || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            complete
                .filter(|line| !line.contains("\"kind\":\"remark\""))
                .count()
                >= lines
        };
        let waited = async {
            while !there() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waited).await;
        assert!(waited.is_ok(), "{name} never had {lines} lines");
    }

    /// Deployment and members as RDS has them.
    pub(crate) fn statuses(&self) -> (String, Vec<String>) {
        let deployment = self
            .sandbox
            .rds()
            .deployment(self.deployment)
            .expect("it is there");
        let members = deployment
            .members
            .iter()
            .map(|m| m.status.clone().unwrap_or_default());
        (deployment.status.clone(), members.collect())
    }
}

/// Verifying compares sequences with their columns.
async fn readable(sandbox: &Sandbox) {
    let (blue, green) = (
        sandbox.blue().expect("blue runs"),
        sandbox.green().expect("green runs"),
    );
    let standby = green
        .value("postgres", "select pg_is_in_recovery()")
        .await
        .expect("an answer");
    let granted = if standby.as_deref() == Some("t") {
        // What is granted on blue is there as well.
        blue.execute(
            "shop",
            "grant select on all tables in schema public to greenlight",
        )
        .await
    } else {
        green
            .execute("postgres", "grant pg_read_all_data to greenlight")
            .await
    };
    granted.expect("granted");
}

/// Reads the events of a run until one fits, does something, and lets the run come to its end.
pub(crate) async fn ended_after(
    mut run: Child,
    fits: impl Fn(&Value) -> bool,
    then: impl AsyncFnOnce(),
) -> Ended {
    let mut lines = BufReader::new(run.stdout.take().expect("piped")).lines();
    let mut stdout = String::new();
    let found = async {
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            stdout.push_str(&line);
            stdout.push('\n');
            if fits(&serde_json::from_str(&line).expect("every line is an event")) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    if found.is_ok_and(|found| found) {
        then().await;
    }
    while let Some(line) = lines.next_line().await.expect("UTF-8") {
        stdout.push_str(&line);
        stdout.push('\n');
    }
    Ended {
        stdout,
        ..ended(run).await
    }
}

pub(crate) async fn ended(child: Child) -> Ended {
    let waited = tokio::time::timeout(PATIENCE * 2, child.wait_with_output()).await;
    let output = waited.expect("it comes to an end").expect("it was started");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let ended = Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("panicked"), "{text}");
        assert!(!text.contains("opens-nothing"), "a secret got out: {text}");
    }
    ended
}
