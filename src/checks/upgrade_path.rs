//! RDS offers the way from blue's version to the target.

use super::{
    Ctx,
    minimum_version::{minimum, minor_targets},
    plane::{Plane, answer},
};
use crate::{
    facts::rds::EngineVersion,
    model::{PgVersion, Replication, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

/// The targets of a version, oldest first.
fn targets(version: &EngineVersion) -> Vec<PgVersion> {
    let mut all: Vec<PgVersion> = version
        .upgrade_targets
        .iter()
        .filter_map(|t| t.version.parse().ok())
        .collect();
    all.sort();
    all
}

/// The offered versions that are what was asked for: it, or any minor of it where only a major was given.
fn matching(offered: &[PgVersion], target: PgVersion) -> Vec<PgVersion> {
    let meant = |v: &PgVersion| match target.minor {
        Some(_) => *v == target,
        None => v.major == target.major,
    };
    offered.iter().copied().filter(meant).collect()
}

fn list(versions: &[PgVersion]) -> String {
    let texts: Vec<String> = versions.iter().map(PgVersion::to_string).collect();
    texts.join(", ")
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    plane.blue()?;
    let (source, target) = (plane.source()?, plane.target()?);
    let engine = ctx.situation.engine;
    let ask = plane.aws(format!(
        "describe-db-engine-versions --engine {} --engine-version {source} --include-all --query \
         'DBEngineVersions[].ValidUpgradeTarget[].EngineVersion'",
        engine.api_name().unwrap_or("postgres"),
    ));
    if source == target {
        return Ok(Verdict::Pass {
            note: Some(format!("the version stays {source}")),
        });
    }
    let mut judgement = Judgement::new();
    let way = format!("{source} -> {target}");
    if target.is_below(source) {
        let message = format!("blue runs {source}: RDS upgrades only upwards, {target} lies below");
        judgement.find(Finding::new(way, message).on(Side::Rds));
        return Ok(judgement.done());
    }
    let offered = plane
        .known("source_version", &plane.rds.source_version)?
        .as_ref()
        .filter(|version| !version.upgrade_targets.is_empty())
        .ok_or_else(|| {
            Verdict::unknown(
                "rds.source_version",
                format!("RDS lists no targets for {source}, which happens to retired versions; ask: {ask}"),
            )
        })?;
    let direct = targets(offered);
    let replication = ctx.situation.replication.unwrap_or(Replication::Logical);
    let lowest = minimum(engine, replication, source);
    if source >= lowest {
        let fit = matching(&direct, target);
        if !fit.is_empty() {
            return Ok(Verdict::Pass {
                note: Some(format!("{source} -> {}", list(&fit))),
            });
        }
        let near: Vec<PgVersion> = direct.iter().copied().filter(|v| v.major == target.major).collect();
        let message = match target.major == source.major && target.minor.is_none() {
            true => format!(
                "RDS offers no newer {target} than blue's {source}; {source} as the target is a deployment without an upgrade, \
                 and newer majors are offered from {}",
                direct.iter().find(|v| v.major > source.major).map_or("none".to_owned(), PgVersion::to_string)
            ),
            false => format!("{source} cannot be upgraded to {target}; {}", reachable(&near, target.major)),
        };
        judgement.find(
            Finding::new(way, message)
                .on(Side::Rds)
                .fix(ask)
                .evidence("targets on offer", list(&direct)),
        );
        return Ok(judgement.done());
    }
    // Blue's minor is too old to be a source: one step in place, and the targets of where it leads.
    let minors = plane.known("minor_versions", &plane.rds.minor_versions)?;
    let mut near = Vec::new();
    for hop in minor_targets(offered).into_iter().filter(|hop| *hop >= lowest) {
        let Some(version) = minors.iter().find(|v| v.version.parse() == Ok(hop)) else {
            judgement.unseen(hop.to_string(), "RDS does not list this version's targets");
            continue;
        };
        let beyond = targets(version);
        let fit = matching(&beyond, target);
        if !fit.is_empty() {
            return Ok(Verdict::Pass {
                note: Some(format!("in two steps: {source} -> {hop} -> {}", list(&fit))),
            });
        }
        near.extend(
            beyond
                .iter()
                .filter(|v| v.major == target.major)
                .map(|v| format!("{hop} -> {v}")),
        );
    }
    if judgement.clean() && near.is_empty() {
        let message = format!("no minor version on offer for {source} leads to {}", target.major);
        judgement.find(Finding::new(way, message).on(Side::Rds).fix(ask));
    } else {
        judgement.find(
            Finding::new(
                way,
                format!(
                    "{source} must first be raised to {lowest} or newer, and from there {target} is not offered; \
                     offered are {}",
                    near.join(", ")
                ),
            )
            .on(Side::Rds)
            .fix(ask),
        );
    }
    Ok(judgement.done())
}

fn reachable(near: &[PgVersion], major: u16) -> String {
    match near {
        [] => format!("no version of {major} is offered"),
        _ => format!("offered of {major} are {}", list(near)),
    }
}
