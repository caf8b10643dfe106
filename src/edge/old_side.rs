//! Whether anything still uses a database that is about to be deleted: sessions, WAL senders, slots, and writes that happen
//! while it is watched.

use std::time::Duration;

use super::connect::{ConnectSpec, Session, connect};
use crate::model::count;

/// How long writes are watched for.
const WATCH: Duration = Duration::from_secs(3);

/// Sessions and WAL senders of others, without the service's own (`rds…`) and greenlight's.
const USERS: &str = "\
select a.backend_type::text, a.usename::text, a.datname::text, a.application_name::text, pg_catalog.host(a.client_addr),
       pg_catalog.count(*)
from pg_catalog.pg_stat_activity a
where a.pid <> pg_catalog.pg_backend_pid() and a.usename is not null
  and (a.backend_type is null or a.backend_type in ('client backend', 'walsender'))
  and a.usename not like 'rds%' and coalesce(a.application_name, '') <> 'greenlight'
group by 1, 2, 3, 4, 5 order by 6 desc";

/// Whether the role sees the sessions of others.
const SEES_ALL: &str = "select pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'usage')";

/// Slots that somebody reads, or will read again. The service's own begin with `rds`.
const SLOTS: &str = "\
select slot_name::text, active from pg_catalog.pg_replication_slots where slot_name not like 'rds%' or active";

/// Databases that can be written to.
const DATABASES: &str = "\
select datname::text from pg_catalog.pg_database where datallowconn and not datistemplate and datname <> 'rdsadmin' order by 1";

/// Rows written into people's tables of this database; what vacuuming and analysing write is not among them.
const WRITTEN: &str = "\
select coalesce(pg_catalog.sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_catalog.pg_stat_user_tables";

/// What still uses a server, in words; empty where nothing does. On a `writer` writes are watched for as well.
///
/// # Errors
/// Why that cannot be known.
pub async fn users(spec: &ConnectSpec, writer: bool) -> Result<Vec<String>, String> {
    let session = connect(spec).await.map_err(|e| e.to_string())?;
    let sees_all = rows(&session, SEES_ALL).await?;
    if !sees_all.first().is_some_and(|row| row.get::<_, bool>(0)) {
        return Err(format!(
            "other roles' sessions are hidden: grant pg_monitor to {}",
            crate::model::quote_ident(&session.user)
        ));
    }
    let mut found = Vec::new();
    for row in rows(&session, USERS).await? {
        let text = |at: usize| row.get::<_, Option<String>>(at).filter(|text| !text.is_empty());
        let kind = match text(0).as_deref() {
            Some("walsender") => "replication connection",
            _ => "session",
        };
        let sessions: i64 = row.get(5);
        let mut who = count(sessions, kind);
        for (word, value) in [
            (" of ", text(1)),
            (" in ", text(2)),
            (", application ", text(3)),
            (", from ", text(4)),
        ] {
            if let Some(value) = value {
                who.push_str(word);
                who.push_str(&crate::model::shown::quoted(&value));
            }
        }
        found.push(who);
    }
    for row in rows(&session, SLOTS).await? {
        let (name, active): (String, bool) = (row.get(0), row.get(1));
        let state = if active { "is read" } else { "waits for its reader" };
        found.push(format!(
            "replication slot {} {state}",
            crate::model::shown::quoted(&name)
        ));
    }
    if writer {
        found.extend(written(spec, &session).await?);
    }
    Ok(found)
}

/// Databases into which rows are written while they are watched.
async fn written(spec: &ConnectSpec, session: &Session) -> Result<Vec<String>, String> {
    let mut before = Vec::new();
    for row in rows(session, DATABASES).await? {
        let name: String = row.get(0);
        before.push((counter(spec, &name).await?, name));
    }
    tokio::time::sleep(WATCH).await;
    let mut found = Vec::new();
    for (before, name) in before {
        let new = counter(spec, &name).await? - before;
        if new > 0 {
            let name = crate::model::shown::quoted(&name);
            found.push(format!(
                "{new} rows were written into {name} within {} s",
                WATCH.as_secs()
            ));
        }
    }
    Ok(found)
}

async fn counter(spec: &ConnectSpec, database: &str) -> Result<i64, String> {
    let session = connect(&spec.for_database(database))
        .await
        .map_err(|e| format!("database {}: {e}", crate::model::shown::quoted(database)))?;
    let rows = rows(&session, WRITTEN).await?;
    rows.first()
        .map(|row| row.get(0))
        .ok_or_else(|| "no counters".to_owned())
}

/// Slots of the service that nobody reads any more: what a deployment may leave on blue.
///
/// # Errors
/// Why that cannot be known.
pub async fn leftover_slots(spec: &ConnectSpec) -> Result<Vec<String>, String> {
    const LEFT: &str = "\
select slot_name::text from pg_catalog.pg_replication_slots where slot_type = 'logical' and not active order by 1";
    let session = connect(spec).await.map_err(|e| e.to_string())?;
    Ok(rows(&session, LEFT).await?.iter().map(|row| row.get(0)).collect())
}

async fn rows(session: &Session, sql: &str) -> Result<Vec<tokio_postgres::Row>, String> {
    session
        .client
        .query_typed(sql, &[])
        .await
        .map_err(|e| super::aws::chain(&e))
}
