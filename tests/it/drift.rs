//! `greenlight drift`: the upgrade guide's own CDK programs, Terraform, and files that are not what they should be.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::{Ran, greenlight};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn guide(name: &str) -> String {
    root()
        .join(format!("tests/cdk/guide-{name}.template.json"))
        .display()
        .to_string()
}

const GROUP: &str = "database-mainclusterparametergroup7306a627-1abcdef2ghij";

/// The guide's cluster as RDS describes it: two members, on a version, with a parameter group.
fn facts(version: &str, group: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/facts/aurora-create.json")).expect("the fixture");
    let mut facts: Value = serde_json::from_str(&text).expect("JSON");
    facts["request"] =
        json!({"subject": "main-cluster", "target_version": null, "target_parameter_group": null});
    let rds = &mut facts["rds"]["known"];
    rds["target_version"] = json!({"unknown": {"why": "not-asked", "detail": "no target"}});
    let blue = &mut rds["blue"]["known"];
    let cluster = &mut blue["cluster"];
    cluster["id"] = json!("main-cluster");
    cluster["arn"] = json!("arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster");
    cluster["engine_version"] = json!(version);
    cluster["parameter_group"] = json!(group);
    cluster["members"] = json!([
        {"instance_id": "db-cluster1", "writer": true, "parameter_group_status": "in-sync"},
        {"instance_id": "db-cluster2", "writer": false, "parameter_group_status": "in-sync"},
    ]);
    let instances = blue["instances"].as_array_mut().expect("instances");
    instances.truncate(2);
    for (n, instance) in instances.iter_mut().enumerate() {
        instance["id"] = json!(format!("db-cluster{}", n + 1));
        instance["arn"] = json!(format!(
            "arn:aws:rds:eu-west-1:123456789012:db:db-cluster{}",
            n + 1
        ));
        instance["cluster_id"] = json!("main-cluster");
        instance["engine_version"] = json!(version);
        instance["class"] = json!("db.t3.medium");
    }
    facts
}

struct Drift {
    ran: Ran,
    json: Value,
}

fn run(facts: &Value, arguments: &[&str]) -> Drift {
    let here = tempfile::tempdir().expect("a folder");
    run_in(here.path(), facts, arguments)
}

fn run_in(here: &Path, facts: &Value, arguments: &[&str]) -> Drift {
    std::fs::write(here.join("facts.json"), facts.to_string()).expect("written");
    let mut all = vec!["drift", "--facts", "facts.json", "--format", "json"];
    all.extend(arguments);
    let ran = greenlight(here, &all, &[]);
    let json = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    Drift { ran, json }
}

impl Drift {
    fn list(&self, name: &str) -> Vec<Value> {
        self.json[name]
            .as_array()
            .unwrap_or_else(|| panic!("{}{}", self.ran.stdout, self.ran.stderr))
            .clone()
    }

