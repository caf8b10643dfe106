//! The summary as Markdown, CSV and HTML.

use std::fmt::Write as _;

use askama::Template;

use super::{Fleet, Row, State, table};
use crate::{
    model::shown::even,
    output::{
        html::hash,
        text::{one_line, uri},
    },
};

const STYLE: &str = include_str!("../../templates/report.css");
const OWN_STYLE: &str = include_str!("../../templates/fleet.css");

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in one_line(text).chars() {
        if matches!(
            c,
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '@'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// For a ticket or a page.
pub fn markdown(fleet: &Fleet) -> String {
    let (word, sentence) = table::headline(fleet);
    let mut out = format!("# {word}: {sentence}\n\n");
    for (label, text) in table::rows(fleet) {
        let _ = writeln!(out, "- {label}: {}", cell(&text));
    }
    if !fleet.blocking.is_empty() {
        out.push_str("\n## What stands in the way\n\n| check | databases |\n| --- | ---: |\n");
        for blocking in &fleet.blocking {
            let _ = writeln!(
                out,
                "| `{}` | {} |",
                one_line(&blocking.check),
                blocking.databases
            );
        }
    }
    if !fleet.majors.is_empty() {
        out.push_str("\n## Support\n\n| engine | databases | support |\n| --- | ---: | --- |\n");
        for major in &fleet.majors {
            let ends = major
                .support
                .as_ref()
                .map_or("not known".to_owned(), table::support);
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                cell(&major.name),
                major.databases,
                cell(&ends)
            );
        }
    }
    out.push_str(
        "\n## Databases, worst first\n\n| state | database | account, Region | way | support until | why | report |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in &fleet.databases {
        let until = row.support.as_ref().and_then(|s| s.standard_until.clone());
        let report = row
            .reports
            .first()
            .map_or(String::new(), |file| format!("[report]({})", uri(file)));
        let _ = writeln!(
            out,
            "| {} | {} | {} {} | {} | {} | {} | {report} |",
            row.state.word(),
            cell(&row.name),
            cell(&row.account),
            cell(&row.region),
            cell(&table::way(row)),
            cell(&until.unwrap_or_default()),
            cell(&table::why(row)),
        );
    }
    out
}

/// A field of a CSV line (RFC 4180). What a spreadsheet would take for a formula becomes text.
fn field(text: &str) -> String {
    let text = one_line(text);
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// For a spreadsheet: one line a database. Columns are only added, at the end.
pub fn csv(fleet: &Fleet) -> String {
    let mut out = String::from(
        "state,name,kind,account,region,engine,version,way,phase,blockers,warnings,notices,blocking,not_determined,\
         standard_support_until,extended_support_until,deployment,because,arn,read_at,report\r\n",
    );
    for row in &fleet.databases {
        let support = row.support.as_ref();
        let state = serde_json::to_value(row.state).expect("a word is JSON");
        let fields = [
            state.as_str().unwrap_or_default(),
            &row.name,
            &row.kind,
            &row.account,
            &row.region,
            &row.engine,
            &row.version,
            &row.way.join(" → "),
            row.phase.as_deref().unwrap_or_default(),
            &row.blockers.to_string(),
            &row.warnings.to_string(),
            &row.notices.to_string(),
            &row.blocking.join(" "),
            &row.not_determined.join(" "),
            support
                .and_then(|s| s.standard_until.as_deref())
                .unwrap_or_default(),
            support
                .and_then(|s| s.extended_until.as_deref())
                .unwrap_or_default(),
            row.deployment.as_deref().unwrap_or_default(),
            &row.because,
            &row.arn,
            &row.read_at,
            row.reports.first().map_or("", String::as_str),
        ]
        .map(field);
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page<'a> {
    word: &'static str,
    class: &'static str,
    sentence: String,
    rows: Vec<(&'static str, String)>,
    states: Vec<(&'static str, &'static str, usize)>,
    blocking: &'a [super::Blocking],
    most: usize,
    majors: Vec<(&'a str, usize, String, bool)>,
    databases: Vec<Line<'a>>,
    exit: u8,
    version: &'static str,
    collected_at: &'a str,
    style: String,
    style_hash: String,
}

struct Line<'a> {
    row: &'a Row,
    class: &'static str,
    word: &'static str,
    way: String,
    until: String,
    over: bool,
    why: String,
    report: Option<&'a str>,
}

fn class(state: State) -> &'static str {
    match state {
        State::NotReady => "blocker",
        State::NotLookedAt | State::NotDetermined => "warning",
        State::NothingAgainst => "notice",
        State::Ready | State::There => "good",
    }
}

/// One self-contained page, without script.
pub fn html(fleet: &Fleet) -> String {
    let (word, sentence) = table::headline(fleet);
    let style = format!("{STYLE}\n{OWN_STYLE}");
    let page = Page {
        word,
        class: match fleet.exit_code {
            0 => "ready",
            10 => "not-ready",
            _ => "not-determined",
        },
        sentence,
        rows: table::rows(fleet),
        states: table::states(fleet)
            .into_iter()
            .map(|(state, n)| (class(state), state.word(), n))
            .collect(),
        blocking: &fleet.blocking,
        most: fleet.blocking.first().map_or(1, |b| b.databases.max(1)),
        majors: fleet
            .majors
            .iter()
            .map(|major| {
                let ends = major.support.as_ref();
                let over = ends.is_some_and(|s| s.over);
                let text = ends.map_or("not known".to_owned(), table::support);
                (major.name.as_str(), major.databases, text, over)
            })
            .collect(),
        databases: fleet
            .databases
            .iter()
            .map(|row| Line {
                class: class(row.state),
                word: row.state.word(),
                way: one_line(&table::way(row)),
                until: row
                    .support
                    .as_ref()
                    .and_then(|s| s.standard_until.clone())
                    .unwrap_or_default(),
                over: row.support.as_ref().is_some_and(|s| s.over),
                why: one_line(&table::why(row)),
                report: row
                    .reports
                    .iter()
                    .find(|file| file.ends_with(".html"))
                    .or(row.reports.first())
                    .map(String::as_str),
                row,
            })
            .collect(),
        exit: fleet.exit_code,
        version: env!("CARGO_PKG_VERSION"),
        collected_at: &fleet.collected_at,
        style_hash: hash(&style),
        style,
    };
    // Names of RDS and rows of an earlier run stand in many places of the page.
    even(&page.render().expect("the template fills"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_no_formulas() {
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(cell("a|b`c"), "a\\|b\\`c");
        assert_eq!(uri("main-1.html"), "main-1.html");
        assert_eq!(uri("a) [b](x\n"), "a%29%20%5Bb%5D%28x%0A");
    }
}
