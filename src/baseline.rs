//! What has changed between two reports. Pure; reads the JSON format, so that any saved report can be the earlier one.
//!
//! A baseline accepts nothing: the verdict stays the whole report's. It only tells what is new, or has got worse, from
//! what was there before. Findings are told apart by check, side and subject, never by their message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    checks,
    exit::Exit,
    output::json::{JsonCheck, JsonFinding, JsonOutcome, JsonReport, JsonVerdict, SCHEMA},
    report::Report,
    verdict::Level,
};

/// How something compares with the earlier report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// It was not there.
    New,
    /// It was there at a lower level, or accepted by a waiver.
    Worse,
    /// It was there already.
    Known,
}

/// The earlier report that a report was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// The file, as it was named.
    pub file: String,
    /// When its facts were collected.
    pub collected_at: String,
    /// Open findings and blind spots that were there already.
    pub known: u64,
    /// Findings of it that are not there any more.
    pub gone: u64,
}

/// A file that is no report.
#[derive(Debug, thiserror::Error)]
pub enum BadReport {
    /// Not JSON, or not this format.
    #[error("not a greenlight report in JSON: {0} (make one with `greenlight check -o json=FILE`)")]
    Syntax(#[from] serde_json::Error),
    /// Of another version of the format.
    #[error("the report has schema {0}, this greenlight reads schema {SCHEMA}")]
    Schema(u64),
}

/// Reads a saved report.
///
/// # Errors
/// [`BadReport`] where it is none, or of another schema.
pub fn read(text: &str) -> Result<JsonReport, BadReport> {
    #[derive(Deserialize)]
    struct Head {
        schema: u64,
    }
    let head: Head = serde_json::from_str(text)?;
    if head.schema != u64::from(SCHEMA) {
        return Err(BadReport::Schema(head.schema));
    }
    Ok(serde_json::from_str(text)?)
}

/// What a report is about, to notice when two are about different things.
pub fn about(report: &JsonReport) -> String {
    let subject = &report.subject;
    let parts = [
        subject.name.as_ref(),
        subject.blue.as_ref(),
        subject.region.as_ref(),
        subject.account.as_ref(),
    ];
    let known: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if known.is_empty() {
        "an unnamed server".to_owned()
    } else {
        known.join(", ")
    }
}

type Key<'a> = (&'a str, Option<&'a str>, &'a str);

/// Ids change their name; a report keeps the one that it was written with.
fn present_id(id: &str) -> &str {
    checks::find(id).map_or(id, |check| &check.page.id)
}

fn findings(report: &JsonReport) -> BTreeMap<Key<'_>, (&JsonCheck, &JsonFinding)> {
    report
        .checks
        .iter()
        .flat_map(|check| {
            check.findings.iter().map(move |f| {
                let key = (present_id(&check.id), f.side.as_deref(), f.subject.as_str());
                (key, (check, f))
            })
        })
        .collect()
}

fn unseen(report: &JsonReport) -> BTreeMap<(&str, &str), (&JsonCheck, bool, &str)> {
    report
        .checks
        .iter()
        .flat_map(|check| {
            check.unseen.iter().map(move |u| {
                let key = (present_id(&check.id), u.subject.as_str());
                (key, (check, u.waived.is_some(), u.why.as_str()))
            })
        })
        .collect()
}

fn since(before: Option<(Level, bool)>, now: (Level, bool)) -> Since {
    match before {
        None => Since::New,
        Some((level, waived)) if now.0 > level || waived && !now.1 => Since::Worse,
        Some(_) => Since::Known,
    }
}

impl Report {
    /// Marks what is new or worse than in an earlier report.
    pub fn compare(&mut self, file: &str, before: &JsonReport) {
        let (was, was_unseen) = (findings(before), unseen(before));
        let (mut known, mut still) = (0, 0);
        for check in &mut self.checks {
            for finding in &mut check.findings {
                let side = finding.side.map(|s| s.to_string());
                let old = was.get(&(check.id, side.as_deref(), finding.subject.as_str()));
                still += u64::from(old.is_some());
                let old = old.map(|(_, f)| (f.level, f.waived.is_some()));
                let mark = since(old, (finding.level, finding.waived.is_some()));
                known += u64::from(mark == Since::Known && finding.waived.is_none());
                finding.since = Some(mark);
            }
            for blind in &mut check.unseen {
                let old = was_unseen.get(&(check.id, blind.subject.as_str()));
                let old = old.map(|(_, waived, _)| (check.level, *waived));
                let mark = since(old, (check.level, blind.waived.is_some()));
                known += u64::from(mark == Since::Known && blind.waived.is_none());
                blind.since = Some(mark);
            }
        }
        self.baseline = Some(Against {
            file: file.to_owned(),
            collected_at: before.collected_at.clone(),
            known,
            gone: was.len() as u64 - still,
        });
    }
}

/// One difference between two reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// The check's id.
    pub check: String,
    /// `database/object`, or what could not be looked at.
    pub subject: String,
    /// `blue`, `green` or `rds`.
    pub side: Option<String>,
    /// The level in the earlier report, where it was there.
    pub before: Option<Level>,
    /// The level in the later report, where it is there.
    pub after: Option<Level>,
    /// What is (or was) wrong, or why it could not be looked at.
    pub message: String,
    /// A waiver accepts it now (or did, where it is gone).
    pub waived: bool,
}

