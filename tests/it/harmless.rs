//! Doing no harm, seen from the server: its log of a full run, its locks, and connections that are nearly used up.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use greenlight::{
    edge::{
        blue_lock::BlueLock,
        probe::{News, Probe},
        sampler::Sampler,
    },
    facts::{Fact, Facts},
};
use sandbox::pg::{Server, ServerOptions, block_on};

use crate::{
    cli::{Ran, greenlight},
    support::{PASSWORD, PATIENCE, checking_role, spec},
};

/// A little of everything that checks look into.
const THINGS: &str = r#"
create schema app;
create table app.orders (id int primary key, v text);
create table app.keyless (v text);
create unlogged table app.scratch (v regproc);
create materialized view app.stored as select 1 as one;
create sequence app.numbers;
create function app.noop() returns trigger language plpgsql as $$begin return new; end$$;
create trigger always before insert on app.orders for each row execute procedure app.noop();
create publication everything for table app.orders;
insert into app.orders select g, 'x' from generate_series(1, 1000) g;
"#;

async fn server(options: ServerOptions) -> Server {
    let server = Server::start(options.logical()).await.expect("a server");
    checking_role(&server).await;
    for database in ["app", "other", "third"] {
        let sql = format!("create database {database}");
        server.execute("postgres", &sql).await.expect("a database");
    }
    server.execute("app", THINGS).await.expect("things to look at");
    server
}

