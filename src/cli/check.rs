//! `check` and `collect`.

use std::path::PathBuf;

use clap::Args;

use super::{AwsArgs, DatabaseArgs, OutputArgs, PolicyArgs, TargetArgs};
use crate::model::Phase;

/// `greenlight check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  greenlight check --cluster main --target-version 14.15\n  \
                  greenlight check --deployment upgrade-main --format json\n  \
                  greenlight check --blue-url postgres://greenlight@db.internal/app --target-version 17\n  \
                  greenlight check --facts facts.json"
)]
pub struct CheckArgs {
    /// What is looked at
    #[command(flatten)]
    pub target: TargetArgs,
    /// Judge a saved facts file instead, without any network
    #[arg(
        long,
        value_name = "FILE",
        group = "subject",
        help_heading = "What to look at"
    )]
    pub facts: Option<PathBuf>,
    /// Show only what is new or worse than in this JSON report; the verdict still counts everything
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub baseline: Option<PathBuf>,
    /// The question (default: what the deployment's state asks for)
    #[arg(long, value_name = "PHASE", help_heading = "Verdict")]
    pub phase: Option<Phase>,
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
    /// Write an attestation of what was judged, for `greenlight switchover --attestation FILE`; it guards against mix-ups and
    /// age, not against forgers: it is not signed
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub attest: Option<PathBuf>,
    /// How long the attestation is good for, in minutes from the collection of the facts
    #[arg(long, value_name = "MINUTES", requires = "attest", help_heading = "Output", default_value_t = crate::attest::MINUTES,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(crate::attest::MAX_MINUTES)))]
    pub attest_for: u16,
}

/// `greenlight collect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  greenlight collect --cluster main -o facts.json\n  \
                  greenlight collect --deployment upgrade-main --redact -o shared.json\n  \
                  greenlight check --facts facts.json"
)]
pub struct CollectArgs {
    /// What is looked at
    #[command(flatten)]
    pub target: TargetArgs,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// For sharing: names of databases, schemas, tables, roles, hosts, accounts and tags, and SQL, become pseudonyms
    #[arg(long)]
    pub redact: bool,
    /// The same word gives the same pseudonyms again; without it they are new each time
    #[arg(long, value_name = "WORD", requires = "redact")]
    pub redact_key: Option<String>,
    /// Where the facts go (default: stdout); readable by the owner alone
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
