create table computed (a int, b int generated always as (a * 2) stored, c text generated always as ('x' || a::text) stored);
create unlogged table computed_cache (b int generated always as (a * 2) stored, a int);
insert into computed_cache (a) values (4), (5);
create table to_parts (at date, room int, foreign key (at, room) references measures (at, room));
