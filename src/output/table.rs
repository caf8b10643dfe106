//! The report for people at a terminal: the answer first, then what to do, then what was seen.
//!
//! Readable at 80 columns and without colour; every finding says what, where, why it matters and how to fix it, in that
//! order.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::{AnsiColor, Style as Ansi};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::{
    Style, View,
    text::{bytes, count, printable, wrap},
};
use crate::{
    model::{DeploymentStatus, Phase},
    report::{CheckReport, Headline, Outcome, ReportedFinding},
    verdict::Level,
};

/// Findings of one check that are shown; the JSON report has all that were collected.
const SHOWN: usize = 10;

/// Renders the report.
pub fn render(view: View<'_>, style: Style) -> String {
    let mut out = Text {
        out: String::new(),
        style,
    };
    out.headline(view);
    for level in Level::ALL {
        let checks = || view.report.checks.iter().filter(|c| c.worst() == Some(level));
        if checks().next().is_some() {
            out.heading(
                &format!("{}S", level.to_string().to_uppercase()),
                level_style(level),
            );
            checks().for_each(|check| out.check(check));
        }
    }
    out.unknown(view);
    out.waived(view);
    out.passed(view);
    out.skipped(view);
    out.out
}

struct Text {
    out: String,
    style: Style,
}

fn level_style(level: Level) -> Ansi {
    let color = match level {
        Level::Blocker => AnsiColor::Red,
        Level::Warning => AnsiColor::Yellow,
        Level::Notice => AnsiColor::Cyan,
    };
    color.on_default().bold()
}

const BOLD: Ansi = Ansi::new().bold();
const DIM: Ansi = Ansi::new().dimmed();

impl Text {
    fn paint(&self, style: Ansi, text: &str) -> String {
        if self.style.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        let wrapped = wrap(text, self.style.width, indent);
        let _ = writeln!(self.out, "{:indent$}{wrapped}", "");
    }

    fn heading(&mut self, text: &str, style: Ansi) {
        let text = self.paint(style, text);
        let _ = writeln!(self.out, "\n{text}");
    }

    /// `label   text`, wrapped under the text.
    fn row(&mut self, label: &str, text: &str) {
        let wrapped = wrap(text, self.style.width, 14);
        let label = self.paint(DIM, &format!("{label:<11}"));
        let _ = writeln!(self.out, "  {label} {wrapped}");
    }

    fn headline(&mut self, view: View<'_>) {
        let report = view.report;
        let (word, style) = match report.headline {
            Headline::Ready => ("READY", AnsiColor::Green.on_default().bold()),
            Headline::NotReady => ("NOT READY", AnsiColor::Red.on_default().bold()),
            Headline::NotDetermined => ("NOT DETERMINED", AnsiColor::Yellow.on_default().bold()),
        };
        let question = match report.situation.phase {
            Phase::Create => "to create a blue/green deployment",
            Phase::Switchover => "to switch over",
            Phase::Verify => "after the switchover",
        };
        let only = if report.situation.databases_only {
            ", as far as the databases can tell"
        } else {
            ""
        };
        let _ = writeln!(self.out, "{} {question}{only}\n", self.paint(style, word));
        self.subject(view);
        self.row("because", &report.because);
        let coverage = &report.coverage;
        self.row(
            "looked at",
            &format!(
                "{} of {}; {} judged, {} not determined, {} skipped",
                coverage.databases_seen,
                count(coverage.databases as u64, "database"),
                count(coverage.judged as u64, "check"),
                coverage.unknown,
                coverage.skipped
            ),
        );
        let mut found: Vec<String> = Level::ALL
            .into_iter()
            .map(|level| (report.count(level), level))
            .filter(|(n, _)| *n > 0)
            .map(|(n, level)| count(n, &level.to_string()))
            .collect();
        if report.waived() > 0 {
            found.push(format!("{} waived", report.waived()));
        }
        self.row(
            "found",
            &if found.is_empty() {
                "nothing".to_owned()
            } else {
                found.join(", ")
            },
        );
        if report.situation.databases_only {
            self.row(
                "not asked",
                "RDS: status, versions, parameter groups and limits were not looked at",
            );
        }
    }

