//! The HTTP server: reads the form, lets faults in, calls the action, writes the answer and the log.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Form, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
    routing::{any, post},
};
use jiff::Timestamp;
use tokio::{net::TcpListener, sync::oneshot};

use super::{
    actions::{self, Handler},
    calls::{Call, Calls},
    control,
    fault::Fault,
    faults::{Effect, Faults, Hit, disguise},
    params::Params,
    shapes::time,
    xml::Xml,
};
use crate::world::{World, ids};

const RDS: &str = "http://rds.amazonaws.com/doc/2014-10-31/";
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What the server answers from.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) world: Arc<World>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) calls: Arc<Calls>,
}

/// Serves on loopback until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, api: Arc<Api>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", post(handle))
        .nest("/_sandbox", control::router())
        .fallback(any(unknown_path))
        .with_state(api);
    axum::serve(listener, router).await
}

/// A free port, or the one asked for, on loopback.
pub(crate) async fn bind(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn unknown_path() -> Response {
    let fault = Fault::new(404, "UnknownOperationException", "the API is a POST to /");
    respond(
        fault.status,
        fault.document(RDS, &ids::request()),
        &ids::request(),
    )
}

/// Who signed the call, and for which Region.
struct Caller {
    access_key: Option<String>,
    region: Option<String>,
}

/// How the access keys of assumed roles begin; the account follows.
const ASSUMED: &str = "ASIASBOX";

impl Caller {
    /// The account whose role was assumed.
    fn assumed(&self) -> Option<&str> {
        self.access_key.as_deref()?.strip_prefix(ASSUMED)
    }

    /// `AWS4-HMAC-SHA256 Credential=KEY/20260101/eu-west-1/rds/aws4_request, …`
    fn of(headers: &HeaderMap) -> Self {
        let scope: Vec<String> = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split("Credential=").nth(1))
            .and_then(|value| value.split(',').next())
            .map(|value| value.split('/').map(str::to_owned).collect())
            .unwrap_or_default();
        Self {
            access_key: scope.first().cloned(),
            region: scope.get(2).cloned(),
        }
    }
}

enum Answer {
    Document(u16, String),
    /// The connection ends without a byte.
    Lost,
}

/// Carries a call out in a task of its own: what has arrived is done and logged, also where whoever asked has hung up or was
/// killed meanwhile, as at RDS.
async fn handle(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let (done, answer) = oneshot::channel();
    let world = Arc::clone(&api.world);
    world.spawn(async move {
        let _hung_up = done.send(carry_out(api, headers, fields).await);
    });
    // It is not done where the sandbox ends.
    answer.await.unwrap_or_else(|_| lost_answer())
}

async fn carry_out(api: Arc<Api>, headers: HeaderMap, fields: Vec<(String, String)>) -> Response {
    let started = Instant::now();
    let at = Timestamp::now();
    let request_id = ids::request();
    let caller = Caller::of(&headers);
    let take = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let action = take("Action").unwrap_or_default();
    let version = take("Version").unwrap_or_default();
    let params = Params::new(
        fields
            .into_iter()
            .filter(|(key, _)| key != "Action" && key != "Version"),
    );
    let log = params.fields().clone();
    let namespace = if version == "2011-06-15" { STS } else { RDS };
    let (result, lost, took_effect) = api.call(&action, &version, &caller, params).await;
    let code = result.as_ref().err().map(|fault| fault.code.clone());
    let answer = match (lost, result) {
        (true, _) => Answer::Lost,
        (false, Ok(result)) => Answer::Document(200, success(&action, result, namespace, &request_id)),
        (false, Err(fault)) => Answer::Document(fault.status, fault.document(namespace, &request_id)),
    };
    api.calls.record(Call {
        action,
        params: log,
        at,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        status: match &answer {
            Answer::Document(status, _) => Some(*status),
            Answer::Lost => None,
        },
        code,
        request_id: request_id.clone(),
        access_key: caller.access_key,
        took_effect,
    });
    match answer {
        Answer::Document(status, document) => respond(status, document, &request_id),
        Answer::Lost => lost_answer(),
    }
}

fn respond(status: u16, document: String, request_id: &str) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("faults have HTTP statuses"))
        .header(header::CONTENT_TYPE, "text/xml")
        .header("x-amzn-requestid", request_id)
        .body(Body::from(document))
        .expect("the headers are valid")
}

/// A body that fails before its first byte makes hyper close the connection without having sent the head.
fn lost_answer() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Vec<u8>, _>(std::io::Error::other("the answer is lost on command"))
    });
    Response::new(Body::from_stream(broken))
}

fn success(action: &str, result: Option<Xml>, namespace: &str, request_id: &str) -> String {
    let mut document = Xml::new(format!("{action}Response"));
    if let Some(result) = result {
        document = document.child(result.renamed(format!("{action}Result")));
    }
    document
        .child(Xml::new("ResponseMetadata").text("RequestId", request_id))
        .document(namespace)
}

