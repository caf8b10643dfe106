//! What stops an apply worker that writes as each table's owner: PostgreSQL's from 16 on, and that of RDS and Aurora from minors of the end of 2023 on.

use super::{
    Ctx,
    ctx::rows_are_findings,
    plane::{Plane, is_on, value},
    shared::since,
};
use crate::{
    model::{Engine, PgVersion},
    verdict::{Level, Verdict},
};

/// The parameter of RDS that turns it back below 16.
const PARAMETER: &str = "rds.run_logical_replication_as_subscription_owner";
/// The major that brought it to PostgreSQL.
const COMMUNITY: u16 = 16;
/// The minors with whose second revision (12.17-R2 …) RDS has it; which revision a version is, is not kept, so the whole minor counts.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html>
const RDS: &[(u16, u16)] = &[(12, 17), (13, 13), (14, 10), (15, 5)];
/// The oldest minors of which Aurora's notes tell a patch with it (12.14.6, 13.12.2, 14.7.6, 15.2.6).
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html>
const AURORA: &[(u16, u16)] = &[(12, 14), (13, 12), (14, 7), (15, 2)];

/// Whether a target's apply worker writes as the owner; a minor that is not known counts.
fn writes_as_owner(engine: Engine, target: PgVersion) -> bool {
    let list = match engine {
        _ if target.major >= COMMUNITY => return true,
        Engine::Rds => RDS,
        Engine::Aurora => AURORA,
        Engine::Postgres => return false,
    };
    target.minor.is_none() && list.iter().any(|(major, _)| *major == target.major) || since(target, list)
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let engine = ctx.situation.engine;
    let target = ctx.situation.target;
    if let Some(target) = target.filter(|target| !writes_as_owner(engine, *target)) {
        return Verdict::skip(format!("the apply worker of {engine} {target} does not write as the tables' owners"));
    }
    let mut verdict = rows_are_findings(ctx);
    if let (Verdict::Fail { findings, .. }, true) = (&mut verdict, target.is_some_and(|target| target.major < COMMUNITY)) {
        let group = Plane::of(ctx).and_then(Plane::target_parameters).ok();
        let turned_back = engine == Engine::Rds && group.is_some_and(|group| is_on(value(group, PARAMETER)));
        for finding in findings {
            finding.level = Some(if turned_back { Level::Notice } else { Level::Warning });
            if engine == Engine::Rds {
                let says = if turned_back { "is on in green's group" } else { "on in green's group turns it back" };
                finding.evidence.insert(PARAMETER, says.into());
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_has_it_below_16_too() {
        let writes = |engine, target: &str| writes_as_owner(engine, target.parse().expect("a version"));
        assert!(writes(Engine::Postgres, "16.1") && !writes(Engine::Postgres, "15.15"));
        assert!(writes(Engine::Rds, "15.5") && !writes(Engine::Rds, "15.4") && writes(Engine::Rds, "15"));
        assert!(writes(Engine::Aurora, "14.9") && !writes(Engine::Aurora, "14.6") && writes(Engine::Aurora, "18"));
        assert!(!writes(Engine::Rds, "11.22") && !writes(Engine::Aurora, "11"));
    }
}
