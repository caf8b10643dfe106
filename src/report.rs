//! From verdicts to a report: policy and waivers applied, findings sorted, everything counted. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    checks::{self, Check},
    facts::{Fact, Facts},
    model::{DeploymentStatus, Side},
    policy::{Policy, Waiver},
    situation::Situation,
    verdict::{Level, Verdict, subject},
};

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headline {
    /// Nothing gates.
    Ready,
    /// Something that gates was found.
    NotReady,
    /// Something that could gate could not be judged.
    NotDetermined,
}

/// A finding as the report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedFinding {
    /// Its stable subject.
    pub subject: String,
    /// The object without its database.
    pub object: String,
    /// Its database.
    pub database: Option<String>,
    /// Its side.
    pub side: Option<Side>,
    /// Its level, after policy.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// What to run.
    pub fix: Option<String>,
    /// What was seen.
    pub evidence: BTreeMap<String, Value>,
    /// The waiver that accepts it.
    pub waived: Option<Waiver>,
}

/// Something that could not be looked at, as the report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedUnseen {
    /// What.
    pub subject: String,
    /// Why.
    pub why: String,
    /// The waiver that accepts it.
    pub waived: Option<Waiver>,
}

/// How a check came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing is wrong.
    Passed {
        /// The arithmetic behind it.
        note: Option<String>,
    },
    /// Something is wrong.
    Failed,
    /// It does not apply.
    Skipped {
        /// Why not.
        why: String,
    },
    /// It could not be told.
    Unknown,
}

/// One check in the report.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReport {
    /// Its id.
    pub id: &'static str,
    /// Its folder.
    pub group: &'static str,
    /// The good state in words.
    pub title: &'static str,
    /// What happens otherwise.
    pub effect: &'static str,
    /// Its level, after policy.
    pub level: Level,
    /// How it came out.
    pub outcome: Outcome,
    /// What is wrong, worst first.
    pub findings: Vec<ReportedFinding>,
    /// Findings that are not listed.
    pub more: u64,
    /// What could not be looked at.
    pub unseen: Vec<ReportedUnseen>,
}

impl CheckReport {
    /// Findings that no waiver accepts, listed or not, of at least this level.
    pub fn open(&self, level: Level) -> u64 {
        let listed = self
            .findings
            .iter()
            .filter(|f| f.waived.is_none() && f.level >= level)
            .count() as u64;
        listed + if self.level >= level { self.more } else { 0 }
    }

    /// Whether something that no waiver accepts could not be looked at.
    pub fn open_unseen(&self) -> bool {
        self.unseen.iter().any(|u| u.waived.is_none())
    }

    /// The worst level among its open findings.
    pub fn worst(&self) -> Option<Level> {
        Level::ALL.into_iter().find(|level| self.open(*level) > 0)
    }
}

/// A problem with a waiver, which is a finding of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct WaiverProblem {
    /// The waiver.
    pub waiver: Waiver,
    /// What is wrong with it.
    pub problem: String,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Databases that were inspected, on all sides.
    pub databases_seen: usize,
    /// Databases that there are, without templates and `rdsadmin`.
    pub databases: usize,
    /// Checks that were judged: passed or failed.
    pub judged: usize,
    /// Checks that could not be told.
    pub unknown: usize,
    /// Checks that do not apply.
    pub skipped: usize,
}

/// The report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The answer.
    pub headline: Headline,
    /// Why, in a sentence.
    pub because: String,
    /// The upgrade at hand.
    pub situation: Situation,
    /// When the facts were collected.
    pub collected_at: Timestamp,
    /// How much was looked at.
    pub coverage: Coverage,
    /// Every check, in the catalogue's order.
    pub checks: Vec<CheckReport>,
    /// Waivers that expired, match nothing or match too much.
    pub waiver_problems: Vec<WaiverProblem>,
    /// The lowest level that gates.
    pub fail_on: Level,
}

impl Report {
    /// Judges the facts by every check of the catalogue.
    pub fn make(facts: &Facts, situation: Situation, policy: &Policy) -> Self {
        let mut used = vec![0usize; policy.waivers.len()];
        let mut expired_used = vec![false; policy.waivers.len()];
        let checks: Vec<CheckReport> = checks::all()
            .iter()
            .map(|check| one(check, facts, &situation, policy, &mut used, &mut expired_used))
            .collect();
        let waiver_problems = waiver_problems(policy, &used, &expired_used);
        let coverage = coverage(facts, &checks);
        let (headline, because) = headline(facts, &checks, policy);
        Self {
            headline,
            because,
            situation,
            collected_at: facts.collected_at,
            coverage,
            checks,
            waiver_problems,
            fail_on: policy.fail_on,
        }
    }

    /// Open findings of exactly this level, listed or not.
    pub fn count(&self, level: Level) -> u64 {
        let above = match level {
            Level::Notice => Some(Level::Warning),
            Level::Warning => Some(Level::Blocker),
            Level::Blocker => None,
        };
        self.checks
            .iter()
            .map(|c| c.open(level) - above.map_or(0, |a| c.open(a)))
            .sum()
    }

    /// Findings that a waiver accepts.
    pub fn waived(&self) -> usize {
        self.checks
            .iter()
            .flat_map(|c| &c.findings)
            .filter(|f| f.waived.is_some())
            .count()
    }
}

