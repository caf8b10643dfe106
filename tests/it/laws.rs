//! Laws over all checks, on real servers: what must hold whatever a check is about.
//!
//! Each law is a function that returns the violations it finds, and each is tested twice: on the catalogue, where it must
//! find none, and on a planted fault, where it must find one.

use std::collections::{BTreeMap, BTreeSet};

use greenlight::{
    checks::{self, Check},
    facts::{DatabaseFacts, Fact, Facts, ServerFacts, Why},
    model::{Engine, PgVersion, Phase},
    policy::Policy,
    situation::Situation,
    verdict::Verdict,
};
use sandbox::pg::{Server, ServerOptions, block_on, ident};

use crate::support::{Wanted, checking_role, collect, spec};

mod mirror;

/// A server that is set up as a blue/green source should be.
fn good_source(major: u16) -> ServerOptions {
    ServerOptions::new(major.into())
        .logical()
        .setting("max_replication_slots", "30")
        .setting("max_wal_senders", "30")
        .setting("max_logical_replication_workers", "20")
        .setting("max_worker_processes", "60")
        .setting("max_prepared_transactions", "5")
}

/// A database where much is wrong, with names that are hard to handle.
const RICH: &str = r#"
create schema "Weird ""Schema""";
create table "Weird ""Schema""".keyless (v text);
create table "Weird ""Schema""".placeholder (v text);
create table "Weird ""Schema"""."a.b;c" ("select" text);
create unlogged table "Weird ""Schema"""."ünlogged ✓" (v text);
create table "Weird ""Schema"""."<script>alert(1)</script>" (v text);
create table public.reg (id int primary key, f regproc, d text[]);
create domain public."dom ain" as regproc;
create table public.viadomain (id int primary key, v public."dom ain");
create materialized view public.stored as select 1 as one;
create sequence public."S equence";
create table public.parent (id int primary key) partition by range (id);
create table public.leaf partition of public.parent for values from (0) to (10);
create function public.noop() returns trigger language plpgsql as $$begin return new; end$$;
create trigger always before insert on public.reg for each row execute procedure public.noop();
alter table public.reg enable always trigger always;
create function public.noticed() returns event_trigger language plpgsql as $$begin end$$;
create event trigger "on ddl" on ddl_command_end execute procedure public.noticed();
select lo_create(0);
create publication "user's" for table public.reg;
"#;

const HOSTILE: &str = "we\"ird db.✓";

struct Rich {
    server: Server,
    _held: tokio_postgres::Client,
}

async fn rich(major: u16) -> Rich {
    let server = Server::start(good_source(major)).await.expect("a server");
    checking_role(&server).await;
    let database = format!("create database {}", ident(HOSTILE));
    server
        .execute("postgres", &database)
        .await
        .expect("a database with a hostile name");
    server.execute(HOSTILE, RICH).await.expect("the fixture");
    // A slot refuses to be made in a transaction that has written.
    let slot = "select pg_create_logical_replication_slot('debezium', 'test_decoding')";
    server.execute(HOSTILE, slot).await.expect("a foreign slot");
    let held = server.connect(HOSTILE).await.expect("a session");
    held.batch_execute("begin; insert into public.reg values (1)")
        .await
        .expect("a transaction");
    server
        .execute(
            HOSTILE,
            "begin; insert into public.reg values (2); prepare transaction 'forgotten'",
        )
        .await
        .expect("a prepared transaction");
    Rich { server, _held: held }
}

async fn facts(server: &Server, role: &str, target: u16, phase: Phase) -> Facts {
    let wanted = Wanted {
        check: None,
        engine: Engine::Aurora,
        target: Some(PgVersion::major(target)),
        phase: Some(phase),
        lag_samples: 0,
        compare_rows: Vec::new(),
    };
    collect(&spec(server, role), None, wanted).await.0
}

fn judge(check: &Check, facts: &Facts, phase: Phase) -> Verdict {
    let situation = Situation::of(facts, Some(phase));
    check.judge(facts, &situation, &Policy::at(facts.collected_at))
}

/// How good a verdict is: taking knowledge away must never raise it.
fn good(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Fail { .. } | Verdict::Unknown { .. } => 0,
        Verdict::Skip { .. } | Verdict::Pass { .. } => 1,
    }
}

/// Law: an empty database on a well set up server has nothing that needs work.
#[test]
fn an_empty_database_passes_or_skips_every_check() {
    block_on(async {
        for major in [11, 14, 17] {
            let server = Server::start(good_source(major)).await.expect("a server");
            checking_role(&server).await;
            server
                .execute("postgres", "create database app")
                .await
                .expect("a database");
            let facts = facts(&server, "greenlight", 18, Phase::Create).await;
            let wrong: Vec<String> = checks::all()
                .iter()
                .map(|check| (check, judge(check, &facts, Phase::Create)))
                .filter(|(_, v)| !matches!(v, Verdict::Pass { .. } | Verdict::Skip { .. }))
                .map(|(check, v)| format!("{}: {v:?}", check.page.id))
                .collect();
            assert!(wrong.is_empty(), "on {major}:\n{}", wrong.join("\n"));
        }
    });
}

