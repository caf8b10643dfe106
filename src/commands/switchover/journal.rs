//! The journal of a run: where it is, whether it is begun or taken up, and what may be done with one that exists.

use std::path::{Path, PathBuf};

use crate::{
    cli::SwitchoverArgs,
    commands::Failure,
    exit::Exit,
    switchover::{
        journal::{self, Journal, JournalError, Log},
        lock::LockError,
        machine::{Config, State},
        outcome::Refusal,
        record::{Actor, Header},
        resume::{Resumed, resume},
    },
};

/// Why there is no journal to write to.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is nothing to run: another process has it, or it was plain before.
    Refused(Refusal),
    /// Anything else.
    Failure(Failure),
}

/// `--journal`, or `greenlight-<deployment id>.journal` in the current folder.
pub(super) fn path(args: &SwitchoverArgs, id: &str) -> PathBuf {
    args.guards
        .journal
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("greenlight-{id}.journal")))
}

/// Reads the journal that `--resume` is about, before anything is asked.
///
/// # Errors
/// Where it is not there, or does not verify.
pub(super) fn read(args: &SwitchoverArgs) -> Result<Log, Failure> {
    let path = path(args, &args.deployment);
    if args.guards.journal.is_none() && !args.deployment.starts_with("bgd-") {
        return Err(Failure::usage(format!(
            "--resume with a deployment's name needs --journal FILE (the journals here are called \
             greenlight-<deployment id>.journal), or give the identifier: --deployment bgd-…, not {:?}",
            args.deployment
        )));
    }
    let log = journal::read(&path)?;
    let header = log.header();
    let (id, name) = (&header.config.identity.id, &header.name);
    if !args.deployment.eq_ignore_ascii_case(id) && args.deployment != *name {
        return Err(Failure::usage(format!(
            "{} is about {name} ({id}), not about {}",
            path.display(),
            args.deployment
        )));
    }
    Ok(log)
}

/// Takes a journal up again where its last run left off.
///
/// # Errors
/// [`Trouble`].
pub(super) fn take_up(path: &Path, by: &Actor, config: &Config) -> Result<(Journal, Resumed), Trouble> {
    let (journal, log) = Journal::open(path, by).map_err(trouble)?;
    // It was read once already, without its lock.
    if log.header().config.identity != config.identity {
        return Err(Trouble::Failure(Failure::with(
            Exit::OutcomeUnknown,
            format!(
                "{} was replaced while it was taken up; look at both",
                path.display()
            ),
        )));
    }
    let resumed = resume(config, log.records()).map_err(|contradiction| {
        Trouble::Failure(Failure::with(
            Exit::OutcomeUnknown,
            format!("{}: {contradiction}", path.display()),
        ))
    })?;
    Ok((journal, resumed))
}

/// Begins a journal. One that exists is gone on with as long as nothing was ever sent with it and it is about the same
/// deployment: after a dry run, or a run that was refused.
///
/// # Errors
/// [`Trouble`].
pub(super) fn begin(
    path: &Path,
    header: Header,
    by: &Actor,
    config: &Config,
) -> Result<(Journal, Resumed), Trouble> {
    let at = header.at;
    let exists = match Journal::create(path, header, at) {
        Ok(journal) => {
            let new = Resumed {
                state: State::Start,
                last: None,
                runs: 0,
            };
            return Ok((journal, new));
        }
        Err(error @ JournalError::Exists { .. }) => error,
        Err(error) => return Err(trouble(error)),
    };
    let (journal, log) = Journal::open(path, by).map_err(trouble)?;
    let same = log.header().config.identity == config.identity;
    match resume(config, log.records()) {
        Ok(resumed) if same && resumed.state == State::Start => Ok((journal, resumed)),
        _ => Err(Trouble::Failure(exists.into())),
    }
}

fn trouble(error: JournalError) -> Trouble {
    match error {
        JournalError::Locked(LockError::Held { path, holder }) => {
            let holder = format!("{holder}, by the journal's lock {}", path.display());
            Trouble::Refused(Refusal::Locked { holder })
        }
        error => Trouble::Failure(error.into()),
    }
}
