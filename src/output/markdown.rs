//! The report as GitHub-flavoured Markdown: fits a pull request's comment or a ticket, long evidence folded.
//!
//! Names come from servers and may hold anything: every one is escaped so that it can neither end its place, nor become
//! a link, a mention or HTML. A comment on GitHub holds 65,536 characters; beyond a budget checks are listed by name.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    View, summary,
    text::{clip, count, one_line},
};
use crate::{
    baseline::Since,
    report::{CheckReport, Headline, Outcome, Report, ReportedFinding},
    verdict::Level,
};

/// The first line, by which a pipeline finds its own comment again.
pub const MARKER: &str = "<!-- greenlight report -->";

/// Findings of one check that are shown.
const SHOWN: usize = 20;
/// Characters from which on checks are only named.
const BUDGET: usize = 48_000;

/// Renders the report.
pub fn render(view: View<'_>) -> String {
    let report = view.report;
    let sign = match report.headline {
        Headline::Ready => "✅",
        Headline::NotReady => "❌",
        Headline::NotDetermined => "❔",
    };
    let mut out = format!(
        "{MARKER}\n## {sign} {} {}\n\n| | |\n| --- | --- |\n",
        summary::word(report.headline),
        escape(&summary::question(report))
    );
    for (label, text) in summary::rows(view) {
        let _ = writeln!(out, "| {label} | {} |", escape(&clip(&text, 500)));
    }
    for level in Level::ALL {
        let checks: Vec<&CheckReport> = report
            .checks
            .iter()
            .filter(|c| c.worst() == Some(level) && (has_news(c) || report.baseline.is_none()))
            .collect();
        if !checks.is_empty() {
            let total = report.count(level);
            let _ = writeln!(out, "\n### {}", count(total, title(level)));
        }
        let mut left_out: Vec<&str> = Vec::new();
        for check in checks {
            let text = section(report, check);
            if out.len() + text.len() > BUDGET {
                left_out.push(check.id);
            } else {
                out.push_str(&text);
            }
        }
        if !left_out.is_empty() {
            let _ = writeln!(
                out,
                "\nToo long for this place, see the HTML or JSON report: {}",
                ids(&left_out)
            );
        }
    }
    unknown(&mut out, view);
    waived(&mut out, view);
    folded(&mut out, view);
    let _ = writeln!(
        out,
        "\n<sub>greenlight {}, facts of {}, exit code {}</sub>",
        env!("CARGO_PKG_VERSION"),
        report.collected_at,
        view.exit.code()
    );
    out
}

fn title(level: Level) -> &'static str {
    match level {
        Level::Blocker => "blocker",
        Level::Warning => "warning",
        Level::Notice => "notice",
    }
}

fn has_news(check: &CheckReport) -> bool {
    !summary::shown(check).is_empty() || !summary::shown_unseen(check).is_empty()
}

/// What, where, why it matters, how to fix it, in that order; evidence folded.
fn section(report: &Report, check: &CheckReport) -> String {
    let mut out = format!("\n#### {}: {}\n\n", code(check.id), escape(check.title));
    let open = summary::shown(check);
    let few = &open[..open.len().min(SHOWN)];
    for finding in few {
        let level = if check.worst() == Some(finding.level) {
            String::new()
        } else {
            format!(" ({})", finding.level)
        };
        let since = match finding.since {
            Some(Since::New) => "**new:** ",
            Some(Since::Worse) => "**worse:** ",
            _ => "",
        };
        let side = finding.side.map_or(String::new(), |s| format!(" on {s}"));
        let _ = writeln!(
            out,
            "- {since}{}{level}<br>{}{side}",
            escape(&clip(&one_line(&finding.message), 600)),
            code(&clip(&one_line(&finding.subject), 300))
        );
    }
    let hidden = (open.len() - few.len()) as u64 + check.more;
    if hidden > 0 {
        let _ = writeln!(out, "- … and {hidden} more");
    }
    let unseen = summary::shown_unseen(check);
    for unseen in unseen.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "- not seen: {}: {}",
            code(&clip(&one_line(&unseen.subject), 300)),
            escape(&clip(&one_line(&unseen.why), 300))
        );
    }
    if unseen.len() > SHOWN {
        let _ = writeln!(out, "- … and {} more not seen", unseen.len() - SHOWN);
    }
    let _ = writeln!(out, "\n**Why it matters:** {}", escape(check.effect));
    let fixes = summary::fixes(report, few);
    if !fixes.is_empty() {
        let many = fixes.iter().map(|(_, f)| f.len()).sum::<usize>() > 5;
        let open = if many { "" } else { " open" };
        let _ = writeln!(out, "\n<details{open}><summary>How to fix</summary>");
        for (database, fixes) in fixes {
            if let Some(database) = database {
                let _ = writeln!(out, "\nIn database {}:", code(&one_line(&database)));
            }
            let _ = write!(out, "\n{}", fenced(&fixes.join("\n")));
        }
        out.push_str("\n</details>\n");
    }
    out.push_str(&evidence(few));
    out
}