/// Every place in a document where a probe's fact lies, as a function that takes it away.
fn takeaways(facts: &Facts) -> Vec<(String, Facts)> {
    let gone = || Fact::unknown(Why::Privilege, "taken away");
    let mut out = Vec::new();
    let blue = facts.blue.known().expect("blue was read");
    for name in blue.probes.keys() {
        let mut less = facts.clone();
        if let Fact::Known(server) = &mut less.blue {
            server.probes.insert(name.clone(), gone());
        }
        out.push((name.clone(), less));
    }
    // Templates are looked into as well; which of the two a database is makes no difference here.
    fn within(server: &mut ServerFacts, is_template: bool) -> &mut BTreeMap<String, DatabaseFacts> {
        if is_template {
            &mut server.templates
        } else {
            &mut server.databases
        }
    }
    let databases = blue.databases.iter().map(|(name, probes)| (name, probes, false));
    let templates = blue.templates.iter().map(|(name, probes)| (name, probes, true));
    for (database, probes, is_template) in databases.chain(templates) {
        let mut less = facts.clone();
        if let Fact::Known(server) = &mut less.blue {
            within(server, is_template).insert(database.clone(), Fact::unknown(Why::Privilege, "taken away"));
        }
        out.push((format!("{database}/*"), less));
        for name in probes.known().into_iter().flat_map(|p| p.keys()) {
            let mut less = facts.clone();
            if let Fact::Known(server) = &mut less.blue
                && let Some(Fact::Known(probes)) = within(server, is_template).get_mut(database)
            {
                probes.insert(name.clone(), gone());
            }
            out.push((format!("{database}/{name}"), less));
        }
    }
    out
}

/// A check's id, the probes that its page brings along, and its judge.
type Judged<'a> = (&'a str, &'a [String], &'a dyn Fn(&Facts) -> Verdict);

