//! The report for programs, format version 1.
//!
//! The structs here are the format: they are converted from the report, so that a change of the report's own types never
//! changes what programs read. Within a version fields are only added, never renamed, removed or given another meaning;
//! readers must ignore fields that they do not know. `greenlight schema` prints the JSON schema.

use std::{collections::BTreeMap, io};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::View;
use crate::{
    baseline::Since,
    facts::Fact,
    policy::Waiver,
    report::{CheckReport, Headline, Outcome, ReportedFinding},
    verdict::Level,
};

/// The version of this format.
pub const SCHEMA: u32 = 1;

/// A readiness report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "greenlight report")]
pub struct JsonReport<C = Vec<JsonCheck>> {
    /// Version of this format: 1.
    pub schema: u32,
    /// The greenlight that wrote it.
    pub greenlight: String,
    /// `ready`, `not-ready` or `not-determined`.
    pub verdict: JsonVerdict,
    /// Why, in a sentence.
    pub because: String,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// `full`, or `databases-only` where the RDS API was not asked.
    pub scope: JsonScope,
    /// The question: `create`, `switchover` or `verify`.
    pub phase: String,
    /// When the facts were collected (RFC 3339).
    pub collected_at: String,
    /// What was asked for, and which upgrade it is.
    pub subject: JsonSubject,
    /// The lowest level that gates.
    #[serde(default = "blocker")]
    pub fail_on: Level,
    /// The policy file that was in force.
    #[serde(default)]
    pub policy_file: Option<String>,
    /// The earlier report that this one was compared with (`--baseline`).
    #[serde(default)]
    pub baseline: Option<JsonBaseline>,
    /// How much was looked at.
    pub coverage: JsonCoverage,
    /// Findings that count, by level, and those that a waiver accepts.
    pub counts: JsonCounts,
    /// Every check of the catalogue, in its order.
    pub checks: C,
    /// Waivers that expired, match nothing or match too much.
    pub waiver_problems: Vec<JsonWaiverProblem>,
}

fn blocker() -> Level {
    Level::Blocker
}

/// The earlier report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JsonBaseline {
    /// Its file, as it was named.
    pub file: String,
    /// When its facts were collected.
    pub collected_at: String,
    /// Open findings and blind spots that were there already.
    pub known: u64,
    /// Findings of it that are not there any more.
    pub gone: u64,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JsonVerdict {
    /// Nothing gates.
    Ready,
    /// Something that gates was found.
    NotReady,
    /// Something that could gate could not be judged.
    NotDetermined,
}

/// How far the look went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JsonScope {
    /// RDS API and databases.
    Full,
    /// Databases only: what only RDS knows was not looked at.
    DatabasesOnly,
}

/// The upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonSubject {
    /// Cluster, instance or deployment as it was named.
    pub name: Option<String>,
    /// Account id.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// The API's endpoint, where it was overridden.
    pub endpoint_url: Option<String>,
    /// `aurora`, `rds` or `postgres`.
    pub engine: String,
    /// Blue's `host:port`.
    pub blue: Option<String>,
    /// Green's `host:port`.
    pub green: Option<String>,
    /// Blue's version.
    pub source_version: Option<String>,
    /// The version to upgrade to.
    pub target_version: Option<String>,
    /// `logical` or `physical`; absent where it depends on a target that was not given.
    pub replication: Option<String>,
    /// The deployment's id.
    pub deployment: Option<String>,
}

/// How much was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JsonCoverage {
    /// Databases that were inspected, on both sides.
    pub databases_seen: usize,
    /// Databases that there are, without templates and `rdsadmin`.
    pub databases: usize,
    /// Checks that passed or failed.
    pub judged: usize,
    /// Checks that could not be told.
    pub unknown: usize,
    /// Checks that do not apply.
    pub skipped: usize,
}

/// Findings by level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JsonCounts {
    /// Blockers.
    pub blocker: u64,
    /// Warnings.
    pub warning: u64,
    /// Notices.
    pub notice: u64,
    /// Findings that a waiver accepts; not among the others.
    pub waived: usize,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JsonCheck")]
