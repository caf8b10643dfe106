//! The report as one self-contained page: nothing is loaded, so it opens from a ticket or a mail.
//!
//! Every text is escaped by the template; the page's own policy (CSP) lets nothing run or load but its one style and one
//! script, which are named by their hashes. It reads without JavaScript; search, filter and copying need it.

pub(super) mod lag;
mod topology;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use askama::Template;
use sha2::{Digest as _, Sha256};

use super::{
    View, summary,
    text::{clip, count, one_line},
};
use crate::{
    baseline::Since,
    checks,
    report::{CheckReport, Headline, Outcome, Report, ReportedFinding},
    verdict::Level,
};

pub(super) const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// Findings of a check that are seen at once; the others are folded.
const FEW: usize = 50;
/// Bytes of rows and of fixes in the whole page, so that it can be mailed and opened.
const ROW_BUDGET: usize = 3_200_000;
const FIX_BUDGET: usize = 900_000;

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    word: &'static str,
    class: &'static str,
    question: String,
    because: String,
    subject: String,
    chips: Vec<Chip>,
    rows: Vec<(&'static str, String)>,
    exit: u8,
    topology: String,
    topology_note: String,
    tables: Vec<Table>,
    lag: Option<lag::Lag>,
    levels: Vec<Level>,
    groups: Vec<&'static str>,
    checks: Vec<Section>,
    unknown: Vec<[String; 3]>,
    waived: Vec<[String; 6]>,
    passed: Vec<(&'static str, String)>,
    skipped: Vec<(String, String)>,
    version: &'static str,
    collected_at: String,
    style: &'static str,
    style_hash: String,
    script: &'static str,
    script_hash: String,
}

struct Chip {
    class: String,
    text: String,
}

/// A table of plain texts.
struct Table {
    id: &'static str,
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// One check that found something.
struct Section {
    id: &'static str,
    group: &'static str,
    title: &'static str,
    effect: &'static str,
    level: Level,
    columns: Vec<String>,
    /// Rows as HTML, already escaped.
    few: Vec<String>,
    many: Vec<String>,
    hidden: Option<String>,
    unseen: Vec<(String, String)>,
    fixes: Vec<(Option<String>, String)>,
    source: Option<&'static str>,
}

#[derive(Template)]
#[template(
    source = "\n<tr data-level=\"{{ level }}\"><td>{% if let Some(mark) = mark %}<span class=\"badge {{ level }}\">{{ mark }}</span> {% endif %}{{ what }}</td><td class=\"where\"><code>{{ place }}</code>{{ side }}</td>{% for cell in cells %}<td>{{ cell }}</td>{% endfor %}</tr>",
    ext = "html"
)]
struct Row {
    level: Level,
    mark: Option<String>,
    what: String,
    place: String,
    side: String,
    cells: Vec<String>,
}

