//! Scenarios of control-plane checks: a merge patch over a healthy facts document, judged by one check.

use greenlight::{
    catalogue::{Block, Scenario, Scope},
    checks::{self, Check},
    facts::Facts,
    gate,
    model::{Phase, Side},
    policy::Policy,
    report::Report,
    situation::Situation,
    verdict::{Level, Verdict},
};
use serde::Deserialize;
use serde_json::Value;

/// The healthy documents, made by `tests/facts/make.py`.
const BASES: [(&str, &str); 6] = [
    ("aurora", include_str!("../facts/aurora.json")),
    ("aurora-create", include_str!("../facts/aurora-create.json")),
    ("aurora-verify", include_str!("../facts/aurora-verify.json")),
    ("rds", include_str!("../facts/rds.json")),
    ("rds-create", include_str!("../facts/rds-create.json")),
    ("rds-minor", include_str!("../facts/rds-minor.json")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    base: Option<String>,
    phase: Option<Phase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: String,
    #[serde(default)]
    subjects: Option<Vec<String>>,
    level: Option<Level>,
    /// Texts of which each must stand in a message, a fix, a note or a reason.
    #[serde(default)]
    says: Vec<String>,
}

/// RFC 7396 with two allowances for facts. Over an array an object's keys are positions, so that a scenario can change
/// one instance without repeating the others. A fact is one or the other: `{"unknown": …}` replaces what was known, and
/// `{"known": null}` says that there is none.
fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Array(items), Value::Object(changes)) => {
            for (key, change) in changes {
                let index: usize = key.parse().expect("over an array, keys of a patch are positions");
                merge(items.get_mut(index).expect("the position exists"), change);
            }
        }
        (target, Value::Object(changes)) => {
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            let object = target.as_object_mut().expect("made an object above");
            if changes.contains_key("unknown") {
                object.remove("known");
            }
            for (key, change) in changes {
                if change.is_null() && key == "known" {
                    object.insert(key.clone(), Value::Null);
                } else if change.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
        }
        (target, other) => *target = other.clone(),
    }
}

fn base(name: &str) -> Value {
    let (_, text) = BASES
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no base document {name}"));
    serde_json::from_str(text).expect("base documents are JSON")
}

fn facts(document: &Value) -> Facts {
    Facts::from_json(&document.to_string()).unwrap_or_else(|e| panic!("the patched document: {e}"))
}

fn policy(facts: &Facts) -> Policy {
    Policy::at(facts.collected_at)
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass { .. } => "pass",
        Verdict::Fail { .. } => "fail",
        Verdict::Skip { .. } => "skip",
        Verdict::Unknown { .. } => "unknown",
    }
}

/// Subjects and all that is said, in one text.
fn told(verdict: &Verdict) -> (Vec<String>, String) {
    let mut subjects = Vec::new();
    let mut text = String::new();
    let mut say = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    match verdict {
        Verdict::Pass { note } => say(note.as_deref().unwrap_or_default()),
        Verdict::Skip { why } => say(why),
        Verdict::Unknown { unseen } => unseen.iter().for_each(|u| {
            subjects.push(u.subject.clone());
            say(&u.why);
        }),
        Verdict::Fail { findings, unseen, .. } => {
            for finding in findings {
                subjects.push(finding.subject());
                say(&finding.message);
                say(finding.fix.as_deref().unwrap_or_default());
            }
            unseen.iter().for_each(|u| say(&u.why));
        }
    }
    subjects.sort();
    (subjects, text)
}