/// A table with a column for each kind of evidence.
fn evidence(findings: &[&ReportedFinding]) -> String {
    let rows: Vec<(&&ReportedFinding, BTreeMap<String, String>)> = findings
        .iter()
        .map(|f| (f, summary::evidence(f).into_iter().collect::<BTreeMap<_, _>>()))
        .filter(|(_, e)| !e.is_empty())
        .collect();
    let mut columns: Vec<&String> = rows.iter().flat_map(|(_, e)| e.keys()).collect();
    columns.sort();
    columns.dedup();
    columns.truncate(8);
    if columns.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n<details><summary>Evidence</summary>\n\n| where |");
    for column in &columns {
        let _ = write!(out, " {} |", escape(&clip(column, 40)));
    }
    let _ = write!(out, "\n| --- |{}\n", " --- |".repeat(columns.len()));
    for (finding, evidence) in &rows {
        let _ = write!(out, "| {} |", code(&clip(&one_line(&finding.subject), 120)));
        for column in &columns {
            let value = evidence
                .get(*column)
                .map_or(String::new(), |v| escape(&clip(v, 120)));
            let _ = write!(out, " {value} |");
        }
        out.push('\n');
    }
    out.push_str("\n</details>\n");
    out
}

fn unknown(out: &mut String, view: View<'_>) {
    let reasons = summary::blind(view.report);
    if reasons.is_empty() {
        return;
    }
    let blind = view
        .report
        .checks
        .iter()
        .filter(|c| c.outcome == Outcome::Unknown);
    let _ = writeln!(
        out,
        "\n### {} could not be judged\n",
        count(blind.count(), "check")
    );
    for reason in reasons.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "- {}<br>{}<br>checks: {}",
            escape(&reason.why),
            code(&reason.few_places(5)),
            ids(&reason.checks)
        );
    }
    if reasons.len() > SHOWN {
        let more = count(reasons.len() - SHOWN, "more reason");
        let _ = writeln!(out, "- … and {more}");
    }
}

fn waived(out: &mut String, view: View<'_>) {
    let waived: Vec<_> = view
        .report
        .checks
        .iter()
        .flat_map(|c| c.findings.iter().map(move |f| (c, f)))
        .filter_map(|(c, f)| f.waived.as_ref().map(|w| (c, f, w)))
        .collect();
    if waived.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "\n<details><summary>Waived ({})</summary>\n\n| check | what | level | reason | until | approved by |\n\
         | --- | --- | --- | --- | --- | --- |\n",
        waived.len()
    );
    for (check, finding, waiver) in waived.iter().take(2 * SHOWN) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            code(check.id),
            code(&clip(&one_line(&finding.subject), 200)),
            finding.level,
            escape(&clip(&one_line(&waiver.reason), 200)),
            waiver.until,
            escape(&one_line(waiver.approved_by.as_deref().unwrap_or("")))
        );
    }
    if waived.len() > 2 * SHOWN {
        let _ = writeln!(out, "\n… and {} more", waived.len() - 2 * SHOWN);
    }
    out.push_str("\n</details>\n");
}

