create table packed (a text compression pglz, m int4multirange);
create function atomic(x int) returns bigint begin atomic select count(*) from packed where x > 0; end;
create procedure gives(in a int, out b int) language plpgsql as $$ begin b := a; end $$;
create statistics on_expression on (a || 'x'), m from packed;
