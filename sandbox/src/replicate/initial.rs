//! The rows that green starts with, from a snapshot of blue.

use std::collections::HashSet;

use futures_util::{SinkExt, StreamExt};
use tokio_postgres::Client;

use crate::pg::{self, Error, Result, Server, chain, ident, literal};

/// Tables asked in one query.
const CHUNK: usize = 200;

/// Triggers that fire in spite of `session_replication_role = replica`. A copied row is not a new row.
const FIRING: &str = "select pg_catalog.format('%I.%I', nspname, relname), tgname, tgenabled
    from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = tgrelid join pg_catalog.pg_namespace n on n.oid = relnamespace
    where tgenabled in ('A', 'R') and not tgisinternal and relkind in ('r', 'p')";

/// Copies the rows of all tables of the publication, then fills the materialized views that are filled on blue. What
/// could not be filled is returned.
pub(super) async fn copy_rows(
    blue: &Server,
    green: &Server,
    database: &str,
    snapshot: &str,
    publication: &str,
) -> Result<Vec<String>> {
    let source = blue.connect(database).await?;
    let start = format!(
        "set search_path = ''; set statement_timeout = 0; set datestyle = iso; set intervalstyle = postgres;
         set extra_float_digits = 3; begin isolation level repeatable read read only; set transaction snapshot {}",
        literal(snapshot)
    );
    pg::execute(&source, database, &start).await?;
    let target = green.connect(database).await?;
    pg::execute(
        &target,
        database,
        "set search_path = ''; set session_replication_role = replica; set statement_timeout = 0",
    )
    .await?;
    let generated = if blue.major() >= 12 {
        "and attgenerated = ''"
    } else {
        ""
    };
    let tables = format!(
        "select pg_catalog.format('%I.%I', schemaname, tablename), (select string_agg(pg_catalog.format('%I', attname), ', '
             order by attnum) from pg_catalog.pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped {generated}),
           exists (select from pg_catalog.pg_depend e where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
             and e.objid = c.oid and e.deptype = 'e')
         from pg_catalog.pg_publication_tables p join pg_catalog.pg_namespace n on nspname = schemaname
           join pg_catalog.pg_class c on relname = tablename and relnamespace = n.oid
         where pubname = {} and relkind = 'r' order by c.oid",
        literal(publication)
    );
    let tables = pg::query(&source, database, &tables).await?;
    let firing = pg::query(&target, database, FIRING).await?;
    switch_triggers(&target, database, &firing, false).await?;
    let filled = filled(&source, database, &tables).await?;
    for row in &tables {
        let [Some(table), columns, extension] = row.as_slice() else {
            continue;
        };
        if extension.as_deref() == Some("t") {
            // The extension has put its own rows there.
            pg::execute(&target, database, &format!("truncate {table}")).await?;
        }
        if filled.contains(table) {
            copy_table(&source, &target, database, table, columns.as_deref()).await?;
        }
    }
    switch_triggers(&target, database, &firing, true).await?;
    let views = "select pg_catalog.format('%I.%I', nspname, relname) from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = relnamespace where relkind = 'm' and relispopulated order by c.oid";
    let views = pg::query(&source, database, views).await?;
    refresh(&target, database, views.into_iter().flatten().flatten().collect()).await
}

/// Those of the tables that have rows: a copy takes several round trips, and a schema has many empty tables.
async fn filled(source: &Client, database: &str, tables: &[pg::Row]) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for chunk in tables.chunks(CHUNK) {
        let tests: Vec<String> = chunk
            .iter()
            .filter_map(|row| row.first()?.as_ref())
            .map(|table| format!("select {} where exists (select from {table})", literal(table)))
            .collect();
        let rows = pg::query(source, database, &tests.join(" union all ")).await?;
        names.extend(rows.into_iter().flatten().flatten());
    }
    Ok(names)
}

async fn copy_table(
    source: &Client,
    target: &Client,
    database: &str,
    table: &str,
    columns: Option<&str>,
) -> Result<()> {
    let sql = |direction: &str| match columns {
        Some(columns) => format!("copy {table} ({columns}) {direction}"),
        None => format!("copy {table} {direction}"),
    };
    let copy = async {
        let rows = source.copy_out(&sql("to stdout")).await?;
        let sink = target.copy_in(&sql("from stdin")).await?;
        let (mut rows, mut sink) = (std::pin::pin!(rows), std::pin::pin!(sink));
        while let Some(bytes) = rows.next().await {
            sink.send(bytes?).await?;
        }
        sink.finish().await.map(drop)
    };
    copy.await.map_err(|source| Error::Sql {
        database: database.to_owned(),
        statement: sql("from stdin"),
        source,
    })
}

async fn switch_triggers(target: &Client, database: &str, triggers: &[pg::Row], on: bool) -> Result<()> {
    for row in triggers {
        let [Some(table), Some(trigger), Some(state)] = row.as_slice() else {
            continue;
        };
        let action = match (on, state.as_str()) {
            (false, _) => "disable",
            (true, "A") => "enable always",
            (true, _) => "enable replica",
        };
        pg::execute(
            target,
            database,
            &format!("alter table only {table} {action} trigger {}", ident(trigger)),
        )
        .await?;
    }
    Ok(())
}

/// Views may stand on each other, so all are tried until nothing changes.
async fn refresh(target: &Client, database: &str, mut views: Vec<String>) -> Result<Vec<String>> {
    loop {
        let before = views.len();
        let (mut left, mut notes) = (Vec::new(), Vec::new());
        for view in views {
            if let Err(error) = target
                .batch_execute(&format!("refresh materialized view {view}"))
                .await
            {
                notes.push(format!(
                    "database {}: materialized view {view} could not be refreshed: {}",
                    ident(database),
                    chain(&error)
                ));
                left.push(view);
            }
        }
        if left.is_empty() || left.len() == before {
            return Ok(notes);
        }
        views = left;
    }
}
