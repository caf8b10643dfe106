//! The stories of a single RDS instance with a replica: those of a cluster, told of it.

use sandbox::FaultRule;

use super::{
    Effect, Engine, LOST, Of, Purpose, QUICK, Stage, VERIFY, create::created_through_faults, instance,
    prepare::prepared_through_faults, switch_over,
};

pub(super) const INSTANCE: Of = Of {
    engine: Engine::Rds,
    subject: "--instance shop",
    target: "16.6",
    group: "shop-16",
    parameters: [
        "CreateDBParameterGroup",
        "ModifyDBParameterGroup",
        "ModifyDBInstance",
    ],
    reboots: (2, 0),
};

/// What somebody does in the console meanwhile.
fn by_hand(stage: &Stage, act: impl AsyncFnOnce(aws_sdk_rds::Client)) {
    sandbox::pg::block_on(async {
        act(crate::rds_collect::client(&stage.sandbox).await).await;
    });
}

#[test]
fn an_instance_is_prepared_through_a_fault_at_each_step() {
    let mut scenario = instance();
    scenario.instance[0].parameter_group = None;
    prepared_through_faults(&Stage::new(scenario), &INSTANCE);
}

#[test]
fn an_instance_is_created_and_cleaned_up_through_a_fault_at_each_step() {
    let stage = Stage::new(instance());
    created_through_faults(&stage, &INSTANCE);

    // Not wanted after all: removed with green, though the answer is lost; and made again.
    stage.fail("DeleteBlueGreenDeployment", LOST);
    let gone = stage.ends(
        "cleanup --deployment to-14 --unwanted --delete-target --yes --poll 1 --reconcile-for 2",
        0,
    );
    assert!(gone.stderr.contains("no logical slot is left"), "{}", gone.stderr);
    let there = |stage: &Stage| -> Vec<String> {
        let account = stage.sandbox.rds().account();
        account.instances.keys().cloned().collect()
    };
    assert_eq!(there(&stage), ["shop", "shop-replica"]);
    stage.forget("greenlight-create-to-14.journal");
    stage.forget("greenlight-cleanup-to-14.journal");
    stage.ends(
        &format!("create --instance shop --target-version 16.6 --target-parameter-group shop-16 --name to-14 --yes {QUICK}"),
        0,
    );
    switch_over(&stage, "to-14");

    stage.allow(Purpose::Cleanup, Engine::Rds);
    let cleanup = format!("cleanup --deployment to-14 {VERIFY}");
    let resume = format!("{cleanup} --resume");
    stage.fail("CreateDBSnapshot", Effect::AccessDenied);
    stage.ends(
        &format!("{cleanup} --yes --delete-old --final-snapshot shop-on-13"),
        20,
    );
    // Taken, its answer lost, and the process killed while it looks.
    stage.fail("CreateDBSnapshot", LOST);
    let calls = |action: &str| stage.sandbox.calls().of(action).len();
    let before = calls("CreateDBSnapshot");
    // It never sees the snapshot: however late it is killed, it writes of no next request.
    let blind = FaultRule::always("DescribeDBSnapshots", Effect::Stale);
    stage.sandbox.rds().arm(blind);
    let mut killed = stage.begin(&resume.replace("--reconcile-for 2", "--reconcile-for 60"));
    stage.until_called("CreateDBSnapshot", before + 1);
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    stage.sandbox.faults().clear();
    stage.allow(Purpose::Cleanup, Engine::Rds);
    for (action, effect, code) in [
        ("DeleteBlueGreenDeployment", Effect::AccessDenied, 20),
        ("DeleteBlueGreenDeployment", Effect::Throttle, 20),
        // It never arrives, and is not sent again.
        ("DeleteBlueGreenDeployment", Effect::LostBefore, 22),
    ] {
        stage.fail(action, effect);
        stage.ends(&resume, code);
    }
    stage.ends(&resume, 22);
    assert_eq!(stage.effects("DeleteBlueGreenDeployment"), 1);

    // Somebody deletes the deployment in the console: that is seen, and the rest is done.
    stage.sandbox.faults().allow_only(["*"]);
    let id = stage.sandbox.rds().deployment("to-14").expect("it is there").id;
    by_hand(&stage, async |client| {
        let sent = client
            .delete_blue_green_deployment()
            .blue_green_deployment_identifier(&id);
        sent.send().await.expect("it is taken");
    });
    stage.fail("DeleteDBInstance", Effect::AccessDenied);
    stage.ends(&resume, 20);
    // The replica is deleted by somebody else, the last answer is lost.
    by_hand(&stage, async |client| {
        let sent = client
            .delete_db_instance()
            .db_instance_identifier("shop-replica-old1");
        sent.skip_final_snapshot(true).send().await.expect("it is taken");
    });
    stage.fail("DeleteDBInstance", LOST);
    let done = stage.ends(&resume, 0);
    assert!(
        done.stderr.contains("the old side are deleted"),
        "{}",
        done.stderr
    );
    assert_eq!(there(&stage), ["shop", "shop-replica"], "production stays");
    assert_eq!(stage.effects("CreateDBSnapshot"), 1);
    let account = stage.sandbox.rds().account();
    assert_eq!(account.snapshots["shop-on-13"].status, "available");
}
