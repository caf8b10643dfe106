-- Traps of logical replication, and what only looks like one. `--- case NAME` (with `| >=12` for servers from 12 on), the set-up that both sides have,
-- `--- write` what is written on blue once it is published and subscribed to (one statement a line; each must succeed beforehand),
-- `--- ddl` what happens to blue's schema before that.

--- case no key
create table t (id int, v text);
insert into t values (1, 'a'), (2, 'b');
--- write
insert into t values (3, 'c');
update t set v = 'x' where id = 1;
delete from t where id = 2;

--- case a primary key
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, 'b');
--- write
insert into t values (3, 'c');
update t set v = 'x' where id = 1;
update t set id = 20 where id = 2;
delete from t where id = 20;

--- case a unique index is no key of itself
create table t (id int not null unique, v text);
insert into t values (1, 'a');
--- write
update t set v = 'x' where id = 1;

--- case a chosen index
create table t (id int not null unique, v text);
alter table t replica identity using index t_id_key;
insert into t values (1, 'a');
--- write
update t set v = 'x' where id = 1;
delete from t where id = 1;

--- case the chosen index was dropped
create table t (id int not null, v text, w int primary key);
create unique index chosen on t (id);
alter table t replica identity using index chosen;
drop index chosen;
insert into t values (1, 'a', 1);
--- write
update t set v = 'x' where id = 1;

--- case nothing
create table t (id int primary key, v text);
alter table t replica identity nothing;
insert into t values (1, 'a');
--- write
delete from t where id = 1;

--- case full without a key
create table t (id int, v text);
alter table t replica identity full;
insert into t values (1, 'a'), (1, 'a'), (null, null);
--- write
update t set v = 'x' where id = 1;
delete from t where v is null;

--- case full over json
create table t (id int, v json);
alter table t replica identity full;
insert into t values (1, '{}');
--- write
update t set id = 2;

--- case full over json beside a key
create table t (id int primary key, v json);
alter table t replica identity full;
insert into t values (1, '{}');
--- write
update t set v = '[]' where id = 1;

--- case full over json beside a unique index
create table t (id int not null unique, v json);
alter table t replica identity full;
insert into t values (1, '{}');
--- write
update t set v = '[]' where id = 1;

--- case full over a point
create table t (id int, v point);
alter table t replica identity full;
insert into t values (1, '(1,2)');
--- write
delete from t where id = 1;

--- case full over an array of xml
create table t (id int, v xml[]);
alter table t replica identity full;
insert into t values (1, array['<a/>'::xml]);
--- write
delete from t where id = 1;

--- case full over a domain over json in a composite
create domain document as json;
create type pair as (x int, y document);
create table t (id int, v pair);
alter table t replica identity full;
insert into t values (1, row(1, '{}'));
--- write
update t set id = 2;

--- case full over types that can be compared
create type mood as enum ('sad', 'glad');
create type plain as (x int, y jsonb);
create domain small as int check (value < 10);
create table t (a mood, b plain, c small, d jsonb, e text[], f int4range, g inet, h bytea, i interval, j bit(3), k money, l tsvector, m name, n "char", o macaddr, p uuid, q pg_lsn, r numeric, s oidvector);
alter table t replica identity full;
insert into t values ('sad', row(1, '{}'), 3, '[]', '{a}', '[1,2)', '10.0.0.1', '\x00', '1 day', '101', 1, 'a b', 'n', 'c', '08:00:2b:01:02:03', '00000000-0000-0000-0000-000000000000', '0/1', 1.50, '1 2');
--- write
update t set a = 'glad';
delete from t;

--- case an unlogged table
create unlogged table t (id int primary key, v text);
--- write
insert into t values (1, 'a');

--- case a partitioned table whose partitions have the key
create table t (id int primary key, v text) partition by hash (id);
create table t0 partition of t for values with (modulus 2, remainder 0);
create table t1 partition of t for values with (modulus 2, remainder 1);
insert into t values (1, 'a'), (2, 'b'), (3, 'c');
--- write
update t set v = 'x';
update t set id = id + 10;
delete from t where id = 11;
truncate t;

--- case a partition without a key under a parent without one
create table t (id int, v text) partition by list (id);
create table t1 partition of t for values in (1);
create table t2 partition of t (primary key (id)) for values in (2);
insert into t values (1, 'a'), (2, 'b');
--- write
update t set v = 'x' where id = 1;

