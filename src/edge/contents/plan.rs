//! Which tables there are, which were meant, and by what their rows are told apart.

use serde::Deserialize;

use super::Trouble;
use crate::{edge::connect::Session, facts::Why};

/// Tables with rows of their own, with the names of those that they are parts of, their columns, and the best key.
const TABLES: &str = "
with recursive tree (oid, up) as (
    select c.oid, c.oid from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
    union all
    select t.oid, i.inhparent from tree t join pg_catalog.pg_inherits i on i.inhrelid = t.up
)
select pg_catalog.jsonb_build_object(
    'name', pg_catalog.format('%I.%I', n.nspname, c.relname),
    'called', (
        select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(un.nspname, u.relname))
        from tree t join pg_catalog.pg_class u on u.oid = t.up join pg_catalog.pg_namespace un on un.oid = u.relnamespace
        where t.oid = c.oid
    ),
    'may_select', pg_catalog.has_table_privilege(c.oid, 'select'),
    'may_use', pg_catalog.has_schema_privilege(n.oid, 'usage'),
    'row_security', pg_catalog.row_security_active(c.oid),
    'unlogged', c.relpersistence = 'u',
    'columns', (
        select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'number', a.attnum, 'name', pg_catalog.quote_ident(a.attname),
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'kind', t.typtype,
            'base', case when t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace then t.typname end) order by a.attnum), '[]')
        from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ),
    'key', (
        select i.indkey::pg_catalog.int2[] from pg_catalog.pg_index i
        where i.indrelid = c.oid and i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null
          and not exists (
              select from pg_catalog.pg_attribute a
              where a.attrelid = i.indrelid and a.attnum = any (i.indkey::pg_catalog.int2[]) and not a.attnotnull
          )
        order by i.indisprimary desc, i.indnatts, i.indexrelid limit 1
    ))::text
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid in (select oid from tree)
order by n.nspname, c.relname";

/// Types that sort the same on every major and machine.
const SORTED: [&str; 11] = [
    "int2",
    "int4",
    "int8",
    "oid",
    "uuid",
    "date",
    "timestamp",
    "timestamptz",
    "numeric",
    "bytea",
    "bool",
];
/// Types that do so in the collation C.
const TEXTS: [&str; 2] = ["text", "varchar"];

/// Up to 11 floating-point numbers are printed with other digits than from 12 on,
/// <https://www.postgresql.org/docs/release/12.0/>; types that may hold some are not compared over that step.
const SHORTEST: u16 = 12;
const FLOATING: [&str; 16] = [
    "point", "_point", "line", "_line", "lseg", "_lseg", "box", "_box", "path", "_path", "polygon",
    "_polygon", "circle", "_circle", "_float4", "_float8",
];

/// A table with rows of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// Ready for pasting.
    pub(super) name: String,
    /// Schema and name as they are, of itself and of the tables that it is a part of.
    called: Vec<(String, String)>,
    may_select: bool,
    may_use: bool,
    row_security: bool,
    unlogged: bool,
    columns: Vec<Column>,
    key: Option<Vec<i32>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    number: i32,
    /// Quoted.
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    kind: String,
    /// The name of a type of the system's own.
    base: Option<String>,
}

/// What to send for a table.
#[derive(Debug)]
pub(super) struct Shape {
    /// Quoted.
    pub(super) table: String,
    /// An expression for the checksum of a row.
    pub(super) digest: String,
    pub(super) key: Vec<KeyColumn>,
    pub(super) left_out: Vec<String>,
}

/// A column of the key.
#[derive(Debug)]
pub(super) struct KeyColumn {
    /// Quoted.
    pub(super) name: String,
    pub(super) type_name: String,
    /// Sorted as bytes, whatever its collation.
    pub(super) text: bool,
}

impl Shape {
    pub(super) fn key_names(&self) -> Vec<String> {
        self.key.iter().map(|k| k.name.clone()).collect()
    }
}

/// All tables of a database. None is left out because it could not be read: nobody would notice that it was not compared.
pub(super) async fn tables(session: &Session) -> Result<Vec<Table>, Trouble> {
    let rows = session.client.query_typed(TABLES, &[]).await?;
    let table = |row: &tokio_postgres::Row| -> Result<Table, Trouble> {
        let text: String = row.try_get(0)?;
        serde_json::from_str(&text).map_err(|e| {
            Trouble::Stop(
                Why::Error,
                format!("the description of a table cannot be read: {e}"),
            )
        })
    };
    rows.iter().map(table).collect()
}

