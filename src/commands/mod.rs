//! One file a subcommand, and what they share: from flags to a target, from an error to an exit code.

mod check;
pub mod checks;
mod collect;
mod config;
mod consent;
mod diff;
mod drift;
pub mod explain;
mod fleet;
mod man;
mod plan;
mod prepare;
mod report;
mod show;
mod switchover;
mod target;
mod watch;
mod work;

use clap::{CommandFactory as _, Parser as _};

use crate::{
    cli::{Cli, Command, EngineChoice, SchemaOf},
    edge::{auth::LOG_CEILINGS, aws::AwsError, env::Env, files::FileError, rds::RdsError, terminal},
    exit::Exit,
    model::{
        Engine, masking,
        secret::{Secret, blotted, remember},
        shown::quoted,
    },
    output, permissions,
    switchover::{journal::JournalError, lock::LockError},
};

/// Why a command could not do its work: one message for the user, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// Cause and fix.
    pub message: String,
}

impl Failure {
    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, message)
    }

    /// Ctrl-C where nothing had been changed.
    pub fn interrupted() -> Self {
        Self::with(Exit::Interrupted, "interrupted; nothing was changed")
    }

    /// Could not look at all.
    pub fn blind(message: impl Into<String>) -> Self {
        Self::with(Exit::CouldNotLook, message)
    }

    /// Ended in another way.
    pub fn with(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        RdsError::from(error).into()
    }
}

impl From<RdsError> for Failure {
    fn from(error: RdsError) -> Self {
        let exit = if error.is_usage() {
            Exit::Usage
        } else {
            Exit::CouldNotLook
        };
        Self::with(exit, error.to_string())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let exit = match &error {
            // It may have held a request that was sent.
            JournalError::Corrupt { .. } => Exit::OutcomeUnknown,
            JournalError::Locked(LockError::Held { .. }) => Exit::Refused,
            _ => Exit::Usage,
        };
        Self::with(exit, error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self {
            exit: Exit::Fault,
            message: format!("cannot write to stdout: {error}"),
        }
    }
}

/// What a command sees of the world besides its flags.
#[derive(Debug)]
pub struct World {
    /// The environment.
    pub env: Env,
    /// `--color`.
    pub color: crate::cli::Color,
    /// `-v`, how many.
    pub verbose: u8,
}

/// Runs the command line of this process.
pub fn run() -> Exit {
    run_from(std::env::args_os())
}

/// Runs a command line; the first word is the program's name.
pub fn run_from(args: impl IntoIterator<Item = std::ffi::OsString>) -> Exit {
    let args: Vec<std::ffi::OsString> = args.into_iter().collect();
    let env = Env::from_process();
    secrets(&env, &args);
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ready
            };
            refused(&error);
            return exit;
        }
    };
    let world = World {
        env,
        color: cli.color,
        verbose: cli.verbose,
    };
    log(&world);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        terminal::say(&fault(panic.payload_as_str(), place.as_deref()));
    }));
    let Ok(outcome) =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(cli.command, &world)))
    else {
        return Exit::Fault;
    };
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            terminal::say(&format!("error: {}", failure.message));
            failure.exit
        }
    }
}

/// Shows what clap has to say. It repeats what was written: a connection string in the wrong place is not shown with its password.
fn refused(error: &clap::Error) {
    let text = error.render().to_string();
    let masked = blotted(&masking::text(&text));
    if error.use_stderr() && masked != text {
        terminal::say(masked.trim_end());
    } else {
        let _ = error.print();
    }
}

/// What to say of a fault in greenlight itself. What it met is in one line, since it may come from anywhere.
fn fault(met: Option<&str>, place: Option<&str>) -> String {
    format!(
        "error: a fault in greenlight at {}: {}; please report it, with the command line and -v",
        place.unwrap_or("an unknown place"),
        quoted(met.unwrap_or("it says no more"))
    )
}

/// Secrets that the environment gives, and that others may repeat; and those in connection strings, wherever one was written: a
/// message about a flag repeats what stands there.
fn secrets(env: &Env, args: &[std::ffi::OsString]) {
    let plain = [
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
    ];
    for text in plain.into_iter().filter_map(|name| env.get(name)) {
        remember(Secret::new(text));
    }
    let ours = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["PG", "AWS_", "GREENLIGHT_", "RUST_"]
            .iter()
            .any(|head| name.starts_with(head))
            || name.ends_with("_PROXY")
    };
    let variables = env.vars().filter(|(name, _)| ours(name)).map(|(_, value)| value);
    let args = args.iter().filter_map(|arg| arg.to_str());
    for text in args.chain(variables) {
        masking::passwords(text).for_each(|found| remember(Secret::new(found)));
    }
}

