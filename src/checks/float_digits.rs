//! Floating-point numbers reach green with all their digits.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Ctx,
    shared::{self, Override},
};
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

/// The digits that a sender has in each database.
struct Digits {
    exact_from: i64,
    server: Result<i64, Unseen>,
    databases: BTreeMap<DbName, i64>,
}

impl Digits {
    fn of(ctx: &Ctx<'_>) -> Result<Self, Vec<Unseen>> {
        let server = ctx.server(Side::Blue).map_err(|unseen| vec![unseen])?;
        let overrides = ctx.rows::<Override>(Side::Blue, "overrides");
        if !overrides.unseen.is_empty() {
            return Err(overrides.unseen);
        }
        let given: Vec<Override> = overrides.rows.into_iter().map(|(_, o)| o).filter(|o| o.name == SETTING).collect();
        let settings = ctx.settings(Side::Blue);
        let for_all = given.iter().find(|o| o.role.is_none() && o.database.is_none());
        let value = match for_all.map(|o| o.value.as_str()) {
            Some(value) => Some(value.to_owned()),
            // What is given to a role or a database may be what greenlight's own session began with.
            None => settings
                .get(SETTING)
                .map_err(|unseen| vec![unseen])?
                .map(shared::of_a_new_session)
                .filter(|setting| !shared::is_session_value(setting))
                .and_then(|setting| setting.setting)
                .filter(|value| given.iter().all(|o| o.value != *value)),
        };
        let unseen = Unseen { subject: format!("setting {SETTING}"), why: "what a sender has is not known".to_owned() };
        Ok(Self {
            exact_from: if server.version.major < SHORTEST { 3 } else { 1 },
            server: value.and_then(|v| v.parse().ok()).ok_or(unseen),
            databases: given
                .iter()
                .filter(|o| o.role.is_none())
                .filter_map(|o| Some((o.database.clone()?, o.value.parse().ok()?)))
                .collect(),
        })
    }

    /// The value in force for senders of a database, where it rounds.
    fn rounding(&self, database: &str) -> Result<Option<i64>, Unseen> {
        let value = self.databases.get(database).map_or_else(|| self.server.clone(), |v| Ok(*v))?;
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
        for table in found_by {
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
            let named: Vec<String> = others.iter().take(NAMED).map(|t| format!("{} ({})", t.table, t.columns)).collect();
            let message = format!(
                "floating-point numbers of {} arrive on green rounded: {}{}",
                count(others_too, "more table"),
                named.join(", "),
                if others_too > named.len() as u64 { " …" } else { "" }
            );
            judgement.find(find("floating-point columns", message, Level::Warning));
        }
    }
    judgement.done()
}
