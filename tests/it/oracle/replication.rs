//! Real logical replication against the checks: what breaks must have been failed, what works must not be blocked.
//!
//! Each case of `replication.sql` is a database on a real publisher and a real subscriber. The checks judge the publisher as
//! they would before a deployment is created; then it is published and subscribed to as RDS does it, written to, and both
//! sides are compared, row by row. Where the schema changes meanwhile, the checks of the switchover are asked, too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use greenlight::{
    checks,
    model::{Engine, PgVersion, Phase, Requirement},
    policy::Policy,
    verdict::{Level, Verdict},
};
use sandbox::pg::{Server, ServerOptions, block_on, ident, literal};

use crate::support::{Wanted, checking_role, collect, spec};

const CASES: &str = include_str!("replication.sql");

/// Where a sentinel arrives when all that was written before it has.
const SENTINEL: &str = "create table sentinel (id int primary key)";

/// How long applying may take on a busy machine before it counts as standing still.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker that was started so often stumbles over the same change again and again.
const STUMBLES: usize = 4;

#[derive(Debug, Default)]
struct Case {
    name: String,
    majors: Option<Requirement>,
    setup: String,
    ddl: Vec<String>,
    writes: Vec<String>,
}

fn cases(major: u16) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut part = "";
    for line in CASES.lines() {
        if let Some(head) = line.strip_prefix("--- case ") {
            let (name, majors) = head.split_once(" | ").map_or((head, None), |(n, m)| (n, Some(m)));
            cases.push(Case {
                name: name.to_owned(),
                majors: majors.map(|m| Requirement::try_from(m.to_owned()).expect("a requirement")),
                ..Case::default()
            });
            part = "setup";
        } else if let Some(next) = line.strip_prefix("--- ") {
            assert!(["write", "ddl"].contains(&next), "{line}");
            part = next;
        } else if let Some(case) = cases.last_mut().filter(|_| !line.is_empty()) {
            match part {
                "setup" => {
                    case.setup.push_str(line);
                    case.setup.push('\n');
                }
                "ddl" => case.ddl.push(line.to_owned()),
                _ => case.writes.push(line.to_owned()),
            }
        }
    }
    let version = PgVersion::new(major, 99);
    cases.retain(|case| case.majors.as_ref().is_none_or(|m| m.holds(version)));
    cases
}

/// What happened.
#[derive(Debug)]
enum Outcome {
    /// Everything arrived and both sides are equal.
    Works,
    /// Something did not; why, in the server's words.
    Breaks(String),
}

struct Stage<'a> {
    blue: &'a Server,
    green: &'a Server,
    number: usize,
    case: &'a Case,
    database: String,
}

