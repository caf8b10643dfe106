//! JUnit XML as Jenkins and Surefire read it: a suite for each group of checks, a case for each check.
//!
//! JUnit is the one common format with a place for "could not be told": a finding that gates is a failure, a blind spot
//! that gates an error, a check that does not apply or is waived is skipped, and what does not gate is a pass with output.

use std::fmt::Write as _;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::{
    View, summary,
    text::{clip, count, one_line, printable},
};
use crate::{
    report::{CheckReport, Outcome, Report},
    verdict::Level,
};

/// Findings of one check that a case's text lists.
const SHOWN: usize = 200;

enum Case {
    Passed,
    Failed,
    Error,
    Skipped(String),
}

fn case(report: &Report, check: &CheckReport) -> Case {
    if check.open(report.fail_on) > 0 {
        return Case::Failed;
    }
    if check.level >= report.fail_on && check.open_unseen() {
        return Case::Error;
    }
    match &check.outcome {
        Outcome::Skipped { why } => Case::Skipped(one_line(why)),
        Outcome::Failed if check.open(Level::Notice) == 0 && !check.open_unseen() => {
            Case::Skipped(waived(check))
        }
        Outcome::Unknown if !check.open_unseen() => Case::Skipped(waived(check)),
        // Not to be told, and not gating: no pass, but nothing that should break a build either.
        Outcome::Unknown => Case::Skipped(format!(
            "not determined, and a {} does not gate here",
            check.level
        )),
        Outcome::Failed | Outcome::Passed { .. } => Case::Passed,
    }
}

fn waived(check: &CheckReport) -> String {
    let reasons = check
        .findings
        .iter()
        .filter_map(|f| f.waived.as_ref())
        .chain(check.unseen.iter().filter_map(|u| u.waived.as_ref()));
    let mut reasons: Vec<String> = reasons
        .map(|w| format!("{} (until {})", one_line(&w.reason), w.until))
        .collect();
    reasons.sort();
    reasons.dedup();
    clip(&format!("waived: {}", reasons.join("; ")), 1000)
}

/// Renders the report.
pub fn render(view: View<'_>) -> String {
    let mut xml = Xml(Writer::new_with_indent(Vec::new(), b' ', 2));
    xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let checks: Vec<&CheckReport> = view.report.checks.iter().collect();
    let totals = tally(view.report, &checks);
    let mut root = BytesStart::new("testsuites");
    root.push_attribute(("name", "greenlight"));
    root.push_attribute(("tests", totals[0].as_str()));
    root.push_attribute(("failures", totals[1].as_str()));
    root.push_attribute(("errors", totals[2].as_str()));
    root.push_attribute(("time", "0"));
    xml.event(Event::Start(root));
    let mut groups: Vec<&str> = checks.iter().map(|c| c.group).collect();
    groups.dedup();
    let mut seen = Vec::new();
    for group in groups {
        if !seen.contains(&group) {
            seen.push(group);
            let members: Vec<&CheckReport> = checks.iter().filter(|c| c.group == group).copied().collect();
            suite(&mut xml, view, group, &members);
        }
    }
    xml.event(Event::End(BytesEnd::new("testsuites")));
    let mut out = String::from_utf8(xml.0.into_inner()).expect("written from strings");
    out.push('\n');
    out
}

/// Cases, failures, errors, skipped.
fn tally(report: &Report, checks: &[&CheckReport]) -> [String; 4] {
    let mut n = [checks.len(), 0, 0, 0];
    for check in checks {
        match case(report, check) {
            Case::Passed => {}
            Case::Failed => n[1] += 1,
            Case::Error => n[2] += 1,
            Case::Skipped(_) => n[3] += 1,
        }
    }
    n.map(|n| n.to_string())
}

fn suite(xml: &mut Xml, view: View<'_>, group: &str, checks: &[&CheckReport]) {
    let report = view.report;
    let totals = tally(report, checks);
    // Surefire's form: no zone, whole seconds.
    let timestamp = report.collected_at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut suite = BytesStart::new("testsuite");
    suite.push_attribute(("name", format!("greenlight.{group}").as_str()));
    for (name, value) in ["tests", "failures", "errors", "skipped"]
        .into_iter()
        .zip(&totals)
    {
        suite.push_attribute((name, value.as_str()));
    }
    suite.push_attribute(("time", "0"));
    suite.push_attribute(("timestamp", timestamp.as_str()));
    xml.event(Event::Start(suite));
    xml.event(Event::Start(BytesStart::new("properties")));
    let verdict = summary::word(report.headline).to_lowercase();
    let rows = summary::rows(view)
        .into_iter()
        .filter(|(label, _)| !label.is_empty());
    let rows = std::iter::once(("verdict", verdict)).chain(rows);
    for (label, value) in rows {
        let mut property = BytesStart::new("property");
        property.push_attribute(("name", attribute(label).as_str()));
        property.push_attribute(("value", attribute(&value).as_str()));
        xml.event(Event::Empty(property));
    }
    xml.event(Event::End(BytesEnd::new("properties")));
    for check in checks {
        testcase(xml, report, group, check);
    }
    xml.event(Event::End(BytesEnd::new("testsuite")));
}

