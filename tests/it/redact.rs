//! `collect --redact`: nothing of the owner's is left in the file, and the file is judged as the original is.

use std::collections::BTreeMap;

use greenlight::{
    checks::Check,
    facts::Facts,
    model::Phase,
    policy::Policy,
    redact,
    report::Report,
    situation::Situation,
    verdict::{Level, Verdict},
};
use proptest::prelude::*;
use sandbox::{Sandbox, Scenario, pg::block_on};

use crate::cli::greenlight;

/// The documents that scenarios start from.
const DOCUMENTS: [&str; 7] = [
    include_str!("../facts/aurora.json"),
    include_str!("../facts/aurora-create.json"),
    include_str!("../facts/aurora-verify.json"),
    include_str!("../facts/rds.json"),
    include_str!("../facts/rds-create.json"),
    include_str!("../facts/rds-minor.json"),
    include_str!("../facts/report-aurora.json"),
];

const PHASES: [Phase; 3] = [Phase::Create, Phase::Switchover, Phase::Verify];

/// What a verdict comes to: its kind, how many findings of each level, how much was not seen.
fn shape(check: &Check, verdict: &Verdict) -> (&'static str, BTreeMap<Level, usize>, usize) {
    let mut levels = BTreeMap::new();
    match verdict {
        Verdict::Pass { .. } => ("pass", levels, 0),
        Verdict::Skip { .. } => ("skip", levels, 0),
        Verdict::Unknown { unseen } => ("unknown", levels, unseen.len()),
        Verdict::Fail { findings, unseen, .. } => {
            for finding in findings {
                *levels
                    .entry(finding.level.unwrap_or(check.page.header.level))
                    .or_default() += 1;
            }
            ("fail", levels, unseen.len())
        }
    }
}

/// The law: a check sees the same in the redacted document. Every scenario of the catalogue is held to it.
pub(crate) fn same_verdict(
    check: &Check,
    facts: &Facts,
    phase: Option<Phase>,
    policy: &Policy,
    verdict: &Verdict,
) -> Result<(), String> {
    let shared = redact::redact(facts, b"a key").map_err(|e| format!("redacted: {e}"))?;
    let situation = Situation::of(&shared, phase);
    let again = check.judge(&shared, &situation, policy);
    if shape(check, verdict) == shape(check, &again) {
        Ok(())
    } else {
        Err(format!(
            "judged otherwise when redacted: {verdict:?}\n  became {again:?}"
        ))
    }
}

fn outcomes(facts: &Facts, phase: Phase) -> Vec<String> {
    let report = Report::make(
        facts,
        Situation::of(facts, Some(phase)),
        &Policy::at(facts.collected_at),
    );
    let checks = report.checks.iter();
    checks
        .map(|c| {
            let levels: Vec<Level> = c.findings.iter().map(|f| f.level).collect();
            // A note may name things.
            let outcome = format!("{:?}", c.outcome);
            let outcome = outcome.split(' ').next().unwrap_or_default().to_owned();
            format!("{} {outcome} {levels:?} {}", c.id, c.unseen.len())
        })
        .collect()
}

/// Checks that see the two documents differently.
fn changed(facts: &Facts, shared: &Facts, phase: Phase) -> Vec<String> {
    let (before, after) = (outcomes(facts, phase), outcomes(shared, phase));
    before
        .iter()
        .zip(&after)
        .filter(|(b, a)| a != b)
        .map(|(b, a)| format!("{b} became {a}"))
        .collect()
}

#[test]
fn verdicts_are_the_same() {
    for text in DOCUMENTS {
        let facts = Facts::from_json(text).expect("a document");
        let shared = redact::redact(&facts, b"key").expect("redacted");
        for phase in PHASES {
            assert_eq!(changed(&facts, &shared, phase), Vec::<String>::new());
        }
    }
}

