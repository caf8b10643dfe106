//! Every table of blue is replicated to green.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Ctx, compare::pairs};
use crate::{
    facts::DbName,
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    /// Publications of its own server that cover it.
    publications: Vec<String>,
    /// Whether a subscription of its own server knows it.
    subscribed: bool,
    /// Of a partition: under which names publications of its own server send it.
    #[serde(default)]
    routes: Option<Vec<Route>>,
    /// Of a partition: its own name and those of its ancestors, as far as a subscription of its own server knows them.
    #[serde(default)]
    known: Option<Vec<String>>,
}

/// A publication sends a partition under its own name or, by `publish_via_partition_root`, under an ancestor's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    publication: String,
    relation: String,
}

impl Table {
    /// Whether what publications that are read send of this table of blue comes under a name that green's subscriptions know.
    fn arrives(&self, read: &BTreeSet<String>, green: &Self) -> bool {
        let known = |relation: &String| match &green.known {
            Some(known) => known.contains(relation),
            None => green.subscribed && *relation == self.name,
        };
        match &self.routes {
            Some(routes) => routes.iter().any(|r| read.contains(&r.publication) && known(&r.relation)),
            None => known(&self.name),
        }
    }
}

/// A subscription of the database; a last row without a name only counts those of the whole server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    name: Option<String>,
    publications: Option<Vec<String>>,
    of_the_server: i64,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let subscriptions = ctx.rows::<Subscription>(Side::Green, "subscriptions");
    let none = !subscriptions.rows.is_empty() && subscriptions.rows.iter().all(|(_, s)| s.of_the_server == 0);
    if !subscriptions.unseen.is_empty() {
        judgement.blind(subscriptions.unseen);
    } else if none {
        judgement.unseen("green", "it has no subscription (see subscription-health)");
        return judgement.done();
    }
    let mut read: BTreeMap<DbName, BTreeSet<String>> = BTreeMap::new();
    let mut names: BTreeMap<DbName, Vec<String>> = BTreeMap::new();
    for (database, subscription) in subscriptions.rows {
        let database = database.unwrap_or_default();
        read.entry(database.clone())
            .or_default()
            .extend(subscription.publications.unwrap_or_default());
        names
            .entry(database)
            .or_default()
            .extend(subscription.name.map(|name| quote_ident(&name)));
    }
    let mut replicated = 0;
    let mut idle = BTreeMap::<DbName, u64>::new();
    for pair in pairs(ctx, &mut judgement, "tables", |t: &Table| t.name.clone()) {
        let (Some(blue), Some(read)) = (&pair.blue, read.get(&pair.database)) else {
            continue;
        };
        let subscriptions = &names[&pair.database];
        if subscriptions.is_empty() {
            *idle.entry(pair.database).or_default() += 1;
            continue;
        }
        let message = if !blue.publications.iter().any(|p| read.contains(p)) {
            format!(
                "table {} is in no publication that green reads ({})",
                pair.name,
                quoted(read)
            )
        } else if pair.green.as_ref().is_some_and(|green| !blue.arrives(read, green)) {
            format!("green's subscription does not know table {}", pair.name)
        } else {
            replicated += 1;
            continue;
        };
        judgement.find(
            Finding::new(&pair.name, message)
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix(format!(
                    "delete the deployment with its green side, and create it anew; where the replication is your own: \
                     alter publication … add table {} on blue, then alter subscription {} refresh publication on green",
                    pair.name,
                    subscriptions.join(", ")
                ))
                .evidence("publications that cover it", blue.publications.clone())
                .evidence("publications that green reads", read.iter().cloned().collect::<Vec<_>>()),
        );
    }
    for (database, tables) in idle {
        let message = format!(
            "no subscription feeds database {} ({tables} tables)",
            quote_ident(&database)
        );
        judgement.find(
            Finding::new("subscription", message)
                .in_database(Some(&database))
                .on(Side::Green)
                .fix("delete the deployment with its green side, and create it anew"),
        );
    }
    judgement.done_with(format!("{replicated} tables are replicated"))
}

fn quoted(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(|name| quote_ident(name))
        .collect::<Vec<_>>()
        .join(", ")
}
