//! `plan` and `drift`: looking ahead.

use std::path::PathBuf;

use clap::Args;

use super::{AwsArgs, DatabaseArgs, SubjectArgs};
use crate::{model::PgVersion, output::Format};

/// `greenlight plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 a plan · 10 no valid way · 11 RDS lists no targets for the version · 2 usage · 3 could not look\n\n\
                  Examples:\n  greenlight plan --cluster main --target-version 14.10\n  \
                  greenlight plan --cluster main --target-major 16 --format cli > upgrade.sh"
)]
pub struct PlanArgs {
    /// What is looked at
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Plan for a saved facts file instead, without any network
    #[arg(
        long,
        value_name = "FILE",
        group = "subject",
        help_heading = "What to look at"
    )]
    pub facts: Option<PathBuf>,
    /// The version to upgrade to, for example 14.10, or `latest`
    #[arg(long, value_name = "VERSION", group = "to")]
    pub target_version: Option<String>,
    /// The newest version of this major that can be reached
    #[arg(long, value_name = "MAJOR", group = "to")]
    pub target_major: Option<u16>,
    /// The parameter group that green is to have (default: one is made where the major changes)
    #[arg(long, value_name = "NAME")]
    pub target_parameter_group: Option<String>,
    /// Also ask the databases, for the arithmetic of slots, senders and workers
    #[arg(
        long = "databases",
        conflicts_with = "facts",
        help_heading = "What to look at"
    )]
    pub look: bool,
    /// How the databases are reached
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// `cli` gives the steps as a script; the languages give the parameter group to deploy before green is made
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: PlanFormat,
}

/// How a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// AWS CLI commands.
    Cli,
    /// The parameter group that green is to have, as a CloudFormation template.
    Cloudformation,
    /// The parameter group as a CDK construct in Python.
    CdkPython,
    /// The parameter group as a CDK construct in TypeScript.
    CdkTypescript,
    /// The parameter group as Terraform.
    Terraform,
}

/// `greenlight drift`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no drift · 10 drift · 11 something decisive could not be told · 2 a file is not what it should be\n\n\
                  Examples:\n  greenlight drift --cluster main --template cdk.out/Database.template.json\n  \
                  greenlight drift --cluster main --template stack.json --parameter Stage=prod --before --target-version 16.6\n  \
                  terraform show -json plan.out | greenlight drift --facts facts.json --tfplan -"
)]
pub struct DriftArgs {
    /// What is looked at
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Compare with a saved facts file instead, without any network
    #[arg(
        long,
        value_name = "FILE",
        group = "subject",
        help_heading = "What to look at"
    )]
    pub facts: Option<PathBuf>,
    /// A CloudFormation template in JSON, as `cdk synth` writes it; may be given again
    #[arg(long, value_name = "FILE")]
    pub template: Vec<PathBuf>,
    /// A Terraform state, as `terraform show -json` prints it; may be given again
    #[arg(long, value_name = "FILE")]
    pub tfstate: Vec<PathBuf>,
    /// A Terraform plan, as `terraform show -json PLAN` prints it; may be given again
    #[arg(long, value_name = "FILE")]
    pub tfplan: Vec<PathBuf>,
    /// The value of a parameter of the template; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub parameter: Vec<String>,
    /// Look ahead: what will differ after the upgrade
    #[arg(long)]
    pub before: bool,
    /// The version to upgrade to (default: the deployment's)
    #[arg(long, value_name = "VERSION", requires = "before")]
    pub target_version: Option<PgVersion>,
    /// The parameter group that green is to have (default: the deployment's, else the default group)
    #[arg(long, value_name = "NAME", requires = "before")]
    pub target_parameter_group: Option<String>,
    /// How AWS is reached
    #[command(flatten)]
    pub aws: AwsArgs,
    /// Longest time for asking the RDS API, such as 90s or 5m (default: 15m)
    #[arg(long, value_name = "DURATION", value_parser = crate::edge::deadline::duration)]
    pub deadline: Option<std::time::Duration>,
    /// `table` or `json`
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}
