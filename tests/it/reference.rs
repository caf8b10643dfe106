//! Pages that are made from the code are as the code is. `UPDATE=1 cargo test --test it reference` writes them anew.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use greenlight::{
    checks::{self, Check},
    commands,
    exit::Exit,
    output::json,
};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it should hold (nothing: it should not be there), or writes it.
fn hold(path: &str, wanted: &str) {
    let file = root().join(path);
    let there = fs::read_to_string(&file).unwrap_or_default();
    if there == wanted {
        return;
    }
    if std::env::var("UPDATE").is_ok_and(|v| v == "1") {
        if wanted.is_empty() {
            fs::remove_file(&file).expect("a file that nothing makes any more");
            return;
        }
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, wanted).expect("the file");
        return;
    }
    panic!("{path} is out of date: run `UPDATE=1 cargo test --test it reference` and commit it");
}

/// The catalogue's folders in the order of the report, each with its checks.
fn groups() -> Vec<(&'static str, Vec<&'static Check>)> {
    let mut groups: Vec<(&'static str, Vec<&'static Check>)> = Vec::new();
    for check in checks::all() {
        let name = check.page.group.as_str();
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, list)) => list.push(check),
            None => groups.push((name, vec![check])),
        }
    }
    groups
}

#[test]
fn checks_page() {
    let mut text = format!(
        "# Checks\n\n<!-- made from the catalogue: UPDATE=1 cargo test --test it reference -->\n\n\
         {} checks. `greenlight explain ID` shows a page in the terminal.\n",
        checks::all().len()
    );
    for (group, list) in groups() {
        let _ = write!(text, "\n## {group}\n");
        for check in list {
            let page = &check.page;
            let header = &page.header;
            let phases: Vec<String> = header.phases.iter().map(ToString::to_string).collect();
            let sides: Vec<String> = header.sides.iter().map(ToString::to_string).collect();
            let _ = write!(
                text,
                "\n### [`{}`](checks/{0}.md)\n\n{}: {}.\nOtherwise: {}. Asked in phase {} on {}; since {}.\n",
                page.id,
                header.level,
                header.title,
                header.effect,
                phases.join(", "),
                sides.join(", "),
                header.since
            );
        }
    }
    hold("docs/checks.md", &text);
}

/// One page a check, as `greenlight explain` shows it: without the scenarios, which are tests. A page whose check is gone goes.
#[test]
fn check_pages() {
    let mut wanted = BTreeSet::new();
    for check in checks::all() {
        let page = &check.page;
        let path = format!("docs/checks/{}.md", page.id);
        hold(
            &path,
            &format!(
                "<!-- made from checks/{}/{}.md: UPDATE=1 cargo test --test it reference -->\n\n{}",
                page.group,
                page.id,
                commands::explain::markdown(page)
            ),
        );
        wanted.insert(path);
    }
    for file in fs::read_dir(root().join("docs/checks")).expect("the folder") {
        let name = file.expect("a file").file_name();
        let path = format!("docs/checks/{}", name.to_string_lossy());
        if !wanted.contains(&path) {
            hold(&path, "");
        }
    }
}

/// The table at the end of the catalogue's own page.
#[test]
fn catalogue_readme() {
    const BEGIN: &str = "<!-- the table below is made: UPDATE=1 cargo test --test it reference -->\n";
    let path = root().join("checks/README.md");
    let there = fs::read_to_string(path).expect("the page");
    let hand_written = there.split(BEGIN).next().expect("a beginning").trim_end();
    let all: Vec<&Check> = checks::all().iter().collect();
    let wanted = format!(
        "{}\n\n{BEGIN}\n{}",
        hand_written
            .trim_end_matches("## All checks")
            .trim_end()
            .to_owned()
            + "\n\n## All checks",
        commands::checks::markdown(&all)
    );
    hold("checks/README.md", &wanted);
}

#[test]
fn exit_codes_page() {
    let mut text = String::from(
        "# Exit codes\n\n<!-- made from the code: UPDATE=1 cargo test --test it reference -->\n\n\
         A number never changes its meaning.\n\n| code | meaning |\n| --- | --- |\n",
    );
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(text, "| {} | {meaning} |", exit.code());
    }
    text.push_str(
        "\n## What `greenlight check` makes of what it found\n\n\
         Findings count from the level of `--fail-on` (or `fail-on` in the policy file) on; the default is `blocker`.\n\n\
         | a finding, or a check that cannot be judged, at level | `--fail-on blocker` | `--fail-on warning` | `--fail-on notice` |\n\
         | --- | --- | --- | --- |\n",
    );
    for level in greenlight::verdict::Level::ALL {
        for unknown in [false, true] {
            let what = if unknown { "not judged" } else { "finding" };
            let _ = write!(text, "| {level}, {what} |");
            for fail_on in greenlight::verdict::Level::ALL {
                let exit = crate::output::gate::of_one(level, unknown, fail_on);
                let _ = write!(text, " {} |", exit.code());
            }
            text.push('\n');
        }
    }
    text.push_str(
        "\nWhere both is true, 10 goes before 11. What a waiver accepts does not count; problems of waivers are findings of the\n\
         check `waivers`. In phase `verify` 23 stands in place of 10. Nothing that could be looked at is 3, never 0.\n\n\
         ## `greenlight diff`\n\n\
         10 where a new or worse finding gates, 11 where something that gates cannot be looked at any more, 0 otherwise. A file that\n\
         is no report is 2.\n\n\
         ## `greenlight prepare`, `create` and `cleanup`\n\n\
         0 nothing is left to do, or done. 10 something is to be done (`prepare`), not ready or not done in time (`create`), still in\n\
         use (`cleanup`). 11 what decides could not be looked at. 20 refused by greenlight, the operator or RDS: that request did\n\
         nothing. 21 RDS could not build green, or a reboot or a setting did not come out as it should. 22 RDS did not answer, and\n\
         what became of the request is not known; nothing is sent again by itself. 23 the verification before a clean-up found\n\
         problems; nothing was deleted.\n",
    );
    hold("docs/exit-codes.md", &text);
}

