//! Asking for a name to be typed, for commands that change something.

use super::Failure;
use crate::{edge::terminal, exit::Exit};

/// Goes on where the name is typed, or `--yes` was given. Whoever drops this leaves the question unanswered.
///
/// # Errors
/// The run is over, and nothing was changed.
pub(super) async fn to(question: &str, name: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !terminal::can_ask() {
        return Err(Failure::usage(
            "there is nobody to ask: give --yes; nothing was changed",
        ));
    }
    terminal::ask(&format!("{question}, type {name}: "));
    // The thread that reads may outlive the question; the process does not wait for it.
    match tokio::task::spawn_blocking(terminal::read_line).await {
        Ok(Ok(Some(line))) if line.trim() == name => Ok(()),
        _ => Err(Failure::with(Exit::Refused, "not agreed to; nothing was changed")),
    }
}
