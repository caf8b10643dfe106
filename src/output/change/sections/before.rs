//! What the switchover was decided on: the full checks, lag while it settled, and the decision.

use jiff::SignedDuration;

use super::{Block, ROWS, Table, after, code, span, text, when};
use crate::{
    output::{
        change::{Change, Check},
        text::{bytes, clip, count, one_line},
    },
    switchover::{
        evidence::{Consent, Readiness},
        remark::{Accepted, Judged},
        settle::{Lag, Sample},
    },
};

pub(super) fn evidence(change: &Change) -> Vec<Block> {
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

pub(super) fn found(report: &Judged) -> Vec<Block> {
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

pub(super) fn sampled(sample: &Sample) -> String {
    match sample.obstacles.as_slice() {
        [] => lag(&sample.lag),
        all => format!("{}; in the way: {}", lag(&sample.lag), all.join("; ")),
    }
}

pub(super) fn settling(change: &Change) -> Vec<Block> {
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

pub(super) fn decision(change: &Change) -> Vec<Block> {
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
