//! Schemas, extensions, collations and types.

use super::run::Item;
use super::source::{Source, own, user_schema};
use crate::pg::{Result, Server, ident, literal};

/// `public` is there already, unless it was dropped on the old server.
pub(super) fn schemas() -> String {
    let condition = format!(
        "{} and not exists (select from pg_depend e where e.classid = 'pg_namespace'::regclass \
         and e.objid = n.oid and e.deptype = 'e')",
        user_schema("n")
    );
    format!(
        "select format('schema %I', nspname),
           format('create schema if not exists %1$I; alter schema %1$I owner to %2$s', nspname, nspowner::regrole)
         from pg_namespace n where {condition}
         union all select 'the lack of a schema public', 'drop schema if exists public'
         where not exists (select from pg_namespace where nspname = 'public')"
    )
}

/// Extensions at the version that they have, or the new server's own if that one is gone. A real upgrade keeps the old
/// version and works as long as the library does, so this is worth a note and no failure.
pub(super) async fn extensions(
    source: &Source,
    green: &Server,
    notes: &mut Vec<String>,
) -> Result<Vec<Item>> {
    let installed = source
        .rows("select extname, extversion, nspname from pg_extension e join pg_namespace n on n.oid = extnamespace order by e.oid")
        .await?;
    let available = green
        .query(
            &source.database,
            "select name, version from pg_available_extension_versions",
        )
        .await?;
    let mut items = Vec::new();
    for row in installed {
        let [Some(name), Some(version), Some(schema)] = row.as_slice() else {
            continue;
        };
        let has = |wanted: Option<&str>| {
            available.iter().any(|row| {
                row[0].as_deref() == Some(name)
                    && wanted.is_none_or(|wanted| row[1].as_deref() == Some(wanted))
            })
        };
        let version_clause = if has(Some(version)) {
            format!(" version {}", literal(version))
        } else {
            if has(None) {
                notes.push(format!(
                    "database {}: extension {} is installed in the new server's version, because {version} is not available there",
                    ident(&source.database),
                    ident(name)
                ));
            }
            String::new()
        };
        // Its schema may belong to it and be made by it.
        items.push(Item {
            object: format!("extension {}", ident(name)),
            ways: vec![
                format!(
                    "create extension if not exists {} with schema {}{version_clause}",
                    ident(name),
                    ident(schema)
                ),
                format!("create extension if not exists {}{version_clause}", ident(name)),
            ],
        });
    }
    Ok(items)
}

pub(super) fn collations(source: &Source) -> String {
    let (own, user) = (own("c", "pg_collation"), user_schema("n"));
    let deterministic = source.since(
        12,
        "case when collisdeterministic then '' else ', deterministic = false' end",
        "''",
    );
    let locale = match source.major {
        17.. => "case when collprovider = 'c' then format(', lc_collate = %L, lc_ctype = %L', collcollate, collctype)
                   else format(', locale = %L', colllocale) end || coalesce(', rules = ' || quote_literal(collicurules), '')",
        16 => "case when collprovider = 'c' then format(', lc_collate = %L, lc_ctype = %L', collcollate, collctype)
                 else format(', locale = %L', colliculocale) end || coalesce(', rules = ' || quote_literal(collicurules), '')",
        15 => "case when collprovider = 'c' then format(', lc_collate = %L, lc_ctype = %L', collcollate, collctype)
                 else format(', locale = %L', colliculocale) end",
        _ => "format(', lc_collate = %L, lc_ctype = %L', collcollate, collctype)",
    };
    format!(
        "select format('collation %I.%I', nspname, collname),
           format('create collation %1$I.%2$I (provider = %3$s%4$s%5$s); alter collation %1$I.%2$I owner to %6$s',
             nspname, collname, case collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
             {locale}, {deterministic}, collowner::regrole)
         from pg_collation c join pg_namespace n on n.oid = collnamespace where {own} and {user} order by c.oid"
    )
}

