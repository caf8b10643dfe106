//! The request, and what RDS and clients showed of it.

use jiff::{SignedDuration, Timestamp};

use super::{Block, Cell, ROWS, Table, after, code, text, when};
use crate::{
    output::change::{Change, Request},
    switchover::{
        deployment::View,
        evidence::Answer,
        explain,
        history::{Mark, Proof, Told},
        outage::{Gap, Server},
        outcome::Outcome,
    },
};

pub(super) fn request(change: &Change) -> Vec<Block> {
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

pub(super) fn rds(change: &Change) -> Vec<Block> {
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

fn shown(view: &View) -> String {
    view.details.as_ref().map_or_else(String::new, Clone::clone)
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

pub(super) fn outage(change: &Change) -> Vec<Block> {
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
