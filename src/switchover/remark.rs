//! What a change record needs beside the decisions: what the full checks said, lag while settling, the outage that a
//! client saw. Remarks stand in the journal and decide nothing: whoever resumes passes them over.
//!
//! All is bounded, so that a journal stays a file that a person can mail.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::outage::Outage;
use super::settle::{Lag, Sample};
use crate::output::json::{JsonOutcome, JsonReport, JsonVerdict};
use crate::verdict::Level;

/// Findings and blind spots of one check report that are kept; the rest is counted.
pub const FINDINGS: usize = 200;
/// Characters of one text.
const TEXT: usize = 1000;
/// Looks at lag that are kept of one time of settling.
pub const LOOKS: usize = 240;

/// Something for the change record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Remark {
    /// What a full check said, in phase `switchover` or `verify`.
    Judged(Judged),
    /// Lag while settling.
    Settling {
        /// In the order of time.
        looks: Vec<Behind>,
        /// How many looks one of them stands for, at most; it is the worst of them.
        each: u64,
    },
    /// What `--probe` measured.
    Outage(Outage),
    /// The attestation that was acted on.
    Attested(Attested),
}

/// A check report in short.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Judged {
    /// `switchover` or `verify`.
    pub phase: String,
    /// When the facts were collected.
    pub collected_at: String,
    /// `ready`, `not ready` or `not determined`.
    pub verdict: String,
    /// Why, in a sentence.
    pub because: String,
    /// Endpoint of blue.
    pub blue: Option<String>,
    /// Endpoint of green.
    pub green: Option<String>,
    /// PostgreSQL's version on blue.
    pub source_version: Option<String>,
    /// And on green.
    pub target_version: Option<String>,
    /// Databases that were inspected.
    pub databases_seen: u64,
    /// Databases that there are.
    pub databases: u64,
    /// Checks that passed.
    pub passed: u64,
    /// Checks that failed, waived or not.
    pub failed: u64,
    /// Checks that could not be told.
    pub unknown: u64,
    /// Checks that do not apply.
    pub skipped: u64,
    /// What was found, the worst first.
    pub findings: Vec<Found>,
    /// What could not be looked at.
    pub unseen: Vec<Blind>,
    /// Findings and blind spots that are not listed here.
    pub more: u64,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Found {
    /// The check's id.
    pub check: String,
    /// What it is about.
    pub subject: String,
    /// `blocker`, `warning` or `notice`.
    pub level: Level,
    /// The finding in one sentence.
    pub message: String,
    /// The waiver that accepts it.
    pub waived: Option<Accepted>,
}

/// One blind spot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blind {
    /// The check's id.
    pub check: String,
    /// The check's level.
    pub level: Level,
    /// What was not seen.
    pub subject: String,
    /// Why not.
    pub why: String,
    /// The waiver that accepts it.
    pub waived: Option<Accepted>,
}

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accepted {
    /// Why.
    pub reason: String,
    /// Its last day.
    pub until: String,
    /// By whom, if it says.
    pub by: Option<String>,
}

/// The worst database at one look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Behind {
    /// When.
    pub at: Timestamp,
    /// Which; absent when lag could not be read.
    pub database: Option<String>,
    /// Bytes of WAL that green has not confirmed; absent when they could not be read.
    pub bytes: Option<u64>,
    /// Time behind, if the stream says.
    pub time: Option<SignedDuration>,
    /// What else stood in the way.
    pub obstacle: Option<String>,
}

/// The attestation that a run acted on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attested {
    /// Its digest.
    pub digest: String,
    /// When its facts were collected.
    pub collected_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Judged {
    /// The short of a report.
    #[must_use]
    pub fn of(report: &JsonReport) -> Self {
        let count = |outcome| report.checks.iter().filter(|c| c.outcome == outcome).count() as u64;
        let accepted = |waiver: &Option<crate::output::json::JsonWaiver>| {
            waiver.as_ref().map(|w| Accepted {
                reason: short(&w.reason),
                until: w.until.clone(),
                by: w.approved_by.clone(),
            })
        };
        let mut findings: Vec<Found> = vec![];
        let mut unseen: Vec<Blind> = vec![];
        for check in &report.checks {
            findings.extend(check.findings.iter().map(|f| Found {
                check: check.id.clone(),
                subject: short(&f.subject),
                level: f.level,
                message: short(&f.message),
                waived: accepted(&f.waived),
            }));
            unseen.extend(check.unseen.iter().map(|u| Blind {
                check: check.id.clone(),
                level: check.level,
                subject: short(&u.subject),
                why: short(&u.why),
                waived: accepted(&u.waived),
            }));
        }
        findings.sort_by_key(|f| (std::cmp::Reverse(f.level), f.waived.is_some()));
        unseen.sort_by_key(|u| (std::cmp::Reverse(u.level), u.waived.is_some()));
        let all = findings.len() + unseen.len();
        findings.truncate(FINDINGS);
        unseen.truncate(FINDINGS);
        let listed = findings.len() + unseen.len();
        let subject = &report.subject;
        Self {
            phase: report.phase.clone(),
            collected_at: report.collected_at.clone(),
            verdict: match report.verdict {
                JsonVerdict::Ready => "ready",
                JsonVerdict::NotReady => "not ready",
                JsonVerdict::NotDetermined => "not determined",
            }
            .into(),
            because: short(&report.because),
            blue: subject.blue.clone(),
            green: subject.green.clone(),
            source_version: subject.source_version.clone(),
            target_version: subject.target_version.clone(),
            databases_seen: report.coverage.databases_seen as u64,
            databases: report.coverage.databases as u64,
            passed: count(JsonOutcome::Passed),
            failed: count(JsonOutcome::Failed),
            unknown: count(JsonOutcome::Unknown),
            skipped: count(JsonOutcome::Skipped),
            findings,
            unseen,
            more: (all - listed) as u64 + report.checks.iter().map(|c| c.more).sum::<u64>(),
        }
    }
}

