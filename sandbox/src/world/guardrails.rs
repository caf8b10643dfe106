//! What RDS looks at in the databases: before it builds green, and before it lets a switchover begin.
//!
//! The guardrails are those of
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>. AWS publishes no
//! thresholds: "long-running" and the lag that a timeout allows are the sandbox's own.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    pg::{self, Server},
    roles::SERVICE_DATABASE,
};

/// Bytes of lag that one second of the switchover's timeout allows.
const LAG_PER_SECOND: u64 = 1 << 20;

/// Slots and subscriptions on blue that are not the service's own.
pub(crate) async fn external_replication(server: &Server) -> pg::Result<Vec<String>> {
    let sql = "select 'slot ' || slot_name from pg_replication_slots where slot_type = 'logical' and slot_name !~ '^rds' \
               union all select 'subscription ' || subname from pg_subscription where subname !~ '^rds' order by 1";
    texts(server, "postgres", sql).await
}

/// The databases that would be replicated.
pub(crate) async fn databases(server: &Server) -> pg::Result<Vec<String>> {
    let mut databases = server.databases().await?;
    databases.retain(|name| name != SERVICE_DATABASE);
    Ok(databases)
}

/// What blue's sessions do that a switchover must not interrupt.
pub(crate) async fn blue(server: &Server, long: Duration) -> pg::Result<Option<String>> {
    let external = external_replication(server).await?;
    if !external.is_empty() {
        return Ok(Some(format!(
            "external replication on the blue environment ({})",
            external.join(", ")
        )));
    }
    let seconds = long.as_secs_f64();
    // DDL holds a lock on a catalogue row or an exclusive lock on a relation of the user.
    let ddl = format!(
        "select a.pid::text from pg_stat_activity a where a.backend_type = 'client backend' \
         and a.xact_start < clock_timestamp() - make_interval(secs => {seconds}) and exists (select from pg_locks l \
         where l.pid = a.pid and l.mode in ('AccessExclusiveLock', 'ExclusiveLock', 'ShareLock') \
         and l.locktype = 'relation' and l.granted)"
    );
    let ddl = texts(server, "postgres", &ddl).await?;
    if !ddl.is_empty() {
        return Ok(Some(format!(
            "long-running DDL on the blue environment (process {})",
            ddl.join(", ")
        )));
    }
    let writes = format!(
        "select pid::text from pg_stat_activity where backend_type = 'client backend' and backend_xid is not null \
         and xact_start < clock_timestamp() - make_interval(secs => {seconds}) \
         union all select 'prepared ' || gid from pg_prepared_xacts"
    );
    let writes = texts(server, "postgres", &writes).await?;
    if !writes.is_empty() {
        return Ok(Some(format!(
            "long-running active writes on the blue environment ({})",
            writes.join(", ")
        )));
    }
    Ok(None)
}

/// Whether green replicates, in every database, and is not written to.
pub(crate) async fn green(server: &Server, databases: usize) -> pg::Result<Option<String>> {
    let healthy = "select count(*) from pg_subscription s where subname ~ '^rds' and subenabled and exists \
                   (select from pg_stat_subscription t where t.subid = s.oid and t.pid is not null)";
    let healthy = server.value("postgres", healthy).await?;
    if healthy.as_deref() != Some(databases.to_string().as_str()) {
        return Ok(Some(format!(
            "replication is not healthy in the green environment ({} of {databases} subscriptions apply changes)",
            healthy.unwrap_or_default()
        )));
    }
    // The service's own sessions are no clients.
    let writes = "select pid::text from pg_stat_activity where backend_type = 'client backend' and backend_xid is not null \
                  and usesysid <> 10";
    let writes = texts(server, "postgres", writes).await?;
    if !writes.is_empty() {
        return Ok(Some(format!(
            "active writes in the green environment (process {})",
            writes.join(", ")
        )));
    }
    Ok(None)
}

/// Whether green is too far behind for a switchover with that timeout.
pub(crate) async fn lag(blue: &Server, timeout: u32) -> pg::Result<Option<String>> {
    let sql = "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)), 0)::bigint::text \
               from pg_replication_slots where slot_name ~ '^rds'";
    let bytes: u64 = blue
        .value("postgres", sql)
        .await?
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or_default();
    let allowed = u64::from(timeout) * LAG_PER_SECOND;
    Ok((bytes > allowed).then(|| {
        format!("replication lag of {bytes} bytes is above what a timeout of {timeout} seconds allows")
    }))
}

async fn texts(server: &Server, database: &str, sql: &str) -> pg::Result<Vec<String>> {
    let rows = server.query(database, sql).await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// A digest of every database's catalogue: what DDL and large objects change, and nothing else does. Temporary objects
/// and the service's own publications are left out; object IDs are in, so that a table dropped and made again shows.
pub(crate) async fn fingerprint(server: &Server) -> pg::Result<BTreeMap<String, String>> {
    let user = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";
    let sql = format!(
        "select md5(coalesce(string_agg(line, chr(10) order by line), '')) from (
           select concat_ws(' ', 'relation', c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
                            c.relrowsecurity, c.reloptions::text) line
             from pg_class c join pg_namespace n on n.oid = c.relnamespace where {user} and c.relpersistence <> 't'
           union all select concat_ws(' ', 'column', a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod,
                            a.attnotnull, a.attisdropped)
             from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
             where {user} and c.relpersistence <> 't' and a.attnum > 0
           union all select concat_ws(' ', 'constraint', o.oid, o.conname, pg_get_constraintdef(o.oid))
             from pg_constraint o join pg_namespace n on n.oid = o.connamespace where {user}
           union all select concat_ws(' ', 'index', i.indexrelid, pg_get_indexdef(i.indexrelid))
             from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
             where {user} and c.relpersistence <> 't'
           union all select concat_ws(' ', 'function', p.oid, n.nspname, p.proname, md5(p.prosrc))
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {user}
           union all select concat_ws(' ', 'trigger', t.oid, t.tgname, t.tgenabled)
             from pg_trigger t where not t.tgisinternal
           union all select concat_ws(' ', 'type', t.oid, n.nspname, t.typname)
             from pg_type t join pg_namespace n on n.oid = t.typnamespace where {user} and t.typrelid = 0
           union all select concat_ws(' ', 'label', e.enumtypid, e.enumlabel) from pg_enum e
           union all select concat_ws(' ', 'schema', n.oid, n.nspname) from pg_namespace n where {user}
           union all select concat_ws(' ', 'extension', extname, extversion) from pg_extension
           union all select concat_ws(' ', 'large object', oid) from pg_largeobject_metadata
         ) catalogue"
    );
    let mut digests = BTreeMap::new();
    for database in databases(server).await? {
        let digest = server.value(&database, &sql).await?.unwrap_or_default();
        digests.insert(database, digest);
    }
    Ok(digests)
}

/// The databases in which DDL ran, or that came or went, between two fingerprints.
pub(crate) fn changed(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let names = before.keys().chain(now.keys());
    let mut changed: Vec<String> = names
        .filter(|name| before.get(*name) != now.get(*name))
        .cloned()
        .collect();
    changed.sort();
    changed.dedup();
    changed
}
