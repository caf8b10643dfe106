//! Makes green a logical subscriber of blue, database by database, as RDS does after it has upgraded the copy.
//!
//! Each database gets one publication `FOR ALL TABLES`, one slot and one subscription, whose names start with `rds`.
//! The rows come from a snapshot of the very moment at which the slot begins, and the subscription is made without a
//! copy of its own: no more slots and workers are used than on RDS, where a copy of the storage plays that part. From
//! then on green is read-only by default.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-replication-type.html>
//!
//! PostgreSQL does not convert the names of databases: one with letters beyond ASCII can be subscribed to only if its
//! encoding is UTF8.
//!
//! Left out: the `rdsadmin` database, templates, and databases that take no connections. Tables must be there already
//! ([`crate::copy`]). Rows of unlogged tables, large objects and sequences are not replicated.

mod initial;
mod switchover;

use std::time::Duration;

use tokio::time::Instant;

use crate::pg::{self, Error, ExportedSlot, Result, Server, ident, literal};
use crate::roles::{Login, SERVICE_DATABASE};

pub use switchover::{resume_writes, stop_writes};

const POLL: Duration = Duration::from_millis(20);
/// How long a server may take to read its configuration again, on a busy machine too.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);

/// Replication of all databases from blue to green.
#[derive(Debug, Clone)]
pub struct Replication {
    blue: Server,
    green: Server,
    links: Vec<Link>,
    notes: Vec<String>,
}

/// The three objects of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The database, of the same name on both sides.
    pub database: String,
    /// On blue.
    pub publication: String,
    /// On blue.
    pub slot: String,
    /// On green.
    pub subscription: String,
}

/// How far green is behind in one database.
#[derive(Debug, Clone, PartialEq)]
pub struct Lag {
    /// The database.
    pub database: String,
    /// WAL on blue that green has not confirmed, in bytes. Some hundred are usual on a server at rest, because the slot
    /// moves only with what it sends.
    pub bytes: i64,
    /// The age of what green confirmed last, as blue's `pg_stat_replication.replay_lag` tells it; nothing after some
    /// time of rest.
    pub seconds: Option<f64>,
    /// Whether green is connected to the slot.
    pub active: bool,
}

/// Sets replication up. `login` is the role that green connects to blue as; it needs REPLICATION and must be able to
/// read every table.
///
/// # Errors
/// When blue is not at `wal_level = logical`, has no slot left, or lacks time to create one: that waits for all
/// transactions that are running, at most until `limit`. What was made is removed again.
pub async fn establish(blue: &Server, green: &Server, login: &Login, limit: Duration) -> Result<Replication> {
    let mut replication = Replication {
        blue: blue.clone(),
        green: green.clone(),
        links: Vec::new(),
        notes: Vec::new(),
    };
    let outcome = tokio::time::timeout(limit, replication.build(login)).await;
    let error = match outcome {
        Ok(Ok(())) => return Ok(replication),
        Ok(Err(error)) => error,
        Err(_) => Error::Timeout {
            what: "replication to be set up".to_owned(),
            seconds: limit.as_secs(),
            state: replication.state_of_slots().await?,
        },
    };
    // The first error is the one to tell.
    if let Err(second) = replication.drop_subscriptions_and_slots().await {
        tracing::warn!(%second, "replication could not be removed");
    }
    Err(error)
}

impl Replication {
    async fn build(&mut self, login: &Login) -> Result<()> {
        let sql = format!(
            "select datname, oid from pg_catalog.pg_database where datallowconn and not datistemplate
             and datname <> {} order by oid",
            literal(SERVICE_DATABASE)
        );
        for row in self.blue.query("postgres", &sql).await? {
            let [Some(database), Some(oid)] = row.as_slice() else {
                continue;
            };
            let link = Link {
                database: database.clone(),
                publication: format!("rds_publication_{oid}"),
                slot: format!("rds_slot_{oid}"),
                subscription: format!("rds_subscription_{oid}"),
            };
            self.links.push(link.clone());
            self.connect_database(&link, login).await?;
        }
        set_read_only(&self.green, true).await
    }

    async fn connect_database(&mut self, link: &Link, login: &Login) -> Result<()> {
        let database = &link.database;
        let publication = ident(&link.publication);
        self.blue
            .execute(
                database,
                &format!("create publication {publication} for all tables"),
            )
            .await?;
        let slot =
            ExportedSlot::create(&self.blue, database, &login.name, &login.password, &link.slot).await?;
        let mut notes = initial::copy_rows(
            &self.blue,
            &self.green,
            database,
            &slot.snapshot,
            &link.publication,
        )
        .await?;
        drop(slot);
        self.notes.append(&mut notes);
        let subscribe = format!(
            "create subscription {} connection {} publication {publication}
             with (create_slot = false, slot_name = {}, copy_data = false)",
            ident(&link.subscription),
            literal(&self.blue.conninfo(database, &login.name, &login.password)),
            literal(&link.slot)
        );
        self.green.execute(database, &subscribe).await
    }

