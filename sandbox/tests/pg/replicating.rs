//! `sandbox::replicate`: green follows blue on every pair of versions, and the pieces of a switchover lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sandbox::copy::{Copied, copy};
use sandbox::pg::{Server, ServerOptions, ident};
use sandbox::replicate::{Replication, establish, resume_writes, stop_writes};
use sandbox::roles::{Login, Roles, create_database, install};

use crate::copying::{ODD, UNICODE, enrich, pair};

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// A name and a password that need quoting in SQL, in a connection string and in a URL.
fn roles() -> Roles {
    Roles {
        replication: Login::new("rdsrepl \"admin\"", r#"it's \a "p%20 =word' "#),
        ..Roles::random().expect("randomness")
    }
}

/// All rows of all logged tables.
async fn contents(server: &Server, database: &str) -> Vec<String> {
    let client = server.connect(database).await.expect("it is there");
    client
        .batch_execute("set search_path = ''; set datestyle = iso; set extra_float_digits = 3")
        .await
        .expect("set");
    let tables = "select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
        where relkind = 'r' and relpersistence = 'p' and nspname !~ '^pg_' and nspname <> 'information_schema' order by 1";
    let mut lines = Vec::new();
    for row in client.query(tables, &[]).await.expect("it answers") {
        let table: String = row.get(0);
        let sql =
            format!("select coalesce(string_agg(t::text, chr(10) order by t::text), '') from {table} t");
        let rows: String = client.query_one(&sql, &[]).await.expect("it answers").get(0);
        lines.push(format!("{table}: {rows}"));
    }
    lines
}

async fn assert_equal(blue: &Server, green: &Server, at: &str) {
    for database in ["app", ODD, UNICODE, "postgres"] {
        assert_eq!(
            contents(blue, database).await,
            contents(green, database).await,
            "{at}: {database}"
        );
    }
}

const CHANGES: &str = r#"
    insert into "Weird ""Schema"""."Table.1" ("Select", p, h, doc) select 'x' || clock_timestamp() || i, row(i, 'y')::pair, 'a=>1', '[1]' from generate_series(1, 50) i;
    update "Weird ""Schema"""."Table.1" set m = 'sad' where id % 3 = 0;
    delete from "Weird ""Schema"""."Table.1" where id % 5 = 0;
    insert into ident (c) select 'c' || clock_timestamp() || i from generate_series(1, 5) i;
    update ident set c = c || '!' where a % 2 = 0;
    insert into measures select date '2024-01-01' + i, 1 + i % 2, i + 1 from generate_series(0, 9) i on conflict do nothing;
    insert into measures select date '2030-01-01' + i, 5, i + 1 from generate_series(0, 9) i on conflict do nothing;
    update measures set value = value + 1;
    insert into refers select null, 10 from generate_series(1, 4);
    insert into by_index values (1 + (select count(*) from by_index), 2);
    update by_index set b = b + 1;
    insert into book values ('[2024-01-01, 2024-01-02)', 1) on conflict do nothing;
    insert into base values (1, 'b'); insert into derived values (2, 'd', '2024-01-01'); insert into other values (3, 'o', 4);
    truncate child_of; insert into child_of select a from ident;
    select nextval('"select"."Seq.1"'), nextval('untouched')"#;

/// Inserts one row after the other until told to stop, and counts those that were committed.
fn writer(blue: &Server, stop: &Arc<AtomicBool>, written: &Arc<AtomicU64>) -> tokio::task::JoinHandle<()> {
    let (blue, stop, written) = (blue.clone(), Arc::clone(stop), Arc::clone(written));
    tokio::spawn(async move {
        while !stop.load(Ordering::SeqCst) {
            let Ok(client) = blue.connect_as("app", "writer", "secret").await else {
                continue;
            };
            while !stop.load(Ordering::SeqCst) {
                if client
                    .execute("insert into load (v) values ('x')", &[])
                    .await
                    .is_err()
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    break;
                }
                written.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    })
}

async fn count(server: &Server) -> u64 {
    let count = server
        .value("app", "select count(*) from load")
        .await
        .expect("it answers");
    count.and_then(|count| count.parse().ok()).expect("a number")
}

async fn lag_of(replication: &Replication, database: &str) -> i64 {
    let lag = replication.lag().await.expect("it answers");
    lag.iter()
        .find(|lag| lag.database == database)
        .expect("it is replicated")
        .bytes
}

async fn follows_and_switches(old: u32, new: u32) {
    let at = format!("{old} to {new}");
    let (blue, green) = pair(old, new).await;
    let roles = roles();
    install(&blue, &roles).await.expect("the roles can be made");
    enrich(&blue).await;
    // From 16 on rows are applied as the table's owner, whom forced policies bind: a test of its own.
    let load = "alter table ident no force row level security; create table load (id bigserial primary key, v text); create role writer login password 'secret';
        grant all on load, load_id_seq to writer; grant connect on database app to writer;
        create materialized view totals as select count(*) as n from load; insert into load (v) values ('first');
        create materialized view on_totals as select n from totals; refresh materialized view totals; refresh materialized view on_totals;
        create table audit (id bigserial primary key);
        create function note() returns trigger language plpgsql as $$ begin insert into public.audit default values; return new; end $$;
        create trigger note after insert on load for each row execute procedure note();
        create table noted (id int primary key); create trigger always after insert on noted for each row execute procedure tg();
        alter table noted enable always trigger always";
    blue.execute("app", load).await.expect("the statements are right");
    blue.execute("app", "grant all on audit, audit_id_seq to writer")
        .await
        .expect("granted");
    blue.execute("app", CHANGES)
        .await
        .expect("the statements are right");
    assert_eq!(
        copy(&blue, &green).await.expect("both can be reached"),
        Copied::default(),
        "{at}"
    );

    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let load = writer(&blue, &stop, &written);
    let replication = establish(&blue, &green, &roles.replication, LIMIT)
        .await
        .expect("it can be set up");
    assert!(replication.notes().is_empty(), "{at}: {:?}", replication.notes());
    let databases: Vec<&str> = replication
        .links()
        .iter()
        .map(|link| link.database.as_str())
        .collect();
    assert_eq!(
        databases,
        ["postgres", "app", ODD, UNICODE],
        "{at}: all but the service's and the templates"
    );
    for link in replication.links() {
        for name in [&link.publication, &link.slot, &link.subscription] {
            assert!(name.starts_with("rds"), "{name}");
        }
    }
    let states = green
        .query("app", "select distinct srsubstate from pg_subscription_rel")
        .await
        .expect("it answers");
    assert_eq!(states, [[Some("r".to_owned())]], "{at}");
    blue.execute("app", CHANGES)
        .await
        .expect("the statements are right");
    blue.execute(ODD, "insert into \"näme\" values ('ß')")
        .await
        .expect("the statement is right");
    replication.wait_caught_up(LIMIT).await.expect("green follows");
    let views = green
        .value("app", "select n > 0 from on_totals")
        .await
        .expect("it is filled");
    assert_eq!(views.as_deref(), Some("t"), "{at}");
    let state = green
        .value("app", "select tgenabled from pg_trigger where tgname = 'always'")
        .await
        .expect("it is there");
    assert_eq!(state.as_deref(), Some("A"), "{at}");

    let client = green
        .connect_as("app", "writer", "secret")
        .await
        .expect("the role came along");
    let refused = client
        .execute("insert into load (v) values ('green')", &[])
        .await
        .expect_err("green is read-only");
    assert_eq!(refused.code().map(|code| code.code()), Some("25006"), "{at}");

    replication.pause_apply("app").await.expect("it can be paused");
    blue.execute("app", CHANGES)
        .await
        .expect("the statements are right");
    let error = replication
        .wait_caught_up(Duration::from_millis(300))
        .await
        .expect_err("it is paused")
        .to_string();
    assert!(
        error.contains("database \"app\"") && error.contains("not connected"),
        "{error}"
    );
    assert!(lag_of(&replication, "app").await > 10_000, "{at}");
    replication.resume_apply("app").await.expect("it goes on");

    stop_writes(&blue).await.expect("sessions end");
    let client = blue
        .connect_as("app", "writer", "secret")
        .await
        .expect("reading is allowed");
    let refused = client
        .execute("insert into load (v) values ('late')", &[])
        .await
        .expect_err("blue is read-only");
    assert_eq!(refused.code().map(|code| code.code()), Some("25006"), "{at}");
    let committed = count(&blue).await;
    replication.wait_drained(LIMIT).await.expect("green has it all");
    assert_equal(&blue, &green, &at).await;
    assert_eq!(count(&green).await, committed, "{at}");
    assert!(
        committed >= written.load(Ordering::SeqCst),
        "{at}: what was committed is there"
    );

    assert!(
        replication.sync_sequences().await.expect("they can be moved") >= 4,
        "{at}"
    );
    assert_eq!(
        replication.sync_sequences().await.expect("they can be moved"),
        0,
        "{at}: they stand there already"
    );
    replication
        .drop_subscriptions_and_slots()
        .await
        .expect("they can be dropped");
    for (server, left) in [
        (&blue, "select slot_name from pg_replication_slots"),
        (
            &blue,
            "select pubname from pg_publication where pubname like 'rds%'",
        ),
        (&green, "select subname from pg_subscription"),
    ] {
        assert!(
            server.query("app", left).await.expect("it answers").is_empty(),
            "{at}: {left}"
        );
    }
    resume_writes(&green).await.expect("it can be opened");
    let client = green
        .connect_as("app", "writer", "secret")
        .await
        .expect("it takes clients");
    client
        .execute("insert into load (v) values ('after')", &[])
        .await
        .expect("no key is used twice");
    assert_eq!(count(&green).await, committed + 1, "{at}");

    // The way back: blue writes again.
    let before = written.load(Ordering::SeqCst);
    resume_writes(&blue).await.expect("it can be opened");
    let began = Instant::now();
    while written.load(Ordering::SeqCst) == before {
        assert!(began.elapsed() < LIMIT, "{at}: the writer goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.store(true, Ordering::SeqCst);
    load.await.expect("it does not panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn green_follows_and_takes_over_from_11_to_13() {
    follows_and_switches(11, 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_follows_and_takes_over_from_12_to_14() {
    follows_and_switches(12, 14).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_follows_and_takes_over_from_13_to_16() {
    follows_and_switches(13, 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_follows_and_takes_over_from_14_to_17() {
    follows_and_switches(14, 17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_follows_and_takes_over_from_15_to_18() {
    follows_and_switches(15, 18).await;
}

/// The steps that the rich schema does not take: from 10, to the next major, over all at once, and within one.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_schema_goes_between_all_other_majors() {
    for (old, new) in [
        (10, 11),
        (10, 18),
        (11, 12),
        (16, 17),
        (16, 18),
        (17, 18),
        (18, 18),
    ] {
        let at = format!("{old} to {new}");
        let (blue, green) = pair(old, new).await;
        let roles = roles();
        install(&blue, &roles).await.expect("the roles can be made");
        let sql = "create schema s; create type s.e as enum ('a', 'b');
            create function s.f(int) returns int language sql immutable as 'select $1 + 1';
            create table s.t (a int generated always as identity primary key, e s.e default 'b', n int check (n > 0) default s.f(1));
            create index on s.t (s.f(n)); create view s.v as select a, n from s.t where e = 'b';
            create table s.c (id serial primary key, a int references s.t);
            create table s.p (a int not null) partition by list (a); create table s.p1 partition of s.p for values in (1, 2);
            grant select on s.v to greenlight; comment on view s.v is 'a view';
            create sequence s.q; alter table s.c enable row level security; create policy p on s.c using (a > 0);
            insert into s.t default values; insert into s.c (a) values (1); insert into s.p values (1)";
        blue.execute("postgres", sql)
            .await
            .expect("the statements are right");
        let copied = copy(&blue, &green).await.expect("both can be reached");
        assert_eq!(copied, Copied::default(), "{at}: {copied:#?}");
        let replication = establish(&blue, &green, &roles.replication, LIMIT)
            .await
            .expect("it can be set up");
        let more = "insert into s.t default values; update s.t set n = 7 where a = 1; insert into s.p values (2); select nextval('s.q')";
        blue.execute("postgres", more)
            .await
            .expect("the statements are right");
        stop_writes(&blue).await.expect("sessions end");
        replication.wait_drained(LIMIT).await.expect("green follows");
        assert_eq!(
            contents(&blue, "postgres").await,
            contents(&green, "postgres").await,
            "{at}"
        );
        assert_eq!(
            replication.sync_sequences().await.expect("they can be moved"),
            2,
            "{at}: s.q and that of s.t"
        );
        let Login { name, password } = &roles.checker;
        let checker = green
            .connect_as("postgres", name, password)
            .await
            .expect("the role came along");
        let view = "select n from s.v where a = 1";
        checker.batch_execute("select 1").await.expect("it answers");
        assert!(
            checker.batch_execute(view).await.is_err(),
            "{at}: the schema is not open to it"
        );
        green
            .execute("postgres", "grant usage on schema s to greenlight")
            .await
            .expect("granted");
        checker.batch_execute(view).await.expect("the view is");
    }
}

/// One slot a database and no more: three databases need three.
#[tokio::test]
async fn as_many_slots_as_databases_are_enough_and_one_less_is_not() {
    for (slots, enough) in [("3", true), ("2", false)] {
        let blue = ServerOptions::new(14)
            .setting("wal_level", "logical")
            .setting("max_replication_slots", slots)
            .setting("max_wal_senders", "3");
        let green = ServerOptions::new(16)
            .setting("max_logical_replication_workers", "3")
            .setting("max_replication_slots", "3");
        let (blue, green) = tokio::try_join!(Server::start(blue), Server::start(green)).expect("both start");
        let roles = roles();
        install(&blue, &roles).await.expect("the roles can be made");
        for database in ["one", "two"] {
            create_database(&blue, database, &roles.master.name)
                .await
                .expect("it can be made");
            blue.execute(
                database,
                "create table t (a int primary key); insert into t values (1)",
            )
            .await
            .expect("written");
        }
        assert_eq!(
            copy(&blue, &green).await.expect("both can be reached"),
            Copied::default()
        );
        match establish(&blue, &green, &roles.replication, LIMIT).await {
            Ok(replication) => {
                assert!(enough, "{slots} slots must not do");
                blue.execute("two", "insert into t values (2)")
                    .await
                    .expect("written");
                replication.wait_caught_up(LIMIT).await.expect("green follows");
                let rows = green
                    .value("two", "select count(*) from t")
                    .await
                    .expect("it answers");
                assert_eq!(rows.as_deref(), Some("2"));
            }
            Err(error) => {
                assert!(!enough, "{error}");
                assert!(
                    error.to_string().contains("all replication slots are in use"),
                    "{error}"
                );
                for (server, left) in [
                    (&blue, "select slot_name from pg_replication_slots"),
                    (&blue, "select pubname from pg_publication"),
                    (&green, "select subname from pg_subscription"),
                ] {
                    for database in ["one", "two", "postgres"] {
                        let rows = server.query(database, left).await.expect("it answers");
                        assert!(rows.is_empty(), "{left} in {database}: {rows:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_long_transaction_on_blue_keeps_replication_from_starting() {
    let (blue, green) = pair(13, 15).await;
    let roles = roles();
    install(&blue, &roles).await.expect("the roles can be made");
    blue.execute("postgres", "create table t (a int primary key)")
        .await
        .expect("written");
    copy(&blue, &green).await.expect("both can be reached");
    let long = blue.connect("postgres").await.expect("it connects");
    long.batch_execute("begin; insert into t values (1)")
        .await
        .expect("it has an id now");
    let error = establish(&blue, &green, &roles.replication, Duration::from_secs(1))
        .await
        .expect_err("it waits");
    assert!(
        error
            .to_string()
            .contains("waited 1 s for replication to be set up"),
        "{error}"
    );
    let slots = blue
        .query("postgres", "select slot_name from pg_replication_slots")
        .await
        .expect("it answers");
    assert!(slots.is_empty(), "{slots:?}");
    long.batch_execute("commit").await.expect("it ends");
    let replication = establish(&blue, &green, &roles.replication, LIMIT)
        .await
        .expect("now it can");
    replication.wait_caught_up(LIMIT).await.expect("green follows");
    let rows = green
        .value("postgres", "select count(*) from t")
        .await
        .expect("it answers");
    assert_eq!(rows.as_deref(), Some("1"));
    assert_eq!(ident(&replication.links()[0].database), "\"postgres\"");
}

#[tokio::test]
async fn without_logical_wal_the_server_says_why() {
    let (blue, green) = tokio::try_join!(
        Server::start(ServerOptions::new(13)),
        Server::start(ServerOptions::new(14))
    )
    .expect("both start");
    let roles = roles();
    install(&blue, &roles).await.expect("the roles can be made");
    let error = establish(&blue, &green, &roles.replication, LIMIT)
        .await
        .expect_err("wal_level is replica");
    assert!(
        error
            .to_string()
            .contains("logical decoding requires wal_level >= logical"),
        "{error}"
    );
    let wrong = Login::new(roles.replication.name.clone(), "wrong");
    blue.restart([("wal_level", "logical")])
        .await
        .expect("it starts again");
    let error = establish(&blue, &green, &wrong, LIMIT)
        .await
        .expect_err("a wrong password");
    assert!(
        error.to_string().contains("password authentication failed"),
        "{error}"
    );
}

/// PostgreSQL's own default, kept here because nobody outside knows what RDS sets.
#[tokio::test]
async fn forced_row_level_security_stops_apply_from_16_on() {
    for (new, stops) in [(15, false), (16, true)] {
        let (blue, green) = pair(14, new).await;
        let roles = roles();
        install(&blue, &roles).await.expect("the roles can be made");
        let sql = "create role plain; create table t (a int primary key); alter table t owner to plain;
            alter table t enable row level security; alter table t force row level security";
        blue.execute("postgres", sql)
            .await
            .expect("the statements are right");
        assert_eq!(
            copy(&blue, &green).await.expect("both can be reached"),
            Copied::default()
        );
        let replication = establish(&blue, &green, &roles.replication, LIMIT)
            .await
            .expect("it can be set up");
        blue.execute("postgres", "insert into t values (1)")
            .await
            .expect("written");
        if !stops {
            replication.wait_caught_up(LIMIT).await.expect("green follows");
            continue;
        }
        let expected = "cannot replicate into relation with row-level security enabled: \"t\"";
        let began = Instant::now();
        while !replication
            .last_error()
            .is_some_and(|error| error.contains(expected))
        {
            assert!(began.elapsed() < LIMIT, "{new}: {:?}", replication.last_error());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let error = replication
            .wait_caught_up(Duration::from_millis(300))
            .await
            .expect_err("it has stopped");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
