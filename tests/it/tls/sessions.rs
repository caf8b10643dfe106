//! What a session may do, and what it costs to get one.

use greenlight::edge::connect::{SessionLimits, SettingsSent};
use sandbox::proxy::Proxy;

use super::{certificates::Authority, *};

const NAME: &str = "blue.example";

/// How often it is looked for what comes, each 20 ms: a minute, on a busy machine too.
const LOOKS: usize = 3000;

const SETTINGS: [(&str, &str); 8] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "1234ms"),
    ("lock_timeout", "567ms"),
    ("search_path", "pg_catalog"),
    ("row_security", "off"),
    ("TimeZone", "UTC"),
    ("standard_conforming_strings", "on"),
    ("application_name", "greenlight"),
];

async fn limited(major: u32) -> (Server, Proxy, ConnectSpec) {
    let root = Authority::new("Root");
    let server = server(root.issue(&[NAME]).server(major)).await;
    role(&server, "me", PLANTED).await;
    // A role's and a database's own settings do not get in the way.
    for sql in [
        "alter role me set search_path = evil, public",
        "alter role me set default_transaction_read_only = off",
        "alter role me set standard_conforming_strings = off",
        "alter database postgres set statement_timeout = '1h'",
        "alter role me in database postgres set lock_timeout = '1h'",
        "alter role me set timezone = 'Asia/Kathmandu'",
    ] {
        server.execute("postgres", sql).await.expect(sql);
    }
    let proxy = Proxy::start(server.address()).await.expect("a proxy");
    let tls = trusting(TlsMode::VerifyFull, &root.pem());
    let mut spec = ConnectSpec::new(NAME, 5432, "postgres", with_password("me", PLANTED), tls)
        .through("127.0.0.1", proxy.addr().port());
    spec.limits = SessionLimits {
        statement: Duration::from_millis(1234),
        lock: Duration::from_millis(567),
        idle: Duration::from_millis(98_765),
    };
    (server, proxy, spec)
}

/// Every setting holds, nothing can be written, and the version is understood.
async fn is_harmless(session: &Session, major: u32) {
    for (name, wanted) in SETTINGS {
        let sql = format!("select current_setting('{name}')");
        assert_eq!(value(session, &sql).await.as_deref(), Some(wanted), "{name}");
    }
    let idle = value(session, "select current_setting('idle_session_timeout', true)").await;
    assert_eq!(idle.as_deref(), (major >= 14).then_some("98765ms"));
    let written = session
        .client
        .batch_execute("create temporary table t (a int); create table public.x ()")
        .await;
    let error = written.expect_err("read-only");
    assert_eq!(
        error.code().map(tokio_postgres::error::SqlState::code),
        Some("25006"),
        "{error:?}"
    );
    let slow = session
        .client
        .batch_execute("select pg_sleep(5)")
        .await
        .expect_err("a time limit");
    assert_eq!(
        slow.code().map(tokio_postgres::error::SqlState::code),
        Some("57014"),
        "{slow:?}"
    );
    assert_eq!(
        session.version_number().map(|number| number / 10_000),
        Some(major)
    );
    assert_eq!(session.settings_sent, SettingsSent::AtStartup);
}

#[tokio::test]
async fn a_session_is_harmless_and_costs_no_extra_round_trip() {
    let (_server, proxy, spec) = limited(15).await;
    let session = session(&spec).await;
    // TLS is asked for, two flights of handshake and login, two messages of SCRAM; see `Counters::round_trips`.
    let opened = proxy.counters().round_trips;
    is_harmless(&session, 15).await;
    drop(session);

    let before = proxy.counters().round_trips;
    let session = super::session(&spec).await;
    assert!(session.ended_because().is_none());
    let again = proxy.counters().round_trips - before;
    assert!(opened <= 6 && again <= 6, "{opened} and then {again} round trips");
}

#[tokio::test]
async fn what_a_session_learns_spares_the_next_ones_a_question() {
    for (major, trips) in [(15, 4), (13, 4)] {
        let server = server(ServerOptions::new(major)).await;
        role(&server, "me", PLANTED).await;
        let proxy = Proxy::start(server.address()).await.expect("a proxy");
        let url = format!(
            "postgres://me:{PLANTED}@127.0.0.1:{}/postgres",
            proxy.addr().port()
        );
        let spec = ConnectSpec::from_conninfo(&url, Method::Password, &Env::empty(), None).expect("a URL");
        let first = session(&spec).await;
        // Its last settings are still under way until something is answered.
        assert_eq!(value(&first, "select 1::text").await.as_deref(), Some("1"));
        // The login and two messages of SCRAM; before 14 one of MD5, and whether the session is read-only. Then what is asked.
        let before = proxy.counters().round_trips;
        let next = session(&spec.after(&first)).await;
        let version = value(&next, "select current_setting('server_version_num')").await;
        assert_eq!(proxy.counters().round_trips - before, trips, "on {major}");
        assert_eq!(version.map(|v| v[..2].to_owned()), Some(major.to_string()));
        let setting =
            async |name: &str| value(&next, &format!("select current_setting('{name}', true)")).await;
        assert_eq!(setting("jit").await.as_deref(), Some("off"));
        assert_eq!(
            setting("idle_session_timeout").await.as_deref(),
            (major >= 14).then_some("10min")
        );
        // Another server answers by now, an older one: it is not refused for what it does not know.
        let mut newer = spec.after(&first);
        newer.server_version = Some(180_000);
        assert_eq!(
            value(&session(&newer).await, "select 1::text").await.as_deref(),
            Some("1"),
            "on {major}"
        );
    }
}

#[tokio::test]
async fn older_servers_are_asked_whether_they_are_read_only() {
    let (_server, _proxy, spec) = limited(13).await;
    is_harmless(&session(&spec).await, 13).await;
}

#[tokio::test]
async fn own_options_hold_unless_they_undo_ours() {
    let (_server, _proxy, mut spec) = limited(15).await;
    spec.options = Some("-c temp_buffers=1MB -c default_transaction_read_only=off".to_owned());
    let session = session(&spec).await;
    assert_eq!(
        value(&session, "select current_setting('temp_buffers')")
            .await
            .as_deref(),
        Some("1MB")
    );
    is_harmless(&session, 15).await;
}

#[tokio::test]
async fn a_session_that_the_server_ends_says_why() {
    let (server, _proxy, spec) = limited(15).await;
    let session = session(&spec).await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'greenlight'";
    server.execute("postgres", kill).await.expect("ended");
    // The server's last words arrive before the question and end the driver, or after it and are its answer.
    let error = session
        .client
        .simple_query("select 1")
        .await
        .expect_err("it is gone");
    for _ in 0..LOOKS {
        if session.ended_because().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let why = session.ended_because().expect("a reason");
    let answer = error
        .as_db_error()
        .map(|error| error.message().to_owned())
        .unwrap_or_default();
    assert!(
        format!("{why} {answer}").contains("administrator command"),
        "{why:?}, {answer:?}"
    );
}

#[tokio::test]
async fn dropping_a_session_closes_it() {
    let (server, _proxy, spec) = limited(15).await;
    let session = session(&spec).await;
    let count = "select count(*) from pg_stat_activity where application_name = 'greenlight'";
    assert_eq!(
        server
            .value("postgres", count)
            .await
            .expect("an answer")
            .as_deref(),
        Some("1")
    );
    drop(session);
    for _ in 0..LOOKS {
        if server
            .value("postgres", count)
            .await
            .expect("an answer")
            .as_deref()
            == Some("0")
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server still has it");
}
