//! `watch`.

use clap::Args;

use super::{AwsArgs, DatabaseArgs, ShortFormat};

/// `greenlight watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 reached, or the deployment is gone · 10 it can no longer be reached: failed, gone, or switched over \
                  already · 11 not reached within --timeout · 3 could not look · 130 Ctrl-C\n\n\
                  Lag that is calm is not a verdict: `greenlight check` gives that.\n\n\
                  Examples:\n  greenlight watch --deployment upgrade-main\n  \
                  greenlight watch --deployment upgrade-main --until ready --timeout 2h && greenlight check --deployment upgrade-main\n  \
                  greenlight watch --deployment upgrade-main --format json > events.jsonl"
)]
pub struct WatchArgs {
    /// Blue/green deployment, by name or bgd-… identifier
    #[arg(long, value_name = "ID", help_heading = "What to watch")]
    pub deployment: String,
    /// End as soon as this is so (default: go on until it is gone, or Ctrl-C)
    #[arg(long, value_name = "STATE", help_heading = "What to watch")]
    pub until: Option<Until>,
    /// Longest time to wait for that: 90, 90s, 5m, 2h
    #[arg(long, value_name = "TIME", requires = "until", help_heading = "What to watch")]
    pub timeout: Option<String>,
    /// Lag of each database that counts as calm: bytes (1MiB, 64KB)
    #[arg(
        long,
        value_name = "LAG",
        default_value = "1MiB",
        help_heading = "What to watch"
    )]
    pub max_lag: String,
    /// How long lag must have been calm for `ready`
    #[arg(
        long,
        value_name = "TIME",
        default_value = "15s",
        help_heading = "What to watch"
    )]
    pub stable_for: String,
    /// Time between two looks at the lag: two short queries on each server
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2s",
        help_heading = "What to watch"
    )]
    pub interval: String,
    /// Time between two looks at the RDS API: one call
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5s",
        help_heading = "What to watch"
    )]
    pub api_interval: String,
    /// Ask the RDS API alone; without lag nothing is `ready`
    #[arg(long, help_heading = "What to watch")]
    pub api_only: bool,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// `table` for people: redrawn on a terminal, plain lines elsewhere; `json` for programs: one event a line
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    pub format: ShortFormat,
}

/// What `greenlight watch` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// Green is there.
    Available,
    /// Green is there, every member is, and lag has been calm.
    Ready,
    /// The switchover is over.
    Switched,
    /// There is no deployment any more.
    Gone,
}
