//! What `pg_upgrade --check` refuses although it could be created: values that only the old server can read, and
//! states that the upgrade cannot take over. Known from `src/bin/pg_upgrade/check.c` of PostgreSQL.
//! <https://github.com/postgres/postgres/blob/REL_17_STABLE/src/bin/pg_upgrade/check.c>
//!
//! What fails when it is created (tables WITH OIDS, removed types, postfix operators) needs no line here.

use super::Failure;
use super::source::Source;
use crate::pg::Result;

/// Types whose stored values mean nothing to a newer server, and why.
struct Stored {
    condition: &'static str,
    applies: fn(old: u32, new: u32) -> bool,
    why: &'static str,
}

const STORED: [Stored; 4] = [
    Stored {
        condition: "n.nspname = 'pg_catalog' and t.typname in ('regcollation', 'regconfig', 'regdictionary', 'regnamespace',
            'regoper', 'regoperator', 'regproc', 'regprocedure')",
        applies: |_, _| true,
        why: "it stores OIDs of objects that have other OIDs after the upgrade (reg* data types)",
    },
    Stored {
        condition: "t.typtype = 'c' and (t.oid < 16384 or n.nspname = 'information_schema')",
        applies: |_, _| true,
        why: "it stores rows of a system table or view, whose columns may be others after the upgrade",
    },
    Stored {
        condition: "n.nspname = 'pg_catalog' and t.typname = 'aclitem'",
        applies: |old, new| old <= 15 && new >= 16,
        why: "the data type \"aclitem\" is stored in another format since 16",
    },
    Stored {
        condition: "n.nspname = 'information_schema' and t.typname = 'sql_identifier'",
        applies: |old, new| old <= 11 && new >= 12,
        why: "the data type \"sql_identifier\" is stored in another format since 12",
    },
];

/// Of the whole server.
pub(super) async fn server(source: &Source) -> Result<Vec<Failure>> {
    let rows = source
        .rows("select database, gid from pg_prepared_xacts order by 1, 2")
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let [database, Some(gid)] = <[_; 2]>::try_from(row).ok()? else {
                return None;
            };
            Some(Failure {
                database,
                object: format!("prepared transaction {gid}"),
                statement: String::new(),
                error: "the old server contains prepared transactions".to_owned(),
            })
        })
        .collect())
}

/// Of one database. Only a step to another major version is an upgrade.
pub(super) async fn database(source: &Source, new: u32) -> Result<Vec<Failure>> {
    if source.major >= new {
        return Ok(Vec::new());
    }
    let mut failures = Vec::new();
    for stored in STORED.iter().filter(|stored| (stored.applies)(source.major, new)) {
        for object in columns_of(source, stored.condition).await? {
            failures.push(failure(source, object, stored.why));
        }
    }
    let nullable = "select format('column %I.%I.%I', n.nspname, c.relname, a.attname)
        from pg_inherits i join pg_attribute a on a.attrelid = inhrelid join pg_attribute p on p.attrelid = inhparent
          and p.attname = a.attname join pg_class c on c.oid = inhrelid join pg_namespace n on n.oid = c.relnamespace
        where p.attnum > 0 and p.attnotnull and not a.attnotnull and not a.attisdropped order by 1";
    for object in source.rows(nullable).await?.into_iter().flatten().flatten() {
        failures.push(failure(
            source,
            object,
            "it may be null, but the column it inherits may not",
        ));
    }
    Ok(failures)
}

fn failure(source: &Source, object: String, why: &str) -> Failure {
    Failure {
        database: Some(source.database.clone()),
        object,
        statement: String::new(),
        error: why.to_owned(),
    }
}

/// Columns with storage whose type is, or is made of, one that fits the condition.
async fn columns_of(source: &Source, condition: &str) -> Result<Vec<String>> {
    let sql = format!(
        "with recursive affected (oid) as (
           select t.oid from pg_type t join pg_namespace n on n.oid = typnamespace where {condition}
           union
           select w.oid from affected, lateral (
             select t.oid from pg_type t where typbasetype = affected.oid or (typelem = affected.oid and typtype = 'b')
             union all select c.reltype from pg_class c join pg_attribute a on attrelid = c.oid
               where atttypid = affected.oid and not attisdropped and c.relkind = 'c'
             union all select rngtypid from pg_range where rngsubtype = affected.oid) as w)
         select distinct format('column %I.%I.%I', n.nspname, c.relname, attname)
         from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
         where atttypid in (select oid from affected) and not attisdropped and relkind in ('r', 'm', 'i')
           and relpersistence <> 't' and nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_toast'
         order by 1"
    );
    Ok(source.rows(&sql).await?.into_iter().flatten().flatten().collect())
}
