//! `cargo demo`: the upgrade guide's story on this machine, in under a minute.
//!
//! An Aurora cluster on 12.14 with the guide's own parameters and write load: the plan; a first report that blocks for real
//! reasons; the fixes; the deployment to 14.10; lag that rises and falls; the guarded switchover under load, after which
//! every acknowledged row is there; what the infrastructure code says now; and the clean-up. The RDS API is the sandbox's,
//! the PostgreSQL servers are real, and everything is what `greenlight` prints. Nothing is left behind.

#![expect(clippy::print_stdout, reason = "it tells a story")]

use std::{
    ffi::OsString,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use aws_sdk_rds::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use sandbox::{Options, Sandbox, Scenario, Speed};

/// The first word with which the demo runs itself as greenlight.
const AS_GREENLIGHT: &str = "--as-greenlight";
const CLUSTER: &str = "main-cluster";
const TARGET: &str = "14.10";
const GROUP: &str = "main-cluster-params-14";
/// The guide's own infrastructure code before the upgrade, as the CDK synthesized it.
const CODE: &str = include_str!("../tests/cdk/guide-before.template.json");
const TEMPLATE: &str = "Database.template.json";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == AS_GREENLIGHT) {
        let rest = std::iter::once("greenlight".into()).chain(args.into_iter().skip(2));
        return greenlight::commands::run_from(rest).into();
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = story() => outcome,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; everything is stopped and removed")),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            println!("\nthe demo stopped: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// What the story works with.
struct Stage {
    sandbox: Sandbox,
    rds: Client,
    begun: Instant,
    /// Where journals are, and the template.
    folder: tempfile::TempDir,
}

impl Stage {
    /// A line of the story.
    fn tell(&self, text: &str) {
        println!(
            "\n\x1b[1m[{:4.1} s] {text}\x1b[0m",
            self.begun.elapsed().as_secs_f64()
        );
    }

    /// Runs greenlight as a user would, shows its report (or its head), and holds it to its exit code.
    fn greenlight(&self, args: &[&str], shown: Shown, wanted: i32) -> anyhow::Result<()> {
        println!("\x1b[2m$ greenlight {}\x1b[0m\n", args.join(" "));
        let output = Command::new(std::env::current_exe()?)
            .arg(AS_GREENLIGHT)
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("AWS_PROFILE")
            .envs(self.sandbox.env())
            .stderr(Stdio::inherit())
            .output()?;
        let report = String::from_utf8_lossy(&output.stdout);
        match shown {
            Shown::Whole => print!("{report}"),
            Shown::From(mark) => {
                let end = report.find(mark).unwrap_or(0);
                print!("{}", &report[end..]);
            }
            Shown::Until(marks) => {
                let head = report
                    .lines()
                    .take_while(|line| !marks.iter().any(|mark| line.starts_with(mark)));
                head.for_each(|line| println!("{line}"));
            }
        }
        let code = output.status.code();
        println!(
            "\x1b[2m(exit {})\x1b[0m",
            code.map_or("by signal".to_owned(), |c| c.to_string())
        );
        if code != Some(wanted) {
            bail!("greenlight ended with {code:?} where {wanted} was due");
        }
        Ok(())
    }

    fn write_load(&self) -> anyhow::Result<usize> {
        let load = self
            .sandbox
            .load(CLUSTER)
            .context("the scenario has a write load")?;
        Ok(load.report().acknowledged)
    }
}

#[derive(Clone, Copy)]
enum Shown {
    /// All of it.
    Whole,
    /// Up to a line that begins with one of these.
    Until(&'static [&'static str]),
    /// From this text on.
    From(&'static str),
}

/// A report's answer and reasons: it ends where the first list of what is fine begins.
const HEAD: Shown = Shown::Until(&["NOTICES", "PASSED"]);

async fn story() -> anyhow::Result<()> {
    println!(
        "starting a local RDS with real PostgreSQL servers (the first time they are fetched from npm) …"
    );
    let options = Options {
        speed: Speed::Instant,
        ..Options::default()
    };
    let sandbox = Sandbox::start_with(Scenario::load("guide")?, options).await?;
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(sandbox.endpoint_url())
        .credentials_provider(Credentials::new(
            "AKIASANDBOXSANDBOX00",
            "opens-nothing",
            None,
            None,
            "demo",
        ))
        .build();
    let stage = Stage {
        sandbox,
        rds: Client::from_conf(config),
        begun: Instant::now(),
        folder: tempfile::tempdir()?,
    };
    #[expect(clippy::disallowed_methods, reason = "the story's own file")]
    std::fs::write(stage.folder.path().join(TEMPLATE), CODE)?;

    stage.tell("An Aurora cluster on 12.14, as the guide has it. What is the way to 14.10?");
    let plan = [
        "plan",
        "--cluster",
        CLUSTER,
        "--target-version",
        TARGET,
        "--target-parameter-group",
        GROUP,
    ];
    stage.greenlight(&plan, Shown::Until(&["HOW LONG"]), 0)?;

    stage.tell("May it be upgraded through a blue/green deployment?");
    let check = [
        "check",
        "--cluster",
        CLUSTER,
        "--target-version",
        TARGET,
        "--target-parameter-group",
        GROUP,
    ];
    stage.greenlight(&check, Shown::Whole, 10)?;

    stage.tell("It says what to do. The parameters come into force by reboots, readers first:");
    let prepare = [
        "prepare",
        "--cluster",
        CLUSTER,
        "--target-version",
        TARGET,
        "--target-parameter-group",
        GROUP,
        "--apply",
        "--reboot",
        "--yes",
    ];
    stage.greenlight(&prepare, Shown::Until(&["BLUE"]), 0)?;
    stage.tell("The minor upgrade, the table without a key, and the name that RDS's precheck refuses:");
    fix(&stage).await?;
    stage.tell("… and again:");
    stage.greenlight(&check, HEAD, 0)?;

    stage.tell("Ready. The deployment is created; green is copied, upgraded and follows blue, while clients go on writing.");
    let create = [
        "create",
        "--cluster",
        CLUSTER,
        "--target-version",
        TARGET,
        "--target-parameter-group",
        GROUP,
        "--name",
        "main-to-14",
        "--yes",
    ];
    stage.greenlight(&create, HEAD, 0)?;
    stage.tell(&format!(
        "Green is there. {} rows were written so far. May it be switched over?",
        stage.write_load()?
    ));
    let switch = ["check", "--deployment", "main-to-14", "--lag-samples", "2"];
    stage.greenlight(&switch, HEAD, 0)?;

    lag_rises_and_falls(&stage, &switch).await?;
    switch_over(&stage).await?;

    stage.tell("The CDK code still says the old version and group. What would deploying it do, and how is it edited?");
    let drift = ["drift", "--cluster", CLUSTER, "--template", TEMPLATE];
    stage.greenlight(&drift, Shown::Until(&["NOT COMPARED", "NOTES"]), 10)?;

    stage.tell("The old side goes, after a last snapshot and a look at whether anybody still uses it.");
    let cleanup = [
        "cleanup",
        "--deployment",
        "main-to-14",
        "--delete-old",
        "--final-snapshot",
        "main-cluster-before-14",
        "--yes",
    ];
    stage.greenlight(
        &cleanup,
        Shown::Until(&["WARNINGS", "NOTICES", "PASSED", "COULD"]),
        0,
    )?;
    stage.tell("That was the story. Everything is stopped and removed; next: README.md, `greenlight help`.");
    Ok(())
}

/// What the first report asks for.
async fn fix(stage: &Stage) -> anyhow::Result<()> {
    println!(
        "  aws rds modify-db-cluster --db-cluster-identifier {CLUSTER} --engine-version 12.17 --apply-immediately"
    );
    let modify = stage.rds.modify_db_cluster().db_cluster_identifier(CLUSTER);
    modify
        .engine_version("12.17")
        .apply_immediately(true)
        .send()
        .await
        .context("the minor upgrade")?;
    available(stage).await?;
    let sql = "alter table ledger.audit replica identity full";
    println!("  psql billing -c '{sql}'");
    let blue = stage.sandbox.blue().context("the cluster has a server")?;
    blue.execute("billing", sql).await?;
    // RDS's precheck refuses quotes in the names of databases.
    let sql = "alter database \"Ünï\"\"quoted; db\" rename to uni_quoted_db";
    println!("  psql postgres -c '{sql}'");
    blue.execute("postgres", sql).await?;
    Ok(())
}

async fn available(stage: &Stage) -> anyhow::Result<()> {
    let up = stage
        .sandbox
        .rds()
        .until(Duration::from_secs(30), |account| {
            let clusters = account
                .clusters
                .values()
                .all(|cluster| cluster.status == "available");
            clusters
                && account
                    .instances
                    .values()
                    .all(|instance| instance.status == "available")
        })
        .await;
    if up {
        Ok(())
    } else {
        bail!("the cluster did not become available again")
    }
}

async fn lag_rises_and_falls(stage: &Stage, switch: &[&str]) -> anyhow::Result<()> {
    let link = stage
        .sandbox
        .replication("main-to-14")
        .context("green follows blue")?;
    stage.tell("Now green's apply worker for `main` stands still, and blue writes a lot: the lag rises.");
    link.replication.pause_apply("main").await?;
    let blue = stage.sandbox.blue().context("the cluster has a server")?;
    blue.execute(
        "main",
        "insert into orders (customer_id, total) select 1 + n % 200, n from generate_series(1, 200000) n",
    )
    .await?;
    show_lag(&link).await?;
    stage.greenlight(switch, HEAD, 10)?;

    stage.tell("The worker goes on, and the lag falls:");
    link.replication.resume_apply("main").await?;
    for _ in 0..100 {
        if show_lag(&link).await? < 64 << 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    stage.greenlight(switch, HEAD, 0)
}

/// The switchover, while clients go on writing, and what they saw of it.
async fn switch_over(stage: &Stage) -> anyhow::Result<()> {
    let load = stage
        .sandbox
        .load(CLUSTER)
        .context("the scenario has a write load")?;
    stage.tell(&format!(
        "Ready. It is switched over, while {} rows are written and clients go on.",
        load.report().acknowledged
    ));
    // Verifying compares sequences with the columns behind them.
    let green = stage.sandbox.green().context("green runs")?;
    green
        .execute("postgres", "grant pg_read_all_data to greenlight")
        .await?;
    let quick = [
        "--yes",
        "--probe",
        "--stable-for",
        "3s",
        "--poll",
        "200ms",
        "--lag-samples",
        "1",
    ];
    let args = [&["switchover", "--deployment", "main-to-14"][..], &quick].concat();
    stage.greenlight(&args, Shown::From("\nSWITCHED OVER"), 0)?;

    let before = load.report().acknowledged;
    let begun = Instant::now();
    while load.report().acknowledged < before + 100 {
        if begun.elapsed() > Duration::from_secs(20) {
            bail!("clients did not write again after the switchover");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    load.pause(true);
    let production = stage.sandbox.server(CLUSTER).context("production has a server")?;
    let lost = load.lost(&production).await?;
    let report = load.report();
    stage.tell(&format!(
        "Production runs PostgreSQL {} behind the same endpoint. {} rows were acknowledged, {} of them are missing; \
         the longest that a client waited for a write was {} ms.",
        production.version(),
        report.acknowledged,
        lost.len(),
        report.longest_gap.as_millis()
    ));
    if lost.is_empty() {
        Ok(())
    } else {
        bail!("rows were lost: {lost:?}")
    }
}

/// One line with the lag of every database; returns the largest in bytes.
async fn show_lag(link: &sandbox::Link) -> anyhow::Result<u64> {
    let lags = link.replication.lag().await?;
    let text: Vec<String> = lags
        .iter()
        .map(|lag| format!("{} {:.1} MiB", lag.database, lag.bytes as f64 / 1048576.0))
        .collect();
    println!("  lag: {}", text.join(", "));
    Ok(lags
        .iter()
        .map(|lag| u64::try_from(lag.bytes).unwrap_or(0))
        .max()
        .unwrap_or(0))
}
