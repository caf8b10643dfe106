//! One connection to one database.
//!
//! [`connect`] resolves, dials, negotiates TLS, logs in and makes the session safe, in that order and each step with its own
//! time limit, so that a server which is silent, closes half-way or is no PostgreSQL ends in an exact [`ConnectError`], never
//! in a hang. Every session is read-only, has its `search_path` pinned and its statements and locks limited, before the caller
//! sees it. On PostgreSQL 14 and later that costs no extra round trip, before that one.
//!
//! The name that is verified, signed for and looked up is always the real endpoint's; `tcp_override` changes only where the
//! bytes go.

mod classify;
mod error;
mod frames;
mod settings;
mod tunnel;
mod wire;

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_config::SdkConfig;
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, config, error::SqlState};

pub use error::{Cause, ConnectError, Phase};
pub use settings::{SessionLimits, SettingsSent};
pub use tunnel::Tunnels;

use super::{
    auth::{Authenticator, Credentials, Login, Method, Origin},
    clock,
    conninfo::{ConnInfo, ConnInfoError, GivenIn},
    deadline,
    env::Env,
    tls::{ServerCertificate, TlsMode, TlsSettings, is_local},
};
use settings::Settled;
use wire::{AlreadyNegotiated, Checked};

/// What the server sees as `application_name`.
pub const APPLICATION_NAME: &str = "greenlight";

/// The database that every server has.
const MAINTENANCE_DATABASE: &str = "postgres";

/// Time limits for opening a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For looking the host up, and for each of its addresses to answer.
    pub tcp: Duration,
    /// For the answer to the request for TLS and the handshake, together.
    pub tls: Duration,
    /// For logging in and for making the session safe, each.
    pub login: Duration,
    /// For all of it, other than getting credentials.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: Duration::from_secs(10),
            tls: Duration::from_secs(10),
            login: Duration::from_secs(15),
            total: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    /// No step longer than `limit`, and the whole not longer either (`--timeout-connect`).
    pub fn within(limit: Duration) -> Self {
        let usual = Self::default();
        Self {
            tcp: usual.tcp.min(limit),
            tls: usual.tls.min(limit),
            login: usual.login.min(limit),
            total: limit,
        }
    }
}

/// Where to connect, as whom and how.
#[derive(Debug, Clone)]
pub struct ConnectSpec {
    /// The real endpoint: a host name, an IP address, or the folder of a unix socket (`/…`).
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where TCP goes when not to the real endpoint (`--connect`): the end of a tunnel, or a known address.
    pub tcp_override: Option<(String, u16)>,
    /// The database.
    pub database: String,
    /// Who logs in; shared by the connections of a side.
    pub auth: Arc<Authenticator>,
    /// What is asked of TLS.
    pub tls: TlsSettings,
    /// The name the server logs.
    pub application_name: String,
    /// The user's own `-c name=value` settings; greenlight's come after them and win.
    pub options: Option<String>,
    /// The server's version as a number, where an earlier session told it: settings that only newer servers know then come with
    /// the startup message.
    pub server_version: Option<u32>,
    /// Limits inside the session.
    pub limits: SessionLimits,
    /// Limits for getting there.
    pub timeouts: Timeouts,
    /// How the session's settings get there, where nothing in between has a say.
    pub settings: SettingsSent,
}

