//! The command line as people type it. Structs only: what the words mean is settled in `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod check;
mod fleet;
mod plan;
mod shared;
mod switchover;
mod upgrade;
mod watch;

pub use check::{CheckArgs, CollectArgs};
pub use fleet::{FleetArgs, FleetFormat};
pub use plan::{DriftArgs, PlanArgs, PlanFormat};
pub use shared::{AwsArgs, DatabaseArgs, OutputArgs, PolicyArgs, SourceArgs, SubjectArgs, TargetArgs};
pub use switchover::{GuardArgs, SwitchoverArgs};
pub use upgrade::{CleanupArgs, CreateArgs, PrepareArgs, PrepareFormat};
pub use watch::{Until, WatchArgs};

use crate::{model::Phase, output::change::ChangeFormat, permissions::Purpose, verdict::Level};

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
    #[command(after_help = "Examples:\n  greenlight explain replica-identity\n  greenlight explain")]
    Explain {
        /// The check's id
        id: Option<String>,
    },
    /// List the checks
    Checks(ChecksArgs),
    /// Turn a journal into a change record: who, when, on what evidence, what RDS said, what came of it
    Report(ReportArgs),
    /// Compare two reports: what is new, worse, better or gone
    Diff(DiffArgs),
    /// Look into the policy file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the least IAM policy for a purpose
    #[command(
        after_help = "Examples:\n  greenlight iam-policy\n  greenlight iam-policy --for switchover --engine aurora > policy.json"
    )]
    IamPolicy {
        /// What it is for
        #[arg(long = "for", value_name = "PURPOSE", default_value = "check")]
        purpose: Purpose,
        /// Only for this engine (default: both)
        #[arg(long, value_name = "ENGINE")]
        engine: Option<EngineChoice>,
    },
    /// Print the SQL that makes the read-only database role
    #[command(
        after_help = "Examples:\n  greenlight sql-role | psql -h db.internal -U postgres\n  greenlight sql-role --name readiness --iam"
    )]
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
    #[command(after_help = "Examples:\n  greenlight completions bash > /etc/bash_completion.d/greenlight")]
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

/// `greenlight checks`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  greenlight checks --level blocker --phase create\n  greenlight checks --search sequence"
)]
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
                  be looked at · 2 not two reports\n\nExamples:\n  greenlight diff yesterday.json today.json\n  \
                  greenlight diff yesterday.json today.json --fail-on warning --format json"
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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    /// The lines of a command's help that can be typed, without what a shell does with the output.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let lines = help.lines().filter_map(|line| line.strip_prefix("  greenlight "));
        lines
            .map(|line| line.split(['>', '|', '&']).next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn every_example_of_the_help_can_be_typed() {
        let all = Cli::command();
        let mut without = Vec::new();
        for command in all.get_subcommands() {
            let lines = examples(command);
            if lines.is_empty() {
                without.push(command.get_name());
            }
            for line in lines {
                let words = std::iter::once("greenlight").chain(line.split_whitespace());
                if let Err(e) = Cli::try_parse_from(words) {
                    panic!("greenlight {line}: {e}");
                }
            }
        }
        // Their usage line is their example.
        assert_eq!(without, ["config", "schema", "man"]);
    }
}