    fn texts(&self, list: &str, field: &str) -> Vec<String> {
        self.list(list)
            .iter()
            .map(|v| v[field].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

#[test]
fn the_guide_before_after_and_edited() {
    // Before the upgrade: nothing drifts.
    let before = run(&facts("12.14", GROUP), &["--template", &guide("before")]);
    assert_eq!(before.ran.code, 0, "{}", before.ran.stdout);
    assert_eq!(before.list("differences"), [Value::Null; 0]);
    assert_eq!(
        before.texts("matched", "live"),
        ["main-cluster", "db-cluster1", "db-cluster2"]
    );

    // After it: the two edits that the guide makes, and nothing else.
    let upgraded = facts("14.10", "default.aurora-postgresql14");
    let after = run(&upgraded, &["--template", &guide("before")]);
    assert_eq!(after.ran.code, 10, "{}", after.ran.stdout);
    assert_eq!(after.texts("edits", "property"), ["engine", "parameter_group"]);
    assert_eq!(
        after.texts("edits", "at"),
        ["Database/main/db-cluster", "Database/main/db-cluster"]
    );
    let writes = after.texts("edits", "write");
    assert!(
        writes[0].contains("AuroraPostgresEngineVersion.of(\"14.10\", \"14\")"),
        "{writes:?}"
    );
    assert!(
        writes[1]
            .contains("from_parameter_group_name(self, \"ParameterGroup\", \"default.aurora-postgresql14\")")
    );
    // The old version is a downgrade and the old group of another family: both are refused.
    assert_eq!(after.texts("differences", "effect"), ["refused", "refused"]);

    // With the code of the guide's second program: nothing drifts.
    let edited = run(&upgraded, &["--template", &guide("after")]);
    assert_eq!(
        (edited.ran.code, edited.list("differences").len()),
        (0, 0),
        "{}",
        edited.ran.stdout
    );
}

#[test]
fn the_guides_slip_of_the_pen_is_found() {
    let written = run(&facts("12.14", GROUP), &["--template", &guide("as-written")]);
    assert_eq!(written.ran.code, 10);
    let [difference] = written.list("differences").try_into().expect("one difference");
    assert_eq!(
        (&difference["property"], &difference["code"], &difference["live"]),
        (&json!("EngineVersion"), &json!("12.4"), &json!("12.14"))
    );
}

#[test]
fn a_look_ahead_says_what_will_drift() {
    let ahead = run(
        &facts("12.14", GROUP),
        &[
            "--template",
            &guide("before"),
            "--before",
            "--target-version",
            "14.10",
        ],
    );
    assert_eq!(ahead.ran.code, 10, "{}", ahead.ran.stdout);
    assert_eq!(ahead.texts("edits", "property"), ["engine", "parameter_group"]);
    assert!(
        ahead
            .list("differences")
            .iter()
            .all(|d| d["today"] == json!(false))
    );
    let blind = run(
        &facts("12.14", GROUP),
        &["--template", &guide("before"), "--before"],
    );
    assert_eq!(blind.ran.code, 2);
    assert!(
        blind.ran.stderr.contains("--target-version"),
        "{}",
        blind.ran.stderr
    );
    let down = run(
        &facts("14.10", GROUP),
        &[
            "--template",
            &guide("before"),
            "--before",
            "--target-version",
            "12.22",
        ],
    );
    assert_eq!(down.ran.code, 2);
}

/// A template with the guide's cluster, changed.
fn changed(change: impl FnOnce(&mut Value)) -> (tempfile::TempDir, String) {
    let text = std::fs::read_to_string(guide("before")).expect("the template");
    let mut template: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut template);
    let here = tempfile::tempdir().expect("a folder");
    let path = here.path().join("changed.json");
    std::fs::write(&path, template.to_string()).expect("written");
    (here, path.display().to_string())
}

const CLUSTER: &str = "maindbclusterD511D65D";

#[test]
fn what_replaces_the_database_comes_first() {
    let (_here, path) = changed(|t| {
        t["Resources"][CLUSTER]["Properties"]["StorageEncrypted"] = json!(false);
        t["Resources"][CLUSTER]["Properties"]["BackupRetentionPeriod"] = json!(7);
        t["Resources"][CLUSTER]["Properties"]["AssociatedRoles"] =
            json!([{"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}]);
    });
    let drift = run(
        &facts("14.10", "default.aurora-postgresql14"),
        &["--template", &path],
    );
    assert_eq!(drift.ran.code, 10);
    let effects: Vec<(String, String)> = drift
        .texts("differences", "property")
        .into_iter()
        .zip(drift.texts("differences", "effect"))
        .collect();
    let has = |property: &str, effect: &str| effects.contains(&(property.to_owned(), effect.to_owned()));
    assert_eq!(effects[0], ("StorageEncrypted".to_owned(), "replace".to_owned()));
    assert!(
        has("EngineVersion", "refused") && has("BackupRetentionPeriod", "interrupt"),
        "{effects:?}"
    );
    assert!(has("AssociatedRoles", "modify"), "{effects:?}");
    let commands = drift.texts("edits", "write").join("\n");
    assert!(
        commands.contains("aws rds add-role-to-db-cluster --db-cluster-identifier main-cluster"),
        "{commands}"
    );
}

#[test]
fn what_is_not_resolvable_is_said_and_decisive_where_it_decides() {
    let (_here, path) = changed(|t| {
        t["Parameters"]["Version"] = json!({"Type": "String"});
        t["Resources"][CLUSTER]["Properties"]["EngineVersion"] = json!({"Ref": "Version"});
    });
    let facts = facts("12.14", GROUP);
    let open = run(&facts, &["--template", &path]);
    assert_eq!(open.ran.code, 11, "{}", open.ran.stdout);
    let version = open
        .list("unresolved")
        .into_iter()
        .find(|u| u["property"] == "EngineVersion")
        .expect("said");
    assert_eq!(version["decisive"], json!(true));
    assert!(
        version["why"]
            .as_str()
            .expect("why")
            .contains("--parameter Version=VALUE")
    );
    let given = run(&facts, &["--template", &path, "--parameter", "Version=12.14"]);
    assert_eq!(given.ran.code, 0, "{}", given.ran.stdout);
    // Another cluster's template does not clear this one.
    let (_here, path) =
        changed(|t| t["Resources"][CLUSTER]["Properties"]["DBClusterIdentifier"] = json!("billing"));
    let other = run(&facts, &["--template", &path]);
    assert_eq!(other.ran.code, 11);
    assert!(
        other.texts("unresolved", "why")[0].contains("billing"),
        "{}",
        other.ran.stdout
    );
}

#[test]
fn clusters_without_names_are_matched_or_said_to_be_ambiguous() {
    let unnamed = |t: &mut Value| {
        let properties = t["Resources"][CLUSTER]["Properties"]
            .as_object_mut()
            .expect("properties");
        properties.remove("DBClusterIdentifier");
    };
    let live = facts("12.14", GROUP);
    let (_here, path) = changed(unnamed);
    let one = run(&live, &["--template", &path]);
    assert_eq!(
        (one.ran.code, one.texts("matched", "how")[0].as_str()),
        (0, "as the only candidate")
    );
    let (_here, path) = changed(|t| {
        unnamed(t);
        t["Resources"]["Second"] = t["Resources"][CLUSTER].clone();
    });
    let two = run(&live, &["--template", &path]);
    assert_eq!(two.ran.code, 11);
    assert!(
        two.texts("unresolved", "why")[0].contains("Second"),
        "{}",
        two.ran.stdout
    );
    let mut tagged = live;
    tagged["rds"]["known"]["blue"]["known"]["cluster"]["tags"]["aws:cloudformation:logical-id"] =
        json!(CLUSTER);
    let tagged = run(&tagged, &["--template", &path]);
    assert_eq!(
        tagged.texts("matched", "how")[0],
        "by the tag aws:cloudformation:logical-id"
    );
}

fn state(version: &str) -> Value {
    json!({"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {"child_modules": [{
        "address": "module.db",
        "resources": [{
            "address": "module.db.aws_rds_cluster.main", "mode": "managed", "type": "aws_rds_cluster", "name": "main",
            "values": {
                "cluster_identifier": "main-cluster", "engine": "aurora-postgresql", "engine_version": version,
                "db_cluster_parameter_group_name": "default.aurora-postgresql14", "storage_encrypted": true,
                "master_password": "s3cret", "iam_roles": []
            }
        }]
    }]}}})
}

#[test]
fn terraform_states_and_plans() {
    let here = tempfile::tempdir().expect("a folder");
    let live = facts("14.10", "default.aurora-postgresql14");
    let write = |name: &str, value: &Value| {
        std::fs::write(here.path().join(name), value.to_string()).expect("written")
    };
    write("state.json", &state("12.14"));
    let old = run_in(here.path(), &live, &["--tfstate", "state.json"]);
    assert_eq!(old.ran.code, 10, "{}", old.ran.stdout);
    assert_eq!(old.texts("edits", "write"), ["engine_version = \"14.10\""]);
    // A major alone stands for every minor of it.
    write("state.json", &state("14"));
    assert_eq!(
        run_in(here.path(), &live, &["--tfstate", "state.json"]).ran.code,
        0
    );

    let values = &state("12.14")["values"]["root_module"]["child_modules"][0]["resources"][0]["values"];
    let mut after = values.clone();
    after["storage_encrypted"] = json!(false);
    let mut before = values.clone();
    before["engine_version"] = json!("14.10");
    let plan = json!({"format_version": "1.2", "resource_changes": [{
        "address": "aws_rds_cluster.main", "mode": "managed", "type": "aws_rds_cluster", "name": "main",
        "change": {
            "actions": ["delete", "create"], "before": before, "after": after,
            "after_unknown": {"kms_key_id": true}, "replace_paths": [["storage_encrypted"]]
        }
    }]});
    write("plan.json", &plan);
    let plan = run_in(here.path(), &live, &["--tfplan", "plan.json"]);
    assert_eq!(plan.ran.code, 10);
    let first = &plan.list("differences")[0];
    assert_eq!(first["effect"], json!("replace"), "{}", plan.ran.stdout);
    let all = plan.texts("differences", "property");
    for wanted in ["actions", "storage_encrypted", "engine_version"] {
        assert!(all.contains(&wanted.to_owned()), "{all:?}");
    }
    assert!(plan.texts("unresolved", "why")[0].contains("after apply"));
}

#[test]
fn files_that_are_something_else_are_told() {
    let here = tempfile::tempdir().expect("a folder");
    let live = facts("12.14", GROUP);
    let template = std::fs::read_to_string(guide("before")).expect("the template");
    let state = state("12.14").to_string();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (flag, text, wanted) in [
        ("--template", &template[..template.len() / 2], "cut off"),
        (
            "--template",
            "Resources:\n  Db:\n    Type: AWS::RDS::DBCluster\n",
            "YAML",
        ),
        ("--template", state.as_str(), "--tfstate"),
        ("--template", "[]", "no object"),
        ("--template", "{}", "no Resources"),
        ("--template", "", "not JSON"),
        ("--template", deep.as_str(), "not JSON"),
        ("--tfstate", &state[..state.len() - 20], "cut off"),
        ("--tfstate", template.as_str(), "--template"),
        (
            "--tfstate",
            r#"{"version": 4, "serial": 7, "resources": []}"#,
            "raw state",
        ),
        ("--tfplan", state.as_str(), "--tfstate"),
    ] {
        std::fs::write(here.path().join("code"), text).expect("written");
        let ran = run_in(here.path(), &live, &[flag, "code"]).ran;
        assert_eq!(ran.code, 2, "{flag} {wanted}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.stderr);
    }
    let nothing = run_in(here.path(), &live, &[]).ran;
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("--template, --tfstate or --tfplan"));
}

#[test]
fn a_huge_template_costs_no_minute() {
    let (_here, path) = changed(|t| {
        for n in 0..20_000 {
            t["Resources"][format!("Filler{n}")] = json!({"Type": "AWS::RDS::DBCluster", "Properties": {"DBClusterIdentifier": format!("filler-{n}")}});
        }
        // Conditions that double at each step.
        t["Conditions"] = json!({});
        for n in 0..60 {
            let next = format!("C{}", n + 1);
            t["Conditions"][format!("C{n}")] = json!({"Fn::And": [{"Condition": next}, {"Condition": next}]});
        }
        t["Conditions"]["C60"] = json!({"Fn::Equals": ["a", "a"]});
        t["Resources"][CLUSTER]["Condition"] = json!("C0");
    });
    let begun = std::time::Instant::now();
    let drift = run(&facts("12.14", GROUP), &["--template", &path]);
    assert_eq!(drift.ran.code, 11, "{}", drift.ran.stderr);
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn the_table_says_it_to_people() {
    let here = tempfile::tempdir().expect("a folder");
    std::fs::write(
        here.path().join("facts.json"),
        facts("14.10", "default.aurora-postgresql14").to_string(),
    )
    .expect("written");
    let template = guide("before");
    let ran = greenlight(
        here.path(),
        &["drift", "--facts", "facts.json", "--template", &template],
        &[],
    );
    assert_eq!(ran.code, 10);
    for wanted in [
        "DRIFT",
        "ROLLS BACK",
        "EngineVersion",
        "12.14",
        "14.10",
        "EDITS",
        "nothing happens",
    ] {
        assert!(ran.stdout.contains(wanted), "{wanted}: {}", ran.stdout);
    }
}
