//! What people get wrong, through the shipped binary: one message with cause and fix, the documented exit code, nothing on
//! stdout, and nothing asked for twice. Command lines and files that need no server are in `cli.rs`.

use std::{net::TcpListener, path::Path};

use sandbox::{ClusterSpec, Effect, FaultRule, InstanceSpec, Sandbox, Scenario, pg::block_on};

use crate::cli::{Ran, greenlight};

/// Usage or configuration.
const USAGE: i32 = 2;
/// Could not look at all.
const BLIND: i32 = 3;

/// One mistake and what it must lead to.
struct Mistake<'a> {
    name: &'a str,
    args: &'a [&'a str],
    /// Changes to a working environment: a variable and its value, or that it is not set.
    env: &'a [(&'a str, Option<&'a str>)],
    code: i32,
    /// The cause and the fix, in the message.
    says: &'a [&'a str],
}

fn run(here: &Path, usual: &[(&'static str, String)], mistake: &Mistake<'_>) -> Ran {
    let changed = |name: &str| mistake.env.iter().any(|(n, _)| *n == name);
    let kept = usual.iter().filter(|(name, _)| !changed(name));
    let mut env: Vec<(&str, &str)> = kept.map(|(name, value)| (*name, value.as_str())).collect();
    env.extend(
        mistake
            .env
            .iter()
            .filter_map(|(name, value)| value.map(|v| (*name, v))),
    );
    let args: Vec<&str> = ["check", "--target-version", "14.10"]
        .iter()
        .chain(mistake.args)
        .copied()
        .collect();
    greenlight(here, &args, &env)
}

fn leads_to_one_message(here: &Path, usual: &[(&'static str, String)], mistake: &Mistake<'_>) {
    let ran = run(here, usual, mistake);
    let name = mistake.name;
    assert_eq!(ran.code, mistake.code, "{name}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{name}");
    let message = ran.stderr.trim();
    assert!(message.starts_with("error: "), "{name}: {message}");
    assert_eq!(message.lines().count(), 1, "{name}: one message: {message}");
    for part in mistake.says {
        assert!(message.contains(part), "{name}: {message:?} lacks {part:?}");
    }
}

/// The API alone, which holds other engines beside the cluster.
fn account() -> Scenario {
    let mut scenario = Scenario::load("guide").expect("a built-in scenario");
    scenario.servers = false;
    let mut cluster: ClusterSpec = scenario.cluster[0].clone();
    "legacy-cluster".clone_into(&mut cluster.id);
    "aurora-mysql".clone_into(&mut cluster.engine);
    "8.0.mysql_aurora.3.05.2".clone_into(&mut cluster.version);
    cluster.instances = vec!["legacy1".to_owned()];
    cluster.parameter_group = None;
    cluster.load = None;
    scenario.cluster.push(cluster);
    scenario.instance.push(InstanceSpec {
        id: "blog".to_owned(),
        engine: "mysql".to_owned(),
        version: "8.0.39".to_owned(),
        ..InstanceSpec::default()
    });
    scenario
}

#[test]
fn a_wrong_subject_is_usage() {
    let sandbox = block_on(Sandbox::start(account())).expect("the scenario is valid");
    let here = tempfile::tempdir().expect("a folder");
    for mistake in [
        Mistake {
            name: "an unknown cluster",
            args: &["--cluster", "main-clutser"],
            env: &[],
            code: USAGE,
            says: &["no cluster \"main-clutser\"", "similar: main-cluster", "--region"],
        },
        Mistake {
            name: "an unknown instance",
            args: &["--instance", "nothing-like-it"],
            env: &[],
            code: USAGE,
            says: &[
                "no instance \"nothing-like-it\"",
                "check the name, --region and --profile",
            ],
        },
        Mistake {
            name: "an unknown deployment",
            args: &["--deployment", "bgd-0123456789abcdef"],
            env: &[],
            code: USAGE,
            says: &["bgd-0123456789abcdef", "no deployment at all"],
        },
        Mistake {
            name: "the wrong region",
            args: &["--cluster", "main-cluster", "--region", "us-east-1"],
            env: &[],
            code: USAGE,
            says: &["no cluster \"main-cluster\" in us-east-1", "--region"],
        },
        Mistake {
            name: "an ARN of another region",
            args: &[
                "--cluster",
                "arn:aws:rds:us-east-1:123456789012:cluster:main-cluster",
            ],
            env: &[],
            code: USAGE,
            says: &["lies in us-east-1", "give --region us-east-1"],
        },
        Mistake {
            name: "no region",
            args: &["--cluster", "main-cluster"],
            env: &[("AWS_REGION", None), ("AWS_DEFAULT_REGION", None)],
            code: USAGE,
            says: &["no AWS region", "give --region"],
        },
        Mistake {
            name: "an instance of a cluster",
            args: &["--instance", "db-cluster1"],
            env: &[],
            code: USAGE,
            says: &["use --cluster main-cluster"],
        },
        Mistake {
            name: "Aurora MySQL",
            args: &["--cluster", "legacy-cluster"],
            env: &[],
            code: USAGE,
            says: &["aurora-mysql", "PostgreSQL only"],
        },
        Mistake {
            name: "RDS for MySQL",
            args: &["--instance", "blog"],
            env: &[],
            code: USAGE,
            says: &["the engine mysql", "PostgreSQL only"],
        },
        Mistake {
            name: "an endpoint that is no URL",
            args: &["--cluster", "main-cluster", "--endpoint-url", "localhost"],
            env: &[],
            code: USAGE,
            says: &["is not an endpoint URL like https://"],
        },
    ] {
        leads_to_one_message(here.path(), &sandbox.env(), &mistake);
    }
}

#[test]
fn a_control_plane_that_does_not_answer_is_blind() {
    let sandbox = block_on(Sandbox::start(account())).expect("the scenario is valid");
    let here = tempfile::tempdir().expect("a folder");
    let cluster = &["--cluster", "main-cluster"];
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("bound"))
    };
    for mistake in [
        Mistake {
            name: "no credentials",
            args: cluster,
            env: &[("AWS_ACCESS_KEY_ID", None), ("AWS_SECRET_ACCESS_KEY", None)],
            code: BLIND,
            says: &["no AWS credentials", "aws sso login", "AWS_PROFILE"],
        },
        Mistake {
            name: "nobody at the endpoint",
            args: cluster,
            env: &[("AWS_ENDPOINT_URL", Some(&closed))],
            code: BLIND,
            says: &["cannot reach RDS in eu-west-1", "refused"],
        },
    ] {
        leads_to_one_message(here.path(), &sandbox.env(), &mistake);
    }
    for (effect, says) in [
        (Effect::ExpiredToken, ["session has expired", "log in again"]),
        (
            Effect::InvalidToken,
            ["does not accept the credentials", "check them"],
        ),
        (
            Effect::AccessDenied,
            ["AWS does not allow rds:DescribeDBClusters", "iam-policy"],
        ),
    ] {
        sandbox.faults().clear();
        sandbox.rds().arm(FaultRule::always("*", effect.clone()));
        let mistake = Mistake {
            name: &format!("{effect:?}"),
            args: cluster,
            env: &[],
            code: BLIND,
            says: &says,
        };
        leads_to_one_message(here.path(), &sandbox.env(), &mistake);
    }
}

/// A profile that is asked for by name goes over keys of the environment, which may be another account's.
#[test]
fn the_profile_of_the_flag_is_who_asks() {
    let sandbox = block_on(Sandbox::start(account())).expect("the scenario is valid");
    let here = tempfile::tempdir().expect("a folder");
    let config = here.path().join("config");
    let text =
        "[profile other]\naws_access_key_id = AKIAOTHEROTHEROTHER0\naws_secret_access_key = opens-nothing\n";
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("a path");
    let with = |profile: &'static str, code: i32, says: &'static [&'static str]| {
        let mistake = Mistake {
            name: profile,
            args: &["--cluster", "nobody", "--profile", profile],
            env: &[("AWS_CONFIG_FILE", Some(config))],
            code,
            says,
        };
        leads_to_one_message(here.path(), &sandbox.env(), &mistake);
    };
    with("nope", BLIND, &["profile `nope`"]);
    assert!(
        sandbox.calls().all().is_empty(),
        "the environment's keys were used"
    );
    with("other", USAGE, &["nobody"]);
    let keys = sandbox.calls().all();
    assert!(!keys.is_empty());
    for call in keys {
        assert_eq!(call.access_key.as_deref(), Some("AKIAOTHEROTHEROTHER0"));
    }
}

#[test]
fn a_token_that_expires_on_the_way_costs_facts_and_no_verdict() {
    let sandbox = block_on(Sandbox::start(account())).expect("the scenario is valid");
    let here = tempfile::tempdir().expect("a folder");
    sandbox
        .rds()
        .fail_next("DescribePendingMaintenanceActions", 1, Effect::ExpiredToken);
    let mistake = Mistake {
        name: "an expired token half-way",
        args: &["--cluster", "main-cluster"],
        env: &[("PGPASSWORD", Some("any"))],
        code: BLIND,
        says: &[],
    };
    // The cluster has no server here: what ends the run is that, not the one call.
    let ran = run(here.path(), &sandbox.env(), &mistake);
    assert_eq!((ran.code, ran.stdout.as_str()), (BLIND, ""), "{}", ran.stderr);
    assert!(!ran.stderr.contains("expired"), "{}", ran.stderr);
}

#[test]
fn a_database_that_does_not_let_in_is_blind() {
    let sandbox = block_on(Sandbox::start(
        Scenario::load("rds-instance").expect("a built-in scenario"),
    ))
    .expect("the scenario runs");
    let here = tempfile::tempdir().expect("a folder");
    let at = |says, args, env| Mistake {
        name: "",
        args,
        env,
        code: BLIND,
        says,
    };
    for mistake in [
        Mistake {
            name: "a wrong password",
            ..at(
                &["password", "PGPASSWORD"],
                &["--instance", "shop"],
                &[("PGPASSWORD", Some("wrong"))],
            )
        },
        Mistake {
            name: "no password",
            ..at(&["password"], &["--instance", "shop"], &[("PGPASSWORD", None)])
        },
        Mistake {
            name: "an unknown database",
            ..at(
                &["no such database", "--dbname"],
                &["--instance", "shop", "--dbname", "nope"],
                &[],
            )
        },
        Mistake {
            name: "an unknown role",
            ..at(
                &["stranger"],
                &["--instance", "shop", "--db-user", "stranger"],
                &[],
            )
        },
    ] {
        leads_to_one_message(here.path(), &sandbox.env(), &mistake);
    }
    sandbox.server("shop").expect("it has a server").kill();
    let mistake = Mistake {
        name: "an unreachable host",
        ..at(
            &["127.0.0.1"],
            &["--instance", "shop", "--timeout-connect", "5"],
            &[],
        )
    };
    leads_to_one_message(here.path(), &sandbox.env(), &mistake);
}
