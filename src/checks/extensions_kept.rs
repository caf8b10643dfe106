//! Green has blue's extensions.

use serde::Deserialize;

use super::{
    Ctx,
    compare::pairs,
};
use crate::{
    model::{Side, count},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    name: String,
    installed: String,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut kept = 0;
    for pair in pairs(ctx, &mut judgement, "", |x: &Extension| x.name.clone()) {
        match (pair.blue, pair.green) {
            (Some(blue), None) => judgement.find(
                Finding::new(
                    &pair.name,
                    format!("extension {} ({}) is on blue only", pair.name, blue.installed),
                )
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix("delete the deployment with its green side, and create it anew")
                .evidence("on blue", blue.installed),
            ),
            (Some(_), Some(_)) => kept += 1,
            (None, _) => {}
        }
    }
    judgement.done_with(format!("{} on both sides", count(kept, "extension")))
}
