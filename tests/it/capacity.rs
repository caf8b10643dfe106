//! The limits' boundaries: what the checks call too few is what PostgreSQL itself refuses, and one more is enough.
//!
//! Each test gives real servers exactly one too few and exactly enough, asks the check, and then really makes the slots and
//! subscriptions, one for each database.

use std::time::Duration;

use greenlight::{
    checks,
    model::{Engine, PgVersion, Phase},
    policy::Policy,
    situation::Situation,
    verdict::{Level, Verdict},
};
use sandbox::pg::{Server, ServerOptions, block_on};

use crate::support::{PATIENCE, Wanted, checking_role, collect, spec};

/// Databases that take a slot: these and `postgres`.
const DATABASES: [&str; 3] = ["postgres", "a", "b"];

/// What PostgreSQL logs where a limit keeps a database from being streamed.
const REFUSALS: [&str; 4] = [
    "number of requested standby connections exceeds",
    "could not find free replication state slot",
    "out of logical replication worker slots",
    "out of background worker slots",
];

/// Refusals that are no accident, such as a session that is not quite over yet: a launcher tries five times a second.
const CERTAIN: usize = 5;

/// A server with the databases, ample but for the given settings.
async fn server(major: u16, settings: &[(&str, String)]) -> Server {
    let mut options = ServerOptions::new(major.into())
        .logical()
        .setting("max_logical_replication_workers", "10")
        .setting("max_worker_processes", "30");
    for (name, value) in settings {
        options = options.setting(*name, value.as_str());
    }
    let server = Server::start(options).await.expect("a server");
    checking_role(&server).await;
    for database in &DATABASES[1..] {
        let sql = format!("create database {database}");
        server.execute("postgres", &sql).await.expect("a database");
    }
    server
}

/// Whether the check blocks.
async fn blocks(id: &str, phase: Phase, blue: &Server, green: Option<&Server>) -> bool {
    let check = checks::find(id).expect("it is registered");
    let wanted = Wanted {
        check: Some(check),
        engine: Engine::Postgres,
        target: Some(PgVersion::major(19)),
        phase: Some(phase),
        lag_samples: 0,
        compare_rows: Vec::new(),
    };
    let green = green.map(|g| spec(g, "greenlight"));
    let (facts, _) = collect(&spec(blue, "greenlight"), green.as_ref(), wanted).await;
    let situation = Situation::of(&facts, Some(phase));
    match check.judge(&facts, &situation, &Policy::at(facts.collected_at)) {
        Verdict::Fail { findings, .. } => findings.iter().any(|f| f.level == Some(Level::Blocker)),
        Verdict::Pass { .. } => false,
        other => panic!("{id}: {other:?}"),
    }
}

async fn number(server: &Server, sql: &str) -> i64 {
    let value = server
        .value("postgres", sql)
        .await
        .expect("a query")
        .expect("a value");
    value.parse().expect("a number")
}

/// Makes a slot in every database; how many could be made.
async fn slots(blue: &Server) -> usize {
    let mut made = 0;
    for database in DATABASES {
        let sql = format!("select pg_create_logical_replication_slot('rds_{database}', 'pgoutput')");
        match blue.execute(database, &sql).await {
            Ok(()) => made += 1,
            Err(e) => assert_eq!(e.sqlstate(), Some("53400"), "refused for another reason: {e}"),
        }
    }
    made
}

/// Subscribes green to every database of blue, whose slots are there already.
async fn subscribe(blue: &Server, green: &Server) {
    for database in DATABASES {
        let (user, password) = blue.superuser();
        let conninfo = sandbox::pg::literal(&blue.conninfo(database, user, password));
        blue.execute(database, "create publication p")
            .await
            .expect("a publication");
        for sql in [
            format!(
                "create subscription rds_{database} connection {conninfo} publication p with (connect = false)"
            ),
            format!("alter subscription rds_{database} enable"),
        ] {
            green.execute(database, &sql).await.expect("a subscription");
        }
    }
}

/// Whether all databases come to be streamed; if not, one of the servers says again and again that there are too few of something.
async fn all_stream(blue: &Server, green: &Server) -> bool {
    let begun = std::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        let streamed = "select count(*) from pg_stat_replication where state = 'streaming'";
        if number(blue, streamed).await == 3 {
            return true;
        }
        let logs = [blue.log(), green.log()];
        let refusals = |words: &str| logs.iter().map(|log| log.matches(words).count()).sum::<usize>();
        if REFUSALS.map(refusals).iter().sum::<usize>() >= CERTAIN {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("neither streamed nor refused: {}", green.log());
}

async fn slots_at_the_limit(major: u16) {
    for k in [2, 3] {
        let blue = server(major, &[("max_replication_slots", k.to_string())]).await;
        let blocked = blocks("max-replication-slots", Phase::Create, &blue, None).await;
        assert_eq!(
            blocked,
            slots(&blue).await < 3,
            "{major}: max_replication_slots = {k}"
        );
        assert_eq!(
            blocked,
            k < 3,
            "{major}: the boundary lies at the number of databases"
        );
    }
}

async fn senders_at_the_limit(major: u16) {
    for k in [2, 3] {
        let blue = server(major, &[("max_wal_senders", k.to_string())]).await;
        let green = server(major, &[]).await;
        let blocked = blocks("max-wal-senders", Phase::Create, &blue, None).await;
        assert_eq!(slots(&blue).await, 3);
        subscribe(&blue, &green).await;
        assert_eq!(
            blocked,
            !all_stream(&blue, &green).await,
            "{major}: max_wal_senders = {k}"
        );
        assert_eq!(
            blocked,
            k < 3,
            "{major}: the boundary lies at the number of databases"
        );
    }
}

/// A limit of green, and the check of blue that speaks of the same setting beforehand.
async fn subscriber_at_the_limit(major: u16, setting: &str, before: Option<&str>, enough: i64) {
    for k in [enough - 1, enough] {
        let limit = [(setting, k.to_string())];
        let blue = server(major, &[]).await;
        let green = server(major, &limit).await;
        assert_eq!(slots(&blue).await, 3);
        subscribe(&blue, &green).await;
        let works = all_stream(&blue, &green).await;
        let blocked = blocks(
            "green-replication-capacity",
            Phase::Switchover,
            &blue,
            Some(&green),
        )
        .await;
        assert_eq!(blocked, !works, "{major}: {setting} = {k} on green");
        assert_eq!(
            blocked,
            k < enough,
            "{major}: the boundary of {setting} lies at {enough}"
        );
        if let Some(check) = before {
            let blue = server(major, &limit).await;
            let foretold = blocks(check, Phase::Create, &blue, None).await;
            assert_eq!(
                foretold, !works,
                "{major}: {check} at {k}, asked before there is a green"
            );
        }
    }
}

async fn all_limits(major: u16) {
    slots_at_the_limit(major).await;
    senders_at_the_limit(major).await;
    let origins = if major >= 18 {
        "max_active_replication_origins"
    } else {
        "max_replication_slots"
    };
    subscriber_at_the_limit(major, origins, None, 3).await;
    let workers = "max_logical_replication_workers";
    subscriber_at_the_limit(major, workers, Some("max-logical-replication-workers"), 3).await;
    subscriber_at_the_limit(major, "max_worker_processes", Some("max-worker-processes"), 4).await;
}

#[test]
fn limits_bite_where_the_checks_say_on_11() {
    block_on(all_limits(11));
}

#[test]
fn limits_bite_where_the_checks_say_on_14() {
    block_on(all_limits(14));
}

#[test]
fn limits_bite_where_the_checks_say_on_18() {
    block_on(all_limits(18));
}
