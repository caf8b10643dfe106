//! No row without a key is looked up by a hash index that leaves NULL out.

use serde::Deserialize;

use super::{Ctx, compare::pairs};
use crate::{
    facts::DbName,
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

/// A table that sends whole rows, or whose rows would be looked up by a hash index.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    /// Whether its identity is the whole row.
    whole: bool,
    /// The hash index by which this side would look a row up without a key, and its column; none where it would not, or where that
    /// column holds no NULL.
    index: Option<String>,
    column: Option<String>,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    if !ctx.situation.has_green {
        let gathered = ctx.rows::<Table>(Side::Blue, "");
        judgement.blind(gathered.unseen);
        for (database, table) in gathered.rows.iter().filter(|(_, t)| t.whole) {
            find(&mut judgement, Side::Blue, database.as_ref(), table);
        }
        return judgement.done();
    }
    // Whether whole rows are sent is blue's to say, and how they are looked up is green's.
    for pair in pairs(ctx, &mut judgement, "", |t: &Table| t.table.clone()) {
        if let (Some(blue), Some(green)) = (&pair.blue, &pair.green)
            && blue.whole
        {
            find(&mut judgement, Side::Green, Some(&pair.database), green);
        }
    }
    judgement.done()
}

fn find(judgement: &mut Judgement, side: Side, database: Option<&DbName>, table: &Table) {
    let (Some(index), Some(column)) = (&table.index, &table.column) else {
        return;
    };
    let (table, column) = (&table.table, quote_ident(column));
    judgement.find(
        Finding::new(
            table,
            format!(
                "{table} has REPLICA IDENTITY FULL and no key: green looks its rows up by {index}, which holds no NULL, and leaves out \
                 updates and deletes of rows with NULL in {column}"
            ),
        )
        .in_database(database.map(String::as_str))
        .on(side)
        .fix(format!("drop index {index};"))
        .evidence("index", index.clone())
        .evidence("column", column),
    );
}