/// `sha256-…` of an inline style or script, as a content security policy names it.
pub(crate) fn hash(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = Sha256::digest(text.as_bytes());
    let mut out = String::from("sha256-");
    for chunk in digest.chunks(3) {
        let bytes = [
            chunk[0],
            chunk.get(1).copied().unwrap_or(0),
            chunk.get(2).copied().unwrap_or(0),
        ];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for n in 0..4 {
            if n <= chunk.len() {
                let at = (bits >> (18 - 6 * n)) & 63;
                out.push(char::from(ALPHABET[at as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Renders the report.
pub fn render(view: View<'_>) -> String {
    let report = view.report;
    let mut budget = (ROW_BUDGET, FIX_BUDGET);
    let sections: Vec<Section> = Level::ALL
        .into_iter()
        .flat_map(|level| report.checks.iter().filter(move |c| c.worst() == Some(level)))
        .filter(|c| {
            report.baseline.is_none()
                || c.more > 0
                || !summary::shown(c).is_empty()
                || !summary::shown_unseen(c).is_empty()
        })
        .map(|check| section(report, check, &mut budget))
        .collect();
    let groups: BTreeSet<&'static str> = sections.iter().map(|s| s.group).collect();
    let page = Page {
        word: summary::word(report.headline),
        class: match report.headline {
            Headline::Ready => "ready",
            Headline::NotReady => "not-ready",
            Headline::NotDetermined => "not-determined",
        },
        question: summary::question(report),
        because: report.because.clone(),
        subject: view.facts.request.subject.as_deref().map_or_else(
            || {
                view.facts
                    .blue
                    .known()
                    .map_or(String::new(), |s| one_line(&s.endpoint))
            },
            one_line,
        ),
        chips: chips(view),
        // The page says why at its head.
        rows: summary::rows(view)
            .into_iter()
            .filter(|(label, _)| *label != "because")
            .collect(),
        exit: view.exit.code(),
        topology: topology::picture(view),
        topology_note: "As the facts show it. Names that are too long are cut; the tables have them whole."
            .to_owned(),
        tables: topology::tables(view),
        lag: lag::lag(view),
        levels: Level::ALL.to_vec(),
        groups: groups.into_iter().collect(),
        checks: sections,
        unknown: unknown(view),
        waived: waived(view),
        passed: passed(view),
        skipped: skipped(view),
        version: env!("CARGO_PKG_VERSION"),
        collected_at: report.collected_at.to_string(),
        style: STYLE,
        style_hash: hash(STYLE),
        script: SCRIPT,
        script_hash: hash(SCRIPT),
    };
    let mut text = page.render().expect("a template over strings and numbers");
    text.push('\n');
    text
}

fn chips(view: View<'_>) -> Vec<Chip> {
    let report = view.report;
    let chip = |class: &str, text: String| Chip {
        class: class.to_owned(),
        text,
    };
    let mut chips: Vec<Chip> = Level::ALL
        .into_iter()
        .filter(|level| report.count(*level) > 0)
        .map(|level| {
            let name = level.to_string();
            chip(&name, count(report.count(level), &name))
        })
        .collect();
    let coverage = &report.coverage;
    if coverage.unknown > 0 {
        chips.push(chip("warning", format!("{} not determined", coverage.unknown)));
    }
    if report.waived() > 0 {
        chips.push(chip("dim", format!("{} waived", report.waived())));
    }
    let passed = report
        .checks
        .iter()
        .filter(|c| matches!(c.outcome, Outcome::Passed { .. }));
    chips.push(chip("good", format!("{} passed", passed.count())));
    if coverage.skipped > 0 {
        chips.push(chip("dim", format!("{} skipped", coverage.skipped)));
    }
    chips
}

/// What and where with the evidence as a table, then why it matters, then how to fix it.
fn section(report: &Report, check: &CheckReport, budget: &mut (usize, usize)) -> Section {
    let open = summary::shown(check);
    let worst = check.worst();
    let evidence: Vec<BTreeMap<String, String>> = open
        .iter()
        .map(|f| summary::evidence(f).into_iter().collect())
        .collect();
    let columns: BTreeSet<&String> = evidence.iter().flat_map(BTreeMap::keys).collect();
    let columns: Vec<String> = columns.into_iter().take(8).cloned().collect();
    let mut rows = Vec::new();
    for (finding, evidence) in open.iter().zip(&evidence) {
        let row = row(worst, finding, evidence, &columns);
        if row.len() > budget.0 {
            break;
        }
        budget.0 -= row.len();
        rows.push(row);
    }
    let listed = rows.len();
    let many = rows.split_off(listed.min(FEW));
    let hidden = (open.len() - listed) as u64;
    let mut fixes = Vec::new();
    let mut left_out = 0;
    for (database, texts) in summary::fixes(report, &open[..listed]) {
        let mut block = String::new();
        for text in &texts {
            if text.len() + 1 > budget.1 {
                left_out += 1;
                continue;
            }
            budget.1 -= text.len() + 1;
            let _ = writeln!(block, "{text}");
        }
        if !block.is_empty() {
            fixes.push((database.map(|d| one_line(&d)), block.trim_end().to_owned()));
        }
    }
    let mut hidden_words = Vec::new();
    if hidden > 0 {
        hidden_words.push(format!(
            "{} only in the JSON report",
            count(hidden, "more finding")
        ));
    }
    if left_out > 0 {
        hidden_words.push(format!("{left_out} fixes only in the JSON report"));
    }
    if check.more > 0 {
        let more = count(check.more, "more finding");
        hidden_words.push(format!(
            "{more} beyond what was collected (--evidence collects more)"
        ));
    }
    let unseen = summary::shown_unseen(check);
    Section {
        id: check.id,
        group: check.group,
        title: check.title,
        effect: check.effect,
        level: worst.unwrap_or(check.level),
        columns,
        few: rows,
        many,
        hidden: (!hidden_words.is_empty()).then(|| format!("… {}.", hidden_words.join("; "))),
        unseen: unseen
            .iter()
            .take(FEW)
            .map(|u| (clip(&one_line(&u.subject), 400), clip(&one_line(&u.why), 600)))
            .collect(),
        fixes,
        source: checks::find(check.id)
            .and_then(|c| c.page.header.sources.first())
            .map(String::as_str),
    }
}

fn row(
    worst: Option<Level>,
    finding: &ReportedFinding,
    evidence: &BTreeMap<String, String>,
    columns: &[String],
) -> String {
    let mut marks = Vec::new();
    if worst != Some(finding.level) {
        marks.push(finding.level.to_string());
    }
    match finding.since {
        Some(Since::New) => marks.push("new".to_owned()),
        Some(Since::Worse) => marks.push("worse".to_owned()),
        Some(Since::Known) | None => {}
    }
    let row = Row {
        level: finding.level,
        mark: (!marks.is_empty()).then(|| marks.join(", ")),
        what: clip(&one_line(&finding.message), 1000),
        place: clip(&one_line(&finding.subject), 500),
        side: finding.side.map_or(String::new(), |s| format!(" on {s}")),
        cells: columns
            .iter()
            .map(|c| evidence.get(c).map_or(String::new(), |v| clip(v, 300)))
            .collect(),
    };
    row.render().expect("a template over strings and numbers")
}

/// Why, where, and which checks that leaves undetermined.
fn unknown(view: View<'_>) -> Vec<[String; 3]> {
    let reasons = summary::blind(view.report).into_iter().take(500);
    reasons
        .map(|reason| [reason.few_places(50), reason.checks.join(", "), reason.why])
        .collect()
}

fn waived(view: View<'_>) -> Vec<[String; 6]> {
    let findings = view
        .report
        .checks
        .iter()
        .flat_map(|c| c.findings.iter().map(move |f| (c, f)));
    findings
        .filter_map(|(check, finding)| {
            let waiver = finding.waived.as_ref()?;
            Some([
                check.id.to_owned(),
                clip(&one_line(&finding.subject), 300),
                finding.level.to_string(),
                clip(&one_line(&waiver.reason), 300),
                waiver.until.to_string(),
                one_line(waiver.approved_by.as_deref().unwrap_or("")),
            ])
        })
        .take(1000)
        .collect()
}

fn passed(view: View<'_>) -> Vec<(&'static str, String)> {
    let checks = view.report.checks.iter();
    checks
        .filter_map(|c| match &c.outcome {
            Outcome::Passed { note } => Some((c.id, one_line(note.as_deref().unwrap_or(c.title)))),
            _ => None,
        })
        .collect()
}

fn skipped(view: View<'_>) -> Vec<(String, String)> {
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for check in &view.report.checks {
        if let Outcome::Skipped { why } = &check.outcome {
            by_reason.entry(one_line(why)).or_default().push(check.id);
        }
    }
    by_reason
        .into_iter()
        .map(|(why, ids)| (why, ids.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_base64() {
        // From the specification of SHA-256: the empty text.
        assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    /// What the style and the script hold must not end their elements.
    #[test]
    fn style_and_script_cannot_break_out() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }
}
