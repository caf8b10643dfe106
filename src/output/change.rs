//! The change record: a switchover's journal, told for those who approve and audit changes.
//!
//! [`Change`] is read from a verified [`Log`] without any clock or network, so that the same journal always gives the same
//! bytes. It claims only what the journal shows: a run without an end is called that. Markdown and HTML are two renderings of
//! one list of sections; JSON is the struct itself with the journal's entries, and has its own version.

mod html;
mod markdown;
mod sections;
mod work;

pub use work::WorkChange;

use jiff::Timestamp;
use serde::Serialize;

use crate::switchover::{
    deployment::View,
    evidence::{Answer, Consent, Evidence, Intent},
    history::Proof,
    journal::{Entry, Log},
    outage::Outage,
    outcome::Outcome,
    record::{Actor, Header, Record},
    remark::{Attested, Behind, Judged, Remark},
    settle::Sample,
};

/// What a change record can be rendered as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ChangeFormat {
    /// For a ticket.
    #[default]
    Markdown,
    /// One self-contained page.
    Html,
    /// For programs.
    Json,
}

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;

/// A change record.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version that rendered it.
    pub greenlight: &'static str,
    /// What came of it.
    pub end: End,
    /// What it was about; options and who began it.
    pub header: Header,
    /// The file and how it can be vouched for.
    pub journal: Vouched,
    /// When the decisive things happened.
    pub times: Times,
    /// Each run of the program, the first and those that took it up again.
    pub runs: Vec<Run>,
    /// The full checks before the switchover, in order.
    pub checks: Vec<Check>,
    /// What was seen while settling.
    pub settling: Vec<Behind>,
    /// Looks that each of those stands for, at most.
    pub settling_each: u64,
    /// The last sample before each decision.
    pub settled: Vec<Settled>,
    /// When it was decided that it may go ahead.
    pub decisions: Vec<Decision>,
    /// The attestation that was acted on.
    pub attested: Option<Attested>,
    /// The requests that were about to leave. At most one left.
    pub requests: Vec<Request>,
    /// What RDS showed, whenever it was something new.
    pub progress: Vec<Progress>,
    /// What RDS's events proved.
    pub events: Vec<Told>,
    /// What a client of the production endpoint saw.
    pub outages: Vec<Outage>,
    /// The checks after the switchover.
    pub verification: Vec<Judged>,
    /// All of the journal.
    pub entries: Vec<Entry>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// A word: `switched-over`, `switched-over-with-problems`, `dry-run`, `not-switched-over`, `rolled-back`, `unknown`,
    /// `no-end`.
    pub word: &'static str,
    /// The sentence.
    pub text: String,
    /// The exit code of the last run, if it has one.
    pub exit_code: Option<u8>,
    /// The outcome as the journal has it.
    pub outcome: Option<Outcome>,
}

/// The journal as a file.
#[derive(Clone, Debug, Serialize)]
pub struct Vouched {
    /// Its name.
    pub file: String,
    /// The hash of the last entry. Who knows it can tell whether the file is still the one that the run wrote.
    pub head: String,
    /// Complete entries.
    pub entries: usize,
    /// Bytes of a last line that was never finished: nothing was done on the strength of it.
    pub torn_bytes: usize,
}

/// When the decisive things happened; absent what did not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Times {
    /// The journal was begun.
    pub began: Option<Timestamp>,
    /// The facts were collected that the request rests on.
    pub evidence: Option<Timestamp>,
    /// The last look began.
    pub last_look: Option<Timestamp>,
    /// The intent was on its way to the disk; the request left right after.
    pub requested: Option<Timestamp>,
    /// RDS answered, or the answer was given up.
    pub answered: Option<Timestamp>,
    /// RDS was seen to have completed it.
    pub completed: Option<Timestamp>,
    /// The last run ended.
    pub ended: Option<Timestamp>,
}

/// One run of the program.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// When it began.
    pub began: Timestamp,
    /// Who ran it, and where.
    pub by: Actor,
    /// When it ended, if that is on record.
    pub ended: Option<Timestamp>,
    /// What came of it, if that is on record.
    pub outcome: Option<String>,
    /// Ctrl-C that it went on after.
    pub interrupts: Vec<Timestamp>,
}

/// One full check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// When it was done.
    pub at: Timestamp,
    /// What was decided on.
    pub evidence: Evidence,
    /// The report behind it.
    pub report: Option<Judged>,
}

/// Lag and activity held still.
#[derive(Clone, Debug, Serialize)]
pub struct Settled {
    /// When that was so.
    pub at: Timestamp,
    /// For how long at least, in seconds.
    pub held_s: f64,
    /// The last sample.
    pub sample: Sample,
}

/// A decision, and who agreed to it.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// What was decided on.
    pub digest: String,
    /// When its facts were collected.
    pub evidence_at: Timestamp,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// When and how somebody agreed. A consent given before covers a repeated check that found the same.
    pub confirmed: Option<(Timestamp, Consent)>,
}

/// A request.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// When it was about to leave.
    pub at: Timestamp,
    /// What was on disk before.
    pub intent: Intent,
    /// When it was taken back, unsent.
    pub withdrawn: Option<Timestamp>,
    /// What came back, and when.
    pub answer: Option<(Timestamp, Answer)>,
}

