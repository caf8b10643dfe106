//! From verdicts to a report: policy and waivers applied, findings sorted, everything counted. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    baseline::{Against, Since},
    checks::{self, Check},
    facts::{Fact, Facts},
    model::{DeploymentStatus, Side, count},
    policy::{Policy, WAIVERS, Waiver},
    situation::Situation,
    verdict::{Evidence, Finding, Level, Verdict, subject},
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
    pub evidence: Evidence,
    /// The waiver that accepts it.
    pub waived: Option<Waiver>,
    /// How it compares with the baseline, where there is one.
    pub since: Option<Since>,
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
    /// How it compares with the baseline, where there is one.
    pub since: Option<Since>,
}

/// A check with its verdict, before policy.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its id.
    pub id: &'static str,
    /// Its former ids.
    pub aliases: &'static [String],
    /// Its folder.
    pub group: &'static str,
    /// The good state in words.
    pub title: &'static str,
    /// What happens otherwise.
    pub effect: &'static str,
    /// Its level in the catalogue.
    pub level: Level,
    /// What it said.
    pub verdict: Verdict,
}

impl Judged {
    fn is_called(&self, id: &str) -> bool {
        self.id == id || self.aliases.iter().any(|alias| alias == id)
    }
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
    /// How bad that is: what has ended or accepts everything is a warning, what accepts nothing a notice.
    pub level: Level,
    /// What is wrong with it.
    pub problem: String,
}

impl WaiverProblem {
    fn finding(&self, policy: &Policy) -> Finding {
        let waiver = &self.waiver;
        let place = match (&policy.file, waiver.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => "the policy file".to_owned(),
        };
        let fix = if waiver.expired(policy.now) {
            format!("mend the finding and remove the waiver from {place}, or decide anew and set `until`")
        } else if waiver.too_wide() {
            format!("name what is accepted in {place}: a table, a schema, a database")
        } else {
            format!("remove it from {place}, or correct its subject")
        };
        let mut finding = Finding::new(
            format!("{} {}", waiver.check, waiver.subject),
            format!(
                "waiver of {} for {}: {}",
                waiver.check, waiver.subject, self.problem
            ),
        )
        .at(self.level)
        .fix(fix)
        .evidence("reason", waiver.reason.as_str())
        .evidence("until", waiver.until.to_string())
        .evidence("defined in", place);
        if let Some(by) = &waiver.approved_by {
            finding = finding.evidence("approved by", by.as_str());
        }
        finding
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Databases that were inspected, on all sides.
    pub databases_seen: usize,
    /// Databases that there are, without templates and `rdsadmin`.
    pub databases: usize,
    /// Databases by name: one that is on blue and green is one.
    pub names: usize,
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
    /// The policy file, as it was named.
    pub policy_file: Option<String>,
    /// The earlier report that this one was compared with.
    pub baseline: Option<Against>,
}

impl Report {
    /// Judges the facts by every check of the catalogue.
    pub fn make(facts: &Facts, situation: Situation, policy: &Policy) -> Self {
        let judged = checks::all()
            .iter()
            .map(|check| judge(check, facts, &situation, policy))
            .collect();
        Self::of(facts, situation, policy, judged)
    }

