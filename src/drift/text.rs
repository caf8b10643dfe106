//! The comparison for people: the answer, the differences with the worst first, the edits, and what could not be told.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style as Ansi};

use super::{Difference, Effect, Report};
use crate::{
    exit::Exit,
    output::{
        Style,
        text::{count, printable, wrap},
    },
};

fn painted(style: Style, ansi: Ansi, text: &str) -> String {
    if style.color {
        format!("{ansi}{text}{ansi:#}")
    } else {
        text.to_owned()
    }
}

fn label(effect: Effect) -> (&'static str, AnsiColor) {
    match effect {
        Effect::Replace => ("REPLACES", AnsiColor::Red),
        Effect::MayReplace => ("MAY REPLACE", AnsiColor::Red),
        Effect::Refused => ("ROLLS BACK", AnsiColor::Red),
        Effect::Interrupt => ("INTERRUPTS", AnsiColor::Yellow),
        Effect::Modify => ("MODIFIES", AnsiColor::Cyan),
    }
}

/// Renders the report.
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    let (word, color) = match report.exit() {
        Exit::Ready => ("NO DRIFT", AnsiColor::Green),
        Exit::NotReady => ("DRIFT", AnsiColor::Red),
        _ => ("NOT DETERMINED", AnsiColor::Yellow),
    };
    let place = match &report.ahead {
        Some(ahead) => format!("{} after the upgrade {ahead}", report.subject),
        None => format!("{} on {}", report.subject, report.version),
    };
    let agree = match report.same {
        1 => "1 property agrees".to_owned(),
        same => format!("{same} properties agree"),
    };
    let headline = format!(
        "{place}: {}, {agree}{}",
        count(report.differences.len(), "difference"),
        match report.unresolved.len() {
            0 => String::new(),
            more => format!(", {more} not resolvable"),
        }
    );
    let _ = writeln!(
        out,
        "{}  {}",
        painted(style, color.on_default().bold(), word),
        wrap(&headline, style.width, word.len() + 2)
    );
    for difference in &report.differences {
        one(&mut out, difference, style);
    }
    if !report.edits.is_empty() {
        let _ = writeln!(out, "\n{}", painted(style, Ansi::new().bold(), "EDITS"));
        for (n, edit) in report.edits.iter().enumerate() {
            let place = match &edit.property {
                Some(property) => format!("{}: {}, {property}", edit.file, edit.at),
                None => format!("on the database {}", edit.at),
            };
            let _ = writeln!(out, "  {}. {}", n + 1, wrap(&place, style.width, 5));
            for line in edit.write.lines() {
                let _ = writeln!(out, "     {}", printable(line));
            }
        }
    }
    if !report.unresolved.is_empty() {
        let _ = writeln!(out, "\n{}", painted(style, Ansi::new().bold(), "NOT COMPARED"));
        for unresolved in &report.unresolved {
            let property = unresolved
                .property
                .as_ref()
                .map(|p| format!(".{p}"))
                .unwrap_or_default();
            let decisive = if unresolved.decisive { " (decisive)" } else { "" };
            let text = format!(
                "{}: {}{property}: {}{decisive}",
                unresolved.file, unresolved.address, unresolved.why
            );
            let _ = writeln!(out, "  {}", wrap(&text, style.width, 2));
        }
    }
    if !report.notes.is_empty() {
        let _ = writeln!(out, "\n{}", painted(style, Ansi::new().bold(), "NOTES"));
        for note in &report.notes {
            let _ = writeln!(out, "  {}", wrap(note, style.width, 2));
        }
    }
    if style.verbose && !report.matched.is_empty() {
        let _ = writeln!(out, "\n{}", painted(style, Ansi::new().bold(), "COMPARED"));
        for matched in &report.matched {
            let text = format!(
                "{}: {} is {}, {}",
                matched.file, matched.address, matched.live, matched.how
            );
            let _ = writeln!(out, "  {}", wrap(&text, style.width, 2));
        }
    }
    out
}

fn one(out: &mut String, difference: &Difference, style: Style) {
    let (word, color) = label(difference.effect);
    let place = format!("{}.{}", difference.address, difference.property);
    let today = if difference.today {
        " (so today already)"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "\n{}  {}",
        painted(style, color.on_default().bold(), word),
        wrap(&format!("{place}{today}"), style.width, word.len() + 2)
    );
    let _ = writeln!(out, "  code       {}", wrap(&difference.code, style.width, 13));
    let _ = writeln!(out, "  database   {}", wrap(&difference.live, style.width, 13));
    let _ = writeln!(out, "  deploying  {}", wrap(&difference.why, style.width, 13));
}
