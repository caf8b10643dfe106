//! The replication between the two sides is taken down.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// A subscription or a slot of the service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leftover {
    kind: String,
    name: String,
    database: Option<String>,
    active: bool,
}

impl Leftover {
    fn fix(&self) -> String {
        let name = &self.name;
        match self.kind.as_str() {
            "subscription" => format!(
                "alter subscription {name} disable;\nalter subscription {name} set (slot_name = none);\ndrop subscription {name};"
            ),
            // Slots are named with lower-case letters, digits and underscores only.
            _ => format!("select pg_drop_replication_slot('{name}');"),
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    for side in [Side::Green, Side::Blue] {
        let gathered = ctx.rows::<Leftover>(side, "");
        judgement.more(gathered.more);
        judgement.blind(gathered.unseen);
        for (_, left) in gathered.rows {
            let (place, level) = match (side, left.kind.as_str()) {
                (Side::Green, _) => ("production", Level::Warning),
                // The old side's own subscriptions came from before the deployment.
                (_, "subscription") => continue,
                _ => ("the old side", Level::Notice),
            };
            let state = if left.active { "in use" } else { "not in use" };
            judgement.find(
                Finding::new(
                    format!("{} {}", left.kind, left.name),
                    format!("{} {} is still on {place}, {state}", left.kind, left.name),
                )
                .in_database(left.database.as_deref())
                .on(side)
                .at(level)
                .fix(left.fix()),
            );
        }
    }
    judgement.done()
}
