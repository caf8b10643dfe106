//! `switchover`, and its guards.

use std::path::PathBuf;

use clap::Args;

use super::{AwsArgs, DatabaseArgs, OutputArgs, PolicyArgs};

/// `greenlight switchover`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 switched over and verified, or a dry run that is ready · 10 not ready · 11 not determined · 20 refused, \
                  nothing changed · 21 rolled back by RDS · 22 outcome unknown, a person is needed · 23 switched over, but \
                  verification found problems · 130 interrupted before the request\n\n\
                  Ctrl-C once stops at the next safe point (after the request: goes on watching), twice leaves at once; the journal \
                  stays, and --resume takes it up. Nothing is ever submitted twice.\n\n\
                  Examples:\n  greenlight switchover --deployment upgrade-main --dry-run\n  \
                  greenlight switchover --deployment upgrade-main --max-lag 64KB --max-lag 500ms\n  \
                  greenlight switchover --deployment upgrade-main --yes --format json > events.jsonl\n  \
                  greenlight switchover --deployment upgrade-main --resume"
)]
pub struct SwitchoverArgs {
    /// Blue/green deployment, by name or bgd-… identifier
    #[arg(long, value_name = "ID", help_heading = "What to switch over")]
    pub deployment: String,
    /// When it may go and how it is driven
    #[command(flatten)]
    pub guards: GuardArgs,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How the verdict is made
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How it is shown
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The guards of a switchover. Durations are written 90, 90s, 1500ms, 5m.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Guards (durations: 90, 90s, 1500ms, 5m)")]
pub struct GuardArgs {
    /// Most lag of each database: bytes (1MiB, 64KB, 4096) or time (500ms, 2s); give it twice for both [default: 1MiB and 1s]
    #[arg(long, value_name = "LAG")]
    pub max_lag: Vec<String>,
    /// How long lag and activity must have been calm without a break [default: 15s]
    #[arg(long, value_name = "TIME")]
    pub stable_for: Option<String>,
    /// How long to wait for that [default: 10m]
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// RDS's own limit on the switchover, after which it rolls back: 30s to 60m [default: 300s]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// How old the full check may be when the request leaves [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub max_age: Option<String>,
    /// Do not ask for the deployment's name
    #[arg(long)]
    pub yes: bool,
    /// Check and settle, then stop before the question; nothing is changed
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// Take up a run that stopped before its outcome was known: reads the journal, asks RDS, and only then acts
    #[arg(long)]
    pub resume: bool,
    /// Probe the production endpoint four times a second while it runs, as clients see it: a new connection and a read each
    /// time; at the end it says how long reads were out, in ms. Not with --resume: what clients saw before is not known, and the
    /// outage would be reported too short; a journal with which nothing was sent is continued without --resume
    #[arg(long, conflicts_with = "resume")]
    pub probe: bool,
    /// Also insert a row into this table each time (four a second; nothing else is written), and say at the end whether all
    /// acknowledged rows are there. Make it before the deployment is created, for this alone: `create table
    /// public.greenlight_probe (run text not null, n bigint not null, at timestamptz not null default now(), primary key (run,
    /// n))`, with SELECT and INSERT for the role
    #[arg(long, value_name = "[DATABASE/]SCHEMA.TABLE", conflicts_with = "resume")]
    pub probe_write: Option<String>,
    /// Act only while this file of `greenlight check --attest` still describes what is there: deployment, members, versions,
    /// catalogue, waivers, age. The full check and the last look are made all the same
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
    /// Where the journal is [default: greenlight-DEPLOYMENT.journal in the current folder]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// How long past --timeout to keep watching before the outcome is called unknown [default: 5m]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub grace: Option<String>,
    /// Time between two looks while the switchover runs [default: 2s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub poll: Option<String>,
    /// How long RDS must show a state of rest before that counts as the end: a look may be older than the one before
    /// [default: 15s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub rest_for: Option<String>,
    /// How long to look for a trace of a request whose answer was lost [default: 60s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub reconcile_for: Option<String>,
}
