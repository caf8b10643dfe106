-- Everything about a database that a copy must keep, as lines that are the same on all majors.
with rel as (
  select c.oid as id, c.*, n.nspname, format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = relnamespace
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
), acls as (
  select 'relation ' || name as what, relowner as owner, relacl as acl from rel where relkind not in ('i', 'I')
  union all select 'schema ' || nspname, nspowner, nspacl from pg_namespace where nspname !~ '^pg_toast|^pg_temp'
  union all select 'function ' || p.oid::regprocedure, proowner, proacl from pg_proc p where p.oid >= 16384 or proname = 'pg_stat_reset'
  union all select 'type ' || typname, typowner, typacl from pg_type where oid >= 16384
  union all select 'column ' || name || '.' || attname, relowner, attacl from rel join pg_attribute on attrelid = rel.id
  union all select 'server ' || srvname, srvowner, srvacl from pg_foreign_server
  union all select 'database ' || datname, datdba, datacl from pg_database where datname <> 'template0'
  union all select 'large object ' || oid, lomowner, lomacl from pg_largeobject_metadata
  union all select 'catalog ' || relname, relowner, relacl from pg_class where relname = 'pg_authid'
)
select 'schema ' || nspname || ' of ' || nspowner::regrole from pg_namespace where nspname !~ '^pg_toast|^pg_temp'
union all select format('extension %s %s %s', extname, extversion, extnamespace::regnamespace) from pg_extension
union all select format('relation %s kind %s persistence %s of %s with %s rls %s %s identity %s partition %s of type %s key %s bound %s populated %s', name, relkind,
  relpersistence, relowner::regrole, reloptions, relrowsecurity, relforcerowsecurity, relreplident, relispartition, reloftype::regtype,
  pg_get_partkeydef(id), pg_get_expr(relpartbound, id), case when relkind <> 'm' then relispopulated end) from rel
union all select format('toast options %s %s', name, (select t.reloptions from pg_class t where t.oid = rel.reltoastrelid)) from rel where reltoastrelid <> 0
union all select format('column %s.%s no %s type %s collation %s not null %s default %s identity %s storage %s options %s %s local %s inherited %s',
  name, attname, row_number() over (partition by attrelid order by attnum), format_type(atttypid, atttypmod), attcollation::oid::regclass::text is null,
  attnotnull, pg_get_expr(adbin, adrelid), attidentity, attstorage, attoptions, attfdwoptions, attislocal, attinhcount)
  from rel join pg_attribute on attrelid = rel.id left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where attnum > 0 and not attisdropped and relkind not in ('i', 'I')
union all select format('column collation %s.%s %s', name, attname, collname) from rel join pg_attribute on attrelid = rel.id
  join pg_collation co on co.oid = attcollation where attnum > 0 and not attisdropped
union all select format('statistics target %s.%s %s', name, attname, attstattarget) from rel join pg_attribute on attrelid = rel.id where attstattarget > 0
union all select format('index %s valid %s clustered %s identity %s', pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident)
  from pg_index join rel on rel.id = indrelid
union all select format('inherits %s %s %s', inhrelid::regclass, inhparent::regclass, inhseqno) from pg_inherits
union all select format('constraint %s on %s %s validated %s deferrable %s %s local %s', conname, coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text),
  pg_get_constraintdef(oid), convalidated, condeferrable, condeferred, case when contype = 'c' then conislocal end)
  from pg_constraint where contype in ('c', 'p', 'u', 'x', 'f', 't') and oid >= 16384 and conparentid = 0
union all select format('function %s of %s', replace(pg_get_functiondef(oid), '(IN ', '('), proowner::regrole) from pg_proc p where oid >= 16384 and prokind <> 'a'
  and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = p.oid and deptype = 'i')
union all select format('aggregate %s of %s: %s %s %s %s %s %s', a.aggfnoid::regprocedure, proowner::regrole, aggtransfn, aggfinalfn, aggcombinefn, agginitval, aggtranstype::regtype, proparallel)
  from pg_aggregate a join pg_proc p on p.oid = aggfnoid where p.oid >= 16384
union all select format('operator %s calls %s commutes %s of %s', oid::regoperator, oprcode, oprcom::regoperator, oprowner::regrole) from pg_operator where oid >= 16384
union all select format('cast %s %s %s %s', castsource::regtype, casttarget::regtype, castfunc::regprocedure, castcontext) from pg_cast p where oid >= 16384
  and not exists (select from pg_depend where classid = 'pg_cast'::regclass and objid = p.oid and deptype = 'i')
