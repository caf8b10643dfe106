//! `greenlight drift`: infrastructure code against the database.

use std::path::Path;

use super::{Failure, World, target};
use crate::{
    cli::DriftArgs,
    drift::{self, Ahead, BadCode, Document},
    edge::{deadline, files, rds, terminal},
    exit::Exit,
    facts::{Facts, rds::RdsFacts},
    output::Format,
};

pub(super) async fn run(args: DriftArgs, world: &World) -> Result<Exit, Failure> {
    if args.template.is_empty() && args.tfstate.is_empty() && args.tfplan.is_empty() {
        return Err(Failure::usage(
            "say what to compare with: --template, --tfstate or --tfplan",
        ));
    }
    let parameters = args
        .parameter
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Failure::usage(format!("--parameter {text:?}: write NAME=VALUE"))),
        })
        .collect::<Result<_, _>>()?;
    // Files are read before AWS is asked: a typo must not cost a minute.
    let read = |paths: &[std::path::PathBuf]| {
        paths
            .iter()
            .map(|path| Ok((path.display().to_string(), files::read(path)?)))
            .collect::<Result<Vec<_>, Failure>>()
    };
    let (templates, states, plans) = (read(&args.template)?, read(&args.tfstate)?, read(&args.tfplan)?);
    let facts = facts(&args, world).await?;
    let mut around = drift::surroundings(&facts);
    around.parameters = parameters;
    let mut documents = Vec::new();
    let bad = |e: BadCode| Failure::usage(e.to_string());
    for (file, text) in &templates {
        documents.push(drift::template(file, text, &around).map_err(bad)?);
    }
    for (file, text) in &states {
        documents.push(drift::state(file, text).map_err(bad)?);
    }
    for (file, text) in &plans {
        documents.push(drift::plan(file, text).map_err(bad)?);
    }
    show(&args, &facts, &documents, world)
}

fn show(args: &DriftArgs, facts: &RdsFacts, documents: &[Document], world: &World) -> Result<Exit, Failure> {
    let ahead = args.before.then(|| Ahead {
        version: args.target_version,
        group: args.target_parameter_group.clone(),
    });
    let report =
        drift::compare(facts, documents, ahead.as_ref()).map_err(|e| Failure::usage(e.to_string()))?;
    let text = match args.format {
        Format::Json => drift::json::render(&report),
        _ => drift::text::render(
            &report,
            terminal::style(world.color, world.verbose > 0, &world.env),
        ),
    };
    terminal::print(&text)?;
    Ok(report.exit())
}

/// The control plane's facts: of a file, or asked for now.
async fn facts(args: &DriftArgs, world: &World) -> Result<RdsFacts, Failure> {
    match &args.facts {
        Some(path) => saved(path),
        None => {
            let wanted = target::rds_only(
                &args.subject,
                &args.aws,
                args.target_version,
                args.target_parameter_group.clone(),
            );
            let limit = args.deadline.unwrap_or(deadline::USUAL);
            Ok(deadline::within(limit, asked(wanted, world)).await?.facts)
        }
    }
}

/// The control plane of a saved facts file.
pub(super) fn saved(path: &Path) -> Result<RdsFacts, Failure> {
    let text = files::read(path)?;
    let facts = Facts::from_json(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
    match facts.rds {
        crate::facts::Fact::Known(rds) => Ok(rds),
        crate::facts::Fact::Unknown { detail, .. } => Err(Failure::usage(format!(
            "{}: these facts say nothing of RDS ({detail}): collect them again with --cluster or --instance",
            path.display()
        ))),
    }
}

/// Asks the RDS API, and nothing else.
pub(super) async fn asked(wanted: target::RdsOnly<'_>, world: &World) -> Result<rds::Collected, Failure> {
    let progress = terminal::Progress::start();
    let outcome = target::control_plane(wanted, world, &progress).await;
    progress.finish();
    outcome
}