/// Runs a scenario; the word of its verdict, or what is wrong with it.
fn run(check: &Check, scenario: &Scenario) -> Result<&'static str, String> {
    let block = |words: &str| scenario.blocks.iter().find(|b| b.is(words));
    let setup: Setup = toml::from_str(block("toml scenario").map_or("", |b| &b.text))
        .map_err(|e| format!("toml scenario: {e}"))?;
    let expected = block("toml expect").ok_or("no toml expect")?;
    let expected: Expected = toml::from_str(&expected.text).map_err(|e| format!("toml expect: {e}"))?;
    let mut document = base(setup.base.as_deref().unwrap_or("aurora"));
    for patch in scenario.blocks.iter().filter(|b| b.is("json facts")) {
        let patch = serde_json::from_str(&patch.text).map_err(|e| format!("json facts: {e}"))?;
        merge(&mut document, &patch);
    }
    let facts = Facts::from_json(&document.to_string()).map_err(|e| e.to_string())?;
    let phase = setup.phase.or_else(|| check.page.header.phases.first().copied());
    let situation = Situation::of(&facts, phase);
    let verdict = check.judge(&facts, &situation, &policy(&facts));
    crate::redact::same_verdict(check, &facts, phase, &policy(&facts), &verdict)?;
    let (subjects, text) = told(&verdict);
    let is = word(&verdict);
    if is != expected.verdict {
        return Err(format!("is {is}, not {}: {subjects:?}\n{text}", expected.verdict));
    }
    if let Some(mut wanted) = expected.subjects {
        wanted.sort();
        if wanted != subjects {
            return Err(format!("subjects are {subjects:?}, not {wanted:?}\n{text}"));
        }
    }
    if let (Some(wanted), Verdict::Fail { findings, .. }) = (expected.level, &verdict) {
        let own = check.page.header.level;
        let worst = findings.iter().map(|f| f.level.unwrap_or(own)).max();
        if worst != Some(wanted) {
            return Err(format!("the worst level is {worst:?}, not {wanted}"));
        }
    }
    match expected.says.iter().find(|part| !text.contains(part.as_str())) {
        Some(part) => Err(format!("does not say {part:?}:\n{text}")),
        None => Ok(is),
    }
}

fn control_plane() -> impl Iterator<Item = &'static Check> {
    checks::all()
        .iter()
        .filter(|c| c.page.header.sides == [Side::Rds])
}

#[test]
fn every_scenario_comes_out_as_its_page_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for check in checks::all() {
        let id = &check.page.id;
        let mut words = Vec::new();
        // Checks of databases have such scenarios too, for what no server of the sandbox can be.
        let whole = check.page.header.sides == [Side::Rds];
        let on_facts = |s: &&Scenario| whole || s.blocks.iter().any(|b| b.is("json facts"));
        for scenario in check.page.scenarios.iter().filter(on_facts) {
            count += 1;
            match run(check, scenario) {
                Ok(word) => words.push(word),
                Err(e) => wrong.push(format!("{id}: {}: {e}", scenario.name)),
            }
        }
        for needed in ["fail", "pass"] {
            if whole && !words.contains(&needed) {
                wrong.push(format!("{id}: no scenario with verdict {needed}"));
            }
        }
    }
    assert!(count > 0, "no check has a scenario on facts");
    assert!(wrong.is_empty(), "of {count} scenarios:\n{}", wrong.join("\n"));
}

/// Fields whose values AWS may add to at any time.
const OPEN: [&str; 6] = [
    "status",
    "health",
    "activity_stream",
    "engine_mode",
    "scalability_type",
    "global_write_forwarding",
];

/// Puts a word that no API has ever said in the place of each open value of a patch, one at a time.
fn with_unheard_of(patch: &Value) -> Vec<Value> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        let Value::Object(map) = value else {
            if let Value::Array(items) = value {
                let each = items.iter().enumerate();
                each.for_each(|(i, item)| walk(item, &format!("{at}/{i}"), found));
            }
            return;
        };
        for (key, value) in map {
            let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            match value.is_string() && OPEN.contains(&key.as_str()) {
                true => found.push(at),
                false => walk(value, &at, found),
            }
        }
    }
    let mut found = Vec::new();
    walk(patch, "", &mut found);
    let change = |at: &String| {
        let mut patch = patch.clone();
        *patch.pointer_mut(at).expect("it was found there") = Value::from("unheard-of");
        patch
    };
    found.iter().map(change).collect()
}

