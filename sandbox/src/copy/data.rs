//! What logical replication does not bring: large objects, rows of unlogged tables, positions of sequences.

use futures_util::{SinkExt, StreamExt};
use tokio_postgres::Client;

use super::Failure;
use super::privileges::grants;
use super::run::{Item, Runner};
use super::source::{Source, own};
use crate::pg::{self, Error, Result, literal};

/// Sequences asked in one query.
const CHUNK: usize = 200;

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// Qualified and quoted.
    pub(crate) sequence: String,
    pub(crate) last_value: i64,
    /// Whether `last_value` has been handed out.
    pub(crate) is_called: bool,
    /// Counts downwards.
    pub(crate) descending: bool,
}

pub(super) async fn large_objects(source: &Source) -> Result<Vec<Item>> {
    let mut items = source
        .items(
            "select format('large object %s', oid), format('select pg_catalog.lo_from_bytea(%1$s, %2$L); \
               alter large object %1$s owner to %3$s', oid, lo_get(oid), lomowner::regrole)
             from pg_largeobject_metadata order by oid",
        )
        .await?;
    let acl = grants(
        "select 'large object' as keyword, oid::text as identity, lomowner as owner, lomacl as acl, 'L' as kind
         from pg_largeobject_metadata",
    );
    items.append(&mut source.items(&acl).await?);
    Ok(items)
}

/// Moves the rows of unlogged tables over, without firing triggers.
pub(super) async fn copy_unlogged(source: &Source, runner: &Runner) -> Result<Vec<Failure>> {
    let own = own("c", "pg_class");
    let stored = source.since(12, "and attgenerated = ''", "");
    let tables = source
        .rows(&format!(
            "select format('%I.%I', nspname, relname), (select string_agg(format('%I', attname), ', ' order by attnum)
               from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped {stored})
             from pg_class c join pg_namespace n on n.oid = relnamespace
             where relkind = 'r' and relpersistence = 'u' and {own} order by c.oid"
        ))
        .await?;
    let mut failures = Vec::new();
    for row in tables {
        let [Some(table), Some(columns)] = row.as_slice() else {
            continue;
        };
        let sql = |direction: &str| format!("copy {table} ({columns}) {direction}");
        let read = |error| Error::Sql {
            database: source.database.clone(),
            statement: sql("to stdout"),
            source: error,
        };
        let rows = source.client().copy_out(&sql("to stdout")).await.map_err(read)?;
        runner
            .try_statement("set session_replication_role = replica")
            .await?;
        let written: Result<(), tokio_postgres::Error> = async {
            let sink = runner.client().copy_in(&sql("from stdin")).await?;
            let mut sink = std::pin::pin!(sink);
            let mut rows = std::pin::pin!(rows);
            while let Some(bytes) = rows.next().await {
                sink.send(bytes?).await?;
            }
            sink.finish().await.map(drop)
        }
        .await;
        runner.try_statement("reset session_replication_role").await?;
        if let Err(error) = written {
            let object = format!("the rows of unlogged table {table}");
            failures.push(runner.failure(object, sql("from stdin"), pg::chain(&error)));
        }
    }
    Ok(failures)
}

/// The positions of all sequences of a database.
pub(crate) async fn sequence_positions(client: &Client, database: &str) -> Result<Vec<Position>> {
    let sequences = pg::query(
        client,
        database,
        "select pg_catalog.format('%I.%I', nspname, relname), seqincrement < 0
         from pg_catalog.pg_sequence join pg_catalog.pg_class c on c.oid = seqrelid
           join pg_catalog.pg_namespace n on n.oid = relnamespace where relpersistence <> 't' order by 1",
    )
    .await?;
    let mut positions = Vec::new();
    for chunk in sequences.chunks(CHUNK) {
        let selects: Vec<String> = chunk
            .iter()
            .filter_map(|row| {
                let [Some(name), Some(descending)] = row.as_slice() else {
                    return None;
                };
                Some(format!(
                    "select {} as name, last_value, is_called, {} from {name}",
                    literal(name),
                    literal(descending)
                ))
            })
            .collect();
        for row in pg::query(client, database, &selects.join(" union all ")).await? {
            let [
                Some(sequence),
                Some(last_value),
                Some(is_called),
                Some(descending),
            ] = row.as_slice()
            else {
                continue;
            };
            let Ok(last_value) = last_value.parse() else {
                continue;
            };
            positions.push(Position {
                sequence: sequence.clone(),
                last_value,
                is_called: is_called == "t",
                descending: descending == "t",
            });
        }
    }
    Ok(positions)
}

/// `setval` for every position, in one go.
pub(crate) async fn set_sequences(client: &Client, database: &str, positions: &[Position]) -> Result<()> {
    for chunk in positions.chunks(CHUNK) {
        let statements: Vec<String> = chunk.iter().map(setval).collect();
        pg::execute(client, database, &statements.join("; ")).await?;
    }
    Ok(())
}

/// The same one by one, because some sequences may not be there.
pub(super) async fn restore_positions(runner: &Runner, positions: &[Position]) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for position in positions {
        let statement = setval(position);
        if let Some(error) = runner.try_statement(&statement).await? {
            failures.push(runner.failure(
                format!("the position of sequence {}", position.sequence),
                statement,
                error,
            ));
        }
    }
    Ok(failures)
}

fn setval(position: &Position) -> String {
    format!(
        "select pg_catalog.setval({}::pg_catalog.regclass, {}, {})",
        literal(&position.sequence),
        position.last_value,
        position.is_called
    )
}