impl Api {
    /// The result of a call, whether its answer is lost, and whether it took effect.
    async fn call(
        &self,
        action: &str,
        version: &str,
        caller: &Caller,
        params: Params,
    ) -> (Result<Option<Xml>, Fault>, bool, bool) {
        let refuse = |fault: Fault| (Err(fault), false, false);
        let user = format!(
            "arn:aws:iam::{}:user/sandbox",
            self.world.read(|account| account.id.clone())
        );
        if caller.access_key.is_none() {
            return refuse(Fault::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ));
        }
        if !self.faults.admits() {
            return refuse(Fault::throttled());
        }
        let hit = self.faults.meet(action);
        if let Some(Hit {
            effect: Effect::Delay { milliseconds },
            ..
        }) = &hit
        {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        }
        match hit.as_ref().map(|hit| &hit.effect) {
            Some(Effect::Throttle) => return refuse(Fault::throttled()),
            Some(Effect::ErrorBefore) => return refuse(Fault::internal()),
            Some(Effect::Unavailable) => return refuse(Fault::unavailable()),
            Some(Effect::LostBefore) => return (Err(Fault::internal()), true, false),
            Some(Effect::AccessDenied) => return refuse(Fault::access_denied(&user, action)),
            Some(Effect::ExpiredToken) => return refuse(Fault::expired_token()),
            Some(Effect::InvalidToken) => return refuse(Fault::invalid_token()),
            Some(Effect::Fault { http, code, message }) => return refuse(Fault::new(*http, code, message)),
            _ => {}
        }
        let account_id = match caller.assumed() {
            Some(account) => account.to_owned(),
            None => self.world.read(|account| account.id.clone()),
        };
        match (version, action) {
            ("2011-06-15", "GetCallerIdentity") => {
                return (Ok(Some(identity(&user, &account_id))), false, true);
            }
            ("2011-06-15", "AssumeRole") => return (self.assume(&user, &params), false, true),
            _ => {}
        }
        if self.faults.denies(action) {
            return refuse(Fault::access_denied(&user, action));
        }
        let known = if version == "2014-10-31" {
            actions::find(action)
        } else {
            None
        };
        let Some(handler) = known else {
            return refuse(Fault::bad(
                "InvalidAction",
                format!("Could not find operation {action} for version {version}"),
            ));
        };
        let result = match handler {
            Handler::Read(read) => {
                if matches!(action, "DescribeDBLogFiles" | "DownloadDBLogFilePortion") {
                    self.world.collect_logs();
                }
                let mut account = match hit.as_ref().and_then(|hit| hit.snapshot.as_ref()) {
                    Some(snapshot) => Arc::clone(snapshot),
                    None => self.world.snapshot(),
                };
                if let Some(Hit {
                    effect: Effect::Status { resource, status },
                    ..
                }) = &hit
                {
                    disguise(Arc::make_mut(&mut account), *resource, status);
                }
                let region = caller.region.as_ref().unwrap_or(&account.region);
                if *region != account.region || account_id != account.id {
                    account = self.world.described(&account_id, region);
                }
                read(&account, &params).map(Some)
            }
            Handler::Write(write) => {
                let home = self.world.read(|account| account.region.clone());
                match &caller.region {
                    _ if caller
                        .assumed()
                        .is_some_and(|id| self.world.read(|account| account.id != id)) =>
                    {
                        Err(Fault::invalid_value(
                            "the sandbox changes nothing in other accounts",
                        ))
                    }
                    Some(region) if *region != home => Err(Fault::invalid_value(format!(
                        "the sandbox has resources only in {home}, not in {region}"
                    ))),
                    _ => write(Arc::clone(&self.world), params).await,
                }
            }
        };
        let took_effect = result.is_ok();
        match hit.map(|hit| hit.effect) {
            Some(Effect::ErrorAfter) if took_effect => (Err(Fault::internal()), false, true),
            Some(Effect::LostAfter) => (result, true, took_effect),
            _ => (result, false, took_effect),
        }
    }

    /// Credentials of another account that has resources; any role of it can be assumed.
    fn assume(&self, user: &str, params: &Params) -> Result<Option<Xml>, Fault> {
        let role = params.required("RoleArn")?;
        let session = params.required("RoleSessionName")?;
        let mut parts = role.splitn(6, ':').skip(4);
        let (account, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let name = name.strip_prefix("role/").unwrap_or_default();
        if name.is_empty() || !self.world.has_account(account) {
            return Err(Fault::new(
                403,
                "AccessDenied",
                format!("User: {user} is not authorized to perform: sts:AssumeRole on resource: {role}"),
            ));
        }
        let until = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        Ok(Some(
            Xml::new("")
                .child(
                    Xml::new("Credentials")
                        .text("AccessKeyId", format!("{ASSUMED}{account}"))
                        .text("SecretAccessKey", "sandbox-secret-that-opens-nothing")
                        .text("SessionToken", "sandbox-session")
                        .text("Expiration", time(until)),
                )
                .child(
                    Xml::new("AssumedRoleUser")
                        .text("AssumedRoleId", format!("AROASANDBOXSANDBOX00:{session}"))
                        .text(
                            "Arn",
                            format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
                        ),
                ),
        ))
    }
}

fn identity(user: &str, account: &str) -> Xml {
    Xml::new("")
        .text("Arn", user)
        .text("UserId", "AIDASANDBOXSANDBOX00")
        .text("Account", account)
}