/// Where a value made a check fail, a value that this greenlight does not know may be as bad.
#[test]
fn an_unheard_of_value_never_passes() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for check in control_plane() {
        for scenario in &check.page.scenarios {
            let block = |words: &str| {
                scenario
                    .blocks
                    .iter()
                    .find(|b| b.is(words))
                    .map_or("", |b| &b.text)
            };
            let expected: Expected =
                toml::from_str(block("toml expect")).expect("the other test reads it too");
            let setup: Setup = toml::from_str(block("toml scenario")).expect("the other test reads it too");
            let patch = block("json facts");
            if expected.verdict != "fail" || patch.is_empty() {
                continue;
            }
            let patch: Value = serde_json::from_str(patch).expect("the other test reads it too");
            for patch in with_unheard_of(&patch) {
                count += 1;
                let mut document = base(setup.base.as_deref().unwrap_or("aurora"));
                merge(&mut document, &patch);
                let facts = facts(&document);
                let phase = setup.phase.or_else(|| check.page.header.phases.first().copied());
                let verdict = check.judge(&facts, &Situation::of(&facts, phase), &policy(&facts));
                if matches!(verdict, Verdict::Pass { .. }) {
                    wrong.push(format!(
                        "{}: {}: passes with {patch}",
                        check.page.id, scenario.name
                    ));
                }
            }
        }
    }
    assert!(count > 20, "only {count} values were tried");
    assert!(wrong.is_empty(), "of {count} values:\n{}", wrong.join("\n"));
}

/// The runner is of use only if it notices what is wrong.
#[test]
fn a_look_at_the_lag_that_was_not_read_whole_is_no_pass() {
    let check = checks::find("replication-lag").expect("it is registered");
    let verdict = |patch: &str| {
        let mut document = base("aurora");
        merge(&mut document, &serde_json::from_str(patch).expect("a patch"));
        let facts = facts(&document);
        check.judge(
            &facts,
            &Situation::of(&facts, Some(Phase::Switchover)),
            &policy(&facts),
        )
    };
    assert_eq!(word(&verdict("{}")), "pass");
    for (patch, says) in [
        (
            r#"{"lag": {"0": {"blue": {"known": {"rows": {"0": {"active": "?"}}}}}}}"#,
            "unreadable row",
        ),
        (
            r#"{"lag": {"0": {"blue": {"known": {"total": 9}}}}}"#,
            "only 3 of 9 slots",
        ),
    ] {
        let verdict = verdict(patch);
        let (_, told) = told(&verdict);
        assert!(word(&verdict) == "unknown" && told.contains(says), "{told}");
    }
}

