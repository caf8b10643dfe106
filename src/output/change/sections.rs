//! A change record as a list of sections that both Markdown and HTML render: what to say, not how it looks.

mod before;
mod journal;
mod request;

use jiff::{SignedDuration, Timestamp};

use super::Change;
use crate::{
    output::text::{bytes, clip, one_line},
    switchover::{deployment::Resource, outcome::Outcome, remark::Behind},
};

pub(super) use journal::vouched;

/// Rows of one table. The JSON form has all.
pub(super) const ROWS: usize = 300;

/// One part of the record.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

/// What a part is made of.
pub(super) enum Block {
    /// A sentence.
    Text(String),
    /// Labels and values.
    Facts(Vec<(String, Cell)>),
    /// A table.
    Table(Table),
    /// Lag over time; only a page can draw it.
    Chart(Vec<Behind>),
}

pub(super) struct Table {
    pub(super) about: String,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Long, and not for everybody.
    pub(super) folded: bool,
}

/// One value.
pub(super) enum Cell {
    Text(String),
    Code(String),
}

pub(super) fn text(value: impl AsRef<str>) -> Cell {
    Cell::Text(clip(&one_line(value.as_ref()), 2000))
}

pub(super) fn code(value: impl AsRef<str>) -> Cell {
    Cell::Code(clip(&one_line(value.as_ref()), 500))
}

