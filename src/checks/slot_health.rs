//! Every slot of the deployment is read, and has kept its log.

use super::{
    Ctx,
    shared::{self, Apply, Database, Lag, Slot},
    tables_on_green::Relation,
};
use crate::{
    facts::Row,
    model::{Side, size},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let slots = ctx.rows::<Slot>(Side::Blue, "slots");
    let green = ctx.rows::<Apply>(Side::Green, "apply").rows;
    let mut judgement = Judgement::new();
    judgement.more(slots.more);
    judgement.blind(slots.unseen);
    let services: Vec<&Slot> = slots.rows.iter().map(|(_, s)| s).filter(|s| shared::is_services(s, &green)).collect();
    for slot in &services {
        let database = slot.database.as_deref().unwrap_or_default();
        let status = slot.wal_status.as_deref().unwrap_or_default();
        let place = format!("slot {} of database {database}", slot.name);
        let finding = |message: String| {
            Finding::new(&slot.name, message)
                .on(Side::Blue)
                .evidence("database", database)
                .evidence("active", slot.active)
                .evidence("wal_status", status)
        };
        if status == "lost" || slot.invalidation.is_some() {
            let why = slot.invalidation.as_deref().unwrap_or("its log is gone");
            judgement.find(
                finding(format!("{place} is lost ({why}): green can never catch up"))
                    .fix("-- delete the deployment and create it anew"),
            );
        } else if status == "unreserved" {
            judgement.find(
                finding(format!("{place} is about to be lost: the log it needs may be removed at the next checkpoint"))
                    .fix(shared::set_parameter(ctx, Side::Blue, "max_slot_wal_keep_size", "-1")),
            );
        } else if !slot.active {
            judgement.find(
                finding(format!("{place} is not read: green gets no changes of that database"))
                    .fix("-- read green's log: the apply worker says there why it stopped"),
            );
        } else if status == "extended" {
            let (why, level) = extended(ctx, &slot.name);
            judgement.find(finding(format!("{place} keeps more log than max_wal_size: {why}")).at(level));
        }
    }
    // A database that was made after the deployment has none, and green does not have the database either.
    let databases = ctx.rows::<Database>(Side::Blue, "databases");
    judgement.blind(databases.unseen);
    for (_, database) in databases.rows {
        let counts = database.allows_connections && !database.is_template && database.name != "rdsadmin";
        let read = services.iter().any(|s| s.database.as_deref() == Some(&*database.name));
        if counts && !read && !is_empty(ctx, &database.name) {
            judgement.find(
                Finding::new(
                    database.name.as_str(),
                    format!("database {} has no slot of the deployment: its changes do not reach green", database.name),
                )
                .on(Side::Blue)
                .fix("-- delete the deployment and create it anew, or drop the database if it was made since"),
            );
        }
    }
    judgement.done_with(format!("{} slots, all read", services.len()))
}

/// Why a slot keeps much log: its reader is behind, or a transaction is open from whose beginning on the log is needed.
fn extended(ctx: &Ctx<'_>, slot: &str) -> (String, Level) {
    let rows = match ctx.facts.lag.last().and_then(|sample| sample.blue.known()) {
        Some(rows) => rows.rows.iter().filter_map(|row| row.read().ok()).collect(),
        None => ctx.rows::<Lag>(Side::Blue, "lag").rows.into_iter().map(|(_, lag)| lag).collect::<Vec<_>>(),
    };
    let behind = rows.iter().find(|lag| lag.slot == slot).and_then(|lag| lag.lag_bytes);
    let most = i64::try_from(ctx.policy.thresholds.max_lag_bytes).unwrap_or(i64::MAX);
    match behind {
        Some(bytes) if bytes <= most => (
            format!("green is only {} behind, but a transaction on blue that is open for long needs the log", size(bytes)),
            Level::Notice,
        ),
        Some(_) => ("green is far behind".to_owned(), Level::Warning),
        None => ("green is far behind, or a transaction on blue is open for long".to_owned(), Level::Warning),
    }
}

/// Whether a database of blue is known to hold nothing that replicates, such as the `postgres` that every server begins with.
fn is_empty(ctx: &Ctx<'_>, database: &str) -> bool {
    let probes = ctx.server(Side::Blue).ok().and_then(|s| s.databases.get(database)?.known());
    let relations = probes.and_then(|p| p.get(&ctx.probe_name("relations"))?.known());
    relations.is_some_and(|relations| {
        let replicates = |row: &Row| row.read::<Relation>().map_or(true, |r| r.replicates());
        relations.total == relations.rows.len() as u64 && !relations.rows.iter().any(replicates)
    })
}
