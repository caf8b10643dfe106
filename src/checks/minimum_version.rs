//! Blue's version can be the source of a blue/green deployment.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::EngineVersion,
    model::{Engine, PgVersion, Replication, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// The lowest minor of each major that can be a source with logical replication.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-replication-type.html>
const LOGICAL: [PgVersion; 6] = [
    PgVersion::new(11, 21),
    PgVersion::new(12, 16),
    PgVersion::new(13, 12),
    PgVersion::new(14, 9),
    PgVersion::new(15, 4),
    PgVersion::new(16, 1),
];
/// Aurora has one more.
const AURORA_17: PgVersion = PgVersion::new(17, 4);
/// The lowest source with physical replication.
const PHYSICAL: PgVersion = PgVersion::new(11, 1);

/// The lowest version that can be the source in place of this one, which has the same major where there is any.
pub(crate) fn minimum(engine: Engine, replication: Replication, source: PgVersion) -> PgVersion {
    let lowest = match replication {
        Replication::Physical => PHYSICAL,
        Replication::Logical => LOGICAL[0],
    };
    let of_major = match (replication, engine) {
        (Replication::Physical, _) => None,
        (Replication::Logical, Engine::Aurora) if source.major == AURORA_17.major => Some(AURORA_17),
        (Replication::Logical, _) => LOGICAL.iter().copied().find(|m| m.major == source.major),
    };
    match of_major {
        Some(minimum) => minimum,
        None if source.major < lowest.major => lowest,
        None => lowest.max(PgVersion::new(source.major, 0)),
    }
}

/// Minor versions that this one can be raised to in place, oldest first.
pub(super) fn minor_targets(version: &EngineVersion) -> Vec<PgVersion> {
    let mut minors: Vec<PgVersion> = version
        .upgrade_targets
        .iter()
        .filter(|t| !t.major)
        .filter_map(|t| t.version.parse().ok())
        .collect();
    minors.sort();
    minors
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let source = plane.source()?;
    let engine = ctx.situation.engine;
    if source.minor.is_none() {
        return Ok(Verdict::unknown("rds.blue", format!("blue's version is only known as {source}")));
    }
    let logical = minimum(engine, Replication::Logical, source);
    let minimum = match ctx.situation.replication {
        Some(replication) => minimum(engine, replication, source),
        None if source >= logical => logical,
        None if source >= PHYSICAL => {
            return Ok(Verdict::unknown(
                "target version",
                format!(
                    "{source} is enough for the same major, but a higher one needs {logical}: give --target-version"
                ),
            ));
        }
        None => PHYSICAL,
    };
    let mut judgement = Judgement::new();
    if engine == Engine::Aurora && source.major > AURORA_17.major {
        let message = format!("AWS's table of the versions that can be the source ends with Aurora PostgreSQL {}: of {source} it says nothing", AURORA_17.major);
        judgement.find(
            Finding::new(blue.id(), message)
                .on(Side::Rds)
                .at(Level::Warning)
                .fix("-- see whether the table has the version by now, or try: RDS refuses a source that it does not take, and changes nothing")
                .evidence("version", source.to_string()),
        );
    }
    if source < minimum {
        // Only the fix depends on it: the finding holds without.
        let offered = plane.rds.source_version.known().and_then(Option::as_ref);
        let mut ways = offered.map(minor_targets).unwrap_or_default();
        ways.retain(|way| *way >= minimum);
        let hop = match ctx.situation.target {
            // A newer minor raises the lowest target that RDS offers from there.
            Some(_) => ways.first(),
            None => ways.last(),
        };
        let list: Vec<String> = ways.iter().map(PgVersion::to_string).collect();
        let mut finding = Finding::new(
            blue.id(),
            format!("{engine} {source} cannot be the source of this deployment, the minimum is {minimum}"),
        )
        .on(Side::Rds)
        .evidence("version", source.to_string())
        .evidence("minimum", minimum.to_string());
        if offered.is_some() {
            finding = finding.evidence("sufficient minor versions on offer", list.join(", "));
        }
        finding = finding.fix(match hop {
            Some(hop) => plane.modify(blue, &format!("--engine-version {hop} --apply-immediately")),
            None => plane.aws(format!(
                "describe-db-engine-versions --engine {} --engine-version {source} --include-all --query \
                 'DBEngineVersions[].ValidUpgradeTarget[].EngineVersion'",
                engine.api_name().unwrap_or("postgres"),
            )),
        });
        judgement.find(finding);
    }
    Ok(judgement.done_with(format!("{source} is at least {minimum}")))
}