pub struct JsonCheck<F = Vec<JsonFinding>> {
    /// Its stable id.
    pub id: String,
    /// The folder it lives in.
    pub group: String,
    /// The good state in words.
    pub title: String,
    /// Its level, after policy.
    pub level: Level,
    /// `passed`, `failed`, `skipped` or `unknown`.
    pub outcome: JsonOutcome,
    /// The arithmetic behind a pass, or why it was skipped.
    pub note: Option<String>,
    /// What happens when nothing is done.
    pub effect: String,
    /// What is wrong, worst first.
    pub findings: F,
    /// Findings that are not listed; `--evidence` lists more.
    pub more: u64,
    /// What could not be looked at; a failed check may have such places too.
    pub unseen: Vec<JsonUnseen>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JsonOutcome {
    /// Nothing is wrong.
    Passed,
    /// Something is wrong.
    Failed,
    /// It does not apply.
    Skipped,
    /// It could not be told; never to be read as passed.
    Unknown,
}

/// One finding. `(check id, subject)` is stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonFinding {
    /// `database/object`, quoted as SQL would quote it.
    pub subject: String,
    /// The object alone.
    pub object: String,
    /// The database, unquoted.
    pub database: Option<String>,
    /// `blue`, `green` or `rds`.
    pub side: Option<String>,
    /// Its level, after policy.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// What to run or change.
    pub fix: Option<String>,
    /// What was seen.
    pub evidence: BTreeMap<String, Value>,
    /// The waiver that accepts it.
    pub waived: Option<JsonWaiver>,
    /// `new`, `worse` or `known`, compared with the baseline.
    #[serde(default)]
    pub since: Option<Since>,
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonUnseen {
    /// What.
    pub subject: String,
    /// Why.
    pub why: String,
    /// The waiver that accepts it.
    pub waived: Option<JsonWaiver>,
    /// `new`, `worse` or `known`, compared with the baseline.
    #[serde(default)]
    pub since: Option<Since>,
}

/// A waiver that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JsonWaiver {
    /// The check's id.
    pub check: String,
    /// The subject's pattern.
    pub subject: String,
    /// Why it is accepted.
    pub reason: String,
    /// Its last day.
    pub until: String,
    /// Who accepted it.
    pub approved_by: Option<String>,
}

/// A waiver that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JsonWaiverProblem {
    /// The waiver.
    pub waiver: JsonWaiver,
    /// What is wrong with it.
    pub problem: String,
    /// How bad that is.
    #[serde(default = "warning")]
    pub level: Level,
}

fn warning() -> Level {
    Level::Warning
}

impl From<&Waiver> for JsonWaiver {
    fn from(waiver: &Waiver) -> Self {
        Self {
            check: waiver.check.clone(),
            subject: waiver.subject.clone(),
            reason: waiver.reason.clone(),
            until: waiver.until.to_string(),
            approved_by: waiver.approved_by.clone(),
        }
    }
}