impl ConnectSpec {
    /// A connection with the usual limits.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        database: impl Into<String>,
        auth: Arc<Authenticator>,
        tls: TlsSettings,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            tcp_override: None,
            database: database.into(),
            auth,
            tls,
            application_name: APPLICATION_NAME.to_owned(),
            options: None,
            server_version: None,
            limits: SessionLimits::default(),
            timeouts: Timeouts::default(),
            settings: SettingsSent::AtStartup,
        }
    }

    /// A connection as a connection string describes it (`--blue-url`). `aws` is for the methods that need it.
    ///
    /// # Errors
    /// When the string, the service file, a PG… variable or the CA file cannot be used.
    pub fn from_conninfo(
        text: &str,
        method: Method,
        env: &Env,
        aws: Option<SdkConfig>,
    ) -> Result<Self, ConnInfoError> {
        let mut complete = text.parse::<ConnInfo>()?.complete(env)?;
        let by_secret = matches!(method, Method::Secret(_));
        let by_password = method == Method::Password;
        let mut auth = Authenticator::new(method, env.clone());
        // A secret knows its user. Only a user that was asked for is held against it, not the operating system's.
        let user = Some(complete.user).filter(|_| complete.user_given || !by_secret);
        let database = complete
            .database
            .or_else(|| user.clone())
            .unwrap_or_else(|| MAINTENANCE_DATABASE.to_owned());
        if let Some(user) = user {
            auth = auth.with_user(user);
        }
        if let Some((password, place)) = complete.password {
            if !by_password && place != GivenIn::Environment {
                tracing::warn!("the password in {place} is not used, because another --auth is given");
            }
            auth = auth.with_password(password, place);
        }
        if let Some(file) = complete.passfile {
            auth = auth.with_passfile(file);
        }
        if let Some(aws) = aws {
            auth = auth.with_aws(aws, None);
        }
        let mut spec = Self::new(
            complete.host,
            complete.port,
            database,
            Arc::new(auth),
            complete.tls,
        );
        spec.tcp_override = complete
            .hostaddr
            .map(|address| (address.to_string(), complete.port));
        spec.options = complete.options.take();
        if let Some(name) = complete.application_name {
            spec.application_name = name;
        }
        if let Some(limit) = complete.connect_timeout {
            spec.timeouts = Timeouts::within(limit);
        }
        Ok(spec)
    }

    /// The same server, another database.
    #[must_use]
    pub fn for_database(&self, database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            ..self.clone()
        }
    }

    /// The same server with what a session has learned of it, so that the next ones are spared the question: its version, and
    /// that it has no TLS where that was left to the server.
    #[must_use]
    pub fn after(&self, session: &Session) -> Self {
        let mut spec = Self {
            server_version: session.version_number(),
            ..self.clone()
        };
        if spec.tls.effective_mode() == TlsMode::Prefer && session.transport == Transport::Plain {
            spec.tls = spec.tls.overridden(Some(TlsMode::Disable), None);
        }
        spec
    }

    /// Another server of the same side, such as a reader, reached as it is.
    #[must_use]
    pub fn at(&self, host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            tcp_override: None,
            ..self.clone()
        }
    }

    /// The same, with the session's settings sent once it is logged in, so that `pg_settings.reset_val` tells what others get. Costs a trip.
    /// The user's own settings travel at the startup only, and keep ours there.
    pub fn settings_after_login(&self) -> Self {
        let settings = match self.options {
            Some(_) => SettingsSent::AtStartup,
            None => SettingsSent::AfterLogin,
        };
        Self {
            settings,
            ..self.clone()
        }
    }

    /// The same server through `HOST:PORT`.
    #[must_use]
    pub fn through(mut self, host: impl Into<String>, port: u16) -> Self {
        self.tcp_override = Some((host.into(), port));
        self
    }

    fn login(&self) -> Login<'_> {
        Login {
            host: &self.host,
            port: self.port,
            tunnel: self
                .tcp_override
                .as_ref()
                .map(|(host, port)| (host.as_str(), *port)),
            database: &self.database,
        }
    }

    /// Where it goes, for messages: `db.example:5432`, `db.example:5432 through 127.0.0.1:7000`.
    pub fn endpoint(&self) -> String {
        let real = wire::host_port(&self.host, self.port);
        match &self.tcp_override {
            Some((host, port)) => format!("{real} through {}", wire::host_port(host, *port)),
            None => real,
        }
    }
}

/// How the bytes travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket.
    Socket,
    /// TCP without TLS.
    Plain,
    /// TLS.
    Tls {
        /// What was checked about the server.
        mode: TlsMode,
        /// What the server showed.
        certificate: Option<ServerCertificate>,
    },
}

