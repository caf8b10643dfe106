//! Blue writes what logical replication needs.

use super::{Ctx, room, shared};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Blue);
    let (wal_level, switch) = match (settings.get("wal_level"), settings.get("rds.logical_replication")) {
        (Ok(Some(wal_level)), Ok(switch)) => (wal_level, switch),
        (Ok(None), _) => return Verdict::unknown("setting wal_level", "the server has no such setting"),
        (Err(unseen), _) | (_, Err(unseen)) => return room::blind(vec![unseen]),
    };
    let value = wal_level.setting.as_deref().unwrap_or_default();
    let on = |text: &str| matches!(text, "on" | "1" | "true");
    let switch_value = switch.and_then(|s| s.setting.as_deref());
    let switch_is_on = switch_value.map(on);
    let mut judgement = Judgement::new();
    let fix = if shared::managed(ctx) {
        shared::set_parameter(ctx, Side::Blue, "rds.logical_replication", "1")
    } else {
        shared::set_parameter(ctx, Side::Blue, "wal_level", "logical")
    };
    if value != "logical" {
        let message = match (switch_is_on, wal_level.pending_restart) {
            (Some(true), _) => {
                format!("wal_level is still {value}: rds.logical_replication is set, but the server was not rebooted since")
            }
            (_, true) => format!("wal_level is still {value}: a change waits for a restart"),
            (Some(false), _) => format!("wal_level is {value}: rds.logical_replication is off"),
            (None, _) => format!("wal_level is {value}: logical replication is off"),
        };
        judgement.find(Finding::new("wal_level", message).on(Side::Blue).fix(fix).evidence("wal_level", value));
    } else if switch_is_on == Some(false) || wal_level.pending_restart {
        let message = "logical replication is on, but will be off after the next restart".to_owned();
        judgement.find(
            Finding::new("wal_level", message)
                .on(Side::Blue)
                .at(Level::Warning)
                .fix(fix)
                .evidence("wal_level", value),
        );
    }
    judgement.done_with("wal_level is logical".to_owned())
}
