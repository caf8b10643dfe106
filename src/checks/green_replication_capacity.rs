//! Green can run an apply worker for every subscription.

use super::{
    Ctx,
    room::{self, Room},
    shared::{self, Apply},
};
use crate::{
    model::{Side, count},
    verdict::{Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let apply = ctx.rows::<Apply>(Side::Green, "apply");
    if !apply.unseen.is_empty() {
        return room::blind(apply.unseen);
    }
    let extensions = match shared::extension_workers(ctx, Side::Green) {
        Ok(extensions) => extensions.iter().map(|(_, n)| n).sum::<i64>(),
        Err(unseen) => return room::blind(unseen),
    };
    let settings = ctx.settings(Side::Green);
    // Since 18 origins have a limit of their own, before they shared the slots'.
    let origins = match settings.get("max_active_replication_origins") {
        Ok(Some(_)) => "max_active_replication_origins",
        Ok(None) => "max_replication_slots",
        Err(unseen) => return room::blind(vec![unseen]),
    };
    let n = room::number(apply.rows.len());
    let enabled = room::number(apply.rows.iter().filter(|(_, s)| s.enabled).count());
    let rooms = [
        (origins, n, count(n, "subscription"), "replication of the last databases does not start"),
        (
            "max_logical_replication_workers",
            enabled,
            count(enabled, "enabled subscription"),
            "the last databases have no apply worker",
        ),
        (
            "max_worker_processes",
            enabled + 1 + extensions,
            format!(
                "{} + 1 launcher + {extensions} for extensions",
                count(enabled, "enabled subscription")
            ),
            "the last apply workers do not start",
        ),
    ];
    let mut judgement = Judgement::new();
    let mut notes = Vec::new();
    for (setting, needed, arithmetic, otherwise) in rooms {
        let verdict = Room {
            setting,
            side: Side::Green,
            needed,
            wanted: needed,
            comfortable: needed,
            advised: needed + 4,
            arithmetic: format!("{arithmetic} = {needed}"),
            otherwise,
        }
        .verdict(ctx);
        match verdict {
            Verdict::Pass { note } => notes.extend(note),
            Verdict::Fail { findings, unseen, .. } => {
                findings.into_iter().for_each(|f| judgement.find(f));
                judgement.blind(unseen);
            }
            Verdict::Unknown { unseen } => judgement.blind(unseen),
            Verdict::Skip { .. } => {}
        }
    }
    judgement.done_with(notes.join("; "))
}
