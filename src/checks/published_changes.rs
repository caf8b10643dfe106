//! All changes of the published tables travel.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Ctx, compare::some, shared::Apply};
use crate::{
    facts::DbName,
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Tables that a finding names.
const NAMED: usize = 5;

const FIX: &str = "delete the deployment with its green side, and create it anew; where the replication is your own, publish what is left out, and copy what is missing";

/// A publication of blue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    name: String,
    all_tables: bool,
    inserts: bool,
    updates: bool,
    deletes: bool,
    truncates: bool,
    /// Tables of which it leaves out rows.
    rows: Vec<String>,
    /// Tables of which it leaves out columns.
    columns: Vec<String>,
}

/// A subscription of green's same database.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    name: String,
    publications: Vec<String>,
    /// Whether blue sends what it got by replication, too.
    of_any_origin: bool,
}

impl Publication {
    fn leaves_out(&self) -> Vec<String> {
        let operations = [(self.inserts, "insert"), (self.updates, "update"), (self.deletes, "delete"), (self.truncates, "truncate")];
        let unpublished: Vec<&str> = operations.iter().filter(|(published, _)| !published).map(|(_, name)| *name).collect();
        let mut left_out = Vec::new();
        if !unpublished.is_empty() {
            left_out.push(unpublished.join(", "));
        }
        if !self.rows.is_empty() {
            left_out.push(format!("rows of {}", some(&self.rows, NAMED)));
        }
        if !self.columns.is_empty() {
            left_out.push(format!("columns of {}", some(&self.columns, NAMED)));
        }
        left_out
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let subscriptions = ctx.rows::<Subscription>(Side::Green, "subscriptions");
    judgement.blind(subscriptions.unseen);
    let mut read: BTreeMap<Option<DbName>, BTreeSet<String>> = BTreeMap::new();
    let of_blue = ctx.rows::<Apply>(Side::Blue, "apply");
    judgement.blind(of_blue.unseen);
    let subscribes = |database: Option<&str>| of_blue.rows.iter().any(|(_, apply)| Some(&*apply.database) == database);
    for (database, subscription) in subscriptions.rows {
        if !subscription.of_any_origin && subscribes(database.as_deref()) {
            let name = quote_ident(&subscription.name);
            judgement.find(
                Finding::new(&name, format!("subscription {name} leaves out what blue itself got by replication (origin = none)"))
                    .in_database(database.as_deref())
                    .on(Side::Green)
                    .fix(format!("alter subscription {name} set (origin = any);")),
            );
        }
        read.entry(database).or_default().extend(subscription.publications);
    }
    let publications = ctx.rows::<Publication>(Side::Blue, "publications");
    judgement.blind(publications.unseen);
    let is_read = |database: &Option<DbName>, publication: &Publication| {
        read.get(database).is_some_and(|names| names.contains(&publication.name))
    };
    // A change travels where one of the publications that green reads lets it.
    let everything: BTreeSet<&Option<DbName>> = publications
        .rows
        .iter()
        .filter(|(database, p)| p.all_tables && is_read(database, p) && p.leaves_out().is_empty())
        .map(|(database, _)| database)
        .collect();
    for (database, publication) in &publications.rows {
        let left_out = publication.leaves_out();
        if left_out.is_empty() || everything.contains(database) || !is_read(database, publication) {
            continue;
        }
        let level = if left_out == ["truncate"] { Level::Warning } else { Level::Blocker };
        let name = quote_ident(&publication.name);
        judgement.find(
            Finding::new(&name, format!("publication {name}, which green reads, leaves out {}", left_out.join("; ")))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(level)
                .fix(FIX),
        );
    }
    judgement.done()
}