fn testcase(xml: &mut Xml, report: &Report, group: &str, check: &CheckReport) {
    let mut start = BytesStart::new("testcase");
    start.push_attribute(("name", check.id));
    start.push_attribute(("classname", format!("greenlight.{group}").as_str()));
    start.push_attribute(("time", "0"));
    xml.event(Event::Start(start));
    let text = details(check);
    let mut output = Some(&text);
    let mut problem = |xml: &mut Xml, tag: &str, message: String| {
        let mut start = BytesStart::new(tag);
        start.push_attribute(("message", attribute(&message).as_str()));
        start.push_attribute(("type", check.level.to_string().as_str()));
        xml.element(start, &text);
        output = None;
    };
    match case(report, check) {
        Case::Failed => {
            let open = check.open(Level::Notice);
            let first = check.findings.iter().find(|f| f.waived.is_none());
            let more = if open > 1 {
                format!(" and {}", count(open - 1, "more finding"))
            } else {
                String::new()
            };
            let message = first.map_or(check.title, |f| &f.message);
            problem(xml, "failure", format!("{}{more}", clip(message, 500)));
        }
        Case::Error => {
            let blind = check.unseen.iter().find(|u| u.waived.is_none());
            let why = blind.map_or(String::new(), |u| format!("{}: {}", u.subject, u.why));
            problem(xml, "error", format!("could not be judged: {}", clip(&why, 500)));
        }
        Case::Skipped(why) => {
            let mut skipped = BytesStart::new("skipped");
            skipped.push_attribute(("message", attribute(&why).as_str()));
            xml.event(Event::Empty(skipped));
        }
        Case::Passed => {}
    }
    if let Some(text) = output.filter(|text| !text.is_empty()) {
        xml.element(BytesStart::new("system-out"), text);
    }
    xml.event(Event::End(BytesEnd::new("testcase")));
}

/// Everything about a check as text: what, where, why it matters, how to fix it.
fn details(check: &CheckReport) -> String {
    let mut out = String::new();
    if let Outcome::Passed { note: Some(note) } = &check.outcome {
        let _ = writeln!(out, "{}", one_line(note));
    }
    for finding in check.findings.iter().take(SHOWN) {
        let waived = finding.waived.as_ref().map_or(String::new(), |w| {
            format!(" (waived until {}: {})", w.until, one_line(&w.reason))
        });
        let _ = writeln!(out, "{}: {}{waived}", finding.level, one_line(&finding.message));
        let _ = writeln!(out, "  where: {}", summary::place(finding));
        for (key, value) in summary::evidence(finding) {
            let _ = writeln!(out, "  {key}: {value}");
        }
        if let Some(fix) = &finding.fix {
            let _ = writeln!(
                out,
                "  fix: {}",
                printable(fix.trim_end()).replace('\n', "\n       ")
            );
        }
    }
    let hidden = (check.findings.len().saturating_sub(SHOWN)) as u64 + check.more;
    if hidden > 0 {
        let _ = writeln!(out, "… and {hidden} more");
    }
    for unseen in check.unseen.iter().take(SHOWN) {
        let waived = if unseen.waived.is_some() { " (waived)" } else { "" };
        let subject = one_line(&unseen.subject);
        let _ = writeln!(out, "not seen: {subject}: {}{waived}", one_line(&unseen.why));
    }
    if !check.findings.is_empty() || check.more > 0 {
        let _ = writeln!(out, "why it matters: {}", check.effect);
        let _ = writeln!(out, "more: greenlight explain {}", check.id);
    }
    out
}

/// A value on one line. The writer escapes what would end it; characters that XML 1.0 cannot hold are gone already.
fn attribute(text: &str) -> String {
    xml_text(&one_line(text))
}

/// Only what XML 1.0 can hold: <https://www.w3.org/TR/xml/#charsets>.
fn xml_text(text: &str) -> String {
    let odd = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    text.chars()
        .map(|c| if odd(c) { '\u{FFFD}' } else { c })
        .collect()
}

struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn event(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect("memory takes everything");
    }

    fn element(&mut self, start: BytesStart<'_>, text: &str) {
        let name = start.name().as_ref().to_owned();
        let text = xml_text(text);
        self.event(Event::Start(start));
        self.event(Event::Text(BytesText::new(&text)));
        self.event(Event::End(BytesEnd::new(name)));
    }
}
