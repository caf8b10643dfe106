//! Foreign-data wrappers, servers and user mappings; foreign tables are with the other tables.

use super::source::{fdw_options, own};

pub(super) fn wrappers_and_servers() -> String {
    let (wrapper, server) = (own("w", "pg_foreign_data_wrapper"), own("s", "pg_foreign_server"));
    let (wrapper_options, server_options) = (fdw_options("fdwoptions"), fdw_options("srvoptions"));
    format!(
        "select format('foreign-data wrapper %I', fdwname), format('create foreign data wrapper %1$I%2$s%3$s%4$s;
             alter foreign data wrapper %1$I owner to %5$s', fdwname,
           case when fdwhandler <> 0 then format(' handler %s', fdwhandler::regproc) else ' no handler' end,
           case when fdwvalidator <> 0 then format(' validator %s', fdwvalidator::regproc) else ' no validator' end,
           {wrapper_options}, fdwowner::regrole)
         from pg_foreign_data_wrapper w where {wrapper}
         union all
         select format('server %I', srvname), format('create server %1$I%2$s%3$s foreign data wrapper %4$I%5$s;
             alter server %1$I owner to %6$s', srvname, coalesce(' type ' || quote_literal(srvtype), ''),
           coalesce(' version ' || quote_literal(srvversion), ''), fdwname, {server_options}, srvowner::regrole)
         from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = srvfdw where {server}"
    )
}

pub(super) fn user_mappings() -> String {
    let options = fdw_options("umoptions");
    format!(
        "select format('user mapping for %s on server %I', who, srvname),
           format('create user mapping for %s server %I%s', who, srvname, {options})
         from pg_user_mapping m join pg_foreign_server s on s.oid = umserver,
           lateral (select case when umuser = 0 then 'public' else umuser::regrole::text end as who) as whose"
    )
}
