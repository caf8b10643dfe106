//! Floating-point numbers reach green with all their digits.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Ctx, in_force::InForce, shared};
use crate::{
    facts::DbName,
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Level, Unseen, Verdict},
};

const SETTING: &str = "extra_float_digits";

/// From this major on any value above 0 writes numbers exactly; before, 3 did, <https://www.postgresql.org/docs/12/release-12.html>.
const SHORTEST: u16 = 12;

/// Tables that are named where it is the same for many.
const NAMED: usize = 5;

/// A table with floating-point columns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    table: String,
    columns: String,
    /// Those by which green finds its rows.
    identity: Option<String>,
}

/// The digits that senders write in each database.
struct Digits {
    exact_from: i64,
    in_force: InForce,
}

impl Digits {
    fn of(ctx: &Ctx<'_>) -> Result<Self, Vec<Unseen>> {
        let server = ctx.server(Side::Blue).map_err(|unseen| vec![unseen])?;
        let exact_from = if server.version.major < SHORTEST { 3 } else { 1 };
        Ok(Self { exact_from, in_force: InForce::of(ctx, Side::Blue, SETTING)? })
    }

    /// The value in force for senders of a database, where it rounds.
    fn rounding(&self, database: &str) -> Result<Option<i64>, Unseen> {
        let text = self.in_force.in_database(database)?;
        let value: i64 = text
            .parse()
            .map_err(|_| Unseen { subject: format!("setting {SETTING}"), why: format!("{text:?} is no number") })?;
        Ok((value < self.exact_from).then_some(value))
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let tables = ctx.rows::<Table>(Side::Blue, "");
    judgement.blind(tables.unseen);
    let more: BTreeMap<_, _> = tables.more_in.into_iter().collect();
    let mut by_database: BTreeMap<Option<DbName>, Vec<Table>> = BTreeMap::new();
    for (database, table) in tables.rows {
        by_database.entry(database).or_default().push(table);
    }
    if by_database.is_empty() {
        return judgement.done();
    }
    let digits = match Digits::of(ctx) {
        Ok(digits) => digits,
        Err(unseen) => {
            judgement.blind(unseen);
            return judgement.done();
        }
    };
    let managed = shared::managed(ctx);
    for (database, tables) in by_database {
        let name = database.as_deref().unwrap_or_default();
        let value = match digits.rounding(name) {
            Ok(Some(value)) => value,
            Ok(None) => continue,
            Err(unseen) => {
                judgement.blind([unseen]);
                continue;
            }
        };
        let find = |object: &str, message: String, level: Level| {
            Finding::new(object, message)
                .in_database(Some(name))
                .on(Side::Blue)
                .at(level)
                .fix(format!("alter database {} set {SETTING} = 3;", quote_ident(name)))
                .evidence(SETTING, value)
        };
        let (found_by, others): (Vec<_>, Vec<_>) = tables.iter().partition(|t| t.identity.is_some());
        for table in &found_by {
            let columns = table.identity.as_deref().unwrap_or_default();
            let message = format!(
                "green finds the rows of table {} by floating-point numbers ({columns}), which arrive there rounded: its updates and deletes get lost",
                table.table
            );
            let level = if managed { Level::Warning } else { Level::Blocker };
            judgement.find(find(&table.table, message, level));
        }
        let others_too = others.len() as u64 + more.get(&database).copied().unwrap_or(0);
        if others_too > 0 {
            let named: Vec<String> = others.iter().take(NAMED).map(|t| format!("{} ({})", t.table, few(&t.columns))).collect();
            let message = format!(
                "floating-point numbers of {} arrive on green rounded: {}{}",
                count(others_too, if found_by.is_empty() { "table" } else { "more table" }),
                named.join(", "),
                if others_too > named.len() as u64 { " …" } else { "" }
            );
            judgement.find(find("floating-point columns", message, Level::Warning));
        }
    }
    judgement.done()
}

/// The first columns of a list, which may be of dozens.
fn few(columns: &str) -> String {
    const MOST: usize = 60;
    let end = columns.match_indices(", ").map(|(at, _)| at).take_while(|at| *at <= MOST).last();
    match end {
        Some(end) if columns.len() > MOST => format!("{}, …", &columns[..end]),
        _ => columns.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn a_long_list_is_cut_between_its_names() {
        assert_eq!(few("latitude, longitude"), "latitude, longitude");
        let many = vec!["percentage"; 30].join(", ");
        assert_eq!(few(&many), "percentage, percentage, percentage, percentage, percentage, …");
        let one = "x".repeat(63);
        assert_eq!(few(&one), one);
    }
}
