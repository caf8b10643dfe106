//! The command line as people type it. Structs only: what the words mean is settled in `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod upgrade;

pub use upgrade::{CleanupArgs, CreateArgs, PrepareArgs, PrepareFormat};

use crate::{
    model::{PgVersion, Phase},
    output::{Format, change::ChangeFormat},
    permissions::Purpose,
    verdict::Level,
};

/// May this Amazon RDS or Aurora PostgreSQL blue/green upgrade go ahead, now?
#[derive(Debug, Parser)]
#[command(
    name = "greenlight",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 ready · 2 usage · 3 could not look · 10 not ready · 11 not determined · 20-23 switchover\n\
                  `greenlight help COMMAND` says more; `greenlight explain` lists every check."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,

    /// Say more on stderr: -v what is done, -vv how, -vvv everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge whether a deployment may be created, switched over, or did what it should
    Check(Box<CheckArgs>),
    /// Read everything the checks look at into one file, to judge or share later
    Collect(Box<CollectArgs>),
    /// Judge every cluster and instance that matches, in one summary, worst first
    Fleet(Box<FleetArgs>),
    /// Watch a deployment: status, members, tasks and events as they come, lag with its trend and the time to catch up
    Watch(Box<WatchArgs>),
    /// Plan the upgrade: the valid way to a version, parameter values, ordered steps
    Plan(Box<PlanArgs>),
    /// Make blue's and green's parameter groups ready for a deployment, and reboot for them in the right order
    Prepare(Box<PrepareArgs>),
    /// Create a deployment: the checks first, one request, then wait until green is there and has caught up
    Create(Box<CreateArgs>),
    /// Switch a deployment over: full check, wait until lag is calm, confirm, one request, follow it, verify
    Switchover(Box<SwitchoverArgs>),
    /// Clean up: after the switchover the deployment and, on request, the old side; before it an unwanted deployment
    Cleanup(Box<CleanupArgs>),
    /// Compare infrastructure code with the database: what an upgrade makes drift, and how to edit the code
    Drift(Box<DriftArgs>),
    /// Explain a check: what it looks for, why, and how to fix it; without an id, list them
    Explain {
        /// The check's id
        id: Option<String>,
    },
    /// List the checks
    Checks(ChecksArgs),
    /// Tell a journal as a change record: who, when, on what evidence, what RDS said, what came of it
    Report(ReportArgs),
    /// Compare two reports: what is new, worse, better or gone
    Diff(DiffArgs),
    /// Look into the policy file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the least IAM policy for a purpose
    IamPolicy {
        /// What it is for
        #[arg(long = "for", value_name = "PURPOSE", default_value = "check")]
        purpose: Purpose,
        /// Only for this engine (default: both)
        #[arg(long, value_name = "ENGINE")]
        engine: Option<EngineChoice>,
    },
    /// Print the SQL that makes the read-only database role
    SqlRole {
        /// Its name
        #[arg(long, default_value = "greenlight")]
        name: String,
        /// It logs in with IAM tokens
        #[arg(long)]
        iam: bool,
    },
    /// Print the JSON schema of a format
    Schema {
        /// Of what
        #[arg(long, value_name = "FORMAT", default_value = "report")]
        of: SchemaOf,
    },
    /// Print a man page
    Man {
        /// The command that it is about (default: greenlight itself)
        command: Option<String>,
        /// Write the pages of all commands into a folder instead
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        all: Option<PathBuf>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// An engine of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineChoice {
    /// Aurora PostgreSQL.
    Aurora,
    /// RDS for PostgreSQL.
    Rds,
}

/// What is looked at.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What to look at")]
pub struct TargetArgs {
    /// What RDS calls it
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Databases only, without AWS: blue as postgres://USER@HOST:PORT/DB or libpq's key=value form
    #[arg(long, value_name = "URL", group = "subject")]
    pub blue_url: Option<String>,
    /// Databases only: green, likewise
    #[arg(long, value_name = "URL", requires = "blue_url")]
    pub green_url: Option<String>,
    /// The version to upgrade to, for example 14.10 or 16; the deployment's own where there is one
    #[arg(long, value_name = "VERSION")]
    pub target_version: Option<PgVersion>,
    /// The (cluster) parameter group that green is to have; the deployment's own where there is one
    #[arg(long, value_name = "NAME")]
    pub target_parameter_group: Option<String>,
}

impl TargetArgs {
    /// A deployment, by name or identifier.
    pub fn of_deployment(id: &str) -> Self {
        Self {
            subject: SubjectArgs::of_deployment(id),
            ..Self::default()
        }
    }
}

/// How AWS is reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArgs {
    /// Region, instead of the environment's
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Endpoint of the RDS API; plain http only on this machine
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

