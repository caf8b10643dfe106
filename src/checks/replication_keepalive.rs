//! Neither side gives up a replication connection too soon.

use super::{Ctx, shared};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// Below this a busy moment is taken for a dead peer. RDS's own default of `wal_receiver_timeout` is 30 s.
const SHORTEST_MS: i64 = 30_000;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut sides = vec![(Side::Blue, "wal_sender_timeout")];
    if ctx.situation.has_green {
        sides.push((Side::Green, "wal_receiver_timeout"));
    }
    let mut judgement = Judgement::new();
    let mut notes = Vec::new();
    for (side, name) in sides {
        let settings = ctx.settings(side);
        let value = match settings.number(name) {
            Ok(value) => value,
            Err(unseen) => {
                judgement.blind([unseen]);
                continue;
            }
        };
        if value > 0 && value < SHORTEST_MS {
            judgement.find(
                Finding::new(name, format!("{name} of {side} is {value} ms: a busy peer counts as dead, and work begins anew"))
                    .on(side)
                    .fix(shared::set_parameter(ctx, side, name, "60000"))
                    .evidence("value", value),
            );
        }
        notes.push(format!("{name} of {side} is {value} ms"));
    }
    judgement.done_with(notes.join(", "))
}
