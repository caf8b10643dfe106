//! Least rights: each command works with exactly what `greenlight iam-policy` prints for it, and says which action is missing
//! when one of those that it calls is taken away. (Actions that RDS asks for on top of a call, such as those of creating
//! green's instances, are RDS's own doing; the local RDS does not ask for them.)

use greenlight::{
    edge::rds::{RdsRequest, Subject, collect},
    model::{Engine, PgVersion},
    permissions::{self, Purpose},
};
use sandbox::{Sandbox, Scenario, pg::block_on};

use crate::{
    switchover::stage::{self, ACTION},
    whole::{Stage, cluster},
};

/// The policy's actions without their prefix, and without those that are taken away.
fn actions(purpose: Purpose, without: &[&str]) -> Vec<String> {
    let policy = permissions::policy(purpose, Engine::Aurora);
    let statements = policy["Statement"].as_array().expect("statements");
    let actions = statements
        .iter()
        .flat_map(|s| s["Action"].as_array().expect("actions"))
        .filter_map(|a| a.as_str()?.strip_prefix("rds:"));
    actions
        .filter(|a| !without.contains(a))
        .map(str::to_owned)
        .collect()
}

fn allow(sandbox: &Sandbox, purpose: Purpose, without: &[&str]) {
    for action in without {
        assert!(
            actions(purpose, &[]).iter().any(|a| a == action),
            "{action} is in the policy for {purpose:?}"
        );
    }
    sandbox.faults().allow_only(actions(purpose, without));
}

/// Every action that looking needs, each taken away in turn: it is named, in a fact or in the error.
#[test]
fn each_right_to_look_that_is_missing_is_named() {
    block_on(async {
        let mut scenario = Scenario::load("guide-ready").expect("built in");
        scenario.servers = false;
        let sandbox = Sandbox::start(scenario).await.expect("a local RDS");
        let config = crate::rds_collect::config(&sandbox).await;
        let look = async || {
            let request = RdsRequest {
                subject: Subject::Cluster("main-cluster".to_owned()),
                target_version: Some(PgVersion::new(14, 10)),
                target_parameter_group: None,
                endpoint_url: None,
            };
            match collect(&config, &request).await {
                Ok(collected) => serde_json::to_string(&collected.facts).expect("JSON"),
                Err(e) => e.to_string(),
            }
        };
        allow(&sandbox, Purpose::Check, &[]);
        let whole = look().await;
        assert!(!whole.contains("is not allowed"), "the policy is enough: {whole}");
        let used: Vec<String> = sandbox
            .calls()
            .all()
            .into_iter()
            .map(|call| call.action)
            .collect();
        let mut named = 0;
        for action in permissions::LOOK.iter().filter_map(|a| a.strip_prefix("rds:")) {
            // Actions about instances of RDS are not called for a cluster of Aurora.
            if !used.iter().any(|u| u == action) {
                continue;
            }
            named += 1;
            allow(&sandbox, Purpose::Check, &[action]);
            let told = look().await;
            // Without the group's family its values are still there: that right costs nothing else.
            let quiet = action.ends_with("ParameterGroups");
            assert!(
                quiet || told.contains(&format!("rds:{action}")),
                "{action} is missing, and it is not said: {told}"
            );
        }
        assert!(named >= 14, "{named} actions are called");
    });
}

#[test]
fn preparing_and_creating_name_the_right_that_is_missing() {
    let mut scenario = cluster();
    scenario.cluster[0].parameter_group = None;
    let stage = Stage::new(scenario);
    let prepare = "prepare --cluster main-cluster --target-version 14.10 --apply --reboot --yes";
    for action in [
        "CreateDBClusterParameterGroup",
        "ModifyDBClusterParameterGroup",
        "ModifyDBCluster",
        "FailoverDBCluster",
    ] {
        allow(&stage.sandbox, Purpose::Prepare, &[action]);
        let ran = stage.run(prepare);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.code != 0, "{action}: {said}");
        assert!(
            said.contains(&format!("rds:{action}")),
            "{action} is not named: {said}"
        );
    }
    allow(&stage.sandbox, Purpose::Prepare, &[]);
    stage.ends(prepare, 0);

    let create = "create --cluster main-cluster --target-version 14.10 --target-parameter-group main-cluster-pg14 \
                  --name to-14 --yes --poll 1 --reconcile-for 2 --only replica-identity --lag-samples 1";
    allow(&stage.sandbox, Purpose::Create, &["CreateBlueGreenDeployment"]);
    let ran = stage.run(&format!("{create} --journal denied"));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, 20, "{said}");
    assert!(said.contains("rds:CreateBlueGreenDeployment"), "{said}");
    allow(&stage.sandbox, Purpose::Create, &[]);
    stage.ends(create, 0);
}

