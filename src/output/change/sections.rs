//! A change record as a list of sections that both Markdown and HTML render: what to say, not how it looks.

use jiff::{SignedDuration, Timestamp};

use super::{Change, Check, Request, Vouched};
use crate::output::text::{bytes, clip, count, one_line};
use crate::switchover::{
    deployment::{Resource, View},
    evidence::{Answer, Consent, Readiness},
    explain,
    history::{Mark, Proof, Told},
    outage::{Gap, Server},
    outcome::Outcome,
    record::Record,
    remark::{Accepted, Behind, Judged, Remark},
    settle::{Lag, Sample},
};

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
        ("evidence", "What it was decided on", evidence(change)),
        ("settling", "Lag while settling", settling(change)),
        ("decision", "Decision", decision(change)),
        ("request", "Request", request(change)),
        ("rds", "What RDS said", rds(change)),
        ("outage", "What clients saw", outage(change)),
        ("verification", "Verification", verification(change)),
        ("options", "Options", options(change)),
        ("journal", "Journal", journal(change)),
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

fn evidence(change: &Change) -> Vec<Block> {
    let rows = change.checks.iter().take(ROWS).map(|check| {
        let (verdict, why) = match &check.evidence.readiness {
            Readiness::Ready => ("ready", ""),
            Readiness::NotReady => ("not ready", ""),
            Readiness::NotDetermined { why } => ("not determined", why.as_str()),
            Readiness::NotAttested { why } => ("not as attested", why.as_str()),
        };
        let counts = check.report.as_ref().map_or_else(
            || format!("{} open", check.evidence.open.len()),
            |r| {
                format!(
                    "{} passed, {} failed, {} unknown, {} skipped; {} of {} databases",
                    r.passed, r.failed, r.unknown, r.skipped, r.databases_seen, r.databases
                )
            },
        );
        vec![
            text(when(check.evidence.at)),
            text(after(check.evidence.at, check.at)),
            text(if why.is_empty() {
                verdict.into()
            } else {
                format!("{verdict}: {why}")
            }),
            text(counts),
            code(clip(&check.evidence.digest, 16)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return vec![];
    }
    let mut blocks = vec![Block::Table(Table {
        about: "Full checks".into(),
        columns: vec!["facts from", "took", "verdict", "checks", "digest"],
        rows,
        folded: false,
    })];
    if let Some(check) = change.decided_on() {
        blocks.extend(open(check));
    }
    blocks
}

/// What was open, of the check that the decision rests on.
fn open(check: &Check) -> Vec<Block> {
    if let Some(report) = &check.report {
        let mut blocks = vec![Block::Text(format!("{}: {}", report.verdict, report.because))];
        blocks.extend(found(report));
        return blocks;
    }
    let rows: Vec<_> = check
        .evidence
        .open
        .iter()
        .take(ROWS)
        .map(|o| vec![text(&o.level), code(&o.check), code(&o.subject), text(&o.message)])
        .collect();
    if rows.is_empty() {
        return vec![Block::Text("Nothing was open.".into())];
    }
    vec![Block::Table(Table {
        about: "Open all the same".into(),
        columns: vec!["level", "check", "where", "what"],
        rows,
        folded: false,
    })]
}

fn found(report: &Judged) -> Vec<Block> {
    let waived = |w: &Option<Accepted>| {
        w.as_ref().map_or(String::new(), |w| {
            let by =
                w.by.as_ref()
                    .map_or(String::new(), |by| format!(", approved by {by}"));
            format!("waived until {}{by}: {}", w.until, w.reason)
        })
    };
    let findings = report.findings.iter().map(|f| {
        vec![
            text(f.level.to_string()),
            code(&f.check),
            code(&f.subject),
            text(&f.message),
            text(waived(&f.waived)),
        ]
    });
    let unseen = report.unseen.iter().map(|u| {
        vec![
            text(format!("not determined ({})", u.level)),
            code(&u.check),
            code(&u.subject),
            text(&u.why),
            text(waived(&u.waived)),
        ]
    });
    let rows: Vec<_> = findings.chain(unseen).take(ROWS).collect();
    let listed = rows.len();
    if rows.is_empty() && report.more == 0 {
        return vec![Block::Text("Nothing was found.".into())];
    }
    let mut blocks = vec![Block::Table(Table {
        about: "Findings".into(),
        columns: vec!["level", "check", "where", "what", "waiver"],
        rows,
        folded: false,
    })];
    let more = report.more + (report.findings.len() + report.unseen.len() - listed) as u64;
    if more > 0 {
        blocks.push(Block::Text(format!(
            "{} not listed here.",
            count(more, "more finding")
        )));
    }
    blocks
}

fn lag(lag: &Lag) -> String {
    match lag {
        Lag::Worst {
            database,
            bytes: behind,
            time,
        } => {
            let time = time.map_or(String::new(), |t| format!(", {}", span(t)));
            format!("{} behind{time} (database {database})", bytes(*behind))
        }
        Lag::Unknown { why } => format!("not known: {why}"),
    }
}

fn sampled(sample: &Sample) -> String {
    match sample.obstacles.as_slice() {
        [] => lag(&sample.lag),
        all => format!("{}; in the way: {}", lag(&sample.lag), all.join("; ")),
    }
}

fn settling(change: &Change) -> Vec<Block> {
    let limits = &change.header.config.limits;
    let mut blocks = vec![];
    if !change.settling.is_empty() {
        let known = change.settling.iter().filter_map(|l| l.bytes);
        let worst = known.max().map_or("not known".into(), bytes);
        let unknown = change.settling.iter().filter(|l| l.bytes.is_none()).count();
        let mut words = format!(
            "Calm means at most {} and {} behind, held for {}. The most that was seen while waiting was {worst}.",
            bytes(limits.bytes),
            span(limits.time),
            span(change.header.config.stable_for)
        );
        if unknown > 0 {
            words.push_str(&format!(" {} could not tell.", count(unknown, "look")));
        }
        if change.settling_each > 1 {
            words.push_str(&format!(
                " Each look shown is the worst of up to {}.",
                change.settling_each
            ));
        }
        blocks.push(Block::Text(words));
        blocks.push(Block::Chart(change.settling.clone()));
        let rows = change.settling.iter().take(ROWS).map(|look| {
            vec![
                text(when(look.at)),
                text(look.bytes.map_or("not known".into(), bytes)),
                text(look.time.map_or("–".into(), span)),
                text(look.database.as_deref().unwrap_or("–")),
                text(look.obstacle.as_deref().unwrap_or("")),
            ]
        });
        blocks.push(Block::Table(Table {
            about: format!("{} at lag", count(change.settling.len(), "look")),
            columns: vec!["when", "behind", "time", "worst database", "in the way"],
            rows: rows.collect(),
            folded: true,
        }));
    }
    let rows: Vec<_> = change
        .settled
        .iter()
        .take(ROWS)
        .map(|s| {
            let held = SignedDuration::from_millis((s.held_s * 1000.0).round() as i64);
            vec![text(when(s.at)), text(span(held)), text(sampled(&s.sample))]
        })
        .collect();
    if !rows.is_empty() {
        blocks.push(Block::Table(Table {
            about: "Settled".into(),
            columns: vec!["when", "had held for at least", "last sample"],
            rows,
            folded: false,
        }));
    }
    blocks
}

fn decision(change: &Change) -> Vec<Block> {
    let rows: Vec<_> = change
        .decisions
        .iter()
        .take(ROWS)
        .map(|d| {
            let consent = match d.confirmed {
                Some((at, Consent::Typed)) => format!("the deployment's name was typed, {}", when(at)),
                Some((at, Consent::Flag)) => format!("--yes, {}", when(at)),
                None if d.dry_run => "not asked: dry run".into(),
                None => "not given".into(),
            };
            vec![
                text(when(d.at)),
                text("ready, settled and fresh"),
                text(format!("facts {} old", after(d.evidence_at, d.at))),
                text(consent),
                code(clip(&d.digest, 16)),
            ]
        })
        .collect();
    let mut blocks = vec![];
    if let Some(attested) = &change.attested {
        blocks.push(Block::Text(format!(
            "Acted on the attestation {} of {}, good until {}.",
            clip(&one_line(&attested.digest), 16),
            when(attested.collected_at),
            when(attested.expires_at)
        )));
    }
    if !rows.is_empty() {
        blocks.push(Block::Table(Table {
            about: "Decisions".into(),
            columns: vec!["when", "decided", "on", "consent", "digest"],
            rows,
            folded: false,
        }));
    } else if blocks.is_empty() {
        blocks.push(Block::Text("It never came to a decision to go ahead.".into()));
    }
    blocks
}

fn request(change: &Change) -> Vec<Block> {
    if change.requests.is_empty() {
        return vec![Block::Text(
            "No request was made: nothing was changed by these runs.".into(),
        )];
    }
    let mut blocks = vec![];
    for request in change.requests.iter().take(ROWS) {
        blocks.push(Block::Facts(one_request(request)));
    }
    blocks
}

fn one_request(request: &Request) -> Vec<(String, Cell)> {
    let intent = &request.intent;
    let mark = match intent.mark {
        Mark::Unknown => "could not be read".into(),
        Mark::Empty => "none".into(),
        Mark::Newest(at) => when(at),
    };
    let mut facts = vec![
        (
            "intent".into(),
            text(format!(
                "on disk {}, {} after the last look began",
                when(request.at),
                after(intent.at, request.at)
            )),
        ),
        (
            "SwitchoverTimeout".into(),
            text(format!("{} s", intent.timeout.as_secs())),
        ),
        ("newest event before".into(), text(mark)),
    ];
    if intent.failed_before {
        facts.push((
            "before".into(),
            text("a switchover had failed before: members carried SWITCHOVER_FAILED"),
        ));
    }
    if let Some(at) = request.withdrawn {
        facts.push((
            "withdrawn".into(),
            text(format!("{}: it was never sent", when(at))),
        ));
        return facts;
    }
    match &request.answer {
        None => facts.push((
            "answer".into(),
            text("none on record: the run ended between the request and its answer"),
        )),
        Some((at, answer)) => {
            let took = after(request.at, *at);
            let words = match answer {
                Answer::Accepted { .. } => "accepted".into(),
                Answer::Rejected { fault } => format!("rejected, {fault}"),
                Answer::Lost { why } => format!("lost: {why}; nothing was sent again"),
            };
            facts.push(("answer".into(), text(format!("{} ({took}): {words}", when(*at)))));
            if let Answer::Accepted { request_id } = answer {
                facts.push((
                    "AWS request id".into(),
                    code(request_id.as_deref().unwrap_or("none given")),
                ));
            }
        }
    }
    facts
}

fn shown(view: &View) -> String {
    view.details.as_ref().map_or_else(String::new, Clone::clone)
}

fn rds(change: &Change) -> Vec<Block> {
    let mut blocks = vec![];
    let begin = change.times.requested;
    let since = |at| begin.map_or(String::new(), |b| format!("+{}", after(b, at)));
    let progress = change.progress.iter().map(|p| {
        (
            p.at,
            vec![
                text(when(p.at)),
                text(since(p.at)),
                text(p.view.summary()),
                text(shown(&p.view)),
            ],
        )
    });
    let events = change.events.iter().map(|e| {
        let words = match &e.proof {
            Proof::Unreadable(why) => format!("events: could not be read ({why})"),
            Proof::Silent => "events: nothing about the switchover".into(),
            Proof::Last { told, at } => match told {
                Told::Started => format!("event of {}: started", when(*at)),
                Told::Completed => format!("event of {}: completed", when(*at)),
                Told::Cancelled(text) => format!("event of {}: {text}", when(*at)),
            },
        };
        (
            e.at,
            vec![text(when(e.at)), text(since(e.at)), text(words), text("")],
        )
    });
    let mut rows: Vec<(Timestamp, Vec<Cell>)> = progress.chain(events).collect();
    rows.sort_by_key(|(at, _)| *at);
    if !rows.is_empty() {
        blocks.push(Block::Table(Table {
            about: "Seen".into(),
            columns: vec!["seen", "after the request", "what", "details"],
            rows: rows.into_iter().map(|(_, row)| row).take(ROWS).collect(),
            folded: false,
        }));
    }
    if let Some(Outcome::RolledBack { why }) = &change.end.outcome
        && let Some(probable) = explain::explain([why.as_str()]).first()
    {
        blocks.push(Block::Facts(vec![
            ("probably".into(), text(probable.guardrail.title)),
            ("fix".into(), text(probable.guardrail.fix)),
        ]));
    }
    blocks
}

fn server(server: &Option<Server>) -> String {
    match server {
        None => "nobody".into(),
        Some(s) => {
            let version = s.version.as_deref().unwrap_or("version not known");
            s.address
                .as_ref()
                .map_or(version.into(), |address| format!("{version} at {address}"))
        }
    }
}

fn outage(change: &Change) -> Vec<Block> {
    let mut blocks = vec![];
    for outage in change.outages.iter().take(ROWS) {
        let mut facts = vec![
            ("endpoint".into(), code(&outage.endpoint)),
            (
                "probed".into(),
                text(format!(
                    "{} to {}, every {} ms; an outage lasts from the last success to the next",
                    when(outage.began),
                    when(outage.ended),
                    outage.every_ms
                )),
            ),
            ("reads".into(), text(outage.reads.to_string())),
        ];
        let mut gaps = gap_rows("read", outage.began, &outage.reads.kept);
        if let Some(writes) = &outage.writes {
            facts.push(("writes".into(), text(writes.stream.to_string())));
            facts.push(("acknowledged writes".into(), text(writes.kept())));
            gaps.extend(gap_rows("write", outage.began, &writes.stream.kept));
        }
        facts.push((
            "answered by".into(),
            text(format!(
                "{} first, {} last",
                server(&outage.reads.first),
                server(&outage.reads.last)
            )),
        ));
        blocks.push(Block::Facts(facts));
        if !gaps.is_empty() {
            blocks.push(Block::Table(Table {
                about: "Gaps".into(),
                columns: vec![
                    "",
                    "last success",
                    "out",
                    "first error",
                    "first success",
                    "answered by",
                ],
                rows: gaps,
                folded: false,
            }));
        }
    }
    blocks
}

fn gap_rows(what: &str, began: Timestamp, gaps: &[Gap]) -> Vec<Vec<Cell>> {
    let at = |ms: Option<u64>, none: &str| {
        ms.map_or(none.to_owned(), |ms| {
            let later = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
            began.checked_add(later).map_or("–".into(), when)
        })
    };
    gaps.iter()
        .map(|gap| {
            vec![
                text(what),
                text(at(gap.last_success, "none before")),
                text(format!("{} ms", gap.out_ms)),
                text(gap.first_error.as_deref().unwrap_or("none: it waited")),
                text(at(gap.first_success, "none")),
                text(server(&gap.after)),
            ]
        })
        .collect()
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
    blocks.extend(found(report));
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

/// The file, and how it can be vouched for.
pub(super) fn vouched(vouched: &Vouched, format: u32, tool: &str) -> Vec<(String, Cell)> {
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

fn journal(change: &Change) -> Vec<Block> {
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
