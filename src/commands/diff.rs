//! `greenlight diff`: what changed between two reports.

use std::{fmt::Write as _, path::Path};

use anstyle::{AnsiColor, Style as Ansi};

use super::{Failure, World};
use crate::{
    baseline::{self, Change, Diff},
    cli::{DiffArgs, ShortFormat},
    edge::{files, terminal},
    exit::Exit,
    output::{
        Style,
        json::{JsonReport, JsonVerdict},
        text::{count, one_line, wrap},
    },
};

/// Changes of one kind that are shown; JSON has all.
const SHOWN: usize = 30;

pub(super) fn run(args: &DiffArgs, world: &World) -> Result<Exit, Failure> {
    let read = |path: &Path| -> Result<JsonReport, Failure> {
        let text = files::read(path)?;
        baseline::read(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let (then, now) = (baseline::about(&before), baseline::about(&after));
    if then != now {
        terminal::say(&format!(
            "note: {} is about {then}, {} about {now}",
            args.before.display(),
            args.after.display()
        ));
    }
    let diff = baseline::diff(&before, &after, args.fail_on.unwrap_or(after.fail_on));
    let exit = match diff.exit_code {
        0 => Exit::Ready,
        11 => Exit::NotDetermined,
        _ => Exit::NotReady,
    };
    let text = match args.format {
        ShortFormat::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&diff).expect("strings, numbers and lists are JSON")
        ),
        ShortFormat::Table => table(&diff, terminal::style(world.color, world.verbose > 0, &world.env)),
    };
    terminal::print(&text)?;
    Ok(exit)
}

fn verdict(verdict: JsonVerdict) -> &'static str {
    match verdict {
        JsonVerdict::Ready => "ready",
        JsonVerdict::NotReady => "not ready",
        JsonVerdict::NotDetermined => "not determined",
    }
}

fn table(diff: &Diff, style: Style) -> String {
    let mut out = String::new();
    let (then, now) = (verdict(diff.verdict_before), verdict(diff.verdict_after));
    let _ = writeln!(out, "{then} at {}, {now} at {}", diff.before, diff.after);
    let lists = [
        ("NEW", AnsiColor::Red, &diff.new),
        ("WORSE", AnsiColor::Red, &diff.worse),
        ("NO LONGER SEEN", AnsiColor::Yellow, &diff.blind),
        ("BETTER", AnsiColor::Green, &diff.better),
        ("GONE", AnsiColor::Green, &diff.gone),
        ("NOT LOOKED FOR AGAIN", AnsiColor::Yellow, &diff.untold),
    ];
    for (title, color, list) in lists.into_iter().filter(|(.., list)| !list.is_empty()) {
        let title = format!("{title} ({})", list.len());
        let heading = if style.color {
            let bold: Ansi = color.on_default().bold();
            format!("{bold}{title}{bold:#}")
        } else {
            title
        };
        let _ = writeln!(out, "\n{heading}");
        for change in list.iter().take(SHOWN) {
            let _ = writeln!(out, "  {}", wrap(&line(change), style.width, 4));
        }
        if list.len() > SHOWN {
            let _ = writeln!(out, "  … and {} more (all: --format json)", list.len() - SHOWN);
        }
    }
    let _ = writeln!(out, "\n{} unchanged", count(diff.known, "finding"));
    if !diff.truncated.is_empty() {
        let note = format!(
            "more than was listed, so not compared whole: {} (--evidence lists more)",
            diff.truncated.join(", ")
        );
        let _ = writeln!(out, "{}", wrap(&note, style.width, 0));
    }
    out
}

fn line(change: &Change) -> String {
    let side = change.side.as_ref().map_or(String::new(), |s| format!(" on {s}"));
    let level = match (change.before, change.after) {
        (Some(before), Some(after)) if before != after => format!("{before} to {after}"),
        (before, after) => after.or(before).map_or(String::new(), |l| l.to_string()),
    };
    let waived = if change.waived { ", waived" } else { "" };
    format!(
        "{} {}{side} ({level}{waived}): {}",
        change.check,
        one_line(&change.subject),
        one_line(&change.message)
    )
}
