//! Sequences of green count as those of blue do.

use serde::Deserialize;

use super::{
    Ctx,
    compare::{WRITABLE, pairs},
};
use crate::{
    model::{Side, count},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sequence {
    name: String,
    /// As ALTER SEQUENCE spells it.
    definition: String,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut same = 0;
    for pair in pairs(ctx, &mut judgement, "", |s: &Sequence| s.name.clone()) {
        let (Some(blue), Some(green)) = (pair.blue, pair.green) else {
            continue;
        };
        let name = &pair.name;
        if blue.definition == green.definition {
            same += 1;
            continue;
        }
        let message = format!(
            "sequence {name} counts {} on blue, {} on green",
            blue.definition, green.definition
        );
        judgement.find(
            Finding::new(name, message)
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix(format!("{WRITABLE}\nalter sequence {name} {};", blue.definition)),
        );
    }
    judgement.done_with(format!("{} the same", count(same, "sequence")))
}
