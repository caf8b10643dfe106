//! Every table and column of blue is on green.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Ctx,
    compare::{pairs, same_text},
};
use crate::{
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// A row of the shared probe `relations`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) kind: String,
    persistence: String,
    pub(super) estimated_rows: i64,
    #[expect(dead_code, reason = "part of the row")]
    pages: i64,
    columns: Option<BTreeMap<String, String>>,
}

impl Relation {
    fn columns(&self) -> BTreeMap<&str, &str> {
        self.columns.iter().flatten().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// Whether its rows travel: partitions do, their parents have none.
    pub(super) fn replicates(&self) -> bool {
        self.kind == "r" && self.persistence == "p"
    }

    fn what(&self) -> &'static str {
        match self.kind.as_str() {
            "f" => "foreign table",
            "m" => "materialized view",
            "p" => "partitioned table",
            _ => "table",
        }
    }
}

const ANEW: &str = "delete the deployment with its green side, and create it anew";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let pairs = pairs(ctx, &mut judgement, "relations", |r: &Relation| r.name.clone());
    let mut tables = 0;
    for pair in &pairs {
        let database = Some(pair.database.as_str());
        let find = |object: String, message: String| {
            Finding::new(object, message).in_database(database).on(Side::Green).fix(ANEW)
        };
        let (blue, green) = match (&pair.blue, &pair.green) {
            (Some(blue), Some(green)) => (blue, green),
            (Some(blue), None) => {
                let message = format!("{} {} is on blue only", blue.what(), pair.name);
                // What is not replicated anyway is missed after the switchover, but stops nothing before it.
                let level = if ["f", "m"].contains(&blue.kind.as_str()) { Level::Warning } else { Level::Blocker };
                judgement.find(find(pair.name.clone(), message).at(level));
                continue;
            }
            _ => continue,
        };
        tables += 1;
        if blue.replicates() && !["r", "p"].contains(&green.kind.as_str()) {
            let message = format!("{} is a table on blue and a {} on green, which takes no changes, and stops", pair.name, green.what());
            judgement.find(find(pair.name.clone(), message));
        }
        if blue.replicates() && green.persistence == "u" {
            let message = format!("table {} is unlogged on green: its rows do not travel, and do not outlive a crash there", pair.name);
            judgement.find(find(pair.name.clone(), message));
        }
        let (blue, green) = (blue.columns(), green.columns());
        for (column, kind) in &blue {
            let object = format!("{}.{}", pair.name, quote_ident(column));
            match green.get(column) {
                None => {
                    judgement.find(find(object.clone(), format!("column {object} ({kind}) is on blue only")));
                }
                Some(other) if !same_text(kind, other) => {
                    let mut message = format!("column {object} is {kind} on blue and {other} on green");
                    let level = match [kind, other].map(|k| k.contains(" generated ")) {
                        [false, true] => {
                            message.push_str(": green takes no values for it, and stops");
                            Level::Blocker
                        }
                        [true, false] => {
                            message.push_str(": blue sends no values for it");
                            Level::Blocker
                        }
                        _ => Level::Warning,
                    };
                    judgement.find(find(object, message).at(level));
                }
                Some(_) => {}
            }
        }
        for (column, kind) in green.iter().filter(|(c, kind)| !blue.contains_key(*c) && kind.ends_with(" not null")) {
            let object = format!("{}.{}", pair.name, quote_ident(column));
            let message = format!(
                "column {object} ({kind}) is on green only: without a default every insert from blue fails there"
            );
            judgement.find(find(object, message));
        }
    }
    judgement.done_with(format!("{tables} tables are the same"))
}
