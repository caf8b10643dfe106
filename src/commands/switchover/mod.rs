//! `greenlight switchover`: sets the run up, drives it, and says how it ended.
//!
//! Until the journal is there nothing was asked that changes anything, and every error is an ordinary one. From then on
//! the machine in [`crate::switchover`] decides; this command only gives it a world, a journal and Ctrl-C.

mod confirm;
pub(super) mod display;
mod end;
mod evidence;
pub(super) mod flags;
mod journal;
mod probe;
mod set_up;
pub(super) mod signals;
mod world;

use std::path::Path;

use super::{Failure, World, block_on_to_the_end};
use crate::{
    cli::SwitchoverArgs,
    edge::terminal,
    exit::Exit,
    switchover::{
        driver::{Interrupts as _, Run},
        outcome::Outcome,
    },
};
use set_up::{Ready, Setup, set_up};
use signals::Signals;
use world::Real;

/// Runs the command.
pub(super) fn run(args: SwitchoverArgs, world: &World) -> Result<Exit, Failure> {
    block_on_to_the_end(async {
        let mut signals = Signals::listen()?;
        let set_up = tokio::select! {
            biased;
            () = signals.next() => return Err(Failure::interrupted()),
            set_up = set_up(&args, world) => set_up?,
        };
        let (real, run) = match set_up {
            Setup::Ready(ready) => *ready,
            Setup::Over(real, outcome, journal) => return over(&real, &outcome, &journal).await,
        };
        drive(real, run, &mut signals).await
    })
}

async fn drive(real: Real<'_>, ready: Ready, signals: &mut Signals) -> Result<Exit, Failure> {
    let Ready {
        mut journal,
        state,
        by,
    } = ready;
    let config = real.config.clone();
    let run = Run {
        config: &config,
        by,
        terminal: terminal::can_ask(),
    };
    let outcome = run
        .drive(state, &real, &mut journal, signals)
        .await
        .map_err(|stuck| Failure::with(Exit::Fault, stuck.to_string()))?;
    let (path, head) = (journal.path().to_owned(), journal.head().to_owned());
    // Another run may begin while this one looks for causes and prints.
    drop(journal);
    let kept = end::Kept {
        path: &path,
        head: &head,
    };
    tokio::select! {
        biased;
        shown = end::show(&real, &outcome, kept) => match shown {
            // What became of production counts, and not that a file could not be written about it.
            Err(failure) if outcome.was_sent() => {
                terminal::say(&format!("{outcome}; but {}", failure.message));
                Ok(end::exit(&outcome))
            }
            shown => shown,
        },
        () = signals.next() => {
            terminal::say(&format!("{outcome} (interrupted while the report was made)"));
            Ok(end::exit(&outcome))
        }
    }
}

/// The end of a run that never began: nothing was asked, and no journal was made.
async fn over(real: &Real<'_>, outcome: &Outcome, journal: &Path) -> Result<Exit, Failure> {
    let kept = end::Kept {
        path: journal,
        head: "none: nothing was begun",
    };
    end::show(real, outcome, kept).await
}
