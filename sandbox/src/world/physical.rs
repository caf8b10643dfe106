//! Physical replication of a deployment (RDS for PostgreSQL within one major): green is a standby of blue.
//!
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-replication-type.html>

use std::time::{Duration, Instant};

use crate::pg::{self, Error, Server, literal};

/// Waits until green has replayed everything that blue has written up to now.
pub(crate) async fn wait_caught_up(blue: &Server, green: &Server, limit: Duration) -> pg::Result<()> {
    let now = blue
        .value("postgres", "select pg_current_wal_lsn()::text")
        .await?;
    let behind = format!(
        "select pg_wal_lsn_diff({}, pg_last_wal_replay_lsn())::bigint::text",
        literal(&now.unwrap_or_default())
    );
    let began = Instant::now();
    loop {
        let bytes = green.value("postgres", &behind).await?;
        let bytes: i64 = bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(i64::MAX);
        if bytes <= 0 {
            return Ok(());
        }
        if began.elapsed() > limit {
            return Err(Error::Timeout {
                what: "the standby to catch up".to_owned(),
                seconds: limit.as_secs(),
                state: format!("{bytes} bytes are left"),
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a server is a standby.
pub(crate) async fn is_standby(server: &Server) -> pg::Result<bool> {
    let recovery = server.value("postgres", "select pg_is_in_recovery()").await?;
    Ok(recovery.as_deref() == Some("t"))
}

/// Whether green streams.
pub(crate) async fn health(blue: &Server, slot: &str) -> pg::Result<Option<String>> {
    let active = format!(
        "select 1 from pg_replication_slots where slot_name = {} and active",
        literal(slot)
    );
    Ok(match blue.value("postgres", &active).await? {
        Some(_) => None,
        None => Some(
            "replication is not healthy in the green environment: the standby does not stream".to_owned(),
        ),
    })
}

/// Takes the slot of a standby away, which must not stream any more.
pub(crate) async fn drop_slot(blue: &Server, slot: &str) -> pg::Result<()> {
    let remove = format!(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = {} and not active",
        literal(slot)
    );
    let left = format!(
        "select 1 from pg_replication_slots where slot_name = {}",
        literal(slot)
    );
    let began = Instant::now();
    loop {
        blue.query("postgres", &remove).await?;
        if blue.value("postgres", &left).await?.is_none() {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(10) {
            return Err(Error::Timeout {
                what: format!("slot {slot} to be free"),
                seconds: 10,
                state: "the standby streams still".to_owned(),
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