/// Names that stand in the documents, and nowhere else in what RDS and PostgreSQL say.
const NAMES: [&str; 4] = ["main", "reports", "shop", "ledger"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the names are: none is left, and nothing is judged otherwise.
    #[test]
    fn no_name_is_left_whatever_it_is(
        words in proptest::collection::hash_set("[b-z][a-z]{5,14}", NAMES.len()),
        account in "[1-9][0-9]{11}",
        document in 0..DOCUMENTS.len(),
        key in "[a-z]{4}",
    ) {
        let words: Vec<String> = words.into_iter().map(|word| format!("{word}q")).collect();
        let mut text = DOCUMENTS[document].replace("123456789012", &account);
        for (old, new) in NAMES.iter().zip(&words) {
            // Only where they are names: `main` is also part of `maintenance`.
            for around in ["\"", "-", ":", "/", " "] {
                for end in ["\"", "-", ".", "_", "\\", " "] {
                    text = text.replace(&format!("{around}{old}{end}"), &format!("{around}{new}{end}"));
                }
            }
        }
        let facts = Facts::from_json(&text).expect("still a document");
        let shared = redact::redact(&facts, key.as_bytes()).expect("redacted");
        let shown = serde_json::to_string(&shared).expect("JSON");
        for name in words.iter().chain([&account]) {
            prop_assert!(!shown.contains(name.as_str()), "{name} is left");
        }
        for phase in PHASES {
            prop_assert_eq!(changed(&facts, &shared, phase), Vec::<String>::new());
        }
        let again = redact::redact(&facts, key.as_bytes()).expect("redacted");
        prop_assert_eq!(&again, &shared, "the same key gives the same pseudonyms");
        let other = redact::redact(&facts, b"another key").expect("redacted");
        prop_assert!(other != shared, "another key gives others");
    }
}

/// Names of every kind of thing that a server and an account have. Their words are nobody else's.
const PLANTED: [&str; 16] = [
    "zanzibar",
    "quokka",
    "wombatish",
    "numbatly",
    "bilbyish",
    "dingolike",
    "kookab",
    "platypo",
    "echidno",
    "bandicoot",
    "tasmandev",
    "wallabee",
    "lyrebird",
    "cassowar",
    "galahgal",
    "taipanny",
];

const PLANT: &str = r#"
create schema "zanzibar quokka";
create role wombatish password 'numbatly';
create table "zanzibar quokka".bilbyish (dingolike int, kookab text default 'platypo');
comment on table "zanzibar quokka".bilbyish is 'echidno';
create unlogged table public."order" (bandicoot regproc);
create function public.tasmandev() returns trigger language plpgsql as $$begin perform 'wallabee'; return new; end$$;
create trigger lyrebird before insert on "zanzibar quokka".bilbyish for each row execute procedure public.tasmandev();
alter table "zanzibar quokka".bilbyish enable always trigger lyrebird;
alter role wombatish set search_path = cassowar;
create publication galahgal for table "zanzibar quokka".bilbyish;
"#;

#[test]
fn nothing_planted_is_in_the_shared_file() {
    block_on(async {
        let sandbox = Sandbox::start(Scenario::load("guide").expect("built in"))
            .await
            .expect("a local RDS");
        let blue = sandbox.blue().expect("a server");
        blue.execute("postgres", "create database taipanny")
            .await
            .expect("a database");
        blue.execute("taipanny", PLANT).await.expect("planted");
        let held = blue.connect("taipanny").await.expect("a session");
        held.batch_execute("begin; select 'wallabee' as echidno, count(*) from \"zanzibar quokka\".bilbyish")
            .await
            .expect("a statement that others see");
        let env = sandbox.env();
        let here = tempfile::tempdir().expect("a folder");
        let (whole, shared, verdicts) = tokio::task::spawn_blocking(move || {
            let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let collect = |more: &[&str]| {
                let mut args = vec![
                    "collect",
                    "--cluster",
                    "main-cluster",
                    "--target-version",
                    "14.10",
                ];
                args.extend(more);
                let ran = greenlight(here.path(), &args, &env);
                assert_eq!(ran.code, 0, "{}", ran.stderr);
                ran
            };
            let whole = collect(&[]).stdout;
            let ran = collect(&["--redact", "-o", "shared.json"]);
            let shared = std::fs::read_to_string(here.path().join("shared.json")).expect("a file");
            let check = greenlight(here.path(), &["check", "--facts", "shared.json"], &[]);
            assert_eq!(check.code, 10, "{}{}", check.stdout, check.stderr);
            (whole, format!("{shared}{}", ran.stderr), check.stdout)
        })
        .await
        .expect("it ran");
        for name in PLANTED {
            assert!(
                !shared.contains(name) && !verdicts.contains(name),
                "{name} is in the shared file"
            );
        }
        for name in ["main-cluster", "123456789012", "127.0.0.1"] {
            assert!(whole.contains(name), "{name} is in the whole file");
            assert!(!shared.contains(name), "{name} is in the shared file");
        }
        for name in ["zanzibar quokka", "taipanny", "bilbyish", "tasmandev"] {
            assert!(
                whole.contains(name),
                "{name} should be in the whole file, or this test says nothing"
            );
        }
        // What must stay, for whoever helps.
        for name in [
            "max_connections",
            "pg_catalog",
            "eu-west-1",
            "12.14",
            "aurora-postgresql",
        ] {
            assert!(shared.contains(name), "{name} should be in the shared file");
        }
    });
}
