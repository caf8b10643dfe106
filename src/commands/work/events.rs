//! The events of `create` and `cleanup` on stdout, where `--format json` asks for them.

use crate::{
    cli::OutputArgs,
    commands::Failure,
    edge::{clock, terminal},
    exit::Exit,
    output::Format,
    work::events::{Event, line},
};

/// Whether events are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Events(bool);

impl Events {
    pub(super) fn of(args: &OutputArgs) -> Self {
        Self(args.format == Some(Format::Json))
    }

    pub(super) fn are_wanted(self) -> bool {
        self.0
    }

    pub(super) fn emit(self, event: &Event<'_>) {
        if self.0 {
            // A reader that went away must not stop what was begun.
            let _ = terminal::print(&line(event, clock::now()));
        }
    }

    /// The last event.
    pub(super) fn end(self, outcome: &Result<Exit, Failure>) {
        let (exit, text) = match outcome {
            Ok(Exit::Ready) => (Exit::Ready, "done"),
            Ok(exit) => (*exit, "nothing was changed"),
            Err(failure) => (failure.exit, failure.message.as_str()),
        };
        self.emit(&Event::End {
            exit_code: exit.code(),
            text,
        });
    }
}
