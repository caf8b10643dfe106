//! Who may do what, what default privileges say, and what comments say.

use super::source::{Source, own, user_schema};

const GRANTEE: &str = "case when grantee = 0 then 'public' else grantee::regrole::text end";

/// `privileges` is an array in order; the full set of what the owner of such an object has is written `ALL`, which on
/// a newer server may be more.
fn privilege_list(kind: &str, owner: &str) -> String {
    format!(
        "case when privileges = (select array_agg(d.privilege_type order by d.privilege_type)
             from aclexplode(acldefault({kind}, {owner})) d where d.grantee = {owner})
           then 'all' else array_to_string(privileges, ', ') end"
    )
}

/// Turns rows of keyword, identity, owner, acl and kind into grants. Where `acl` is null nothing was ever granted. The
/// owner's grants come first, those of others as these others.
pub(super) fn grants(objects: &str) -> String {
    let list = privilege_list("kind::\"char\"", "owner");
    format!(
        "with objects as ({objects}),
         parts as (
           select keyword, identity, owner, kind, grantor, grantee, is_grantable,
             array_agg(privilege_type order by privilege_type) as privileges
           from objects, aclexplode(acl) group by 1, 2, 3, 4, 5, 6, 7),
         statements as (
           select keyword, identity, owner, grantor, format('grant %s on %s %s to %s%s', {list}, keyword, identity, {GRANTEE},
             case when is_grantable then ' with grant option' else '' end) as statement
           from parts)
         select format('privileges on %s %s', keyword, identity),
           format('revoke all on %1$s %2$s from public; revoke all on %1$s %2$s from %3$s', keyword, identity, owner::regrole)
           || coalesce((select string_agg('; ' || statement, '') from statements s
                where s.keyword = o.keyword and s.identity = o.identity and s.grantor = o.owner), '')
         from objects o where acl is not null
         union all
         select format('privileges on %s %s granted by %s', keyword, identity, grantor::regrole),
           format('set session authorization %s; %s; reset session authorization', grantor::regrole, statement)
         from statements where grantor <> owner"
    )
}

/// Schemas, relations, routines, types, languages and foreign objects; of those that came with the server or an
/// extension, the ones whose privileges were changed since.
pub(super) fn objects(source: &Source) -> String {
    let touched = |alias: &str, catalog: &str, acl: &str| {
        format!(
            "({own} or {acl} is distinct from (select initprivs from pg_init_privs i where i.objoid = {alias}.oid
               and i.classoid = '{catalog}'::regclass and i.objsubid = 0))",
            own = own(alias, catalog)
        )
    };
    let (schema, user) = (own("n", "pg_namespace"), user_schema("n"));
    let (relation, routine) = (
        touched("c", "pg_class", "relacl"),
        touched("p", "pg_proc", "proacl"),
    );
    let (types, wrapper, server) = (
        own("t", "pg_type"),
        own("w", "pg_foreign_data_wrapper"),
        own("s", "pg_foreign_server"),
    );
    let procedure = source.since(
        11,
        "case when prokind = 'p' then 'procedure' else 'function' end",
        "'function'",
    );
    grants(&format!(
        "select 'schema' as keyword, format('%I', nspname) as identity, nspowner as owner, nspacl as acl, 'n' as kind
         from pg_namespace n where {user} and ({schema} or nspname = 'public')
         union all select case when relkind = 'S' then 'sequence' else 'table' end, format('%I.%I', nspname, relname), relowner,
           relacl, case when relkind = 'S' then 's' else 'r' end
         from pg_class c join pg_namespace n on n.oid = relnamespace
         where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and relpersistence <> 't' and relacl is not null
           and nspname <> 'information_schema' and {relation}
         union all select {procedure}, format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)),
           proowner, proacl, 'f' from pg_proc p join pg_namespace n on n.oid = pronamespace 
         where proacl is not null and nspname <> 'information_schema' and {routine}
         union all select 'type', format('%I.%I', nspname, typname), typowner, typacl, 'T'
         from pg_type t join pg_namespace n on n.oid = typnamespace where typacl is not null and {types}
         union all select 'language', format('%I', lanname), lanowner, lanacl, 'l' from pg_language
         where lanpltrusted and lanacl is not null
         union all select 'foreign data wrapper', format('%I', fdwname), fdwowner, fdwacl, 'F'
         from pg_foreign_data_wrapper w where {wrapper}
         union all select 'foreign server', format('%I', srvname), srvowner, srvacl, 'S' from pg_foreign_server s where {server}"
    ))
}

