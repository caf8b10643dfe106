//! Keys, indexes, foreign keys, extended statistics, and which index a table is replicated or clustered by.

use super::source::{Source, own, user_schema};

const NAME: &str = "format('%I.%I', n.nspname, c.relname)";

/// Primary keys, unique and exclusion constraints, each for its table alone; partitions have their own.
pub(super) fn constraints() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    format!(
        "select format('constraint %I on %s', conname, {NAME}),
           format('alter table only %s add constraint %I %s', {NAME}, conname, pg_get_constraintdef(k.oid))
           || coalesce((select format('; alter index %I.%I set (%s)', n.nspname, i.relname, array_to_string(i.reloptions, ', '))
                from pg_class i where i.oid = conindid and i.reloptions is not null), '')
         from pg_constraint k join pg_class c on c.oid = conrelid join pg_namespace n on n.oid = c.relnamespace
         where contype in ('p', 'u', 'x') and {own} and {user} order by k.oid"
    )
}

/// All other indexes that are valid: pg_dump leaves out those that are not.
pub(super) fn indexes(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let partitioned = source.since(11, "or i.relkind = 'I'", "");
    format!(
        "select format('index %I.%I', n.nspname, i.relname), pg_get_indexdef(x.indexrelid)
         from pg_index x join pg_class i on i.oid = indexrelid join pg_class c on c.oid = indrelid
           join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p', 'm') and (indisvalid {partitioned}) and {own} and {user}
           and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
         order by i.oid"
    )
}

/// Indexes of partitions that are parts of a partitioned one.
pub(super) fn parts() -> String {
    let own = own("c", "pg_class");
    format!(
        "select format('membership of index %s', {NAME}), format('alter index %I.%I attach partition %s', pn.nspname, p.relname, {NAME})
         from pg_inherits join pg_class c on c.oid = inhrelid join pg_namespace n on n.oid = c.relnamespace
           join pg_class p on p.oid = inhparent join pg_namespace pn on pn.oid = p.relnamespace
           join pg_index x on x.indexrelid = c.oid
         where c.relkind in ('i', 'I') and x.indisvalid and {own} order by c.oid"
    )
}

/// Those of partitions that come from their parent come with it.
pub(super) fn foreign_keys(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let independent = source.since(11, "and conparentid = 0", "");
    format!(
        "select format('constraint %I on %s', conname, {NAME}), format('alter table %s%s add constraint %I %s',
           case when c.relkind = 'p' then '' else 'only ' end, {NAME}, conname, pg_get_constraintdef(k.oid))
         from pg_constraint k join pg_class c on c.oid = conrelid join pg_namespace n on n.oid = c.relnamespace
         where contype = 'f' and {own} and {user} {independent} order by k.oid"
    )
}

/// Extended statistics.
pub(super) fn statistics(source: &Source) -> String {
    let (own, user) = (own("s", "pg_statistic_ext"), user_schema("n"));
    let target = source.since(
        13,
        "case when stxstattarget >= 0 then format('; alter statistics %I.%I set statistics %s', nspname, stxname, stxstattarget) else '' end",
        "''",
    );
    format!(
        "select format('statistics %I.%I', nspname, stxname), pg_get_statisticsobjdef(s.oid)
           || format('; alter statistics %I.%I owner to %s', nspname, stxname, stxowner::regrole) || {target}
         from pg_statistic_ext s join pg_namespace n on n.oid = stxnamespace where {own} and {user} order by s.oid"
    )
}

/// Replica identities and clustering. An identity by index outlives its index; only the catalog can say that.
pub(super) fn marks() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    format!(
        "select 'replica identity of ' || {NAME}, case
           when relreplident = 'f' then format('alter table only %s replica identity full', {NAME})
           when relreplident = 'n' then format('alter table only %s replica identity nothing', {NAME})
           else coalesce((select format('alter table only %s replica identity using index %I', {NAME}, i.relname)
               from pg_index x join pg_class i on i.oid = indexrelid where indrelid = c.oid and indisreplident),
             format('update pg_catalog.pg_class set relreplident = ''i'' where oid = %L::pg_catalog.regclass', {NAME})) end
         from pg_class c join pg_namespace n on n.oid = relnamespace
         where relkind in ('r', 'p') and relreplident <> 'd' and relpersistence <> 't' and {own} and {user}
         union all
         select 'clustering of ' || {NAME}, format('alter table %s cluster on %I', {NAME}, i.relname)
         from pg_index x join pg_class i on i.oid = indexrelid join pg_class c on c.oid = indrelid
           join pg_namespace n on n.oid = c.relnamespace
         where indisclustered and {own} and {user}"
    )
}