    /// What was made, one entry a database.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What did not work and hurts nothing, such as a materialized view that could not be refreshed.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn link(&self, database: &str) -> Result<&Link> {
        self.links
            .iter()
            .find(|link| link.database == database)
            .ok_or_else(|| Error::Replication {
                database: database.to_owned(),
                statement: "look up the subscription".to_owned(),
                problem: "this database is not replicated".to_owned(),
            })
    }

    /// Where every database stands now.
    pub async fn lag(&self) -> Result<Vec<Lag>> {
        let sql = format!(
            "select s.database, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
               extract(epoch from replay_lag), active
             from pg_catalog.pg_replication_slots s left join pg_catalog.pg_stat_replication r on r.pid = s.active_pid
             where slot_name in ({}) order by 1",
            self.slot_names()
        );
        let rows = self.blue.query("postgres", &sql).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let [database, bytes, seconds, active] = <[_; 4]>::try_from(row).ok()?;
                Some(Lag {
                    database: database?,
                    bytes: bytes?.parse().ok()?,
                    seconds: seconds.and_then(|seconds| seconds.parse().ok()),
                    active: active? == "t",
                })
            })
            .collect())
    }

    /// Waits until green has everything that blue has written up to now.
    pub async fn wait_caught_up(&self, limit: Duration) -> Result<()> {
        let began = Instant::now();
        let client = self.blue.connect("postgres").await?;
        let now = pg::query(&client, "postgres", "select pg_catalog.pg_current_wal_lsn()").await?;
        let now = now.into_iter().flatten().flatten().next().unwrap_or_default();
        let behind = format!(
            "select count(*) from pg_catalog.unnest(array[{}]) name left join pg_catalog.pg_replication_slots s
               on s.slot_name = name where confirmed_flush_lsn is null or confirmed_flush_lsn < {}::pg_catalog.pg_lsn",
            self.slot_names(),
            literal(&now)
        );
        if self.links.is_empty() {
            return Ok(());
        }
        loop {
            let rows = pg::query(&client, "postgres", &behind).await?;
            if rows.into_iter().flatten().flatten().next().as_deref() == Some("0") {
                return Ok(());
            }
            if began.elapsed() >= limit {
                return Err(Error::Timeout {
                    what: format!("green to catch up with blue at {now}"),
                    seconds: limit.as_secs(),
                    state: self.state_of_slots().await?,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops applying in one database: when this returns its worker is gone, and lag grows from now on.
    ///
    /// # Errors
    /// Also when the worker does not end.
    pub async fn pause_apply(&self, database: &str) -> Result<()> {
        let link = self.link(database)?;
        let disable = format!("alter subscription {} disable", ident(&link.subscription));
        self.green.execute(database, &disable).await?;
        // By itself a worker hears of it with the next message only.
        let end = format!(
            "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_subscription
             where subname = {} and pid is not null",
            literal(&link.subscription)
        );
        let active = format!(
            "select pid from pg_catalog.pg_stat_replication where pid in
               (select active_pid from pg_catalog.pg_replication_slots where slot_name = {})",
            literal(&link.slot)
        );
        let began = Instant::now();
        loop {
            let workers = self.green.query("postgres", &end).await?.len();
            if workers == 0 && self.blue.query("postgres", &active).await?.is_empty() {
                return Ok(());
            }
            if began.elapsed() > switchover::SESSION_LIMIT {
                return Err(Error::Timeout {
                    what: format!("the apply worker of database {} to end", ident(database)),
                    seconds: switchover::SESSION_LIMIT.as_secs(),
                    state: self.state_of_slots().await?,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Goes on applying.
    pub async fn resume_apply(&self, database: &str) -> Result<()> {
        let subscription = ident(&self.link(database)?.subscription);
        self.green
            .execute(database, &format!("alter subscription {subscription} enable"))
            .await
    }

    /// The last error in green's log, where alone it is told why an apply worker ended.
    pub fn last_error(&self) -> Option<String> {
        self.green
            .log()
            .lines()
            .rfind(|line| line.contains("ERROR:"))
            .map(str::to_owned)
    }

    fn slot_names(&self) -> String {
        let names: Vec<String> = self.links.iter().map(|link| literal(&link.slot)).collect();
        if names.is_empty() {
            "null".to_owned()
        } else {
            names.join(", ")
        }
    }

    async fn state_of_slots(&self) -> Result<String> {
        let lag = self.lag().await?;
        let parts: Vec<String> = lag
            .iter()
            .map(|lag| {
                let connected = if lag.active { "connected" } else { "not connected" };
                format!(
                    "database {} {} bytes behind, {connected}",
                    ident(&lag.database),
                    lag.bytes
                )
            })
            .collect();
        let mut state = if parts.is_empty() {
            "there is no slot".to_owned()
        } else {
            parts.join("; ")
        };
        if let Some(error) = self.last_error() {
            state.push_str("; the last error in green's log: ");
            state.push_str(&error);
        }
        Ok(state)
    }
}

/// Makes transactions read-only unless they say otherwise, as RDS does with green and, during a switchover, with blue.
/// Independent of parameter groups, and kept over restarts. New sessions have it when this returns.
async fn set_read_only(server: &Server, read_only: bool) -> Result<()> {
    let change = if read_only {
        "set default_transaction_read_only = on"
    } else {
        "reset default_transaction_read_only"
    };
    server
        .execute("postgres", &format!("alter system {change}"))
        .await?;
    let before = server
        .value("postgres", "select pg_catalog.clock_timestamp()")
        .await?
        .unwrap_or_default();
    server.reload()?;
    let reloaded = format!("select pg_catalog.pg_conf_load_time() >= {}", literal(&before));
    let began = Instant::now();
    while server.value("postgres", &reloaded).await?.as_deref() != Some("t") {
        if began.elapsed() > RELOAD_LIMIT {
            return Err(Error::Timeout {
                what: format!("the server to {change}"),
                seconds: RELOAD_LIMIT.as_secs(),
                state: "it has not read its configuration again".to_owned(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