/// Whether a query's value becomes this one.
async fn comes_to(server: &Server, database: &str, sql: &str, wanted: &str) -> bool {
    let so = async {
        while server.value(database, sql).await.expect("an answer").as_deref() != Some(wanted) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.is_ok()
}

/// Runs the binary as the checking role while the test goes on.
async fn run(server: &Server, args: &[&str]) -> Ran {
    let url = format!("postgres://greenlight@{}:{}/app", server.host(), server.port());
    let mut args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
    args.extend(["--blue-url".to_owned(), url]);
    tokio::task::spawn_blocking(move || {
        let here = tempfile::tempdir().expect("a folder");
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        greenlight(here.path(), &args, &[("PGPASSWORD", PASSWORD)])
    })
    .await
    .expect("it ran")
}

async fn facts(server: &Server) -> Facts {
    let ran = run(server, &["collect"]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    Facts::from_json(&ran.stdout).expect("facts")
}

/// Every fact that could not be had, with its place.
fn unknown(facts: &Facts) -> Vec<String> {
    let Fact::Known(blue) = &facts.blue else {
        return vec!["blue".to_owned()];
    };
    let mut out = Vec::new();
    let mut see = |place: &str, name: &str, detail: Option<&str>| {
        if let Some(detail) = detail {
            out.push(format!("{place}/{name}: {detail}"));
        }
    };
    for (name, fact) in &blue.probes {
        see("server", name, fact.get().err().map(|(_, why)| why));
    }
    for (database, fact) in blue.databases.iter().chain(&blue.templates) {
        match fact {
            Fact::Unknown { detail, .. } => see(database, "", Some(detail)),
            Fact::Known(probes) => {
                for (name, fact) in probes {
                    see(database, name, fact.get().err().map(|(_, why)| why));
                }
            }
        }
    }
    out
}

/// The next transaction id: it moves when anything at all is written.
async fn next_xid(server: &Server) -> String {
    // `txid_current` would take one itself.
    let sql = "select txid_snapshot_xmax(txid_current_snapshot())";
    server
        .value("postgres", sql)
        .await
        .expect("an answer")
        .expect("a number")
}

#[test]
fn the_log_of_a_full_run_has_nothing_but_looking() {
    block_on(async {
        for major in [11, 17] {
            let options = ServerOptions::new(major)
                .setting("log_statement", "all")
                .setting("log_min_duration_statement", "0")
                .setting("log_lock_waits", "on")
                .setting("deadlock_timeout", "50ms")
                .setting("log_temp_files", "0")
                .setting("autovacuum", "off")
                .setting("log_line_prefix", "<%a|%u|%d|%p> ");
            let server = server(options).await;
            let before = next_xid(&server).await;
            let facts = facts(&server).await;
            assert_eq!(
                unknown(&facts),
                Vec::<String>::new(),
                "on {major}: a full run reads all"
            );
            assert_eq!(
                next_xid(&server).await,
                before,
                "on {major}: something was written"
            );

            let log = server.log();
            let mut statements = 0;
            let mut databases = BTreeSet::new();
            for line in log.lines().filter(|line| line.contains("|greenlight|")) {
                let (prefix, rest) = line
                    .strip_prefix('<')
                    .and_then(|line| line.split_once("> "))
                    .expect("the prefix");
                let fields: Vec<&str> = prefix.split('|').collect();
                databases.insert(fields[2].to_owned());
                assert!(!rest.contains("temporary file"), "on {major}: {line}");
                assert!(!rest.contains("still waiting for"), "on {major}: {line}");
                // Until the startup message is read the server does not know the application's name.
                let connecting =
                    rest.contains("connection authorized") || rest.contains("connection authenticated");
                assert!(fields[0] == "greenlight" || connecting, "on {major}: {line}");
                let Some(sql) = statement(rest) else { continue };
                statements += 1;
                let sql = sql.trim_start().to_ascii_lowercase();
                let ours = [
                    "with probe as",
                    "select ",
                    "set idle_session_timeout = ",
                    "set jit = ",
                    "set work_mem = ",
                ];
                assert!(
                    ours.iter().any(|head| sql.starts_with(head)),
                    "on {major}: {line}"
                );
            }
            assert!(
                statements > 50,
                "on {major}: {statements} statements are not a full run"
            );
            for database in ["app", "other", "third", "postgres", "template1"] {
                assert!(
                    databases.contains(database),
                    "on {major}: {database} was looked at"
                );
            }
            // What the server counted: no temporary file, no row written, by anyone but this test's set-up.
            let counted = "select coalesce(sum(temp_files), 0) from pg_stat_database where datname in ('other', 'third')";
            assert_eq!(
                server
                    .value("postgres", counted)
                    .await
                    .expect("an answer")
                    .as_deref(),
                Some("0")
            );
        }
    });
}

/// The SQL of a log line that has any.
fn statement(rest: &str) -> Option<&str> {
    for mark in [
        "statement: ",
        "parse <unnamed>: ",
        "execute <unnamed>: ",
        "bind <unnamed>: ",
    ] {
        if let Some((head, sql)) = rest.split_once(mark)
            && (head.starts_with("LOG:") || head.starts_with("STATEMENT:"))
        {
            return Some(sql);
        }
    }
    None
}

/// The role that `greenlight sql-role` makes reads every fact of every check, on each major.
#[test]
fn the_printed_role_reads_all_on_every_major() {
    std::thread::scope(|all| {
        for majors in [[11, 12, 13, 14], [15, 16, 17, 18]] {
            all.spawn(move || {
                for major in majors {
                    block_on(as_the_printed_role(major));
                }
            });
        }
    });
}

async fn as_the_printed_role(major: u32) {
    let server = Server::start(ServerOptions::new(major).logical())
        .await
        .expect("a server");
    for sql in ["create database app", "create database other"] {
        server.execute("postgres", sql).await.expect(sql);
    }
    server.execute("app", THINGS).await.expect("things to look at");
    let here = tempfile::tempdir().expect("a folder");
    let printed = greenlight(here.path(), &["sql-role"], &[]).stdout;
    // The sandbox's databases are nobody's but the superuser's, who runs it; the password is set as its note says.
    let sql: String = printed
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .collect::<Vec<_>>()
        .join("\n");
    server
        .execute("postgres", &sql)
        .await
        .unwrap_or_else(|e| panic!("{major}: {e}: {sql}"));
    let password = format!(
        "alter role greenlight password {}",
        sandbox::pg::literal(PASSWORD)
    );
    server.execute("postgres", &password).await.expect("a password");
    let facts = facts(&server).await;
    assert_eq!(unknown(&facts), Vec::<String>::new(), "on {major}");
}

/// EXCLUSIVE lets nothing pass but ACCESS SHARE: with every table and every catalogue so locked, a run that reads all
/// facts has taken no stronger lock anywhere. <https://www.postgresql.org/docs/current/explicit-locking.html>
#[test]
fn no_lock_is_stronger_than_access_share() {
    block_on(async {
        let server = server(ServerOptions::new(15).setting("autovacuum", "off")).await;
        let mut held = Vec::new();
        for database in ["app", "other", "third", "postgres"] {
            let session = server.connect(database).await.expect("a session");
            let lock = "begin; do $$ declare t text; begin for t in \
                        select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                        where c.relkind in ('r', 'p') and (n.nspname = 'app' or n.nspname = 'pg_catalog' and not c.relisshared) \
                        loop execute format('lock table %s in exclusive mode', t); end loop; end $$";
            session.batch_execute(lock).await.expect("every table is locked");
            held.push(session);
        }
        let facts = facts(&server).await;
        assert_eq!(unknown(&facts), Vec::<String>::new());

        // And were it otherwise, it would show: the same lock stops a writer at once.
        let writer = server.connect("app").await.expect("a session");
        let stopped = writer
            .batch_execute("set lock_timeout = '100ms'; insert into app.keyless values ('x')")
            .await
            .expect_err("it has to wait");
        assert_eq!(stopped.code().expect("a code").code(), "55P03");
        drop(held);
    });
}

#[test]
fn a_table_that_others_hold_costs_its_facts_and_no_more() {
    block_on(async {
        let server = server(ServerOptions::new(15)).await;
        let session = server.connect("app").await.expect("a session");
        session
            .batch_execute("begin; lock table app.orders, app.scratch in access exclusive mode")
            .await
            .unwrap_or_else(|_| panic!("locked"));
        // A writer queues behind it, and greenlight must not stand in its way.
        let began = Instant::now();
        let ran = run(&server, &["check", "--target-version", "17", "--phase", "create"]).await;
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!(ran.code, 10, "{}{}", ran.stdout, ran.stderr);
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("app.keyless"), "the rest is judged: {words}");
        let waiting = "select count(*) from pg_stat_activity where application_name = 'greenlight'";
        assert!(
            comes_to(&server, "postgres", waiting, "0").await,
            "no session stays behind"
        );
        drop(session);
    });
}

#[test]
fn a_lock_on_a_catalogue_is_told_and_ends() {
    block_on(async {
        let server = server(ServerOptions::new(15)).await;
        let session = server.connect("app").await.expect("a session");
        session
            .batch_execute("begin; lock table pg_catalog.pg_trigger in access exclusive mode")
            .await
            .expect("locked");
        let began = Instant::now();
        let ran = run(&server, &["check", "--target-version", "17", "--phase", "create"]).await;
        assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
        assert!(matches!(ran.code, 10 | 11), "{}{}", ran.stdout, ran.stderr);
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("lock timeout") || words.contains("statement timeout"),
            "it says what it waited for: {words}"
        );
        drop(session);
    });
}