#[test]
fn a_scenario_with_a_wrong_expectation_is_noticed() {
    let check = checks::find("managed-password").expect("registered");
    let with = |expect: &str| {
        let block = |info: &str, text: &str| Block {
            info: info.to_owned(),
            text: text.to_owned(),
        };
        let patch = r#"{"rds": {"known": {"blue": {"known": {"cluster": {"managed_password": true}}}}}}"#;
        let scenario = Scenario {
            name: "planted".to_owned(),
            blocks: vec![
                block("toml scenario", "base = \"aurora-create\""),
                block("json facts", patch),
                block("toml expect", expect),
            ],
        };
        run(check, &scenario)
    };
    assert_eq!(
        with("verdict = \"fail\"\nsubjects = [\"main\"]\nlevel = \"blocker\""),
        Ok("fail")
    );
    for wrong in [
        "verdict = \"pass\"",
        "verdict = \"fail\"\nsubjects = [\"other\"]",
        "verdict = \"fail\"\nlevel = \"notice\"",
        "verdict = \"fail\"\nsays = [\"what it does not say\"]",
        "verdict = \"fail\"\nsubject = [\"misspelt\"]",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

/// With no rows for every probe that the catalogue asks and the document does not have: most probes list what is wrong.
fn complete(mut document: Value) -> Value {
    let none = serde_json::json!({"known": {"total": 0, "rows": []}});
    for side in [Side::Blue, Side::Green] {
        let Some(server) = document[side.to_string()].get_mut("known") else {
            continue;
        };
        let version = server["version"]
            .as_str()
            .expect("a version")
            .parse()
            .expect("a version");
        let mut asked: Vec<(String, Scope)> = Vec::new();
        for check in checks::all()
            .iter()
            .filter(|c| c.page.header.sides.contains(&side))
        {
            let queries = check.page.queries.iter().filter(|q| q.runs_on(version));
            asked.extend(queries.map(|q| (q.probe.clone(), check.page.header.scope)));
        }
        for probe in checks::shared_probes() {
            if probe.queries.iter().any(|q| q.runs_on(version)) {
                asked.push((probe.name.clone(), probe.scope));
            }
        }
        for (probe, scope) in asked {
            if scope == Scope::Database {
                for database in server["databases"]
                    .as_object_mut()
                    .expect("databases")
                    .values_mut()
                {
                    database["known"]
                        .as_object_mut()
                        .expect("probes")
                        .entry(probe.clone())
                        .or_insert(none.clone());
                }
            } else {
                server["probes"]
                    .as_object_mut()
                    .expect("probes")
                    .entry(probe)
                    .or_insert(none.clone());
            }
        }
    }
    document
}

/// The report of a document, of the whole catalogue.
fn report(document: Value, phase: Phase) -> Report {
    let facts = facts(&complete(document));
    let situation = Situation::of(&facts, Some(phase));
    Report::make(&facts, situation, &policy(&facts))
}

#[test]
fn healthy_documents_are_ready() {
    for (name, phase) in [
        ("aurora-create", Phase::Create),
        ("aurora", Phase::Switchover),
        ("aurora-verify", Phase::Verify),
        ("rds-create", Phase::Create),
        ("rds", Phase::Switchover),
        ("rds-minor", Phase::Switchover),
    ] {
        let report = report(base(name), phase);
        let loud: Vec<_> = report
            .checks
            .iter()
            .flat_map(|c| {
                let findings = c.findings.iter().filter(|f| f.level > Level::Notice);
                let unseen = c
                    .unseen
                    .iter()
                    .map(|u| format!("{}: {}: {}", c.id, u.subject, u.why));
                findings
                    .map(|f| format!("{}: {}", c.id, f.message))
                    .chain(unseen)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(loud.is_empty(), "{name}: {loud:#?}");
        assert_eq!(gate::exit(&report).code(), 0, "{name}");
    }
}

#[test]
fn taking_a_fact_away_never_improves_a_verdict() {
    fn rank(verdict: &Verdict) -> u8 {
        match verdict {
            Verdict::Skip { .. } => 0,
            Verdict::Pass { .. } => 1,
            Verdict::Unknown { .. } => 2,
            Verdict::Fail { .. } => 3,
        }
    }
    /// Parts that hold one fact an entry.
    const MAPS: [&str; 3] = ["parameter_groups", "orderable_on_target", "orderable_on_source"];
    let gone = serde_json::json!({"unknown": {"why": "privilege", "detail": "the action is missing"}});
    for (name, phase) in [
        ("aurora-create", Phase::Create),
        ("aurora", Phase::Switchover),
        ("aurora-verify", Phase::Verify),
        ("rds", Phase::Switchover),
        ("rds-minor", Phase::Create),
    ] {
        let whole = base(name);
        let known = &whole["rds"]["known"];
        let parts: Vec<String> = known
            .as_object()
            .expect("an object")
            .iter()
            .filter(|(key, value)| value.get("known").is_some() || MAPS.contains(&key.as_str()))
            .map(|(key, _)| key.clone())
            .collect();
        let without: Vec<(&String, Facts)> = parts
            .iter()
            .map(|part| {
                let mut document = whole.clone();
                match &mut document["rds"]["known"][part] {
                    Value::Object(map) if MAPS.contains(&part.as_str()) => {
                        map.values_mut().for_each(|fact| *fact = gone.clone());
                    }
                    fact => *fact = gone.clone(),
                }
                (part, facts(&document))
            })
            .collect();
        let whole = facts(&whole);
        for check in control_plane().filter(|c| c.page.header.phases.contains(&phase)) {
            let judged =
                |facts: &Facts| check.judge(facts, &Situation::of(facts, Some(phase)), &policy(facts));
            let before = judged(&whole);
            for (part, facts) in &without {
                let after = judged(facts);
                let id = &check.page.id;
                assert!(
                    rank(&after) >= rank(&before) || rank(&before) == 3 && rank(&after) == 2,
                    "{id} on {name} without {part}: {} became {}",
                    word(&before),
                    word(&after)
                );
                let needed = check.page.header.needs.contains(&format!("rds.{part}"));
                assert!(
                    needed || before == after,
                    "{id} on {name} changes without {part}, which it does not name in `needs`"
                );
            }
        }
    }
}
