//! Conditions of queries, held against the queries: wherever one says that there are no rows, there are none.
//!
//! [`contradictions`] is asked in the databases of the scenarios, each on one of the majors, for every query of the catalogue.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use greenlight::{
    catalogue::{Condition, Query, Scope, conditions},
    checks,
    edge::{
        connect::{ConnectSpec, connect},
        postgres::{self, Manners},
    },
    facts::{Fact, Rows},
};
use sandbox::pg::{Server, ServerOptions, block_on};

use crate::support::{checking_role, spec};

/// Every query with a condition that is asked in each database.
fn conditional() -> impl Iterator<Item = &'static Query> {
    let pages = checks::all()
        .iter()
        .filter(|c| c.page.header.scope == Scope::Database)
        .flat_map(|c| &c.page.queries);
    let shared = checks::shared_probes()
        .iter()
        .filter(|p| p.scope == Scope::Database)
        .flat_map(|p| &p.queries);
    pages.chain(shared).filter(|q| !q.only_if.is_empty())
}

/// Where a query with its condition and the same query without it tell different things of one database.
pub(crate) async fn contradictions(database: &ConnectSpec) -> Result<(), String> {
    let told = contradictions_of(database, conditional()).await;
    if told.is_empty() {
        Ok(())
    } else {
        Err(told.join("\n  "))
    }
}

async fn contradictions_of<'a>(
    database: &ConnectSpec,
    queries: impl Iterator<Item = &'a Query>,
) -> Vec<String> {
    let session = connect(database).await.expect("a session");
    let version = postgres::version(&session);
    let list: Vec<_> = queries
        .filter(|q| q.runs_on(version))
        .map(|q| (q.probe.clone(), q.clone()))
        .collect();
    let with = postgres::probes(&session, &list, Manners::default()).await;
    let asked = list.iter().map(async |(name, query)| {
        let (with, without) = (&with[name], postgres::probe(&session, query, 200).await);
        (!agree(with, &without)).then(|| format!("{name}: {with:?}, but in truth {without:?}"))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Ages move on between two looks, counts do not. What cannot be read may still be known to be nothing.
fn agree(with: &Fact<Rows>, without: &Fact<Rows>) -> bool {
    match (with, without) {
        (Fact::Known(with), Fact::Known(without)) => {
            with.total == without.total && with.rows.len() == without.rows.len()
        }
        (Fact::Known(with), Fact::Unknown { .. }) => with.total == 0,
        (Fact::Unknown { why, .. }, Fact::Unknown { why: plain, .. }) => why == plain,
        (Fact::Unknown { .. }, Fact::Known(_)) => false,
    }
}

async fn server(things: &str) -> Server {
    let server = Server::start(ServerOptions::new(16)).await.expect("a server");
    checking_role(&server).await;
    server.execute("postgres", things).await.expect("things");
    server
}

/// Text that every escaping on the way could break.
const HOSTILE: &str = r#"
create function "<&amp;>""']]> $probe$ é" () returns int language plpgsql as
    $f$ begin /* </answer> */ raise notice '&lt; % %', E'\r\n', current_setting('old_snapshot_threshold'); return 1; end $f$"#;

#[test]
fn a_wrong_condition_is_found_out() {
    block_on(async {
        let server = server(HOSTILE).await;
        let database = spec(&server, "greenlight");
        assert_eq!(contradictions(&database).await, Ok(()));
        let asked_if = async |condition: &'static Condition| {
            let wrong = Query {
                only_if: vec![condition],
                ..bodies().clone()
            };
            contradictions_of(&database, std::iter::once(&wrong)).await
        };
        // Planted: a condition that does not cover what its query finds.
        let told = asked_if(&conditions()["triggers"]).await;
        assert!(
            matches!(&told[..], [one] if one.contains("function-bodies: ") && one.contains("total: 0")),
            "{told:?}"
        );
        // One that fails hides nothing.
        let failing = Condition {
            name: "failing".to_owned(),
            over: None,
            sql: "1 / (random() * 0)::int = 1".to_owned(),
        };
        assert_eq!(asked_if(Box::leak(Box::new(failing))).await, [""; 0]);
    });
}

fn bodies() -> &'static Query {
    let found = conditional().find(|q| q.probe == "function-bodies");
    found.expect("the query")
}

#[test]
fn answers_are_the_same_without_the_functions_that_conditions_need() {
    block_on(async {
        let server = server(HOSTILE).await;
        let session = connect(&spec(&server, "greenlight")).await.expect("a session");
        let list = [(bodies().probe.clone(), bodies().clone())];
        let plain = postgres::probe(&session, bodies(), 200).await;
        assert!(
            matches!(&plain, Fact::Known(rows) if rows.total == 1),
            "{plain:?}"
        );
        // What another look left in a session that a pooler shares says nothing: that there were no functions.
        let stale = "set greenlight.conditions = '0123456789abcdef01234567 triggers '";
        session.client.batch_execute(stale).await.expect("a setting");
        for function in [
            "set_config(text, text, boolean)",
            "query_to_xml(text, boolean, boolean, text)",
        ] {
            let revoke = format!("revoke execute on function {function} from public");
            server.execute("postgres", &revoke).await.expect("a revoke");
            let asked = postgres::probes(&session, &list, Manners::default()).await;
            assert_eq!(asked[&bodies().probe], plain, "without {function}");
        }
    });
}

/// One list is written down twice: the functions that `system-grants` looks for, and those that its condition is about.
#[test]
fn the_condition_of_system_grants_names_the_functions_of_its_query() {
    let between = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from).expect("where the list begins");
        rest.split_once(to).expect("where it ends").0.to_owned()
    };
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let query = conditional().find(|q| q.probe == "system-grants");
    let pairs = between(
        &query.expect("the query").sql,
        "gone(step, oid) as (",
        "gone_columns",
    );
    let looked_for: BTreeSet<u32> = pairs
        .split(')')
        .filter_map(|pair| number(pair.rsplit(',').next()?))
        .collect();
    let condition = &conditions()["removed-objects-granted"].sql;
    let named: BTreeSet<u32> = between(condition, "x.oid in (", ")")
        .split(',')
        .filter_map(number)
        .collect();
    assert!(looked_for.len() > 40, "{looked_for:?}");
    assert_eq!(named, looked_for);
}

/// Each condition is of use, and says nothing but whether.
#[test]
fn every_condition_is_named_by_a_query() {
    let all: Vec<&Condition> = conditional().flat_map(|q| q.only_if.iter().copied()).collect();
    for (name, condition) in conditions() {
        let sql = condition.expression();
        assert!(
            sql.starts_with("exists (select from pg_catalog.") && !sql.contains(';'),
            "{name}: {sql}"
        );
        // The name is part of a statement, and of a list that is searched for it.
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        assert!(all.contains(&condition), "nobody names {name}");
    }
}