impl Stage<'_> {
    fn fill(&self, sql: &str) -> String {
        sql.replace(":database", &ident(&self.database))
            .replace(":\"role\"", &format!("owner_{}", self.number))
    }

    async fn build(&self) {
        let setup = self.fill(&self.case.setup);
        for server in [self.blue, self.green] {
            let create = format!("create database {}", ident(&self.database));
            server.execute("postgres", &create).await.expect("a database");
            for sql in [SENTINEL, setup.as_str()] {
                let done = server.execute(&self.database, sql).await;
                done.unwrap_or_else(|e| panic!("{}: {e}", self.case.name));
            }
        }
    }

    /// Publishes all tables and subscribes to them, as RDS does.
    async fn replicate(&self) {
        let name = format!("rds_case_{}", self.number);
        let (user, password) = self.blue.superuser();
        let conninfo = literal(&self.blue.conninfo(&self.database, user, password));
        for (server, sql) in [
            (self.blue, format!("create publication {name} for all tables")),
            (
                self.green,
                format!(
                    "create subscription {name} connection {conninfo} publication {name} with (copy_data = false)"
                ),
            ),
        ] {
            server.execute(&self.database, &sql).await.expect("it replicates");
        }
    }

    async fn play(&self) -> Outcome {
        self.replicate().await;
        let blue = self.blue.connect(&self.database).await.expect("blue");
        for sql in &self.case.ddl {
            let done = blue.batch_execute(sql).await;
            done.unwrap_or_else(|e| panic!("{}: {sql}: {e:?}", self.case.name));
        }
        for sql in &self.case.writes {
            if let Err(error) = blue.batch_execute(sql).await {
                let refused = error.as_db_error().expect("a server's error");
                // Anything else than a refusal to publish is a mistake in the case.
                assert_eq!(
                    refused.code().code(),
                    "55000",
                    "{}: {sql}: {refused}",
                    self.case.name
                );
                return Outcome::Breaks(format!("blue: {refused}"));
            }
        }
        blue.batch_execute("insert into sentinel values (1)")
            .await
            .expect("the sentinel");
        if let Some(why) = self.stuck().await {
            return Outcome::Breaks(why);
        }
        let (here, there) = (
            contents(self.blue, &self.database),
            contents(self.green, &self.database),
        );
        let (here, there) = (here.await, there.await);
        let differing: Vec<&str> = here
            .iter()
            .filter(|(name, digest)| there.get(*name) != Some(digest))
            .map(|(name, _)| name.as_str())
            .collect();
        if differing.is_empty() {
            Outcome::Works
        } else {
            Outcome::Breaks(format!("green differs: {}", differing.join(", ")))
        }
    }

    /// Waits for the sentinel; why it does not come.
    async fn stuck(&self) -> Option<String> {
        let green = self.green.connect(&self.database).await.expect("green");
        let name = format!("rds_case_{}", self.number);
        let begun = format!("subscription \"{name}\" has started");
        let since = Instant::now();
        loop {
            let rows = green
                .query("select from sentinel", &[])
                .await
                .expect("the sentinel");
            if !rows.is_empty() {
                return None;
            }
            let log = self.green.log();
            if log.matches(&begun).count() >= STUMBLES || since.elapsed() > PATIENCE {
                let disable = format!("alter subscription {name} disable");
                green.batch_execute(&disable).await.expect("the worker rests");
                // From 15 on the error's context names the relation, before that nothing tells whose it is.
                return Some("green: applying stands still".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What every relation with rows of its own holds, and how many large objects there are. Sequences are moved by RDS itself.
async fn contents(server: &Server, database: &str) -> BTreeMap<String, String> {
    let relations = "select pg_catalog.format('%I.%I', nspname, relname), relkind from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = relnamespace
        where relkind in ('r', 'm') and relpersistence <> 't' and nspname !~ '^(pg_|information_schema)' and relispopulated";
    let mut all = BTreeMap::new();
    for row in server.query(database, relations).await.expect("relations") {
        let name = row[0].clone().expect("a name");
        let only = if row[1].as_deref() == Some("r") {
            "only"
        } else {
            ""
        };
        let digest = format!(
            "set extra_float_digits = 0;
             select pg_catalog.md5(coalesce(pg_catalog.string_agg(x::text, chr(10) order by x::text collate \"C\"), ''))
             from {only} {name} x"
        );
        let digest = server.value(database, &digest).await.expect("contents");
        all.insert(name, digest.expect("a digest"));
    }
    let count = "select count(*) from pg_catalog.pg_largeobject_metadata";
    let count = server.value(database, count).await.expect("large objects");
    all.insert("large objects".to_owned(), count.expect("a count"));
    all
}

/// What the checks found in each database, as check, level and object.
type Said = BTreeMap<String, BTreeSet<(String, Level, String)>>;

async fn said(blue: &Server, green: Option<&Server>, target: u16, phase: Phase) -> Said {
    let wanted = Wanted {
        check: None,
        engine: Engine::Postgres,
        target: Some(PgVersion::major(target)),
        phase: Some(phase),
        lag_samples: 0,
        compare_rows: Vec::new(),
    };
    let green = green.map(|g| spec(g, "greenlight"));
    let (facts, situation) = collect(&spec(blue, "greenlight"), green.as_ref(), wanted).await;
    let policy = Policy::at(facts.collected_at);
    let mut said = Said::new();
    // That a subscription stands still afterwards is what this test itself saw; the cause must be told.
    let causes = |check: &&checks::Check| check.page.id != "subscription-health";
    for check in checks::all().iter().filter(causes) {
        let Verdict::Fail { findings, .. } = check.judge(&facts, &situation, &policy) else {
            continue;
        };
        for finding in findings {
            let Some(database) = finding.database else {
                continue;
            };
            let level = finding.level.unwrap_or(check.page.header.level);
            said.entry(database)
                .or_default()
                .insert((check.page.id.clone(), level, finding.object));
        }
    }
    said
}

struct Played {
    name: String,
    database: String,
    changed: bool,
    outcome: Outcome,
}

/// Where reality and checks part, as far as the checks that `heard` admits.
fn disagreements(
    played: &[Played],
    before: &Said,
    after: &Said,
    heard: impl Fn(&str) -> bool,
) -> Vec<String> {
    let none = BTreeSet::new();
    let mut all = Vec::new();
    for case in played {
        let told = before.get(&case.database).unwrap_or(&none).iter();
        let later = after.get(&case.database).unwrap_or(&none).iter();
        // The two servers are strangers, which pg_upgrade's copies are not: what differs tells only where something changed.
        let compares = |id: &str| checks::find(id).is_some_and(|c| c.page.group == "compare");
        let later = later.filter(|(id, ..)| case.changed || !compares(id));
        let told: Vec<_> = told.chain(later).filter(|(id, ..)| heard(id)).collect();
        let blocked = told.iter().any(|(_, level, _)| *level == Level::Blocker);
        let wrong = match &case.outcome {
            Outcome::Breaks(why) => told.is_empty() || why.is_empty(),
            // A change of the schema is blocked whether or not it happens to work: RDS degrades the deployment.
            Outcome::Works => blocked && !case.changed,
        };
        if wrong {
            all.push(format!(
                "{}: {:?}, but the checks say {told:?}",
                case.name, case.outcome
            ));
        }
    }
    all
}

async fn oracle(from: u16, to: u16) {
    let server = |major: u16| {
        let options = ServerOptions::new(major.into())
            .logical()
            .setting("max_replication_slots", "200")
            .setting("max_wal_senders", "200")
            .setting("max_connections", "300")
            .setting("max_logical_replication_workers", "200")
            .setting("max_worker_processes", "300");
        let options = if major >= 18 {
            options.setting("max_active_replication_origins", "200")
        } else {
            options
        };
        async { Server::start(options).await.expect("a server") }
    };
    let (blue, green) = tokio::join!(server(from), server(to));
    checking_role(&blue).await;
    checking_role(&green).await;
    let cases = cases(from);
    let stages: Vec<Stage<'_>> = (0..)
        .zip(&cases)
        .map(|(number, case)| Stage {
            blue: &blue,
            green: &green,
            number,
            case,
            database: format!(
                "case {number} \"{}\"",
                case.name.chars().take(30).collect::<String>()
            ),
        })
        .collect();
    for stage in &stages {
        stage.build().await;
    }
    let before = said(&blue, None, to, Phase::Create).await;
    let played: Vec<Played> = stream::iter(&stages)
        .map(async |stage| Played {
            name: stage.case.name.clone(),
            database: stage.database.clone(),
            changed: !stage.case.ddl.is_empty(),
            outcome: stage.play().await,
        })
        .buffered(4)
        .collect()
        .await;
    let after = said(&blue, Some(&green), to, Phase::Switchover).await;

    let broken = played
        .iter()
        .filter(|c| matches!(c.outcome, Outcome::Breaks(_)))
        .count();
    if std::env::var_os("ORACLE_TELLS").is_some() {
        for case in &played {
            eprintln!("{from} to {to}: {}: {:?}", case.name, case.outcome);
            for (said, when) in [(&before, "before"), (&after, "after")] {
                for (id, level, object) in said.get(&case.database).into_iter().flatten() {
                    eprintln!("    {when}: {id} {level} {object}");
                }
            }
        }
        eprintln!("{from} to {to}: {} cases, {broken} break", played.len());
    }
    let all = disagreements(&played, &before, &after, |_| true);
    let text = all.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {line}");
        text
    });
    assert!(
        all.is_empty(),
        "{from} to {to}: (ORACLE_TELLS=1 --nocapture shows all)\n{text}"
    );
    // The oracle itself can tell: it saw both sorts, and misses each of these checks when it is deaf to it.
    assert!(
        broken >= 20 && played.len() - broken >= 25,
        "{broken} of {}",
        played.len()
    );
    for deaf in [
        "replica-identity",
        "unlogged-tables",
        "large-objects",
        "unqualified-functions",
    ] {
        let missed = disagreements(&played, &before, &after, |id| id != deaf);
        assert!(!missed.is_empty(), "{from} to {to}: nothing here needs {deaf}");
    }
}

#[test]
fn what_breaks_is_failed_and_what_works_is_not_blocked_from_11_to_15() {
    block_on(oracle(11, 15));
}

#[test]
fn what_breaks_is_failed_and_what_works_is_not_blocked_from_14_to_17() {
    block_on(oracle(14, 17));
}

#[test]
fn what_breaks_is_failed_and_what_works_is_not_blocked_from_17_to_18() {
    block_on(oracle(17, 18));
}