    fn subject(&mut self, view: View<'_>) {
        let situation = &view.report.situation;
        let rds = view.facts.rds.known();
        let mut what = situation.engine.to_string();
        if let Some(source) = situation.source {
            let _ = write!(what, " {source}");
        }
        match situation.target {
            Some(target) => {
                let _ = write!(what, " to {target}");
            }
            None => what.push_str(", target not given"),
        }
        if let Some(replication) = situation.replication {
            let _ = write!(what, ", {replication} replication");
        }
        if let Some(name) = &view.facts.request.subject {
            let place = rds.map_or(String::new(), |r| {
                let account = r
                    .account
                    .known()
                    .map_or(String::new(), |a| format!(", account {a}"));
                let url = r
                    .endpoint_url
                    .as_ref()
                    .map_or(String::new(), |u| format!(", through {u}"));
                format!(" in {}{account}{url}", r.region)
            });
            self.row("subject", &format!("{name}{place}"));
        }
        self.row("upgrade", &what);
        for (label, server) in [
            ("blue", Some(&view.facts.blue)),
            ("green", view.facts.green.as_ref()),
        ] {
            if let Some(server) = server {
                let text = match server.get() {
                    Ok(server) => format!(
                        "{} as {}, PostgreSQL {}",
                        server.endpoint, server.role, server.version
                    ),
                    Err((why, detail)) => format!("{why}: {detail}"),
                };
                self.row(label, &text);
            }
        }
        let deployment = rds.and_then(|r| r.deployment.known()).and_then(Option::as_ref);
        if let Some(deployment) = deployment {
            let details = deployment
                .status_details
                .as_ref()
                .map_or(String::new(), |d| format!(" ({d})"));
            self.row(
                "deployment",
                &format!(
                    "{} {}, {}{details}",
                    deployment.name, deployment.id, deployment.status
                ),
            );
            if deployment.status != DeploymentStatus::Available {
                for task in deployment.tasks.iter().filter(|t| t.status != "COMPLETED") {
                    self.row("", &format!("task {} {}", task.name, task.status));
                }
            }
        }
    }

    fn check(&mut self, check: &CheckReport) {
        let id = self.paint(BOLD, check.id);
        let title = wrap(check.title, self.style.width, 4 + check.id.len());
        let _ = writeln!(self.out, "\n  {id}  {title}");
        let open: Vec<&ReportedFinding> = check.findings.iter().filter(|f| f.waived.is_none()).collect();
        for finding in open.iter().take(SHOWN) {
            self.finding(check, finding);
        }
        let hidden = (open.len().saturating_sub(SHOWN)) as u64 + check.more;
        if hidden > 0 {
            self.line(
                4,
                &format!("… and {hidden} more (all that were collected are in --format json)"),
            );
        }
        self.labelled("why", check.effect);
        for unseen in check.unseen.iter().filter(|u| u.waived.is_none()) {
            self.labelled("not seen", &format!("{}: {}", unseen.subject, unseen.why));
        }
        self.labelled("more", &format!("greenlight explain {}", check.id));
    }

    fn labelled(&mut self, label: &str, text: &str) {
        let wrapped = wrap(text, self.style.width, 14);
        let label = self.paint(DIM, &format!("{label:<9}"));
        let _ = writeln!(self.out, "    {label} {wrapped}");
    }

    fn finding(&mut self, check: &CheckReport, finding: &ReportedFinding) {
        let mark = match finding.level {
            Level::Blocker => "✗",
            Level::Warning => "!",
            Level::Notice => "·",
        };
        let mark = self.paint(level_style(finding.level), mark);
        let level = if check.worst() == Some(finding.level) {
            String::new()
        } else {
            format!(" ({})", finding.level)
        };
        let text = wrap(&format!("{}{level}", finding.message), self.style.width, 6);
        let _ = writeln!(self.out, "    {mark} {text}");
        let side = finding.side.map_or(String::new(), |s| format!(" on {s}"));
        let evidence: Vec<String> = finding
            .evidence
            .iter()
            .map(|(key, value)| format!("{} {}", key.replace('_', " "), shown(key, value)))
            .collect();
        let evidence = if evidence.is_empty() {
            String::new()
        } else {
            format!(" ({})", evidence.join(", "))
        };
        let place = wrap(
            &format!("{}{side}{evidence}", finding.subject),
            self.style.width,
            13,
        );
        let _ = writeln!(self.out, "      {}  {place}", self.paint(DIM, "where"));
        if let Some(fix) = &finding.fix {
            // A fix is for pasting: it is never broken.
            let label = self.paint(DIM, "fix  ");
            let fix = printable(fix);
            let _ = writeln!(
                self.out,
                "      {label}  {}",
                fix.trim_end().replace('\n', "\n             ")
            );
        }
    }

