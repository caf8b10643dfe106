//! Sequences, tables of every kind, views, and how they belong together.

use super::source::{Source, fdw_options, own, user_schema, with_options};

/// Schema-qualified name of relation `c` in schema `n`.
const NAME: &str = "format('%I.%I', n.nspname, c.relname)";

const COLLATE: &str = "case when a.attcollation <> 0 and a.attcollation <> t.typcollation
    then (select format(' collate %I.%I', cn.nspname, collname) from pg_collation co
      join pg_namespace cn on cn.oid = collnamespace where co.oid = a.attcollation) else '' end";

const SEQUENCE: &str =
    "format('increment by %s minvalue %s maxvalue %s start with %s cache %s%s', seqincrement, seqmin,
    seqmax, seqstart, seqcache, case when seqcycle then ' cycle' else '' end)";

/// Those of identity columns come with their tables.
pub(super) fn sequences(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let unlogged = source.since(
        15,
        "case when relpersistence = 'u' then ' unlogged' else '' end",
        "''",
    );
    format!(
        "select 'sequence ' || {NAME}, format('create%1$s sequence %2$s as %3$s %4$s; alter sequence %2$s owner to %5$s',
           {unlogged}, {NAME}, format_type(seqtypid, null), {SEQUENCE}, relowner::regrole)
         from pg_sequence s join pg_class c on c.oid = seqrelid join pg_namespace n on n.oid = relnamespace
         where {own} and {user} and relpersistence <> 't' and not exists (select from pg_depend i where i.classid = 'pg_class'::regclass
           and i.objid = c.oid and i.deptype = 'i' and i.refclassid = 'pg_class'::regclass)
         order by c.oid"
    )
}

/// After the tables have their owners, because both must have the same.
pub(super) fn owned_sequences() -> String {
    let own = own("c", "pg_class");
    format!(
        "select 'owner column of sequence ' || {NAME}, format('alter sequence %s owned by %I.%I.%I', {NAME}, tn.nspname,
           k.relname, attname)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
           join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'a' and d.refobjsubid > 0
             and d.refclassid = 'pg_class'::regclass
           join pg_class k on k.oid = d.refobjid join pg_namespace tn on tn.oid = k.relnamespace
           join pg_attribute a on a.attrelid = k.oid and a.attnum = d.refobjsubid
         where c.relkind = 'S' and {own}"
    )
}

/// Ordinary, partitioned and foreign tables, each complete in itself: partitions and children are attached later, so
/// that every table keeps the order of its columns.
pub(super) fn tables(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let generated = match source.major {
        18.. => "when attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(adbin, adrelid))
                 when attgenerated = 'v' then format(' generated always as (%s) virtual', pg_get_expr(adbin, adrelid))",
        12.. => "when attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(adbin, adrelid))",
        _ => "",
    };
    let oids = source.since(
        12,
        "array[]::text[]",
        "case when relhasoids then array['oids=true'] else array[]::text[] end",
    );
    let partition_key =
        "case when relkind = 'p' then format(' partition by %s', pg_get_partkeydef(c.oid)) else '' end";
    let options = with_options(&format!(
        "(c.reloptions || {oids} || array(select 'toast.' || o from pg_class toast, unnest(toast.reloptions) o
            where toast.oid = c.reltoastrelid))"
    ));
    let (table_options, column_options) = (fdw_options("f.ftoptions"), fdw_options("a.attfdwoptions"));
    let of_type = "case when reloftype <> 0 then format('; alter table %s of %s', name, format_type(reloftype, null)) else '' end";
    format!(
        "select 'table ' || name, format('create%1$s%2$s table %3$s (%4$s)%5$s%6$s%7$s; alter%2$s table %3$s owner to %8$s',
             case when relpersistence = 'u' then ' unlogged' else '' end, case when relkind = 'f' then ' foreign' else '' end, name,
             (select coalesce(string_agg(format('%I %s%s%s%s%s', attname, format_type(atttypid, atttypmod),
                case when c.relkind = 'f' then {column_options} else '' end, {COLLATE},
                case {generated} when attidentity in ('a', 'd') then (select format(
                    ' generated %s as identity (sequence name %I.%I %s)', case attidentity when 'a' then 'always' else 'by default' end,
                    sn.nspname, sc.relname, {SEQUENCE})
                  from pg_depend d join pg_sequence on seqrelid = d.objid join pg_class sc on sc.oid = seqrelid
                    join pg_namespace sn on sn.oid = sc.relnamespace
                  where d.classid = 'pg_class'::regclass and d.deptype = 'i' and d.refclassid = 'pg_class'::regclass
                    and d.refobjid = c.oid and d.refobjsubid = a.attnum) else '' end,
                case when attnotnull then ' not null' else '' end), ', ' order by attnum), '')
              from pg_attribute a join pg_type t on t.oid = atttypid
                left join pg_attrdef on adrelid = attrelid and adnum = attnum
              where attrelid = c.oid and attnum > 0 and not attisdropped),
             {partition_key}, case when relkind = 'f' then '' else {options} end,
             case when relkind = 'f' then (select format(' server %I%s', srvname, {table_options}) from pg_foreign_table f
               join pg_foreign_server s on s.oid = ftserver where ftrelid = c.oid) else '' end,
             relowner::regrole) || {of_type}
           || case when relrowsecurity then format('; alter table %s enable row level security', name) else '' end
           || case when relforcerowsecurity then format('; alter table %s force row level security', name) else '' end
         from pg_class c join pg_namespace n on n.oid = relnamespace, lateral (select {NAME} as name) as named
         where relkind in ('r', 'p', 'f') and relpersistence <> 't' and {own} and {user} order by c.oid"
    )
}

