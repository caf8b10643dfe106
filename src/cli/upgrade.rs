//! `prepare`, `create` and `cleanup`: the commands around a switchover that change something.

use clap::Args;

use super::{AwsArgs, DatabaseArgs};
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
    /// Aurora cluster, by name or ARN
    #[arg(long, value_name = "ID", group = "subject", help_heading = "What to look at")]
    pub cluster: Option<String>,
    /// RDS instance, by name or ARN
    #[arg(long, value_name = "ID", group = "subject", help_heading = "What to look at")]
    pub instance: Option<String>,
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
