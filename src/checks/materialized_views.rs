//! Refreshing materialized views does not stand in the way.

use serde::Deserialize;

use super::{Ctx, shared::since};
use crate::{
    model::{Engine, Side, count},
    verdict::{Finding, Judgement, Level, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Views {
    views: i64,
    names: Option<String>,
}

/// First minors in which REFRESH no longer blocks a switchover; nothing older than the first major of a list has it.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html>
const AURORA: &[(u16, u16)] = &[(13, 20), (14, 17), (15, 12), (16, 8), (17, 4)];
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html>
const RDS: &[(u16, u16)] = &[(12, 19), (13, 15), (14, 12), (15, 7), (16, 3)];

/// Whether blue's version lets a REFRESH pass; a plain server's always does.
pub(super) fn refresh_is_harmless(ctx: &Ctx<'_>) -> bool {
    match (ctx.situation.engine, ctx.situation.source) {
        (Engine::Aurora, Some(version)) => since(version, AURORA),
        (Engine::Rds, Some(version)) => since(version, RDS),
        (Engine::Postgres, _) => true,
        (_, None) => false,
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let views = ctx.rows::<Views>(Side::Blue, "");
    judgement.blind(views.unseen);
    let harmless = refresh_is_harmless(ctx);
    for (database, row) in views.rows.into_iter().filter(|(_, r)| r.views > 0) {
        let (level, effect) = if harmless {
            (Level::Notice, "a refresh on blue does not refresh green: refresh them after the switchover")
        } else {
            (Level::Warning, "a refresh on blue breaks replication on this version: stop it while green lives")
        };
        judgement.find(
            Finding::new("materialized views", format!("{}: {effect}", count(row.views, "materialized view")))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(level)
                .fix("-- stop jobs that refresh them; after the switchover: refresh materialized view …;")
                .evidence("views", row.views)
                .evidence("names", row.names),
        );
    }
    judgement.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PgVersion;

    #[test]
    fn knows_the_minor_that_brought_the_relief() {
        for (version, aurora, rds) in [
            ((11, 22), false, false),
            ((12, 22), false, true),
            ((13, 19), false, true),
            ((13, 20), true, true),
            ((16, 2), false, false),
            ((17, 3), false, true),
            ((18, 1), true, true),
        ] {
            let version = PgVersion::new(version.0, version.1);
            assert_eq!((since(version, AURORA), since(version, RDS)), (aurora, rds), "{version}");
        }
    }
}
