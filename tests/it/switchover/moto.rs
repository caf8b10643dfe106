//! The same command against an RDS API that others wrote: moto answers at once, moves no server, and does not know many things. The
//! databases are the sandbox's, and the sandbox switches them over when moto has been asked to.

use tokio::process::Command;

use super::stage::{Ended, Stage, ended, quiet};
use crate::{
    moto::{CLUSTER, Moto},
    rds_change::{config, credentials},
};

/// Prints the status of the only deployment.
const STATUS: &str = "print(rds.describe_blue_green_deployments()['BlueGreenDeployments'][0]['Status'])";

/// The command, with its API at moto and its databases at the sandbox.
fn command(stage: &Stage, moto: &Moto, more: &[&str]) -> Command {
    let mut command = stage.command("a.journal", more);
    let port = |id: &str| stage.sandbox.endpoints(id)[0].addr().port();
    command
        .envs(moto.env())
        .args(["--tls-mode", "disable"])
        .args(["--connect", &format!("blue=127.0.0.1:{}", port("main-cluster"))])
        .args([
            "--connect",
            &format!("green=127.0.0.1:{}", stage.sandbox.green().expect("green").port()),
        ]);
    command
}

async fn run(stage: &Stage, moto: &Moto, more: &[&str]) -> Ended {
    ended(command(stage, moto, more).spawn().expect("the binary starts")).await
}

/// Switches the sandbox over, as RDS would have done what moto was asked for.
async fn follow(stage: &Stage) {
    let config = config(&stage.sandbox.endpoint_url(), credentials()).await;
    let rds = aws_sdk_rds::Client::new(&config);
    let id = stage.sandbox.rds().deployment("main-to-14").expect("there").id;
    let request = rds
        .switchover_blue_green_deployment()
        .blue_green_deployment_identifier(id);
    request.send().await.expect("RDS takes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moto_cannot_tell_is_waived_by_name_and_then_it_is_switched_over() {
    let Some(moto) = Moto::start() else { return };
    let stage = Stage::new(quiet()).await;
    moto.script(CLUSTER);

    // What is not known is no pass: it is named, and nothing is sent.
    let blind = run(&stage, &moto, &["--format", "json"]).await.with(11);
    let events = blind.events();
    let report = &events.last().expect("an end")["report"];
    let checks = report["checks"].as_array().expect("checks").iter();
    let unknown = checks.filter(|check| check["outcome"] == "unknown" && check["level"] == "blocker");
    let mut policy = String::new();
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let tomorrow = tomorrow.strftime("%Y-%m-%d").to_string();
    for check in unknown {
        for unseen in check["unseen"].as_array().expect("what was not seen") {
            policy.push_str(&format!(
                "[[waivers]]\ncheck = {}\nsubject = {}\nreason = \"moto does not know\"\nallow-unknown = true\nuntil = {tomorrow}\n",
                check["id"], unseen["subject"]
            ));
        }
    }
    for check in ["parameter-values", "babelfish", "zero-etl"] {
        assert!(policy.contains(check), "{policy}");
    }
    assert_eq!(moto.script(STATUS).trim(), "AVAILABLE");

    std::fs::write(stage.folder.path().join("greenlight.toml"), policy).expect("written");
    let child = command(&stage, &moto, &["--stable-for", "0ms"])
        .spawn()
        .expect("the binary starts");
    let run = tokio::spawn(ended(child));
    let answered = || {
        std::fs::read_to_string(stage.journal("a.journal")).is_ok_and(|t| t.contains("\"kind\":\"answered\""))
    };
    stage
        .until("moto took it, or it came to an end", async || {
            answered() || run.is_finished()
        })
        .await;
    if answered() {
        follow(&stage).await;
    }
    // moto renames the cluster and leaves its instances on the old version: what is not as it should be is named.
    run.await
        .expect("it was waited for")
        .with(23)
        .says("SWITCHED OVER main-to-14")
        .says("main-1 runs 12.17, not 14.10");
    assert_eq!(moto.script(STATUS).trim(), "SWITCHOVER_COMPLETED");
    assert_eq!(
        stage.sandbox.server("main-cluster").expect("production").major(),
        14
    );
}