#[test]
fn switching_over_and_cleaning_up_name_the_right_that_is_missing() {
    block_on(async {
        let stage = stage::Stage::new(stage::quiet()).await;
        allow(&stage.sandbox, Purpose::Switchover, &[ACTION]);
        let denied = stage.run("denied", &[]).await.with(20);
        denied.says(&format!("rds:{ACTION}"));
        allow(&stage.sandbox, Purpose::Switchover, &[]);
        stage.run("done", &[]).await.with(0);

        let env = stage.sandbox.env();
        let folder = stage.folder.path().to_owned();
        let cleanup = async |more: &'static str| {
            let (env, folder) = (env.clone(), folder.clone());
            tokio::task::spawn_blocking(move || {
                let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let line = format!(
                    "cleanup --deployment main-to-14 --yes {more} --only version-in-force,production-writable --poll 1 \
                     --reconcile-for 2 --lag-samples 1"
                );
                let args: Vec<&str> = line.split(' ').collect();
                let ran = crate::cli::greenlight(&folder, &args, &env);
                (ran.code, format!("{}{}", ran.stdout, ran.stderr))
            })
            .await
            .expect("it ran")
        };
        let mut how = "--delete-old --final-snapshot main-on-12";
        for action in [
            "CreateDBClusterSnapshot",
            "DeleteBlueGreenDeployment",
            "DeleteDBInstance",
            "DeleteDBCluster",
        ] {
            allow(&stage.sandbox, Purpose::Cleanup, &[action]);
            let (code, said) = cleanup(how).await;
            assert_eq!(code, 20, "{action}: {said}");
            assert!(
                said.contains(&format!("rds:{action}")),
                "{action} is not named: {said}"
            );
            how = "--resume";
        }
        allow(&stage.sandbox, Purpose::Cleanup, &[]);
        let (code, said) = cleanup(how).await;
        assert_eq!(code, 0, "{said}");
    });
}

/// Looking commands: each runs to its end with the rights of its policy, and asks for nothing else. What a policy names is
/// called by one of them.
#[test]
fn looking_commands_have_enough_with_their_policies_and_use_them() {
    let mut scenario = Scenario::load("guide-ready").expect("built in");
    scenario.servers = false;
    let instance = Scenario::load("rds-instance").expect("built in");
    scenario.instance = instance.instance;
    scenario.parameter_group.extend(instance.parameter_group);
    let sandbox = Sandbox::start_blocking(scenario, sandbox::Options::default()).expect("a local RDS");
    let here = tempfile::tempdir().expect("a folder");
    std::fs::write(here.path().join("stack.json"), r#"{"Resources": {}}"#).expect("written");
    let env = sandbox.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = |line: &str| {
        let args: Vec<&str> = line.split(' ').collect();
        let ran = crate::cli::greenlight(here.path(), &args, &env);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    // The names that people would ask for.
    for (asked, same) in [("watch", "check"), ("drift", "check"), ("collect", "check")] {
        assert_eq!(
            run(&format!("iam-policy --for {asked}")),
            run(&format!("iam-policy --for {same}"))
        );
    }
    let mut named = 0;
    let denied = |said: &str| said.contains("is not allowed") || said.contains("AccessDenied");
    for (purpose, engine, line) in [
        (
            Purpose::Plan,
            Engine::Aurora,
            "plan --cluster main-cluster --target-major 16",
        ),
        (
            Purpose::Plan,
            Engine::Rds,
            "plan --instance shop --target-major 17",
        ),
        (
            Purpose::Check,
            Engine::Aurora,
            "drift --cluster main-cluster --template stack.json --before --target-version 14.10",
        ),
        (
            Purpose::Check,
            Engine::Rds,
            "drift --instance shop --template stack.json",
        ),
        (
            Purpose::Check,
            Engine::Aurora,
            "watch --deployment main-to-14 --until available --timeout 20s --format json",
        ),
        (
            Purpose::Fleet,
            Engine::Aurora,
            "fleet --all --api-only --target-major 16",
        ),
        (
            Purpose::Prepare,
            Engine::Rds,
            "prepare --instance shop --target-version 17.4 --format json",
        ),
    ] {
        let before = sandbox.calls().all().len();
        let names = |without: &str| {
            let policy = permissions::policy(purpose, engine);
            let statements = policy["Statement"].as_array().expect("statements").clone();
            let actions = statements
                .into_iter()
                .flat_map(|s| s["Action"].as_array().cloned().unwrap_or_default())
                .filter_map(|a| a.as_str()?.strip_prefix("rds:").map(str::to_owned))
                .filter(|a| a != without);
            actions.collect::<Vec<String>>()
        };
        sandbox.faults().allow_only(names(""));
        let said = run(line);
        assert!(!denied(&said), "{line}: the policy is not enough: {said}");
        let used: std::collections::BTreeSet<String> = sandbox.calls().all()[before..]
            .iter()
            .map(|call| call.action.clone())
            .collect();
        assert!(
            used.iter().all(|action| action.starts_with("Describe")),
            "{line}: {used:?}"
        );
        assert!(used.len() >= 4, "{line}: {used:?}");
        // What is added to looking is there because it is called, and its lack is told.
        let added = names("");
        let look: Vec<&str> = permissions::LOOK
            .iter()
            .filter_map(|a| a.strip_prefix("rds:"))
            .collect();
        for action in added
            .iter()
            .filter(|a| !look.contains(&a.as_str()) && a.starts_with("Describe"))
        {
            // The local RDS has every default group of an instance, and then there is no need to ask for the family.
            if !used.contains(action) {
                assert_eq!(engine, Engine::Rds, "{line} never calls {action}");
                continue;
            }
            named += 1;
            sandbox.faults().allow_only(names(action));
            let said = run(line);
            assert!(
                said.contains(&format!("rds:{action}")),
                "{line}: {action} is not named: {said}"
            );
        }
    }
    assert!(named > 0, "no right beyond looking was taken away");
}
