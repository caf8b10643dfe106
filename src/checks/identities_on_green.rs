//! Green finds its rows by what blue sends.

use serde::Deserialize;

use super::{Ctx, compare::pairs};
use crate::{
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

/// A table whose changes travel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    /// `relreplident`: **d**efault, **i**ndex, **f**ull, **n**othing.
    identity: String,
    /// Whether the columns are those of an index that was chosen.
    chosen: bool,
    /// Of the chosen index, else of the primary key; none where neither can be used.
    columns: Option<Vec<String>>,
    /// A name for an index that would serve.
    index: String,
}

impl Table {
    /// The columns by which this side tells of a row that is changed; none where it sends the whole row, or refuses updates and deletes.
    fn sends(&self) -> Option<&[String]> {
        match self.identity.as_str() {
            "d" => self.columns.as_deref(),
            "i" if self.chosen => self.columns.as_deref(),
            _ => None,
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut tables = 0;
    for pair in pairs(ctx, &mut judgement, "", |t: &Table| t.table.clone()) {
        let (Some(blue), Some(green)) = (&pair.blue, &pair.green) else {
            continue;
        };
        tables += 1;
        let Some(sent) = blue.sends() else {
            continue;
        };
        let problem = match &green.columns {
            None => "has no key to find rows by".to_owned(),
            Some(columns) if columns.iter().all(|c| sent.contains(c)) => continue,
            Some(columns) => format!("finds rows by {}", columns.join(", ")),
        };
        judgement.find(
            Finding::new(&pair.name, format!("blue sends {} of a row of {}, and green {problem}: updates and deletes stop it", sent.join(", "), pair.name))
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix(fix(green, sent)),
        );
    }
    judgement.done_with(format!("{} on both sides", count(tables, "table")))
}

/// Gives green a key over what blue sends.
fn fix(green: &Table, sent: &[String]) -> String {
    let (table, index) = (&green.table, &green.index);
    let columns: Vec<String> = sent.iter().map(|c| quote_ident(c)).collect();
    let not_null: Vec<String> = columns.iter().map(|c| format!("alter {c} set not null")).collect();
    format!(
        "alter table {table} {};\ncreate unique index {index} on {table} ({});\nalter table {table} replica identity using index {index};",
        not_null.join(", "),
        columns.join(", ")
    )
}