--- case a partitioned table with identity full on the parent alone
create table t (id int, v text) partition by list (id);
create table t1 partition of t for values in (1);
alter table t replica identity full;
insert into t values (1, 'a');
--- write
update t set v = 'x' where id = 1;

--- case rows that move between partitions
create table t (id int, day int, v text, primary key (id, day)) partition by list (day);
create table t1 partition of t for values in (1);
create table t2 partition of t default;
insert into t values (1, 1, 'a');
--- write
update t set day = 5;
update t set v = 'x';

--- case a generated column | >=12
create table t (id int primary key, v int, twice int generated always as (v * 2) stored);
insert into t (id, v) values (1, 1);
--- write
update t set v = 5;
delete from t;

--- case a generated column in the key | >=12
create table t (id int, twice int generated always as (id * 2) stored, v text, primary key (id, twice));
insert into t (id, v) values (1, 'a');
--- write
update t set v = 'x';

--- case full beside a generated column | >=12
create table t (id int, twice int generated always as (id * 2) stored, v text);
alter table t replica identity full;
insert into t (id, v) values (1, 'a');
--- write
update t set v = 'x';
delete from t;

--- case a virtual generated column | >=18
create table t (id int primary key, v int, twice int generated always as (v * 2) virtual);
insert into t (id, v) values (1, 1);
--- write
update t set v = 5;

--- case an identity column
create table t (id int generated always as identity primary key, v text);
insert into t (v) values ('a');
--- write
insert into t (v) values ('b');
update t set v = 'x' where id = 1;

--- case a deferrable primary key
create table t (id int primary key deferrable initially deferred, v text);
insert into t values (1, 'a');
--- write
update t set v = 'x';

--- case a deferrable unique constraint beside a key
create table t (id int primary key, v int, unique (v) deferrable initially deferred);
insert into t values (1, 1), (2, 2);
--- write
update t set v = 3 - v;

--- case an exclusion constraint
create table t (id int primary key, during int4range, exclude using gist (during with &&) deferrable);
insert into t values (1, '[1,5)'), (2, '[5,9)');
--- write
update t set during = int4range(lower(during) + 100, upper(during) + 100);

--- case a large object
create table t (id int primary key, picture oid);
--- write
insert into t values (1, lo_from_bytea(0, '\x00'));

--- case bytea is no large object
create table t (id int primary key, picture bytea, owner oid);
--- write
insert into t values (1, '\x00', 17);

--- case a materialized view
create table t (id int primary key);
create materialized view m as select count(*) as n from t;
--- write
insert into t values (1);
refresh materialized view m;

--- case a plain view
create table t (id int primary key);
create view m as select count(*) as n from t;
--- write
insert into t values (1);

--- case inheritance
create table parent (id int primary key, v text);
create table child () inherits (parent);
insert into parent values (1, 'a');
insert into child values (2, 'b');
--- write
update only parent set v = 'x';
update child set v = 'x';

--- case inheritance with a key in each
create table parent (id int primary key, v text);
create table child (primary key (id)) inherits (parent);
insert into child values (2, 'b');
--- write
update parent set v = 'x';

--- case inheritance in full
create table parent (id int, v text);
create table child (extra text) inherits (parent);
alter table parent replica identity full;
alter table child replica identity full;
insert into child values (2, 'b', 'c');
--- write
update parent set v = 'x';

--- case hostile names
create schema "Weird ""Schema"".x";
create table "Weird ""Schema"".x"."a.b'c%s{}" ("select" int primary key, "é ""q""" text);
insert into "Weird ""Schema"".x"."a.b'c%s{}" values (1, 'a');
--- write
update "Weird ""Schema"".x"."a.b'c%s{}" set "é ""q""" = 'x';

--- case hostile names without a key
create schema "Weird ""Schema"".x";
create table "Weird ""Schema"".x"."a.b'c%s{}" ("select" int, "é ""q""" text);
insert into "Weird ""Schema"".x"."a.b'c%s{}" values (1, 'a');
--- write
update "Weird ""Schema"".x"."a.b'c%s{}" set "é ""q""" = 'x';

--- case a table without columns
create table t ();
--- write
insert into t default values;
delete from t;

--- case a table with dropped columns
create table t (gone int, id int primary key, also int, v text);
alter table t drop column gone;
alter table t drop column also;
insert into t values (1, 'a');
--- write
update t set v = 'x';

--- case toasted values that do not change
create table t (id int primary key, big text, v int);
insert into t select 1, string_agg(md5(i::text), ''), 0 from generate_series(1, 5000) i;
--- write
update t set v = 1;

