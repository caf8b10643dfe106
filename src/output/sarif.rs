//! SARIF 2.1.0 for code scanning: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
//!
//! A rule for each check, a result for each finding. A database is no file: logical locations name it, and the policy
//! file stands in as the place that code-scanning pages insist on. What a waiver accepts is there, suppressed; what could
//! not be judged is a result of kind `open` and a notification, never left out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    View,
    gitlab::{fingerprint, stand_in},
    summary,
    text::{one_line, printable, uri},
};
use crate::{
    baseline::Since,
    checks,
    policy::{WAIVERS, Waiver},
    report::{CheckReport, Outcome, ReportedFinding},
    verdict::Level,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Value,
    automation_details: Value,
    invocations: [Value; 1],
    column_kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Value>,
    results: Vec<SarifResult>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<&'static str>,
    default_configuration: Value,
    properties: Value,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: [Value; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    properties: Value,
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Blocker => "error",
        Level::Warning => "warning",
        Level::Notice => "note",
    }
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

/// The line of the waiver that a finding of the check `waivers` is about.
pub(super) fn waiver_line(view: View<'_>, check: &str, finding: &ReportedFinding) -> Option<usize> {
    if check != WAIVERS {
        return None;
    }
    let mut problems = view.report.waiver_problems.iter();
    let name = |w: &Waiver| format!("{} {}", w.check, w.subject);
    problems.find(|p| name(&p.waiver) == finding.object)?.waiver.line
}

/// Renders the report.
pub fn render(view: View<'_>) -> String {
    let report = view.report;
    let mut results = Vec::new();
    for (index, check) in report.checks.iter().enumerate() {
        results.extend(results_of(view, index, check));
    }
    let blind = report.checks.iter().filter(|c| c.open_unseen());
    let notifications: Vec<Value> = blind
        .flat_map(|check| {
            check.unseen.iter().filter(|u| u.waived.is_none()).map(|u| {
                json!({
                    "level": level(check.level),
                    "associatedRule": { "id": check.id },
                    "message": { "text": format!("{} could not be judged: {}: {}", check.id, one_line(&u.subject), one_line(&u.why)) },
                })
            })
        })
        .collect();
    let rules: Vec<Rule> = report.checks.iter().map(rule).collect();
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: json!({ "driver": {
                "name": "greenlight",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }}),
            automation_details: json!({ "id": format!("greenlight/{}/", report.situation.phase) }),
            invocations: [json!({
                "executionSuccessful": true,
                "exitCode": view.exit.code(),
                "exitCodeDescription": format!("{} {}", summary::word(report.headline), summary::question(report)),
                "endTimeUtc": report.collected_at.to_string(),
                "toolExecutionNotifications": notifications,
            })],
            column_kind: "unicodeCodePoints",
            properties: summary::whereabouts(view).map(|place| json!({ "subject": one_line(&place) })),
            results,
        }],
    };
    let mut out = serde_json::to_string_pretty(&log).expect("strings, numbers and lists are JSON");
    out.push('\n');
    out
}

fn rule(check: &CheckReport) -> Rule {
    let page = checks::find(check.id).map(|c| &c.page);
    let help = page.and_then(|p| p.section("Fix")).unwrap_or(check.effect);
    Rule {
        id: check.id,
        short_description: text(check.title),
        full_description: text(check.effect),
        help: text(help),
        help_uri: page.and_then(|p| p.header.sources.first()).map(String::as_str),
        default_configuration: json!({ "level": level(check.level) }),
        properties: json!({ "tags": [check.group], "level": check.level, "outcome": summary::outcome(check) }),
    }
}

fn results_of(view: View<'_>, index: usize, check: &CheckReport) -> Vec<SarifResult> {
    let file = stand_in(view);
    let result = |kind, level, message: String, fingerprint: String, location: Value| SarifResult {
        rule_id: check.id,
        rule_index: index,
        kind,
        level,
        message: text(message),
        locations: [location],
        partial_fingerprints: BTreeMap::from([("greenlightSubject/v1", fingerprint)]),
        suppressions: Vec::new(),
        baseline_state: None,
        properties: json!({}),
    };
    let location = |line: usize, name: &str, full: String| {
        json!({
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&file) },
                "region": { "startLine": line },
            },
            "logicalLocations": [{ "name": name, "fullyQualifiedName": full, "kind": "resource" }],
        })
    };
    let mut results = Vec::new();
    for finding in &check.findings {
        let side = finding.side.map_or(String::new(), |s| s.to_string());
        let full = if side.is_empty() {
            finding.subject.clone()
        } else {
            format!("{side}:{}", finding.subject)
        };
        let mut message = format!(
            "{} ({}). Why it matters: {}.",
            one_line(&finding.message),
            summary::place(finding),
            check.effect
        );
        if let Some(fix) = &finding.fix {
            message.push_str(&format!(" Fix: {}", printable(fix)));
        }
        let line = waiver_line(view, check.id, finding).unwrap_or(1);
        let mut one = result(
            "fail",
            level(finding.level),
            links_off(&message),
            fingerprint(&[check.id, &side, &finding.subject]),
            location(line, &finding.object, full),
        );
        one.suppressions.extend(finding.waived.as_ref().map(suppression));
        one.baseline_state = finding.since.map(state);
        one.properties = json!({
            "level": finding.level,
            "database": finding.database,
            "fix": finding.fix,
            "evidence": finding.evidence,
        });
        results.push(one);
    }
    if check.more > 0 {
        let message = format!("{} more findings are not listed", check.more);
        let fingerprint = fingerprint(&[check.id, "more"]);
        let place = location(1, check.id, check.id.to_owned());
        results.push(result("fail", level(check.level), message, fingerprint, place));
    }
    for unseen in &check.unseen {
        let why = format!(
            "{} could not be judged: {}: {}",
            check.id,
            one_line(&unseen.subject),
            one_line(&unseen.why)
        );
        let mut one = result(
            "open",
            "none",
            links_off(&why),
            fingerprint(&[check.id, "unseen", &unseen.subject]),
            location(1, &unseen.subject, unseen.subject.clone()),
        );
        one.suppressions.extend(unseen.waived.as_ref().map(suppression));
        one.baseline_state = unseen.since.map(state);
        one.properties = json!({ "level": check.level, "partly": check.outcome == Outcome::Failed });
        results.push(one);
    }
    results
}

fn suppression(waiver: &Waiver) -> Value {
    let by = waiver
        .approved_by
        .as_ref()
        .map_or(String::new(), |by| format!(", approved by {}", one_line(by)));
    json!({
        "kind": "external",
        "status": "accepted",
        "justification": format!("{} (until {}{by})", one_line(&waiver.reason), waiver.until),
    })
}

fn state(since: Since) -> &'static str {
    match since {
        Since::New => "new",
        Since::Worse => "updated",
        Since::Known => "unchanged",
    }
}

/// In SARIF `[text](target)` in a message is a link, and `{0}` a placeholder: names must be neither.
fn links_off(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('[', "\\[")
        .replace(']', "\\]")
        .replace('{', "{{")
        .replace('}', "}}")
}