/// A time to the millisecond, in UTC.
pub(super) fn when(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// How long after `from` was `to`, for people.
fn after(from: Timestamp, to: Timestamp) -> String {
    span(to.duration_since(from))
}

fn span(time: SignedDuration) -> String {
    let ms = time.as_millis();
    if ms.unsigned_abs() < 10_000 {
        format!("{:.3} s", ms as f64 / 1000.0)
    } else {
        format!("{:#}", SignedDuration::from_secs(time.as_secs()))
    }
}

/// All parts that have something to say.
pub(super) fn sections(change: &Change) -> Vec<Section> {
    let parts = [
        ("what", "What was changed", subject(change)),
        ("who", "Who and when", runs(change)),
        ("evidence", "What it was decided on", before::evidence(change)),
        ("settling", "Lag while settling", before::settling(change)),
        ("decision", "Decision", before::decision(change)),
        ("request", "Request", request::request(change)),
        ("rds", "What RDS said", request::rds(change)),
        ("outage", "What clients saw", request::outage(change)),
        ("verification", "Verification", verification(change)),
        ("options", "Options", options(change)),
        ("journal", "Journal", journal::journal(change)),
    ];
    parts
        .into_iter()
        .filter(|(.., blocks)| !blocks.is_empty())
        .map(|(id, title, blocks)| Section {
            id,
            title: title.into(),
            blocks,
        })
        .collect()
}

/// The times that everybody asks for, in order, each with its distance to the one before it that matters.
pub(super) fn milestones(change: &Change) -> Vec<(&'static str, Timestamp, String)> {
    let times = &change.times;
    let mut out = vec![];
    let mut add = |label, at: Option<Timestamp>, note: String| {
        if let Some(at) = at {
            out.push((label, at, note));
        }
    };
    let since = |from: Option<Timestamp>, to: Option<Timestamp>, what: &str| match (from, to) {
        (Some(from), Some(to)) => format!("{} {what}", after(from, to)),
        _ => String::new(),
    };
    add("journal begun", times.began, String::new());
    add("facts collected", times.evidence, String::new());
    let asked = since(times.evidence, times.requested, "after the facts");
    let looked = since(times.last_look, times.requested, "after the last look");
    let both = [asked, looked];
    let both: Vec<&str> = both
        .iter()
        .map(String::as_str)
        .filter(|s| !s.is_empty())
        .collect();
    add("request about to leave", times.requested, both.join(", "));
    add(
        "RDS answered",
        times.answered,
        since(times.requested, times.answered, "after the request"),
    );
    add(
        "RDS completed it",
        times.completed,
        since(times.requested, times.completed, "after the request"),
    );
    add(
        "ended",
        times.ended,
        since(times.began, times.ended, "after the beginning"),
    );
    out
}

fn subject(change: &Change) -> Vec<Block> {
    let header = &change.header;
    let judged = change.decided_on().and_then(|c| c.report.as_ref());
    let mut facts = vec![
        (
            "deployment".into(),
            text(format!("{} ({})", header.name, header.config.identity.id)),
        ),
        (
            "account and region".into(),
            text(format!(
                "{}, {}",
                header.account.as_deref().unwrap_or("account not known"),
                header.region
            )),
        ),
    ];
    if let Some(endpoint) = &header.endpoint {
        facts.push(("RDS endpoint".into(), code(endpoint)));
    }
    if let Some(judged) = judged {
        let version = |v: &Option<String>| v.clone().unwrap_or_else(|| "not known".into());
        facts.push((
            "versions".into(),
            text(format!(
                "{} to {}",
                version(&judged.source_version),
                version(&judged.target_version)
            )),
        ));
        if let Some(endpoint) = &judged.blue {
            facts.push(("production endpoint".into(), code(endpoint)));
        }
    }
    let rows = header.config.identity.members.iter().take(ROWS).map(|pair| {
        let id = |r: &Resource| r.resource_id.clone().unwrap_or_else(|| "not known".into());
        vec![
            code(&pair.blue.arn),
            code(id(&pair.blue)),
            code(&pair.green.arn),
            code(id(&pair.green)),
        ]
    });
    vec![
        Block::Facts(facts),
        Block::Table(Table {
            about: "Members before the switchover".into(),
            columns: vec!["blue", "blue's resource id", "green", "green's resource id"],
            rows: rows.collect(),
            folded: false,
        }),
    ]
}

fn runs(change: &Change) -> Vec<Block> {
    let milestones = milestones(change)
        .into_iter()
        .map(|(label, at, note)| vec![text(label), text(when(at)), text(note)]);
    let runs = change.runs.iter().enumerate().take(ROWS).map(|(n, run)| {
        let by = &run.by;
        let mut what = run.outcome.clone().unwrap_or_else(|| "no end on record".into());
        if let Some(first) = run.interrupts.first() {
            what.push_str(&format!("; Ctrl-C at {}, went on", when(*first)));
        }
        vec![
            text(if n == 0 {
                "1".into()
            } else {
                format!("{} (taken up again)", n + 1)
            }),
            text(when(run.began)),
            text(run.ended.map_or("–".into(), when)),
            text(format!("{} on {} (pid {})", by.user, by.host, by.pid)),
            code(by.principal.as_deref().unwrap_or("not known")),
            text(what),
        ]
    });
    vec![
        Block::Table(Table {
            about: "Times (UTC)".into(),
            columns: vec!["what", "when", ""],
            rows: milestones.collect(),
            folded: false,
        }),
        Block::Table(Table {
            about: "Runs".into(),
            columns: vec!["run", "began", "ended", "who and where", "AWS identity", "end"],
            rows: runs.collect(),
            folded: false,
        }),
    ]
}

fn verification(change: &Change) -> Vec<Block> {
    let Some(report) = change.verification.last() else {
        return match &change.end.outcome {
            Some(Outcome::Switched { .. }) => vec![Block::Text(change.end.text.clone())],
            _ => vec![],
        };
    };
    let word = match report.verdict.as_str() {
        "ready" => "verified",
        "not ready" => "problems found",
        other => other,
    };
    let mut blocks = vec![Block::Text(format!(
        "{word}: {} ({} passed, {} failed, {} unknown, {} skipped; facts of {})",
        report.because,
        report.passed,
        report.failed,
        report.unknown,
        report.skipped,
        one_line(&report.collected_at)
    ))];
    blocks.extend(before::found(report));
    blocks
}

fn options(change: &Change) -> Vec<Block> {
    let config = &change.header.config;
    let yes = |b: bool| if b { "yes" } else { "no" };
    let rows = [
        (
            "--max-lag",
            format!("{} and {}", bytes(config.limits.bytes), span(config.limits.time)),
        ),
        ("--stable-for", span(config.stable_for)),
        ("--wait", span(config.wait)),
        ("--max-age", span(config.max_age)),
        ("--timeout (SwitchoverTimeout)", span(config.timeout)),
        ("watched for longer than that by", span(config.grace)),
        ("--yes", yes(config.yes).into()),
        ("--dry-run", yes(config.dry_run).into()),
    ];
    let rows = rows
        .into_iter()
        .map(|(name, value)| vec![code(name), text(value)]);
    vec![Block::Table(Table {
        about: "Options of the first run".into(),
        columns: vec!["option", "value"],
        rows: rows.collect(),
        folded: true,
    })]
}
