//! Getting in: TLS, logins and what a session is allowed to do, against real servers and against hostile ones.

pub(crate) mod certificates;
mod hostile;
mod logins;
mod sessions;
mod verification;

use std::{path::PathBuf, sync::Arc, time::Duration};

use greenlight::edge::{
    auth::{Authenticator, Method},
    connect::{ConnectError, ConnectSpec, Session, Timeouts, connect},
    conninfo::GivenIn,
    env::Env,
    tls::{Roots, TlsMode, TlsSettings},
};
use greenlight::model::secret::Secret;
use sandbox::pg::{Server, ServerOptions, ident, literal};

/// A password that nobody else would write, so that finding it in any text means that it leaked.
const PLANTED: &str = "pLaNtEd-7f3a";

/// A server of the major that every machine here has.
async fn server(options: ServerOptions) -> Server {
    Server::start(options).await.expect("a server starts")
}

/// A role with a password, which may do nothing but log in.
async fn role(server: &Server, name: &str, password: &str) {
    let sql = format!("create role {} login password {}", ident(name), literal(password));
    server.execute("postgres", &sql).await.expect("a role");
}

fn bundled(mode: TlsMode) -> TlsSettings {
    TlsSettings::new(mode, Arc::new(Roots::bundled()))
}

fn trusting(mode: TlsMode, pem: &str) -> TlsSettings {
    let roots = Roots::from_pem(PathBuf::from("ca.pem"), pem.as_bytes()).expect("roots");
    TlsSettings::new(mode, Arc::new(roots))
}

fn with_password(user: &str, password: &str) -> Arc<Authenticator> {
    let auth = Authenticator::new(Method::Password, Env::empty()).with_user(user);
    Arc::new(auth.with_password(Secret::new(password), GivenIn::ConnectionString))
}

/// To `host` as far as names go, to the server as far as bytes go.
fn to(server: &Server, host: &str, tls: TlsSettings, auth: Arc<Authenticator>) -> ConnectSpec {
    ConnectSpec::new(host, 5432, "postgres", auth, tls).through(server.host(), server.port())
}

/// A session, or the test fails with the message a user would see.
async fn session(spec: &ConnectSpec) -> Session {
    connect(spec).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The error of a connection that must not come about, with nothing planted in any of its forms.
async fn refusal(spec: &ConnectSpec) -> ConnectError {
    let error = match connect(spec).await {
        Ok(session) => panic!("must be refused: {session:?}"),
        Err(error) => error,
    };
    let shown = format!("{error} {error:?} {error:#?} {:?} {spec:?}", error.cause.fix());
    assert!(!shown.contains(PLANTED), "leaked: {shown}");
    error
}

/// Short limits, for peers that are never going to answer.
fn impatient(mut spec: ConnectSpec) -> ConnectSpec {
    spec.timeouts = Timeouts {
        tcp: Duration::from_millis(300),
        tls: Duration::from_millis(300),
        login: Duration::from_millis(300),
        total: Duration::from_millis(900),
    };
    spec
}

/// The first column of the first row.
async fn value(session: &Session, sql: &str) -> Option<String> {
    let answer = session.client.simple_query(sql).await.expect("an answer");
    answer.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    })
}
