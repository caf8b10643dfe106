//! The probe of the production endpoint, on real servers behind an endpoint that is cut, silenced and led elsewhere.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use greenlight::edge::connect::ConnectSpec;
use greenlight::edge::probe::{Kind, News, Probe, ProbeError, Running, TABLE_SHAPE};
use sandbox::pg::{Server, ServerOptions};
use sandbox::proxy::{Mode, Proxy};

use crate::support::{checking_role, spec};

const RUN: &str = "bgd-1-x";

/// Two majors with the probe's table, and an endpoint that leads to the first.
struct Pair {
    old: Server,
    new: Server,
    proxy: Proxy,
}

async fn pair() -> Pair {
    let start = |major| Server::start(ServerOptions::new(major));
    let (old, new) = tokio::join!(start(13), start(16));
    let (old, new) = (old.expect("a server"), new.expect("a server"));
    for server in [&old, &new] {
        checking_role(server).await;
        server
            .execute("postgres", TABLE_SHAPE)
            .await
            .expect("the table as the help says");
    }
    let proxy = Proxy::start(old.address()).await.expect("an endpoint");
    Pair { old, new, proxy }
}

impl Pair {
    /// The endpoint, which clients know by its name.
    fn endpoint(&self) -> ConnectSpec {
        let mut spec = spec(&self.old, "greenlight");
        spec.host = "localhost".to_owned();
        spec.port = self.proxy.addr().port();
        spec
    }

    async fn with_writes(&self) -> Probe {
        let green = spec(&self.new, "greenlight");
        Probe::new(&self.endpoint())
            .with_writes("public.greenlight_probe", Some(&green), RUN)
            .await
            .unwrap_or_else(|e| panic!("{e}"))
    }
}

type Heard = Arc<Mutex<Vec<News>>>;

fn start(probe: Probe) -> (Running, Heard) {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let running = probe.start(Arc::new(move |news| ear.lock().expect("no panic").push(news)));
    (running, heard)
}