/// Privileges on single columns.
pub(super) fn columns() -> String {
    let own = own("c", "pg_class");
    format!(
        "select format('privileges on column %s.%I', name, attname),
           case when grantor <> relowner then format('set session authorization %s; ', grantor::regrole) else '' end
           || format('grant %s on table %s to %s%s', privileges, name, {GRANTEE},
                case when is_grantable then ' with grant option' else '' end)
           || case when grantor <> relowner then '; reset session authorization' else '' end
         from (select attname, relowner, grantor, grantee, is_grantable, format('%I.%I', nspname, relname) as name,
             string_agg(format('%s (%I)', privilege_type, attname), ', ') as privileges
           from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace, aclexplode(attacl)
           where attnum > 0 and not attisdropped and {own} group by 1, 2, 3, 4, 5, 6) as parts
         order by grantor <> relowner"
    )
}

/// `ALTER DEFAULT PRIVILEGES`. Those of a whole database start from what is built in, those of a schema from nothing.
pub(super) fn defaults() -> String {
    let list = privilege_list(
        "(case kind when 'S' then 's' else kind end)::\"char\"",
        "defaclrole",
    );
    format!(
        "with entries as (
           select oid, defaclrole, defaclacl, defaclobjtype as kind, defaclnamespace, format('alter default privileges for role %s%s',
             defaclrole::regrole, case when defaclnamespace = 0 then '' else format(' in schema %s', defaclnamespace::regnamespace) end) as start,
             case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
               when 'n' then 'schemas' else 'large objects' end as what
           from pg_default_acl),
         parts as (
           select oid, defaclrole, kind, grantee, is_grantable, array_agg(privilege_type order by privilege_type) as privileges
           from entries, aclexplode(defaclacl) group by 1, 2, 3, 4, 5)
         select format('%s on %s', start, what), case when defaclnamespace <> 0 then '' else
             format('%1$s revoke all on %2$s from public; %1$s revoke all on %2$s from %3$s', start, what, defaclrole::regrole) end
           || coalesce((select string_agg(format('; %s grant %s on %s to %s%s', start, {list}, what, {GRANTEE},
                case when is_grantable then ' with grant option' else '' end), '') from parts p where p.oid = e.oid), '')
         from entries e"
    )
}

/// Comments on everything but databases and roles.
pub(super) fn comments() -> String {
    let member = "exists (select from pg_depend e where e.classid = d.classoid and e.objid = d.objoid and e.deptype = 'e')";
    format!(
        "select format('comment on %s %s', type, identity), format('comment on %s %s is %L', case
             when type like '%column' then 'column' when type = 'table constraint' then 'constraint'
             when type = 'statistics object' then 'statistics' when type = 'composite type' then 'type' else type end, identity, description)
         from pg_description d, lateral (select type, case when classoid = 'pg_event_trigger'::regclass
             then (select format('%I', evtname) from pg_event_trigger t where t.oid = objoid) else identity end as identity
           from pg_identify_object(classoid, objoid, objsubid)) as object
         where objoid >= 16384 and type not in ('domain constraint', 'extension') and not {member}"
    )
}

/// Their identity is written differently in a comment.
pub(super) fn domain_constraint_comments() -> String {
    let own = own("t", "pg_type");
    format!(
        "select format('comment on constraint %I', conname), format('comment on constraint %I on domain %I.%I is %L', conname, nspname,
           typname, obj_description(c.oid, 'pg_constraint'))
         from pg_constraint c join pg_type t on t.oid = contypid join pg_namespace n on n.oid = typnamespace
         where obj_description(c.oid, 'pg_constraint') is not null and {own}"
    )
}