    fn unknown(&mut self, view: View<'_>) {
        let checks: Vec<&CheckReport> = view
            .report
            .checks
            .iter()
            .filter(|c| c.outcome == Outcome::Unknown)
            .collect();
        if checks.is_empty() {
            return;
        }
        self.heading("COULD NOT BE JUDGED", AnsiColor::Yellow.on_default().bold());
        // The same reason often blinds many checks: say it once.
        let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for check in checks {
            for unseen in check.unseen.iter().take(SHOWN) {
                let place = unseen.subject.replace(check.id, "…");
                let waived = if unseen.waived.is_some() { " (waived)" } else { "" };
                let ids = by_reason
                    .entry(format!("{place}: {}{waived}", unseen.why))
                    .or_default();
                ids.push(check.id);
            }
        }
        for (reason, ids) in by_reason {
            self.line(2, &reason);
            self.line(6, &ids.join(", "));
        }
    }

    fn waived(&mut self, view: View<'_>) {
        let waived = || {
            view.report
                .checks
                .iter()
                .flat_map(|c| c.findings.iter().map(move |f| (c, f)))
                .filter_map(|(c, f)| f.waived.as_ref().map(|w| (c, f, w)))
        };
        if waived().next().is_some() {
            self.heading("WAIVED", BOLD);
            for (check, finding, waiver) in waived() {
                let by = waiver
                    .approved_by
                    .as_ref()
                    .map_or(String::new(), |by| format!(", approved by {by}"));
                let text = format!(
                    "{} {}: {} (until {}{by})",
                    check.id, finding.subject, waiver.reason, waiver.until
                );
                self.line(2, &text);
            }
        }
        if !view.report.waiver_problems.is_empty() {
            self.heading("WAIVERS TO LOOK AT", AnsiColor::Yellow.on_default().bold());
            for problem in &view.report.waiver_problems {
                self.line(
                    2,
                    &format!(
                        "{} {}: {}",
                        problem.waiver.check, problem.waiver.subject, problem.problem
                    ),
                );
            }
        }
    }

    fn passed(&mut self, view: View<'_>) {
        let passed = || {
            view.report.checks.iter().filter_map(|c| match &c.outcome {
                Outcome::Passed { note } => Some((c, note)),
                _ => None,
            })
        };
        if passed().next().is_none() {
            return;
        }
        self.heading(
            &format!("PASSED ({})", passed().count()),
            AnsiColor::Green.on_default().bold(),
        );
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(self.style.width.saturating_sub(1)).unwrap_or(u16::MAX));
        for (check, note) in passed() {
            if let Some(note) = note {
                table.add_row([check.id.to_owned(), printable(note)]);
            } else if self.style.verbose {
                table.add_row([check.id, check.title]);
            }
        }
        if table.row_count() > 0 {
            for line in table.to_string().lines() {
                let _ = writeln!(self.out, " {}", line.trim_end());
            }
        }
        if !self.style.verbose {
            let silent: Vec<&str> = passed().filter(|(_, n)| n.is_none()).map(|(c, _)| c.id).collect();
            if !silent.is_empty() {
                self.line(2, &silent.join(", "));
            }
        }
    }

    fn skipped(&mut self, view: View<'_>) {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for check in &view.report.checks {
            if let Outcome::Skipped { why } = &check.outcome {
                by_reason.entry(why).or_default().push(check.id);
            }
        }
        if by_reason.is_empty() {
            return;
        }
        let total: usize = by_reason.values().map(Vec::len).sum();
        self.heading(&format!("SKIPPED ({total})"), DIM);
        for (reason, ids) in by_reason {
            if self.style.verbose || ids.len() <= 3 {
                self.line(2, &format!("{reason}: {}", ids.join(", ")));
            } else {
                self.line(
                    2,
                    &format!("{reason}: {} and {} more", ids[..3].join(", "), ids.len() - 3),
                );
            }
        }
    }
}

/// A piece of evidence as people read it.
fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) if key.contains("bytes") => n.as_u64().map_or_else(|| n.to_string(), bytes),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}
