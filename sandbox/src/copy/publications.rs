//! Publications, but for those of the service, whose names start with `rds`.

use super::source::Source;

const OURS: &str = "pubname not like 'rds%'";

pub(super) fn publications(source: &Source) -> String {
    let truncate = source.since(11, "case when pubtruncate then 'truncate' end", "null");
    let via_root = source.since(
        13,
        "case when pubviaroot then ', publish_via_partition_root = true' else '' end",
        "''",
    );
    let generated = source.since(
        18,
        "case when pubgencols = 's' then ', publish_generated_columns = stored' else '' end",
        "''",
    );
    format!(
        "select format('publication %I', pubname), format('create publication %1$I%2$s with (publish = %3$L%4$s%5$s);
             alter publication %1$I owner to %6$s', pubname, case when puballtables then ' for all tables' else '' end,
           concat_ws(', ', case when pubinsert then 'insert' end, case when pubupdate then 'update' end,
             case when pubdelete then 'delete' end, {truncate}), {via_root}, {generated}, pubowner::regrole)
         from pg_publication where {OURS}"
    )
}

pub(super) fn members(source: &Source) -> String {
    let details = source.since(
        15,
        "coalesce((select format(' (%s)', string_agg(format('%I', attname), ', ' order by attnum)) from pg_attribute
             where attrelid = prrelid and attnum = any (prattrs) having count(*) > 0), '')
           || coalesce(' where (' || pg_get_expr(prqual, prrelid) || ')', '')",
        "''",
    );
    let schemas = source.since(
        15,
        "union all select format('schema %I of publication %I', nspname, pubname),
           format('alter publication %I add tables in schema %I', pubname, nspname)
         from pg_publication_namespace join pg_publication p on p.oid = pnpubid join pg_namespace n on n.oid = pnnspid
         where pubname not like 'rds%'",
        "",
    );
    format!(
        "select format('table %I.%I of publication %I', nspname, relname, pubname),
           format('alter publication %I add table only %I.%I%s', pubname, nspname, relname, {details})
         from pg_publication_rel join pg_publication p on p.oid = prpubid join pg_class c on c.oid = prrelid
           join pg_namespace n on n.oid = relnamespace where {OURS} {schemas}"
    )
}
