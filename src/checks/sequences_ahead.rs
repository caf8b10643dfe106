//! Every sequence is ahead of the rows that it numbers.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Side, count, quote_ident, quote_literal},
    verdict::{Finding, Judgement, Verdict, subject},
};

/// A sequence and the column that owns it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owned {
    sequence: String,
    table: String,
    column: String,
    step: i64,
    sequence_visible: bool,
    column_visible: bool,
    /// Row security hides rows from the role.
    filtered: bool,
    indexed: bool,
    /// The role may use the schemas.
    reachable: bool,
    /// What the sequence gives next.
    next: Option<String>,
    /// The column's last value in the direction of the sequence.
    reached: Option<String>,
}

impl Owned {
    fn extreme(&self) -> String {
        let function = if self.step < 0 { "min" } else { "max" };
        format!("select {function}({}) from {}", self.column, self.table)
    }

    /// Why it was not looked at.
    fn hidden(&self, role: &str) -> Option<String> {
        let role = quote_ident(role);
        if !self.reachable {
            Some(format!(
                "the schema may not be used: grant usage on its schema to {role}, or (from 14 on) grant pg_read_all_data to {role}"
            ))
        } else if !self.sequence_visible || !self.column_visible {
            Some(format!(
                "no privilege: grant select on {}, {} to {role}, or (from 14 on) grant pg_read_all_data to {role}",
                self.table, self.sequence
            ))
        } else if self.filtered {
            Some(format!(
                "row security hides rows of {} from {role}; run as its owner: {}",
                self.table,
                self.extreme()
            ))
        } else if !self.indexed {
            Some(format!(
                "column {}.{} has no index to ask; this scans the table: {}",
                self.table,
                self.column,
                self.extreme()
            ))
        } else {
            None
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let role = match ctx.server(Side::Green) {
        Ok(server) => &server.role,
        Err(unseen) => return Verdict::Unknown { unseen: vec![unseen] },
    };
    let gathered = ctx.rows::<Owned>(Side::Green, "");
    judgement.blind(gathered.unseen);
    let mut ahead = 0;
    for (database, owned) in gathered.rows {
        let place = subject(database.as_deref(), &owned.sequence);
        if let Some(why) = owned.hidden(role) {
            judgement.unseen(place, why);
            continue;
        }
        let Some(reached) = &owned.reached else {
            ahead += 1; // The table is empty.
            continue;
        };
        let (Some(next), Ok(value)) = (
            owned.next.as_ref().and_then(|n| n.parse::<i128>().ok()),
            reached.parse::<i128>(),
        ) else {
            judgement.unseen(
                place,
                format!("{reached} is no whole number, or the sequence gave none"),
            );
            continue;
        };
        let behind = if owned.step < 0 {
            next >= value
        } else {
            next <= value
        };
        if !behind {
            ahead += 1;
            continue;
        }
        let message = format!(
            "sequence {} gives {next} next, but {}.{} has already reached {value}",
            owned.sequence, owned.table, owned.column
        );
        judgement.find(
            Finding::new(&owned.sequence, message)
                .in_database(database.as_deref())
                .on(Side::Green)
                .fix(format!(
                    "select setval({}, ({}));",
                    quote_literal(&owned.sequence),
                    owned.extreme()
                ))
                .evidence("next", next.to_string())
                .evidence("reached", reached.as_str())
                .evidence("column", format!("{}.{}", owned.table, owned.column)),
        );
    }
    judgement.done_with(format!("{} ahead of their columns", count(ahead, "sequence")))
}
