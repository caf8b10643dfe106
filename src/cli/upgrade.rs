//! `prepare`, `create` and `cleanup`: the commands around a switchover that change something.

use std::path::PathBuf;

use clap::Args;

use super::{AwsArgs, DatabaseArgs, OutputArgs, PolicyArgs, SourceArgs};
use crate::model::PgVersion;

/// `greenlight prepare`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --apply nothing is changed: the differences and the AWS CLI commands are shown. It can be run again at \
                  any time and does what is left.\n\n\
                  Exit codes: 0 nothing (left) to do · 10 something is to be done · 11 something could not be looked at · \
                  2 usage · 3 could not look · 20 not agreed to, or refused by RDS · 21 a change or a reboot went wrong · \
                  22 RDS did not answer a change\n\n\
                  Examples:\n  greenlight prepare --cluster main --target-version 14.15\n  \
                  greenlight prepare --cluster main --target-version 14.15 --apply\n  \
                  greenlight prepare --cluster main --target-version 14.15 --apply --reboot"
)]
pub struct PrepareArgs {
    /// What is upgraded
    #[command(flatten, next_help_heading = "What to look at")]
    pub source: SourceArgs,
    /// The version to upgrade to: green's parameter group is prepared for it as well
    #[arg(long, value_name = "VERSION", help_heading = "What to look at")]
    pub target_version: Option<PgVersion>,
    /// The parameter group that green is to have (default: NAME-pgMAJOR)
    #[arg(
        long,
        value_name = "NAME",
        requires = "target_version",
        help_heading = "What to look at"
    )]
    pub target_parameter_group: Option<String>,
    /// Ask the RDS API alone. How many databases there are is not known then, so that slots, senders and workers are not weighed
    #[arg(long, help_heading = "What to look at")]
    pub api_only: bool,
    /// Make and change the parameter groups; a default.* group is replaced by one of its own
    #[arg(long)]
    pub apply: bool,
    /// Reboot what waits for it, one by one: readers, failover, old writer; stops at the first problem
    #[arg(long, requires = "apply")]
    pub reboot: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Longest wait for one instance to come back, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    pub wait: u64,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// `cli` gives the commands as a script
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "table",
        conflicts_with = "apply"
    )]
    pub format: PrepareFormat,
}

/// How a preparation is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PrepareFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// AWS CLI commands.
    Cli,
}

/// `greenlight create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 green is there and has caught up · 10 not ready, or not caught up in time · 11 not determined · 20 refused, \
                  nothing was created · 21 RDS could not build green · 22 not known whether RDS took the request · 130 interrupted\n\n\
                  One request is sent, never a second one while it is not known what became of the first: the journal stays, and \
                  --resume takes it up.\n\n\
                  Examples:\n  greenlight create --cluster main --target-version 14.15 --target-parameter-group main-pg14\n  \
                  greenlight create --resume --name main-to-14-15"
)]
pub struct CreateArgs {
    /// What is upgraded
    #[command(flatten, next_help_heading = "What to upgrade")]
    pub source: SourceArgs,
    /// The version to upgrade to
    #[arg(long, value_name = "VERSION", help_heading = "What to upgrade")]
    pub target_version: Option<PgVersion>,
    /// The (cluster) parameter group that green gets; `greenlight prepare` makes one
    #[arg(long, value_name = "NAME", help_heading = "What to upgrade")]
    pub target_parameter_group: Option<String>,
    /// The deployment's name (default: NAME-to-VERSION)
    #[arg(long, value_name = "NAME", help_heading = "What to upgrade")]
    pub name: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Take up a run that stopped before its outcome was known: reads the journal, asks RDS, and only then acts
    #[arg(long)]
    pub resume: bool,
    /// Where the journal is (default: greenlight-create-NAME.journal in the current folder)
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Longest wait for green to be built, and again for it to catch up, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 14400)]
    pub wait: u64,
    /// Time between two looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, hide_short_help = true)]
    pub poll: u64,
    /// How long to look for a trace of a request whose answer was lost, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, hide_short_help = true)]
    pub reconcile_for: u64,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How the verdict is made
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How the report of the checks is shown
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `greenlight cleanup`.
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    after_help = "After the switchover the deployment is deleted, and with --delete-old the old side (…-old1) after a final snapshot. \
                  Production is never touched.\n\n\
                  Exit codes: 0 cleaned up · 10 still in use · 11 not determined · 20 refused or not agreed to, nothing further was \
                  deleted · 21 a deletion failed at RDS · 22 not known whether RDS took a request · 23 verification found problems · \
                  130 interrupted\n\n\
                  Examples:\n  greenlight cleanup --deployment upgrade-main\n  \
                  greenlight cleanup --deployment upgrade-main --delete-old --final-snapshot main-on-12\n  \
                  greenlight cleanup --deployment upgrade-main --unwanted --delete-target\n  \
                  greenlight cleanup --cluster main-old1 --delete-old --final-snapshot main-on-12"
)]
pub struct CleanupArgs {
    /// Blue/green deployment, by name or bgd-… identifier
    #[arg(long, value_name = "ID", group = "what", help_heading = "What to clean up")]
    pub deployment: Option<String>,
    /// The old side's cluster (…-old1), where its deployment is gone already
    #[arg(
        long,
        value_name = "ID",
        group = "what",
        conflicts_with = "unwanted",
        help_heading = "What to clean up"
    )]
    pub cluster: Option<String>,
    /// The old side's RDS instance (…-old1), where its deployment is gone already
    #[arg(
        long,
        value_name = "ID",
        group = "what",
        conflicts_with = "unwanted",
        help_heading = "What to clean up"
    )]
    pub instance: Option<String>,
    /// Delete the old side too, with its instances
    #[arg(long, conflicts_with = "unwanted", help_heading = "What to clean up")]
    pub delete_old: bool,
    /// Take this snapshot of the old side first, and wait until it is available
    #[arg(
        long,
        value_name = "NAME",
        requires = "delete_old",
        conflicts_with = "no_final_snapshot",
        help_heading = "What to clean up"
    )]
    pub final_snapshot: Option<String>,
    /// Delete the old side without a snapshot
    #[arg(long, requires = "delete_old", help_heading = "What to clean up")]
    pub no_final_snapshot: bool,
    /// Keep the automated backups of the old side
    #[arg(long, requires = "delete_old", help_heading = "What to clean up")]
    pub keep_automated_backups: bool,
    /// Remove a deployment that was not switched over and is not wanted
    #[arg(long, help_heading = "What to clean up")]
    pub unwanted: bool,
    /// Delete green with it; without it green stays as a database of its own
    #[arg(long, requires = "unwanted", help_heading = "What to clean up")]
    pub delete_target: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Take up a run that stopped before its outcome was known: reads the journal, asks RDS, and only then acts
    #[arg(long)]
    pub resume: bool,
    /// Where the journal is (default: greenlight-cleanup-ID.journal, of what was named, in the current folder)
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Longest wait for one deletion or snapshot, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    pub wait: u64,
    /// Time between two looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, hide_short_help = true)]
    pub poll: u64,
    /// How long to look for a trace of a request whose answer was lost, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, hide_short_help = true)]
    pub reconcile_for: u64,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How the verdict is made
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How the report of the verification is shown
    #[command(flatten)]
    pub output: OutputArgs,
}
