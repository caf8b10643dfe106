//! The summary at a terminal: the answer, what stands in the way most, whose support ends, then the databases, worst first.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style as Ansi};

use super::{Fleet, Place, Row, Scope, State, Support};
use crate::output::{
    Style,
    text::{clip, count, one_line, wrap},
};

/// Databases of one state that are shown; `-v` and the other formats show all.
const SHOWN: usize = 20;
/// Checks that are shown.
const CHECKS: usize = 12;

impl State {
    /// In words.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::NotLookedAt => "not looked at",
            Self::NotDetermined => "not determined",
            Self::NothingAgainst => "nothing against it in the API",
            Self::Ready => "ready",
            Self::There => "there already",
        }
    }

    fn mark(self) -> (char, Ansi) {
        let (mark, color) = match self {
            Self::NotReady => ('✗', AnsiColor::Red),
            Self::NotLookedAt | Self::NotDetermined => ('?', AnsiColor::Yellow),
            Self::NothingAgainst => ('·', AnsiColor::Cyan),
            Self::Ready | Self::There => ('✓', AnsiColor::Green),
        };
        (mark, color.on_default())
    }
}

/// The states with how many databases are in each, worst first, none that is empty.
pub(super) fn states(fleet: &Fleet) -> Vec<(State, usize)> {
    let counts = &fleet.counts;
    [
        (State::NotReady, counts.not_ready),
        (State::NotLookedAt, counts.not_looked_at),
        (State::NotDetermined, counts.not_determined),
        (State::NothingAgainst, counts.nothing_against),
        (State::Ready, counts.ready),
        (State::There, counts.there),
    ]
    .into_iter()
    .filter(|(_, n)| *n > 0)
    .collect()
}

/// The answer: a word or two, and a sentence.
pub(super) fn headline(fleet: &Fleet) -> (&'static str, String) {
    let counts = &fleet.counts;
    let to = fleet
        .target_version
        .as_ref()
        .map_or(String::new(), |target| format!(" for {target}"));
    let all = count(counts.databases, "database");
    match fleet.exit_code {
        0 => ("READY", format!("all of {all}{to}")),
        10 => ("NOT READY", format!("{} of {all}{to}", counts.not_ready)),
        3 => ("NOT LOOKED AT", "nothing could be looked at".to_owned()),
        _ => {
            let open = counts.databases - counts.ready - counts.there;
            ("NOT DETERMINED", format!("{open} of {all}{to}"))
        }
    }
}

/// What every format for people says under the answer: label and text.
pub(super) fn rows(fleet: &Fleet) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let looked = match fleet.scope {
        Scope::Full => "the RDS API and the databases".to_owned(),
        Scope::ApiOnly => "the RDS API alone: no database was looked at, so none is called ready".to_owned(),
    };
    rows.push(("looked at", looked));
    let states = states(fleet);
    let found = states.iter().map(|(state, n)| format!("{n} {}", state.word()));
    rows.push(("databases", found.collect::<Vec<_>>().join(", ")));
    for place in &fleet.places {
        rows.push(("in", self::place(place)));
    }
    if !fleet.passed_over.is_empty() {
        let all = fleet.passed_over.iter().map(|(what, n)| match what.as_str() {
            "read replica" | "green side" | "old side" => count(*n, what),
            engine => format!("{n} {engine}"),
        });
        rows.push(("passed over", all.collect::<Vec<_>>().join(", ")));
    }
    let calls: u64 = fleet.places.iter().map(|p| p.calls).sum();
    let throttled: u64 = fleet.places.iter().map(|p| p.throttled).sum();
    let peak = fleet
        .places
        .iter()
        .map(|p| p.peak_per_second)
        .max()
        .unwrap_or_default();
    rows.push((
        "RDS calls",
        format!("{calls}, at most {peak} within a second in one Region, {throttled} throttled"),
    ));
    if let Some(file) = &fleet.policy_file {
        rows.push(("policy", format!("{file}, fails on {}", fleet.fail_on)));
    }
    rows.into_iter()
        .map(|(label, text)| (label, one_line(&text)))
        .collect()
}

fn place(place: &Place) -> String {
    let mut text = place.region.clone();
    if let Some(account) = &place.account {
        let _ = write!(text, ", account {account}");
    }
    if let Some(role) = &place.role {
        let _ = write!(text, ", as {role}");
    }
    match &place.error {
        Some(error) => {
            let _ = write!(text, ": NOT LOOKED AT: {error}");
        }
        None => {
            let _ = write!(text, ": {}", count(place.databases, "database"));
        }
    }
    text
}

