//! Tables of green have about as many rows as those of blue.

use super::{Ctx, compare::pairs, tables_on_green::Relation};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// From here on -1 says that nobody has counted, so that 0 is a count, <https://www.postgresql.org/docs/14/catalog-pg-class.html>.
const HONEST: u16 = 14;
/// Differences in rows below this tell nothing.
const NOTEWORTHY: i64 = 10_000;
/// A table that was counted when it was empty is counted again after so many rows,
/// <https://www.postgresql.org/docs/17/runtime-config-autovacuum.html#GUC-AUTOVACUUM-ANALYZE-THRESHOLD>.
const UNCOUNTED: i64 = 50;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let counted = |side: Side, rows: i64| {
        rows > 0 || rows == 0 && ctx.server(side).is_ok_and(|s| s.version.major >= HONEST)
    };
    let mut compared = 0;
    for pair in pairs(ctx, &mut judgement, "relations", |r: &Relation| r.name.clone()) {
        let (Some(blue), Some(green)) = (&pair.blue, &pair.green) else {
            continue;
        };
        let (b, g) = (blue.estimated_rows, green.estimated_rows);
        // What is not replicated is as old as green.
        if blue.kind != "r" || !counted(Side::Blue, b) || !counted(Side::Green, g) {
            continue;
        }
        compared += 1;
        let message = if b == 0 && g > UNCOUNTED {
            format!("{} was empty when blue last counted and has about {g} rows on green", pair.name)
        } else if (b - g).abs() > NOTEWORTHY && (b - g).abs() > b.max(g) / 2 {
            format!("{} has about {b} rows on blue and {g} on green", pair.name)
        } else {
            continue;
        };
        judgement.find(
            Finding::new(&pair.name, message)
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix(format!(
                    "analyze {}; -- on both sides, then look again",
                    pair.name
                ))
                .evidence("blue", b)
                .evidence("green", g),
        );
    }
    judgement.done_with(format!("{compared} tables have estimates on both sides"))
}
