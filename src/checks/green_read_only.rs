//! Nobody was let write to green.

use serde::Deserialize;

use super::{
    Ctx,
    compare::{WRITABLE, server_pairs},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// A role or database for which `default_transaction_read_only` is off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    name: String,
    /// The head of the statement that takes it back.
    alter: String,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    for pair in server_pairs(ctx, &mut judgement, "", |o: &Override| o.name.clone()) {
        let (None, Some(green)) = (pair.blue, pair.green) else {
            continue;
        };
        let who = if green.name.is_empty() {
            "all roles"
        } else {
            green.name.as_str()
        };
        judgement.find(
            Finding::new(
                who,
                format!("default_transaction_read_only is off for {who} on green"),
            )
            .on(Side::Green)
            .fix(format!(
                "{WRITABLE}\n{} reset default_transaction_read_only;",
                green.alter
            )),
        );
    }
    judgement.done()
}
