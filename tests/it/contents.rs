//! `--compare-rows` on a real pair that is written to: what is on the way is no difference, what differs is found to the row.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use greenlight::{
    checks,
    facts::{
        Fact, Facts,
        contents::{Compared, How},
    },
    model::{Engine, PgVersion, Phase},
    policy::Policy,
    situation::Situation,
    verdict::Verdict,
};
use sandbox::pg::{Server, ServerOptions, block_on, literal};

use crate::support::{Wanted, checking_role, collect, spec};

/// Tables that a writer is busy with; the first rows are left alone.
const SCHEMA: &str = "
    create table orders (id bigint primary key, v text, at timestamptz default now(), amount float8);
    insert into orders select i, md5(i::text), to_timestamp(i), i / 7.0 from generate_series(1, 25000) i;
    create table names (name text primary key, n int);
    insert into names select 'n' || i, 0 from generate_series(1, 2000) i;
    create table still (a int, b text);
    insert into still select i % 10, 'x' from generate_series(1, 3000) i;
    create table hot (id int primary key, n bigint);
    insert into hot values (1, 0);
    grant select on all tables in schema public to greenlight;";

async fn pair(from: u16, to: u16) -> (Server, Server) {
    let server = async |major: u16| {
        let server = Server::start(ServerOptions::new(major.into()).logical())
            .await
            .expect("a server");
        checking_role(&server).await;
        server.execute("postgres", SCHEMA).await.expect("the schema");
        server
    };
    let (blue, green) = (server(from).await, server(to).await);
    let (user, password) = blue.superuser();
    let conninfo = literal(&blue.conninfo("postgres", user, password));
    let publish = "create publication rds_p for all tables";
    blue.execute("postgres", publish).await.expect("a publication");
    let subscribe =
        format!("create subscription rds_s connection {conninfo} publication rds_p with (copy_data = false)");
    green
        .execute("postgres", &subscribe)
        .await
        .expect("a subscription");
    (blue, green)
}

/// Writes without a pause until told to stop; how many transactions that were.
fn writer(blue: Server, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let client = blue.connect("postgres").await.expect("blue");
        let mut i: u64 = 0;
        while !stop.load(Ordering::Relaxed) {
            i += 1;
            let row = 100 + i * 7919 % 24_900;
            let sql = format!(
                "begin; update orders set v = v || 'x', amount = {i} / 3.0 where id = {row};
                 delete from orders where id = 25000 + {i} - 50; insert into orders values (25000 + {i}, 'new');
                 update names set n = n + 1 where name = 'n' || {i} % 2000 + 1; update hot set n = n + 1; commit",
            );
            client.batch_execute(&sql).await.expect("a write");
            done.store(i, Ordering::Relaxed);
        }
    })
}

async fn compare(blue: &Server, green: &Server, tables: &[&str]) -> Facts {
    let wanted = Wanted {
        check: checks::find("rows-on-green"),
        engine: Engine::Postgres,
        target: Some(PgVersion::major(18)),
        phase: Some(Phase::Switchover),
        lag_samples: 0,
        compare_rows: tables.iter().map(|t| (*t).to_owned()).collect(),
    };
    let (blue, green) = (spec(blue, "greenlight"), spec(green, "greenlight"));
    collect(&blue, Some(&green), wanted).await.0
}

fn judge(facts: &Facts) -> Verdict {
    let situation = Situation::of(facts, Some(Phase::Switchover));
    let check = checks::find("rows-on-green").expect("it is registered");
    check.judge(facts, &situation, &Policy::at(facts.collected_at))
}

fn table<'a>(facts: &'a Facts, name: &str) -> &'a Compared {
    let contents = facts.contents.as_ref().expect("contents were compared");
    let tables = contents.databases["postgres"].known().expect("tables are known");
    let table = tables
        .iter()
        .find(|t| t.table == name)
        .expect("the table was compared");
    match &table.compared {
        Fact::Known(compared) => compared,
        Fact::Unknown { detail, .. } => panic!("{name}: {detail}"),
    }
}

async fn story(from: u16, to: u16) {
    let (blue, green) = pair(from, to).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writing = writer(blue.clone(), Arc::clone(&stop), Arc::clone(&done));

    let facts = compare(&blue, &green, &["orders", "names", "still"]).await;
    assert!(done.load(Ordering::Relaxed) > 0, "nothing was written meanwhile");
    assert!(
        matches!(judge(&facts), Verdict::Pass { .. }),
        "{:?}",
        facts.contents
    );
    assert!(table(&facts, "public.orders").rows >= 25_000);

    // One row that is written to all the time can be called nothing, but never different.
    let facts = compare(&blue, &green, &["hot"]).await;
    assert!(
        !matches!(judge(&facts), Verdict::Fail { .. }),
        "{:?}",
        facts.contents
    );

    let harm = "update orders set amount = amount + 1e-9 where id = 3; delete from orders where id = 4;
        insert into orders values (-1, 'extra'); update names set n = -1 where name = 'n0'; insert into names values ('ä', 1);
        delete from still where ctid = (select min(ctid::text)::tid from still)";
    green.execute("postgres", harm).await.expect("green is harmed");
    let facts = compare(&blue, &green, &["orders", "names", "still"]).await;
    stop.store(true, Ordering::Relaxed);
    writing.await.expect("the writer ends");
    let orders = table(&facts, "public.orders");
    let found: BTreeSet<(String, String)> = orders
        .examples
        .iter()
        .map(|e| (e.key.join(","), format!("{:?}", e.how)))
        .collect();
    let wanted =
        [("-1", "Extra"), ("3", "Changed"), ("4", "Missing")].map(|(k, h)| (k.to_owned(), h.to_owned()));
    assert_eq!(found, BTreeSet::from(wanted));
    assert_eq!((orders.differing, orders.unsettled), (3, 0));
    let names = table(&facts, "public.names");
    let extra: Vec<&str> = names
        .examples
        .iter()
        .filter(|e| e.how == How::Extra)
        .map(|e| e.key[0].as_str())
        .collect();
    assert_eq!(extra, ["ä"]);
    assert!(table(&facts, "public.still").differing > 0);
    let Verdict::Fail { findings, .. } = judge(&facts) else {
        panic!("{:?}", facts.contents)
    };
    assert_eq!(findings.len(), 3);

    // Saved and read, it is judged the same.
    let text = serde_json::to_string(&facts).expect("facts are JSON");
    assert_eq!(
        judge(&Facts::from_json(&text).expect("facts again")),
        judge(&facts)
    );
}

#[test]
fn rows_that_differ_are_found_under_load_from_11_to_17() {
    block_on(story(11, 17));
}

#[test]
fn rows_that_differ_are_found_under_load_from_17_to_18() {
    block_on(story(17, 18));
}