/// A list that is converted while it is written, one at a time, so that a long report is never there twice.
struct Each<'a, T, J>(&'a [T], fn(&'a T) -> J);

impl<T, J: Serialize> Serialize for Each<'_, T, J> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

type EachFinding<'a> = Each<'a, ReportedFinding, JsonFinding>;

fn finding(finding: &ReportedFinding) -> JsonFinding {
    let evidence = finding.evidence.iter();
    JsonFinding {
        subject: finding.subject.clone(),
        object: finding.object.clone(),
        database: finding.database.clone(),
        side: finding.side.map(|s| s.to_string()),
        level: finding.level,
        message: finding.message.clone(),
        fix: finding.fix.clone(),
        evidence: evidence
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect(),
        waived: finding.waived.as_ref().map(Into::into),
        since: finding.since,
    }
}

fn check(report: &CheckReport) -> JsonCheck {
    check_with(report, report.findings.iter().map(finding).collect())
}

fn check_with<F>(check: &CheckReport, findings: F) -> JsonCheck<F> {
    let (outcome, note) = match &check.outcome {
        Outcome::Passed { note } => (JsonOutcome::Passed, note.clone()),
        Outcome::Failed => (JsonOutcome::Failed, None),
        Outcome::Skipped { why } => (JsonOutcome::Skipped, Some(why.clone())),
        Outcome::Unknown => (JsonOutcome::Unknown, None),
    };
    JsonCheck {
        id: check.id.to_owned(),
        group: check.group.to_owned(),
        title: check.title.to_owned(),
        level: check.level,
        outcome,
        note,
        effect: check.effect.to_owned(),
        findings,
        more: check.more,
        unseen: check
            .unseen
            .iter()
            .map(|u| JsonUnseen {
                subject: u.subject.clone(),
                why: u.why.clone(),
                waived: u.waived.as_ref().map(Into::into),
                since: u.since,
            })
            .collect(),
    }
}

/// The report as the format's structs.
pub fn report(view: View<'_>) -> JsonReport {
    with_checks(view, view.report.checks.iter().map(check).collect())
}

fn with_checks<C>(view: View<'_>, checks: C) -> JsonReport<C> {
    let View { report, facts, exit } = view;
    let rds = facts.rds.known();
    let endpoint = |server: Option<&Fact<crate::facts::ServerFacts>>| {
        server.and_then(Fact::known).map(|s| s.endpoint.clone())
    };
    let situation = &report.situation;
    JsonReport {
        schema: SCHEMA,
        greenlight: env!("CARGO_PKG_VERSION").to_owned(),
        verdict: match report.headline {
            Headline::Ready => JsonVerdict::Ready,
            Headline::NotReady => JsonVerdict::NotReady,
            Headline::NotDetermined => JsonVerdict::NotDetermined,
        },
        because: report.because.clone(),
        exit_code: exit.code(),
        scope: if situation.databases_only {
            JsonScope::DatabasesOnly
        } else {
            JsonScope::Full
        },
        phase: situation.phase.to_string(),
        collected_at: report.collected_at.to_string(),
        subject: JsonSubject {
            name: facts.request.subject.clone(),
            account: rds.and_then(|r| r.account.known().cloned()),
            region: rds.map(|r| r.region.clone()),
            endpoint_url: rds.and_then(|r| r.endpoint_url.clone()),
            engine: match situation.engine {
                crate::model::Engine::Aurora => "aurora",
                crate::model::Engine::Rds => "rds",
                crate::model::Engine::Postgres => "postgres",
            }
            .to_owned(),
            blue: endpoint(Some(&facts.blue)),
            green: endpoint(facts.green.as_ref()),
            source_version: situation.source.map(|v| v.to_string()),
            target_version: situation.target.map(|v| v.to_string()),
            replication: situation.replication.map(|r| r.to_string()),
            deployment: rds
                .and_then(|r| r.deployment.known())
                .and_then(Option::as_ref)
                .map(|d| d.id.clone()),
        },
        fail_on: report.fail_on,
        policy_file: report.policy_file.clone(),
        baseline: report.baseline.as_ref().map(|b| JsonBaseline {
            file: b.file.clone(),
            collected_at: b.collected_at.clone(),
            known: b.known,
            gone: b.gone,
        }),
        coverage: JsonCoverage {
            databases_seen: report.coverage.databases_seen,
            databases: report.coverage.databases,
            judged: report.coverage.judged,
            unknown: report.coverage.unknown,
            skipped: report.coverage.skipped,
        },
        counts: JsonCounts {
            blocker: report.count(Level::Blocker),
            warning: report.count(Level::Warning),
            notice: report.count(Level::Notice),
            waived: report.waived(),
        },
        checks,
        waiver_problems: report
            .waiver_problems
            .iter()
            .map(|p| JsonWaiverProblem {
                waiver: (&p.waiver).into(),
                problem: p.problem.clone(),
                level: p.level,
            })
            .collect(),
    }
}

/// The report as JSON text with a final newline; the same facts give the same bytes.
pub fn render(view: View<'_>) -> String {
    let mut text = Vec::new();
    write(view, &mut text).expect("strings, numbers and lists are JSON");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// The same, written as it comes.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write(view: View<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let checks = Each(
        &view.report.checks,
        |report: &CheckReport| -> JsonCheck<EachFinding<'_>> {
            check_with(report, Each(&report.findings, finding))
        },
    );
    serde_json::to_writer_pretty(&mut *out, &with_checks(view, checks))?;
    out.write_all(b"\n")
}

/// The JSON schema of the format.
pub fn schema() -> String {
    let schema = schemars::schema_for!(JsonReport);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

/// The JSON schema of what `greenlight diff --format json` prints.
pub fn diff_schema() -> String {
    let schema = schemars::schema_for!(crate::baseline::Diff);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}
