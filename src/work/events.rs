//! What `create` and `cleanup` tell programs: one JSON object a line, the last of them [`Event::End`].

use jiff::Timestamp;
use serde::Serialize;

use super::{
    machine::{End, Sight},
    record::Task,
};
use crate::{output::json::JsonReport, switchover::evidence::Answer};

/// The version of the format. Within it events and fields are only added.
pub const SCHEMA: u32 = 1;

/// One event.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// The checks were made.
    Checked {
        /// What they said.
        report: Box<JsonReport>,
    },
    /// Somebody agreed; from here on requests leave.
    Begun {
        /// All that is to be done, in order.
        tasks: &'a [Task],
        /// Where it is written down.
        journal: String,
    },
    /// A request was answered, or was not.
    Answered {
        /// For what.
        task: &'a Task,
        /// How.
        answer: &'a Answer,
    },
    /// RDS shows something new of a task.
    Seen {
        /// Which.
        task: &'a Task,
        /// What.
        sight: &'a Sight,
    },
    /// A task is over for this run.
    Ended {
        /// Which.
        task: &'a Task,
        /// How.
        end: &'a End,
    },
    /// Green is there; it has still to catch up.
    Available {
        /// The deployment's name.
        deployment: &'a str,
        /// `bgd-…`
        id: &'a str,
    },
    /// What still keeps green from having caught up.
    Waiting {
        /// The first of it.
        open: &'a str,
    },
    /// The last.
    End {
        /// The exit code.
        exit_code: u8,
        /// What came of it, in words; of a failure, its cause and what to do.
        text: &'a str,
    },
}

/// An event as a line.
#[must_use]
pub fn line(event: &Event<'_>, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Line<'e, 'a> {
        schema: u32,
        at: Timestamp,
        #[serde(flatten)]
        event: &'e Event<'a>,
    }
    let line = Line {
        schema: SCHEMA,
        at,
        event,
    };
    let mut text = serde_json::to_string(&line).expect("texts, numbers and lists are JSON");
    text.push('\n');
    text
}
