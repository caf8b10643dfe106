//! The terminal: how wide it is, whether it wants colour, and a line of progress on stderr.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
    sync::Mutex,
    time::{Duration, Instant},
};

use super::env::Env;
use crate::{
    cli::Color,
    model::{
        Side,
        secret::blotted,
        shown::{event, printable, tame},
    },
    output::Style,
};

/// How stdout wants a report.
pub fn style(color: Color, verbose: bool, env: &Env) -> Style {
    let terminal = io::stdout().is_terminal();
    let color = colored(color, terminal, env);
    let width = if terminal {
        terminal_size::terminal_size().map(|(w, _)| usize::from(w.0))
    } else {
        None
    };
    Style {
        color,
        width: width.unwrap_or(80).clamp(40, 120),
        verbose,
    }
}

/// Whether the log on stderr wants colour.
pub fn log_color(color: Color, env: &Env) -> bool {
    colored(color, io::stderr().is_terminal(), env)
}

fn colored(color: Color, terminal: bool, env: &Env) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            terminal
                && env.get("NO_COLOR").is_none_or(str::is_empty)
                && env.get("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

/// Writes to stdout. A reader that went away (`| head`) is no error.
///
/// # Errors
/// Where stdout cannot be written, for example because the disk is full.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(tame(text).as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to stdout what `write` writes, a line at a time, with the same last line of defence as [`print()`].
///
/// # Errors
/// As with [`print()`].
pub fn stream(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = Tamed {
        out: io::BufWriter::with_capacity(64 << 10, io::stdout().lock()),
        line: Vec::new(),
    };
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Lines that go through [`tame`].
struct Tamed<W: io::Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: io::Write> io::Write for Tamed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            self.out
                .write_all(tame(&String::from_utf8_lossy(&self.line[..=end])).as_bytes())?;
            self.line.drain(..=end);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out
            .write_all(tame(&String::from_utf8_lossy(&self.line)).as_bytes())?;
        self.line.clear();
        self.out.flush()
    }
}

/// Says something on stderr.
pub fn say(text: &str) {
    // Where stderr is gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", blotted(&printable(text)));
}

/// Where the log goes: stderr, an event at a time, without the secrets of this process.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = blotted(&event(&String::from_utf8_lossy(line)));
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Puts a question on stderr, and stays behind it.
pub fn ask(question: &str) {
    draw(question);
}

/// Writes to stderr as it is, for whoever redraws lines.
pub fn draw(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// One line of stdin; none at its end. It blocks.
///
/// # Errors
/// Where stdin cannot be read.
pub fn read_line() -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

/// Whether somebody can be asked: both what they see and what they type are on a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Columns of stderr, if lines can be redrawn there.
pub fn live_columns(env: &Env) -> Option<usize> {
    let dumb = env.get("TERM").is_none_or(|term| term == "dumb");
    if dumb || !io::stderr().is_terminal() {
        return None;
    }
    let size = terminal_size::terminal_size_of(io::stderr());
    Some(size.map_or(80, |(width, _)| usize::from(width.0)).max(20))
}

/// Rows of stdout, where it is a terminal.
pub fn rows() -> Option<usize> {
    terminal_size::terminal_size().map(|(_, rows)| usize::from(rows.0))
}

/// Whether stdout is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A line on stderr that says how far collecting has come; nothing where stderr is no terminal.
#[derive(Debug)]
pub struct Progress {
    live: bool,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sides: BTreeMap<Side, (usize, usize)>,
    shown: Option<Instant>,
}

impl Progress {
    /// Nothing done yet.
    pub fn start() -> Self {
        Self {
            live: io::stderr().is_terminal(),
            begun: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Nothing done yet, and nothing shown unless `live`: where something else shows what is going on.
    pub fn quiet_unless(live: bool) -> Self {
        Self {
            live,
            ..Self::start()
        }
    }

    /// How far something with a number of parts has come.
    pub fn counted(&self, text: &str, over: bool) {
        let Ok(mut state) = self.state.lock() else { return };
        let recent = state
            .shown
            .is_some_and(|at| at.elapsed() < Duration::from_millis(100));
        if self.live && (over || !recent) {
            state.shown = Some(Instant::now());
            let _ = write!(io::stderr().lock(), "\r\x1b[K{text} …");
        }
    }

    /// What is being waited for before the first database answers.
    pub fn waiting(&self, what: &str) {
        if self.live {
            let _ = write!(io::stderr().lock(), "\r\x1b[K{what} …");
        }
    }

    /// Databases read on a side, of how many.
    pub fn databases(&self, side: Side, done: usize, total: usize) {
        let Ok(mut state) = self.state.lock() else { return };
        state.sides.insert(side, (done, total));
        let recent = state
            .shown
            .is_some_and(|at| at.elapsed() < Duration::from_millis(50));
        if self.live && !(recent && done < total) {
            state.shown = Some(Instant::now());
            let sides: Vec<String> = state
                .sides
                .iter()
                .map(|(side, (done, total))| format!("{side} {done}/{total}"))
                .collect();
            let _ = write!(
                io::stderr().lock(),
                "\r\x1b[Kreading databases: {} …",
                sides.join(", ")
            );
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if self.live {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
        tracing::info!(seconds = self.begun.elapsed().as_secs_f64(), "collected");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_pieces_is_tamed_all_the_same() {
        let mut tamed = Tamed {
            out: Vec::new(),
            line: Vec::new(),
        };
        for piece in [
            "\"\u{9b}2J é".as_bytes(),
            &"é".as_bytes()[..1],
            &"é\x1b\"\n".as_bytes()[1..],
            b"end",
        ] {
            tamed.write_all(piece).expect("a vector takes it");
        }
        tamed.flush().expect("a vector takes it");
        assert_eq!(
            String::from_utf8_lossy(&tamed.out),
            "\"\u{FFFD}2J éé\u{FFFD}\"\nend"
        );
    }
}
