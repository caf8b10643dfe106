//! Every subscription of green is enabled, applies changes, and makes no errors.

use super::{Ctx, shared::Apply};
use crate::{
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// The same subscription at each look at the lag.
fn looks(ctx: &Ctx<'_>, subscription: &Apply) -> Vec<Apply> {
    let samples = ctx.facts.lag.iter();
    samples
        .filter_map(|sample| sample.green.known())
        .filter_map(|rows| {
            let rows = rows.rows.iter().filter_map(Apply::parse);
            rows.into_iter()
                .find(|a| a.name == subscription.name && a.database == subscription.database)
        })
        .collect()
}

/// Errors that this run saw happen: the counters of the last look less those of the first.
fn new_errors(looks: &[Apply]) -> i64 {
    match (looks.first(), looks.last()) {
        (Some(first), Some(last)) => last.errors() - first.errors(),
        _ => 0,
    }
}

/// Whether the worker was another at one look than at the next, or was missing: it ends and is started anew.
fn restarts(looks: &[Apply]) -> bool {
    looks.windows(2).any(|pair| pair[0].pid != pair[1].pid)
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let subscriptions = ctx.rows::<Apply>(Side::Green, "apply");
    let mut judgement = Judgement::new();
    judgement.more(subscriptions.more);
    judgement.blind(subscriptions.unseen);
    if subscriptions.rows.is_empty() && judgement.clean() {
        judgement.find(
            Finding::new("subscriptions", "green has no subscription: nothing replicates to it")
                .on(Side::Green)
                .fix("-- green is no target of logical replication (any more): create the deployment anew"),
        );
    }
    let n = subscriptions.rows.len();
    for (_, subscription) in subscriptions.rows {
        let name = quote_ident(&subscription.name);
        let mut finding = |message: String, level: Level, fix: &str| {
            judgement.find(
                Finding::new(&name, message)
                    .in_database(Some(&subscription.database))
                    .on(Side::Green)
                    .at(level)
                    .fix(fix)
                    .evidence("enabled", subscription.enabled)
                    .evidence("apply worker", subscription.pid)
                    .evidence("apply errors", subscription.apply_errors)
                    .evidence("sync errors", subscription.sync_errors)
                    .evidence("received", subscription.received_lsn.clone())
                    .evidence("confirmed", subscription.latest_end_lsn.clone())
                    .evidence("seconds since the last message", subscription.last_message_seconds),
            );
        };
        let looks = looks(ctx, &subscription);
        let log = "-- read green's log: the apply worker says there why it stops (duplicate key, missing column, …)";
        if !subscription.enabled {
            finding(
                format!("subscription {name} is disabled: changes wait on blue"),
                Level::Blocker,
                &format!("alter subscription {name} enable;"),
            );
        } else if subscription.pid.is_none() {
            finding(format!("subscription {name} has no apply worker"), Level::Blocker, log);
        } else if new_errors(&looks) > 0 || restarts(&looks) {
            finding(format!("the apply worker of {name} fails again and again"), Level::Blocker, log);
        } else if subscription.errors() > 0 {
            finding(
                format!("the apply worker of {name} has failed {} times since its counters were reset", subscription.errors()),
                Level::Warning,
                log,
            );
        }
    }
    judgement.done_with(format!("{n} subscriptions, all applying"))
}
