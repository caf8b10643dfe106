//! `greenlight plan` on saved facts: the way, the parameters, and code that a shell can read.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::{Ran, greenlight};

mod ways;

fn facts(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/facts")
        .join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture")).expect("JSON")
}

fn run(here: &Path, facts: &Value, arguments: &[&str]) -> Ran {
    std::fs::write(here.join("facts.json"), facts.to_string()).expect("written");
    let mut all = vec!["plan", "--facts", "facts.json"];
    all.extend(arguments);
    greenlight(here, &all, &[])
}

fn json_of(facts: &Value, arguments: &[&str]) -> Value {
    let here = tempfile::tempdir().expect("a folder");
    let mut all = vec!["--format", "json"];
    all.extend(arguments);
    let ran = run(here.path(), facts, &all);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// The fixture's cluster, on the guide's version.
fn guide() -> Value {
    let mut facts = facts("aurora-create.json");
    let rds = &mut facts["rds"]["known"];
    rds["blue"]["known"]["cluster"]["engine_version"] = json!("12.14");
    let target = |version: &str, major: bool| json!({"version": version, "major": major, "auto": false});
    let version = |version: &str, targets: Vec<Value>| json!({"version": version, "family": "aurora-postgresql12", "status": "available", "upgrade_targets": targets});
    let own = version(
        "12.14",
        vec![
            target("12.17", false),
            target("12.22", false),
            target("14.10", true),
        ],
    );
    rds["source_version"] = json!({"known": own.clone()});
    rds["minor_versions"] = json!({"known": [
        own,
        version("12.17", vec![target("12.22", false), target("14.10", true), target("14.15", true)]),
        version("12.22", vec![target("14.15", true), target("16.6", true)]),
    ]});
    facts
}

#[test]
fn the_guides_upgrade_needs_a_minor_step_first() {
    let plan = json_of(&guide(), &["--target-version", "14.10"]);
    let hops = json!([
        {"from": "12.14", "to": "12.17", "by": "in-place"},
        {"from": "12.17", "to": "14.10", "by": "blue-green"},
    ]);
    assert_eq!(plan["hops"], hops);
    let newest = json_of(&guide(), &["--target-major", "14"]);
    assert_eq!(newest["target_version"], json!("14.15"));
    assert_eq!(
        json_of(&guide(), &["--target-version", "latest"])["target_version"],
        json!("16.6")
    );
}

/// Within a major RDS makes green as a read replica: what is said of publications, workers and DDL elsewhere is not true of it.
#[test]
fn a_minor_upgrade_of_an_instance_speaks_of_a_read_replica_alone() {
    let here = tempfile::tempdir().expect("a folder");
    let minor = facts("rds-minor.json");
    let said = |arguments: &[&str]| {
        let ran = run(here.path(), &minor, arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = said(&["--target-version", "15.10"]);
    assert!(text.contains("physical replication"), "{text}");
    assert!(text.contains("green follows as its read replica"), "{text}");
    assert!(text.contains("green keeps default.postgres15"), "{text}");
    for word in [
        "publi",
        "subscri",
        "logical",
        "worker",
        "must not change",
        "ends with the upgrade",
    ] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    // The same words where they belong.
    let major = said(&["--target-version", "16.6"]);
    assert!(
        major.contains("one worker a database") && major.contains("must not change"),
        "{major}"
    );
}

#[test]
fn values_are_carried_over_and_missing_ones_are_told() {
    let mut facts = facts("aurora-create.json");
    limit(&mut facts, "max_replication_slots", "5");
    let groups = &mut facts["rds"]["known"]["parameter_groups"];
    let user = json!({"value": "15625", "source": "user", "apply_type": "dynamic", "apply_method": "immediate",
        "modifiable": true, "allowed": null});
    groups["cluster:main-pg12"]["known"]["parameters"]["wal_keep_segments"] = user;
    groups["cluster:main-pg12"]["known"]["parameters"]["max_replication_slots"]["value"] = json!("5");
    let plan = json_of(
        &facts,
        &[
            "--target-version",
            "14.15",
            "--target-parameter-group",
            "main-pg14",
        ],
    );
    let groups = &plan["parameter_groups"];
    let carried = |name: &str| {
        let values = groups["values"].as_array().expect("values");
        values
            .iter()
            .find(|v| v["name"] == name)
            .map(|v| v["carried"].clone())
            .expect(name)
    };
    assert_eq!(carried("wal_keep_segments"), json!("gone"));
    assert_eq!(carried("max_wal_senders"), json!("there"));
    assert_eq!(
        carried("max_replication_slots"),
        json!({"differs": {"there": "25"}})
    );
    let needed = groups["needed"].as_array().expect("needed");
    assert_eq!(needed.len(), 1, "{needed:?}");
    assert_eq!(needed[0]["parameter"], json!("max_replication_slots"));
    // The arithmetic is the check's own.
    let why = needed[0]["why"].as_str().expect("why");
    assert!(
        why.contains("(max-replication-slots)") && why.contains("databases"),
        "{why}"
    );
    // Readers reboot before the writer.
    let all = plan["steps"].to_string();
    let at = |name: &str| {
        all.find(&format!("reboot-db-instance --db-instance-identifier {name}"))
            .expect(name)
    };
    assert!(at("main-3") < at("main-2") && at("main-2") < at("main-1"));
}

/// Sets a limit of blue's server, and shows all else that the capacity checks look at as empty.
fn limit(facts: &mut Value, name: &str, value: &str) {
    for probe in ["slots", "senders", "apply", "workers"] {
        facts["blue"]["known"]["probes"][probe] = json!({"known": {"total": 0, "rows": []}});
    }
    let rows = facts["blue"]["known"]["probes"]["settings"]["known"]["rows"].as_array_mut();
    let row = rows.expect("settings").iter_mut().find(|row| row["name"] == name);
    row.expect(name)["setting"] = json!(value);
}

/// On a local RDS: the way is asked for as far as it leads, classes that are gone get their nearest, nothing is invented.
#[test]
fn a_live_plan_knows_classes_support_and_what_is_paid_twice() {
    let mut scenario = sandbox::Scenario::default();
    let cluster = |id: &str, version: &str, class: &str| sandbox::ClusterSpec {
        id: id.to_owned(),
        version: version.to_owned(),
        class: class.to_owned(),
        instances: vec![format!("{id}-1"), format!("{id}-2")],
        ..sandbox::ClusterSpec::default()
    };
    scenario.cluster = vec![
        cluster("old", "12.14", "db.r4.large"),
        cluster("new", "16.6", "db.r6g.large"),
    ];
    let sandbox = sandbox::Sandbox::start_blocking(scenario, sandbox::Options::default()).expect("valid");
    let env = sandbox.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let here = tempfile::tempdir().expect("a folder");
    let plan = |args: &[&str]| {
        let mut all = vec!["plan"];
        all.extend(args);
        greenlight(here.path(), &all, &env)
    };
    let ran = plan(&[
        "--cluster",
        "old",
        "--target-version",
        "14.10",
        "--format",
        "json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(json["hops"][0]["by"], json!("in-place"));
    assert_eq!(json["hops"][1]["to"], json!("14.10"));
    assert_eq!(json["classes_not_orderable"], json!(["db.r4.large"]));
    assert_eq!(json["class_choices"]["db.r4.large"][0], json!("db.r5.large"));
    assert!(
        json["support"].to_string().contains("2025-02-28"),
        "{}",
        json["support"]
    );
    assert_eq!(json["reboots"], json!(["old-2", "old-1"]));
    assert!(
        json["paid_twice"].to_string().contains("2 × db.r4.large"),
        "{}",
        json["paid_twice"]
    );
    assert!(
        json["notes"]
            .to_string()
            .contains("the databases were not looked at")
    );
    for estimate in json["durations"].as_array().expect("durations") {
        assert!(!estimate["based_on"].as_str().expect("a basis").is_empty());
    }
    let newest = plan(&[
        "--cluster",
        "new",
        "--target-version",
        "latest",
        "--format",
        "json",
    ]);
    let json: Value = serde_json::from_str(&newest.stdout).expect("JSON");
    let (source, target) = (json["source_version"].as_str(), json["target_version"].as_str());
    assert!(
        source == Some("16.6") && target.is_some_and(|t| t > "16.6"),
        "{target:?}"
    );
    let table = plan(&["--cluster", "old", "--target-major", "16"]);
    for wanted in [
        "the nearest that can: db.r5.large",
        "greenlight prepare --cluster old",
        "greenlight create --cluster old",
        "greenlight switchover --deployment old-to-16",
        "greenlight cleanup --deployment old-to-16",
        "HOW LONG",
        "based on: ",
    ] {
        assert!(table.stdout.contains(wanted), "{wanted}: {}", table.stdout);
    }
    for line in table.stdout.lines() {
        let text = line.trim_start();
        let command = ["greenlight ", "aws ", "until "]
            .iter()
            .any(|c| text.starts_with(c))
            || text.contains("https://");
        assert!(command || line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_class_that_the_target_does_not_know_is_told() {
    let mut facts = facts("aurora-create.json");
    facts["rds"]["known"]["orderable_on_target"]["db.r6g.large"] = json!({"known": false});
    let plan = json_of(&facts, &["--target-version", "14.15"]);
    assert_eq!(plan["classes_not_orderable"], json!(["db.r6g.large"]));
}

#[test]
fn without_a_way_there_is_no_plan() {
    let here = tempfile::tempdir().expect("a folder");
    for (arguments, code, wanted) in [
        (&["--target-version", "14.7"][..], 10, "14.15"),
        (&["--target-version", "12.22"], 10, "already"),
        (&["--target-version", "fourteen"], 2, "latest"),
        (&[], 2, "--target-major"),
        (
            &["--target-version", "14.15", "--target-major", "14"],
            2,
            "cannot be used with",
        ),
    ] {
        let ran = run(here.path(), &facts("aurora-create.json"), arguments);
        assert_eq!(ran.code, code, "{arguments:?} {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.stderr);
    }
    let mut retired = facts("aurora-create.json");
    retired["rds"]["known"]["source_version"] = json!({"known": null});
    retired["rds"]["known"]["minor_versions"] = json!({"known": []});
    let ran = run(here.path(), &retired, &["--target-version", "14.15"]);
    assert_eq!(ran.code, 11, "{}", ran.stderr);
}

#[test]
fn the_script_is_one_that_a_shell_can_read() {
    for (name, target) in [("aurora-create.json", "14.15"), ("rds-create.json", "16.6")] {
        let here = tempfile::tempdir().expect("a folder");
        let ran = run(
            here.path(),
            &facts(name),
            &["--target-version", target, "--format", "cli"],
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stdout.contains("create-blue-green-deployment"),
            "{}",
            ran.stdout
        );
        // All of it, in order, each with greenlight's command beside it.
        let mut rest = ran.stdout.as_str();
        for wanted in [
            "export AWS_REGION=",
            "with greenlight: greenlight create",
            "aws rds create-blue-green-deployment",
            "--until ready",
            "with greenlight: greenlight switchover",
            "aws rds switchover-blue-green-deployment",
            "--until switched",
            "with greenlight: greenlight cleanup",
            "-old1-final",
            "aws rds delete-blue-green-deployment",
            "aws rds delete-db-instance",
            "greenlight drift",
        ] {
            let at = rest
                .find(wanted)
                .unwrap_or_else(|| panic!("{wanted}: {}", ran.stdout));
            rest = &rest[at..];
        }
        let script = here.path().join("upgrade.sh");
        std::fs::write(&script, &ran.stdout).expect("written");
        let read = std::process::Command::new("sh")
            .arg("-n")
            .arg(&script)
            .status()
            .expect("a shell");
        assert!(read.success(), "{}", ran.stdout);
        let table = run(here.path(), &facts(name), &["--target-version", target]);
        assert!(
            table.stdout.contains("STEPS") && table.stdout.contains("(blue/green)"),
            "{}",
            table.stdout
        );
    }
    // A hostile name of a saved file stays an argument.
    let mut hostile = facts("aurora-create.json");
    hostile["rds"]["known"]["blue"]["known"]["cluster"]["id"] = json!("x\ntouch owned; $(touch owned) 'q'");
    let here = tempfile::tempdir().expect("a folder");
    let ran = run(
        here.path(),
        &hostile,
        &["--target-version", "14.15", "--format", "cli"],
    );
    let script = ran
        .stdout
        .replace("aws ", "true ")
        .replace("greenlight ", "true ");
    std::fs::write(here.path().join("upgrade.sh"), script).expect("written");
    let done = std::process::Command::new("sh")
        .arg("upgrade.sh")
        .current_dir(here.path())
        .status()
        .expect("a shell");
    assert!(done.success() && !here.path().join("owned").exists());
}

/// Runs Python with what it needs, or says loudly that it does not.
fn python(modules: &str, here: &Path, arguments: &[&str]) {
    let python = std::env::var("GREENLIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = format!("import {modules}");
    let there = std::process::Command::new(&python)
        .args(["-c", &import])
        .output()
        .is_ok_and(|o| o.status.success());
    if !there {
        let required = std::env::var("GREENLIGHT_REQUIRE_PYTHON").is_ok_and(|v| v == "1");
        assert!(!required, "{python} cannot {import}");
        eprintln!("NOT TESTED: {python} cannot {import}; install it, or name another with GREENLIGHT_PYTHON");
        return;
    }
    let output = std::process::Command::new(&python)
        .args(arguments)
        .current_dir(here)
        .output()
        .expect("it runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {}{}",
        said(&output.stdout),
        said(&output.stderr)
    );
}

/// Done by hand and not here, since it takes a hundred megabytes of packages and 10 s a synthesis: both Python programs synthesized
/// with aws-cdk-lib 2.275 from PyPI, where calling `after_the_switchover` changes two properties of the template and nothing
/// else; and `tsc --strict` over both TypeScript ones.
#[test]
fn generated_code_is_code() {
    for (name, target) in [("aurora-create.json", "14.15"), ("rds-create.json", "16.6")] {
        let here = tempfile::tempdir().expect("a folder");
        let mut facts = facts(name);
        facts["request"]["target_parameter_group"] = Value::Null;
        let make = |format: &str, file: &str| {
            let ran = run(
                here.path(),
                &facts,
                &["--target-version", target, "--format", format],
            );
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            std::fs::write(here.path().join(file), &ran.stdout).expect("written");
            ran.stdout
        };
        let template: Value = serde_json::from_str(&make("cloudformation", "group.json")).expect("JSON");
        let properties = &template["Resources"]["UpgradeParameterGroup"]["Properties"];
        assert_eq!(
            properties["Parameters"]["max_replication_slots"],
            json!("25"),
            "{template}"
        );
        let edits = &template["Metadata"]["AfterTheSwitchover"];
        let kind = if name.starts_with("aurora") {
            "AWS::RDS::DBCluster"
        } else {
            "AWS::RDS::DBInstance"
        };
        assert_eq!(
            (&edits["Resource"], &edits["Properties"]["EngineVersion"]),
            (&json!(kind), &json!(target))
        );
        let lint = "import sys; from cfnlint.runner import main; sys.argv = ['cfn-lint', 'group.json']; sys.exit(main())";
        python("cfnlint", here.path(), &["-c", lint]);
        assert!(make("cdk-python", "group.py").contains("\"max_replication_slots\": \"25\""));
        python("py_compile", here.path(), &["-m", "py_compile", "group.py"]);
        assert!(make("terraform", "group.tf").contains("max_replication_slots"));
        // As it stands, and with the edits that wait in its comments.
        let parse = "import hcl2; d = hcl2.load(open('group.tf')); assert len(d['resource']) == 1, d\n\
                     t = open('group.tf').read(); a = t.index('# resource')\n\
                     e = hcl2.loads('\\n'.join(l[2:] for l in t[a:].splitlines()) + '\\n'); b = list(e['resource'][0].values())[0]\n\
                     b = list(b.values())[0]; assert 'engine_version' in b and any('parameter_group_name' in k for k in b), b";
        python("hcl2", here.path(), &["-c", parse]);
        let typescript = make("cdk-typescript", "group.ts");
        assert!(
            typescript.contains("\"max_replication_slots\": \"25\""),
            "{typescript}"
        );
    }
}

/// What plan prints is what prepare makes: the same groups by the same names, with the same values.
#[test]
fn a_plan_names_and_fills_the_groups_as_prepare_does() {
    let mut scenario = crate::whole::cluster();
    scenario.cluster[0].parameter_group = None;
    let stage = crate::whole::Stage::new(scenario);
    let json = |line: &str, code: i32| -> Value {
        let ran = stage.ends(line, code);
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let plan = json(
        "plan --cluster main-cluster --target-version 14.10 --databases --format json",
        0,
    );
    let prepare = json(
        "prepare --cluster main-cluster --target-version 14.10 --format json",
        10,
    );
    let pairs = |list: &Value, name: &str, value: &str| -> std::collections::BTreeMap<String, String> {
        let text = |v: &Value| v.as_str().expect("a text").to_owned();
        let list = list.as_array().expect("a list").iter();
        list.map(|v| (text(&v[name]), text(&v[value]))).collect()
    };
    let blue = &prepare["blue"][0];
    assert_eq!(
        pairs(&plan["parameter_groups"]["needed"], "parameter", "value"),
        pairs(&blue["values"], "name", "to")
    );
    let green = &prepare["target"]["work"];
    let set: Vec<Value> = plan["parameter_groups"]["values"]
        .as_array()
        .expect("values")
        .iter()
        .filter(|v| v["carried"] == "set" || v["carried"] == "unknown")
        .cloned()
        .collect();
    assert!(
        set.iter().any(|v| v["name"] == "rds.logical_replication"),
        "{set:?}"
    );
    assert_eq!(
        pairs(&Value::Array(set), "name", "value"),
        pairs(&green["values"], "name", "to")
    );
    assert_eq!(plan["parameter_groups"]["target"], green["name"]);
    let script = stage
        .ends(
            "plan --cluster main-cluster --target-version 14.10 --databases --format cli",
            0,
        )
        .stdout;
    for name in [&blue["name"], &green["name"]] {
        let name = name.as_str().expect("a name");
        let made = format!("--db-cluster-parameter-group-name {name} --db-parameter-group-family");
        assert!(script.contains(&made), "{name}: {script}");
    }
}
