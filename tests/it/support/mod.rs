//! What the tests share: connecting greenlight's collector to the sandbox's servers, and collecting quietly.

use std::time::Duration;

use greenlight::{
    checks::Check,
    edge::{
        collect::{self, Order},
        postgres::{Connect, Manners, NoSession, Session},
    },
    facts::{Fact, Facts, Request, Why},
    model::{Engine, PgVersion, Phase},
    situation::Situation,
};
use sandbox::pg::Server;

/// The checking role's password; hostile on purpose.
pub(crate) const PASSWORD: &str = "it's \"100%\" s3cret\\ ✓";

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

/// Connects to a sandbox server in the clear.
pub(crate) struct Plain<'a> {
    pub(crate) server: &'a Server,
    pub(crate) role: String,
    pub(crate) password: String,
}

impl<'a> Plain<'a> {
    /// As the checking role.
    pub(crate) fn checking(server: &'a Server) -> Self {
        Self {
            server,
            role: "greenlight".to_owned(),
            password: PASSWORD.to_owned(),
        }
    }
}

impl Connect for Plain<'_> {
    fn endpoint(&self) -> String {
        self.server.address().to_string()
    }

    fn role(&self) -> String {
        self.role.clone()
    }

    fn first_database(&self) -> String {
        "postgres".to_owned()
    }

    async fn connect(&self, database: &str) -> Result<Session, NoSession> {
        let no = |e: tokio_postgres::Error| NoSession {
            why: Why::Unreachable,
            detail: format!("{e:?}"),
        };
        let (client, connection) = tokio_postgres::Config::new()
            .host(self.server.host())
            .port(self.server.port())
            .user(&self.role)
            .password(&self.password)
            .dbname(database)
            .options(
                "-c search_path=pg_catalog -c default_transaction_read_only=on -c statement_timeout=30s -c lock_timeout=2s",
            )
            .connect(tokio_postgres::NoTls)
            .await
            .map_err(no)?;
        let version = connection
            .parameter("server_version")
            .expect("every server says it")
            .parse();
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Session {
            client,
            version: version.expect("a version"),
            task,
        })
    }
}

/// What to collect in a test.
pub(crate) struct Wanted<'a> {
    pub(crate) check: Option<&'a Check>,
    pub(crate) engine: Engine,
    pub(crate) target: Option<PgVersion>,
    pub(crate) phase: Option<Phase>,
    pub(crate) lag_samples: usize,
}

/// Collects as greenlight does when only databases are asked.
pub(crate) async fn collect(
    blue: &Plain<'_>,
    green: Option<&Plain<'_>>,
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
    };
    let facts = collect::collect(order, blue, green, greenlight::edge::clock::now(), &|_, _, _| {})
        .await
        .expect("the sandbox's servers can be connected to");
    let situation = Situation::of(&facts, wanted.phase);
    (facts, situation)
}
