//! The pieces of a switchover, in the order in which they are used: stop writing on blue, drain, move the sequences,
//! take replication away; and the way back.

use std::cmp::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{POLL, Replication, set_read_only};
use crate::copy::{Position, sequence_positions, set_sequences};
use crate::pg::{self, Error, Result, Server, ident, literal};

/// How long ended sessions may take to be gone, on a busy machine too.
pub(super) const SESSION_LIMIT: Duration = Duration::from_secs(30);

/// Makes new transactions on `server` read-only and ends all client sessions but those of the superuser. Replication
/// goes on. A session that asks for a writing transaction by itself still gets one.
pub async fn stop_writes(server: &Server) -> Result<()> {
    set_read_only(server, true).await?;
    let client = server.connect("postgres").await?;
    let end = "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
        where backend_type = 'client backend' and usesysid <> 10";
    let began = Instant::now();
    loop {
        let left = pg::query(&client, "postgres", end).await?.len();
        if left == 0 {
            return Ok(());
        }
        if began.elapsed() > SESSION_LIMIT {
            return Err(Error::Timeout {
                what: "client sessions to end".to_owned(),
                seconds: SESSION_LIMIT.as_secs(),
                state: format!("{left} are left"),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Lets new transactions write again, on blue after a switchover that was rolled back, on green after one that was
/// not.
pub async fn resume_writes(server: &Server) -> Result<()> {
    set_read_only(server, false).await
}

impl Replication {
    /// Waits until green has everything. After [`stop_writes`] nothing more comes.
    pub async fn wait_drained(&self, limit: Duration) -> Result<()> {
        self.wait_caught_up(limit).await
    }

    /// Moves the sequences of green to where they stand on blue, all of them, in every database; those that are ahead
    /// stay. Returns how many were moved.
    ///
    /// # Errors
    /// Also when green lacks a sequence that blue has.
    pub async fn sync_sequences(&self) -> Result<usize> {
        let mut moved = 0;
        for link in &self.links {
            let database = &link.database;
            let source = self.blue.connect(database).await?;
            let target = self.green.connect(database).await?;
            let wanted = sequence_positions(&source, database).await?;
            let present = sequence_positions(&target, database).await?;
            let behind: Vec<Position> = wanted
                .into_iter()
                .filter(|wanted| {
                    present
                        .iter()
                        .find(|position| position.sequence == wanted.sequence)
                        .is_none_or(|position| is_ahead(wanted, position))
                })
                .collect();
            set_sequences(&target, database, &behind).await?;
            moved += behind.len();
        }
        Ok(moved)
    }

    /// Removes subscriptions, slots and publications. Does nothing about what is gone already.
    pub async fn drop_subscriptions_and_slots(&self) -> Result<()> {
        for link in &self.links {
            self.drop_link(link).await?;
        }
        Ok(())
    }

    async fn drop_link(&self, link: &super::Link) -> Result<()> {
        let subscription = ident(&link.subscription);
        let present = format!(
            "select from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = subdbid
             where subname = {} and datname = {}",
            literal(&link.subscription),
            literal(&link.database)
        );
        if !self.green.query("postgres", &present).await?.is_empty() {
            let client = self.green.connect(&link.database).await?;
            for statement in [
                format!("alter subscription {subscription} disable"),
                // Blue may be out of reach, and its slot is dropped below.
                format!("alter subscription {subscription} set (slot_name = none)"),
                format!("drop subscription {subscription}"),
            ] {
                pg::execute(&client, &link.database, &statement).await?;
            }
        }
        self.drop_slot(&link.slot).await?;
        let publication = format!("drop publication if exists {}", ident(&link.publication));
        self.blue.execute(&link.database, &publication).await
    }

    async fn drop_slot(&self, slot: &str) -> Result<()> {
        let client = self.blue.connect("postgres").await?;
        let name = literal(slot);
        let users = format!(
            "select pg_catalog.pg_terminate_backend(active_pid) from pg_catalog.pg_replication_slots
             where slot_name = {name} and active_pid is not null"
        );
        let remove = format!(
            "select pg_catalog.pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots where slot_name = {name}"
        );
        let began = Instant::now();
        loop {
            pg::query(&client, "postgres", &users).await?;
            match pg::query(&client, "postgres", &remove).await {
                Ok(_) => return Ok(()),
                // In use still.
                Err(error) if error.sqlstate() == Some("55006") && began.elapsed() < SESSION_LIMIT => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether `a` has handed out more than `b`.
fn is_ahead(a: &Position, b: &Position) -> bool {
    match a.last_value.cmp(&b.last_value) {
        Ordering::Equal => a.is_called && !b.is_called,
        Ordering::Greater => !a.descending,
        Ordering::Less => a.descending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_only_move_forward() {
        let at = |last_value, is_called, descending| Position {
            sequence: "\"public\".\"s\"".to_owned(),
            last_value,
            is_called,
            descending,
        };
        assert!(is_ahead(&at(2, true, false), &at(1, true, false)));
        assert!(
            is_ahead(&at(1, true, false), &at(1, false, false)),
            "the first value has been handed out"
        );
        assert!(!is_ahead(&at(1, true, false), &at(1, true, false)));
        assert!(!is_ahead(&at(1, true, false), &at(2, false, false)));
        assert!(is_ahead(&at(-5, true, true), &at(-4, true, true)));
        assert!(!is_ahead(&at(-4, true, true), &at(-5, false, true)));
    }
}
