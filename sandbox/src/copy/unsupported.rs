//! What this copier does not know how to create. It is told as a failure, so that nothing is lost in silence.

use super::Failure;
use super::source::{Source, own};
use crate::pg::Result;

pub(super) async fn find(source: &Source) -> Result<Vec<Failure>> {
    let kinds = [
        ("operator class", "pg_opclass", "opcname"),
        ("conversion", "pg_conversion", "conname"),
        ("language", "pg_language", "lanname"),
        ("access method", "pg_am", "amname"),
        ("text search parser", "pg_ts_parser", "prsname"),
        ("text search template", "pg_ts_template", "tmplname"),
    ];
    let mut queries: Vec<String> = kinds
        .iter()
        .map(|(kind, catalog, name)| {
            format!(
                "select format('{kind} %I', {name}) from {catalog} x where {}",
                own("x", catalog)
            )
        })
        .collect();
    queries.push(format!(
        "select format('transform for %s', format_type(trftype, null)) from pg_transform x where {}",
        own("x", "pg_transform")
    ));
    queries.push(format!(
        "select format('base type %I', typname) from pg_type x where typtype = 'b' and {}
           and not exists (select from pg_type e where e.typarray = x.oid)",
        own("x", "pg_type")
    ));
    let rows = source.rows(&queries.join(" union all ")).await?;
    Ok(rows
        .into_iter()
        .flatten()
        .flatten()
        .map(|object| Failure {
            database: Some(source.database.clone()),
            object,
            statement: String::new(),
            error: "the sandbox cannot copy this kind of object".to_owned(),
        })
        .collect())
}
