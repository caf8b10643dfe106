//! The journal itself, entry by entry.

use super::{Block, Cell, ROWS, Table, before::sampled, code, span, text, when};
use crate::{
    output::{
        change::{Change, Vouched},
        text::{bytes, clip, count},
    },
    switchover::{
        evidence::{Answer, Consent, Readiness},
        history::{Proof, Told},
        record::Record,
        remark::Remark,
    },
};

/// The file, and how it can be vouched for.
pub(in crate::output::change) fn vouched(vouched: &Vouched, format: u32, tool: &str) -> Vec<(String, Cell)> {
    let mut facts = vec![
        ("file".into(), code(&vouched.file)),
        ("head hash".into(), code(&vouched.head)),
        (
            "entries".into(),
            text(format!(
                "{}, in format {format}, begun by greenlight {tool}; each holds the hash of the one before",
                vouched.entries
            )),
        ),
    ];
    if vouched.torn_bytes > 0 {
        facts.push((
            "torn last line".into(),
            text(format!(
                "{} of an entry that was never finished: the writer was stopped there, or is writing now. Nothing was \
                 done on the strength of it",
                bytes(vouched.torn_bytes as u64)
            )),
        ));
    }
    facts
}

pub(super) fn journal(change: &Change) -> Vec<Block> {
    let facts = vouched(&change.journal, change.header.format, &change.header.tool);
    let rows = change.entries.iter().take(ROWS).map(|entry| {
        vec![
            text(entry.seq.to_string()),
            text(when(entry.at)),
            text(kind(&entry.record)),
            text(said(&entry.record)),
        ]
    });
    let mut blocks = vec![
        Block::Facts(facts),
        Block::Table(Table {
            about: "Every entry".into(),
            columns: vec!["entry", "when", "kind", "what"],
            rows: rows.collect(),
            folded: true,
        }),
    ];
    if change.entries.len() > ROWS {
        blocks.push(Block::Text(format!(
            "{} only in the JSON form.",
            count(change.entries.len() - ROWS, "more entry")
        )));
    }
    blocks
}

/// A record's kind as it is spelled in the file.
fn kind(record: &Record) -> &'static str {
    match record {
        Record::Header(_) => "header",
        Record::Run { .. } => "run",
        Record::Locked { .. } => "locked",
        Record::Checked { .. } => "checked",
        Record::Settled { .. } => "settled",
        Record::Decided { .. } => "decided",
        Record::Confirmed { .. } => "confirmed",
        Record::Intent { .. } => "intent",
        Record::Withdrawn { .. } => "withdrawn",
        Record::Answered { .. } => "answered",
        Record::Progress { .. } => "progress",
        Record::Events { .. } => "events",
        Record::Completed { .. } => "completed",
        Record::Interrupted { .. } => "interrupted",
        Record::Ended { .. } => "ended",
        Record::Remark { .. } => "remark",
    }
}

/// A record in one sentence.
fn said(record: &Record) -> String {
    match record {
        Record::Header(h) => format!(
            "journal of {} ({}), begun by {}",
            h.name, h.config.identity.id, h.by
        ),
        Record::Run { by, .. } => format!("a run by {by}"),
        Record::Locked { .. } => "the lock on blue is held".into(),
        Record::Checked { evidence, .. } => match &evidence.readiness {
            Readiness::Ready => "full check: ready".into(),
            Readiness::NotReady => "full check: not ready".into(),
            Readiness::NotDetermined { why } => format!("full check: not determined, {why}"),
            Readiness::NotAttested { why } => format!("full check: not as attested, {why}"),
        },
        Record::Settled { held, sample, .. } => {
            format!("settled for {}: {}", span(*held), sampled(sample))
        }
        Record::Decided { dry_run: true, .. } => "ready, settled and fresh; dry run".into(),
        Record::Decided { .. } => "ready, settled and fresh: it may go ahead".into(),
        Record::Confirmed {
            how: Consent::Typed, ..
        } => "confirmed by typing the deployment's name".into(),
        Record::Confirmed {
            how: Consent::Flag, ..
        } => "confirmed by --yes".into(),
        Record::Intent { intent, .. } => {
            format!(
                "about to send SwitchoverBlueGreenDeployment, timeout {} s",
                intent.timeout.as_secs()
            )
        }
        Record::Withdrawn { .. } => "not sent after all".into(),
        Record::Answered { answer, .. } => match answer {
            Answer::Accepted { request_id } => format!(
                "RDS accepted it (request {})",
                request_id.as_deref().unwrap_or("without id")
            ),
            Answer::Rejected { fault } => format!("RDS rejected it, {fault}"),
            Answer::Lost { why } => format!("the answer is lost: {why}"),
        },
        Record::Progress { view, .. } => view.summary(),
        Record::Events { proof, .. } => match proof {
            Proof::Unreadable(why) => format!("events could not be read: {why}"),
            Proof::Silent => "events say nothing".into(),
            Proof::Last { told, .. } => match told {
                Told::Started => "an event says that it started".into(),
                Told::Completed => "an event says that it completed".into(),
                Told::Cancelled(text) => format!("an event says: {text}"),
            },
        },
        Record::Completed { .. } => "RDS completed the switchover".into(),
        Record::Interrupted { .. } => "Ctrl-C; went on".into(),
        Record::Ended { outcome } => outcome.to_string(),
        Record::Remark { remark, .. } => match remark.as_ref() {
            Remark::Judged(j) => format!("report of phase {}: {}, {}", j.phase, j.verdict, j.because),
            Remark::Settling { looks, .. } => format!("{} at lag", count(looks.len(), "look")),
            Remark::Outage(o) => match &o.writes {
                Some(writes) => format!("reads: {}; writes: {}", o.reads, writes.stream),
                None => format!("reads: {}", o.reads),
            },
            Remark::Attested(a) => format!("acts on attestation {}", clip(&a.digest, 16)),
        },
    }
}
