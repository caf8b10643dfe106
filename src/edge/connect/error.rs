//! What can go wrong on the way to a session: the cause in one line, and what to do about it.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use super::ConnectSpec;
use crate::{
    edge::{
        auth::{AuthError, Credentials, Origin},
        deadline::Passed,
        tls::{ServerCertificate, TlsMode},
    },
    model::shown::quoted,
};

/// The steps on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking the host up.
    Resolve,
    /// TCP.
    Tcp,
    /// Asking whether the server has TLS.
    TlsRequest,
    /// The TLS handshake.
    Handshake,
    /// Logging in.
    Login,
    /// Making the session safe.
    Settings,
}

impl Phase {
    pub(super) const ALL: [Self; 6] = [
        Self::Resolve,
        Self::Tcp,
        Self::TlsRequest,
        Self::Handshake,
        Self::Login,
        Self::Settings,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "while its name was looked up",
            Self::Tcp => "while connecting",
            Self::TlsRequest => "when asked for TLS",
            Self::Handshake => "during the TLS handshake",
            Self::Login => "during the login",
            Self::Settings => "while the session was set up",
        })
    }
}

/// A connection that did not come about. Its text is `cannot connect to …: CAUSE; FIX`, and has no password or token in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// Where to: `db.example:5432 through 127.0.0.1:7000`.
    pub endpoint: String,
    /// Which database.
    pub database: String,
    /// As whom, once that is known.
    pub user: Option<String>,
    /// What went wrong.
    pub cause: Box<Cause>,
    /// What was noticed on the way, such as a password file that was not used.
    pub warnings: Vec<String>,
}