/// An open session. Dropping it closes the connection.
pub struct Session {
    /// The driver's handle. Its `cancel_token` does not work, since the driver did not dial; what is abandoned ends with the
    /// session's `statement_timeout`.
    pub client: Client,
    /// The server's own word for its version, such as `15.14` or `13.12`.
    pub server_version: String,
    /// Who is logged in.
    pub user: String,
    /// Where the credentials were from.
    pub credentials_from: Origin,
    /// How the bytes travel.
    pub transport: Transport,
    /// How the session's settings got there.
    pub settings_sent: SettingsSent,
    /// What the user should hear, such as a password file that was not used. Logged as well, once.
    pub warnings: Vec<String>,
    driver: Driver,
}

/// The task that moves the bytes.
struct Driver {
    task: JoinHandle<()>,
    ended: Arc<OnceLock<String>>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// The server's version as a number, 150014 for 15.14; `None` when its word for it is not understood.
    pub fn version_number(&self) -> Option<u32> {
        settings::version_number(&self.server_version)
    }

    /// Closes the session as the protocol has it, and waits for the server to hang up (two seconds at most); dropping it only
    /// cuts the connection.
    pub async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        let _sent = timeout(Duration::from_secs(2), &mut driver.task).await;
    }

    /// Why the connection ended, when it has. A query that was under way may have the server's last words as its error; one
    /// that comes later says "connection closed" and no more.
    pub fn ended_because(&self) -> Option<&str> {
        self.driver.ended.get().map(String::as_str)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Session({} on {}, {:?})",
            self.user, self.server_version, self.transport
        )
    }
}

/// Opens a session. When the server refuses the password and the method may by now have another one (a rotated secret), that
/// one is tried, once.
///
/// # Errors
/// [`ConnectError`], which names the endpoint, the cause and the fix, and never has a password or token in it.
pub async fn connect(spec: &ConnectSpec) -> Result<Session, ConnectError> {
    let credentials = deadline::bound(spec.auth.credentials(spec.login()))
        .await
        .map_err(|passed| Cause::Deadline { passed, phase: None })
        .and_then(|credentials| credentials.map_err(Cause::Auth))
        .map_err(|cause| ConnectError::new(spec, None, cause))?;
    let refusal = match open(spec, &credentials).await {
        Ok(session) => return Ok(session),
        Err(cause) => cause,
    };
    if refusal.is_refused_login() {
        match deadline::bound(spec.auth.renewed(spec.login(), &credentials)).await {
            Ok(Ok(Some(fresh))) => {
                tracing::debug!(
                    endpoint = spec.endpoint(),
                    "the login was refused; trying once more with new credentials"
                );
                return open(spec, &fresh)
                    .await
                    .map_err(|cause| ConnectError::new(spec, Some(&fresh), cause));
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!("{error}"),
            Err(passed) => tracing::warn!("{passed} while the password was asked for again"),
        }
    }
    Err(ConnectError::new(spec, Some(&credentials), refusal))
}

async fn open(spec: &ConnectSpec, credentials: &Credentials) -> Result<Session, Cause> {
    refuse_unsafe(spec, credentials)?;
    let at = wire::Progress::default();
    let whole = timeout(spec.timeouts.total, open_step_by_step(spec, credentials, &at));
    match deadline::bound(whole).await {
        Err(passed) => Err(Cause::Deadline {
            passed,
            phase: Some(at.get()),
        }),
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Cause::Timeout {
            phase: at.get(),
            after: spec.timeouts.total,
        }),
    }
}

/// Combinations that would give a password or token to whoever answers.
fn refuse_unsafe(spec: &ConnectSpec, credentials: &Credentials) -> Result<(), Cause> {
    let mode = spec.tls.effective_mode();
    if matches!(credentials.origin, Origin::Iam { .. }) && !mode.verifies() {
        return Err(Cause::IamNeedsVerification { mode });
    }
    if mode == TlsMode::Prefer && !is_local(&spec.host) {
        return Err(Cause::PreferNotLocal);
    }
    if spec.host.contains('\0') || spec.database.contains('\0') || credentials.user.contains('\0') {
        return Err(Cause::ZeroByte);
    }
    Ok(())
}