    /// The report over verdicts that were reached already: policy, waivers, counts and the answer.
    pub fn of(facts: &Facts, situation: Situation, policy: &Policy, judged: Vec<Judged>) -> Self {
        let mut uses = vec![Use::default(); policy.waivers.len()];
        for (waiver, used) in policy.waivers.iter().zip(&mut uses) {
            used.can_tell = judged
                .iter()
                .find(|check| check.is_called(&waiver.check))
                .is_none_or(|check| match &check.verdict {
                    Verdict::Pass { .. } => true,
                    Verdict::Fail { more, unseen, .. } => *more == 0 && unseen.is_empty(),
                    Verdict::Skip { .. } | Verdict::Unknown { .. } => false,
                });
            used.exists = judged.iter().any(|check| check.is_called(&waiver.check))
                || checks::find(&waiver.check).is_some();
        }
        let mut checks: Vec<CheckReport> = judged
            .into_iter()
            .map(|check| one(check, policy, &mut uses))
            .collect();
        let coverage = coverage(facts, &checks);
        let waiver_problems = waiver_problems(policy, &uses);
        if !policy.waivers.is_empty() {
            checks.push(waivers_check(policy, &waiver_problems));
        }
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
            policy_file: policy.file.clone(),
            baseline: None,
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

/// What became of a waiver.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// Its check is in the catalogue.
    exists: bool,
    /// Its check saw everything, so that "accepts nothing" is certain.
    can_tell: bool,
    /// What it accepts.
    accepted: usize,
    /// What it would accept if it had not ended.
    missed: usize,
}

fn judge(check: &'static Check, facts: &Facts, situation: &Situation, policy: &Policy) -> Judged {
    let page = &check.page;
    let names = |list: &[String]| {
        list.iter()
            .any(|id| *id == page.id || *id == page.group || page.header.aliases.contains(id))
    };
    Judged {
        id: &page.id,
        aliases: &page.header.aliases,
        group: &page.group,
        title: &page.header.title,
        effect: &page.header.effect,
        level: page.header.level,
        verdict: if !policy.only.is_empty() && !names(&policy.only) {
            Verdict::skip("left out by --only")
        } else if names(&policy.skip) {
            Verdict::skip("left out by --skip")
        } else {
            check.judge(facts, situation, policy)
        },
    }
}

fn one(mut check: Judged, policy: &Policy, uses: &mut [Use]) -> CheckReport {
    let verdict = std::mem::replace(&mut check.verdict, Verdict::Pass { note: None });
    let set = policy.levels.get(check.id).copied();
    let level = set.unwrap_or(check.level);
    let mut waiver = |subject: &str, unknown: bool| {
        let mut found = None;
        for (waiver, used) in policy.waivers.iter().zip(uses.iter_mut()) {
            let accepts = if unknown {
                waiver.accepts_unknown(subject)
            } else {
                waiver.matches(subject)
            };
            // Waivers of waivers would be a way round.
            if accepts && check.id != WAIVERS && check.is_called(&waiver.check) {
                if waiver.expired(policy.now) {
                    used.missed += 1;
                } else {
                    used.accepted += 1;
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
    let mut findings: Vec<ReportedFinding> = findings
        .into_iter()
        .map(|f| {
            let subject = subject(f.database.as_deref(), &f.object);
            ReportedFinding {
                waived: waiver(&subject, false),
                // A level that policy sets for a check goes over the check's own and over its findings'.
                level: set.or(f.level).unwrap_or(level),
                subject,
                object: f.object,
                database: f.database,
                side: f.side,
                message: f.message,
                fix: f.fix,
                evidence: f.evidence,
                since: None,
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
            since: None,
        })
        .collect();
    CheckReport {
        id: check.id,
        group: check.group,
        title: check.title,
        effect: check.effect,
        level,
        outcome,
        findings,
        more,
        unseen,
    }
}

fn waiver_problems(policy: &Policy, uses: &[Use]) -> Vec<WaiverProblem> {
    let mut problems = Vec::new();
    for (waiver, used) in policy.waivers.iter().zip(uses) {
        let (level, problem) = if !used.exists {
            (Level::Warning, format!("there is no check {}", waiver.check))
        } else if waiver.expired(policy.now) {
            let still = match used.missed {
                0 => String::new(),
                1 => ", and what it accepted is still there".to_owned(),
                n => format!(", and {n} findings that it accepted are still there"),
            };
            (Level::Warning, format!("it ended on {}{still}", waiver.until))
        } else if waiver.too_wide() {
            let accepted = match used.accepted {
                0 => String::new(),
                1 => " (1 finding now)".to_owned(),
                n => format!(" ({n} findings now)"),
            };
            (
                Level::Warning,
                format!(
                    "its subject {:?} accepts whatever comes{accepted}",
                    waiver.subject
                ),
            )
        } else if used.accepted == 0 && used.can_tell {
            (Level::Notice, "it accepts nothing that was found".to_owned())
        } else {
            continue;
        };
        problems.push(WaiverProblem {
            waiver: waiver.clone(),
            level,
            problem,
        });
    }
    problems
}

/// Problems of waivers as a check of their own, so that every format shows them and the gate counts them.
fn waivers_check(policy: &Policy, problems: &[WaiverProblem]) -> CheckReport {
    let verdict = if problems.is_empty() {
        Verdict::Pass {
            note: Some(format!("{} in force", count(policy.waivers.len(), "waiver"))),
        }
    } else {
        Verdict::Fail {
            findings: problems.iter().map(|p| p.finding(policy)).collect(),
            more: 0,
            unseen: Vec::new(),
        }
    };
    let check = Judged {
        id: WAIVERS,
        aliases: &[],
        group: "policy",
        title: "every waiver is in force, narrow and used",
        effect: "a finding is accepted that nobody decided to accept, or an accepted one is back unnoticed",
        level: Level::Warning,
        verdict,
    };
    one(check, policy, &mut vec![Use::default(); policy.waivers.len()])
}

fn coverage(facts: &Facts, checks: &[CheckReport]) -> Coverage {
    let servers = [Some(&facts.blue), facts.green.as_ref()];
    let servers = || servers.iter().flatten().filter_map(|s| s.known());
    let databases = || servers().flat_map(|s| s.databases.values());
    let names: BTreeSet<_> = servers().flat_map(|s| s.databases.keys()).collect();
    let count = |wanted: fn(&Outcome) -> bool| checks.iter().filter(|c| wanted(&c.outcome)).count();
    Coverage {
        databases_seen: databases().filter(|d| matches!(d, Fact::Known(_))).count(),
        databases: databases().count(),
        names: names.len(),
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
        let mut shown: Vec<String> = checks
            .iter()
            .take(3)
            .map(|c| match c.open(policy.fail_on) {
                0 | 1 => c.id.to_owned(),
                n => format!("{} ({n} findings)", c.id),
            })
            .collect();
        if checks.len() > shown.len() {
            let last = shown.pop().unwrap_or_default();
            shown.push(format!("{last} and {} more", checks.len() - shown.len() - 1));
        }
        shown.join(", ")
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
