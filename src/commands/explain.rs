//! `greenlight explain`: a check's page, or the list of all.

use std::fmt::Write as _;

use super::Failure;
use crate::{checks, config, edge::terminal, exit::Exit};

pub(super) fn run(id: Option<&str>) -> Result<Exit, Failure> {
    let Some(id) = id else {
        return super::checks::list(&crate::cli::ChecksArgs {
            level: None,
            phase: None,
            group: None,
            format: crate::output::Format::Table,
        });
    };
    let check = checks::find(id).ok_or_else(|| Failure::usage(config::unknown_check("explain", id)))?;
    let page = &check.page;
    let header = &page.header;
    let list = |items: &[String]| items.join(", ");
    let mut text = String::new();
    let phases: Vec<String> = header.phases.iter().map(ToString::to_string).collect();
    let sides: Vec<String> = header.sides.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "{} ({}, {})\n", page.id, header.level, page.group);
    let _ = writeln!(text, "{}\n", header.title);
    let _ = writeln!(text, "otherwise  {}", header.effect);
    let _ = writeln!(text, "asked      in phase {} on {}", list(&phases), list(&sides));
    let _ = writeln!(text, "since      {}\n", header.since);
    // Scenarios are tests; readers want the rule, the query and the fix.
    let body = page.body.split("\n## Scenarios").next().unwrap_or(&page.body);
    let _ = writeln!(text, "{}\n\n## Sources\n", body.trim());
    for source in &header.sources {
        let _ = writeln!(text, "- {source}");
    }
    terminal::print(&text)?;
    Ok(Exit::Ready)
}
