//! No large objects, which logical replication does not carry.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    objects: i64,
    column_count: i64,
    columns: Option<String>,
    function_count: i64,
    functions: Option<String>,
    extension: bool,
}

/// Counting stops here.
const MANY: i64 = 1_000_000;

impl Use {
    /// What in the schema works with large objects. Columns of type `oid` alone prove nothing: they may hold any number.
    fn traces(&self) -> Vec<String> {
        let mut traces = Vec::new();
        if self.function_count > 0 {
            let names = self.functions.as_deref().unwrap_or_default();
            traces.push(format!("{} functions call lo_… ({names})", self.function_count));
        }
        if self.extension {
            traces.push("the extension lo is installed".to_owned());
        }
        if self.objects > 0 && self.column_count > 0 {
            let names = self.columns.as_deref().unwrap_or_default();
            traces.push(format!("{} columns may refer to them ({names})", self.column_count));
        }
        traces
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let uses = ctx.rows::<Use>(Side::Blue, "");
    judgement.blind(uses.unseen);
    for (database, usage) in uses.rows {
        let traces = usage.traces();
        let count = match usage.objects {
            MANY.. => "more than 1,000,000".to_owned(),
            n => n.to_string(),
        };
        let (level, message) = match (usage.objects, traces.is_empty()) {
            (0, true) => continue,
            (0, false) => (Level::Warning, format!("no large objects so far, but {}", traces.join(", "))),
            (_, true) => (Level::Warning, format!("{count} large objects, which nothing in the schema refers to")),
            (_, false) => (Level::Blocker, format!("{count} large objects, and {}", traces.join(", "))),
        };
        judgement.find(
            Finding::new("large objects", message)
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(level)
                .fix(
                    "-- move the contents into bytea columns, then remove the objects:\n\
                     -- update TABLE set BYTES = lo_get(COLUMN); select lo_unlink(COLUMN) from TABLE;",
                )
                .evidence("objects", usage.objects)
                .evidence("columns", usage.columns)
                .evidence("functions", usage.functions),
        );
    }
    judgement.done()
}
