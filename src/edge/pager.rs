//! Long texts on a terminal, through the reader's pager.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::{Command, Stdio},
};

use super::{env::Env, terminal};

/// Shows a text: through `GREENLIGHT_PAGER` or `PAGER` (`less` without one) where stdout is a terminal that it does not fit on, else plainly.
///
/// # Errors
/// Where stdout cannot be written.
pub fn show(text: &str, env: &Env) -> io::Result<()> {
    let rows = terminal_size::terminal_size().map_or(0, |(_, rows)| usize::from(rows.0));
    if !io::stdout().is_terminal() || text.lines().count() < rows {
        return terminal::print(text);
    }
    let pager = env.get("GREENLIGHT_PAGER").or_else(|| env.get("PAGER"));
    match through(pager.unwrap_or("less -R"), text, env) {
        Ok(true) => Ok(()),
        // There is no such pager: the text is what was asked for.
        Ok(false) | Err(_) => terminal::print(text),
    }
}

/// Whether the pager could be started. Its own end, for example by `q`, is the reader's business.
fn through(pager: &str, text: &str, env: &Env) -> io::Result<bool> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    if env.get("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A reader that leaves early is no error.
        let _ = stdin.write_all(text.as_bytes());
    }
    // 126 and 127: the shell could not run it.
    Ok(!matches!(child.wait()?.code(), Some(126 | 127)))
}
