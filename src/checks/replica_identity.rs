//! Every replicated table can replicate UPDATE and DELETE.

use std::cmp::Reverse;

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    identity: String,
    is_partition: bool,
    estimated_rows: i64,
    updates_and_deletes: Option<i64>,
    has_deferrable_key: Option<bool>,
    usable_index: Option<String>,
    refuses_full: bool,
    incomparable: Option<String>,
}

impl Table {
    /// Why nothing identifies a row.
    fn reason(&self) -> String {
        match (self.identity.as_str(), &self.incomparable) {
            ("f", Some(columns)) => {
                format!("has REPLICA IDENTITY FULL and no key, but {columns} cannot be compared")
            }
            ("i", _) => "has lost the index that was its replica identity".to_owned(),
            ("n", _) => "has REPLICA IDENTITY NOTHING".to_owned(),
            _ if self.has_deferrable_key == Some(true) => "has only a deferrable primary key".to_owned(),
            _ => "has no primary key and no other replica identity".to_owned(),
        }
    }

    /// The cheapest change that works when it is pasted.
    fn fix(&self) -> String {
        let table = &self.table;
        if let Some(index) = &self.usable_index {
            return format!("alter table {table} replica identity using index {index};");
        }
        // FULL compares every column on green.
        let obstacle = match &self.incomparable {
            Some(columns) => columns.as_str(),
            None if self.refuses_full => "generated columns",
            None => return format!("alter table {table} replica identity full;"),
        };
        if self.is_partition {
            format!("-- give the partitioned table above {table} a primary key: FULL does not work with {obstacle}")
        } else {
            format!("alter table {table} add column replication_id bigint generated always as identity primary key;")
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut tables = ctx.rows::<Table>(Side::Blue, "");
    // Whichever database they are in: a report shows the first ones.
    tables
        .rows
        .sort_by_key(|(_, table)| Reverse((table.updates_and_deletes, table.estimated_rows)));
    judgement.more(tables.more);
    judgement.blind(tables.unseen);
    for (database, table) in tables.rows {
        let what = if table.is_partition { "partition" } else { "table" };
        let mut finding = Finding::new(&table.table, format!("{what} {} {}", table.table, table.reason()))
            .in_database(database.as_deref())
            .on(Side::Blue)
            .fix(table.fix());
        // -1: never analyzed, nobody knows.
        if table.estimated_rows >= 0 {
            finding = finding.evidence("estimated rows", table.estimated_rows);
        }
        if let Some(count) = table.updates_and_deletes {
            finding = finding.evidence("updates and deletes", count);
        }
        judgement.find(finding);
    }
    judgement.done()
}