--- case truncate
create table t (id int primary key);
create table referring (id int primary key references t);
insert into t values (1);
insert into referring values (1);
--- write
truncate t, referring;
insert into t values (2);

--- case truncate restarts a sequence
create table t (id serial primary key, v text);
insert into t (v) values ('a');
--- write
truncate t restart identity;
insert into t (v) values ('b');

--- case foreign keys and cascades
create table a (id int primary key);
create table b (id int primary key, a int references a on delete cascade on update cascade);
insert into a values (1), (2);
insert into b values (1, 1), (2, 2);
--- write
update a set id = 10 where id = 1;
delete from a where id = 2;

--- case a plain trigger
create table t (id int primary key, v text);
create table log (id serial primary key, what text);
create function note() returns trigger language plpgsql as $$ begin insert into public.log (what) values (new.v); return new; end $$;
create trigger note after insert or update on t for each row execute procedure note();
--- write
insert into t values (1, 'a');
update t set v = 'x';

--- case a trigger that is always on
create table t (id int primary key, v text);
create table log (id serial primary key, what text);
create function note() returns trigger language plpgsql as $$ begin insert into public.log (what) values (new.v); return new; end $$;
create trigger note after insert on t for each row execute procedure note();
alter table t enable always trigger note;
--- write
insert into t values (1, 'a');

--- case a rule
create table t (id int primary key, v text);
create table log (id serial primary key, what text);
create rule note as on insert to t do also insert into public.log (what) values (new.v);
--- write
insert into t values (1, 'a');

--- case a check that needs the search path
create schema app;
create function app.helper(int) returns boolean language sql immutable as 'select $1 > 0';
alter database :database set search_path = app, public;
set search_path = app, public;
create function app.fine(int) returns boolean language sql immutable as 'select helper($1)';
create table app.t (id int primary key check (app.fine(id)));
--- write
insert into app.t values (1);

--- case a check whose function names its schema
create schema app;
create function app.helper(int) returns boolean language sql immutable as 'select $1 > 0';
create function app.fine(int) returns boolean language sql immutable as 'select app.helper($1)';
create table app.t (id int primary key check (app.fine(id)));
--- write
insert into app.t values (1);

--- case an index that needs the search path
create schema app;
create function app.helper(text) returns text language sql immutable as 'select lower($1)';
alter database :database set search_path = app, public;
set search_path = app, public;
create function app.norm(text) returns text language plpgsql immutable as 'begin return helper($1); end';
create table app.t (id int primary key, v text);
create index on app.t (app.norm(v));
--- write
insert into app.t values (1, 'a');

--- case a default that needs the search path
create schema app;
create function app.helper() returns int language sql as 'select 5';
alter database :database set search_path = app, public;
set search_path = app, public;
create function app.five() returns int language plpgsql as 'begin return helper(); end';
create table app.t (id int primary key, v int default app.five());
--- write
insert into app.t (id) values (1);

--- case a domain with a check
create domain positive as int check (value > 0);
create table t (id int primary key, v positive);
insert into t values (1, 1);
--- write
update t set v = 2;

--- case row security
create role :"role" login;
create table t (id int primary key, v text);
alter table t owner to :"role";
alter table t enable row level security;
create policy p on t using (false);
insert into t values (1, 'a');
--- write
insert into t values (2, 'b');
update t set v = 'x';

--- case row security that is forced on the owner
create role :"role" login;
create table t (id int primary key, v text);
alter table t owner to :"role";
alter table t enable row level security;
alter table t force row level security;
create policy p on t using (true);
insert into t values (1, 'a');
--- write
insert into t values (2, 'b');

--- case an extension of types
create extension hstore;
create extension citext;
create table t (id int primary key, h hstore, c citext unique);
insert into t values (1, 'a=>1', 'X');
--- write
update t set h = 'b=>2' where c = 'x';

--- case full over hstore and citext
create extension hstore;
create extension citext;
create table t (h hstore, c citext);
alter table t replica identity full;
insert into t values ('a=>1', 'X');
--- write
update t set h = 'b=>2' where c = 'x';

--- case full over a type of an extension that cannot be compared
create extension cube;
create extension seg;
create table t (id int, s seg, c cube);
alter table t replica identity full;
insert into t values (1, '1 .. 2', '(1)');
--- write
update t set id = 2;

