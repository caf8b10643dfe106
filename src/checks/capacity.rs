//! The limits that a blue/green deployment weighs on, as the capacity checks weigh them, for whoever sets them.

use super::{
    Ctx, find, max_logical_replication_workers, max_replication_slots, max_wal_senders, max_worker_processes,
    room::Room,
};
use crate::{facts::Facts, model::Engine, policy::Policy, situation::Situation, verdict::Unseen};

/// One limit of blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The check that weighs it.
    pub check: &'static str,
    /// The setting.
    pub setting: &'static str,
    /// The value in force.
    pub value: i64,
    /// Below this a deployment cannot be made.
    pub needed: i64,
    /// Below this the check warns.
    pub comfortable: i64,
    /// The value that the check advises.
    pub advised: i64,
    /// How `needed` comes about.
    pub arithmetic: String,
}

type Asked = fn(&Ctx<'_>) -> Result<Room, Vec<Unseen>>;

/// The limits, in an order in which a later one may rest on an earlier one.
const LIMITS: &[(&str, Asked)] = &[
    ("max-replication-slots", max_replication_slots::room),
    ("max-wal-senders", max_wal_senders::room),
    (
        "max-logical-replication-workers",
        max_logical_replication_workers::room,
    ),
    ("max-worker-processes", max_worker_processes::room),
];

/// The ids of the checks behind [`capacity`].
pub fn capacity_checks() -> impl Iterator<Item = &'static str> {
    LIMITS.iter().map(|(id, _)| *id)
}

/// What the capacity checks weigh on these facts.
///
/// # Errors
/// What could not be looked at.
pub fn capacity(facts: &Facts, situation: &Situation, policy: &Policy) -> Result<Vec<Capacity>, Vec<Unseen>> {
    let mut limits = Vec::new();
    for &(check, asked) in LIMITS {
        let page = &find(check).expect("the capacity checks are registered").page;
        let ctx = Ctx {
            facts,
            policy,
            situation,
            page,
        };
        let room = asked(&ctx)?;
        let value = ctx
            .settings(room.side)
            .number(room.setting)
            .map_err(|unseen| vec![unseen])?;
        limits.push(Capacity {
            check,
            setting: room.setting,
            value,
            needed: room.needed,
            comfortable: room.comfortable.max(room.wanted),
            advised: room.advised,
            arithmetic: room.arithmetic,
        });
    }
    Ok(limits)
}

/// Parameters that must have one value, whatever the size of the server: the check, the parameter, and the value.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-creating.html>
pub fn fixed(engine: Engine) -> &'static [(&'static str, &'static str, &'static str)] {
    const PUBLISH: (&str, &str, &str) = ("logical-replication-parameter", "rds.logical_replication", "1");
    const COMMIT: (&str, &str, &str) = ("synchronous-commit", "synchronous_commit", "on");
    match engine {
        Engine::Aurora => &[PUBLISH, COMMIT],
        Engine::Rds | Engine::Postgres => &[PUBLISH],
    }
}
