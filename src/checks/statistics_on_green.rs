//! The planner knows the tables of green.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Ctx,
    compare::some,
    tables_on_green::Relation,
};
use crate::{
    facts::DbName,
    model::{Side, count},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Tables that the printed ANALYZE names; where there are more, all of the database is analyzed.
const NAMED: usize = 40;
/// From here on pg_upgrade carries statistics, <https://www.postgresql.org/docs/18/pgupgrade.html>.
const CARRIED: u16 = 18;

/// A table that has no ANALYZE on record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    kind: String,
    estimated_rows: i64,
}

/// Rows on blue and name, by database.
type Tables = BTreeMap<DbName, Vec<(i64, String)>>;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let server = match ctx.server(Side::Green) {
        Ok(server) => server,
        Err(unseen) => return Verdict::Unknown { unseen: vec![unseen] },
    };
    let carried = server.version.major >= CARRIED;
    let blue = ctx.rows::<Relation>(Side::Blue, "relations");
    judgement.blind(blue.unseen);
    let rows: BTreeMap<(DbName, String), i64> = blue
        .rows
        .into_iter()
        .map(|(database, r)| ((database.unwrap_or_default(), r.name), r.estimated_rows))
        .collect();
    let green = ctx.rows::<Table>(Side::Green, "");
    judgement.blind(green.unseen);
    let (mut never, mut unsure) = (Tables::new(), Tables::new());
    for (database, table) in green.rows {
        let database = database.unwrap_or_default();
        let Some(expected) = rows
            .get(&(database.clone(), table.name.clone()))
            .copied()
            .filter(|n| *n > 0)
        else {
            continue;
        };
        // A table that was counted has been vacuumed, or its statistics came along.
        let list = match table.estimated_rows > 0 {
            true if carried || table.kind == "p" => continue,
            true => &mut unsure,
            false => &mut never,
        };
        list.entry(database).or_default().push((expected, table.name));
    }
    for (lists, level) in [(never, Level::Warning), (unsure, Level::Notice)] {
        for (database, mut tables) in lists {
            tables.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let names: Vec<String> = tables.into_iter().map(|(_, name)| name).collect();
            let what = count(names.len(), "table");
            let (object, message) = match level {
                Level::Warning => {
                    let verb = if names.len() == 1 {
                        "has rows and was"
                    } else {
                        "have rows and were"
                    };
                    (
                        "statistics",
                        format!("{what} {verb} never analyzed on green: {}", some(&names, 5)),
                    )
                }
                _ => {
                    let verb = if names.len() == 1 { "was" } else { "were" };
                    (
                        "statistics on record",
                        format!(
                            "{what} {verb} vacuumed on green, but no ANALYZE is on record: {}",
                            some(&names, 5)
                        ),
                    )
                }
            };
            let fix = match names.len() {
                n if n > NAMED => "analyze;".to_owned(),
                _ => format!("analyze {};", names.join(", ")),
            };
            judgement.find(
                Finding::new(object, message)
                    .in_database(Some(&database))
                    .on(Side::Green)
                    .at(level)
                    .fix(fix)
                    .evidence("tables", names.iter().take(200).cloned().collect::<Vec<_>>())
                    .evidence("count", names.len()),
            );
        }
    }
    judgement.done()
}
