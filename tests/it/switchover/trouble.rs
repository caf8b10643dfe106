//! RDS rolls back, answers wrongly, or does not answer: what became of it is found out, and nothing is sent twice.

use sandbox::{Effect, SwitchoverOutcome};

use super::stage::{ACTION, Stage, guide, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_back_that_looks_like_success_is_told() {
    let load = "writers = 3\ndatabases = [\"main\", \"billing\"]";
    let stage = Stage::new(guide(load).expect("a scenario")).await;
    let load = stage.sandbox.load("main-cluster").expect("it writes");
    for (journal, status) in [("a.journal", "AVAILABLE"), ("b.journal", "SWITCHOVER_FAILED")] {
        stage.sandbox.calls().clear();
        stage
            .sandbox
            .rds()
            .next_switchover(SwitchoverOutcome::RolledBack {
                reason: "replica lag is above the allowed limit".to_owned(),
                status: status.to_owned(),
            });
        let ended = stage.run(journal, &[]).await.with(21).says("ROLLED BACK");
        ended
            .says("probable cause: green was too far behind")
            .says("replica lag is above the allowed limit");
        assert_eq!(stage.asked(), 1);
        let (top, members) = stage.statuses();
        assert_eq!(top, status);
        assert!(members.iter().any(|m| m == "SWITCHOVER_FAILED"), "{members:?}");
        // Blue goes on, and nothing is lost.
        let before = load.report().acknowledged;
        stage
            .until("clients write again", async || {
                load.report().acknowledged > before + 50
            })
            .await;
        // A journal that came to its end is not used again.
        stage.run(journal, &[]).await.with(2).says("exists already");
    }
    load.pause(true);
    let production = stage.sandbox.server("main-cluster").expect("production");
    assert_eq!(production.major(), 12);
    assert!(load.lost(&production).await.expect("read").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardrail_of_rds_is_explained() {
    let stage = Stage::new(quiet()).await;
    stage.sandbox.rds().next_switchover(SwitchoverOutcome::Refused {
        reason: "there are long-running active writes on the blue environment".to_owned(),
    });
    let ended = stage.run("a.journal", &[]).await.with(21);
    ended.says("probable cause: writes or DDL on blue ran for too long");
    assert_eq!(stage.statuses().0, "AVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definite_no_changes_nothing_and_an_answer_that_is_lost_is_never_sent_again() {
    let stage = Stage::new(quiet()).await;
    for (journal, effect) in [
        ("a.journal", Effect::Throttle),
        ("b.journal", Effect::AccessDenied),
    ] {
        stage.sandbox.calls().clear();
        stage.sandbox.rds().fail_next(ACTION, 1, effect);
        stage.run(journal, &[]).await.with(20).says("RDS said no");
        assert_eq!((stage.asked(), stage.sandbox.calls().effects(ACTION)), (1, 0));
    }
    // It never arrived: that cannot be told from one that is late.
    for (journal, effect) in [
        ("c.journal", Effect::ErrorBefore),
        ("d.journal", Effect::LostBefore),
    ] {
        stage.sandbox.calls().clear();
        stage.sandbox.rds().fail_next(ACTION, 1, effect);
        stage
            .run(journal, &[])
            .await
            .with(22)
            .says("OUTCOME UNKNOWN")
            .says("do not submit again");
        // Looking again finds the same, and sends nothing.
        stage.run(journal, &["--resume"]).await.with(22);
        assert_eq!((stage.asked(), stage.sandbox.calls().effects(ACTION)), (1, 0));
    }
    // It arrived, and only the answer is lost.
    stage.sandbox.calls().clear();
    stage.sandbox.rds().fail_next(ACTION, 1, Effect::LostAfter);
    stage
        .run("e.journal", &[])
        .await
        .with(0)
        .says("the answer is lost")
        .says("SWITCHED OVER");
    assert_eq!((stage.asked(), stage.sandbox.calls().effects(ACTION)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_effect_is_followed_to_its_end_through_throttling() {
    let stage = Stage::new(quiet()).await;
    stage.sandbox.rds().fail_next(ACTION, 1, Effect::ErrorAfter);
    // While it is followed RDS throttles, and answers from an older state.
    let run = stage.spawn("a.journal", &[]);
    stage.until("it was asked", async || stage.asked() > 0).await;
    stage
        .sandbox
        .rds()
        .fail_next("DescribeBlueGreenDeployments", 12, Effect::Throttle);
    super::stage::ended(run).await.with(0).says("SWITCHED OVER");
    assert_eq!((stage.asked(), stage.sandbox.calls().effects(ACTION)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_an_obstacle_and_not_a_hang() {
    let stage = Stage::new(quiet()).await;
    let run = stage.spawn(
        "a.journal",
        &["--stable-for", "5s", "--wait", "14s", "--format", "json"],
    );
    stage.until_lines("a.journal", 4).await;
    // Green's endpoint goes silent: looks are cut off, and what cannot be seen is not calm.
    let green = stage
        .sandbox
        .rds()
        .deployment("main-to-14")
        .expect("there")
        .target
        .expect("a target");
    let name = green.rsplit(':').next().expect("a name").to_owned();
    for endpoint in stage.sandbox.endpoints(&name) {
        endpoint.set_mode(sandbox::proxy::Mode::BlackHole).await;
    }
    let ended = super::stage::ended(run).await.with(20);
    assert!(
        ended.stdout.contains("green could not be looked at"),
        "{}",
        ended.stdout
    );
    assert_eq!(stage.asked(), 0);
}