--- case a foreign table
create extension file_fdw;
create server files foreign data wrapper file_fdw;
create foreign table f (line text) server files options (filename '/dev/null');
create table t (id int primary key);
--- write
insert into t values (1);

--- case a temporary table
create table t (id int primary key);
--- write
create temporary table scratch (v text);
insert into scratch values ('a');
update scratch set v = 'b';
insert into t values (1);

--- case a column added on blue
create table t (id int primary key, v text);
insert into t values (1, 'a');
--- ddl
alter table t add column w int;
--- write
insert into t values (2, 'b', 3);

--- case a table made on blue
create table t (id int primary key);
--- ddl
create table later (id int primary key);
--- write
insert into later values (1);

--- case a type widened on blue
create table t (id int primary key, v int);
--- ddl
alter table t alter v type bigint;
--- write
insert into t values (1, 3000000000);

--- case a value added to an enum on blue
create type mood as enum ('sad', 'glad');
create table t (id int primary key, v mood);
--- ddl
alter type mood add value 'angry';
--- write
insert into t values (1, 'angry');

--- case a constraint loosened on blue
create table t (id int primary key, v int check (v < 10));
--- ddl
alter table t drop constraint t_v_check;
--- write
insert into t values (1, 100);

--- case a column that may be null on blue
create table t (id int primary key, v int not null);
--- ddl
alter table t alter v drop not null;
--- write
insert into t values (1, null);

--- case a table renamed on blue
create table t (id int primary key);
--- ddl
alter table t rename to u;
--- write
insert into u values (1);

--- case a unique index dropped on blue
create table t (id int primary key, v int unique);
insert into t values (1, 1);
--- ddl
alter table t drop constraint t_v_key;
--- write
insert into t values (2, 1);

--- case a partition made on blue
create table t (id int primary key) partition by range (id);
create table t1 partition of t for values from (0) to (10);
--- ddl
create table t2 partition of t for values from (10) to (20);
--- write
insert into t values (15);

--- case the key dropped on blue
create table t (id int primary key, v text);
insert into t values (1, 'a');
--- ddl
alter table t drop constraint t_pkey;
--- write
update t set v = 'x';

--- case an index made on blue
create table t (id int primary key, v text);
insert into t values (1, 'a');
--- ddl
create index on t (v);
--- write
update t set v = 'x';

--- case nulls and empty strings
create table t (id int primary key, v text, w bytea);
insert into t values (1, '', '\x'), (2, null, null);
--- write
update t set v = null where id = 1;
update t set v = '' where id = 2;

--- case types whose text depends on settings
create table t (id int primary key, a timestamptz, b interval, c float8, d float4, e money, f bytea);
insert into t values (1, '2020-02-03 04:05:06.789+02', '1 mon -3 days', 1e-300, 0.1, 12.34, '\x00ff');
--- write
update t set c = 0.1::float8 + 0.2, a = '1900-01-01 00:00:00+01';
insert into t values (2, 'infinity', '-178000000 years', 'NaN', '-Infinity', -1, '');

--- case a partial unique index with a key elsewhere
create table t (id int, v text, w int);
create unique index on t (id) where w = 0;
insert into t values (1, 'a', 0);
--- write
update t set v = 'x';

--- case a unique index over an expression
create table t (id int not null, v text not null);
create unique index on t (id, lower(v));
insert into t values (1, 'a');
--- write
delete from t;

--- case full beside an index that is not unique
create table t (id int, v text);
create index on t (id);
alter table t replica identity full;
insert into t values (1, 'a'), (1, 'b'), (2, 'c');
--- write
update t set v = 'x' where id = 1 and v = 'b';
delete from t where v = 'a';

--- case many columns
do $$ begin execute 'create table t (id int primary key, ' || (select string_agg('c' || i || ' int', ', ') from generate_series(1, 1500) i) || ')'; end $$;
insert into t (id, c1) values (1, 1);
--- write
update t set c1500 = 7;

--- case keys of every sort
create table a (k text collate "C" primary key, v int);
create table b (k numeric primary key, v int);
create table c (k uuid, l timestamptz, v int, primary key (l, k));
create table d (k float8 primary key, v int);
insert into a values ('ä', 1);
insert into b values (1.50, 1);
insert into c values ('00000000-0000-0000-0000-000000000000', 'epoch', 1);
insert into d values ('NaN', 1), (-0.0, 1);
--- write
update a set v = 2;
update b set v = 2;
update c set v = 2;
update d set v = 2;
delete from a;