async fn open_step_by_step(
    spec: &ConnectSpec,
    credentials: &Credentials,
    at: &wire::Progress,
) -> Result<Session, Cause> {
    match log_in(spec, credentials, spec.settings, at).await {
        // RDS Proxy takes no startup options. It keeps a session that uses SET to itself, so SET does no harm there.
        Err(Cause::OptionsRefused) => log_in(spec, credentials, SettingsSent::AfterLogin, at).await,
        // Another server answers here now, which is older: a setting that it does not know was sent.
        Err(Cause::Server { code, .. })
            if code == SqlState::UNDEFINED_OBJECT.code() && spec.server_version.is_some() =>
        {
            let unknown = ConnectSpec {
                server_version: None,
                ..spec.clone()
            };
            log_in(&unknown, credentials, spec.settings, at).await
        }
        outcome => outcome,
    }
}

async fn log_in(
    spec: &ConnectSpec,
    credentials: &Credentials,
    sent: SettingsSent,
    at: &wire::Progress,
) -> Result<Session, Cause> {
    let (stream, transport) = wire::dial(spec, at).await?;
    let ended = Arc::new(OnceLock::new());
    let checked = Checked::new(stream, Arc::clone(&ended));
    let first_words = checked.first_words();

    let mut config = Config::new();
    config
        .user(&credentials.user)
        .dbname(&spec.database)
        .application_name(&spec.application_name)
        .channel_binding(spec.tls.channel_binding.driver())
        // TLS is done by now; in this combination the driver asks for nothing and takes the stream as it is.
        .ssl_mode(config::SslMode::Require)
        .ssl_negotiation(config::SslNegotiation::Direct);
    if let Some(password) = &credentials.password {
        config.password(password.expose());
    }
    if sent == SettingsSent::AtStartup {
        config.options(settings::startup_options(
            spec.options.as_deref(),
            &spec.limits,
            spec.server_version,
        ));
    }

    at.set(Phase::Login);
    let context = classify::Context {
        credentials,
        transport: &transport,
        first_words: &first_words,
    };
    let (client, connection) = within(
        spec.timeouts.login,
        Phase::Login,
        config.connect_raw(checked, AlreadyNegotiated),
    )
    .await?
    .map_err(|error| classify::login_failure(&error, &context))?;
    let server_version = connection
        .parameter("server_version")
        .unwrap_or_default()
        .to_owned();
    let reported = connection
        .parameter("default_transaction_read_only")
        .map(|value| value == "on");
    let why = Arc::clone(&ended);
    let scrubbed = credentials.password.clone();
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            let _first = why.set(classify::error_text(&error, scrubbed.as_ref()));
        }
    });
    let driver = Driver { task, ended };

    let mut warnings = credentials.warnings.clone();
    if let Transport::Tls {
        certificate: Some(certificate),
        ..
    } = &transport
    {
        let note = certificate.note(clock::now());
        warnings.extend(note.map(|note| format!("{}: {note}", spec.endpoint())));
    }
    spec.auth.warn_once(&warnings);
    at.set(Phase::Settings);
    let settled = Settled {
        client: &client,
        version: settings::version_number(&server_version),
        version_known: spec.server_version.is_some(),
        reported,
    };
    within(
        spec.timeouts.login,
        Phase::Settings,
        settled.make_sure(sent, &spec.limits),
    )
    .await?
    .map_err(|trouble| trouble.into_cause(driver.ended.get(), &context))?;
    tracing::debug!(
        endpoint = spec.endpoint(),
        database = spec.database,
        user = credentials.user,
        server_version,
        "connected"
    );
    Ok(Session {
        client,
        server_version,
        user: credentials.user.clone(),
        credentials_from: credentials.origin.clone(),
        transport,
        settings_sent: sent,
        warnings,
        driver,
    })
}

async fn within<T>(limit: Duration, phase: Phase, step: impl Future<Output = T>) -> Result<T, Cause> {
    timeout(limit, step)
        .await
        .map_err(|_| Cause::Timeout { phase, after: limit })
}
