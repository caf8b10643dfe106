//! `greenlight fleet` against a local RDS: the same facts as a single look, few calls, and nobody who stops the others.

use std::collections::BTreeSet;

use greenlight::{
    edge::rds::{RdsRequest, Region, Subject, collect},
    facts::Fact,
    model::PgVersion,
};
use sandbox::{DeploymentSpec, Effect, FaultRule, FleetSpec, Options, RequestLimitSpec, Sandbox, Scenario};
use serde_json::Value;

use crate::cli::{Ran, greenlight};

fn fleet(clusters: usize, instances: usize) -> Scenario {
    Scenario {
        fleet: Some(FleetSpec {
            clusters,
            instances,
            others: 2,
            ..FleetSpec::default()
        }),
        max_instances: 1000,
        ..Scenario::default()
    }
}

fn start(scenario: Scenario) -> Sandbox {
    Sandbox::start_blocking(scenario, Options::default()).expect("the scenario is valid")
}

fn run(sandbox: &Sandbox, folder: &std::path::Path, args: &[&str]) -> Ran {
    let env = sandbox.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut all = vec!["fleet"];
    all.extend(args);
    greenlight(folder, &all, &env)
}

fn summary(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", ran.stdout, ran.stderr))
}

fn names(summary: &Value, state: &str) -> BTreeSet<String> {
    let all = summary["databases"].as_array().expect("databases");
    let of_state = all.iter().filter(|row| row["state"] == state);
    of_state
        .map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// What a fleet reads of a member is what a single look reads, although it asks otherwise.
#[tokio::test]
async fn a_fleet_reads_what_a_single_look_reads() {
    let mut scenario = fleet(9, 2);
    // The second has a group that others share; 16.6 goes to a newer minor.
    scenario.deployment.push(DeploymentSpec {
        name: "second".to_owned(),
        source: "fleet-0001".to_owned(),
        target_version: Some("14.15".to_owned()),
        target_cluster_parameter_group: None,
        target_parameter_group: None,
    });
    scenario.cluster = Vec::new();
    let sandbox = Sandbox::start(scenario).await;
    let sandbox = match sandbox {
        Ok(sandbox) => sandbox,
        Err(e) => panic!("{e}"),
    };
    let config = crate::rds_collect::config(&sandbox).await;
    let region = Region::open(&config, "eu-west-1", None)
        .await
        .expect("credentials");
    let members = region.members(&[]).await.expect("listed");
    assert_eq!(members.found.len(), 11, "{members:?}");
    assert_eq!(members.passed_over["mysql"], 1);
    assert_eq!(members.passed_over["green side"], 1);
    for member in members.found {
        let request = RdsRequest {
            subject: member.subject.clone(),
            target_version: Some(PgVersion::new(16, 8)),
            target_parameter_group: None,
            endpoint_url: None,
        };
        let mut single = collect(&config, &request).await.expect("collected");
        let shared = region.collect(request).await.expect("collected");
        if single.facts.deployment == Fact::Known(None) {
            // Events are left out on purpose where there is no deployment.
            assert!(matches!(shared.facts.events, Fact::Unknown { .. }));
            single.facts.events = shared.facts.events.clone();
        } else {
            assert_eq!(member.subject, Subject::Cluster("fleet-0001".to_owned()));
            assert!(shared.facts.green.known().is_some_and(Option::is_some));
        }
        assert_eq!(shared, single, "{:?}", member.subject);
    }
}

#[test]
fn everything_that_matches_is_judged_and_one_account_that_is_closed_stops_nobody() {
    let mut scenario = fleet(24, 6);
    scenario.elsewhere = vec![
        Scenario {
            region: "us-east-1".to_owned(),
            ..fleet(3, 0)
        },
        Scenario {
            account: "210987654321".to_owned(),
            ..fleet(2, 1)
        },
    ];
    let sandbox = start(scenario);
    let here = tempfile::tempdir().expect("a folder");
    let ran = run(
        &sandbox,
        here.path(),
        &[
            "--all",
            "--target-major",
            "16",
            "--api-only",
            "--format",
            "json",
            "--region",
            "eu-west-1",
            "--region",
            "us-east-1",
            "--account-role",
            "own",
            "--account-role",
            "arn:aws:iam::210987654321:role/audit",
            "--account-role",
            "arn:aws:iam::999999999999:role/audit",
            "-o",
            "html=fleet.html",
            "-o",
            "markdown=fleet.md",
            "-o",
            "csv=fleet.csv",
            "-o",
            "table=fleet.txt",
        ],
    );
    assert_eq!(ran.code, 10, "{}{}", ran.stdout, ran.stderr);
    let summary = summary(&ran);
    let schema: Value = serde_json::from_str(&greenlight::fleet::Fleet::schema()).expect("JSON");
    jsonschema::validate(&schema, &summary).expect("the format is as its schema says");
    assert_eq!(summary["counts"]["databases"], 36);
    assert_eq!(summary["scope"], "api-only");
    assert_eq!(names(&summary, "ready").len(), 0, "nobody looked at a database");
    assert!(!names(&summary, "nothing-against").is_empty());
    assert!(names(&summary, "there").contains("fleet-0006"));
    let closed = summary["places"].as_array().expect("places").iter();
    let closed: Vec<&Value> = closed.filter(|p| p["error"].is_string()).collect();
    assert_eq!(closed.len(), 2, "{closed:?}");
    assert!(
        closed[0]["error"].as_str().expect("why").contains("AssumeRole"),
        "{closed:?}"
    );
    let of_other = summary["databases"].as_array().expect("databases").iter();
    assert_eq!(of_other.filter(|row| row["account"] == "210987654321").count(), 3);
    // Worst first, the sooner end of support before the later.
    let first = &summary["databases"][0];
    assert_eq!(
        (&first["state"], &first["version"]),
        (&"not-ready".into(), &"11.21".into())
    );
    // The guide's version cannot be upgraded directly.
    let all = summary["databases"].as_array().expect("databases");
    let old = all.iter().find(|row| row["version"] == "12.14").expect("one");
    assert!(
        old["way"][0].as_str().expect("a way").ends_with("in place"),
        "{old}"
    );
    assert!(old["blocking"].to_string().contains("minimum-version"), "{old}");
    for (file, wanted) in [
        ("fleet.html", "<td class=\"state blocker\">not ready</td>"),
        ("fleet.md", "| not ready | fleet-0000 |"),
        ("fleet.csv", "not-ready,fleet-0000,cluster,123456789012,eu-west-1"),
        ("fleet.txt", "no database was looked at"),
    ] {
        let text = std::fs::read_to_string(here.path().join(file)).expect(file);
        assert!(text.contains(wanted), "{file}: {text}");
    }
}

#[test]
fn what_does_not_match_is_usage_and_tags_choose() {
    let sandbox = start(fleet(8, 0));
    let here = tempfile::tempdir().expect("a folder");
    let ran = run(&sandbox, here.path(), &["--api-only", "--tag", "team=nobody"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("nothing here matches"), "{}", ran.stderr);
    let ran = run(&sandbox, here.path(), &["--api-only"]);
    assert!(ran.code == 2 && ran.stderr.contains("--all"), "{}", ran.stderr);
    let ran = run(
        &sandbox,
        here.path(),
        &[
            "--api-only",
            "--tag",
            "team=payments",
            "--tag",
            "stage",
            "--format",
            "json",
        ],
    );
    let summary = summary(&ran);
    let all = summary["databases"].as_array().expect("databases").iter();
    let all: BTreeSet<&str> = all.filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(all, BTreeSet::from(["fleet-0000", "fleet-0004"]));
}

#[test]
fn a_throttled_fleet_comes_to_its_end_and_is_taken_up_where_it_stopped() {
    let mut scenario = fleet(40, 0);
    scenario.request_limit = Some(RequestLimitSpec {
        burst: 4,
        per_second: 8.0,
    });
    let sandbox = start(scenario);
    let here = tempfile::tempdir().expect("a folder");
    let args = [
        "--all",
        "--target-version",
        "16.6",
        "--api-only",
        "--format",
        "json",
        "--reports",
        "out",
        "--report-format",
        "json,html",
    ];
    let first = run(&sandbox, here.path(), &args);
    let (calls, busiest) = sandbox.calls().rate();
    assert_eq!(first.code, 10, "{}", first.stderr);
    let whole = summary(&first);
    assert_eq!(whole["counts"]["not_looked_at"], 0, "{whole}");
    assert!(sandbox.calls().throttled() > 0, "the limit was felt");
    assert!(
        sandbox.calls().throttled() * 5 < calls,
        "{} of {calls}",
        sandbox.calls().throttled()
    );
    assert!(busiest <= 24, "{busiest} calls within a second");
    assert_eq!(whole["places"][0]["calls"], calls);
    let report = here
        .path()
        .join("out/123456789012.eu-west-1.cluster.fleet-0000.json");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report).expect("there")).expect("JSON");
    assert_eq!(report["verdict"], "not-ready");
    let page = std::fs::read_to_string(here.path().join("out/fleet.html")).expect("the summary");
    assert!(page.contains("href=\"123456789012.eu-west-1.cluster.fleet-0000.html\""));

    // As if it had been stopped while it wrote: one line is cut off, one report is gone.
    let log = here.path().join("out/fleet.jsonl");
    let text = std::fs::read_to_string(&log).expect("the log");
    std::fs::write(&log, &text[..text.len() - 20]).expect("cut");
    std::fs::remove_file(
        here.path()
            .join("out/123456789012.eu-west-1.cluster.fleet-0000.html"),
    )
    .expect("gone");
    sandbox.calls().clear();
    sandbox.faults().clear();
    let again: Vec<&str> = args.iter().copied().chain(["--resume"]).collect();
    let second = run(&sandbox, here.path(), &again);
    let resumed = summary(&second);
    assert_eq!(resumed["counts"], whole["counts"]);
    assert!(
        sandbox.calls().rate().0 < calls / 2,
        "{}",
        sandbox.calls().rate().0
    );
    let read_at = |summary: &Value| -> BTreeSet<String> {
        let all = summary["databases"].as_array().expect("databases").iter();
        all.map(|row| row["read_at"].to_string()).collect()
    };
    let anew = read_at(&resumed).difference(&read_at(&whole)).count();
    assert!((1..=2).contains(&anew), "{anew} looked at again");
    // Another question takes nothing over.
    let mut other: Vec<&str> = again.clone();
    other[2] = "15.10";
    let third = summary(&run(&sandbox, here.path(), &other));
    assert_eq!(read_at(&third).intersection(&read_at(&resumed)).count(), 0);
}

