create view as_caller with (security_invoker = true) as select a from ident;
create table no_nulls (a int, b int, unique nulls not distinct (a, b));
create unlogged sequence fleeting;
create publication by_schema for tables in schema "select";
create publication filtered for table by_index (a, b) where (a > 0);
grant set on parameter log_min_messages to reader;
