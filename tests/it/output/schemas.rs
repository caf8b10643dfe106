//! Formats against the schemas of those who read them.
//!
//! The published SARIF schema and Jenkins' XSD are not kept here. `GREENLIGHT_SARIF_SCHEMA` and `GREENLIGHT_JUNIT_XSD`
//! name copies of them, and then they are held against those as well as against our own, narrower ones.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use greenlight::output::{Format, json};
use serde_json::Value;

use super::Case;

fn formats(format: Format) -> Vec<String> {
    let empty = Case::of(
        super::facts(),
        Vec::new(),
        &greenlight::policy::Policy::at(jiff::Timestamp::UNIX_EPOCH),
    );
    vec![
        Case::all_kinds().render(format, false),
        empty.render(format, false),
    ]
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn holds(schema: &Value, instance: &Value, name: &str) {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{name}");
}

#[test]
fn json_is_what_its_schema_says() {
    let schema = parse(&json::schema());
    for text in formats(Format::Json) {
        holds(&schema, &parse(&text), "report");
        let report: json::JsonReport = serde_json::from_str(&text).expect("it can be read back");
        assert_eq!(serde_json::to_value(&report).expect("JSON"), parse(&text));
    }
    // A schema that lets everything through would prove nothing.
    let mut broken = parse(&formats(Format::Json)[0]);
    broken["checks"][0]["outcome"] = "fine".into();
    assert!(
        !jsonschema::validator_for(&schema)
            .expect("a schema")
            .is_valid(&broken)
    );
}

#[test]
fn sarif_is_valid() {
    let own = parse(include_str!("sarif-subset.schema.json"));
    for text in formats(Format::Sarif) {
        holds(&own, &parse(&text), "our subset of SARIF");
    }
    if let Ok(path) = std::env::var("GREENLIGHT_SARIF_SCHEMA") {
        let schema = parse(&std::fs::read_to_string(path).expect("the schema"));
        for text in formats(Format::Sarif) {
            holds(&schema, &parse(&text), "SARIF 2.1.0");
        }
    }
    let mut broken = parse(&formats(Format::Sarif)[0]);
    broken["runs"][0]["results"][0]["level"] = "blocker".into();
    assert!(
        !jsonschema::validator_for(&own)
            .expect("a schema")
            .is_valid(&broken)
    );
}

/// Every result names its rule by id and index.
#[test]
fn sarif_results_point_at_their_rules() {
    let log = parse(&formats(Format::Sarif)[0]);
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert!(results.len() > 10);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        let suppressed = !result["suppressions"].is_null();
        assert!(
            !suppressed
                || result["suppressions"][0]["justification"]
                    .as_str()
                    .is_some_and(|t| t.contains("until"))
        );
    }
}

#[test]
fn gitlab_is_valid() {
    let schema = parse(include_str!("gitlab-code-quality.schema.json"));
    for text in formats(Format::Gitlab) {
        holds(&schema, &parse(&text), "code quality");
    }
    let issues = parse(&formats(Format::Gitlab)[0]);
    let issues = issues.as_array().expect("issues");
    let mut prints: Vec<&str> = issues.iter().filter_map(|i| i["fingerprint"].as_str()).collect();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), issues.len(), "fingerprints are unique");
}

#[test]
fn junit_is_valid() {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/output/junit.xsd").to_owned();
    let published = std::env::var("GREENLIGHT_JUNIT_XSD").ok();
    if Command::new("xmllint")
        .arg("--version")
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        assert!(
            std::env::var("GREENLIGHT_REQUIRE_XMLLINT").is_err(),
            "xmllint is not installed"
        );
        eprintln!("SKIPPED: xmllint is not installed, so JUnit XML was not held against its XSD");
        return;
    }
    let lint = |xsd: &str, text: &str| {
        let mut child = Command::new("xmllint")
            .args(["--nonet", "--noout", "--schema", xsd, "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xmllint starts");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(text.as_bytes())
            .expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for xsd in std::iter::once(own.clone()).chain(published) {
        for text in formats(Format::Junit) {
            let (good, said) = lint(&xsd, &text);
            assert!(good, "{xsd}: {said}");
        }
    }
    let broken = formats(Format::Junit)[0].replace("<testcase name=", "<testcase title=");
    assert!(!lint(&own, &broken).0, "the XSD lets anything through");
}

/// The counts on the suites are those of the cases in them.
#[test]
fn junit_counts_are_right() {
    let text = &formats(Format::Junit)[0];
    let count =
        |tag: &str| text.matches(&format!("<{tag} ")).count() + text.matches(&format!("<{tag}>")).count();
    let root = text.lines().find(|l| l.contains("<testsuites ")).expect("a root");
    for (tag, attribute) in [
        ("testcase", "tests"),
        ("failure", "failures"),
        ("error", "errors"),
    ] {
        assert!(
            root.contains(&format!("{attribute}=\"{}\"", count(tag))),
            "{attribute}: {root}"
        );
    }
}
