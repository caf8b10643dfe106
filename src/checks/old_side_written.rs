//! The old side has taken no numbers that production lacks.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Ctx,
    compare::pairs,
};
use crate::{
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sequence {
    name: String,
    step: i64,
    visible: bool,
    /// The number that was given out last; absent where there was none.
    last: Option<i64>,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut hidden: BTreeMap<(Side, String), usize> = BTreeMap::new();
    let mut same = 0;
    for pair in pairs(ctx, &mut judgement, "", |s: &Sequence| s.name.clone()) {
        let (Some(old), Some(new)) = (pair.blue, pair.green) else {
            continue;
        };
        for (side, sequence) in [(Side::Blue, &old), (Side::Green, &new)] {
            if !sequence.visible {
                *hidden.entry((side, pair.database.clone())).or_default() += 1;
            }
        }
        if !old.visible || !new.visible {
            continue;
        }
        let Some(taken) = old.last.filter(|taken| beyond(*taken, new.last, old.step)) else {
            same += 1;
            continue;
        };
        let name = &pair.name;
        let stands = new
            .last
            .map_or_else(|| "has given out none".to_owned(), |last| format!("stands at {last}"));
        judgement.find(
            Finding::new(
                name,
                format!(
                    "sequence {name} stands at {taken} on the old side, and production's {stands}: it was used on the old side \
                     after the switchover, or production's was set back or never moved"
                ),
            )
            .in_database(Some(&pair.database))
            .on(Side::Blue)
            .fix("keep the old side; find who writes there, and compare the newest rows of the tables that use the sequence")
            .evidence("old side", taken)
            .evidence("production", new.last),
        );
    }
    for ((side, database), sequences) in hidden {
        let role = ctx
            .server(side)
            .map_or_else(|_| "the role".to_owned(), |server| quote_ident(&server.role));
        judgement.unseen(
            format!("{side}:{database}"),
            format!(
                "{} may not be read: grant select on all sequences in their schemas to {role}, or pg_read_all_data from 14 on",
                count(sequences, "sequence")
            ),
        );
    }
    judgement.done_with(format!(
        "{} of the old side not beyond production's",
        count(same, "sequence")
    ))
}

/// Whether `old` comes after `new` in the order in which the sequence counts.
fn beyond(old: i64, new: Option<i64>, step: i64) -> bool {
    match new {
        None => true,
        Some(new) if step < 0 => old < new,
        Some(new) => old > new,
    }
}