/// Enums, domains, ranges, shells and composite types, by age.
pub(super) fn types(source: &Source) -> String {
    let (own, user) = (own("t", "pg_type"), user_schema("n"));
    let multirange = source.since(
        14,
        "coalesce((select format(', multirange_type_name = %I.%I', mn.nspname, mt.typname) from pg_type mt
           join pg_namespace mn on mn.oid = mt.typnamespace where mt.oid = r.rngmultitypid), '')",
        "''",
    );
    format!(
        "select format('type %I.%I', nspname, typname), definition || format('; alter type %I.%I owner to %s', nspname,
           typname, typowner::regrole)
         from (
           select t.oid, t.typname, t.typowner, n.nspname, case
             when typtype = 'e' then (select format('create type %I.%I as enum (%s)', nspname, typname,
               string_agg(format('%L', enumlabel), ', ' order by enumsortorder)) from pg_enum where enumtypid = t.oid)
             when typtype = 'd' then format('create domain %I.%I as %s%s%s%s', nspname, typname,
               format_type(typbasetype, typtypmod),
               case when typcollation <> 0 and typcollation <> (select b.typcollation from pg_type b where b.oid = t.typbasetype)
                 then (select format(' collate %I.%I', cn.nspname, collname) from pg_collation c
                   join pg_namespace cn on cn.oid = collnamespace where c.oid = t.typcollation) else '' end,
               coalesce(' default ' || pg_get_expr(typdefaultbin, 'pg_type'::regclass), ''),
               case when typnotnull then ' not null' else '' end)
             when typtype = 'r' then (select format('create type %I.%I as range (subtype = %s%s%s%s%s%s)', nspname,
               typname, format_type(rngsubtype, null),
               (select format(', subtype_opclass = %I.%I', cn.nspname, opcname) from pg_opclass o
                  join pg_namespace cn on cn.oid = opcnamespace where o.oid = rngsubopc),
               case when rngcollation <> 0 then (select format(', collation = %I.%I', cn.nspname, collname)
                  from pg_collation c join pg_namespace cn on cn.oid = collnamespace where c.oid = rngcollation) else '' end,
               case when rngcanonical <> 0 then format(', canonical = %s', rngcanonical) else '' end,
               case when rngsubdiff <> 0 then format(', subtype_diff = %s', rngsubdiff) else '' end,
               {multirange}) from pg_range r where rngtypid = t.oid)
             when typtype = 'p' and not typisdefined then format('create type %I.%I', nspname, typname)
             when typtype = 'c' then (select format('create type %I.%I as (%s)', nspname, typname, coalesce(string_agg(
               format('%I %s%s', attname, format_type(atttypid, atttypmod),
                 case when attcollation <> 0 and attcollation <> (select b.typcollation from pg_type b where b.oid = atttypid)
                   then (select format(' collate %I.%I', cn.nspname, collname) from pg_collation c
                     join pg_namespace cn on cn.oid = collnamespace where c.oid = attcollation) else '' end),
               ', ' order by attnum), '')) from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped)
           end as definition
           from pg_type t join pg_namespace n on n.oid = typnamespace left join pg_class k on k.oid = typrelid
           where {own} and {user} and (typtype <> 'c' or k.relkind = 'c')
         ) as types where definition is not null order by oid"
    )
}

/// Apart from the domains, because they may call functions.
pub(super) fn domain_constraints() -> String {
    let (own, user) = (own("t", "pg_type"), user_schema("n"));
    format!(
        "select format('constraint %I on domain %I.%I', conname, nspname, typname),
           format('alter domain %I.%I add constraint %I %s', nspname, typname, conname, pg_get_constraintdef(c.oid))
         from pg_constraint c join pg_type t on t.oid = contypid join pg_namespace n on n.oid = typnamespace
         where contype = 'c' and {own} and {user} order by c.oid"
    )
}
