//! It does not go: not ready, not known, not calm, not alone, not there. Nothing is asked of RDS, and the exit code says
//! which it was.

use std::time::Duration;

use super::stage::{Stage, ended, ended_after, guide, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ready_or_not_known_is_not_switched_over() {
    let stage = Stage::new(quiet()).await;
    let (blue, green) = (
        stage.sandbox.blue().expect("blue"),
        stage.sandbox.green().expect("green"),
    );

    // A dry run stops before the question, and its journal is gone on with.
    stage
        .run("a.journal", &["--dry-run"])
        .await
        .with(0)
        .says("DRY RUN");
    stage
        .run("a.journal", &["--only", "sequences"])
        .await
        .with(2)
        .says("--skip");

    // What could not be verified afterwards is said before.
    green
        .execute("postgres", "revoke pg_read_all_data from greenlight")
        .await
        .expect("revoked");
    stage
        .run("a.journal", &["--dry-run"])
        .await
        .with(0)
        .says("sequences-ahead will not be judged after the switchover, which then ends in 23")
        .says("grant pg_read_all_data to greenlight");

    // A slot of somebody else on blue blocks.
    let slot = "select pg_create_logical_replication_slot('theirs', 'pgoutput')";
    blue.execute("main", slot).await.expect("a slot");
    stage
        .run("a.journal", &[])
        .await
        .with(10)
        .says("external-logical-slots")
        .says("NOT READY");
    blue.execute("main", "select pg_drop_replication_slot('theirs')")
        .await
        .expect("dropped");

    // Without pg_monitor sessions are hidden: unknown is not ready.
    green
        .execute("postgres", "revoke pg_monitor from greenlight")
        .await
        .expect("revoked");
    stage.run("a.journal", &[]).await.with(11).says("NOT DETERMINED");
    green
        .execute("postgres", "grant pg_monitor to greenlight")
        .await
        .expect("granted");

    // Without a terminal nobody can be asked.
    stage
        .run("b.journal", &["--ask"])
        .await
        .with(20)
        .says("no terminal");

    assert_eq!(stage.asked(), 0);
    assert_eq!(stage.statuses().0, "AVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_that_never_settles_is_refused_with_its_reason() {
    let stage = Stage::new(quiet()).await;
    let (blue, green) = (
        stage.sandbox.blue().expect("blue"),
        stage.sandbox.green().expect("green"),
    );
    // The apply worker lives and waits for a lock: nothing is wrong but the lag. It waits with the first transaction, so that
    // of the second nothing is confirmed.
    let reader = green.connect("main").await.expect("a session");
    let hold = "begin; lock table orders in access exclusive mode";
    reader.batch_execute(hold).await.expect("locked");
    let row = "insert into orders (customer_id, total) values (1, 1)";
    blue.execute("main", row).await.expect("a row");
    stage
        .until("the worker waits", async || applies(&green).await)
        .await;
    let rows =
        "insert into orders (customer_id, total) select 1 + n % 200, n from generate_series(1, 30000) n";
    blue.execute("main", rows).await.expect("rows");
    let behind = stage
        .run(
            "a.journal",
            &["--wait", "4s", "--max-lag", "1h", "--max-lag", "1MB"],
        )
        .await
        .with(20);
    // A quiet database may be named: its slot is confirmed only now and then.
    behind.says("REFUSED").says("behind, more than 1.0 MiB");
    assert_eq!(stage.asked(), 0);

    // Once it has caught up, the same journal goes on, and a lag in between begins the calm anew.
    reader.batch_execute("rollback").await.expect("let go");
    let run = stage.spawn("a.journal", &["--format", "json"]);
    let ended = ended(run).await.with(0);
    let calm = ended.events().iter().filter(|e| e["event"] == "sample").count();
    assert!(calm >= 2, "it was watched");
    assert_eq!(stage.asked(), 1);
}

/// Whether green's worker is in the middle of a transaction, in which it waits for a lock.
async fn applies(green: &sandbox::pg::Server) -> bool {
    let sql = "select count(*)::text from pg_stat_activity where backend_type like 'logical replication%' and wait_event_type = 'Lock'";
    green.value("main", sql).await.expect("an answer").as_deref() != Some("0")
}

/// While a transaction is open on blue its log is confirmed as it goes, so that green is behind by next to nothing when it
/// begins to apply it, however much that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_transaction_that_green_is_still_applying_is_no_calm() {
    let stage = Stage::new(quiet()).await;
    let (blue, green) = (
        stage.sandbox.blue().expect("blue"),
        stage.sandbox.green().expect("green"),
    );
    let reader = green.connect("main").await.expect("a session");
    let hold = "begin; lock table orders in access exclusive mode";
    reader.batch_execute(hold).await.expect("locked");
    let writer = blue.connect("main").await.expect("a session");
    let rows = "begin; insert into orders (customer_id, total) select 1 + n % 200, n from generate_series(1, 30000) n";
    writer.batch_execute(rows).await.expect("rows");
    // All of its log is confirmed before it is committed.
    let behind = "select (max(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)) < 65536)::text from pg_replication_slots";
    stage
        .until("the slots go along", async || {
            blue.value("main", behind).await.expect("an answer").as_deref() == Some("true")
        })
        .await;
    writer.batch_execute("commit").await.expect("committed");
    stage
        .until("the worker applies", async || applies(&green).await)
        .await;
    stage
        .run("a.journal", &["--wait", "5s"])
        .await
        .with(20)
        .says("green has been applying one transaction in main for");
    assert_eq!(stage.asked(), 0);

    reader.batch_execute("rollback").await.expect("let go");
    stage.run("a.journal", &[]).await.with(0);
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rds_would_refuse_on_is_waited_for() {
    let stage = Stage::new(quiet()).await;
    let (blue, green) = (
        stage.sandbox.blue().expect("blue"),
        stage.sandbox.green().expect("green"),
    );
    let master = &stage.sandbox.roles().expect("roles").master;
    let writer = green.connect_as("main", &master.name, &master.password);
    let writer = writer.await.expect("a session");
    let off = "set default_transaction_read_only = off";
    writer.batch_execute(off).await.expect("switched off");
    let changer = blue.connect("main").await.expect("a session");
    // A writer on green and DDL on blue begin while it settles, so that only the looks in between can see them.
    let run = stage.spawn(
        "a.journal",
        &["--format", "json", "--stable-for", "6s", "--wait", "9s"],
    );
    stage.until_lines("a.journal", 4).await;
    let write = "begin; update customers set email = email where id = 1";
    writer.batch_execute(write).await.expect("it writes");
    changer
        .batch_execute("begin; alter table orders add column late text")
        .await
        .expect("it changes");
    let ended = ended(run).await.with(20).says("REFUSED");
    let events = ended.events();
    let seen = |check: &str| events.iter().any(|e| e["obstacles"].to_string().contains(check));
    assert!(seen("writes-on-green") && seen("running-ddl"), "{}", ended.stdout);
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_that_was_committed_while_it_settled_is_not_forgotten() {
    let stage = Stage::new(quiet()).await;
    let blue = stage.sandbox.blue().expect("blue");
    let changer = blue.connect("main").await.expect("a session");
    let run = stage.spawn(
        "a.journal",
        &["--format", "json", "--stable-for", "5s", "--wait", "12s"],
    );
    stage.until_lines("a.journal", 4).await;
    let change = "begin; alter table orders add column late text";
    changer.batch_execute(change).await.expect("it changes");
    // A look has seen it; then it is over, and nothing runs any more.
    let seen = |event: &serde_json::Value| event["obstacles"].to_string().contains("running-ddl");
    let commit = async || changer.batch_execute("commit").await.expect("committed");
    let ended = ended_after(run, seen, commit)
        .await
        .with(20)
        .says("DDL ran on blue after the full check");
    assert!(ended.events().iter().any(seen), "{}", ended.stdout);
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_deleted_midway_is_noticed() {
    let stage = Stage::new(quiet()).await;
    let run = stage.spawn("a.journal", &["--stable-for", "4s"]);
    stage.until_lines("a.journal", 4).await;
    let id = stage.sandbox.rds().deployment("main-to-14").expect("there").id;
    stage
        .sandbox
        .rds()
        .edit(|account| account.deployments.remove(&id));
    ended(run).await.with(20).says("no longer exists");
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_somebody_else_switches_over_midway_is_noticed() {
    let stage = Stage::new(quiet()).await;
    let run = stage.spawn("a.journal", &["--stable-for", "4s"]);
    stage.until_lines("a.journal", 4).await;
    stage.sandbox.rds().edit(|account| {
        for deployment in account.deployments.values_mut() {
            deployment.status = "SWITCHOVER_IN_PROGRESS".to_owned();
        }
    });
    ended(run).await.with(20).says("did not start is under way");
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_exactly_one_acts() {
    let load = "writers = 2\ndatabases = [\"main\"]";
    let stage = Stage::new(guide(load).expect("a scenario")).await;
    // Different journals: only the lock on blue can keep them apart. The same journal: its own lock does.
    let (one, two) = (stage.spawn("a.journal", &[]), stage.spawn("b.journal", &[]));
    let (one, two) = tokio::join!(ended(one), ended(two));
    let (winner, loser) = if one.code == Some(0) {
        (one, two)
    } else {
        (two, one)
    };
    winner.with(0);
    // The slower one met the lock, or found that it had been done already. Where it is slower by far it looks while RDS switches, and
    // cannot connect.
    let all = format!("{}\n{}", loser.stdout, loser.stderr);
    let told = match loser.code {
        Some(20) => ["is held by backend", "switched over already", "under way"]
            .iter()
            .any(|text| loser.stdout.contains(text)),
        code => matches!(code, Some(3 | 10 | 11)),
    };
    assert!(told, "{:?}: {all}", loser.code);
    assert_eq!(stage.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_with_one_journal_do_not_get_in_each_others_way() {
    let stage = Stage::new(quiet()).await;
    // It settles for longer than the others need, and never to its end.
    let first = stage.spawn("a.journal", &["--stable-for", "40s", "--dry-run"]);
    stage.until_lines("a.journal", 3).await;
    stage
        .run("a.journal", &[])
        .await
        .with(20)
        .says("another switchover of this deployment")
        .says("operator@");
    // Another journal meets the lock on blue, which names its holder.
    stage.run("b.journal", &[]).await.with(20).says("role greenlight");
    interrupt(&first);
    ended(first).await.with(130);
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_lost_is_noticed_before_anything_is_sent() {
    let stage = Stage::new(quiet()).await;
    let run = stage.spawn("a.journal", &["--stable-for", "30s"]);
    stage.until_lines("a.journal", 4).await;
    let blue = stage.sandbox.blue().expect("blue");
    let end = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'";
    blue.execute("postgres", end).await.expect("ended");
    ended(run).await.with(20).says("the lock on blue is not held");
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_before_the_request_changes_nothing() {
    let stage = Stage::new(quiet()).await;
    let run = stage.spawn("a.journal", &["--stable-for", "20s"]);
    stage.until_lines("a.journal", 4).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    interrupt(&run);
    ended(run).await.with(130).says("INTERRUPTED");
    assert_eq!(stage.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_after_the_request_watches_on_and_twice_leaves() {
    let stage = Stage::at(quiet(), sandbox::Speed::Every(Duration::from_secs(2))).await;
    let run = stage.spawn("a.journal", &["--stable-for", "500ms"]);
    let answered = || {
        std::fs::read_to_string(stage.journal("a.journal")).is_ok_and(|t| t.contains("\"kind\":\"answered\""))
    };
    stage.until("RDS took it", async || answered()).await;
    interrupt(&run);
    let interrupted = || {
        std::fs::read_to_string(stage.journal("a.journal"))
            .is_ok_and(|t| t.contains("\"kind\":\"interrupted\""))
    };
    stage.until("it is noted", async || interrupted()).await;
    interrupt(&run);
    ended(run)
        .await
        .with(22)
        .says("watching on")
        .says("OUTCOME UNKNOWN")
        .says("--resume");
    stage
        .run("a.journal", &["--resume"])
        .await
        .with(0)
        .says("SWITCHED OVER");
    assert_eq!(stage.asked(), 1);
}

fn interrupt(child: &tokio::process::Child) {
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .expect("kill runs");
    assert!(sent.success());
}