/// Something new that RDS showed.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// When it was seen.
    pub at: Timestamp,
    /// What.
    pub view: View,
}

/// Something that RDS's events proved.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// When they were read.
    pub at: Timestamp,
    /// What.
    pub proof: Proof,
}

/// A record in a format; `doc` is what people read of it.
fn rendered(record: &impl Serialize, format: ChangeFormat, doc: impl FnOnce() -> Doc) -> String {
    match format {
        ChangeFormat::Json => {
            let text = serde_json::to_string_pretty(record).expect("a change record is plain data");
            format!("{text}\n")
        }
        ChangeFormat::Markdown => markdown::render(&doc()),
        ChangeFormat::Html => html::render(doc()),
    }
}

impl Change {
    /// Reads a journal. `file` is its name, for the reader.
    #[must_use]
    pub fn of(log: &Log, file: &str) -> Self {
        let header = log.header().clone();
        let mut change = Self {
            schema: SCHEMA,
            greenlight: env!("CARGO_PKG_VERSION"),
            end: End::none(false),
            times: Times {
                began: Some(header.at),
                ..Times::default()
            },
            header,
            journal: Vouched {
                file: file.into(),
                head: log.head.clone(),
                entries: log.entries.len(),
                torn_bytes: log.torn,
            },
            runs: vec![],
            checks: vec![],
            settling: vec![],
            settling_each: 1,
            settled: vec![],
            decisions: vec![],
            attested: None,
            requests: vec![],
            progress: vec![],
            events: vec![],
            outages: vec![],
            verification: vec![],
            entries: log.entries.clone(),
        };
        let mut consent = None;
        // A report is written right before the record that rests on it.
        let mut report = None;
        for entry in &log.entries {
            change.take(entry, &mut consent, &mut report);
        }
        let sent = change.requests.iter().any(|r| r.withdrawn.is_none());
        change.end = match change.runs.last() {
            Some(Run { outcome: Some(_), .. }) => last_outcome(log).map_or(End::none(sent), End::of),
            _ => End::none(sent),
        };
        if let Some(request) = change.requests.iter().find(|r| r.withdrawn.is_none()) {
            change.times.requested = Some(request.at);
            change.times.last_look = Some(request.intent.at);
            change.times.answered = request.answer.as_ref().map(|(at, _)| *at);
            let before = |d: &&Decision| d.at <= request.at;
            change.times.evidence = change.decisions.iter().rev().find(before).map(|d| d.evidence_at);
        }
        change
    }

    fn take(
        &mut self,
        entry: &Entry,
        consent: &mut Option<(String, Timestamp, Consent)>,
        report: &mut Option<Judged>,
    ) {
        match &entry.record {
            Record::Header(_) | Record::Locked { .. } => {}
            Record::Run { at, by, .. } => {
                // Whoever takes it up again asks again.
                *consent = None;
                self.times.ended = None;
                self.runs.push(Run {
                    began: *at,
                    by: by.clone(),
                    ended: None,
                    outcome: None,
                    interrupts: vec![],
                });
            }
            Record::Checked { at, evidence } => self.checks.push(Check {
                at: *at,
                evidence: evidence.clone(),
                report: report.take(),
            }),
            Record::Settled { at, held, sample } => self.settled.push(Settled {
                at: *at,
                held_s: held.as_secs_f64(),
                sample: sample.clone(),
            }),
            Record::Decided {
                at,
                digest,
                evidence_at,
                dry_run,
            } => {
                let given = consent.as_ref().filter(|(to, ..)| to == digest);
                self.decisions.push(Decision {
                    at: *at,
                    digest: digest.clone(),
                    evidence_at: *evidence_at,
                    dry_run: *dry_run,
                    confirmed: given.map(|(_, at, how)| (*at, *how)),
                });
            }
            Record::Confirmed { at, how, digest } => {
                *consent = Some((digest.clone(), *at, *how));
                if let Some(decision) = self.decisions.last_mut().filter(|d| d.digest == *digest) {
                    decision.confirmed = Some((*at, *how));
                }
            }
            Record::Intent { at, intent } => self.requests.push(Request {
                at: *at,
                intent: intent.clone(),
                withdrawn: None,
                answer: None,
            }),
            Record::Withdrawn { at } => {
                if let Some(request) = self.requests.last_mut() {
                    request.withdrawn = Some(*at);
                }
            }
            Record::Answered { at, answer } => {
                if let Some(request) = self.requests.last_mut() {
                    request.answer = Some((*at, answer.clone()));
                }
            }
            Record::Progress { at, view } => self.progress.push(Progress {
                at: *at,
                view: view.clone(),
            }),
            Record::Events { at, proof } => self.events.push(Told {
                at: *at,
                proof: proof.clone(),
            }),
            Record::Completed { at } => self.times.completed = Some(*at),
            Record::Interrupted { at } => {
                if let Some(run) = self.runs.last_mut() {
                    run.interrupts.push(*at);
                }
            }
            Record::Ended { outcome } => {
                self.times.ended = Some(entry.at);
                if let Some(run) = self.runs.last_mut() {
                    run.ended = Some(entry.at);
                    run.outcome = Some(outcome.to_string());
                }
            }
            Record::Remark { remark, .. } => match remark.as_ref() {
                Remark::Judged(judged) if judged.phase == "verify" => self.verification.push(judged.clone()),
                Remark::Judged(judged) => *report = Some(judged.clone()),
                Remark::Settling { looks, each } => {
                    self.settling.extend(looks.iter().cloned());
                    self.settling_each = self.settling_each.max(*each);
                }
                Remark::Outage(outage) => self.outages.push(outage.clone()),
                Remark::Attested(attested) => self.attested = Some(attested.clone()),
            },
        }
    }