fn short(text: &str) -> String {
    crate::output::text::clip(text, TEXT)
}

/// Keeps what was seen while settling, thinned evenly so that it stays bounded: of neighbours the worst one stays.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    looks: Vec<Behind>,
    /// Looks that each kept one stands for.
    each: u64,
    /// Looks in the last one.
    filled: u64,
}

impl Tape {
    /// Takes a sample in.
    pub fn push(&mut self, at: Timestamp, sample: &Sample) {
        let (database, bytes, time) = match &sample.lag {
            Lag::Worst {
                database,
                bytes,
                time,
            } => (Some(database.clone()), Some(*bytes), *time),
            Lag::Unknown { .. } => (None, None, None),
        };
        let unknown = match &sample.lag {
            Lag::Unknown { why } => Some(format!("lag is unknown: {why}")),
            Lag::Worst { .. } => None,
        };
        let look = Behind {
            at,
            database,
            bytes,
            time,
            obstacle: sample.obstacles.first().cloned().or(unknown).map(|o| short(&o)),
        };
        self.each = self.each.max(1);
        match self.looks.last_mut() {
            Some(last) if self.filled < self.each => {
                *last = worse(last.clone(), look);
                self.filled += 1;
            }
            _ => {
                if self.looks.len() == LOOKS {
                    let halves: Vec<Behind> = self
                        .looks
                        .chunks(2)
                        .map(|pair| pair.iter().cloned().reduce(worse).expect("a chunk is not empty"))
                        .collect();
                    self.looks = halves;
                    self.each *= 2;
                }
                self.looks.push(look);
                self.filled = 1;
            }
        }
    }

    /// What was seen since the last time, if anything.
    #[must_use]
    pub fn take(&mut self) -> Option<Remark> {
        let tape = std::mem::take(self);
        (!tape.looks.is_empty()).then_some(Remark::Settling {
            looks: tape.looks,
            each: tape.each,
        })
    }
}

/// The one that stands more in the way. What could not be read is worst.
fn worse(a: Behind, b: Behind) -> Behind {
    let rank = |look: &Behind| {
        (
            look.bytes.is_none(),
            look.obstacle.is_some(),
            look.bytes,
            look.time,
        )
    };
    if rank(&b) > rank(&a) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(bytes: u64) -> Sample {
        Sample {
            lag: Lag::Worst {
                database: "app".into(),
                bytes,
                time: None,
            },
            obstacles: vec![],
            lock: Ok(()),
        }
    }

    #[test]
    fn a_tape_stays_short_and_keeps_the_worst() {
        let mut tape = Tape::default();
        let at = |n: u64| Timestamp::from_second(1_700_000_000 + n as i64).expect("in range");
        for n in 0..10_000 {
            tape.push(at(n), &sample(if n == 7_777 { 1 << 40 } else { n }));
        }
        let Some(Remark::Settling { looks, each }) = tape.take() else {
            panic!("there were looks");
        };
        assert!(looks.len() <= LOOKS && looks.len() > LOOKS / 3, "{}", looks.len());
        assert_eq!(each, 64);
        assert!(looks.is_sorted_by_key(|l| l.at));
        assert!(
            looks
                .iter()
                .any(|l| l.bytes == Some(1 << 40) && l.at == at(7_777))
        );
        assert_eq!(tape.take(), None);
    }

    #[test]
    fn what_could_not_be_read_is_not_thinned_away() {
        let mut tape = Tape::default();
        for n in 0..1000u64 {
            let mut look = sample(1 << 30);
            if n == 500 {
                look.lag = Lag::Unknown {
                    why: "timed out".into(),
                };
            }
            tape.push(Timestamp::from_second(n as i64).expect("in range"), &look);
        }
        let Some(Remark::Settling { looks, .. }) = tape.take() else {
            panic!("there were looks");
        };
        assert!(looks.iter().any(|l| l.bytes.is_none()));
    }
}