impl Table {
    /// Whether a pattern means this table or one that it is a part of.
    pub(super) fn is_named(&self, database: &str, pattern: &str) -> bool {
        let pattern = match pattern.split_once('/') {
            Some((wanted, rest)) if like(wanted, database) => rest,
            Some(_) => return false,
            None => pattern,
        };
        like(pattern, &self.name)
            || self
                .called
                .iter()
                .any(|(schema, name)| like(pattern, name) || like(pattern, &format!("{schema}.{name}")))
    }

    /// Why it cannot be read.
    pub(super) fn obstacle(&self, role: &str) -> Option<(Why, String)> {
        let role = crate::model::quote_ident(role);
        if !self.may_use || !self.may_select {
            let schema = self.name.split('.').next().unwrap_or_default();
            let schema = if self.name.starts_with('"') {
                // A quoted name may hold a dot.
                self.name
                    .split("\".")
                    .next()
                    .map_or(String::new(), |s| format!("{s}\""))
            } else {
                schema.to_owned()
            };
            let usage = if self.may_use {
                String::new()
            } else {
                format!("grant usage on schema {schema} to {role}; ")
            };
            return Some((
                Why::Privilege,
                format!("{usage}grant select on {} to {role};", self.name),
            ));
        }
        if self.row_security {
            let why = format!("row security hides rows from {role}: alter role {role} bypassrls;");
            return Some((Why::Privilege, why));
        }
        if self.unlogged {
            return Some((Why::NotAsked, "an unlogged table is not replicated".to_owned()));
        }
        None
    }

    /// How its rows are told apart and summed, where blue is of this major.
    pub(super) fn shape(&self, blue: u16) -> Shape {
        let differs = |c: &&Column| {
            blue < SHORTEST
                && match c.base.as_deref() {
                    Some(base) => FLOATING.contains(&base),
                    None => c.kind != "e",
                }
        };
        let left_out = self
            .columns
            .iter()
            .filter(differs)
            .map(|c| format!("{} {}", c.name, c.type_name));
        let parts: Vec<String> = self
            .columns
            .iter()
            .filter(|c| !differs(c))
            .map(|c| match c.base.as_deref() {
                // The bytes are the same where the text is not.
                Some(base @ ("float4" | "float8")) => format!("{base}send(t.{})", c.name),
                _ => format!("t.{}", c.name),
            })
            .collect();
        let sorts = |c: &&Column| {
            let base = c.base.as_deref().unwrap_or_default();
            SORTED.contains(&base) || TEXTS.contains(&base)
        };
        let of_key = |number: &i32| self.columns.iter().find(|c| c.number == *number).filter(sorts);
        let key: Option<Vec<KeyColumn>> = self.key.as_ref().and_then(|key| {
            let column = |number| {
                of_key(number).map(|c| KeyColumn {
                    name: c.name.clone(),
                    type_name: c.type_name.clone(),
                    text: c.base.as_deref().is_some_and(|base| TEXTS.contains(&base)),
                })
            };
            key.iter().map(column).collect()
        });
        Shape {
            table: self.name.clone(),
            digest: format!("md5(row({})::text)", parts.join(", ")),
            key: key.unwrap_or_default(),
            left_out: left_out.collect(),
        }
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| like(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_tables() {
        for (pattern, text, fits) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("*", "", true),
            ("o*s", "orders", true),
            ("o*r*s", "orders", true),
            ("*x", "orders", false),
            ("ä*", "äé", true),
            ("", "", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
        let table = Table {
            name: "\"S.x\".leaf".to_owned(),
            called: vec![
                ("S.x".to_owned(), "leaf".to_owned()),
                ("public".to_owned(), "root".to_owned()),
            ],
            may_select: true,
            may_use: true,
            row_security: false,
            unlogged: false,
            columns: Vec::new(),
            key: None,
        };
        for (pattern, fits) in [
            ("leaf", true),
            ("S.x.leaf", true),
            ("\"S.x\".leaf", true),
            ("root", true),
            ("public.*", true),
            ("app/leaf", true),
            ("other/leaf", false),
            ("s.x.leaf", false),
        ] {
            assert_eq!(table.is_named("app", pattern), fits, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_the_grant() {
        let mut table = Table {
            name: "\"a.b\".t".to_owned(),
            called: Vec::new(),
            may_select: false,
            may_use: false,
            row_security: false,
            unlogged: false,
            columns: Vec::new(),
            key: None,
        };
        let (_, detail) = table.obstacle("greenlight").expect("it cannot be read");
        assert_eq!(
            detail,
            "grant usage on schema \"a.b\" to greenlight; grant select on \"a.b\".t to greenlight;"
        );
        table.may_use = true;
        table.may_select = true;
        assert!(table.obstacle("greenlight").is_none());
    }
}