fn folded(out: &mut String, view: View<'_>) {
    let mut passed = String::new();
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut passes, mut skips) = (0, 0);
    for check in &view.report.checks {
        match &check.outcome {
            Outcome::Passed { note } => {
                passes += 1;
                let text = note.as_deref().unwrap_or(check.title);
                let _ = writeln!(
                    passed,
                    "- {}: {}",
                    code(check.id),
                    escape(&clip(&one_line(text), 300))
                );
            }
            Outcome::Skipped { why } => {
                skips += 1;
                skipped.entry(why).or_default().push(check.id);
            }
            Outcome::Failed | Outcome::Unknown => {}
        }
    }
    if passes > 0 {
        let _ = writeln!(
            out,
            "\n<details><summary>Passed ({passes})</summary>\n\n{passed}\n</details>"
        );
    }
    if skips > 0 {
        let _ = writeln!(out, "\n<details><summary>Skipped ({skips})</summary>\n");
        for (why, names) in skipped {
            let _ = writeln!(out, "- {}: {}", escape(&one_line(why)), ids(&names));
        }
        out.push_str("\n</details>\n");
    }
}

fn ids(ids: &[&str]) -> String {
    let list: Vec<String> = ids.iter().map(|id| code(id)).collect();
    list.join(", ")
}

/// Text that means nothing to Markdown or HTML. A zero-width space keeps `@name` from calling somebody.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let inside_word = before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '@' => out.push_str("&#64;&#8203;"),
            '\n' => out.push_str("<br>"),
            '_' if inside_word => out.push(c),
            '&' | '<' | '>' | '*' | '_' | '`' | '~' | '[' | ']' | '#' | '|' | '\\' | '$' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            // At the beginning these would make a list or a heading.
            '-' | '+' | '=' if out.is_empty() => {
                let _ = write!(out, "&#{};", c as u32);
            }
            // `http://` and `www.` would become links.
            ':' if ["http", "https", "ftp"]
                .iter()
                .any(|scheme| out.ends_with(scheme)) =>
            {
                out.push_str("&#58;")
            }
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// A name as code; inside `<code>` nobody is mentioned and nothing is linked.
pub(super) fn code(text: &str) -> String {
    let inner = escape(text).replace("&#64;&#8203;", "&#64;");
    format!("<code>{inner}</code>")
}

/// A block of code in a fence that its content cannot close.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    // Advice in words is no SQL.
    let sql = text.lines().all(|line| line.is_empty() || line.ends_with(';'));
    let language = if sql { "sql" } else { "" };
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a Markdown reader makes of it: the text, and the tags.
    fn read(markdown: &str) -> (String, Vec<String>) {
        use pulldown_cmark::{Event, Options, Parser};
        let (mut text, mut tags) = (String::new(), Vec::new());
        for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            match event {
                Event::Text(t) | Event::Code(t) => text.push_str(&t),
                Event::InlineHtml(t) | Event::Html(t) => tags.push(t.to_string()),
                Event::Start(tag) => tags.push(format!("{tag:?}")),
                _ => {}
            }
        }
        (text, tags)
    }

    #[test]
    fn hostile_text_stays_text() {
        for hostile in [
            "<script>alert(1)</script>",
            "a|b `c` ``d`` *e* _f_ ~~g~~ [h](javascript:i) ![j](k)",
            "# heading",
            "$x$ &amp; \\| \"quoted\"",
            "http://evil.example www.evil.example https://evil.example",
            "- + a_b _c_ __d__ e__f 'g' \"h\"",
        ] {
            for markdown in [format!("x {}", escape(hostile)), format!("x {}", code(hostile))] {
                let (text, tags) = read(&markdown);
                assert_eq!(text, format!("x {hostile}"), "{markdown}");
                let odd = tags
                    .iter()
                    .filter(|t| !t.starts_with("Paragraph") && !t.contains("code>"));
                assert_eq!(odd.count(), 0, "{tags:?}");
            }
        }
        assert!(!escape("@admin").contains("@admin"));
    }

    #[test]
    fn a_fence_holds_fences() {
        let (text, tags) = read(&fenced("select '```';\n````\n<script>"));
        assert_eq!(text, "select '```';\n````\n<script>\n");
        assert_eq!(tags.len(), 1, "{tags:?}");
    }
}