/// The differences between two reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(title = "greenlight diff")]
pub struct Diff {
    /// Version of this format: 1.
    pub schema: u32,
    /// When the earlier report's facts were collected.
    pub before: String,
    /// When the later one's were.
    pub after: String,
    /// The earlier verdict.
    pub verdict_before: JsonVerdict,
    /// The later verdict.
    pub verdict_after: JsonVerdict,
    /// The lowest level that gates here.
    pub fail_on: Level,
    /// The exit code: 10 where something new or worse gates, 11 where something that gates cannot be seen any more.
    pub exit_code: u8,
    /// Findings that were not there.
    pub new: Vec<Change>,
    /// Findings at a higher level, or not accepted any more.
    pub worse: Vec<Change>,
    /// What could be looked at before and cannot be now.
    pub blind: Vec<Change>,
    /// Findings at a lower level, or accepted now.
    pub better: Vec<Change>,
    /// Findings that are gone, and were looked for.
    pub gone: Vec<Change>,
    /// Findings that were there and could not be looked for, or were not: nobody knows.
    pub untold: Vec<Change>,
    /// Findings that were there and still are.
    pub known: u64,
    /// Checks that list fewer findings than there are, in either report: what is beyond the list is not compared.
    pub truncated: Vec<String>,
}

/// Compares two reports.
pub fn diff(before: &JsonReport, after: &JsonReport, fail_on: Level) -> Diff {
    let (was, is) = (findings(before), findings(after));
    let mut out = Diff {
        schema: 1,
        before: before.collected_at.clone(),
        after: after.collected_at.clone(),
        verdict_before: before.verdict,
        verdict_after: after.verdict,
        fail_on,
        exit_code: 0,
        new: Vec::new(),
        worse: Vec::new(),
        blind: Vec::new(),
        better: Vec::new(),
        gone: Vec::new(),
        untold: Vec::new(),
        known: 0,
        truncated: Vec::new(),
    };
    let change = |key: &Key<'_>, before: Option<&JsonFinding>, after: Option<&JsonFinding>| Change {
        check: key.0.to_owned(),
        subject: key.2.to_owned(),
        side: key.1.map(str::to_owned),
        before: before.map(|f| f.level),
        after: after.map(|f| f.level),
        message: after.or(before).map_or(String::new(), |f| f.message.clone()),
        waived: after.or(before).is_some_and(|f| f.waived.is_some()),
    };
    for (key, (_, now)) in &is {
        let old = was.get(key).map(|(_, f)| *f);
        let mark = since(
            old.map(|f| (f.level, f.waived.is_some())),
            (now.level, now.waived.is_some()),
        );
        match (mark, old) {
            (Since::New, _) => out.new.push(change(key, None, Some(now))),
            (Since::Worse, _) => out.worse.push(change(key, old, Some(now))),
            (Since::Known, Some(old))
                if now.level < old.level || now.waived.is_some() && old.waived.is_none() =>
            {
                out.better.push(change(key, Some(old), Some(now)));
            }
            (Since::Known, _) => out.known += 1,
        }
    }
    let judged = |id: &str| {
        let check = after.checks.iter().find(|c| present_id(&c.id) == id);
        check.is_some_and(|c| {
            matches!(c.outcome, JsonOutcome::Passed | JsonOutcome::Failed)
                && c.unseen.is_empty()
                && c.more == 0
        })
    };
    for (key, (_, old)) in was.iter().filter(|(key, _)| !is.contains_key(*key)) {
        // A problem with a waiver goes when the waiver does, and with the last one the check that reports it.
        let list = if judged(key.0) || key.0 == crate::policy::WAIVERS {
            &mut out.gone
        } else {
            &mut out.untold
        };
        list.push(change(key, Some(old), None));
    }
    let was_unseen = unseen(before);
    for (key, (check, waived, why)) in unseen(after) {
        let worse = was_unseen
            .get(&key)
            .is_none_or(|(_, was_waived, _)| *was_waived && !waived);
        if worse {
            out.blind.push(Change {
                check: key.0.to_owned(),
                subject: key.1.to_owned(),
                side: None,
                before: None,
                after: Some(check.level),
                message: why.to_owned(),
                waived,
            });
        }
    }
    let truncated = |r: &JsonReport| -> Vec<String> {
        r.checks
            .iter()
            .filter(|c| c.more > 0)
            .map(|c| present_id(&c.id).to_owned())
            .collect()
    };
    out.truncated = truncated(before);
    out.truncated.extend(truncated(after));
    out.truncated.sort();
    out.truncated.dedup();
    for list in [
        &mut out.new,
        &mut out.worse,
        &mut out.blind,
        &mut out.better,
        &mut out.gone,
    ] {
        list.sort_by_key(|c| std::cmp::Reverse(c.after.or(c.before)));
    }
    out.exit_code = exit(&out, before, after).code();
    out
}

/// What a pipeline should make of it: 10 where something new or worse gates, 11 where something that gates cannot be
/// seen any more, else 0, whatever was wrong before.
fn exit(diff: &Diff, before: &JsonReport, after: &JsonReport) -> Exit {
    let gates = |list: &[Change]| list.iter().any(|c| !c.waived && c.after >= Some(diff.fail_on));
    // Findings beyond the list count for the check's own level.
    let more = |r: &JsonReport, id: &str| {
        let check = r.checks.iter().find(|c| present_id(&c.id) == id);
        check.map_or(0, |c| c.findings.len() as u64 + c.more)
    };
    let grew = after.checks.iter().any(|c| {
        let id = present_id(&c.id);
        c.more > 0 && c.level >= diff.fail_on && more(after, id) > more(before, id)
    });
    if gates(&diff.new) || gates(&diff.worse) || grew {
        Exit::NotReady
    } else if gates(&diff.blind) {
        Exit::NotDetermined
    } else {
        Exit::Ready
    }
}
