//! Blue subscribes to nobody.

use super::{Ctx, shared::Apply};
use crate::{
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let subscriptions = ctx.rows::<Apply>(Side::Blue, "apply");
    let mut judgement = Judgement::new();
    judgement.more(subscriptions.more);
    judgement.blind(subscriptions.unseen);
    for (_, subscription) in subscriptions.rows {
        let name = quote_ident(&subscription.name);
        let state = if subscription.enabled { "enabled" } else { "disabled" };
        judgement.find(
            Finding::new(&name, format!("subscription {name} ({state}) makes blue a replica of another server"))
                .in_database(Some(&subscription.database))
                .on(Side::Blue)
                .fix(format!(
                    "alter subscription {name} disable;\nalter subscription {name} set (slot_name = none);\ndrop subscription {name};\n\
                     -- then drop its slot {} at the publisher",
                    subscription.slot.as_deref().unwrap_or("(none)")
                ))
                .evidence("enabled", subscription.enabled)
                .evidence("running", subscription.pid.is_some()),
        );
    }
    judgement.done()
}
