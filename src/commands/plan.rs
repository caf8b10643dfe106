//! `greenlight plan`: the way to a version, as steps.

use super::{Failure, World, drift, target};
use crate::{
    cli::{PlanArgs, PlanFormat},
    edge::{files, terminal},
    exit::Exit,
    facts::{Fact, Facts, rds::RdsFacts},
    model::{Engine, PgVersion},
    plan::{self, Code, Order, Wanted},
};

pub(super) async fn run(args: PlanArgs, world: &World) -> Result<Exit, Failure> {
    let wanted = wanted(&args)?;
    let (facts, engine, databases) = match &args.facts {
        Some(path) => {
            let text = files::read(path)?;
            let facts =
                Facts::from_json(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            (drift::saved(path)?, facts.engine, databases(&facts))
        }
        None => {
            let (facts, engine) = asked(&args, wanted, world).await?;
            (facts, engine, None)
        }
    };
    let order = Order {
        wanted,
        group: args.target_parameter_group.clone(),
        databases,
    };
    let plan = plan::make(&facts, engine, &order).map_err(no_plan)?;
    let text = match args.format {
        PlanFormat::Table => plan::text(&plan, terminal::style(world.color, world.verbose > 0, &world.env)),
        PlanFormat::Json => plan::json(&plan),
        PlanFormat::Cli => plan::cli(&plan),
        PlanFormat::Cloudformation => code(&plan, Code::CloudFormation)?,
        PlanFormat::CdkPython => code(&plan, Code::CdkPython)?,
        PlanFormat::CdkTypescript => code(&plan, Code::CdkTypescript)?,
        PlanFormat::Terraform => code(&plan, Code::Terraform)?,
    };
    terminal::print(&text)?;
    Ok(Exit::Ready)
}

fn code(plan: &plan::Plan, language: Code) -> Result<String, Failure> {
    plan::code(plan, language).map_err(|e| Failure::usage(e.to_string()))
}

/// Without a way the upgrade is not ready; without sight nothing is known.
fn no_plan(error: plan::NoPlan) -> Failure {
    let exit = match &error {
        plan::NoPlan::NoWay(plan::NoWay::NoTargets(_)) => Exit::NotDetermined,
        plan::NoPlan::NoWay(_) => Exit::NotReady,
        plan::NoPlan::NotSeen { .. } => Exit::CouldNotLook,
    };
    Failure {
        exit,
        message: error.to_string(),
    }
}

fn wanted(args: &PlanArgs) -> Result<Wanted, Failure> {
    match (args.target_version.as_deref(), args.target_major) {
        (Some("latest"), _) => Ok(Wanted::Latest),
        (Some(text), _) => text
            .parse()
            .map(Wanted::Version)
            .map_err(|e| Failure::usage(format!("--target-version: {e} (or `latest`)"))),
        (None, Some(major)) => Ok(Wanted::Version(PgVersion::major(major))),
        (None, None) => Err(Failure::usage(
            "say where to: --target-version 14.10, --target-version latest or --target-major 16",
        )),
    }
}

/// Asks RDS: first what the way may be, then about the version that it leads to.
async fn asked(args: &PlanArgs, wanted: Wanted, world: &World) -> Result<(RdsFacts, Engine), Failure> {
    let ask = |version| {
        target::rds_only(
            &args.subject,
            &args.aws,
            version,
            args.target_parameter_group.clone(),
        )
    };
    let named = match wanted {
        Wanted::Version(version) => Some(version),
        Wanted::Latest => None,
    };
    let first = drift::asked(ask(named), world).await?;
    let hops = plan::way(&first.facts, first.engine, wanted).map_err(no_plan)?;
    let target = hops.last().map(|hop| hop.to);
    if target == named {
        return Ok((first.facts, first.engine));
    }
    let second = drift::asked(ask(target), world).await?;
    Ok((second.facts, second.engine))
}

/// Databases that would replicate, where blue was asked.
fn databases(facts: &Facts) -> Option<u64> {
    let Fact::Known(server) = &facts.blue else {
        return None;
    };
    let rows = server.probes.get("databases")?.known()?;
    Some(rows.total)
}
