//! `cargo run --example fleet`: what `greenlight fleet` costs, on a local RDS that throttles.
//!
//! Prints time, calls to the RDS API, the most within a second, throttled ones and the process's peak memory, for 100 and
//! 500 clusters, with each full report written. With arguments (`-- --all --target-major 16 --api-only`) it runs
//! `greenlight fleet` with them once over the sandbox's scenario `fleet` and shows what it prints.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it prints figures, which it reads from the system"
)]

use std::{
    ffi::OsString,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use sandbox::{FleetSpec, Options, RequestLimitSpec, Sandbox, Scenario};

/// The first word with which the example runs itself as greenlight.
const AS_GREENLIGHT: &str = "--as-greenlight";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.peek().is_some_and(|word| word == AS_GREENLIGHT) {
        let rest = std::iter::once("greenlight".into()).chain(args.skip(1));
        return greenlight::commands::run_from(rest).into();
    }
    let given: Vec<OsString> = args.collect();
    let outcome = if given.is_empty() { figures() } else { show(given) };
    match outcome {
        Ok(code) => code,
        Err(e) => {
            println!("stopped: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn greenlight(sandbox: &Sandbox, args: &[OsString]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(AS_GREENLIGHT)
        .arg("fleet")
        .args(args)
        .envs(sandbox.env());
    Ok(command)
}

/// One run with the given arguments.
fn show(args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let sandbox = Sandbox::start_blocking(Scenario::load("fleet")?, Options::default())?;
    let status = greenlight(&sandbox, &args)?.status()?;
    let code = u8::try_from(status.code().unwrap_or(1)).unwrap_or(1);
    Ok(code.into())
}

fn figures() -> anyhow::Result<ExitCode> {
    println!(
        "{:>8}  {:>9}  {:>9}  {:>7}  {:>6}  {:>11}  {:>9}  {:>8}",
        "clusters", "burst", "per s", "seconds", "calls", "busiest s", "throttled", "peak MiB"
    );
    for (clusters, burst, per_second) in [(100, 60, 20.0), (500, 60, 20.0), (500, 10, 8.0)] {
        let scenario = Scenario {
            request_limit: Some(RequestLimitSpec { burst, per_second }),
            fleet: Some(FleetSpec {
                clusters,
                instances: clusters / 10,
                ..FleetSpec::default()
            }),
            ..Scenario::default()
        };
        let sandbox = Sandbox::start_blocking(scenario, Options::default())?;
        let folder = tempfile::tempdir()?;
        let mut args: Vec<OsString> = [
            "--all",
            "--target-major",
            "16",
            "--api-only",
            "--format",
            "json",
            "--reports",
        ]
        .map(OsString::from)
        .into();
        args.push(folder.path().into());
        let begun = Instant::now();
        let mut child = greenlight(&sandbox, &args)?
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot run greenlight")?;
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            peak = peak.max(peak_kib(child.id()));
            std::thread::sleep(Duration::from_millis(20));
        }
        let (calls, busiest) = sandbox.calls().rate();
        println!(
            "{clusters:>8}  {burst:>9}  {per_second:>9}  {:>7.1}  {calls:>6}  {busiest:>11}  {:>9}  {:>8}",
            begun.elapsed().as_secs_f64(),
            sandbox.calls().throttled(),
            peak / 1024
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The most memory that a process had, in KiB; 0 where the system does not tell.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}
