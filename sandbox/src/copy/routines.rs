//! Functions, procedures, aggregates, operators, casts and text search.

use super::source::{Source, independent, own, user_schema};

/// A routine as `ALTER FUNCTION` and its kin name it.
const SIGNATURE: &str = "format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid))";

/// Functions, window functions and procedures.
pub(super) fn functions(source: &Source) -> String {
    let (own, user, independent) = (own("p", "pg_proc"), user_schema("n"), independent("p", "pg_proc"));
    let keyword = source.since(
        11,
        "case when prokind = 'p' then 'procedure' else 'function' end",
        "'function'",
    );
    let plain = source.since(11, "prokind <> 'a'", "not proisagg");
    format!(
        "select {keyword} || ' ' || {SIGNATURE},
           pg_get_functiondef(p.oid) || format('; alter %s %s owner to %s', {keyword}, {SIGNATURE}, proowner::regrole)
         from pg_proc p join pg_namespace n on n.oid = pronamespace
         where {plain} and {own} and {user} and {independent} order by p.oid"
    )
}

pub(super) fn aggregates(source: &Source) -> String {
    let (own, user) = (own("p", "pg_proc"), user_schema("n"));
    let modify = source.since(
        11,
        "|| case aggfinalmodify when 's' then ', finalfunc_modify = shareable' when 'w' then ', finalfunc_modify = read_write'
              when 'r' then case when aggkind = 'n' then '' else ', finalfunc_modify = read_only' end else '' end",
        "",
    );
    let function = |column: &str, option: &str| {
        format!("|| case when {column} <> 0 then format(', {option} = %s', {column}) else '' end")
    };
    let functions = [
        function("aggfinalfn", "finalfunc"),
        function("aggcombinefn", "combinefunc"),
        function("aggserialfn", "serialfunc"),
        function("aggdeserialfn", "deserialfunc"),
        function("aggmtransfn", "msfunc"),
        function("aggminvtransfn", "minvfunc"),
        function("aggmfinalfn", "mfinalfunc"),
    ]
    .join(" ");
    format!(
        "select 'aggregate ' || {SIGNATURE}, format('create aggregate %I.%I (%s) (sfunc = %s, stype = %s', nspname, proname,
             coalesce(nullif(pg_get_function_arguments(p.oid), ''), '*'), aggtransfn, format_type(aggtranstype, null))
           {functions}
           || case when aggtransspace <> 0 then format(', sspace = %s', aggtransspace) else '' end
           || case when aggmtranstype <> 0 then format(', mstype = %s', format_type(aggmtranstype, null)) else '' end
           || case when aggmtransspace <> 0 then format(', msspace = %s', aggmtransspace) else '' end
           || case when aggfinalextra then ', finalfunc_extra' else '' end
           || case when aggmfinalextra then ', mfinalfunc_extra' else '' end
           || coalesce(', initcond = ' || quote_literal(agginitval), '') || coalesce(', minitcond = ' || quote_literal(aggminitval), '')
           || case when aggsortop <> 0 then (select format(', sortop = operator(%I.%s)', sn.nspname, oprname) from pg_operator o
                join pg_namespace sn on sn.oid = oprnamespace where o.oid = aggsortop) else '' end
           {modify}
           || case when aggkind = 'h' then ', hypothetical' else '' end
           || case proparallel when 's' then ', parallel = safe' when 'r' then ', parallel = restricted' else '' end
           || format('); alter aggregate %s owner to %s',
                format('%I.%I(%s)', nspname, proname, coalesce(nullif(pg_get_function_identity_arguments(p.oid), ''), '*')),
                proowner::regrole)
         from pg_aggregate a join pg_proc p on p.oid = aggfnoid join pg_namespace n on n.oid = pronamespace
         where {own} and {user} order by p.oid"
    )
}

