//! From a target to a facts document: the control plane, both servers, and a few looks at the lag.

use std::time::Duration;

use jiff::Timestamp;

use super::postgres::{self, Connect, Manners, NoSession, Plan, Session};
use crate::{
    checks,
    facts::{Fact, Facts, LagSample, Request, Rows, SCHEMA, ServerFacts, Why, rds::RdsFacts},
    model::{Engine, PgVersion, Phase, Replication, Side},
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
}

/// Told how far collecting has come: side, databases done, databases in all.
pub type Progress<'a> = dyn Fn(Side, usize, usize) + Sync + 'a;

/// Collects the facts.
///
/// # Errors
/// Where blue cannot be connected to at all: then there is nothing to judge. A green that cannot be reached is a fact.
pub async fn collect<C: Connect>(
    order: Order,
    blue: &C,
    green: Option<&C>,
    now: Timestamp,
    progress: &Progress<'_>,
) -> Result<Facts, NoSession> {
    let (blue_first, green_first) = tokio::join!(first_session(blue), async {
        match green {
            Some(green) => Some(first_session(green).await),
            None => None,
        }
    });
    let blue_first = blue_first?;
    let mut facts = Facts {
        schema: SCHEMA,
        greenlight: env!("CARGO_PKG_VERSION").to_owned(),
        collected_at: now,
        request: order.request,
        engine: order.engine,
        rds: order.rds,
        blue: Fact::Known(bare(blue, blue_first.version)),
        green: green
            .zip(green_first.as_ref())
            .map(|(green, session)| match session {
                Ok(session) => Fact::Known(bare(green, session.version)),
                Err(e) => Fact::unknown(e.why, e.detail.clone()),
            }),
        lag: Vec::new(),
    };
    let situation = Situation::of(&facts, order.phase);
    let wanted = |check: &checks::Check| {
        let named = order.only.is_empty() || order.only.contains(&check.page.id);
        named && (order.everything || !matches!(situation.applies(&check.page.header), Applicability::No(_)))
    };
    let ask = async |side: Side, connect: &C, session: Session| {
        let plan = Plan::of(side, session.version, wanted);
        let told = |done, total| progress(side, done, total);
        postgres::collect(connect, session, &plan, order.manners, &told).await
    };
    let follows = situation.replication != Some(Replication::Physical) && matches!(green_first, Some(Ok(_)));
    let sample = async {
        match green {
            Some(green) if follows => lag(blue, green, order.lag_samples, order.lag_interval).await,
            _ => Vec::new(),
        }
    };
    let (blue_facts, green_facts, lag) = tokio::join!(
        ask(Side::Blue, blue, blue_first),
        async {
            match (green, green_first) {
                (Some(green), Some(Ok(session))) => Some(ask(Side::Green, green, session).await),
                _ => None,
            }
        },
        sample,
    );
    facts.blue = Fact::Known(blue_facts);
    if let Some(green_facts) = green_facts {
        facts.green = Some(Fact::Known(green_facts));
    }
    facts.lag = lag;
    Ok(facts)
}

async fn first_session<C: Connect>(connect: &C) -> Result<Session, NoSession> {
    connect.connect(&connect.first_database()).await
}

fn bare<C: Connect>(connect: &C, version: PgVersion) -> ServerFacts {
    ServerFacts {
        endpoint: connect.endpoint(),
        role: connect.role(),
        version,
        probes: Default::default(),
        databases: Default::default(),
    }
}

/// One look at a shared probe.
async fn look(session: &Result<Session, NoSession>, probe: &str) -> Fact<Rows> {
    let session = match session {
        Ok(session) => session,
        Err(e) => return Fact::unknown(e.why, e.detail.clone()),
    };
    let query = checks::shared_probes()
        .iter()
        .find(|p| p.name == probe)
        .and_then(|p| p.queries.iter().find(|q| q.runs_on(session.version)));
    match query {
        Some(query) => postgres::probe(&session.client, query, u64::MAX >> 1).await,
        None => Fact::unknown(Why::NotAsked, format!("no query {probe} for {}", session.version)),
    }
}

/// A few looks at the lag, `interval` apart, on sessions of their own.
pub async fn lag<C: Connect>(blue: &C, green: &C, samples: usize, interval: Duration) -> Vec<LagSample> {
    let (blue, green) = tokio::join!(first_session(blue), first_session(green));
    let mut out = Vec::with_capacity(samples);
    let mut tick = tokio::time::interval(interval);
    for _ in 0..samples {
        tick.tick().await;
        let at = super::clock::now();
        let (blue, green) = tokio::join!(look(&blue, "lag"), look(&green, "apply"));
        out.push(LagSample { at, blue, green });
    }
    out
}