/// Column properties that have no place in `CREATE TABLE` on every version.
pub(super) fn column_options(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let compression = source.since(
        14,
        "when 3 then case attcompression when 'p' then 'set compression pglz' when 'l' then 'set compression lz4' end",
        "",
    );
    format!(
        "select format('options of column %s.%I', {NAME}, attname),
           format('alter %s %s alter column %I %s', case relkind when 'm' then 'materialized view'
             when 'f' then 'foreign table' else 'table' end, {NAME}, attname, change)
         from pg_attribute a join pg_type t on t.oid = atttypid join pg_class c on c.oid = attrelid
           join pg_namespace n on n.oid = relnamespace, generate_series(0, 3) part,
           lateral (select case part
             when 0 then case when attstorage <> typstorage then 'set storage ' || case attstorage when 'p' then 'plain'
               when 'e' then 'external' when 'm' then 'main' else 'extended' end end
             when 1 then case when attstattarget >= 0 then format('set statistics %s', attstattarget) end
             when 2 then case when attoptions is not null then format('set (%s)', array_to_string(attoptions, ', ')) end
             {compression}
           end as change) as changes
         where attnum > 0 and not attisdropped and change is not null and relkind in ('r', 'p', 'f', 'm')
           and relpersistence <> 't' and {own} and {user}"
    )
}

/// With a second way for a parent that has its children already.
pub(super) fn check_constraints() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    format!(
        "select format('constraint %I on %s', conname, {NAME}),
           format('alter table only %s add constraint %I %s', {NAME}, conname, pg_get_constraintdef(k.oid)),
           format('alter table %s add constraint %I %s', {NAME}, conname, pg_get_constraintdef(k.oid))
         from pg_constraint k join pg_class c on c.oid = conrelid join pg_namespace n on n.oid = relnamespace
         where contype = 'c' and {own} and {user} order by k.oid"
    )
}

/// Column defaults, those of views too.
pub(super) fn defaults(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let not_generated = source.since(12, "and attgenerated = ''", "");
    format!(
        "select format('default of %s.%I', {NAME}, attname),
           format('alter table only %s alter column %I set default %s', {NAME}, attname, pg_get_expr(adbin, adrelid)),
           format('alter view %s alter column %I set default %s', {NAME}, attname, pg_get_expr(adbin, adrelid))
         from pg_attrdef d join pg_attribute a on attrelid = adrelid and attnum = adnum join pg_class c on c.oid = adrelid
           join pg_namespace n on n.oid = relnamespace
         where {own} and {user} and relpersistence <> 't' {not_generated} order by d.oid"
    )
}

/// Views, and materialized views without their rows.
pub(super) fn views() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let options = with_options("c.reloptions");
    format!(
        "select format('%s %s', kind, {NAME}), format('create %1$s %2$s%3$s as %4$s%5$s; alter %1$s %2$s owner to %6$s', kind,
           {NAME}, {options}, rtrim(pg_get_viewdef(c.oid), '; ' || chr(10)),
           case when relkind = 'm' then ' with no data' else '' end, relowner::regrole)
         from pg_class c join pg_namespace n on n.oid = relnamespace,
           lateral (select case relkind when 'm' then 'materialized view' else 'view' end as kind) as kinds
         where relkind in ('v', 'm') and relpersistence <> 't' and {own} and {user} order by c.oid"
    )
}

/// Partitions and inheriting tables. A child's columns and constraints were all made its own; the catalog is told which
/// of them it only inherits, the way pg_dump does it for pg_upgrade.
pub(super) fn inheritance() -> String {
    let own = own("c", "pg_class");
    format!(
        "select format('inheritance of %s', {NAME}),
           case when c.relispartition
             then format('alter table only %I.%I attach partition %s %s', pn.nspname, p.relname, {NAME}, pg_get_expr(c.relpartbound, c.oid))
             else format('alter %stable only %s inherit %I.%I', case when c.relkind = 'f' then 'foreign ' else '' end, {NAME},
               pn.nspname, p.relname) end
           || coalesce((select format('; update pg_catalog.pg_attribute set attislocal = false
                where attrelid = %L::pg_catalog.regclass and attname in (%s)', {NAME}, string_agg(format('%L', attname), ', '))
              from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped and not attislocal having count(*) > 0), '')
           || coalesce((select format('; update pg_catalog.pg_constraint set conislocal = false
                where contype = ''c'' and conrelid = %L::pg_catalog.regclass and conname in (%s)', {NAME},
                string_agg(format('%L', conname), ', '))
              from pg_constraint where conrelid = c.oid and contype = 'c' and not conislocal having count(*) > 0), '')
         from pg_inherits i join pg_class c on c.oid = inhrelid join pg_namespace n on n.oid = c.relnamespace
           join pg_class p on p.oid = inhparent join pg_namespace pn on pn.oid = p.relnamespace
         where c.relkind in ('r', 'p', 'f') and {own} order by c.oid, inhseqno"
    )
}