    /// Renders it.
    #[must_use]
    pub fn render(&self, format: ChangeFormat) -> String {
        rendered(self, format, || self.doc())
    }

    fn doc(&self) -> Doc {
        let (sign, class) = match self.end.word {
            "switched-over" => ("✅", "ready"),
            "switched-over-with-problems" | "no-end" => ("⚠️", "not-determined"),
            "dry-run" => ("ℹ️", "not-determined"),
            "not-switched-over" => ("⏸️", "not-determined"),
            _ => ("❌", "not-ready"),
        };
        Doc {
            sign,
            title: self.end.title(),
            class,
            name: self.header.name.clone(),
            text: self.end.text.clone(),
            exit: self.end.exit_code,
            chips: chips(self),
            sections: sections::sections(self),
            head: self.journal.head.clone(),
        }
    }

    /// The report that the last decision rests on, or the last one there is.
    fn decided_on(&self) -> Option<&Check> {
        let digest = self.decisions.last().map(|d| &d.digest);
        let matching = self
            .checks
            .iter()
            .rev()
            .find(|c| digest.is_none_or(|d| *d == c.evidence.digest));
        matching.or(self.checks.last())
    }
}

/// What both renderings are made of.
struct Doc {
    /// For those who only glance.
    sign: &'static str,
    title: &'static str,
    /// The colour.
    class: &'static str,
    /// Of what.
    name: String,
    text: String,
    exit: Option<u8>,
    chips: Vec<(&'static str, String)>,
    sections: Vec<sections::Section>,
    head: String,
}

fn chips(change: &Change) -> Vec<(&'static str, String)> {
    let mut chips = vec![];
    if let Some(exit) = change.end.exit_code {
        chips.push(("dim", format!("exit code {exit}")));
    }
    if let Some(at) = change.times.requested {
        chips.push(("dim", format!("requested {}", sections::when(at))));
    }
    if let Some(at) = change.times.completed {
        chips.push(("good", format!("completed {}", sections::when(at))));
    }
    for outage in &change.outages {
        let class = if outage.reads.gaps == 0 { "good" } else { "notice" };
        chips.push((class, format!("reads out for {} ms", outage.reads.out_ms)));
        if let Some(writes) = &outage.writes {
            let class = if writes.stream.gaps == 0 { "good" } else { "notice" };
            chips.push((class, format!("writes out for {} ms", writes.stream.out_ms)));
        }
    }
    if change.journal.torn_bytes > 0 {
        chips.push(("warning", "last line torn".into()));
    }
    chips
}

fn last_outcome(log: &Log) -> Option<&Outcome> {
    log.entries.iter().rev().find_map(|e| match &e.record {
        Record::Ended { outcome } => Some(outcome),
        _ => None,
    })
}

impl End {
    fn of(outcome: &Outcome) -> Self {
        use crate::switchover::outcome::Verified;
        let word = match outcome {
            Outcome::Switched {
                verified: Verified::Clean,
            } => "switched-over",
            Outcome::Switched { .. } => "switched-over-with-problems",
            Outcome::DryRun => "dry-run",
            Outcome::NotReady { .. }
            | Outcome::NotDetermined { .. }
            | Outcome::Refused { .. }
            | Outcome::Interrupted => "not-switched-over",
            Outcome::RolledBack { .. } => "rolled-back",
            Outcome::Unknown { .. } => "unknown",
        };
        Self {
            word,
            text: outcome.to_string(),
            exit_code: Some(outcome.exit_code()),
            outcome: Some(outcome.clone()),
        }
    }

    /// The last run has no end on record.
    fn none(sent: bool) -> Self {
        let text = if sent {
            "the journal has no end: the run is still going on or was killed, and a request had been about to leave; \
             `greenlight switchover --resume` asks RDS what became of it"
        } else {
            "the journal has no end: the run is still going on or was killed; no request had left"
        };
        Self {
            word: "no-end",
            text: text.into(),
            exit_code: None,
            outcome: None,
        }
    }

    /// For people.
    fn title(&self) -> &'static str {
        match self.word {
            "switched-over" => "Switched over",
            "switched-over-with-problems" => "Switched over, with problems",
            "dry-run" => "Dry run",
            "not-switched-over" => "Not switched over",
            "rolled-back" => "Rolled back",
            "unknown" => "Outcome unknown",
            _ => "No end on record",
        }
    }
}