union all select format('type %s kind %s of %s base %s default %s not null %s labels %s', oid::regtype, typtype, typowner::regrole, typbasetype::regtype, typdefault, typnotnull,
  (select array_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = t.oid)) from pg_type t where oid >= 16384 and typtype <> 'm' and typelem = 0
  and not exists (select from pg_class where oid = typrelid and relkind in ('S', 't'))
union all select format('range %s %s %s', rngtypid::regtype, rngsubtype::regtype, rngsubdiff) from pg_range where rngtypid >= 16384
union all select format('collation %s %s %s of %s', collname, collcollate, collctype, collowner::regrole) from pg_collation where oid >= 16384
union all select format('dictionary %s %s', dictname, dictinitoption) from pg_ts_dict where oid >= 16384
union all select format('configuration %s %s', cfgname, (select string_agg(maptokentype || ' ' || mapseqno || ' ' || mapdict::regdictionary, ', ' order by maptokentype, mapseqno)
  from pg_ts_config_map where mapcfg = c.oid)) from pg_ts_config c where oid >= 16384
union all select format('sequence %s as %s start %s increment %s max %s min %s cache %s cycle %s', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle) from pg_sequence
union all select format('owned %s %s %s.%s', deptype, objid::regclass, refobjid::regclass, refobjsubid <> 0) from pg_depend join pg_class c on c.oid = objid
  where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass and relkind = 'S' and deptype in ('a', 'i')
union all select format('rule %s %s', ev_enabled, pg_get_ruledef(r.oid)) from pg_rewrite r where rulename <> '_RETURN' and oid >= 16384
union all select format('trigger %s %s', tgenabled, replace(pg_get_triggerdef(oid), 'EXECUTE PROCEDURE', 'EXECUTE FUNCTION')) from pg_trigger where not tgisinternal and tgrelid not in (select inhrelid from pg_inherits join pg_class on oid = inhrelid where relispartition)
union all select format('policy %s on %s %s %s %s %s %s', polname, polrelid::regclass, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) from pg_policy
union all select format('event trigger %s on %s %s %s calls %s of %s', evtname, evtevent, evttags, evtenabled, evtfoid::regproc, evtowner::regrole) from pg_event_trigger
union all select format('statistics %s of %s', pg_get_statisticsobjdef(oid), stxowner::regrole) from pg_statistic_ext
union all select format('server %s %s %s', srvname, srvoptions, srvtype) from pg_foreign_server
union all select format('mapping %s %s %s', umserver, umuser::regrole, umoptions) from (select srvname as umserver, umuser, m.umoptions from pg_user_mapping m join pg_foreign_server s on s.oid = umserver) as mappings
union all select format('foreign table %s %s', ftrelid::regclass, ftoptions) from pg_foreign_table
union all select format('publication %s %s %s of %s', pubname, puballtables, array[pubinsert, pubupdate, pubdelete, pubtruncate], pubowner::regrole) from pg_publication
union all select format('published %s %s', pubname, prrelid::regclass) from pg_publication_rel join pg_publication p on p.oid = prpubid
union all select format('default privileges %s %s %s %s %s %s %s', defaclrole::regrole, defaclnamespace, defaclobjtype, grantor::regrole, grantee::oid::regrole, privilege_type, is_grantable)
  from (select defaclrole, defaclnamespace::regnamespace as defaclnamespace, defaclobjtype, (aclexplode(defaclacl)).* from pg_default_acl) as d where privilege_type <> 'MAINTAIN'
union all select format('privilege on %s: %s to %s by %s grantable %s', what, privilege_type, grantee::regrole, grantor::regrole, is_grantable)
  from acls, aclexplode(acl) where privilege_type <> 'MAINTAIN'
union all select format('no default privileges on %s', what) from acls where acl is not null
union all select format('comment on %s %s: %s', o.type, o.identity, description) from pg_description, pg_identify_object(classoid, objoid, objsubid) o where objoid >= 16384
union all select format('large object %s %s', oid, lo_get(oid)) from pg_largeobject_metadata
union all select format('role %s %s %s %s %s', rolname, array[rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls], rolconnlimit, rolvaliduntil,
  case when oid <> 10 then rolpassword end) from pg_authid where rolname !~ '^pg_'
union all select format('member %s of %s admin %s', member::regrole, roleid::regrole, admin_option) from pg_auth_members where member >= 16384
union all select format('setting %s in %s: %s', setrole::regrole, datname, setconfig) from pg_db_role_setting left join pg_database d on d.oid = setdatabase
union all select format('database %s of %s %s %s %s %s %s', datname, datdba::regrole, pg_encoding_to_char(encoding), datcollate, datconnlimit, datistemplate, shobj_description(oid, 'pg_database')) from pg_database
union all select format('role comment %s', shobj_description(oid, 'pg_authid')) from pg_authid where oid >= 16384
order by 1