/// Operators; their commutators and negators come into being as shells and are filled later.
pub(super) fn operators() -> String {
    let (own, user) = (own("o", "pg_operator"), user_schema("n"));
    let related = |column: &str, option: &str| {
        format!(
            "coalesce((select format(', {option} = operator(%I.%s)', rn.nspname, r.oprname) from pg_operator r
               join pg_namespace rn on rn.oid = r.oprnamespace where r.oid = o.{column}), '')"
        )
    };
    let (commutator, negator) = (related("oprcom", "commutator"), related("oprnegate", "negator"));
    format!(
        "select format('operator %I.%s (%s, %s)', nspname, oprname, l, r),
           format('create operator %I.%s (procedure = %s', nspname, oprname, oprcode)
           || case when oprleft <> 0 then format(', leftarg = %s', l) else '' end
           || case when oprright <> 0 then format(', rightarg = %s', r) else '' end
           || {commutator} || {negator}
           || case when oprrest <> 0 then format(', restrict = %s', oprrest) else '' end
           || case when oprjoin <> 0 then format(', join = %s', oprjoin) else '' end
           || case when oprcanmerge then ', merges' else '' end || case when oprcanhash then ', hashes' else '' end
           || format('); alter operator %I.%s (%s, %s) owner to %s', nspname, oprname, l, r, oprowner::regrole)
         from pg_operator o join pg_namespace n on n.oid = oprnamespace,
           lateral (select case when oprleft = 0 then 'none' else format_type(oprleft, null) end as l,
             case when oprright = 0 then 'none' else format_type(oprright, null) end as r) as sides
         where oprcode <> 0 and {own} and {user} order by o.oid"
    )
}

pub(super) fn casts() -> String {
    let (own, independent) = (own("c", "pg_cast"), independent("c", "pg_cast"));
    format!(
        "select format('cast (%s as %s)', s, t), format('create cast (%s as %s) %s%s', s, t,
           case castmethod when 'f' then format('with function %s', castfunc::regprocedure) when 'i' then 'with inout'
             else 'without function' end,
           case castcontext when 'a' then ' as assignment' when 'i' then ' as implicit' else '' end)
         from pg_cast c, lateral (select format_type(castsource, null) as s, format_type(casttarget, null) as t) as sides
         where {own} and {independent} order by c.oid"
    )
}

/// Dictionaries and configurations. Parsers and templates need C code and come from extensions.
pub(super) fn text_search() -> String {
    let (dictionary, configuration) = (own("d", "pg_ts_dict"), own("c", "pg_ts_config"));
    let user = user_schema("n");
    format!(
        "select format('text search dictionary %I.%I', n.nspname, dictname),
           format('create text search dictionary %1$I.%2$I (template = %3$I.%4$I%5$s);
             alter text search dictionary %1$I.%2$I owner to %6$s', n.nspname, dictname, tn.nspname, tmplname,
             coalesce(', ' || dictinitoption, ''), dictowner::regrole)
         from pg_ts_dict d join pg_namespace n on n.oid = dictnamespace join pg_ts_template t on t.oid = dicttemplate
           join pg_namespace tn on tn.oid = tmplnamespace
         where {dictionary} and {user}
         union all
         select format('text search configuration %I.%I', n.nspname, cfgname),
           format('create text search configuration %1$I.%2$I (parser = %3$I.%4$I);
             alter text search configuration %1$I.%2$I owner to %5$s', n.nspname, cfgname, pn.nspname, prsname, cfgowner::regrole)
           || coalesce((select string_agg(format('; alter text search configuration %I.%I add mapping for %I with %s', n.nspname,
                cfgname, alias, dictionaries), '') from (
                  select (select t.alias from ts_token_type(cfgparser) t where t.tokid = maptokentype) as alias,
                    string_agg(format('%I.%I', dn.nspname, dictname), ', ' order by mapseqno) as dictionaries
                  from pg_ts_config_map m join pg_ts_dict d on d.oid = mapdict join pg_namespace dn on dn.oid = dictnamespace
                  where mapcfg = c.oid group by maptokentype) as mappings), '')
         from pg_ts_config c join pg_namespace n on n.oid = cfgnamespace join pg_ts_parser p on p.oid = cfgparser
           join pg_namespace pn on pn.oid = prsnamespace
         where {configuration} and {user}"
    )
}