/// Waits until enough has been heard.
async fn until(heard: &Heard, what: &str, so: impl Fn(&[News]) -> bool) {
    let begun = Instant::now();
    while !so(&heard.lock().expect("no panic")) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "never: {what}: {heard:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until so many rows of the probe are there.
async fn rows(server: &Server, at_least: u64) {
    let begun = Instant::now();
    loop {
        let sql = format!("select count(*) from greenlight_probe where run = '{RUN}'");
        let value = server
            .value("postgres", &sql)
            .await
            .expect("a count")
            .expect("a row");
        if value.parse::<u64>().expect("a number") >= at_least {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "only {value} rows");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn outs(heard: &[News], wanted: Kind) -> usize {
    let is = |n: &&News| matches!(n, News::Out { kind, .. } if *kind == wanted);
    heard.iter().filter(is).count()
}

fn backs(heard: &[News], wanted: Kind) -> usize {
    let is = |n: &&News| matches!(n, News::Back { kind, .. } if *kind == wanted);
    heard.iter().filter(is).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_follows_the_endpoint_to_the_new_server_and_measures_the_gap() {
    let pair = pair().await;
    let (running, heard) = start(pair.with_writes().await);
    rows(&pair.old, 3).await;
    // The endpoint is gone for a while, and then leads to the other server: as a switchover does it. What was
    // acknowledged is there, as replication sees to.
    pair.proxy.set_mode(Mode::Refuse).await;
    until(&heard, "both out", |n| {
        outs(n, Kind::Read) > 0 && outs(n, Kind::Write) > 0
    })
    .await;
    // An attempt that was under way when the endpoint went may still get through: from here on none does.
    let begun = Instant::now();
    while pair.proxy.counters().open > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "an attempt never ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let gone = Instant::now();
    let copied = pair
        .old
        .query("postgres", "select n from greenlight_probe")
        .await
        .expect("rows");
    for row in copied {
        let n = row[0].clone().expect("a number");
        let sql = format!("insert into greenlight_probe (run, n) values ('{RUN}', {n})");
        pair.new.execute("postgres", &sql).await.expect("replicated");
    }
    pair.proxy.set_target(pair.new.address());
    let back = Instant::now();
    pair.proxy.set_mode(Mode::open()).await;
    until(&heard, "both back", |n| {
        backs(n, Kind::Read) > 0 && backs(n, Kind::Write) > 0
    })
    .await;
    let outage = running.stop(Duration::from_secs(30)).await;

    let least = u64::try_from(back.duration_since(gone).as_millis()).expect("short");
    let writes = outage.writes.as_ref().expect("there were writes");
    for (what, stream) in [("reads", &outage.reads), ("writes", &writes.stream)] {
        assert!(stream.failed > 0, "{what}: {stream:?}");
        let gap = stream.worst().expect("a gap");
        assert!(gap.out_ms + 100 >= least, "{what}: {} ms of {least}", gap.out_ms);
        // Refused, or reset where the port had been closed before the endpoint took the connection.
        assert!(
            gap.first_error
                .as_deref()
                .is_some_and(|e| ["refused", "reset", "closed"].iter().any(|word| e.contains(word))),
            "{what}: {gap:?}"
        );
        let version = |s: &Option<greenlight::switchover::outage::Server>| {
            s.as_ref().and_then(|s| s.version.clone()).unwrap_or_default()
        };
        assert!(version(&gap.before).starts_with("13."), "{what}: {gap:?}");
        assert!(version(&gap.after).starts_with("16."), "{what}: {gap:?}");
        assert!(version(&stream.last).starts_with("16."), "{what}: {stream:?}");
    }
    assert_eq!(writes.found, Some(writes.acknowledged), "{writes:?}");
    assert!(writes.acknowledged >= 4);
    let lines = outage.lines().join("\n");
    assert!(lines.contains("first success after on 16."), "{lines}");
    assert!(lines.contains("are there"), "{lines}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_row_is_told() {
    let pair = pair().await;
    let (running, _) = start(pair.with_writes().await);
    rows(&pair.old, 3).await;
    let sql = "delete from greenlight_probe where n = 1";
    pair.old.execute("postgres", sql).await.expect("lost");
    let outage = running.stop(Duration::ZERO).await;
    let writes = outage.writes.expect("there were writes");
    assert_eq!(writes.found, Some(writes.acknowledged - 1));
    assert!(writes.kept().starts_with("only "), "{}", writes.kept());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_network_is_an_outage_and_hides_no_recovery() {
    let pair = pair().await;
    let (running, heard) = start(Probe::new(&pair.endpoint()));
    let begun = Instant::now();
    while pair.proxy.counters().accepted < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "never connected");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pair.proxy.set_mode(Mode::BlackHole).await;
    until(&heard, "out", |n| outs(n, Kind::Read) > 0).await;
    pair.proxy.set_mode(Mode::open()).await;
    until(&heard, "back", |n| backs(n, Kind::Read) > 0).await;
    let outage = running.stop(Duration::ZERO).await;
    let gap = outage.reads.worst().expect("a gap");
    assert!(gap.out_ms >= 1500, "an attempt had to run out of time: {gap:?}");
    assert!(outage.writes.is_none());
    // Nothing is left behind on the server.
    let left = "select count(*) from pg_stat_activity where application_name = 'greenlight'";
    let begun = Instant::now();
    while pair
        .old
        .value("postgres", left)
        .await
        .expect("a count")
        .as_deref()
        != Some("0")
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "sessions are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_are_refused_are_out_while_reads_go_on() {
    let pair = pair().await;
    let (running, heard) = start(pair.with_writes().await);
    rows(&pair.old, 2).await;
    // As blue does it while RDS switches over.
    pair.old
        .execute("postgres", "revoke insert on greenlight_probe from greenlight")
        .await
        .expect("revoked");
    until(&heard, "writes out", |n| outs(n, Kind::Write) > 0).await;
    let stop = running.stop(Duration::from_millis(300)).await;
    let writes = stop.writes.expect("there were writes");
    let gap = writes.stream.worst().expect("a gap");
    assert!(
        gap.first_error
            .as_deref()
            .is_some_and(|e| e.starts_with("42501: ")),
        "{gap:?}"
    );
    assert_eq!(gap.first_success, None, "it never came back");
    assert!(
        writes
            .stream
            .to_string()
            .contains("still out when the probe ended")
    );
    assert_eq!(writes.found, Some(writes.acknowledged));
    let heard = heard.lock().expect("no panic");
    assert_eq!(outs(&heard, Kind::Read), 0, "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_not_for_it_is_refused_before_anything_is_written() {
    let pair = pair().await;
    let (blue, green) = (pair.endpoint(), spec(&pair.new, "greenlight"));
    let of = async |name: &str, on_green: bool| {
        let green = on_green.then_some(&green);
        let refused = Probe::new(&blue).with_writes(name, green, RUN).await;
        refused.expect_err("refused").to_string()
    };
    let columns = "run text not null, n bigint not null, at timestamptz not null default now()";
    let grant = |t: &str| format!("grant select, insert on {t} to greenlight;");
    let made = [
        ("t_triggers", format!("create table t_triggers ({columns}, primary key (run, n)); create function f() returns trigger language plpgsql as 'begin return new; end'; create trigger t before insert on t_triggers for each row execute procedure f();"), "it has triggers"),
        ("t_rules", format!("create table t_rules ({columns}, primary key (run, n)); create rule r as on insert to t_rules do also nothing;"), "it has rules"),
        ("t_rls", format!("create table t_rls ({columns}, primary key (run, n)); alter table t_rls enable row level security;"), "it has row security"),
        ("t_check", format!("create table t_check ({columns}, primary key (run, n), check (n > 0));"), "other constraints"),
        ("t_nokey", format!("create table t_nokey ({columns});"), "primary key is not (run, n)"),
        ("t_orders", "create table t_orders (id int primary key, total numeric);".into(), "its columns are id integer, total numeric"),
        ("t_unlogged", format!("create unlogged table t_unlogged ({columns}, primary key (run, n));"), "not logged"),
        ("t_view", "create view t_view as select 1 as n;".into(), "no ordinary table"),
        ("t_default", "create sequence s; create table t_default (run text not null, n bigint not null, at timestamptz not null default to_timestamp(nextval('s')), primary key (run, n));".into(), "has not the default now()"),
    ];
    for (name, sql, says) in made {
        let sql = format!("{sql} {}", grant(name));
        pair.old.execute("postgres", &sql).await.expect("made");
        let refused = of(&format!("public.{name}"), false).await;
        assert!(
            refused.contains(says) && refused.contains("on blue"),
            "{name}: {refused}"
        );
        assert!(
            refused.contains("create table public.greenlight_probe"),
            "{refused}"
        );
    }
    let refused = of("public.nowhere", false).await;
    assert!(refused.contains("there is no such table on blue"), "{refused}");
    // Not on green: an insert would stop the replication there.
    let sql = format!(
        "create table only_blue ({columns}, primary key (run, n)); {}",
        grant("only_blue")
    );
    pair.old.execute("postgres", &sql).await.expect("made");
    let refused = of("public.only_blue", true).await;
    assert!(refused.contains("there is no such table on green"), "{refused}");
    pair.old
        .execute("postgres", "revoke insert on greenlight_probe from greenlight")
        .await
        .expect("revoked");
    let refused = of("public.greenlight_probe", true).await;
    assert!(refused.contains("may not INSERT and SELECT on blue"), "{refused}");
    let refused = of("greenlight_probe", true).await;
    assert!(refused.contains("[DATABASE/]SCHEMA.TABLE"), "{refused}");
    let nobody = Probe::new(&blue).with_writes("nodb/public.t", None, RUN).await;
    assert!(matches!(nobody, Err(ProbeError::Connect(_))), "{nobody:?}");
    let written = "select coalesce(sum(n_tup_ins), 0)::text from pg_stat_user_tables";
    assert_eq!(
        pair.old
            .value("postgres", written)
            .await
            .expect("a count")
            .as_deref(),
        Some("0")
    );
}