fn one(
    check: &'static Check,
    facts: &Facts,
    situation: &Situation,
    policy: &Policy,
    used: &mut [usize],
    expired_used: &mut [bool],
) -> CheckReport {
    let page = &check.page;
    let names = |list: &[String]| {
        list.iter()
            .any(|id| *id == page.id || *id == page.group || page.header.aliases.contains(id))
    };
    let verdict = if !policy.only.is_empty() && !names(&policy.only) {
        Verdict::skip("left out by --only")
    } else if names(&policy.skip) {
        Verdict::skip("left out by --skip")
    } else {
        check.judge(facts, situation, policy)
    };
    let level = policy.levels.get(&page.id).copied().unwrap_or(page.header.level);
    let mut waiver = |subject: &str, unknown: bool| {
        let mut found = None;
        for (n, waiver) in policy.waivers.iter().enumerate() {
            let named = waiver.check == page.id || page.header.aliases.contains(&waiver.check);
            if named && (!unknown || waiver.allow_unknown) && waiver.matches(subject) {
                if waiver.expired(policy.now) {
                    expired_used[n] = true;
                } else {
                    used[n] += 1;
                    found.get_or_insert_with(|| waiver.clone());
                }
            }
        }
        found
    };
    let (outcome, findings, more, unseen) = match verdict {
        Verdict::Pass { note } => (Outcome::Passed { note }, vec![], 0, vec![]),
        Verdict::Skip { why } => (Outcome::Skipped { why }, vec![], 0, vec![]),
        Verdict::Unknown { unseen } => (Outcome::Unknown, vec![], 0, unseen),
        Verdict::Fail {
            findings,
            more,
            unseen,
        } => (Outcome::Failed, findings, more, unseen),
    };
    // A level that policy sets for a check replaces its own; findings that differ from it keep their distance.
    let mut findings: Vec<ReportedFinding> = findings
        .into_iter()
        .map(|f| {
            let subject = subject(f.database.as_deref(), &f.object);
            ReportedFinding {
                waived: waiver(&subject, false),
                subject,
                object: f.object,
                database: f.database,
                side: f.side,
                level: if policy.levels.contains_key(&page.id) {
                    level
                } else {
                    f.level.unwrap_or(level)
                },
                message: f.message,
                fix: f.fix,
                evidence: f.evidence,
            }
        })
        .collect();
    findings.sort_by_key(|f| std::cmp::Reverse(f.level));
    let unseen = unseen
        .into_iter()
        .map(|u| ReportedUnseen {
            waived: waiver(&u.subject, true),
            subject: u.subject,
            why: u.why,
        })
        .collect();
    CheckReport {
        id: &page.id,
        group: &page.group,
        title: &page.header.title,
        effect: &page.header.effect,
        level,
        outcome,
        findings,
        more,
        unseen,
    }
}

fn waiver_problems(policy: &Policy, used: &[usize], expired_used: &[bool]) -> Vec<WaiverProblem> {
    let mut problems = Vec::new();
    for (n, waiver) in policy.waivers.iter().enumerate() {
        let problem = if checks::find(&waiver.check).is_none() {
            Some(format!("there is no check {}", waiver.check))
        } else if waiver.expired(policy.now) {
            let still = if expired_used[n] {
                ", and what it accepted is still there"
            } else {
                ""
            };
            Some(format!("it ended on {}{still}", waiver.until))
        } else if used[n] == 0 {
            Some("it accepts nothing that was found: remove it".to_owned())
        } else if waiver.subject.trim_matches('*').is_empty() {
            Some("its subject is *, so it accepts whatever comes: name what is accepted".to_owned())
        } else {
            None
        };
        problems.extend(problem.map(|problem| WaiverProblem {
            waiver: waiver.clone(),
            problem,
        }));
    }
    problems
}

fn coverage(facts: &Facts, checks: &[CheckReport]) -> Coverage {
    let servers = [Some(&facts.blue), facts.green.as_ref()];
    let databases = || {
        servers
            .iter()
            .flatten()
            .filter_map(|s| s.known())
            .flat_map(|s| s.databases.values())
    };
    let count = |wanted: fn(&Outcome) -> bool| checks.iter().filter(|c| wanted(&c.outcome)).count();
    Coverage {
        databases_seen: databases().filter(|d| matches!(d, Fact::Known(_))).count(),
        databases: databases().count(),
        judged: count(|o| matches!(o, Outcome::Passed { .. } | Outcome::Failed)),
        unknown: count(|o| matches!(o, Outcome::Unknown)),
        skipped: count(|o| matches!(o, Outcome::Skipped { .. })),
    }
}

/// The answer and the reason for it: what gates first, then what could gate but is not known.
fn headline(facts: &Facts, checks: &[CheckReport], policy: &Policy) -> (Headline, String) {
    let failing: Vec<&CheckReport> = checks.iter().filter(|c| c.open(policy.fail_on) > 0).collect();
    let blind: Vec<&CheckReport> = checks
        .iter()
        .filter(|c| c.level >= policy.fail_on && c.open_unseen())
        .collect();
    let names = |checks: &[&CheckReport]| {
        let shown: Vec<&str> = checks.iter().take(3).map(|c| c.id).collect();
        let rest = checks.len() - shown.len();
        if rest > 0 {
            format!("{} and {rest} more", shown.join(", "))
        } else {
            shown.join(", ")
        }
    };
    if !failing.is_empty() {
        (Headline::NotReady, names(&failing))
    } else if !blind.is_empty() {
        (
            Headline::NotDetermined,
            format!("could not judge {}", names(&blind)),
        )
    } else {
        let status = facts
            .rds
            .known()
            .and_then(|r| r.deployment.known())
            .and_then(Option::as_ref)
            .map(|d| d.status.clone());
        let because = match status {
            Some(DeploymentStatus::SwitchoverCompleted) => "the switchover did what it should",
            _ => "nothing that gates was found",
        };
        (Headline::Ready, because.to_owned())
    }
}
