//! The journal of a creation or a clean-up as a change record: what was to be done, who agreed, what was sent, what came of it.

use serde::Serialize;

use super::sections::{Block, Cell, ROWS, Section, Table, code, text, vouched, when};
use super::{ChangeFormat, Doc, SCHEMA, Vouched};
use crate::switchover::{
    evidence::{Answer, Consent, Readiness},
    journal::{Entry, Log},
};
use crate::work::{
    machine::{End, Sight},
    record::{Head, Record, Task},
};

/// A change record.
#[derive(Clone, Debug, Serialize)]
pub struct WorkChange {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version that rendered it.
    pub greenlight: &'static str,
    /// A word: `done`, `unknown`, `failed`, `not-finished`.
    pub word: &'static str,
    /// What it was about.
    pub head: Head,
    /// The file and how it can be vouched for.
    pub journal: Vouched,
    /// How each task ended last, where it did.
    pub ends: Vec<Option<End>>,
    /// All of the journal.
    pub entries: Vec<Entry<Record>>,
}

impl WorkChange {
    /// Reads a journal; none where it does not begin as one of this kind does.
    #[must_use]
    pub fn of(log: &Log<Record>, file: &str) -> Option<Self> {
        let Some(Record::Work(head)) = log.entries.first().map(|e| &e.record) else {
            return None;
        };
        let end_of = |task: &Task| {
            log.entries.iter().rev().find_map(|e| match &e.record {
                Record::Ended { work, end, .. } if work == task => Some(end.clone()),
                _ => None,
            })
        };
        let ends: Vec<Option<End>> = head.tasks.iter().map(end_of).collect();
        let any = |is: fn(&End) -> bool| ends.iter().flatten().any(is);
        let word = if any(|e| matches!(e, End::Unknown { .. })) {
            "unknown"
        } else if any(|e| matches!(e, End::Failed { .. })) {
            "failed"
        } else if ends.iter().all(|e| matches!(e, Some(End::Done { .. }))) {
            "done"
        } else {
            "not-finished"
        };
        Some(Self {
            schema: SCHEMA,
            greenlight: env!("CARGO_PKG_VERSION"),
            word,
            head: head.as_ref().clone(),
            journal: Vouched {
                file: file.into(),
                head: log.head.clone(),
                entries: log.entries.len(),
                torn_bytes: log.torn,
            },
            ends,
            entries: log.entries.clone(),
        })
    }

    /// Renders it.
    #[must_use]
    pub fn render(&self, format: ChangeFormat) -> String {
        super::rendered(self, format, || self.doc())
    }

    fn doc(&self) -> Doc {
        let (sign, title, class) = match self.word {
            "done" => ("✅", "Done", "ready"),
            "unknown" => ("❌", "Outcome unknown", "not-ready"),
            "failed" => ("❌", "Failed", "not-ready"),
            _ => ("⏸️", "Not finished", "not-determined"),
        };
        let done = self
            .ends
            .iter()
            .filter(|e| matches!(e, Some(End::Done { .. })))
            .count();
        let name = self
            .head
            .tasks
            .first()
            .map_or_else(|| "nothing".to_owned(), ToString::to_string);
        Doc {
            sign,
            title,
            class,
            name,
            text: format!("{done} of {} tasks done", self.head.tasks.len()),
            exit: None,
            chips: vec![],
            sections: self.sections(),
            head: self.journal.head.clone(),
        }
    }