/// The most sessions of greenlight's that were ever open at once, and the fewest connections that others had left.
async fn watched(server: &Server, args: &[&str], max: i64) -> (Ran, i64, i64) {
    let watcher = server
        .connect("postgres")
        .await
        .expect("a superuser's own session");
    let watch = async {
        let (mut most, mut fewest) = (0_i64, i64::MAX);
        loop {
            let row = watcher
                .query_one(
                    "select count(*) filter (where usename = 'greenlight'), \
                     count(*) filter (where usename <> current_user) \
                     from pg_stat_activity where backend_type = 'client backend' and usename is not null",
                    &[],
                )
                .await
                .expect("an answer");
            most = most.max(row.get(0));
            fewest = fewest.min(max - row.get::<_, i64>(1));
            tokio::time::sleep(Duration::from_millis(2)).await;
            if most < 0 {
                break (most, fewest);
            }
            SEEN.with(|seen| seen.set((most, fewest)));
        }
    };
    tokio::select! {
        _ = watch => unreachable!("it watches to the end"),
        ran = run(server, args) => {
            let (most, fewest) = SEEN.with(std::cell::Cell::take);
            (ran, most, fewest)
        }
    }
}

thread_local! {
    static SEEN: std::cell::Cell<(i64, i64)> = const { std::cell::Cell::new((0, 0)) };
}

/// Sessions of an application, as many as are asked for. A session that has gone from the server's list gives back its place a moment later,
/// so a refusal is asked again.
async fn occupy(server: &Server, database: &str, count: usize) -> Vec<tokio_postgres::Client> {
    let one = async || {
        loop {
            match server.connect_as(database, "appuser", "apppass").await {
                Ok(client) => break client,
                Err(refused) if refused.to_string().contains("remaining connection slots") => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(other) => panic!("a session of the application: {other}"),
            }
        }
    };
    let mut held = Vec::new();
    for _ in 0..count {
        let session = tokio::time::timeout(PATIENCE, one()).await;
        held.push(session.expect("a place for the application"));
    }
    held
}

