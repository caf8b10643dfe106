//! `greenlight check`: collect (or read), judge, show, gate.

use std::path::{Path, PathBuf};

use super::{Failure, World, target};
use crate::{
    checks,
    cli::{CheckArgs, OutputArgs, PolicyArgs},
    config,
    edge::{clock, files, terminal},
    exit::Exit,
    facts::Facts,
    gate,
    output::{self, Format, Style, View},
    policy::Policy,
    report::Report,
    situation::Situation,
};

pub(super) async fn run(args: CheckArgs, world: &World) -> Result<Exit, Failure> {
    // Flags and files are checked before anything is asked: a typo must not cost a minute.
    let policy = policy(&args.policy)?;
    let files = files(&args.output)?;
    let facts = match &args.facts {
        Some(path) => {
            let text = files::read(path)?;
            let mut facts =
                Facts::from_json(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            if args.target.target_version.is_some() {
                facts.request.target_version = args.target.target_version;
            }
            facts
        }
        None => {
            target::read(
                &args.target,
                &args.aws,
                &args.databases,
                target::Wanted {
                    phase: args.phase,
                    everything: false,
                    only: &policy.only,
                },
                world,
            )
            .await?
        }
    };
    let situation = Situation::of(&facts, args.phase);
    let report = Report::make(&facts, situation, &policy);
    let exit = gate::exit(&report);
    let view = View {
        report: &report,
        facts: &facts,
        exit,
    };
    let plain = Style {
        color: false,
        width: 100,
        verbose: true,
    };
    for (format, path) in files {
        files::write(&path, &output::render(format, view, plain))?;
    }
    let style = terminal::style(world.color, world.verbose > 0, &world.env);
    terminal::print(&output::render(
        args.output.format.unwrap_or(Format::Table),
        view,
        style,
    ))?;
    Ok(exit)
}

/// The policy: defaults, then the file, then the flags.
pub(super) fn policy(args: &PolicyArgs) -> Result<Policy, Failure> {
    let mut policy = Policy::at(clock::now());
    let usual = Path::new("greenlight.toml");
    let (path, text) = match &args.config {
        Some(path) => (path.as_path(), Some(files::read(path)?)),
        None => (usual, files::read_if_there(usual)?),
    };
    if let Some(text) = text {
        config::apply(&mut policy, path, &text).map_err(|e| Failure::usage(e.to_string()))?;
    }
    for (flag, ids) in [("--only", &args.only), ("--skip", &args.skip)] {
        for id in ids {
            let group = checks::all().iter().any(|c| c.page.group == *id);
            if !group && checks::find(id).is_none() {
                return Err(Failure::usage(config::unknown_check(flag, id)));
            }
        }
    }
    policy.only.clone_from(&args.only);
    policy.skip.clone_from(&args.skip);
    if let Some(level) = args.fail_on {
        policy.fail_on = level;
    }
    Ok(policy)
}

/// The files of `-o FORMAT=FILE`.
fn files(args: &OutputArgs) -> Result<Vec<(Format, PathBuf)>, Failure> {
    args.output
        .iter()
        .map(|text| {
            let (format, path) = text.split_once('=').ok_or_else(|| {
                Failure::usage(format!(
                    "-o {text:?}: write FORMAT=FILE, for example json=report.json"
                ))
            })?;
            let format = clap::ValueEnum::from_str(format, true).map_err(|_| {
                let names = <Format as clap::ValueEnum>::value_variants().iter();
                let names: Vec<String> = names
                    .filter_map(clap::ValueEnum::to_possible_value)
                    .map(|value| value.get_name().to_owned())
                    .collect();
                Failure::usage(format!(
                    "-o {text:?}: there is no format {format:?} (formats: {})",
                    names.join(", ")
                ))
            })?;
            Ok((format, PathBuf::from(path)))
        })
        .collect()
}
