//! From a target to a facts document: the control plane, both servers, and a few looks at the lag.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    connect::{ConnectError, ConnectSpec, Session, connect},
    contents::{self, Wish},
    deadline,
    postgres::{self, Manners, Plan, endpoint, version},
};
use crate::{
    checks,
    facts::{Fact, Facts, LagSample, Request, Rows, SCHEMA, ServerFacts, Why, rds::RdsFacts},
    model::{DeploymentStatus, Engine, Phase, Replication, Side},
    situation::{Applicability, Situation},
};

/// Everything about a run that is not a connection.
#[derive(Debug)]
pub struct Order {
    /// What was asked for.
    pub request: Request,
    /// The engine, as far as it is known beforehand.
    pub engine: Engine,
    /// What the control plane said.
    pub rds: Fact<RdsFacts>,
    /// The question, where one was asked; without one everything that the catalogue can ask is collected.
    pub phase: Option<Phase>,
    /// Collect for every phase and target, for judging later.
    pub everything: bool,
    /// Looks at the lag, where there is a green server.
    pub lag_samples: usize,
    /// Time between them.
    pub lag_interval: Duration,
    /// How politely servers are asked.
    pub manners: Manners,
    /// Only what these checks ask; empty for all.
    pub only: Vec<String>,
    /// Tables whose contents are to be compared, where there is a green server.
    pub contents: Option<Wish>,
}

/// Told how far collecting has come: side, databases done, databases in all.
pub type Progress<'a> = dyn Fn(Side, usize, usize) + Sync + 'a;

/// Collects the facts.
///
/// # Errors
/// Where blue cannot be connected to at all: then there is nothing to judge. A green that cannot be reached is a fact, and
/// so is the old side after a switchover, which may be deleted by then.
pub async fn collect(
    order: Order,
    blue: &ConnectSpec,
    green: Option<&ConnectSpec>,
    now: Timestamp,
    progress: &Progress<'_>,
    tables: &contents::Told<'_>,
) -> Result<Facts, ConnectError> {
    // Asked of a session that sets its own values only afterwards, `pg_settings` tells the server's as well.
    let (blue_plain, green_plain) = (
        blue.settings_after_login(),
        green.map(ConnectSpec::settings_after_login),
    );
    let (blue_first, green_first) = tokio::join!(connect(&blue_plain), async {
        match &green_plain {
            Some(green) => Some(connect(green).await),
            None => None,
        }
    });
    let over = order
        .rds
        .known()
        .and_then(|r| r.deployment.known())
        .and_then(Option::as_ref);
    let over = over.is_some_and(|d| d.status == DeploymentStatus::SwitchoverCompleted);
    let blue_first = match blue_first {
        Err(e) if !(over && matches!(green_first, Some(Ok(_)))) => return Err(e),
        other => other,
    };
    let engine = match order.engine {
        Engine::Postgres => match &blue_first {
            Ok(session) => engine_of(session).await,
            Err(_) => Engine::Postgres,
        },
        known => known,
    };
    let mut facts = Facts {
        schema: SCHEMA,
        greenlight: env!("CARGO_PKG_VERSION").to_owned(),
        collected_at: now,
        request: order.request,
        engine,
        rds: order.rds,
        blue: match &blue_first {
            Ok(session) => Fact::Known(bare(blue, session)),
            Err(e) => e.fact(),
        },
        green: green
            .zip(green_first.as_ref())
            .map(|(green, session)| match session {
                Ok(session) => Fact::Known(bare(green, session)),
                Err(e) => e.fact(),
            }),
        lag: Vec::new(),
        contents: None,
    };
    let situation = Situation::of(&facts, order.phase);
    let wanted = |check: &checks::Check| {
        let named = order.only.is_empty() || order.only.contains(&check.page.id);
        named && (order.everything || !matches!(situation.applies(&check.page.header), Applicability::No(_)))
    };
    let ask = async |side: Side, spec: &ConnectSpec, session: Session| {
        let plan = Plan::of(side, version(&session), wanted);
        let told = |done, total| progress(side, done, total);
        postgres::collect(spec, session, &plan, order.manners, &told).await
    };
    let follows = situation.replication != Some(Replication::Physical)
        && blue_first.is_ok()
        && matches!(green_first, Some(Ok(_)));
    // The lag is looked at on a session of its own on either side, where there is one to spare.
    let tight = match (&blue_first, &green_first) {
        (Ok(blue), Some(Ok(green))) if follows => {
            let (blue, green) = tokio::join!(
                postgres::room(blue, order.manners),
                postgres::room(green, order.manners)
            );
            (blue.is_tight(), green.is_tight())
        }
        _ => (false, false),
    };
    let sample = async {
        match green {
            Some(_) if follows && (tight.0 || tight.1) => vec![no_room(tight)],
            Some(green) if follows => lag(blue, green, order.lag_samples, order.lag_interval).await,
            _ => Vec::new(),
        }
    };
    let (blue_facts, green_facts, lag) = tokio::join!(
        async {
            match blue_first {
                Ok(session) => Some(ask(Side::Blue, blue, session).await),
                Err(_) => None,
            }
        },
        async {
            match (green, green_first) {
                (Some(green), Some(Ok(session))) => Some(ask(Side::Green, green, session).await),
                _ => None,
            }
        },
        sample,
    );
    if let Some(blue_facts) = blue_facts {
        facts.blue = Fact::Known(blue_facts);
    }
    if let Some(green_facts) = green_facts {
        facts.green = Some(Fact::Known(green_facts));
    }
    facts.lag = lag;
    if let (Some(wish), Some(green), Fact::Known(server)) = (&order.contents, green, &facts.blue) {
        facts.contents = Some(contents::compare(blue, green, server, wish, tables).await);
    }
    Ok(facts)
}

