//! The report for people at a terminal: the answer first, then what to do, then what was seen.
//!
//! Readable at 80 columns and without colour; every finding says what, where, why it matters and how to fix it, in that
//! order.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::{AnsiColor, Style as Ansi};
use comfy_table::{ContentArrangement, Table, presets};

use super::{
    Style, View, summary,
    text::{count, one_line, printable, wrap},
};
use crate::{
    baseline::Since,
    report::{CheckReport, Headline, Outcome, Report, ReportedFinding},
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
        let news = |c: &&CheckReport| {
            view.report.baseline.is_none()
                || !summary::shown(c).is_empty()
                || !summary::shown_unseen(c).is_empty()
        };
        let failing = |c: &&CheckReport| c.worst() == Some(level);
        let checks = || view.report.checks.iter().filter(failing).filter(news);
        if checks().next().is_some() {
            out.heading(
                &format!("{}S", level.to_string().to_uppercase()),
                level_style(level),
            );
            checks().for_each(|check| out.check(view.report, check));
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
        let color = match report.headline {
            Headline::Ready => AnsiColor::Green,
            Headline::NotReady => AnsiColor::Red,
            Headline::NotDetermined => AnsiColor::Yellow,
        };
        let word = self.paint(color.on_default().bold(), summary::word(report.headline));
        let _ = writeln!(self.out, "{word} {}\n", summary::question(report));
        for (label, text) in summary::rows(view) {
            self.row(label, &text);
        }
    }

    /// What and where for each finding, then once why it matters, then all fixes in one piece for pasting.
    fn check(&mut self, report: &Report, check: &CheckReport) {
        let id = self.paint(BOLD, check.id);
        let title = wrap(check.title, self.style.width, 4 + check.id.len());
        let _ = writeln!(self.out, "\n  {id}  {title}");
        let open = summary::shown(check);
        for finding in open.iter().take(SHOWN) {
            self.finding(check, finding);
        }
        let hidden = (open.len().saturating_sub(SHOWN)) as u64 + check.more;
        if hidden > 0 {
            self.line(
                4,
                &format!(
                    "… and {hidden} more{} (what was collected, with fixes: --format html or json)",
                    summary::spread(&open[open.len().min(SHOWN)..])
                ),
            );
        }
        let unseen = summary::shown_unseen(check);
        for unseen in unseen.iter().take(SHOWN) {
            let text = format!("{}: {}", one_line(&unseen.subject), one_line(&unseen.why));
            self.labelled("not seen", &text);
        }
        if unseen.len() > SHOWN {
            self.labelled("", &format!("… and {} more", unseen.len() - SHOWN));
        }
        self.labelled("why", check.effect);
        self.fixes(report, &open);
        self.labelled("more", &format!("greenlight explain {}", check.id));
    }

    /// A fix is for pasting: it is never broken, and each is there once, under the database that it is for.
    fn fixes(&mut self, report: &Report, findings: &[&ReportedFinding]) {
        let few = &findings[..findings.len().min(SHOWN)];
        let mut label = "fix";
        for (database, fixes) in summary::fixes(report, few) {
            let place = database.map(|d| format!("-- in database {}", one_line(&d)));
            for text in place.into_iter().chain(fixes) {
                let painted = self.paint(DIM, &format!("{label:<9}"));
                let _ = writeln!(
                    self.out,
                    "    {painted} {}",
                    text.replace('\n', "\n              ")
                );
                label = "";
            }
        }
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
        let since = match finding.since {
            Some(Since::New) => "new: ",
            Some(Since::Worse) => "worse: ",
            _ => "",
        };
        let text = format!("{since}{}{level}", one_line(&finding.message));
        let _ = writeln!(self.out, "    {mark} {}", wrap(&text, self.style.width, 6));
        let evidence: Vec<String> = summary::evidence(finding)
            .into_iter()
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        let evidence = if evidence.is_empty() {
            String::new()
        } else {
            format!(" ({})", evidence.join(", "))
        };
        self.line(6, &format!("{}{evidence}", summary::place(finding)));
    }

    fn unknown(&mut self, view: View<'_>) {
        let reasons = summary::blind(view.report);
        if reasons.is_empty() {
            return;
        }
        self.heading("COULD NOT BE JUDGED", AnsiColor::Yellow.on_default().bold());
        for reason in reasons.iter().take(2 * SHOWN) {
            let mark = self.paint(AnsiColor::Yellow.on_default().bold(), "?");
            let _ = writeln!(self.out, "\n  {mark} {}", wrap(&reason.why, self.style.width, 4));
            self.line(4, &reason.few_places(if self.style.verbose { 100 } else { 5 }));
            self.labelled("checks", &reason.checks.join(", "));
        }
        if reasons.len() > 2 * SHOWN {
            let more = count(reasons.len() - 2 * SHOWN, "more reason");
            self.line(2, &format!("… and {more}"));
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
            for (check, finding, waiver) in waived().take(2 * SHOWN) {
                let by = waiver
                    .approved_by
                    .as_ref()
                    .map_or(String::new(), |by| format!(", approved by {by}"));
                let text = format!(
                    "{} {}: {} (until {}{by})",
                    check.id, finding.subject, waiver.reason, waiver.until
                );
                self.line(2, &one_line(&text));
            }
            if waived().count() > 2 * SHOWN {
                self.line(2, &format!("… and {} more", waived().count() - 2 * SHOWN));
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
