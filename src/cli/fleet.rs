//! `fleet`.

use std::path::PathBuf;

use clap::Args;

use super::{DatabaseArgs, PolicyArgs};
use crate::{model::PgVersion, output::Format};

/// `greenlight fleet`.
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("which").required(true).multiple(true),
    after_help = "Exit codes: 10 where any database is not ready · else 11 where any is not known, which with --api-only is each \
                  that is not 10 · else 0 · 3 where nothing could be looked at · 2 usage, or nothing matches\n\n\
                  Examples:\n  greenlight fleet --all --target-major 16 --api-only\n  \
                  greenlight fleet --tag team=payments --target-version 16.6 --reports out --resume\n  \
                  greenlight fleet --all --account-role arn:aws:iam::210987654321:role/audit --region eu-west-1 --region us-east-1 \
                  --api-only -o html=fleet.html"
)]
pub struct FleetArgs {
    /// Everything in the accounts and Regions
    #[arg(long, group = "which", help_heading = "What to look at")]
    pub all: bool,
    /// Only what has this tag, with this value if one is given; given again, all of them
    #[arg(
        long,
        value_name = "KEY[=VALUE]",
        group = "which",
        help_heading = "What to look at"
    )]
    pub tag: Vec<String>,
    /// The version to upgrade to; what runs it or a newer one is there already
    #[arg(long, value_name = "VERSION", group = "to", help_heading = "What to look at")]
    pub target_version: Option<PgVersion>,
    /// The newest version of this major
    #[arg(long, value_name = "MAJOR", group = "to", help_heading = "What to look at")]
    pub target_major: Option<u16>,
    /// Ask the RDS API alone. No database is connected to, so nothing is called ready: only what stands in the way is found
    #[arg(long, help_heading = "What to look at")]
    pub api_only: bool,
    /// How many databases to look at at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub concurrency: usize,
    /// Region, instead of the environment's; may be given again
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub region: Vec<String>,
    /// Assume this role, for its account; may be given again. `own` stands for the credentials as they are
    #[arg(long, value_name = "ARN", help_heading = "AWS")]
    pub account_role: Vec<String>,
    /// External id for assuming the roles
    #[arg(long, value_name = "ID", requires = "account_role", help_heading = "AWS")]
    pub external_id: Option<String>,
    /// Profile of the AWS configuration; goes over keys of the environment
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub profile: Option<String>,
    /// Endpoint of the RDS API; plain http only on this machine
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub endpoint_url: Option<String>,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How the verdict is made
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// What stdout gets
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    pub format: FleetFormat,
    /// Also write the summary to a file; may be given again: -o html=fleet.html -o csv=fleet.csv
    #[arg(short, long = "output", value_name = "FORMAT=FILE", help_heading = "Output")]
    pub output: Vec<String>,
    /// Write each database's full report into this folder, the summary beside them, and what is finished, for --resume
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub reports: Option<PathBuf>,
    /// Formats of the full reports
    #[arg(
        long,
        value_name = "FORMAT",
        value_delimiter = ',',
        default_value = "json",
        requires = "reports",
        help_heading = "Output"
    )]
    pub report_format: Vec<Format>,
    /// Go on where an earlier run with the same question stopped: what is finished there is taken from it
    #[arg(long, requires = "reports", help_heading = "Output")]
    pub resume: bool,
    /// How old a finished report may be for --resume, in hours
    #[arg(long, value_name = "HOURS", default_value_t = 24, help_heading = "Output")]
    pub max_age: u32,
}

/// What a fleet's summary can be rendered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FleetFormat {
    /// For people at a terminal.
    Table,
    /// For programs; see `greenlight schema --of fleet`.
    Json,
    /// For a ticket or a page.
    Markdown,
    /// One self-contained page.
    Html,
    /// For a spreadsheet.
    Csv,
}
