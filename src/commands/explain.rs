//! `greenlight explain`: a check's page, or the list of all.

use std::fmt::Write as _;

use super::{Failure, World};
use crate::{
    catalogue::Page,
    checks,
    edge::{pager, terminal},
    exit::Exit,
    output::page,
    policy::WAIVERS,
};

pub(super) fn run(id: Option<&str>, world: &World) -> Result<Exit, Failure> {
    let Some(id) = id else {
        return super::checks::list(&crate::cli::ChecksArgs::default(), world);
    };
    let group = checks::all().iter().any(|c| c.page.group == id);
    if group && checks::find(id).is_none() {
        let of_group = crate::cli::ChecksArgs {
            group: Some(id.to_owned()),
            ..Default::default()
        };
        return super::checks::list(&of_group, world);
    }
    let text = match checks::find(id) {
        Some(check) => markdown(&check.page),
        // Problems of waivers are findings of their own, and the page on policy says what they mean.
        None if id == WAIVERS => include_str!("../../docs/policy.md").to_owned(),
        None => return Err(Failure::usage(unknown(id))),
    };
    let style = terminal::style(world.color, world.verbose > 0, &world.env);
    pager::show(&page::render(&text, style), &world.env)?;
    Ok(Exit::Ready)
}

/// The page as Markdown: what its header says in words, then its body without the scenarios, which are tests.
pub fn markdown(page: &Page) -> String {
    let header = &page.header;
    let list = |items: Vec<String>| items.join(", ");
    let phases = list(header.phases.iter().map(ToString::to_string).collect());
    let sides = list(header.sides.iter().map(ToString::to_string).collect());
    let mut text = format!("# {}\n\n{}\n\n", page.id, header.title);
    let _ = writeln!(text, "- level: {}", header.level);
    let _ = writeln!(text, "- otherwise: {}", header.effect);
    let _ = writeln!(text, "- asked: in phase {phases} on {sides}");
    let _ = writeln!(text, "- group: {}, since {}", page.group, header.since);
    if !header.aliases.is_empty() {
        let _ = writeln!(text, "- formerly: {}", header.aliases.join(", "));
    }
    let body = page.body.split("\n## Scenarios").next().unwrap_or(&page.body);
    let _ = write!(text, "\n{}\n\n## Sources\n\n", body.trim());
    for source in &header.sources {
        let _ = writeln!(text, "- <{source}>");
    }
    text
}

/// What to say about an id that no check has: the ones that look like it, or those whose page has the word.
fn unknown(id: &str) -> String {
    let mut near: Vec<(f64, &str)> = checks::all()
        .iter()
        .map(|c| c.page.id.as_str())
        .map(|name| {
            let inside = !id.is_empty() && (name.contains(id) || id.contains(name));
            (strsim::jaro_winkler(id, name) + f64::from(u8::from(inside)), name)
        })
        .filter(|(score, _)| *score > 0.75)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    let hint = match names.as_slice() {
        [] => format!("`greenlight checks --search {id}` looks inside the pages"),
        names => format!("did you mean {}?", names.join(", ")),
    };
    format!("explain: there is no check {id:?}; {hint}")
}
