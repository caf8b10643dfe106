//! A deployment created: once, whatever happens to the request.

use std::time::Duration;

use super::{CLUSTER, CREATE, Effect, JOURNAL, Of, QUICK, Stage, cluster};

#[test]
fn a_creation_is_sent_once_whatever_happens_to_it() {
    let stage = Stage::new(cluster());
    created_through_faults(&stage, &CLUSTER);
    // And the checks know it from then on.
    stage.ends(&format!("{CREATE} --poll 1 --journal other.journal"), 10);
}

pub(super) fn created_through_faults(stage: &Stage, of: &Of) {
    let create = format!(
        "create {} --target-version {} --target-parameter-group {} --name to-14 --yes {QUICK}",
        of.subject, of.target, of.group
    );
    for effect in [Effect::AccessDenied, Effect::Throttle] {
        stage.fail("CreateBlueGreenDeployment", effect);
        let refused = stage.ends(&create, 20);
        assert!(refused.stderr.contains("RDS refused"), "{}", refused.stderr);
        stage.ends(&create, 2);
        stage.forget(JOURNAL);
    }
    // A request that vanished is looked for, and not sent again: neither by this run nor by the next.
    stage.fail("CreateBlueGreenDeployment", Effect::LostBefore);
    let unknown = stage.ends(&create, 22);
    assert!(unknown.stderr.contains("is not known"), "{}", unknown.stderr);
    let again = stage.ends(&format!("create --resume --name to-14 {QUICK}"), 22);
    assert!(again.stderr.contains("not sent again"), "{}", again.stderr);
    assert_eq!(stage.sandbox.calls().of("CreateBlueGreenDeployment").len(), 3);
    stage.forget(JOURNAL);
    // One whose answer is lost is found.
    stage.fail("CreateBlueGreenDeployment", Effect::ErrorAfter);
    let found = stage.ends(&create, 0);
    assert!(
        found.stderr.contains("no answer") && found.stderr.contains("has caught up"),
        "{}",
        found.stderr
    );
    assert_eq!(stage.effects("CreateBlueGreenDeployment"), 1);
    // Taken up again there is nothing to send.
    stage.ends(&format!("create --resume --name to-14 {QUICK}"), 0);
    assert_eq!(stage.effects("CreateBlueGreenDeployment"), 1);
}

#[test]
fn interrupted_and_killed_a_creation_is_taken_up() {
    let options = sandbox::Options {
        speed: sandbox::Speed::Manual,
        ..sandbox::Options::default()
    };
    let stage = Stage::with(cluster(), options);
    // Nothing goes on at RDS until it is let: the first run waits, and is interrupted.
    let first = stage.begin(&format!("{CREATE} {QUICK}"));
    stage.until_called("CreateBlueGreenDeployment", 1);
    let looks = || stage.sandbox.calls().of("DescribeBlueGreenDeployments").len();
    stage.until_called("DescribeBlueGreenDeployments", looks() + 2);
    let sent = std::process::Command::new("kill")
        .args(["-INT", &first.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
    let first = first.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&first.stderr).replace('\n', " ");
    assert_eq!(first.status.code(), Some(130), "{said}");
    assert!(said.contains("goes on") && said.contains("--resume"), "{said}");

    // The second is killed while it waits.
    let resume = format!("create --resume --name to-14 {QUICK}");
    let before = looks();
    let mut second = stage.begin(&resume);
    stage.until_called("DescribeBlueGreenDeployments", before + 2);
    second.kill().expect("it runs");
    second.wait().expect("it ends");

    let stop = std::sync::atomic::AtomicBool::new(false);
    let third = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                stage.sandbox.rds().advance(1);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let third = stage.run(&resume);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        third
    });
    assert_eq!(third.code, 0, "{}", third.stderr);
    assert!(third.stderr.contains("has caught up"), "{}", third.stderr);
    assert_eq!(stage.sandbox.calls().of("CreateBlueGreenDeployment").len(), 1);
}

#[test]
fn what_is_not_ready_is_not_created() {
    let mut scenario = cluster();
    scenario.cluster[0].pending_reboot = true;
    let stage = Stage::new(scenario);
    let ran = stage.ends(CREATE, 10);
    assert!(
        ran.stdout.contains("pending-reboot") && ran.stderr.contains("nothing was created"),
        "{}",
        ran.stdout
    );
    assert!(!stage.here.path().join(JOURNAL).exists());
    assert_eq!(stage.sandbox.calls().of("CreateBlueGreenDeployment").len(), 0);
}

#[test]
fn a_creation_that_fails_is_explained_and_removed() {
    let stage = Stage::new(cluster());
    // The upgrade of green refuses what the checks are told not to look at.
    stage.execute(
        "main-cluster",
        "main",
        "create table old (id int primary key, t regproc)",
    );
    let failed = stage.ends(&format!("{CREATE} {QUICK}"), 21);
    for told in [
        "INVALID_CONFIGURATION",
        "DB_ENGINE_VERSION_UPGRADE",
        "cleanup --deployment to-14 --unwanted --delete-target",
    ] {
        assert!(
            failed.stderr.replace('\n', " ").contains(told),
            "{told}\n{}",
            failed.stderr
        );
    }
    let gone = stage.ends(
        "cleanup --deployment to-14 --unwanted --delete-target --yes --poll 1",
        0,
    );
    assert!(gone.stderr.contains("no logical slot is left"), "{}", gone.stderr);
    let account = stage.sandbox.rds().account();
    assert!(account.deployments.is_empty());
    assert!(
        !account.clusters.keys().any(|id| id.contains("green")),
        "{:?}",
        account.clusters.keys()
    );
}
