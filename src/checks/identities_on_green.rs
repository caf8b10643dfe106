//! Green finds its rows by what blue sends.

use serde::Deserialize;

use super::{Ctx, compare::pairs};
use crate::{
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
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
    /// All columns but generated ones, only of tables that send whole rows or have no key. Absent from facts of older versions of
    /// greenlight, and so is the next.
    #[serde(default)]
    whole: Option<Vec<String>>,
    /// Those of them that surely hold values, being NOT NULL or having a default.
    #[serde(default)]
    filled: Option<Vec<String>>,
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
        if blue.identity == "f" {
            let found = blue.whole.as_deref().and_then(|sent| whole_row(&pair.name, sent, green));
            if let Some(finding) = found {
                judgement.find(finding.in_database(Some(&pair.database)).on(Side::Green));
            }
            continue;
        }
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

/// What goes wrong where blue sends all of its columns: green takes those that it alone has for NULL.
fn whole_row(table: &str, sent: &[String], green: &Table) -> Option<Finding> {
    let more = |columns: &Option<Vec<String>>| -> Vec<String> {
        columns.iter().flatten().filter(|c| !sent.contains(c)).map(|c| quote_ident(c)).collect()
    };
    if green.columns.is_some() {
        let lacking = more(&green.columns);
        return (!lacking.is_empty()).then(|| {
            let message = format!("green finds rows of {table} by a key with {}, which blue does not have: updates and deletes stop it", lacking.join(", "));
            Finding::new(table, message).fix(drop_columns(table, &lacking))
        });
    }
    let (compared, filled) = (more(&green.whole), !more(&green.filled).is_empty());
    (!compared.is_empty()).then(|| {
        let which = if filled { "no row is" } else { "rows that hold something there are not" };
        let message = format!(
            "green compares whole rows of {table}, also {}, which blue does not have: {which} found, and updates and deletes are left out without an error",
            compared.join(", ")
        );
        let level = if filled { Level::Blocker } else { Level::Warning };
        Finding::new(table, message).at(level).fix(drop_columns(table, &compared))
    })
}

fn drop_columns(table: &str, columns: &[String]) -> String {
    let drops: Vec<String> = columns.iter().map(|c| format!("drop column {c}")).collect();
    format!("-- on green; or give the table the same key on both sides\nalter table {table} {};", drops.join(", "))
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