impl ConnectError {
    pub(super) fn new(spec: &ConnectSpec, credentials: Option<&Credentials>, cause: Cause) -> Self {
        Self {
            endpoint: spec.endpoint(),
            database: quoted(&spec.database),
            user: credentials.map(|credentials| quoted(&credentials.user)),
            cause: Box::new(cause),
            warnings: credentials
                .map(|credentials| credentials.warnings.clone())
                .unwrap_or_default(),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot connect to {}, database \"{}\"",
            self.endpoint, self.database
        )?;
        if let Some(user) = &self.user {
            write!(f, ", as \"{user}\"")?;
        }
        write!(f, ": {}", self.cause)?;
        if let Some(fix) = self.cause.fix() {
            write!(f, "; {fix}")?;
        }
        if self.cause.concerns_password() {
            for warning in &self.warnings {
                write!(f, " (note: {warning})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

/// What went wrong. Texts that came from the server are in one line, cut and without the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's text says what it and its fields are")]
pub enum Cause {
    #[error("{0}")]
    Auth(AuthError),
    #[error("an IAM token is sent as it is, and TLS mode {mode} does not check who receives it")]
    IamNeedsVerification { mode: TlsMode },
    #[error(
        "TLS mode prefer lets anyone in between turn encryption off, so it is for loopback addresses and sockets only"
    )]
    PreferNotLocal,
    #[error("localhost is {address} here, which is not a loopback address")]
    LocalhostIsElsewhere { address: IpAddr },
    #[error("a name has a zero byte in it")]
    ZeroByte,
    #[error("the name {host:?} cannot be looked up: {why}")]
    Dns { host: String, why: String },
    #[error("{address} refused the connection: nothing listens there")]
    Refused { address: String },
    #[error("{address} cannot be reached: {why}")]
    Unreachable { address: String, why: String },
    #[error("{address} did not answer within {} s", after.as_secs_f32())]
    Silent { address: String, after: Duration },
    #[error("there is no socket {}", path.display())]
    NoSocket { path: PathBuf },
    #[error("no answer within {} s {phase}", after.as_secs_f32())]
    Timeout { phase: Phase, after: Duration },
    #[error("{passed}{}", phase.map(|phase| format!(" {phase}")).unwrap_or_default())]
    Deadline { passed: Passed, phase: Option<Phase> },
    #[error("the other end closed the connection {phase}")]
    Closed { phase: Phase },
    #[error("the connection broke {phase}: {why}")]
    Broken { phase: Phase, why: String },
    #[error("not a PostgreSQL server: it began with {greeting:?}")]
    NotPostgres { greeting: String },
    #[error("the server turned the connection away at once: {said}")]
    RefusedAtOnce { said: String },
    #[error("the server has no TLS, and TLS mode {mode} asks for it")]
    NoTls { mode: TlsMode },
    #[error("the server's certificate is not under a trusted root ({roots}); it was issued by {issuer}")]
    UnknownCa {
        issuer: String,
        roots: String,
        fix: String,
    },
    #[error("the server's certificate is made out to {}, not to {wanted}", names.join(", "))]
    WrongName { wanted: String, names: Vec<String> },
    #[error("{which} ended on {ended}")]
    Expired { which: &'static str, ended: String },
    #[error("{which} does not hold before {begins}")]
    NotYetValid { which: &'static str, begins: String },
    #[error("the server's certificate cannot be used: {why}")]
    BadCertificate {
        why: String,
        certificate: Option<ServerCertificate>,
    },
    #[error("TLS could not be agreed on: {why}")]
    TlsFailed { why: String },
    #[error("{host:?} is not a name that TLS can check")]
    HostName { host: String },
    #[error("channel binding is required, and {why}")]
    ChannelBinding { why: String },
    #[error("the server asks for a login that is not supported: {why}")]
    LoginMethod { why: String },
    #[error("the server asks for a password, and none was found")]
    NoPassword,
    #[error("the server refused the password from {origin} for user {user:?}")]
    WrongPassword { user: String, origin: Origin },
    #[error("the server refused the IAM token for user {user:?} on {endpoint}: {said}")]
    IamRefused {
        user: String,
        endpoint: String,
        region: String,
        said: String,
    },
    #[error("user {user:?} logs in by IAM only: {said}")]
    WantsIam { user: String, said: String },
    #[error("pg_hba.conf lets this user in by another way than a password: {said}")]
    OtherLogin { said: String },
    #[error("there is no such role, or it may not log in: {said}")]
    Role { said: String },
    #[error("the server takes no unencrypted connection from here: {said}")]
    WantsTls { said: String },
    #[error("the server takes no connection from here for this user and database: {said}")]
    NotAllowedFromHere { said: String },
    #[error("there is no such database: {said}")]
    NoDatabase { said: String },
    #[error("the database takes no connections: {said}")]
    DatabaseClosed { said: String },
    #[error("the user may not connect to this database: {said}")]
    NoConnectPrivilege { said: String },
    #[error("there is no connection left: {said}")]
    TooManyConnections { said: String },
    #[error("the server is not ready for connections: {said}")]
    NotReady { said: String },
    #[error("the server is shutting down: {said}")]
    ShuttingDown { said: String },
    #[error("something in between takes no startup options: {said}")]
    Pooler { said: String },
    #[error("startup options were refused by RDS Proxy")]
    OptionsRefused,
    #[error(
        "the session is not read-only although it was asked to be: something in between drops startup options"
    )]
    SettingsLost,
    #[error("the server ended the session at once: {said}")]
    SessionEnded { said: String },
    #[error("the server refused: {said} (SQLSTATE {code})")]
    Server { code: String, said: String },
    #[error("the server broke PostgreSQL's protocol {phase}: {why}")]
    Protocol { phase: Phase, why: String },
}

impl Cause {
    /// What to do, for a person.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            Self::Auth(_) | Self::ZeroByte | Self::Server { .. } => return None,
            Self::Deadline { .. } => "give a longer --deadline, or see what is slow with -v",
            Self::UnknownCa { fix, .. } => return Some(fix.clone()),
            Self::IamNeedsVerification { .. } => "use verify-full or verify-ca",
            Self::PreferNotLocal => "use verify-full, or disable where plain text is meant",
            Self::LocalhostIsElsewhere { .. } => "name the address, or a TLS mode",
            Self::Dns { .. } => "check the name, and whether this machine is in a network that knows it",
            Self::Refused { .. } | Self::NoSocket { .. } => {
                "check host and port, and that the server or the tunnel is running"
            }
            Self::Unreachable { .. } | Self::Silent { .. } => {
                "check the security group, the route and the VPN, or go through a tunnel with --connect"
            }
            Self::Timeout {
                phase: Phase::Resolve | Phase::Tcp,
                ..
            } => "check the network, or go through a tunnel with --connect",
            Self::Timeout {
                phase: Phase::Login | Phase::Settings,
                ..
            } => "the server may be overloaded or starting; try again",
            Self::Timeout { .. } | Self::Closed { .. } | Self::Broken { .. } => {
                "check that a PostgreSQL server is at the end of the tunnel or load balancer"
            }
            Self::NotPostgres { .. } => "check host and port",
            Self::RefusedAtOnce { .. } => "the server may be out of memory or processes; try again",
            Self::NoTls { .. } => {
                "turn ssl on in the server, or say --tls-mode disable where plain text is meant"
            }
            Self::WrongName { .. } => {
                "use one of those names (a CNAME is not enough); through a tunnel, name the real endpoint and \
                 give the tunnel with --connect"
            }
            Self::Expired { .. } => "have the server's certificate renewed, and check this machine's clock",
            Self::NotYetValid { .. } => "check this machine's clock",
            Self::BadCertificate { .. } => "have the server's certificate replaced",
            Self::TlsFailed { .. } => "the server must speak TLS 1.2 or 1.3",
            Self::HostName { .. } => "use the endpoint's host name",
            Self::ChannelBinding { .. } => {
                "use TLS and a role with a SCRAM password (IAM tokens and MD5 cannot be bound), or ask for prefer"
            }
            Self::LoginMethod { .. } => "use a role with a password, or --auth iam",
            Self::NoPassword => "set PGPASSWORD, add a line to the password file, or use --auth",
            Self::WrongPassword {
                origin: Origin::Secret { .. } | Origin::Command { .. },
                ..
            } => "it was asked for again and had not changed; check that its rotation has finished",
            Self::WrongPassword { .. } => "check the user and the password",
            Self::IamRefused { .. } => {
                "check that IAM authentication is on for this instance or cluster, that the user has the role rds_iam, \
                 that rds-db:connect is allowed for its resource id (green has one of its own) and this user, and that \
                 the host is the RDS endpoint and no other name for it"
            }
            Self::WantsIam { .. } => "use --auth iam, or a user without the role rds_iam",
            Self::OtherLogin { .. } => {
                "connect by TCP (host=…) with a password, or as the user that pg_hba.conf expects"
            }
            Self::Role { .. } => "check the user's name and that it has LOGIN",
            Self::WantsTls { .. } => "use --tls-mode verify-full",
            Self::NotAllowedFromHere { .. } => {
                "have a line added to pg_hba.conf, or use another user or network"
            }
            Self::NoDatabase { .. } => {
                "check the database's name (--dbname, or the one in the connection string)"
            }
            Self::DatabaseClosed { .. } => "allow connections to it, or leave this database out",
            Self::NoConnectPrivilege { .. } => "run GRANT CONNECT ON DATABASE for the user",
            Self::TooManyConnections { .. } => {
                "end idle sessions, or raise max_connections or the CONNECTION LIMIT of the role or database"
            }
            Self::NotReady { .. } => "wait until it has started, then try again",
            Self::ShuttingDown { .. } => "wait until it is back, then try again",
            Self::Pooler { .. } | Self::SettingsLost => {
                "connect to the server itself: through a pooler, settings reach other clients' sessions"
            }
            Self::OptionsRefused => "connect to the instance's own endpoint",
            Self::SessionEnded { .. } | Self::Protocol { .. } => "try again, and check what is in between",
        };
        Some(fix.to_owned())
    }

    /// A short word for reports and for telling causes apart.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Auth(_) => "no-credentials",
            Self::IamNeedsVerification { .. } | Self::PreferNotLocal | Self::LocalhostIsElsewhere { .. } => {
                "unsafe-tls-mode"
            }
            Self::ZeroByte | Self::HostName { .. } => "bad-name",
            Self::Dns { .. } => "dns",
            Self::Refused { .. } | Self::NoSocket { .. } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Silent { .. } | Self::Timeout { .. } | Self::Deadline { .. } => "timeout",
            Self::Closed { .. } | Self::Broken { .. } | Self::SessionEnded { .. } => "closed",
            Self::NotPostgres { .. } | Self::Protocol { .. } => "not-postgresql",
            Self::RefusedAtOnce { .. } => "refused-at-once",
            Self::NoTls { .. } => "no-tls",
            Self::UnknownCa { .. } => "unknown-ca",
            Self::WrongName { .. } => "wrong-name",
            Self::Expired { .. } | Self::NotYetValid { .. } => "certificate-dates",
            Self::BadCertificate { .. } => "bad-certificate",
            Self::TlsFailed { .. } => "tls-failed",
            Self::ChannelBinding { .. } => "channel-binding",
            Self::LoginMethod { .. } => "login-method",
            Self::NoPassword => "no-password",
            Self::WrongPassword { .. } => "wrong-password",
            Self::IamRefused { .. } => "iam-refused",
            Self::WantsIam { .. } => "wants-iam",
            Self::OtherLogin { .. } => "other-login",
            Self::Role { .. } => "no-role",
            Self::WantsTls { .. } => "wants-tls",
            Self::NotAllowedFromHere { .. } => "not-allowed-from-here",
            Self::NoDatabase { .. } => "no-database",
            Self::DatabaseClosed { .. } => "database-closed",
            Self::NoConnectPrivilege { .. } => "no-connect-privilege",
            Self::TooManyConnections { .. } => "too-many-connections",
            Self::NotReady { .. } => "not-ready",
            Self::ShuttingDown { .. } => "shutting-down",
            Self::Pooler { .. } | Self::OptionsRefused | Self::SettingsLost => "pooler",
            Self::Server { .. } => "server",
        }
    }

    /// Whether the same attempt may work a little later, as while a server restarts.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Dns { .. }
                | Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::Timeout { .. }
                | Self::Closed { .. }
                | Self::Broken { .. }
                | Self::RefusedAtOnce { .. }
                | Self::TooManyConnections { .. }
                | Self::NotReady { .. }
                | Self::ShuttingDown { .. }
                | Self::SessionEnded { .. }
        )
    }

    /// Whether another password might be let in.
    pub(super) fn is_refused_login(&self) -> bool {
        matches!(self, Self::WrongPassword { .. } | Self::WantsIam { .. })
    }

    /// Whether trouble with finding the password may be behind it.
    fn concerns_password(&self) -> bool {
        matches!(
            self,
            Self::NoPassword | Self::WrongPassword { .. } | Self::WantsIam { .. }
        )
    }
}
