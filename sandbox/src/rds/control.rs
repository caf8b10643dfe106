//! `/_sandbox`: what a test or a person in another process does with the sandbox itself.
//!
//! `POST faults` arms a rule, `DELETE faults` disarms all, `POST allow` sets the allow list, `POST limit` throttles by a
//! token bucket, `POST next-switchover` decides how the next switchover ends, `POST advance` lets steps go on, `GET calls` shows the log, and `POST databases`
//! does to a server what a test or a rehearsal needs done.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::Response,
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    faults::{FaultRule, SwitchoverOutcome},
    server::Api,
};
use crate::{pg, proxy::Mode, world::World};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    steps: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    burst: u32,
    #[serde(rename = "per-second")]
    per_second: f64,
}

/// What is done to the server of a cluster or instance.
#[derive(Deserialize)]
struct Database {
    /// A cluster or an instance.
    id: String,
    #[serde(flatten)]
    action: DatabaseAction,
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum DatabaseAction {
    /// Stops applying in one database of green.
    PauseApply { database: String },
    /// Goes on applying.
    ResumeApply { database: String },
    /// Kills the server as a failing machine does.
    Kill,
    /// Starts it again.
    Restart,
    /// Cuts all connections.
    Cut,
    /// Accepts connections and lets nothing pass.
    BlackHole,
    /// Refuses connections.
    Refuse,
    /// Delays everything that passes, each way.
    Delay { milliseconds: u64 },
    /// Lets everything pass again.
    Open,
    /// Runs statements as the superuser, such as DDL on blue only.
    Execute { database: String, sql: String },
}

pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/faults", post(arm).delete(disarm))
        .route("/allow", post(allow))
        .route("/limit", post(limit))
        .route("/next-switchover", post(next_switchover))
        .route("/advance", post(advance))
        .route("/databases", post(databases))
        .route("/calls", get(calls).delete(forget))
}

async fn arm(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |rule: FaultRule| {
        api.world.read(|account| api.faults.arm(rule, account))
    })
}

async fn disarm(State(api): State<Arc<Api>>) -> Response {
    api.faults.clear();
    answer(StatusCode::OK, &serde_json::json!({ "ok": true }))
}

async fn allow(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |allow: Allow| api.faults.allow_only(allow.actions))
}

async fn limit(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |limit: Limit| {
        api.faults.limit_requests(limit.burst, limit.per_second)
    })
}

async fn next_switchover(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |outcome: SwitchoverOutcome| {
        api.faults.next_switchover(outcome)
    })
}

async fn advance(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |advance: Advance| api.world.pace().advance(advance.steps))
}

async fn databases(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    let wanted: Database = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return refuse(&error),
    };
    match act(&api.world, &wanted).await {
        Ok(()) => answer(StatusCode::OK, &serde_json::json!({ "ok": true })),
        Err(why) => refuse(&why),
    }
}

async fn act(world: &World, wanted: &Database) -> Result<(), String> {
    let id = &wanted.id;
    let resource = world
        .read(|account| match account.cluster(id) {
            Some(cluster) => Some(cluster.resource_id.clone()),
            None => account.server_of(id),
        })
        .ok_or_else(|| format!("there is no cluster or instance {id}"))?;
    let server = world
        .server(&resource)
        .ok_or_else(|| format!("{id} has no server: the scenario runs without databases"))?;
    let feed = || {
        world
            .read(|account| {
                let mut all = account.deployments.values();
                let found = all.find(|found| {
                    found.source_resource == resource || found.target_resource.as_ref() == Some(&resource)
                });
                found.map(|found| found.id.clone())
            })
            .and_then(|deployment| world.databases()?.link(&deployment))
            .ok_or_else(|| format!("{id} is in no deployment with logical replication"))
    };
    let text = |error: pg::Error| error.to_string();
    match &wanted.action {
        DatabaseAction::PauseApply { database } => {
            feed()?.replication.pause_apply(database).await.map_err(text)?
        }
        DatabaseAction::ResumeApply { database } => {
            feed()?.replication.resume_apply(database).await.map_err(text)?
        }
        DatabaseAction::Kill => server.kill(),
        DatabaseAction::Restart => server.restart::<String, String>([]).await.map_err(text)?,
        DatabaseAction::Cut => world.cut_connections(&resource),
        DatabaseAction::BlackHole => world.set_mode(&resource, Mode::BlackHole).await,
        DatabaseAction::Refuse => world.set_mode(&resource, Mode::Refuse).await,
        DatabaseAction::Delay { milliseconds } => {
            let mode = Mode::delayed(Duration::from_millis(*milliseconds));
            world.set_mode(&resource, mode).await;
        }
        DatabaseAction::Open => world.set_mode(&resource, Mode::open()).await,
        DatabaseAction::Execute { database, sql } => server.execute(database, sql).await.map_err(text)?,
    }
    Ok(())
}

async fn calls(State(api): State<Arc<Api>>) -> Response {
    answer(StatusCode::OK, &api.calls.all())
}

async fn forget(State(api): State<Arc<Api>>) -> Response {
    api.calls.clear();
    answer(StatusCode::OK, &serde_json::json!({ "ok": true }))
}

fn with<T: DeserializeOwned>(body: &[u8], act: impl FnOnce(T)) -> Response {
    match serde_json::from_slice(body) {
        Ok(value) => {
            act(value);
            answer(StatusCode::OK, &serde_json::json!({ "ok": true }))
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(why: &impl std::fmt::Display) -> Response {
    answer(
        StatusCode::BAD_REQUEST,
        &serde_json::json!({ "error": why.to_string() }),
    )
}

fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec_pretty(value).expect("plain data has a JSON form");
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .expect("the headers are valid")
}
