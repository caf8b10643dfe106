//! `greenlight checks`: the catalogue as a list.

use std::fmt::Write as _;

use super::{Failure, World};
use crate::{
    checks::{self, Check},
    cli::{ChecksArgs, ListFormat},
    config,
    edge::terminal,
    exit::Exit,
    output::text::{count, wrap},
};

pub(super) fn run(args: &ChecksArgs, world: &World) -> Result<Exit, Failure> {
    list(args, world)
}

pub(super) fn list(args: &ChecksArgs, world: &World) -> Result<Exit, Failure> {
    if let Some(group) = &args.group {
        let mut groups: Vec<&str> = checks::all().iter().map(|c| c.page.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        if !groups.contains(&group.as_str()) {
            return Err(Failure::usage(format!(
                "--group: there is no group {group:?}{} (groups: {})",
                config::nearest(group, groups.iter().copied()),
                groups.join(", ")
            )));
        }
    }
    let word = args.search.as_ref().map(|word| word.to_lowercase());
    let has = |check: &Check, word: &str| {
        let page = &check.page;
        let texts = [&page.id, &page.header.title, &page.header.effect, &page.body];
        texts.iter().any(|text| text.to_lowercase().contains(word))
    };
    let chosen: Vec<&Check> = checks::all()
        .iter()
        .filter(|c| args.level.is_none_or(|level| c.page.header.level == level))
        .filter(|c| {
            args.phase
                .is_none_or(|phase| c.page.header.phases.contains(&phase))
        })
        .filter(|c| args.group.as_ref().is_none_or(|group| c.page.group == *group))
        .filter(|c| word.as_ref().is_none_or(|word| has(c, word)))
        .collect();
    let text = match args.format {
        ListFormat::Json => json(&chosen),
        ListFormat::Table => {
            let style = terminal::style(world.color, world.verbose > 0, &world.env);
            table(&chosen, style.width)
        }
        ListFormat::Markdown => markdown(&chosen),
    };
    terminal::print(&text)?;
    Ok(Exit::Ready)
}

fn table(checks: &[&Check], width: usize) -> String {
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
        let title = wrap(&page.header.title, width, wide + 13);
        let level = page.header.level.to_string();
        let _ = writeln!(text, "  {:wide$}  {level:7}  {title}", page.id);
    }
    let gap = if checks.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{gap}{}", count(checks.len(), "check"));
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

/// A table for pages; also what `docs/checks.md` and the catalogue's README hold.
pub fn markdown(checks: &[&Check]) -> String {
    let mut text =
        String::from("| check | level | asked in phase | what should be |\n| --- | --- | --- | --- |\n");
    for check in checks {
        let page = &check.page;
        let phases: Vec<String> = page.header.phases.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            page.id,
            page.header.level,
            phases.join(", "),
            page.header.title.replace('|', "\\|")
        );
    }
    text
}
