//! Nothing on blue invalidates a slot that is behind.

use super::{Ctx, room, shared};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Blue);
    let mut judgement = Judgement::new();
    for (name, unlimited) in [("max_slot_wal_keep_size", "-1"), ("idle_replication_slot_timeout", "0")] {
        let setting = match settings.get(name) {
            Ok(Some(setting)) => setting,
            // 13 and 18 brought them.
            Ok(None) => continue,
            Err(unseen) => return room::blind(vec![unseen]),
        };
        let value = setting.setting.as_deref().unwrap_or_default();
        if value == unlimited {
            continue;
        }
        let unit = setting.unit.as_deref().unwrap_or_default();
        let message = match name {
            "max_slot_wal_keep_size" => {
                format!("{name} is {value} {unit}: a slot that is further behind is lost, and green with it")
            }
            _ => format!("{name} is {value} {unit}: a slot that nobody reads for so long is lost, and green with it"),
        };
        judgement.find(
            Finding::new(name, message)
                .on(Side::Blue)
                .fix(shared::set_parameter(ctx, Side::Blue, name, unlimited))
                .evidence("value", value),
        );
    }
    judgement.done()
}