/// Closes them, and waits until the server has seen it.
async fn released(server: &Server, held: Vec<tokio_postgres::Client>) {
    drop(held);
    let sql = "select count(*) from pg_stat_activity where usename in ('appuser', 'greenlight')";
    assert!(comes_to(server, "postgres", sql, "0").await, "sessions end");
}

async fn application(server: &Server) {
    server
        .execute("postgres", "create role appuser login password 'apppass'")
        .await
        .expect("the application's role");
}

/// Twenty connections for all, three of them for superusers.
fn twenty() -> ServerOptions {
    ServerOptions::new(15)
        .setting("max_connections", "20")
        .setting("superuser_reserved_connections", "3")
        .setting("max_wal_senders", "2")
}

const CHECK: [&str; 5] = ["check", "--target-version", "17", "--phase", "create"];

#[test]
fn the_last_connections_are_left_to_others() {
    block_on(async {
        let server = server(twenty()).await;
        application(&server).await;
        // Seventeen, of which eleven are in use and one by this test: beside greenlight's first four are left, of which
        // three are for others.
        let held = occupy(&server, "app", 11).await;
        let (ran, most, _) = watched(&server, &CHECK, 17).await;
        assert_eq!(ran.code, 10, "{}{}", ran.stdout, ran.stderr);
        assert!((1..=2).contains(&most), "{most} sessions at once");
        assert!(
            ran.stdout.contains("4 of 4 databases"),
            "all are looked at: {}",
            ran.stdout
        );
        released(&server, held).await;

        // All but two in use: one at a time, and still all are looked at.
        let held = occupy(&server, "app", 14).await;
        let (ran, most, fewest) = watched(&server, &CHECK, 17).await;
        assert_eq!(most, 1, "one at a time");
        assert!(fewest >= 1, "{fewest} were left to others");
        assert!(ran.stdout.contains("4 of 4 databases"), "{}", ran.stdout);
        released(&server, held).await;

        // All but one: what is there is read once, and given back at once.
        let held = occupy(&server, "app", 15).await;
        let (ran, most, _) = watched(&server, &CHECK, 17).await;
        assert_eq!(most, 1, "one, and only for a moment");
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("the last one is not kept from others"),
            "{words}{}",
            ran.stderr
        );
        assert!(matches!(ran.code, 10 | 11));
        drop(held);
    });
}

/// The session that holds the lock of a switchover stays open for long, and a probe comes again and again: neither has the last
/// connection of a server. `reserved_connections`, new in 16, are others' too.
#[test]
fn the_lock_and_the_probe_leave_the_last_connections() {
    block_on(async {
        let options = twenty().setting("reserved_connections", "2");
        let server = server(ServerOptions { major: 16, ..options }).await;
        application(&server).await;
        let way = spec(&server, "greenlight");
        // Fifteen are for everybody.
        let mut held = occupy(&server, "app", 13).await;
        let lock = BlueLock::take(&way, "bgd-1").await.expect("two are left");
        drop(lock);
        assert!(kept(&server, 0).await);
        held.extend(occupy(&server, "app", 1).await);
        let refused = BlueLock::take(&way, "bgd-1").await.expect_err("it is the last");
        assert!(
            refused.to_string().contains("the last one is not kept"),
            "{refused}"
        );
        assert!(kept(&server, 0).await, "it was given back");

        // Four in a second are usual. A probe that had the last one rests before it comes again, also where it had it only after a
        // refusal: a session that was closed may still be about.
        held.extend(occupy(&server, "app", 1).await);
        let (say, mut back) = tokio::sync::watch::channel(false);
        let listener = move |news| {
            let _heard = say.send(matches!(news, News::Back { .. }));
        };
        let mut running = Probe::new(&way).start(std::sync::Arc::new(listener));
        running.warm(PATIENCE).await;
        drop(held.pop());
        let is_back = tokio::time::timeout(PATIENCE, back.wait_for(|back| *back)).await;
        assert!(is_back.is_ok_and(|seen| seen.is_ok()), "the probe gets in");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let outage = running.stop(Duration::ZERO).await;
        assert!(outage.reads.failed > 0, "{outage:?}");
        assert_eq!(outage.reads.attempts, outage.reads.failed + 1, "{outage:?}");
        assert!(kept(&server, 0).await);
        released(&server, held).await;

        // Nor does the lock keep the last one that the database's own limit allows. Sessions that end still count.
        let limit = "alter database postgres connection limit 1";
        server.execute("other", limit).await.expect("a limit");
        let sessions = "select count(*) from pg_stat_activity where datname = 'postgres'";
        assert!(comes_to(&server, "other", sessions, "0").await, "sessions end");
        let refused = BlueLock::take(&way, "bgd-1").await.expect_err("it is the last");
        assert!(
            refused
                .to_string()
                .contains("CONNECTION LIMIT of database postgres"),
            "{refused}"
        );
    });
}