/// How the databases are reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Databases")]
pub struct DatabaseArgs {
    /// Role to log in as (default: PGUSER, else greenlight); `blue=NAME`, `green=NAME` for one side
    #[arg(long, value_name = "[SIDE=]NAME")]
    pub db_user: Vec<String>,
    /// How to log in: password, iam, secret:ARN or command:PROGRAM; `blue=…`, `green=…` for one side
    #[arg(long, value_name = "[SIDE=]METHOD")]
    pub auth: Vec<String>,
    /// Connect to HOST:PORT instead (a tunnel); TLS still verifies the real endpoint
    #[arg(long, value_name = "SIDE=HOST:PORT")]
    pub connect: Vec<String>,
    /// Database to begin with (default: the one made with the cluster, else postgres)
    #[arg(long, value_name = "NAME")]
    pub dbname: Option<String>,
    /// TLS as libpq's sslmode says it (default: verify-full, except on this machine)
    #[arg(long, value_name = "MODE")]
    pub tls_mode: Option<String>,
    /// Trust the roots in this PEM file instead of Amazon's
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Longest time for opening a connection, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout_connect: Option<u64>,
    /// Longest time for looking at everything, such as 90s or 5m; what has not answered by then is unknown (default: 15m)
    #[arg(long, value_name = "DURATION", value_parser = crate::edge::deadline::duration)]
    pub deadline: Option<std::time::Duration>,
    /// Connections to one server at the same time, at most
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub connections: usize,
    /// Rows of evidence per check and database
    #[arg(long, value_name = "N", default_value_t = crate::facts::EVIDENCE_ROWS)]
    pub evidence: u64,
    /// Looks at the replication lag, a second apart
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub lag_samples: usize,
    /// Compare the rows of these tables on blue and green (`orders`, `sales.*`, `DATABASE/TABLE`); needs SELECT on them
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub compare_rows: Vec<String>,
    /// Rows compared in a second, at most; 0 for no limit
    #[arg(long, value_name = "ROWS", default_value_t = 50_000)]
    pub compare_rate: u64,
}

/// How the verdict is made.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Verdict")]
pub struct PolicyArgs {
    /// Policy file: thresholds, levels, waivers (default: greenlight.toml where there is one)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only these checks or groups
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All but these checks or groups
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Lowest level that makes the verdict "not ready"
    #[arg(long, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
}

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

/// How a report is shown.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// What stdout gets; with github also the step's summary is written
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Option<Format>,
    /// Also write the report to a file; may be given again: -o html=report.html -o json=report.json
    #[arg(short, long = "output", value_name = "FORMAT=FILE")]
    pub output: Vec<String>,
}

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
    /// Databases that are looked at at the same time
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
    /// Profile of the AWS configuration
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

/// Something that has a JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemaOf {
    /// The report of `check`.
    Report,
    /// The comparison of `diff`.
    Diff,
    /// The summary of `fleet`.
    Fleet,
}

/// `greenlight collect`.
#[derive(Debug, Args)]
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

/// `greenlight checks`.
#[derive(Debug, Default, Args)]
pub struct ChecksArgs {
    /// Only checks of this level
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Level>,
    /// Only checks of this phase
    #[arg(long, value_name = "PHASE")]
    pub phase: Option<Phase>,
    /// Only checks of this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Only checks whose id, title or text has this word
    #[arg(long, value_name = "WORD")]
    pub search: Option<String>,
    /// How they are shown
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: ListFormat,
}

/// What a list can be rendered as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people at a terminal.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For pages.
    Markdown,
}

/// What two reports or a policy can be shown as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ShortFormat {
    /// For people at a terminal.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// `greenlight report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 rendered, however the switchover ended · 2 not a journal, or one that was changed\n\n\
                  Examples:\n  greenlight report --journal upgrade-main.journal\n  \
                  greenlight report --journal upgrade-main.journal -o html=change.html -o json=change.json"
)]
pub struct ReportArgs {
    /// The journal of a switchover, a creation or a clean-up; it is read only, also while a run is writing it
    #[arg(long, value_name = "FILE")]
    pub journal: PathBuf,
    /// What stdout gets
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: ChangeFormat,
    /// Also write it to a file; may be given again: -o html=change.html -o json=change.json
    #[arg(short, long = "output", value_name = "FORMAT=FILE")]
    pub output: Vec<String>,
}

/// `greenlight diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing new gates · 10 something new or worse gates · 11 something that gates can no longer \
                  be looked at · 2 not two reports"
)]
pub struct DiffArgs {
    /// The earlier report, in JSON
    pub before: PathBuf,
    /// The later report, in JSON
    pub after: PathBuf,
    /// Lowest level that gates (default: the later report's)
    #[arg(long, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// How it is shown
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: ShortFormat,
}

/// `greenlight config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a policy file, and show what is in force and from where
    Check {
        /// The file (default: greenlight.toml where there is one)
        file: Option<PathBuf>,
        /// How it is shown
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: ShortFormat,
    },
}

/// What is looked at through the RDS API alone.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What to look at")]
pub struct SubjectArgs {
    /// Aurora cluster, by name or ARN
    #[arg(long, value_name = "ID", group = "subject")]
    pub cluster: Option<String>,
    /// RDS instance, by name or ARN
    #[arg(long, value_name = "ID", group = "subject")]
    pub instance: Option<String>,
    /// Blue/green deployment, by name or bgd-… identifier
    #[arg(long, value_name = "ID", group = "subject")]
    pub deployment: Option<String>,
}

impl SubjectArgs {
    /// A deployment, by name or identifier.
    pub fn of_deployment(id: &str) -> Self {
        Self {
            deployment: Some(id.to_owned()),
            ..Self::default()
        }
    }
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
    /// How long lag and activity must have held still without a break [default: 15s]
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
    /// Take up a run that ended before its end was known: reads the journal, asks RDS, and only then acts
    #[arg(long)]
    pub resume: bool,
    /// Probe the production endpoint four times a second while it runs, as clients see it: a new connection and a read each
    /// time; the end says how long reads were out, in ms. Not with --resume: what clients saw before it was taken up is not known,
    /// and the outage would be told too short; a journal with which nothing was sent is gone on with without --resume
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
