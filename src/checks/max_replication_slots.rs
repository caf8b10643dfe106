//! Blue has a replication slot for every database.

use super::{
    Ctx,
    room::{self, Room},
    shared::{self, Apply, Databases, Slot},
};
use crate::{
    model::{Side, count},
    verdict::{Unseen, Verdict},
};

/// Slots to spare, as AWS advises "a few" beyond the sum.
const SPARE: i64 = 5;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    room::judge(ctx, room(ctx))
}

/// What is asked of the setting, or what could not be looked at.
pub(super) fn room(ctx: &Ctx<'_>) -> Result<Room, Vec<Unseen>> {
    let databases = Databases::of(ctx, Side::Blue)?;
    let slots = ctx.rows::<Slot>(Side::Blue, "slots");
    if !slots.unseen.is_empty() {
        return Err(slots.unseen);
    }
    let green = ctx.rows::<Apply>(Side::Green, "apply").rows;
    let staying = slots.rows.iter().filter(|(_, s)| !shared::is_services(s, &green)).count();
    let staying = room::number(staying) + i64::try_from(slots.more).unwrap_or(0);
    let managed = shared::managed(ctx);
    let own = room::number(databases.own.len()) + staying;
    let all = room::number(databases.all()) + staying;
    // AWS asks for more slots than there are databases, its own among them; PostgreSQL itself needs one each.
    let needed = if managed { all + 1 } else { own };
    let extra = if managed { " + 1 for the service" } else { "" };
    Ok(Room {
        setting: "max_replication_slots",
        side: Side::Blue,
        needed,
        wanted: needed.max(all),
        comfortable: needed.max(all + SPARE),
        advised: all + 2 * SPARE,
        arithmetic: format!(
            "{} + {} in use that stay{extra} = {needed}",
            databases.words(),
            count(staying, "slot")
        ),
        otherwise: "creating the slots of the last databases fails",
    })
}