/// `standard support ended 2025-02-28, extended until 2028-02-29`.
pub(super) fn support(support: &Support) -> String {
    let mut text = match (&support.standard_until, support.over) {
        (Some(day), true) => format!("standard support ended {day}"),
        (Some(day), false) => format!("standard support until {day}"),
        (None, _) => "end of support not known".to_owned(),
    };
    if let Some(day) = &support.extended_until {
        let _ = write!(text, ", extended until {day}");
    }
    text
}

/// `12.14 → 12.17 in place → 14.10 by blue/green`.
pub(super) fn way(row: &Row) -> String {
    let mut text = row.version.clone();
    for hop in &row.way {
        let _ = write!(text, " → {hop}");
    }
    text
}

/// `3 blockers: minimum-version, …`, or why it stands as it does.
pub(super) fn why(row: &Row) -> String {
    let findings = [
        (row.blockers, "blocker"),
        (row.warnings, "warning"),
        (row.notices, "notice"),
    ];
    let found: Vec<String> = findings
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| count(n, what))
        .collect();
    match (found.is_empty(), row.state) {
        (true, _) | (_, State::NotLookedAt | State::There) => row.because.clone(),
        (false, State::NothingAgainst) => found.join(", "),
        (false, _) => format!("{}: {}", found.join(", "), row.because),
    }
}

/// Renders it.
pub fn table(fleet: &Fleet, style: Style) -> String {
    let mut out = Out {
        text: String::new(),
        style,
    };
    out.top(fleet);
    if !fleet.blocking.is_empty() {
        out.heading("WHAT STANDS IN THE WAY", "");
        let width = fleet.blocking.iter().take(CHECKS).map(|b| b.check.len()).max();
        for blocking in fleet.blocking.iter().take(CHECKS) {
            let pad = " ".repeat(width.unwrap_or_default() - blocking.check.len());
            let line = format!(
                "  {}{pad}  {}",
                blocking.check,
                count(blocking.databases, "database")
            );
            out.line(&line);
        }
        if fleet.blocking.len() > CHECKS {
            out.line(&format!("  and {} more checks", fleet.blocking.len() - CHECKS));
        }
    }
    if fleet.majors.iter().any(|m| m.support.is_some()) {
        out.heading("SUPPORT", "");
        for major in &fleet.majors {
            let ends = major
                .support
                .as_ref()
                .map_or("end of support not known".to_owned(), support);
            let line = format!("{}, {}: {ends}", major.name, count(major.databases, "database"));
            let line = format!("  {}", wrap(&line, style.width, 4));
            out.line(&line);
        }
    }
    for (state, n) in states(fleet) {
        out.heading(&state.word().to_uppercase(), &format!("  {n}"));
        let all = fleet.databases.iter().filter(|row| row.state == state);
        let shown = if style.verbose { usize::MAX } else { SHOWN };
        for row in all.take(shown) {
            out.row(row, fleet);
        }
        if n > shown {
            out.line(&format!(
                "  and {} more (-v shows all; so do --format html, csv and json)",
                n - shown
            ));
        }
    }
    out.text
}

struct Out {
    text: String,
    style: Style,
}

impl Out {
    fn paint(&self, style: Ansi, text: &str) -> String {
        if self.style.color {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str, after: &str) {
        let title = self.paint(Ansi::new().bold(), title);
        self.line(&format!("\n{title}{after}"));
    }

    fn top(&mut self, fleet: &Fleet) {
        let (word, sentence) = headline(fleet);
        let color = match fleet.exit_code {
            0 => AnsiColor::Green,
            10 => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        let word = self.paint(color.on_default().bold(), word);
        self.line(&format!("{word}  {sentence}\n"));
        for (label, text) in rows(fleet) {
            let text = wrap(&text, self.style.width, 14);
            self.line(&format!("  {label:<12}{text}"));
        }
    }

    fn row(&mut self, row: &Row, fleet: &Fleet) {
        let (mark, color) = row.state.mark();
        let mark = self.paint(color, &mark.to_string());
        let place = match fleet.places.len() {
            0 | 1 => String::new(),
            _ => format!("  {} {}", row.account, row.region),
        };
        let name = self.paint(Ansi::new().bold(), &one_line(&row.name));
        self.line(&format!("  {mark} {name}{}", one_line(&place)));
        let mut details = vec![way(row)];
        details.extend(
            row.phase
                .as_ref()
                .filter(|p| *p != "create")
                .map(|p| format!("phase {p}")),
        );
        details.extend(row.deployment.clone());
        let over = row.support.as_ref().filter(|s| s.over);
        details.extend(over.map(|_| "standard support is over".to_owned()));
        let line = wrap(&one_line(&details.join(", ")), self.style.width, 6);
        self.line(&format!("      {line}"));
        let line = wrap(&one_line(&clip(&why(row), 400)), self.style.width, 6);
        self.line(&format!("      {line}"));
    }
}