#[test]
fn connection_limits_of_role_and_database_are_kept() {
    block_on(async {
        let server = server(ServerOptions::new(15)).await;
        application(&server).await;
        server
            .execute("postgres", "alter role greenlight connection limit 1")
            .await
            .expect("a limit");
        let (ran, most, _) = watched(&server, &CHECK, 100).await;
        assert_eq!(most, 1);
        assert_eq!(ran.code, 10, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("4 of 4 databases"), "{}", ran.stdout);

        server
            .execute(
                "postgres",
                "alter role greenlight connection limit -1; alter database other connection limit 2",
            )
            .await
            .expect("another limit");
        let held = occupy(&server, "other", 1).await;
        let (ran, _, _) = watched(&server, &CHECK, 100).await;
        assert!(matches!(ran.code, 10 | 11), "{}", ran.stderr);
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("1 of the connections that its CONNECTION LIMIT allows are left")
                && words.contains("3 of 4 databases"),
            "{words}"
        );
        drop(held);

        // Neither holds a superuser, as the upgrade itself comes.
        let limits =
            "alter role greenlight superuser connection limit 1; alter database other connection limit 0";
        server
            .execute("postgres", limits)
            .await
            .expect("limits for others");
        let (ran, _, _) = watched(&server, &CHECK, 100).await;
        assert_eq!(ran.code, 10, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("4 of 4 databases"), "{}", ran.stdout);
    });
}

/// Sessions of greenlight's that are open, once those that were closed are gone.
async fn kept(server: &Server, wanted: i64) -> bool {
    let sql = "select count(*) from pg_stat_activity where usename = 'greenlight'";
    comes_to(server, "postgres", sql, &wanted.to_string()).await
}

/// Whether blue can be looked at, once sessions that were closed are gone.
async fn looks_again(sampler: &Sampler) -> bool {
    let looks = async {
        while sampler.look().await.blue.known().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looks).await.is_ok()
}

/// The sessions by which a switchover settles and a deployment is watched stay open only where they are in nobody's way.
#[test]
fn sampling_takes_no_connection_that_others_may_need() {
    block_on(async {
        let server = server(twenty()).await;
        application(&server).await;
        let lag = |check: &greenlight::checks::Check| check.page.id == "replication-lag";
        let sampler = Sampler::new(&spec(&server, "greenlight"), None, lag, false);
        let looked = async || sampler.look().await.blue;
        assert!(looked().await.known().is_some(), "there is room");
        assert!(kept(&server, 1).await, "and the session stays");

        // Two are left beside it, which are others': it looks, and gives its own back.
        let held = occupy(&server, "app", 14).await;
        assert!(looked().await.known().is_some());
        assert!(kept(&server, 0).await, "it was given back");
        assert!(looked().await.known().is_some(), "another for each look");
        assert!(kept(&server, 0).await);
        // One is left at most: that is taken for no longer than it takes to see that it is the last. (A session of this test's that
        // is about to end may have it.)
        let last = occupy(&server, "app", 2).await;
        let Fact::Unknown { detail, .. } = looked().await else {
            panic!("the last connection was used")
        };
        assert!(detail.contains("connection left"), "{detail}");
        assert!(kept(&server, 0).await);
        drop(held);
        drop(last);

        // A role at its limit has one for each look and none between them.
        let limit = "alter role greenlight connection limit 1";
        server.execute("postgres", limit).await.expect("a limit");
        assert!(looks_again(&sampler).await, "its own connection is its own");
        assert!(kept(&server, 0).await);
        // And so has one in a database at its limit.
        let limit = "alter role greenlight connection limit -1; alter database postgres connection limit 3";
        server.execute("postgres", limit).await.expect("another limit");
        let held = occupy(&server, "postgres", 2).await;
        assert!(looks_again(&sampler).await, "its one is enough");
        assert!(kept(&server, 0).await);
        drop(held);
    });
}