/// What is in `old` is in `new`, with the same meaning to a reader.
fn lost(path: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old
                .iter()
                .filter(|(k, _)| !["description", "title", "$schema", "default"].contains(&k.as_str()))
            {
                match new.get(key) {
                    Some(now) => lost(&format!("{path}/{key}"), value, now, out),
                    None => out.push(format!("{path}/{key}")),
                }
            }
        }
        // Lists of names (required, enum, type) and of alternatives: nothing may go.
        (Value::Array(old), Value::Array(new)) => {
            for value in old {
                let same = new.iter().any(|now| {
                    let mut gone = Vec::new();
                    lost(path, value, now, &mut gone);
                    gone.is_empty()
                });
                if !same {
                    out.push(format!("{path}: {value}"));
                }
            }
        }
        (old, new) if old == new => {}
        (old, new) => out.push(format!("{path}: {old} became {new}")),
    }
}

fn schema(path: &str, wanted: &str) {
    let before = fs::read_to_string(root().join(path)).unwrap_or_else(|_| "{}".to_owned());
    let (before, now): (Value, Value) = (
        serde_json::from_str(&before).expect("JSON"),
        serde_json::from_str(wanted).expect("JSON"),
    );
    let mut gone = Vec::new();
    lost("", &before, &now, &mut gone);
    assert_eq!(
        gone,
        Vec::<String>::new(),
        "{path}: within a version fields are only added"
    );
    hold(path, wanted);
}

/// The schemas are as the code is, and have only grown since they were last written.
#[test]
fn schemas_only_grow() {
    schema("schema/report.v1.json", &json::schema());
    schema("schema/diff.v1.json", &json::diff_schema());
    schema("schema/fleet.v1.json", &greenlight::fleet::Fleet::schema());
    // The comparison notices what it is there for.
    let now: Value = serde_json::from_str(&json::schema()).expect("JSON");
    for (at, change) in [
        ("/properties/verdict", Value::Null),
        ("/properties/phase/type", "integer".into()),
        ("/required", serde_json::json!(["schema"])),
        ("/$defs/JsonOutcome/oneOf", serde_json::json!([])),
    ] {
        let mut changed = now.clone();
        *changed
            .pointer_mut(at)
            .unwrap_or_else(|| panic!("{at} in the schema")) = change;
        let mut gone = Vec::new();
        lost("", &now, &changed, &mut gone);
        assert!(!gone.is_empty(), "{at}");
    }
}

#[test]
fn json_page() {
    let schema: Value = serde_json::from_str(&json::schema()).expect("JSON");
    let mut text = String::from(
        "# The JSON report\n\n<!-- made from the schema: UPDATE=1 cargo test --test it reference -->\n\n\
         `greenlight check --format json`, or `-o json=FILE`. The schema is [`schema/report.v1.json`](../schema/report.v1.json), and\n\
         `greenlight schema` prints it. `greenlight diff --format json` has [its own](../schema/diff.v1.json).\n\n\
         ## What readers may rely on\n\n\
         - `schema` is the version of the format: 1. Another number means another format.\n\
         - Within a version fields and values are added, never renamed, removed or given another meaning. Readers must ignore fields\n\
         that they do not know, and must not take an outcome or a level that they do not know for a good one.\n\
         - A field that has no value is `null`, not absent; fields that came later may be absent in older reports.\n\
         - `(check id, subject)` is stable, and waivers name it. A check that is renamed keeps its former id as an alias.\n\
         - The same facts, policy and version give the same bytes.\n\
         - A version that is superseded is still written and read by the next minor release.\n\n\
         ## Fields\n",
    );
    let mut section = |name: &str, object: &Value| {
        let Some(properties) = object["properties"].as_object() else {
            return;
        };
        let about = object["description"].as_str().unwrap_or_default();
        let _ = write!(
            text,
            "\n### {name}\n\n{about}\n\n| field | type | meaning |\n| --- | --- | --- |\n"
        );
        for (field, schema) in properties {
            let meaning = schema["description"]
                .as_str()
                .unwrap_or_default()
                .replace('\n', " ");
            let _ = writeln!(
                text,
                "| `{field}` | {} | {} |",
                kind(schema),
                meaning.replace('|', "\\|")
            );
        }
    };
    section("report", &schema);
    for (name, object) in schema["$defs"].as_object().expect("definitions") {
        section(name.trim_start_matches("Json"), object);
    }
    hold("docs/json-schema.md", &text);
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_start_matches("Json")
            .to_owned();
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let kinds: Vec<String> = any.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", self::kind(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

/// The example on the page about policy is a policy.
#[test]
fn the_policy_page_is_true() {
    let page = fs::read_to_string(root().join("docs/policy.md")).expect("the page");
    let example = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let mut policy = greenlight::policy::Policy::at(jiff::Timestamp::UNIX_EPOCH);
    greenlight::config::apply(&mut policy, Path::new("greenlight.toml"), example).expect("it can be used");
    // The values shown are the defaults.
    assert_eq!(policy.thresholds, greenlight::policy::Thresholds::default());
    assert_eq!((policy.waivers.len(), policy.levels.len()), (1, 1));
}
