//! Rules, policies, triggers and event triggers, and which of them are switched on.

use super::source::{Source, own, user_schema};

const NAME: &str = "format('%I.%I', n.nspname, c.relname)";

const STATE: &str = "case state when 'D' then 'disable' when 'A' then 'enable always' when 'R' then 'enable replica' else 'enable' end";

pub(super) fn rules() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    format!(
        "select format('rule %I on %s', rulename, {NAME}), pg_get_ruledef(r.oid)
           || case when state <> 'O' then format('; alter table %s %s rule %I', {NAME}, {STATE}, rulename) else '' end
         from pg_rewrite r join pg_class c on c.oid = ev_class join pg_namespace n on n.oid = relnamespace,
           lateral (select ev_enabled as state) as states
         where rulename <> '_RETURN' and {own} and {user} order by r.oid"
    )
}

pub(super) fn policies() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    format!(
        "select format('policy %I on %s', polname, {NAME}), format('create policy %I on %s as %s for %s to %s%s%s', polname,
             {NAME}, case when polpermissive then 'permissive' else 'restrictive' end,
             case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
             (select string_agg(case when r = 0 then 'public' else r::regrole::text end, ', ') from unnest(polroles) r),
             coalesce(' using (' || pg_get_expr(polqual, polrelid) || ')', ''),
             coalesce(' with check (' || pg_get_expr(polwithcheck, polrelid) || ')', ''))
         from pg_policy p join pg_class c on c.oid = polrelid join pg_namespace n on n.oid = relnamespace
         where {own} and {user} order by p.oid"
    )
}

/// Those that users made; partitions get theirs from the parent.
pub(super) fn triggers(source: &Source) -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    let independent = source.since(13, "and tgparentid = 0", "");
    format!(
        "select format('trigger %I on %s', tgname, {NAME}), pg_get_triggerdef(t.oid)
         from pg_trigger t join pg_class c on c.oid = tgrelid join pg_namespace n on n.oid = relnamespace
         where not tgisinternal {independent} and {own} and {user} order by t.oid"
    )
}

/// Each table for itself, partitions too. Foreign keys' own triggers are left alone, as by pg_dump.
pub(super) fn trigger_states() -> String {
    let (own, user) = (own("c", "pg_class"), user_schema("n"));
    format!(
        "select format('state of trigger %I on %s', tgname, {NAME}),
           format('alter table only %s %s trigger %I', {NAME}, {STATE}, tgname)
         from pg_trigger t join pg_class c on c.oid = tgrelid join pg_namespace n on n.oid = relnamespace
           left join pg_constraint k on k.oid = tgconstraint, lateral (select tgenabled as state) as states
         where state <> 'O' and coalesce(contype, 't') = 't' and {own} and {user} order by t.oid"
    )
}

pub(super) fn event_triggers() -> String {
    let own = own("t", "pg_event_trigger");
    format!(
        "select format('event trigger %I', evtname), format('create event trigger %1$I on %2$s%3$s execute procedure %4$s();
             alter event trigger %1$I owner to %5$s; alter event trigger %1$I %6$s', evtname, evtevent,
             coalesce((select format(' when tag in (%s)', string_agg(format('%L', tag), ', ')) from unnest(evttags) tag
               having count(*) > 0), ''), evtfoid::regproc, evtowner::regrole, {STATE})
         from pg_event_trigger t, lateral (select evtenabled as state) as states where {own} order by t.oid"
    )
}