    fn sections(&self) -> Vec<Section> {
        let section = |id, title: &str, blocks| Section {
            id,
            title: title.to_owned(),
            blocks,
        };
        let head = &self.head;
        let mut about = vec![(
            "account and region".to_owned(),
            text(format!(
                "{}, {}",
                head.account.as_deref().unwrap_or("account not known"),
                head.region
            )),
        )];
        if let Some(endpoint) = &head.endpoint {
            about.push(("RDS endpoint".to_owned(), code(endpoint)));
        }
        let tasks = head.tasks.iter().zip(&self.ends).take(ROWS).map(|(task, end)| {
            let end = end.as_ref().map_or_else(|| "no end on record".to_owned(), ended);
            vec![text(task.to_string()), code(details(task)), text(end)]
        });
        let rows = |pick: &dyn Fn(&Record) -> Option<Vec<Cell>>| -> Vec<Vec<Cell>> {
            let picked = self.entries.iter().filter_map(|e| {
                let mut row = pick(&e.record)?;
                row.insert(0, text(when(e.at)));
                Some(row)
            });
            picked.take(ROWS).collect()
        };
        let runs = rows(&|r| match r {
            Record::Run { by, .. } => Some(vec![
                text(format!("{} on {} (pid {})", by.user, by.host, by.pid)),
                code(by.principal.as_deref().unwrap_or("not known")),
            ]),
            _ => None,
        });
        let decisions = rows(&|r| match r {
            Record::Checked { .. } | Record::Confirmed { .. } => Some(vec![text(said(r))]),
            _ => None,
        });
        let requests = rows(&|r| match r {
            Record::Intent { .. } | Record::Withdrawn { .. } => Some(vec![text(said(r)), text("")]),
            Record::Answered { answer, .. } => Some(vec![
                text(said(r)),
                code(match answer {
                    Answer::Accepted { request_id } => request_id.as_deref().unwrap_or(""),
                    _ => "",
                }),
            ]),
            _ => None,
        });
        let seen = rows(&|r| match r {
            Record::Seen { .. } => Some(vec![text(said(r))]),
            _ => None,
        });
        let all = self
            .entries
            .iter()
            .take(ROWS)
            .map(|e| vec![text(e.seq.to_string()), text(when(e.at)), text(said(&e.record))]);
        let table = |about: &str, columns: &[&'static str], rows: Vec<Vec<Cell>>| {
            Block::Table(Table {
                about: about.to_owned(),
                columns: columns.to_vec(),
                rows,
                folded: false,
            })
        };
        let what = vec![
            Block::Facts(about),
            table("Tasks", &["task", "details", "end"], tasks.collect()),
        ];
        let journal = vec![
            Block::Facts(vouched(&self.journal, head.format, &head.tool)),
            Block::Table(Table {
                about: "Every entry".to_owned(),
                columns: vec!["entry", "when", "what"],
                rows: all.collect(),
                folded: true,
            }),
        ];
        let mut sections = vec![section("what", "What was to be done", what)];
        for (id, title, columns, rows) in [
            (
                "who",
                "Who and when",
                vec!["began", "who and where", "AWS identity"],
                runs,
            ),
            ("decision", "Decision", vec!["when", "what"], decisions),
            (
                "request",
                "Requests",
                vec!["when", "what", "AWS request id"],
                requests,
            ),
            ("rds", "What RDS showed", vec!["seen", "what"], seen),
        ] {
            if !rows.is_empty() {
                sections.push(section(id, title, vec![table(title, &columns, rows)]));
            }
        }
        sections.push(section("journal", "Journal", journal));
        sections
    }
}

fn details(task: &Task) -> String {
    match task {
        Task::Create {
            source,
            target_version,
            parameter_group,
            ..
        } => {
            let group = parameter_group
                .as_ref()
                .map_or(String::new(), |g| format!(", parameter group {g}"));
            format!("{source} to {target_version}{group}")
        }
        Task::DeleteDeployment { .. } => String::new(),
        Task::Snapshot { of, .. } => of.clone(),
        Task::DeleteInstance { resource_id, .. } | Task::DeleteCluster { resource_id, .. } => {
            resource_id.clone()
        }
    }
}

fn ended(end: &End) -> String {
    match end {
        End::Done { what } => format!("done: {what}"),
        End::Refused { fault } => format!("refused, nothing was changed: {fault}"),
        End::Foreign { why } => format!("something else stands in its place, nothing was sent: {why}"),
        End::Failed { why } => format!("failed at RDS: {why}"),
        End::Unknown { why } => format!("unknown: {why}"),
        End::Going { what } => format!("still going on at RDS: {what}"),
        End::Blind { why } => format!("could not be looked at, nothing was sent: {why}"),
        End::Interrupted => "interrupted before the request".to_owned(),
        End::Left => "left after the request, which goes on".to_owned(),
    }
}

/// A record in one sentence.
fn said(record: &Record) -> String {
    match record {
        Record::Work(head) => format!("journal of {} tasks, begun by {}", head.tasks.len(), head.by),
        Record::Run { by, .. } => format!("a run by {by}"),
        Record::Checked { readiness, .. } => match readiness {
            Readiness::Ready => "checks: ready".to_owned(),
            Readiness::NotReady => "checks: not ready".to_owned(),
            Readiness::NotDetermined { why } => format!("checks: not determined, {why}"),
            Readiness::NotAttested { why } => format!("checks: not as attested, {why}"),
        },
        Record::Confirmed {
            how: Consent::Typed, ..
        } => "confirmed by typing the name".to_owned(),
        Record::Confirmed {
            how: Consent::Flag, ..
        } => "confirmed by --yes".to_owned(),
        Record::Intent { work, .. } => format!("about to ask RDS: {work}"),
        Record::Withdrawn { .. } => "not sent after all".to_owned(),
        Record::Answered { answer, .. } => match answer {
            Answer::Accepted { .. } => "RDS accepted it".to_owned(),
            Answer::Rejected { fault } => format!("RDS rejected it, {fault}"),
            Answer::Lost { why } => format!("the answer is lost: {why}"),
        },
        Record::Seen { sight, .. } => match sight {
            Sight::Nothing => "no trace of it".to_owned(),
            Sight::Going { what } => format!("going on: {what}"),
            Sight::Done { what } => format!("done: {what}"),
            Sight::Failed { why } => format!("failed: {why}"),
            Sight::Foreign { why } => format!("something else: {why}"),
            Sight::Blind { why } => format!("could not look: {why}"),
        },
        Record::Ended { work, end, .. } => format!("{work}: {}", ended(end)),
    }
}
