//! Each table of green is the one that it was copied from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Ctx,
    compare::{Pair, pairs, some},
};
use crate::{
    facts::Fact,
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Columns that a message names.
const NAMED: usize = 5;

const ANEW: &str =
    "--compare-rows TABLE tells whether rows differ; if they do, delete the deployment with its green side, and create it anew";

/// A table that holds rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    oid: u32,
    /// Of its oldest index.
    index: Option<u32>,
    /// By their number, with those that were dropped as `null`.
    columns: Vec<Option<String>>,
}

impl Table {
    /// The number of each column.
    fn numbers(&self) -> BTreeMap<&str, usize> {
        let numbered = self.columns.iter().enumerate();
        numbered.filter_map(|(number, name)| Some((name.as_deref()?, number))).collect()
    }
}

/// A table that is on both sides.
struct Both<'a> {
    database: &'a str,
    name: &'a str,
    blue: &'a Table,
    green: &'a Table,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let pairs = pairs(ctx, &mut judgement, "", |t: &Table| t.table.clone());
    let both: Vec<Both<'_>> = pairs.iter().filter_map(both).collect();
    let Some(newest) = newest_copied(&both) else {
        let verdict = judgement.done_with(count(0, "table"));
        return match verdict {
            Verdict::Pass { .. } if !both.is_empty() => {
                Verdict::skip("green is no copy of blue's storage: its tables have identifiers of their own")
            }
            verdict => verdict,
        };
    };
    for table in &both {
        let Some((level, message)) = problem(table, &pairs, newest).filter(|_| !compared_equal(ctx, table)) else {
            continue;
        };
        judgement.find(
            Finding::new(table.name, message)
                .at(level)
                .in_database(Some(table.database))
                .on(Side::Green)
                .fix(ANEW)
                .evidence("oid on blue", table.blue.oid)
                .evidence("oid on green", table.green.oid),
        );
    }
    judgement.done_with(format!("{} as they were copied", count(both.len(), "table")))
}

fn both(pair: &Pair<Table>) -> Option<Both<'_>> {
    Some(Both {
        database: &pair.database,
        name: &pair.name,
        blue: pair.blue.as_ref()?,
        green: pair.green.as_ref()?,
    })
}

/// The newest table that certainly came to green with the copy; none where green is no copy. Identifiers are given in turn, so that
/// what has a lower one was there by then.
fn newest_copied(both: &[Both<'_>]) -> Option<u32> {
    let same = || both.iter().filter(|t| t.blue.oid == t.green.oid);
    // A schema that was dumped and loaded may agree in a table by chance, in its index too it does not.
    let proven = same().any(|t| t.blue.index.is_some() && t.blue.index == t.green.index);
    let copied = proven && same().count() * 2 > both.len();
    same().map(|t| t.blue.oid).max().filter(|_| copied)
}

/// What was done to a table on one side only, and how bad it is.
fn problem(table: &Both<'_>, pairs: &[Pair<Table>], newest: u32) -> Option<(Level, String)> {
    let Both { name, blue, green, .. } = table;
    if blue.oid == green.oid {
        return columns(table);
    }
    if blue.oid.min(green.oid) > newest {
        // Made since, on both sides.
        return None;
    }
    let there = || pairs.iter().filter(|p| p.database == table.database);
    let renamed = there().find(|p| p.blue.as_ref().is_some_and(|t| t.oid == green.oid));
    let elsewhere = || there().any(|p| p.green.as_ref().is_some_and(|t| t.oid == blue.oid));
    Some(match renamed {
        Some(now) if blue.oid > newest || elsewhere() => (
            Level::Blocker,
            format!("{name} of green is the table that blue calls {} now: what blue writes to its {name} ends up in it", now.name),
        ),
        None if blue.oid > newest => (
            Level::Blocker,
            format!("{name} was made anew on blue after green was copied: green still holds the rows of the old one"),
        ),
        // Its rows may have been copied again.
        _ => (
            Level::Warning,
            format!("{name} was made anew on green: it holds no rows but those that were sent or copied since"),
        ),
    })
}

/// Columns that have another number on green.
fn columns(table: &Both<'_>) -> Option<(Level, String)> {
    let Both { name, blue, green, .. } = table;
    let greens = green.numbers();
    let moved: Vec<(&str, usize, usize)> = blue
        .numbers()
        .into_iter()
        .filter_map(|(column, number)| Some((column, number, *greens.get(column)?)))
        .filter(|(_, blue, green)| blue != green)
        .collect();
    // The old number is that of a column which is gone, and the new one is none that the other side has given.
    let on_blue = |b, g| blue.columns.get(g) == Some(&None) && b >= green.columns.len();
    let on_green = |b, g| green.columns.get(b) == Some(&None) && g >= blue.columns.len();
    let named = |which: &dyn Fn(usize, usize) -> bool| {
        let names: Vec<String> = moved.iter().filter(|(_, b, g)| which(*b, *g)).map(|(c, ..)| quote_ident(c)).collect();
        (!names.is_empty()).then(|| some(&names, NAMED))
    };
    if let Some(columns) = named(&on_blue) {
        return Some((Level::Blocker, format!("{columns} of {name} was dropped and added again on blue: green still holds its old values")));
    }
    if let Some(columns) = named(&on_green) {
        return Some((Level::Blocker, format!("{columns} of {name} was dropped and added again on green, where its values are gone")));
    }
    let columns = named(&|_, _| true)?;
    let message = format!("{columns} of {name} changed names, or came in another order, on one side: rows may hold other values there");
    Some((Level::Warning, message))
}

/// Whether the rows were compared whole, and are the same.
fn compared_equal(ctx: &Ctx<'_>, table: &Both<'_>) -> bool {
    let databases = ctx.facts.contents.as_ref().map(|contents| &contents.databases);
    let Some(Fact::Known(listed)) = databases.and_then(|d| d.get(table.database)) else {
        return false;
    };
    let found = listed.iter().find(|t| t.table == table.name);
    matches!(
        found.map(|t| &t.compared),
        Some(Fact::Known(c)) if c.differing == 0 && c.unsettled == 0 && c.left_out.is_empty()
    )
}
