//! The advisory lock in the blue database that keeps a second operator out, see [`crate::switchover::lock`].
//!
//! It belongs to one session of its own, straight to the writer. The server lets it go when that session ends, so it can
//! neither be left behind nor be held by nobody; whether it is still held is asked on the very session.

use std::time::Duration;

use tokio_postgres::{
    Client,
    types::{ToSql, Type},
};

use super::{
    connect::{ConnectSpec, Session, connect},
    postgres::{Manners, room},
};
use crate::switchover::{
    lock::{AdvisoryKey, DATABASE, HELD_SQL, HOLDER_SQL, TAKE_SQL},
    outcome::Refusal,
};

/// Longest time for taking the lock, connecting included.
const TAKE_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait for the answer whether it is held; shorter than the gap that settling tolerates.
const HELD_WITHIN: Duration = Duration::from_secs(4);

/// A lock that was taken. It is let go when this is dropped.
#[derive(Debug)]
pub struct BlueLock {
    session: Session,
    key: AdvisoryKey,
}

impl BlueLock {
    /// Takes the lock of a deployment, or says who has it.
    ///
    /// # Errors
    /// [`Refusal::Locked`] where another holds it, [`Refusal::LockLost`] where it could not be asked for.
    pub async fn take(blue: &ConnectSpec, deployment_id: &str) -> Result<Self, Refusal> {
        let lost = |why: String| Refusal::LockLost { why };
        match tokio::time::timeout(TAKE_WITHIN, Self::try_take(blue, deployment_id)).await {
            Ok(taken) => taken,
            Err(_) => Err(lost(format!(
                "blue did not answer within {} s",
                TAKE_WITHIN.as_secs()
            ))),
        }
    }

    async fn try_take(blue: &ConnectSpec, deployment_id: &str) -> Result<Self, Refusal> {
        let lost = |why: String| Refusal::LockLost { why };
        let mut spec = blue.for_database(DATABASE);
        // Somebody may think for long before they confirm, and the lock has to outlast that.
        spec.limits.idle = Duration::ZERO;
        let session = connect(&spec).await.map_err(|e| lost(e.to_string()))?;
        // It stays for as long as the switchover takes: not on a connection that others may need.
        let room = room(&session, Manners::default()).await;
        if let Some(why) = room.none_left().or_else(|| room.limit_reached(DATABASE)) {
            session.close().await;
            return Err(lost(why));
        }
        let key = AdvisoryKey::of(deployment_id);
        let taken = session
            .client
            .query_typed(TAKE_SQL, &[(&key.value(), Type::INT8)])
            .await
            .map_err(|e| lost(words(&e)))?;
        match taken.first().map(|row| row.get(0)) {
            Some(true) => Ok(Self { session, key }),
            Some(false) => Err(Refusal::Locked {
                holder: holder(&session.client, key).await,
            }),
            None => Err(lost("blue's answer has no row".to_owned())),
        }
    }

    /// Asks the session whether it holds the lock.
    ///
    /// # Errors
    /// Why it does not, or why that cannot be known.
    pub async fn held(&self) -> Result<(), String> {
        let (high, low) = self.key.halves();
        let key: [(&(dyn ToSql + Sync), Type); 2] = [(&high, Type::OID), (&low, Type::OID)];
        let asked = self.session.client.query_typed(HELD_SQL, &key);
        match tokio::time::timeout(HELD_WITHIN, asked).await {
            Ok(Ok(rows)) => match rows.first().map(|row| row.get(0)) {
                Some(true) => Ok(()),
                _ => Err("its session does not hold it any more".to_owned()),
            },
            Ok(Err(error)) => Err(match self.session.ended_because() {
                Some(why) => format!("its session has ended: {why}"),
                None => format!("its session has ended: {}", words(&error)),
            }),
            Err(_) => Err(format!(
                "its session did not answer within {} s",
                HELD_WITHIN.as_secs()
            )),
        }
    }
}

/// Who holds the lock, in words.
async fn holder(client: &Client, key: AdvisoryKey) -> String {
    let (high, low) = key.halves();
    let asked = client
        .query_typed(HOLDER_SQL, &[(&high, Type::OID), (&low, Type::OID)])
        .await;
    let Ok(rows) = asked else {
        return "somebody else".to_owned();
    };
    let Some(row) = rows.first() else {
        return "somebody who has let it go meanwhile; run it again".to_owned();
    };
    let text = |at: usize| row.try_get::<_, Option<String>>(at).ok().flatten();
    let pid = row.try_get::<_, Option<i32>>(0).ok().flatten();
    let mut words = match pid {
        Some(pid) => format!("backend {pid} of blue"),
        None => "a backend of blue".to_owned(),
    };
    for (before, value) in [
        (", role ", text(1)),
        (", ", text(2)),
        (", from ", text(3)),
        (", since ", text(4)),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            words.push_str(before);
            words.push_str(&crate::model::shown::quoted(&value));
        }
    }
    words
}

fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => super::aws::chain(error),
    }
}