/// Which engine a server is, asked of the server itself where no control plane tells: Aurora has a function that no other
/// has, and RDS settings that a plain server does not have.
async fn engine_of(session: &Session) -> Engine {
    const ASK: &str = "select pg_catalog.to_regprocedure('pg_catalog.aurora_version()') is not null, \
                       pg_catalog.current_setting('rds.extensions', true) is not null";
    let Ok(Ok(rows)) = deadline::bound(session.client.query_typed(ASK, &[])).await else {
        return Engine::Postgres;
    };
    match rows.first().map(|row| (row.get(0), row.get(1))) {
        Some((true, _)) => Engine::Aurora,
        Some((false, true)) => Engine::Rds,
        _ => Engine::Postgres,
    }
}

fn bare(spec: &ConnectSpec, session: &Session) -> ServerFacts {
    ServerFacts {
        endpoint: endpoint(spec),
        role: session.user.clone(),
        version: version(session),
        probes: Default::default(),
        databases: Default::default(),
        templates: Default::default(),
    }
}

/// A look that was not taken, since it would have taken one of the last connections.
fn no_room((blue, green): (bool, bool)) -> LagSample {
    let why = |side: Side| {
        Fact::unknown(
            Why::Unreachable,
            format!("{side} has no connection to spare, and the last ones are left to others"),
        )
    };
    let other = || Fact::unknown(Why::NotAsked, "the other side has no connection to spare");
    LagSample {
        at: super::clock::now(),
        blue: if blue { why(Side::Blue) } else { other() },
        green: if green { why(Side::Green) } else { other() },
    }
}

/// One look at a shared probe.
async fn look(session: &Result<Session, ConnectError>, probe: &str) -> Fact<Rows> {
    let session = match session {
        Ok(session) => session,
        Err(e) => return e.fact(),
    };
    let query = checks::shared_probes()
        .iter()
        .find(|p| p.name == probe)
        .and_then(|p| p.queries.iter().find(|q| q.runs_on(version(session))));
    match query {
        Some(query) => match deadline::bound(postgres::probe(session, query, u64::MAX >> 1)).await {
            Ok(fact) => fact,
            Err(passed) => Fact::unknown(Why::Timeout, format!("no answer yet when {passed}")),
        },
        None => Fact::unknown(
            Why::NotAsked,
            format!("no query {probe} for {}", session.server_version),
        ),
    }
}

/// A few looks at the lag, `interval` apart, on sessions of their own; and more of them while these leave open whether green
/// falls behind.
pub async fn lag(
    blue: &ConnectSpec,
    green: &ConnectSpec,
    samples: usize,
    interval: Duration,
) -> Vec<LagSample> {
    let (blue, green) = tokio::join!(connect(blue), connect(green));
    let mut out = Vec::with_capacity(samples);
    let mut tick = tokio::time::interval(interval);
    while out.len() < samples || checks::lag_undecided(&out) {
        // A look that was begun is told, a look that was not is none.
        if deadline::bound(tick.tick()).await.is_err() {
            break;
        }
        let at = super::clock::now();
        let (blue, green) = tokio::join!(look(&blue, "lag"), look(&green, "apply"));
        out.push(LagSample { at, blue, green });
    }
    out
}