/// Law: take any one fact away, and no verdict gets better; a pass that rested on it is gone.
fn no_verdict_gets_better(facts: &Facts, judges: &[Judged<'_>]) -> Vec<String> {
    let mut violations = Vec::new();
    let whole: Vec<Verdict> = judges.iter().map(|(_, _, judge)| judge(facts)).collect();
    for (what, less) in takeaways(facts) {
        for ((id, own, judge), before) in judges.iter().zip(&whole) {
            let after = judge(&less);
            if good(&after) > good(before) {
                violations.push(format!("{id} without {what}: {before:?} became {after:?}"));
            }
            let rested = own.iter().any(|p| what == *p || what.ends_with(&format!("/{p}")));
            if rested && matches!(after, Verdict::Pass { .. }) {
                violations.push(format!("{id} without its own {what}: still passes"));
            }
        }
    }
    violations
}

/// The probes that a check's page brings along itself.
fn own_probes(check: &Check, version: PgVersion) -> Vec<String> {
    check
        .page
        .queries
        .iter()
        .filter(|q| q.runs_on(version))
        .map(|q| q.probe.clone())
        .collect()
}

#[test]
fn taking_a_fact_away_never_improves_a_verdict() {
    block_on(async {
        let rich = rich(13).await;
        for phase in [Phase::Create, Phase::Switchover] {
            let facts = facts(&rich.server, "greenlight", 17, phase).await;
            let version = facts.blue.known().expect("blue").version;
            let judged: Vec<_> = checks::all()
                .iter()
                .map(|check| {
                    let own = own_probes(check, version);
                    (check.page.id.as_str(), own, move |facts: &Facts| {
                        judge(check, facts, phase)
                    })
                })
                .collect();
            let judges: Vec<Judged<'_>> = judged
                .iter()
                .map(|(id, own, judge)| (*id, own.as_slice(), judge as &dyn Fn(&Facts) -> Verdict))
                .collect();
            let violations = no_verdict_gets_better(&facts, &judges);
            assert!(violations.is_empty(), "{}", violations.join("\n"));
        }
    });
}

#[test]
fn the_law_of_facts_catches_a_judge_that_takes_unknown_for_empty() {
    block_on(async {
        let rich = rich(13).await;
        let facts = facts(&rich.server, "greenlight", 17, Phase::Create).await;
        // The planted fault: what could not be read counts as nothing found.
        let careless = |facts: &Facts| {
            let blue = facts.blue.known().expect("blue");
            let found = blue.databases.values().filter_map(Fact::known).any(|probes| {
                probes
                    .get("replica-identity")
                    .and_then(Fact::known)
                    .is_some_and(|rows| rows.total > 0)
            });
            if found {
                Verdict::unknown("tables", "found")
            } else {
                Verdict::Pass { note: None }
            }
        };
        let own = ["replica-identity".to_owned()];
        let violations = no_verdict_gets_better(&facts, &[("careless", &own, &careless)]);
        assert!(!violations.is_empty());
    });
}

/// Law: a role that may see less never gets a better verdict than one that may see all.
fn less_rights_never_help(more: &[(String, Verdict)], less: &[(String, Verdict)]) -> Vec<String> {
    more.iter()
        .zip(less)
        .filter(|((_, with), (_, without))| good(without) > good(with))
        .map(|((id, with), (_, without))| format!("{id}: {with:?} with rights, {without:?} without"))
        .collect()
}

#[test]
fn a_role_without_rights_never_gets_a_better_verdict() {
    block_on(async {
        let rich = rich(15).await;
        let password = sandbox::pg::literal(crate::support::PASSWORD);
        let sql = format!("create role nobody login password {password}; create database closed");
        for statement in sql.split(';') {
            rich.server
                .execute("postgres", statement)
                .await
                .expect("a role and a database");
        }
        rich.server
            .execute("postgres", "revoke connect on database closed from public")
            .await
            .expect("nobody may connect");
        rich.server
            .execute("closed", "create table keyless (v text)")
            .await
            .expect("a table nobody sees");
        for phase in [Phase::Create, Phase::Switchover] {
            let all = |facts: Facts| -> Vec<(String, Verdict)> {
                checks::all()
                    .iter()
                    .map(|c| (c.page.id.clone(), judge(c, &facts, phase)))
                    .collect()
            };
            let with = all(facts(&rich.server, "greenlight", 18, phase).await);
            let blind = facts(&rich.server, "nobody", 18, phase).await;
            let closed = &blind.blue.known().expect("blue").databases["closed"];
            assert!(
                matches!(closed, Fact::Unknown { why: Why::Privilege, detail } if detail.contains("grant connect")),
                "{closed:?}"
            );
            let without = all(blind);
            let violations = less_rights_never_help(&with, &without);
            assert!(violations.is_empty(), "{}", violations.join("\n"));
            // What lies in the closed database is not clean, it is not known.
            for check in checks::all()
                .iter()
                .filter(|c| c.page.header.scope == greenlight::catalogue::Scope::Database)
            {
                let verdict = &without
                    .iter()
                    .find(|(id, _)| *id == check.page.id)
                    .expect("judged")
                    .1;
                assert!(
                    !matches!(verdict, Verdict::Pass { .. }),
                    "{}: {verdict:?}",
                    check.page.id
                );
            }
        }
    });
}

#[test]
fn the_law_of_rights_catches_a_masked_probe() {
    let fail = Verdict::Fail {
        findings: vec![],
        more: 1,
        unseen: vec![],
    };
    let masked = Verdict::Pass { note: None };
    let violations = less_rights_never_help(&[("x".to_owned(), fail)], &[("x".to_owned(), masked)]);
    assert_eq!(violations.len(), 1);
}

/// Law: hostile names come out as they are, subjects are unique and fit waivers.
#[test]
fn hostile_names_survive() {
    block_on(async {
        let rich = rich(16).await;
        let facts = facts(&rich.server, "greenlight", 18, Phase::Create).await;
        let mut keyless = BTreeSet::new();
        for check in checks::all() {
            if let Verdict::Fail { findings, .. } = judge(check, &facts, Phase::Create) {
                let mut subjects = BTreeSet::new();
                for finding in findings {
                    let place = (finding.side, finding.subject());
                    assert!(
                        subjects.insert(place),
                        "{}: {} twice",
                        check.page.id,
                        finding.subject()
                    );
                    if check.page.id == "replica-identity" {
                        keyless.insert(finding.subject());
                    }
                }
            }
        }
        for wanted in [
            "\"we\"\"ird db.✓\"/\"Weird \"\"Schema\"\"\".keyless",
            "\"we\"\"ird db.✓\"/\"Weird \"\"Schema\"\"\".\"a.b;c\"",
            "\"we\"\"ird db.✓\"/\"Weird \"\"Schema\"\"\".\"<script>alert(1)</script>\"",
        ] {
            assert!(keyless.contains(wanted), "{wanted} is not among {keyless:#?}");
        }
        // The document says the same after a trip through a file.
        let again =
            Facts::from_json(&serde_json::to_string(&facts).expect("JSON")).expect("its own document");
        assert_eq!(again, facts);
    });
}
