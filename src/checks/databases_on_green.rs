//! Every database of blue is on green.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

/// The columns of the shared probe that matter here.
#[derive(Deserialize)]
struct Database {
    name: String,
    is_template: bool,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut seen = true;
    let [blue, green] = [Side::Blue, Side::Green].map(|side| {
        let gathered = ctx.rows::<Database>(side, "databases");
        seen &= gathered.unseen.is_empty() && gathered.more == 0;
        judgement.blind(gathered.unseen);
        let names = gathered
            .rows
            .into_iter()
            .filter(|(_, d)| !d.is_template && d.name != "rdsadmin");
        names.map(|(_, d)| d.name).collect::<BTreeSet<String>>()
    });
    let note = format!("{} on blue, {} on green", blue.len(), green.len());
    // What was not read is not missing.
    if seen {
        for name in blue.difference(&green) {
            let message = format!("database {} is on blue only", quote_ident(name));
            judgement.find(
                Finding::new(quote_ident(name), message)
                    .on(Side::Green)
                    .fix("delete the deployment with its green side, and create it anew"),
            );
        }
    }
    judgement.done_with(note)
}
