//! `greenlight checks`: the catalogue as a list.

use std::fmt::Write as _;

use super::Failure;
use crate::{
    checks::{self, Check},
    cli::ChecksArgs,
    edge::terminal,
    exit::Exit,
    output::Format,
};

pub(super) fn run(args: &ChecksArgs) -> Result<Exit, Failure> {
    list(args)
}

pub(super) fn list(args: &ChecksArgs) -> Result<Exit, Failure> {
    let chosen: Vec<&Check> = checks::all()
        .iter()
        .filter(|c| args.level.is_none_or(|level| c.page.header.level == level))
        .filter(|c| {
            args.phase
                .is_none_or(|phase| c.page.header.phases.contains(&phase))
        })
        .filter(|c| args.group.as_ref().is_none_or(|group| c.page.group == *group))
        .collect();
    let text = match args.format {
        Format::Json => json(&chosen),
        Format::Table => table(&chosen),
    };
    terminal::print(&text)?;
    Ok(Exit::Ready)
}

fn table(checks: &[&Check]) -> String {
    let mut text = String::new();
    let wide = checks.iter().map(|c| c.page.id.len()).max().unwrap_or(0);
    let mut group = "";
    for check in checks {
        let page = &check.page;
        if page.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", page.group);
            group = &page.group;
        }
        let _ = writeln!(
            text,
            "  {:wide$}  {:7}  {}",
            page.id,
            page.header.level.to_string(),
            page.header.title
        );
    }
    text
}

fn json(checks: &[&Check]) -> String {
    let list: Vec<serde_json::Value> = checks
        .iter()
        .map(|check| {
            let page = &check.page;
            serde_json::json!({
                "id": page.id,
                "group": page.group,
                "title": page.header.title,
                "level": page.header.level,
                "phases": page.header.phases,
                "sides": page.header.sides,
                "effect": page.header.effect,
                "sources": page.header.sources,
                "since": page.header.since,
                "aliases": page.header.aliases,
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(list))
}
