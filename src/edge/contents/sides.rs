//! The statements of a comparison, and the two sessions that they are sent on.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Error;

use super::plan::Shape;
use crate::{
    edge::{connect::Session, postgres::version},
    model::{Lsn, quote_literal},
};

/// Keys of rows, as text.
pub(super) type Keys = BTreeSet<Vec<String>>;

/// Rows asked for by key in one statement.
const BATCH: usize = 500;

/// A stretch of a table along its key: after one key, up to and with another.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub(super) after: Option<Vec<String>>,
    pub(super) to: Option<Vec<String>>,
}

/// How many rows there are, and two sums of their checksums: the same on both sides whatever the order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) rows: u64,
    sums: (String, String),
}

/// A session on each side.
pub(super) struct Pair {
    pub(super) blue: Session,
    pub(super) green: Session,
}

impl Pair {
    pub(super) fn new(blue: Session, green: Session) -> Self {
        Self { blue, green }
    }

    pub(super) fn blue_major(&self) -> u16 {
        version(&self.blue).major
    }

    /// Texts that a server may be set to write in its own way are written in one.
    pub(super) async fn prepare(&self) -> Result<(), Error> {
        const SAME: &str = "set lc_monetary = 'C'; set xmloption = 'content'";
        tokio::try_join!(
            self.blue.client.batch_execute(SAME),
            self.green.client.batch_execute(SAME)
        )?;
        Ok(())
    }

    /// Where blue writes now: nothing that can be seen on blue lies behind.
    pub(super) async fn position(&self) -> Result<Lsn, Error> {
        let sql = "select pg_current_wal_insert_lsn()::text";
        let row = self.blue.client.query_typed(sql, &[]).await?;
        Ok(lsn(row.first()).unwrap_or_default())
    }

    /// Up to where green has applied: what it has confirmed to the slot of its subscription, or, for a physical copy, what it has
    /// replayed. None where green is neither.
    pub(super) async fn applied(&self) -> Result<Option<Lsn>, Error> {
        let standby = "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text end";
        let rows = self.green.client.query_typed(standby, &[]).await?;
        if let Some(replayed) = lsn(rows.first()) {
            return Ok(Some(replayed));
        }
        let slots =
            "select s.subslotname::text from pg_subscription s join pg_database d on d.oid = s.subdbid
            where d.datname = current_database() and s.subslotname is not null";
        let slots = self.green.client.query_typed(slots, &[]).await?;
        let names: Vec<String> = slots
            .iter()
            .map(|row| row.try_get::<_, String>(0).map(|name| quote_literal(&name)))
            .collect::<Result<_, Error>>()?;
        if names.is_empty() {
            return Ok(None);
        }
        // `min` knows pg_lsn from 13 on.
        let confirmed = format!(
            "select case when count(*) = {} then (array_agg(confirmed_flush_lsn order by confirmed_flush_lsn))[1]::text end
             from pg_replication_slots where database = current_database() and slot_name in ({})",
            names.len(),
            names.join(", ")
        );
        let rows = self.blue.client.query_typed(&confirmed, &[]).await?;
        Ok(lsn(rows.first()))
    }

    /// The last key of the next so many rows of blue; none where fewer are left.
    pub(super) async fn boundary(
        &self,
        shape: &Shape,
        after: Option<&[String]>,
        rows: u64,
    ) -> Result<Option<Vec<String>>, Error> {
        let range = Range {
            after: after.map(<[String]>::to_vec),
            to: None,
        };
        let sql = format!(
            "select {} from only {} t{} order by {} offset {} limit 1",
            key_text(shape),
            shape.table,
            condition(shape, &range),
            key_order(shape).join(", "),
            rows - 1
        );
        let found = self.blue.client.query_typed(&sql, &[]).await?;
        found.first().map(|row| row.try_get(0)).transpose()
    }

    pub(super) async fn blue_sums(&self, shape: &Shape, range: &Range) -> Result<Sums, Error> {
        sums(&self.blue, shape, range).await
    }

    pub(super) async fn green_sums(&self, shape: &Shape, range: &Range) -> Result<Sums, Error> {
        sums(&self.green, shape, range).await
    }

