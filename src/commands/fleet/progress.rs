//! What is finished: one line a database in `fleet.jsonl` beside the full reports, written when its report is.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::Failure;
use crate::{
    cli::FleetArgs,
    edge::files::{self, FileError},
    fleet::{Row, SCHEMA, State},
    model::Arn,
};

/// The file's name.
const FILE: &str = "fleet.jsonl";

#[derive(Serialize, Deserialize)]
struct Line {
    schema: u32,
    /// What was asked, in short: lines of another question are passed over.
    question: String,
    row: Row,
}

/// Rows of an earlier run, and where those of this one go.
pub(super) struct Finished {
    path: PathBuf,
    question: String,
    rows: HashMap<String, Row>,
    writing: Mutex<()>,
}

impl Finished {
    /// Makes the folder, and reads what is finished where that is wanted.
    ///
    /// # Errors
    /// Where the folder cannot be made, or the file not be read.
    pub(super) fn open(
        folder: &Path,
        question: String,
        args: &FleetArgs,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        files::folder(folder)?;
        let path = folder.join(FILE);
        let mut rows = HashMap::new();
        if args.resume {
            let text = files::read_if_there(&path)?.unwrap_or_default();
            let oldest = now - SignedDuration::from_hours(i64::from(args.max_age));
            // A line that was cut off is one that was not finished.
            let lines = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Line>(line).ok());
            for line in lines.filter(|l| l.schema == SCHEMA && l.question == question) {
                let young = line.row.read_at.parse::<Timestamp>().is_ok_and(|at| at >= oldest);
                let there = line
                    .row
                    .reports
                    .iter()
                    .all(|name| is_name(name) && folder.join(name).is_file());
                // What could not be looked at is tried again.
                if young && there && line.row.state != State::NotLookedAt {
                    rows.insert(line.row.arn.clone(), line.row);
                }
            }
        }
        Ok(Self {
            path,
            question,
            rows,
            writing: Mutex::new(()),
        })
    }

    /// The finished row of a database that still runs the same version.
    pub(super) fn row(&self, arn: &Arn, version: &str) -> Option<Row> {
        let row = self.rows.get(arn.as_str())?;
        (row.version == version).then(|| row.clone())
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(super) fn add(&self, row: &Row) -> Result<(), FileError> {
        let line = Line {
            schema: SCHEMA,
            question: self.question.clone(),
            row: row.clone(),
        };
        // It begins with a line break, so that a line that was cut off spoils no other.
        let text = format!("\n{}", serde_json::to_string(&line).expect("texts are JSON"));
        let _one = self.writing.lock();
        files::append_to_own(&self.path, &text)
    }
}

/// Whether it is a name that [`super::write`] gives and leads nowhere else: whoever writes the record chooses what the summary links to.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && name.chars().all(super::fits_a_name)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_report_is_a_file_beside_the_summary() {
        assert!(is_name("123456789012.eu-west-1.cluster.main.html"));
        for name in [
            "",
            ".",
            "..",
            "../x.html",
            "/etc/passwd",
            "a/b",
            "a/",
            "./a",
            "a)b",
            "a b",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