fn dispatch(command: Command, world: &World) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => block_on_one_thread(check::run(*args, world)),
        Command::Collect(args) => block_on_one_thread(collect::run(*args, world)),
        Command::Fleet(args) => block_on(fleet::run(*args, world)),
        Command::Switchover(args) => switchover::run(*args, world),
        Command::Watch(args) => block_on(watch::run(*args, world)),
        Command::Plan(args) => block_on(plan::run(*args, world)),
        Command::Prepare(args) => block_on_to_the_end(prepare::run(*args, world)),
        Command::Create(args) => block_on_to_the_end(work::create::run(*args, world)),
        Command::Cleanup(args) => block_on_to_the_end(work::cleanup::run(*args, world)),
        Command::Drift(args) => block_on(drift::run(*args, world)),
        Command::Explain { id } => explain::run(id.as_deref(), world),
        Command::Checks(args) => checks::run(&args, world),
        Command::Diff(args) => diff::run(&args, world),
        Command::Report(args) => report::run(&args),
        Command::Config(command) => config::run(&command, world),
        Command::Man { command, all } => man::run(command.as_deref(), all.as_deref()),
        Command::IamPolicy { purpose, engine } => {
            let engine = match engine {
                None => Engine::Postgres,
                Some(EngineChoice::Aurora) => Engine::Aurora,
                Some(EngineChoice::Rds) => Engine::Rds,
            };
            terminal::print(&format!("{:#}\n", permissions::policy(purpose, engine)))?;
            Ok(Exit::Ready)
        }
        Command::SqlRole { name, iam } => {
            terminal::print(&permissions::role(&name, iam))?;
            Ok(Exit::Ready)
        }
        Command::Schema { of } => {
            terminal::print(&match of {
                SchemaOf::Report => output::json::schema(),
                SchemaOf::Diff => output::json::diff_schema(),
                SchemaOf::Fleet => crate::fleet::Fleet::schema(),
            })?;
            Ok(Exit::Ready)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "greenlight", &mut script);
            terminal::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Ready)
        }
    }
}

/// Runs a command on the runtime; Ctrl-C ends it where nothing has been changed.
fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    block_on_to_the_end(unless_interrupted(command))
}

/// The same for a command that asks a lot and waits for answers: every answer that another thread has to be woken for costs as much as
/// taking it in.
fn block_on_one_thread(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    run_on(
        tokio::runtime::Builder::new_current_thread(),
        unless_interrupted(command),
    )
}

async fn unless_interrupted(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::select! {
        outcome = command => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

/// Runs a command on the runtime; Ctrl-C is its own business.
fn block_on_to_the_end(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    run_on(tokio::runtime::Builder::new_multi_thread(), command)
}

fn run_on(
    mut runtime: tokio::runtime::Builder,
    command: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|e| Failure::with(Exit::Fault, format!("cannot start: {e}")))?;
    let outcome = runtime.block_on(command);
    // A look-up of a name that hangs must not hold up the end.
    runtime.shutdown_background();
    outcome
}

/// Diagnostics on stderr: warnings always, more with `-v`; `GREENLIGHT_LOG` has the last word.
fn log(world: &World) {
    let level = match world.verbose {
        0 => "greenlight=warn",
        1 => "greenlight=info",
        2 => "greenlight=debug",
        _ => "greenlight=trace",
    };
    let wanted = world.env.get("GREENLIGHT_LOG").unwrap_or(level);
    // At the level of single steps the SDK logs tokens: whatever is asked for, it stays below that.
    let filter = if wanted.contains("trace") {
        format!("{wanted},{LOG_CEILINGS}")
    } else {
        wanted.to_owned()
    };
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| terminal::Log)
        .with_ansi(terminal::log_color(world.color, &world.env))
        .with_target(false)
        .without_time()
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_with_its_place() {
        let text = fault(Some("met\n\u{1b}[31mthis"), Some("src/x.rs:1:2"));
        assert_eq!(
            text,
            "error: a fault in greenlight at src/x.rs:1:2: met  [31mthis; please report it, with the command line and -v"
        );
        remember(Secret::new("planted-in-a-fault"));
        let text = fault(Some("unwrapped planted-in-a-fault"), None);
        assert!(
            !crate::model::secret::blotted(&text).contains("planted"),
            "{text}"
        );
    }
}
