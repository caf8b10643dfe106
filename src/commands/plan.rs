//! `greenlight plan`: the way to a version, as steps.

use super::{Failure, World, drift, target};
use crate::{
    checks,
    cli::{PlanArgs, PlanFormat, TargetArgs},
    edge::{clock, files, rds, terminal},
    exit::Exit,
    facts::{Fact, Facts, rds::RdsFacts},
    model::{Engine, PgVersion, Phase},
    plan::{self, Code, Order, Wanted},
    policy::Policy,
};

pub(super) async fn run(args: PlanArgs, world: &World) -> Result<Exit, Failure> {
    let wanted = wanted(&args)?;
    let (mut facts, engine, limits, at) = match &args.facts {
        Some(path) => {
            let text = files::read(path)?;
            let facts =
                Facts::from_json(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            let at = facts.collected_at;
            (drift::saved(path)?, facts.engine, limits(&facts), at)
        }
        None => {
            let (facts, engine) = asked(&args, wanted, world).await?;
            let target = plan::way(&facts, engine, wanted).map_err(no_plan)?;
            let target = target.last().map(|hop| hop.to);
            let limits = match args.look {
                true => looked(&args, target, world).await?,
                false => None,
            };
            (facts, engine, limits, clock::now())
        }
    };
    let (limits, unknown) = match limits {
        None => (None, Vec::new()),
        Some(Ok(limits)) => (Some(limits), Vec::new()),
        Some(Err(unknown)) => (Some(Vec::new()), unknown),
    };
    let order = Order {
        wanted,
        group: args.target_parameter_group.clone(),
        limits,
        at: Some(at),
    };
    let mut defaults = None;
    if args.facts.is_none() {
        let target = plan::way(&facts, engine, wanted)
            .map_err(no_plan)?
            .last()
            .map(|hop| hop.to);
        defaults = family(&args, &mut facts, engine, target, world).await?;
    }
    let mut plan = plan::make(&facts, engine, &order).map_err(no_plan)?;
    plan.notes.extend(defaults);
    plan.notes.extend(
        unknown
            .iter()
            .map(|why| format!("whether the limits suffice is not known: {why}")),
    );
    if args.facts.is_none() && !plan.classes_gone.is_empty() {
        choices(&args, &facts, &mut plan, world).await?;
    }
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

/// What blue's limits lack, or why that is not known; none where no server was asked.
fn limits(facts: &Facts) -> Option<Result<Vec<plan::Need>, Vec<String>>> {
    facts.blue.known()?;
    Some(plan::limits(facts, &Policy::at(facts.collected_at)))
}

/// Asks the databases what the capacity checks look at.
async fn looked(
    args: &PlanArgs,
    target: Option<PgVersion>,
    world: &World,
) -> Result<Option<Result<Vec<plan::Need>, Vec<String>>>, Failure> {
    let subject = TargetArgs {
        subject: args.subject.clone(),
        target_version: target,
        ..TargetArgs::default()
    };
    let only: Vec<String> = checks::capacity_checks().map(str::to_owned).collect();
    let wanted = target::Wanted {
        phase: Some(Phase::Create),
        everything: false,
        only: &only,
    };
    let facts = target::read(&subject, &args.aws, &args.databases, wanted, world).await?;
    Ok(limits(&facts))
}

/// The parameters of the target's family, where no group of it was read: a default group is made with its first use. Returns
/// why they are not known.
async fn family(
    args: &PlanArgs,
    facts: &mut RdsFacts,
    engine: Engine,
    target: Option<PgVersion>,
    world: &World,
) -> Result<Option<String>, Failure> {
    let Some(target) = target else { return Ok(None) };
    let family = engine.family(target.major);
    let kind = facts
        .blue
        .known()
        .map_or(engine.resource_kind(), |blue| blue.kind());
    let key = kind.group_key(&format!("default.{family}"));
    let there = facts.parameter_groups.get(&key).and_then(Fact::known);
    if args.target_parameter_group.is_some() || there.is_some_and(Option::is_some) {
        return Ok(None);
    }
    let (sdk, _) = target::aws_config(&args.aws, world).await?;
    let asked = rds::family_defaults(&sdk, &facts.region, &family, kind);
    Ok(match target::in_time(&args.databases, asked).await {
        Ok(group) => {
            facts.parameter_groups.insert(key, Fact::Known(Some(group)));
            None
        }
        Err(why) => Some(format!("which parameters {family} has is not known: {why}")),
    })
}

/// The nearest classes that the target knows, for those that it does not.
async fn choices(
    args: &PlanArgs,
    facts: &RdsFacts,
    plan: &mut plan::Plan,
    world: &World,
) -> Result<(), Failure> {
    let (sdk, _) = target::aws_config(&args.aws, world).await?;
    let engine = plan.engine.api_name().unwrap_or("postgres");
    let version = plan.target().to_string();
    match rds::orderable_classes(&sdk, &facts.region, engine, &version).await {
        Ok(all) => {
            let found = plan.classes_gone.iter();
            plan.class_choices = found
                .map(|class| (class.clone(), plan::nearest(class, &all)))
                .collect();
        }
        Err(why) => plan
            .notes
            .push(format!("which classes {version} can have is not known: {why}")),
    }
    Ok(())
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
    Failure::with(exit, error.to_string())
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
    let in_time = async |look| target::in_time(&args.databases, look).await;
    let named = match wanted {
        Wanted::Version(version) => Some(version),
        Wanted::Latest => None,
    };
    let first = in_time(drift::asked(ask(named), world)).await?;
    let hops = plan::way(&first.facts, first.engine, wanted).map_err(no_plan)?;
    let target = hops.last().map(|hop| hop.to);
    if target == named {
        return Ok((first.facts, first.engine));
    }
    let second = in_time(drift::asked(ask(target), world)).await?;
    Ok((second.facts, second.engine))
}
