//! GitLab's code quality report: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.
//!
//! GitLab wants a file and a line for everything; a database has neither, so the policy file stands for it. GitLab
//! compares the fingerprints of two branches by itself, so all findings are there, with or without a baseline.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    View, summary,
    text::{clip, one_line},
};
use crate::{model::hex, verdict::Level};

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
    /// Not in the format, which lets readers ignore what they do not know.
    categories: [&'static str; 1],
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// The file that stands for the database where a format insists on one.
pub(super) fn stand_in(view: View<'_>) -> String {
    let file = view.report.policy_file.as_deref().unwrap_or("greenlight.toml");
    // A path that leaves the repository is shown nowhere.
    file.trim_start_matches("./").to_owned()
}

/// What stays the same when the words change.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()[..16])
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::Blocker => "blocker",
        Level::Warning => "major",
        Level::Notice => "info",
    }
}

/// Renders the report.
pub fn render(view: View<'_>) -> String {
    let path = stand_in(view);
    let issue =
        |check: &str, level: Level, kind: &str, side: &str, subject: &str, text: String, line: usize| Issue {
            description: clip(&text, 2000),
            check_name: check.to_owned(),
            fingerprint: fingerprint(&[check, kind, side, subject]),
            severity: severity(level),
            location: Location {
                path: path.clone(),
                lines: Lines { begin: line },
            },
            categories: ["Compatibility"],
        };
    let mut issues = Vec::new();
    for check in &view.report.checks {
        for finding in check.findings.iter().filter(|f| f.waived.is_none()) {
            let mut text = format!(
                "{} ({}). Why it matters: {}",
                one_line(&finding.message),
                summary::place(finding),
                check.effect
            );
            if let Some(fix) = &finding.fix {
                text.push_str(&format!(". Fix: {}", one_line(fix)));
            }
            let side = finding.side.map_or(String::new(), |s| s.to_string());
            let line = super::sarif::waiver_line(view, check.id, finding).unwrap_or(1);
            issues.push(issue(
                check.id,
                finding.level,
                "finding",
                &side,
                &finding.subject,
                text,
                line,
            ));
        }
        if check.more > 0 {
            let text = format!("{} more findings of {} are not listed", check.more, check.id);
            issues.push(issue(check.id, check.level, "more", "", "", text, 1));
        }
        for unseen in check.unseen.iter().filter(|u| u.waived.is_none()) {
            let text = format!(
                "{} could not be judged: {}: {}",
                check.id,
                one_line(&unseen.subject),
                one_line(&unseen.why)
            );
            issues.push(issue(
                check.id,
                check.level,
                "unseen",
                "",
                &unseen.subject,
                text,
                1,
            ));
        }
    }
    let mut text = serde_json::to_string_pretty(&issues).expect("strings and numbers are JSON");
    text.push('\n');
    text
}
