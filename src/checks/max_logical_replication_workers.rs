//! There is an apply worker for every database.

use super::{
    Ctx,
    room::{self, Room, plural},
    shared::{self, Apply, Databases},
};
use crate::{model::Side, verdict::Verdict};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let databases = match Databases::of(ctx, Side::Blue) {
        Ok(databases) => databases,
        Err(unseen) => return room::blind(unseen),
    };
    let subscriptions = ctx.rows::<Apply>(Side::Blue, "apply");
    if !subscriptions.unseen.is_empty() {
        return room::blind(subscriptions.unseen);
    }
    let sync = match ctx.settings(Side::Blue).number("max_sync_workers_per_subscription") {
        Ok(sync) => sync,
        Err(unseen) => return room::blind(vec![unseen]),
    };
    let own_subscriptions = room::count(subscriptions.rows.iter().filter(|(_, s)| s.enabled).count());
    let own = room::count(databases.own.len()) + own_subscriptions;
    let all = room::count(databases.all()) + own_subscriptions;
    let needed = if shared::managed(ctx) { all } else { own };
    Room {
        setting: "max_logical_replication_workers",
        side: Side::Blue,
        needed,
        wanted: all,
        comfortable: all + sync,
        advised: all + sync.max(2) + 4,
        arithmetic: format!(
            "{} + {} of its own = {needed}",
            databases.words(),
            plural(own_subscriptions, "subscription")
        ),
        otherwise: "RDS refuses to create green, whose settings start as blue's",
    }
    .verdict(ctx)
}
