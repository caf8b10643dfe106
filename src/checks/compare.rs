//! Pairing blue's rows with green's, database by database.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::Ctx;
use crate::{facts::DbName, model::Side, verdict::Judgement};

/// One row on each side, under one name.
pub(super) struct Pair<T> {
    pub(super) database: DbName,
    pub(super) name: String,
    pub(super) blue: Option<T>,
    pub(super) green: Option<T>,
}

/// Every name of a shared probe that is on either side of a database that both sides could be asked about. What could not be asked
/// becomes a blind spot; a database that is on one side only is left to `databases-on-green`.
pub(super) fn pairs<T: DeserializeOwned>(
    ctx: &Ctx<'_>,
    judgement: &mut Judgement,
    probe: &str,
    name: impl Fn(&T) -> String,
) -> Vec<Pair<T>> {
    let mut sides = [Side::Blue, Side::Green].map(|side| {
        let gathered = ctx.rows::<T>(side, probe);
        if gathered.more > 0 {
            judgement.unseen(
                format!("{side}:{probe}"),
                format!("{} rows did not travel", gathered.more),
            );
        }
        judgement.blind(gathered.unseen);
        let mut by_database: BTreeMap<DbName, BTreeMap<String, T>> = BTreeMap::new();
        for (database, row) in gathered.rows {
            by_database
                .entry(database.unwrap_or_default())
                .or_default()
                .insert(name(&row), row);
        }
        by_database
    });
    let asked = [Side::Blue, Side::Green].map(|side| databases(ctx, side));
    let [blue, green] = &mut sides;
    let mut out = Vec::new();
    for database in asked[0].intersection(&asked[1]) {
        let mut on_blue = blue.remove(database).unwrap_or_default();
        let mut on_green = green.remove(database).unwrap_or_default();
        let names: BTreeSet<String> = on_blue.keys().chain(on_green.keys()).cloned().collect();
        out.extend(names.into_iter().map(|name| Pair {
            database: database.clone(),
            blue: on_blue.remove(&name),
            green: on_green.remove(&name),
            name,
        }));
    }
    out
}

/// Databases of a side that could be asked.
fn databases(ctx: &Ctx<'_>, side: Side) -> BTreeSet<DbName> {
    let server = ctx.server(side).ok();
    server
        .into_iter()
        .flat_map(|s| &s.databases)
        .filter(|(_, facts)| facts.known().is_some())
        .map(|(name, _)| name.clone())
        .collect()
}
