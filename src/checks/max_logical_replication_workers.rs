//! There is an apply worker for every database.

use super::{
    Ctx,
    room::{self, Room},
    shared::{self, Apply, Databases},
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
    let subscriptions = ctx.rows::<Apply>(Side::Blue, "apply");
    if !subscriptions.unseen.is_empty() {
        return Err(subscriptions.unseen);
    }
    let sync = ctx.settings(Side::Blue).number("max_sync_workers_per_subscription").map_err(|unseen| vec![unseen])?;
    let own_subscriptions = room::number(subscriptions.rows.iter().filter(|(_, s)| s.enabled).count());
    let own = room::number(databases.own.len()) + own_subscriptions;
    let all = room::number(databases.all()) + own_subscriptions;
    let needed = if shared::managed(ctx) { all } else { own };
    Ok(Room {
        setting: "max_logical_replication_workers",
        side: Side::Blue,
        needed,
        wanted: all,
        comfortable: all + sync,
        advised: all + sync.max(2) + 4,
        arithmetic: format!(
            "{} + {} of its own = {needed}",
            databases.words(),
            count(own_subscriptions, "subscription")
        ),
        otherwise: "RDS refuses to create green, whose settings start as blue's",
    })
}
