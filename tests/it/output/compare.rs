//! What is new, worse, better, gone: baselines and differences.

use greenlight::{
    baseline::{self, Change, Since},
    output::{Format, View, json},
    policy::Policy,
    report::{Judged, ReportedFinding},
    verdict::{Finding, Judgement, Level, Verdict},
};

use super::{Case, judged, waiver};

fn found(objects: &[(&str, Level)], more: u64, unseen: &[&str]) -> Verdict {
    let mut judgement = Judgement::new();
    for (object, level) in objects {
        judgement.find(Finding::new(*object, format!("{object} is wrong")).at(*level));
    }
    judgement.more(more);
    for place in unseen {
        judgement.unseen(*place, "timed out");
    }
    judgement.done()
}

fn case(checks: Vec<Judged>, waived: &[&str]) -> Case {
    let mut policy = Policy::at("2025-02-03T09:00:00Z".parse().expect("a time"));
    policy.waivers = waived.iter().map(|s| waiver("tables", s, "2025-12-31")).collect();
    Case::of(super::facts(), checks, &policy)
}

fn json(case: &Case) -> json::JsonReport {
    json::report(View {
        report: &case.report,
        facts: &case.facts,
        exit: case.exit(),
    })
}

fn before() -> Case {
    let tables = [
        ("kept", Level::Blocker),
        ("raised", Level::Warning),
        ("lowered", Level::Blocker),
        ("gone", Level::Blocker),
        ("accepted", Level::Blocker),
        ("no longer accepted", Level::Blocker),
    ];
    case(
        vec![
            judged("tables", "schema", Level::Blocker, found(&tables, 0, &[])),
            judged(
                "later dark",
                "schema",
                Level::Blocker,
                found(&[("x", Level::Blocker)], 0, &[]),
            ),
            judged(
                "dark",
                "schema",
                Level::Blocker,
                Verdict::unknown("blue:a", "timed out"),
            ),
        ],
        &["no longer*"],
    )
}

fn after() -> Case {
    let tables = [
        ("kept", Level::Blocker),
        ("raised", Level::Blocker),
        ("lowered", Level::Notice),
        ("accepted", Level::Blocker),
        ("no longer accepted", Level::Blocker),
        ("fresh", Level::Warning),
    ];
    case(
        vec![
            judged("tables", "schema", Level::Blocker, found(&tables, 0, &[])),
            judged(
                "later dark",
                "schema",
                Level::Blocker,
                Verdict::unknown("blue:x", "timed out"),
            ),
            judged(
                "dark",
                "schema",
                Level::Blocker,
                Verdict::unknown("blue:a", "timed out"),
            ),
        ],
        &["accepted"],
    )
}

fn subjects(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|c| c.subject.as_str()).collect()
}

#[test]
fn a_difference_is_sorted_into_its_kinds() {
    let diff = baseline::diff(&json(&before()), &json(&after()), Level::Blocker);
    assert_eq!(subjects(&diff.new), ["fresh"]);
    assert_eq!(subjects(&diff.worse), ["no longer accepted", "raised"]);
    assert_eq!(subjects(&diff.better), ["accepted", "lowered"]);
    assert_eq!(subjects(&diff.gone), ["gone"]);
    // What cannot be looked for is not gone.
    assert_eq!(subjects(&diff.untold), ["x"]);
    assert_eq!(subjects(&diff.blind), ["blue:x"]);
    assert_eq!((diff.known, diff.exit_code), (1, 10));
    let schema: serde_json::Value = serde_json::from_str(&json::diff_schema()).expect("JSON");
    let value = serde_json::to_value(&diff).expect("JSON");
    assert!(
        jsonschema::validator_for(&schema)
            .expect("a schema")
            .is_valid(&value)
    );
}

#[test]
fn the_exit_code_is_about_the_difference_alone() {
    let same = baseline::diff(&json(&after()), &json(&after()), Level::Notice);
    assert_eq!((same.exit_code, same.new.len(), same.known), (0, 0, 6));
    let one = |objects: &[(&str, Level)], more: u64, unseen: &[&str]| {
        json(&case(
            vec![judged(
                "tables",
                "schema",
                Level::Blocker,
                found(objects, more, unseen),
            )],
            &[],
        ))
    };
    let nothing = one(&[], 0, &[]);
    for (then, now, fail_on, wanted) in [
        (&nothing, one(&[("t", Level::Warning)], 0, &[]), Level::Blocker, 0),
        (
            &nothing,
            one(&[("t", Level::Warning)], 0, &[]),
            Level::Warning,
            10,
        ),
        (&nothing, one(&[], 0, &["blue:a"]), Level::Blocker, 11),
        (
            &nothing,
            one(&[("t", Level::Blocker)], 0, &["blue:a"]),
            Level::Blocker,
            10,
        ),
        // More than is listed, and more than before.
        (
            &one(&[("t", Level::Blocker)], 1, &[]),
            one(&[("t", Level::Blocker)], 2, &[]),
            Level::Blocker,
            10,
        ),
        (
            &one(&[("t", Level::Blocker)], 2, &[]),
            one(&[("t", Level::Blocker)], 2, &[]),
            Level::Blocker,
            0,
        ),
    ] {
        let diff = baseline::diff(then, &now, fail_on);
        assert_eq!(diff.exit_code, wanted, "{diff:#?}");
    }
}

/// A baseline hides what is known from people, and changes neither the verdict nor what programs read.
#[test]
fn a_baseline_shows_what_is_new_and_accepts_nothing() {
    let mut now = after();
    let (headline, exit, blockers) = (now.report.headline, now.exit(), now.report.count(Level::Blocker));
    now.report.compare("old.json", &json(&before()));
    assert_eq!((now.report.headline, now.exit()), (headline, exit));
    assert_eq!(now.report.count(Level::Blocker), blockers);
    let since = |f: &ReportedFinding| (f.subject.clone(), f.since);
    let marks: Vec<_> = now.report.checks[0].findings.iter().map(since).collect();
    assert!(marks.contains(&("fresh".to_owned(), Some(Since::New))));
    assert!(marks.contains(&("raised".to_owned(), Some(Since::Worse))));
    assert!(marks.contains(&("kept".to_owned(), Some(Since::Known))));
    for format in [Format::Table, Format::Markdown, Format::Html, Format::Github] {
        let text = now.render(format, false);
        assert!(
            text.contains("fresh is wrong") && text.contains("raised is wrong"),
            "{format:?}: {text}"
        );
        assert!(!text.contains("kept is wrong"), "{format:?}");
    }
    for format in [Format::Json, Format::Sarif, Format::Gitlab, Format::Junit] {
        assert!(now.render(format, false).contains("kept is wrong"), "{format:?}");
    }
    assert!(
        now.render(Format::Sarif, false)
            .contains("\"baselineState\": \"unchanged\"")
    );
    let baseline = json(&now).baseline.expect("a baseline");
    // kept, lowered, and the blind spot of `dark`; gone: `gone` and `x`.
    assert_eq!((baseline.known, baseline.gone), (3, 2));
}

#[test]
fn what_is_no_report_is_refused() {
    for (text, wanted) in [
        ("{", "not a greenlight report in JSON"),
        ("{\"schema\": 2}", "schema 2, this greenlight reads schema 1"),
        ("{\"schema\": 1}", "missing field"),
    ] {
        let error = baseline::read(text).expect_err("no report").to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
