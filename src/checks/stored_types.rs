//! Stored columns of types that `pg_upgrade` refuses. One probe finds them all; each page takes those that name it.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    check_id: String,
    #[expect(dead_code, reason = "the page's own `applies` says the same")]
    step: Option<u16>,
    of_all: u64,
    column: String,
    relation: String,
    attribute: String,
    kind: String,
    r#type: String,
    base: String,
    is_array: bool,
    has_default: bool,
    inherited_from: Option<String>,
}

impl Column {
    fn what(&self) -> &'static str {
        match self.kind.as_str() {
            "m" => "materialized view column",
            "i" => "index column",
            _ => "column",
        }
    }

    /// A type that holds the same text or instant and travels.
    fn replacement(&self) -> &'static str {
        match (self.is_array, self.r#type.as_str()) {
            (true, _) => "text[]",
            (_, "abstime") => "timestamp with time zone",
            (_, "reltime") => "interval",
            _ => "text",
        }
    }

    fn fix(&self) -> String {
        match self.kind.as_str() {
            "m" => format!("drop materialized view {};", self.relation),
            "i" => format!("drop index {};", self.relation),
            _ => {
                let table = self.inherited_from.as_ref().unwrap_or(&self.relation);
                let (column, to) = (&self.attribute, self.replacement());
                let default = if self.has_default {
                    format!("alter column {column} drop default, ")
                } else {
                    String::new()
                };
                format!("alter table {table} {default}alter column {column} type {to} using {column}::{to};")
            }
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let columns = ctx.rows::<Column>(Side::Blue, "columns-by-type");
    judgement.more(columns.more);
    judgement.blind(columns.unseen);
    let mut listed = std::collections::BTreeMap::<Option<String>, (u64, u64)>::new();
    for (database, column) in columns.rows {
        if column.check_id != ctx.page.id {
            continue;
        }
        let counts = listed.entry(database.clone()).or_default();
        *counts = (counts.0 + 1, column.of_all);
        let through = if column.r#type == column.base {
            String::new()
        } else {
            format!(", which contains {}", column.base)
        };
        let message = format!("{} {} has type {}{through}", column.what(), column.column, column.r#type);
        judgement.find(
            Finding::new(&column.column, message)
                .in_database(database.as_deref())
                .on(Side::Blue)
                .fix(column.fix())
                .evidence("type", column.r#type.as_str())
                .evidence("refused type", column.base.as_str()),
        );
    }
    judgement.more(listed.values().map(|(shown, all)| all - shown).sum());
    judgement.done()
}
