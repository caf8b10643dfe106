//! What the tests share: connecting greenlight's collector to the sandbox's servers, and collecting quietly.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use greenlight::{
    checks::Check,
    edge::{
        auth::{Authenticator, Method},
        collect::{self, Order},
        connect::ConnectSpec,
        conninfo::GivenIn,
        contents::Wish,
        env::Env,
        postgres::Manners,
        tls::{Roots, TlsMode, TlsSettings},
    },
    facts::{Fact, Facts, Request, Why},
    model::{Engine, PgVersion, Phase, secret::Secret},
    situation::Situation,
};
use sandbox::pg::Server;

/// Longer than anything that a test waits for, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The checking role's password; hostile on purpose.
pub(crate) const PASSWORD: &str = "it's \"100%\" s3cret\\ ✓";

/// Every command that asks AWS, with no more than it needs to begin. Those that read a template read `t.json`.
pub(crate) const ASKING_AWS: [&[&str]; 10] = [
    &["check", "--cluster", "main"],
    &["collect", "--instance", "main"],
    &["fleet", "--all", "--target-major", "17"],
    &["watch", "--deployment", "main"],
    &["plan", "--cluster", "main", "--target-version", "latest"],
    &["prepare", "--cluster", "main", "--target-version", "16.6"],
    &["create", "--cluster", "main", "--target-version", "16.6", "--yes"],
    &["switchover", "--deployment", "main", "--yes"],
    &["cleanup", "--deployment", "main", "--yes"],
    &["drift", "--cluster", "main", "--template", "t.json"],
];

/// The environment of a command that asks AWS: credentials that open nothing, and a Region.
pub(crate) const AWS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIASANDBOXSANDBOX00"),
    ("AWS_SECRET_ACCESS_KEY", "opens-nothing"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_REGION", "eu-west-1"),
];

/// A server of which every connection is handled by `handle`, on a thread of its own for as long as the process lives.
pub(crate) fn stub(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = handle.clone();
            std::thread::spawn(move || handle(stream));
        }
    });
    address
}

/// Makes the read-only checking role that greenlight asks for.
pub(crate) async fn checking_role(server: &Server) {
    let sql = format!(
        "create role greenlight login password {}; grant pg_monitor to greenlight;",
        sandbox::pg::literal(PASSWORD)
    );
    server
        .execute("postgres", &sql)
        .await
        .expect("the checking role can be made");
}

/// The way to a sandbox server for a role with the checking role's password.
pub(crate) fn spec(server: &Server, role: &str) -> ConnectSpec {
    let auth = Authenticator::new(Method::Password, Env::empty())
        .with_user(role)
        .with_password(Secret::new(PASSWORD), GivenIn::ConnectionString);
    let tls = TlsSettings::new(TlsMode::Disable, Arc::new(Roots::bundled()));
    ConnectSpec::new(server.host(), server.port(), "postgres", Arc::new(auth), tls)
}

/// What to collect in a test.
pub(crate) struct Wanted<'a> {
    pub(crate) check: Option<&'a Check>,
    pub(crate) engine: Engine,
    pub(crate) target: Option<PgVersion>,
    pub(crate) phase: Option<Phase>,
    pub(crate) lag_samples: usize,
    /// Tables whose contents are compared.
    pub(crate) compare_rows: Vec<String>,
}

/// Collects as greenlight does when only databases are asked.
pub(crate) async fn collect(
    blue: &ConnectSpec,
    green: Option<&ConnectSpec>,
    wanted: Wanted<'_>,
) -> (Facts, Situation) {
    let order = Order {
        request: Request {
            subject: None,
            target_version: wanted.target,
            target_parameter_group: None,
        },
        engine: wanted.engine,
        rds: Fact::unknown(Why::NotAsked, "databases only"),
        phase: wanted.phase,
        everything: false,
        lag_samples: wanted.lag_samples,
        lag_interval: Duration::from_millis(200),
        manners: Manners::default(),
        only: wanted
            .check
            .map(|check| check.page.id.clone())
            .into_iter()
            .collect(),
        contents: (!wanted.compare_rows.is_empty()).then_some(Wish {
            patterns: wanted.compare_rows,
            rate: 0,
        }),
    };
    let now = greenlight::edge::clock::now();
    let facts = collect::collect(order, blue, green, now, &|_, _, _| {}, &|_| {})
        .await
        .expect("the sandbox's servers can be connected to");
    let situation = Situation::of(&facts, wanted.phase);
    (facts, situation)
}
