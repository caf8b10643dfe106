//! `sandbox serve SCENARIO`: a local RDS to try things on, until Ctrl-C.

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};
use sandbox::{Options, Sandbox, Scenario, Speed};

#[derive(Debug, Parser)]
#[command(
    about = "A local RDS: the RDS Query API over HTTP in front of real PostgreSQL servers",
    version
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts a scenario, prints the environment to export, and runs until Ctrl-C
    Serve {
        /// The name of a scenario, or the path of a TOML file
        scenario: String,
        /// The port of the API [default: a free one]
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        port: u16,
        /// Lets transitions take no time instead of some seconds each
        #[arg(long)]
        instant: bool,
    },
    /// Lists the scenarios
    List,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match Cli::parse().command {
        Command::List => {
            let mut out = std::io::stdout().lock();
            for (name, about) in Scenario::list() {
                writeln!(out, "{name:<14} {about}")?;
            }
        }
        Command::Serve {
            scenario,
            port,
            instant,
        } => {
            let options = Options {
                port,
                speed: if instant { Speed::Instant } else { Speed::Lifelike },
                ..Options::default()
            };
            let sandbox = Sandbox::start_with(Scenario::load(&scenario)?, options).await?;
            introduce(&sandbox, &scenario)?;
            ended().await?;
            writeln!(std::io::stderr(), "stopping")?;
            drop(sandbox);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The environment goes to stdout, as a shell reads it; what it is for goes to stderr.
fn introduce(sandbox: &Sandbox, scenario: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (name, value) in sandbox.env() {
        writeln!(out, "export {name}={value}")?;
    }
    out.flush()?;
    let mut err = std::io::stderr().lock();
    writeln!(
        err,
        "the scenario {scenario} is ready; export the lines above in another terminal, and then"
    )?;
    writeln!(err, "  aws rds describe-db-clusters")?;
    writeln!(err, "Ctrl-C ends it and leaves nothing behind")
}

/// Ctrl-C, or a request to terminate.
async fn ended() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
