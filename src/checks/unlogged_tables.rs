//! No table is unlogged, whose rows green would not get.

use serde::Deserialize;

use super::{Ctx, room};
use crate::{
    model::{Engine, Side},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    bytes: i64,
}

/// Aurora can replicate unlogged tables.
const SWITCH: &str = "rds.logically_replicate_unlogged_tables";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let tables = ctx.rows::<Table>(Side::Blue, "");
    let settings = ctx.settings(Side::Blue);
    let switched = match settings.get(SWITCH) {
        Ok(setting) => setting.is_some_and(|s| matches!(s.setting.as_deref(), Some("on" | "1" | "true"))),
        Err(unseen) => return room::blind(vec![unseen]),
    };
    let mut judgement = Judgement::new();
    judgement.blind(tables.unseen);
    if switched && ctx.situation.engine == Engine::Aurora {
        let n = tables.rows.len() as u64 + tables.more;
        return judgement.done_with(format!("{n} unlogged tables, replicated by {SWITCH}"));
    }
    judgement.more(tables.more);
    for (database, table) in tables.rows {
        judgement.find(
            Finding::new(&table.table, format!("unlogged table {} is not replicated", table.table))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .fix(format!("alter table {} set logged;", table.table))
                .evidence("bytes", table.bytes),
        );
    }
    judgement.done()
}
