//! Blue's minor shortens the switchover.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{PgVersion, Side},
    verdict::{Finding, Judgement, Verdict},
};

/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html>
const SINCE: [PgVersion; 5] = [
    PgVersion::new(13, 23),
    PgVersion::new(14, 20),
    PgVersion::new(15, 15),
    PgVersion::new(16, 11),
    PgVersion::new(17, 7),
];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let source = plane.source()?;
    let id = plane.blue()?.id();
    let since = SINCE.iter().find(|v| v.major == source.major);
    let has = match since {
        Some(since) => source >= *since,
        None => source.major > SINCE[SINCE.len() - 1].major,
    };
    let mut judgement = Judgement::new();
    if !has {
        let message = match since {
            Some(since) => format!("{source} does not hold commits back before the switchover, {since} does"),
            None => format!("{source} does not hold commits back before the switchover, no {} does", source.major),
        };
        judgement.find(Finding::new(id, message).on(Side::Rds));
    }
    Ok(judgement.done())
}
