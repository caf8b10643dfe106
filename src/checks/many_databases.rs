//! Few enough databases that one slot each is no burden.

use super::{Ctx, room, shared::Databases};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let databases = match Databases::of(ctx, Side::Blue) {
        Ok(databases) => databases,
        Err(unseen) => return room::blind(unseen),
    };
    let mut judgement = Judgement::new();
    let n = databases.own.len() as u64;
    if n > ctx.policy.thresholds.many_databases {
        judgement.find(
            Finding::new(
                "databases",
                format!(
                    "{}: each takes a slot, a WAL sender that decodes the whole log, and an apply worker",
                    databases.words()
                ),
            )
            .on(Side::Blue)
            .fix("-- drop databases that nobody uses any more; rehearse with the real load, and compare CPU and memory")
            .evidence("databases", n)
            .evidence("threshold", ctx.policy.thresholds.many_databases),
        );
    }
    judgement.done_with(databases.words())
}
