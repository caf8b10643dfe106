//! No table is unlogged, whose rows green would not get.

use serde::Deserialize;

use super::{Ctx, room};
use crate::{
    model::{Engine, Phase, Side, count},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    bytes: i64,
    /// Whether UPDATE and DELETE can be replicated once the table is logged; absent from facts of older versions of greenlight.
    #[serde(default)]
    identified: Option<bool>,
    #[serde(default)]
    usable_index: Option<String>,
}

impl Table {
    fn fix(&self, phase: Phase) -> String {
        let table = &self.table;
        if phase != Phase::Create {
            // The same for all, so that it is said once.
            return "-- delete the deployment with its green side, log the tables on blue, and create it anew".to_owned();
        }
        let log = format!("alter table {table} set logged;");
        match (self.identified, &self.usable_index) {
            (Some(false), Some(index)) => {
                format!("alter table {table} replica identity using index {index};\n{log}")
            }
            (Some(false), None) => format!("alter table {table} replica identity full;\n{log}"),
            _ => log,
        }
    }
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
        return judgement.done_with(format!("{}, replicated by {SWITCH}", count(n, "unlogged table")));
    }
    judgement.more(tables.more);
    for (database, table) in tables.rows {
        judgement.find(
            Finding::new(&table.table, format!("unlogged table {} is not replicated", table.table))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .fix(table.fix(ctx.situation.phase))
                .evidence("bytes", table.bytes),
        );
    }
    judgement.done()
}
