//! `greenlight man`: man pages, made from the same words as `--help`.

use std::path::Path;

use clap::CommandFactory as _;

use super::Failure;
use crate::{
    cli::Cli,
    config,
    edge::{files, terminal},
    exit::Exit,
};

/// One page.
fn page(command: clap::Command) -> Result<String, Failure> {
    let mut out = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut out)
        .map_err(|e| Failure::with(Exit::Fault, format!("cannot make the man page: {e}")))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

pub(super) fn run(command: Option<&str>, all: Option<&Path>) -> Result<Exit, Failure> {
    // Built, so that global flags and full names reach the subcommands.
    let mut root = Cli::command();
    root.build();
    if let Some(folder) = all {
        for (name, command) in commands(&root) {
            files::write(&folder.join(format!("{name}.1")), &page(command)?)?;
        }
        return Ok(Exit::Ready);
    }
    let wanted = match command {
        None => root,
        Some(name) => {
            let full = format!("greenlight-{}", name.replace(' ', "-"));
            let all = commands(&root);
            let names: Vec<String> = all
                .iter()
                .filter_map(|(n, _)| n.strip_prefix("greenlight-").map(str::to_owned))
                .collect();
            let found = all.into_iter().find(|(n, _)| *n == full);
            let found = found.ok_or_else(|| {
                let hint = config::nearest(name, names.iter().map(String::as_str));
                Failure::usage(format!("man: there is no command {name:?}{hint}"))
            })?;
            found.1
        }
    };
    terminal::print(&page(wanted)?)?;
    Ok(Exit::Ready)
}

/// Every command with its page's name, `greenlight-config-check`.
fn commands(root: &clap::Command) -> Vec<(String, clap::Command)> {
    let mut out = vec![("greenlight".to_owned(), root.clone())];
    let mut waiting = vec![("greenlight".to_owned(), root)];
    while let Some((prefix, command)) = waiting.pop() {
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let name = format!("{prefix}-{}", sub.get_name());
            out.push((name.clone(), sub.clone()));
            waiting.push((name, sub));
        }
    }
    out
}
