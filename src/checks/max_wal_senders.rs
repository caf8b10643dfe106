//! Blue has a WAL sender for every database beside those of its readers.

use super::{
    Ctx,
    room::{self, Room},
    shared::{self, Apply, Databases, Sender},
};
use crate::{
    model::{Engine, Side, count},
    verdict::{Unseen, Verdict},
};

/// Senders to spare for backups, new readers, and a connection that is not noticed dead yet.
const SPARE: i64 = 5;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    room::judge(ctx, room(ctx))
}

/// What is asked of the setting, or what could not be looked at.
pub(super) fn room(ctx: &Ctx<'_>) -> Result<Room, Vec<Unseen>> {
    let databases = Databases::of(ctx, Side::Blue)?;
    let senders = ctx.rows::<Sender>(Side::Blue, "senders");
    if !senders.unseen.is_empty() {
        return Err(senders.unseen);
    }
    let green = ctx.rows::<Apply>(Side::Green, "apply").rows;
    // By their names, since a slot of another look may be gone again: those of a table's first copy live for moments.
    let others = |slot: &str| !shared::is_services_name(slot, &green);
    let consumers = senders.rows.iter().filter(|(_, s)| s.logical && s.slot.as_deref().is_some_and(others));
    let consumers = room::number(consumers.count());
    let physical = senders.rows.iter().filter(|(_, s)| !s.logical).count();
    // A reader that is restarting right now has no sender; the control plane knows it all the same. Aurora's readers
    // share the volume and take none.
    let readers = match (ctx.situation.engine, ctx.facts.rds.known().and_then(|rds| rds.blue.known())) {
        (Engine::Rds, Some(topology)) => topology.readers().max(physical),
        _ => physical,
    };
    let readers = room::number(readers);
    let managed = shared::managed(ctx);
    let own = room::number(databases.own.len()) + readers + consumers;
    let all = room::number(databases.all()) + readers + consumers;
    let needed = if managed { all } else { own };
    Ok(Room {
        setting: "max_wal_senders",
        side: Side::Blue,
        needed,
        wanted: all,
        comfortable: all + SPARE,
        advised: all + 2 * SPARE,
        arithmetic: format!(
            "{} + {} + {} = {needed}",
            databases.words(),
            count(readers, "reader"),
            count(consumers, "other consumer"),
        ),
        otherwise: "green cannot connect for the last databases",
    })
}
