//! The apply workers find processes beside the launcher, extensions and parallel queries.

use super::{
    Ctx,
    room::{self, Room},
    shared::{self, Databases},
};
use crate::{
    model::{Side, count},
    verdict::{Unseen, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    room::judge(ctx, room(ctx))
}

/// What is asked of the setting, or what could not be looked at.
pub(super) fn room(ctx: &Ctx<'_>) -> Result<Room, Vec<Unseen>> {
    let databases = Databases::of(ctx, Side::Blue)?;
    let extensions = shared::extension_workers(ctx, Side::Blue)?;
    let published = published(ctx).map_err(|unseen| vec![unseen])?;
    let extension_workers: i64 = extensions.iter().map(|(_, n)| n).sum();
    let subscribing = if shared::managed(ctx) {
        databases.all()
    } else {
        databases.own.len()
    };
    let needed = room::number(subscribing) + 1 + extension_workers;
    let all = room::number(databases.all()) + 1 + extension_workers;
    let sum = published.iter().map(|(_, n)| n).sum::<i64>();
    let terms: Vec<String> = published.iter().map(|(name, n)| format!("{name} {n}")).collect();
    Ok(Room {
        setting: "max_worker_processes",
        side: Side::Blue,
        needed,
        wanted: all,
        comfortable: sum.max(all),
        advised: sum.max(all),
        arithmetic: format!(
            "{} + 1 launcher + {} = {needed}; AWS advises {} = {sum}",
            databases.words(),
            count(extension_workers, "extension worker"),
            terms.join(" + "),
        ),
        otherwise: "the last apply workers do not start",
    })
}

/// The sum that AWS publishes for this parameter, term by term.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Replication.Logical-Configure.html>
fn published(ctx: &Ctx<'_>) -> Result<Vec<(&'static str, i64)>, Unseen> {
    let settings = ctx.settings(Side::Blue);
    ["max_logical_replication_workers", "autovacuum_max_workers", "max_parallel_workers"]
        .into_iter()
        .map(|name| Ok((name, settings.number(name)?)))
        .collect()
}
