//! `/_sandbox`: what a test or a person in another process does with the sandbox itself.
//!
//! `POST faults` arms a rule, `DELETE faults` disarms all, `POST allow` sets the allow list, `POST next-switchover`
//! decides how the next switchover ends, `POST advance` lets steps go on, `GET calls` shows the log.

use std::sync::Arc;

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

pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/faults", post(arm).delete(disarm))
        .route("/allow", post(allow))
        .route("/next-switchover", post(next_switchover))
        .route("/advance", post(advance))
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

async fn next_switchover(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |outcome: SwitchoverOutcome| {
        api.faults.next_switchover(outcome)
    })
}

async fn advance(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    with(&body, |advance: Advance| api.world.pace().advance(advance.steps))
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
        Err(error) => answer(
            StatusCode::BAD_REQUEST,
            &serde_json::json!({ "error": error.to_string() }),
        ),
    }
}

fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec_pretty(value).expect("plain data has a JSON form");
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .expect("the headers are valid")
}