    /// Keys in a range whose rows are not the same on both sides just now.
    pub(super) async fn suspects(&self, shape: &Shape, range: &Range, limit: u64) -> Result<Keys, Error> {
        let sql = format!(
            "select {}, {} from only {} t{} order by {} limit {limit}",
            key_text(shape),
            shape.digest,
            shape.table,
            condition(shape, range),
            key_order(shape).join(", ")
        );
        let (blue, green) = tokio::try_join!(digests(&self.blue, &sql), digests(&self.green, &sql))?;
        let keys = blue.keys().chain(green.keys());
        Ok(keys
            .filter(|key| blue.get(*key) != green.get(*key))
            .cloned()
            .collect())
    }

    pub(super) async fn blue_rows(&self, shape: &Shape, keys: &Keys) -> Result<Digests, Error> {
        rows(&self.blue, shape, keys).await
    }

    pub(super) async fn green_rows(&self, shape: &Shape, keys: &Keys) -> Result<Digests, Error> {
        rows(&self.green, shape, keys).await
    }
}

/// Checksums of rows, by key.
type Digests = BTreeMap<Vec<String>, String>;

async fn sums(session: &Session, shape: &Shape, range: &Range) -> Result<Sums, Error> {
    let sql = format!(
        "select count(*), coalesce(sum(('x' || substr(m, 1, 16))::bit(64)::int8), 0)::text,
           coalesce(sum(('x' || substr(m, 17, 16))::bit(64)::int8), 0)::text
         from (select {} as m from only {} t{}) s",
        shape.digest,
        shape.table,
        condition(shape, range)
    );
    let answer = session.client.query_typed(&sql, &[]).await?;
    let row = answer.first().expect("an aggregate has one row");
    let rows: i64 = row.try_get(0)?;
    Ok(Sums {
        rows: rows.unsigned_abs(),
        sums: (row.try_get(1)?, row.try_get(2)?),
    })
}

async fn rows(session: &Session, shape: &Shape, keys: &Keys) -> Result<Digests, Error> {
    let mut all = Digests::new();
    let keys: Vec<&Vec<String>> = keys.iter().collect();
    for batch in keys.chunks(BATCH) {
        let values: Vec<String> = batch
            .iter()
            .map(|key| format!("({})", key_values(shape, key)))
            .collect();
        let names: Vec<String> = shape.key.iter().map(|k| format!("t.{}", k.name)).collect();
        let sql = format!(
            "select {}, {} from only {} t where ({}) in ({})",
            key_text(shape),
            shape.digest,
            shape.table,
            names.join(", "),
            values.join(", ")
        );
        all.append(&mut digests(session, &sql).await?);
    }
    Ok(all)
}

async fn digests(session: &Session, sql: &str) -> Result<Digests, Error> {
    let rows = session.client.query_typed(sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// The key as an array of texts.
fn key_text(shape: &Shape) -> String {
    let parts: Vec<String> = shape.key.iter().map(|k| format!("t.{}::text", k.name)).collect();
    format!("array[{}]", parts.join(", "))
}

/// The key's columns, sorted alike on both sides.
fn key_order(shape: &Shape) -> Vec<String> {
    let sorted = |k: &super::plan::KeyColumn| match k.text {
        true => format!("t.{} collate \"C\"", k.name),
        false => format!("t.{}", k.name),
    };
    shape.key.iter().map(sorted).collect()
}

/// Values of a key, of its types.
fn key_values(shape: &Shape, key: &[String]) -> String {
    let values: Vec<String> = shape
        .key
        .iter()
        .zip(key)
        .map(|(k, value)| format!("{}::{}", quote_literal(value), k.type_name))
        .collect();
    values.join(", ")
}

fn condition(shape: &Shape, range: &Range) -> String {
    let columns = key_order(shape).join(", ");
    let side = |key: &Option<Vec<String>>, sign: &str| {
        key.as_ref()
            .map(|key| format!("({columns}) {sign} ({})", key_values(shape, key)))
    };
    let both: Vec<String> = [side(&range.after, ">"), side(&range.to, "<=")]
        .into_iter()
        .flatten()
        .collect();
    if both.is_empty() {
        String::new()
    } else {
        format!(" where {}", both.join(" and "))
    }
}

fn lsn(row: Option<&tokio_postgres::Row>) -> Option<Lsn> {
    row?.try_get::<_, Option<String>>(0).ok()??.parse().ok()
}