#[test]
fn what_is_forbidden_is_unknown_in_each_report_and_a_region_that_is_closed_says_so() {
    let sandbox = start(fleet(4, 0));
    let here = tempfile::tempdir().expect("a folder");
    let args = ["--all", "--target-major", "17", "--api-only", "--format", "json"];
    sandbox.rds().arm(FaultRule::always(
        "DescribeDBEngineVersions",
        Effect::AccessDenied,
    ));
    let partly = summary(&run(&sandbox, here.path(), &args));
    for row in partly["databases"].as_array().expect("databases") {
        assert!(
            row["not_determined"].to_string().contains("upgrade-path"),
            "{row}"
        );
    }
    sandbox
        .rds()
        .arm(FaultRule::always("DescribeDBClusters", Effect::AccessDenied));
    let ran = run(&sandbox, here.path(), &args);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(ran.stderr.contains("rds:DescribeDBClusters"), "{}", ran.stderr);
}

/// With servers: databases are looked at too, and one that refuses is told in its row alone.
#[test]
fn databases_are_looked_at_where_they_can_be() {
    let mut scenario = Scenario::load("guide-ready").expect("built in");
    scenario.deployment.clear();
    scenario.cluster[0].load = None;
    scenario.fleet = None;
    let sandbox = start(scenario);
    let here = tempfile::tempdir().expect("a folder");
    let args = ["--all", "--target-version", "14.10", "--format", "json"];
    let seen = summary(&run(&sandbox, here.path(), &args));
    assert_eq!(seen["scope"], "full");
    let row = &seen["databases"][0];
    assert_eq!(row["phase"], "create");
    assert!(row["state"] == "ready" || row["state"] == "not-ready", "{row}");
    for endpoint in sandbox.endpoints("main-cluster") {
        sandbox::pg::block_on(endpoint.set_mode(sandbox::proxy::Mode::Refuse));
    }
    let blind = run(&sandbox, here.path(), &args);
    let row = &summary(&blind)["databases"][0];
    assert!(
        row["state"] == "not-determined" || row["state"] == "not-ready",
        "{row}"
    );
    assert_ne!(blind.code, 0);
}
