//! Connection strings: `postgres://…` URLs and `key=value` lists, read as libpq reads them.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>. A part that is not given is taken from the
//! service file, then from the environment (PGHOST, PGUSER, …), then from libpq's defaults. Settings that greenlight would
//! have to ignore at the cost of safety are refused by name; those without a bearing are accepted.
//! No message repeats what was written except for keywords: a password with a character that should have been escaped ends up
//! in any part of a URL.

mod keywords;
mod text;

use std::{collections::BTreeSet, fmt, net::IpAddr, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use super::{
    env::Env,
    service::{self, ServiceError},
    tls::{ChannelBinding, Roots, RootsError, TlsMode, TlsModeError, TlsSettings, is_local},
};
use crate::model::secret::Secret;

/// PostgreSQL's port.
pub const DEFAULT_PORT: u16 = 5432;

/// A connection string as written; what was not given is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnInfo {
    /// The host name, IP address or folder of a unix socket.
    pub host: Option<String>,
    /// An address to connect to in place of looking the host up.
    pub hostaddr: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
    /// The database.
    pub database: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// A password file to use instead of the usual one.
    pub passfile: Option<PathBuf>,
    /// The service whose settings fill the gaps.
    pub service: Option<String>,
    /// How much TLS.
    pub tls_mode: Option<TlsMode>,
    /// A file of trusted roots.
    pub tls_ca: Option<PathBuf>,
    /// Whether the login is tied to the TLS channel.
    pub channel_binding: Option<ChannelBinding>,
    /// How long to wait for a connection; `None` leaves greenlight's own limits.
    pub connect_timeout: Option<Duration>,
    /// The name the server logs.
    pub application_name: Option<String>,
    /// Settings for the session, `-c name=value`; greenlight's own come after these.
    pub options: Option<String>,
    /// Where the password was given, when the service file gave it.
    service_file: Option<PathBuf>,
}

/// A connection string that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnInfoError {
    /// The text does not have the form of a connection string.
    #[error("{0}")]
    Form(String),
    /// A keyword nobody knows. It is not repeated: it may be the rest of a password with a blank in it.
    #[error("an unknown connection setting{hint}")]
    UnknownKey {
        /// `; did you mean …?` or what to look at.
        hint: String,
    },
    /// A keyword that asks for something greenlight does not do.
    #[error("connection setting {key:?} cannot be honoured: {why}")]
    Refused {
        /// The keyword.
        key: String,
        /// Why, and what to do.
        why: String,
    },
    /// A value that does not fit its keyword.
    #[error("connection setting {key:?}: {why}")]
    Value {
        /// The keyword.
        key: String,
        /// What is wrong with its value.
        why: String,
    },
    /// The TLS mode is not one.
    #[error("sslmode: {0}")]
    Mode(#[from] TlsModeError),
    /// Nothing says where the server is.
    #[error("no host given; name it in the connection string, or set PGHOST")]
    NoHost,
    /// Nothing says who connects.
    #[error("no user given; name it in the connection string, or set PGUSER")]
    NoUser,
    /// The service file.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A line of the service file.
    #[error("{file}:{line}: {error}", file = file.display())]
    ServiceLine {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with it.
        error: Box<ConnInfoError>,
    },
    /// The CA file.
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// Where a password that was given outright stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenIn {
    /// The connection string.
    ConnectionString,
    /// The service file.
    ServiceFile(PathBuf),
    /// PGPASSWORD.
    Environment,
}

/// A connection string with every gap filled.
#[derive(Debug, Clone)]
pub struct Complete {
    /// The host name, IP address or folder of a unix socket.
    pub host: String,
    /// An address to connect to in place of looking the host up.
    pub hostaddr: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The database, where one was given; libpq would take the user's name otherwise.
    pub database: Option<String>,
    /// The user.
    pub user: String,
    /// Whether the user was given, rather than taken from the operating system.
    pub user_given: bool,
    /// The password, if it was given outright, and where.
    pub password: Option<(Secret, GivenIn)>,
    /// The password file to use instead of the usual one.
    pub passfile: Option<PathBuf>,
    /// What is asked of TLS.
    pub tls: TlsSettings,
    /// How long to wait for a connection.
    pub connect_timeout: Option<Duration>,
    /// The name the server logs.
    pub application_name: Option<String>,
    /// Settings for the session.
    pub options: Option<String>,
}

impl FromStr for ConnInfo {
    type Err = ConnInfoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
        {
            Some(rest) => text::url(rest),
            None if text.contains("://")
                && !text
                    .split_once("://")
                    .is_some_and(|(scheme, _)| scheme.contains('=')) =>
            {
                Err(ConnInfoError::Form(
                    "a connection URL starts with postgres:// or postgresql://".to_owned(),
                ))
            }
            None => text::key_values(text),
        }
    }
}

impl ConnInfo {
    /// Fills the gaps from the service file, the environment and the defaults, in this order, and reads the CA file.
    ///
    /// # Errors
    /// When host or user are nowhere to be found, or the service file, a variable or the CA file cannot be used.
    pub fn complete(mut self, env: &Env) -> Result<Complete, ConnInfoError> {
        if let Some(name) = self
            .service
            .clone()
            .or_else(|| env.get("PGSERVICE").map(ToOwned::to_owned))
        {
            self.fill_from(Self::from_service(&name, env)?);
        }
        self.fill_from(Self::from_env(env)?);
        let host = match (self.host, self.hostaddr) {
            (Some(host), _) => host,
            (None, Some(address)) => address.to_string(),
            (None, None) => return Err(ConnInfoError::NoHost),
        };
        let user_given = self.user.is_some();
        let user = self
            .user
            .or_else(|| env.os_user().map(ToOwned::to_owned))
            .ok_or(ConnInfoError::NoUser)?;
        // Who names an authority wants it asked, on a loopback address too.
        let usual = if self.tls_ca.is_some() {
            TlsMode::VerifyFull
        } else {
            TlsMode::default_for(&host)
        };
        let mode = self.tls_mode.unwrap_or(usual);
        if mode == TlsMode::Prefer && !is_local(&host) {
            return Err(ConnInfoError::Refused {
                key: "sslmode".to_owned(),
                why: "prefer lets anyone in between turn encryption off, so it is for loopback addresses and sockets \
                      only; use verify-full, or disable where plain text is meant"
                    .to_owned(),
            });
        }
        let roots = match &self.tls_ca {
            Some(file) => Roots::from_file(env.expand(&file.to_string_lossy()))?,
            None => Roots::bundled(),
        };
        let password = self.password.map(|password| {
            (
                password,
                self.service_file
                    .map_or(GivenIn::ConnectionString, GivenIn::ServiceFile),
            )
        });
        let from_env = || Some((Secret::new(env.get("PGPASSWORD")?), GivenIn::Environment));
        Ok(Complete {
            tls: TlsSettings {
                mode,
                channel_binding: self.channel_binding.unwrap_or_default(),
                roots: Arc::new(roots),
            },
            host,
            hostaddr: self.hostaddr,
            port: self.port.unwrap_or(DEFAULT_PORT),
            database: self.database,
            user,
            user_given,
            password: password.or_else(from_env),
            passfile: self.passfile,
            connect_timeout: self.connect_timeout,
            application_name: self.application_name,
            options: self.options,
        })
    }

    fn from_service(name: &str, env: &Env) -> Result<Self, ConnInfoError> {
        let service = service::find(name, env)?;
        let mut info = Self::default();
        let mut seen = BTreeSet::new();
        for entry in &service.entries {
            // In a service file the first of two lines holds, in a connection string the last; libpq does the same.
            let mut repeated = Self::default();
            let place = if seen.insert(&entry.key) {
                &mut info
            } else {
                &mut repeated
            };
            place
                .set(&entry.key, &entry.value)
                .map_err(|error| ConnInfoError::ServiceLine {
                    file: service.file.clone(),
                    line: entry.line,
                    error: Box::new(error),
                })?;
        }
        info.service_file = Some(service.file);
        Ok(info)
    }

    fn from_env(env: &Env) -> Result<Self, ConnInfoError> {
        let mut info = Self::default();
        for (variable, key) in VARIABLES {
            if let Some(value) = env.get(variable) {
                info.set(key, value).map_err(|error| match error {
                    ConnInfoError::Value { why, .. } => ConnInfoError::Value {
                        key: (*variable).to_owned(),
                        why,
                    },
                    ConnInfoError::Refused { why, .. } => ConnInfoError::Refused {
                        key: (*variable).to_owned(),
                        why,
                    },
                    other => other,
                })?;
            }
        }
        Ok(info)
    }

    /// Takes from `other` what is not given here. A host and an address belong together and are taken together.
    fn fill_from(&mut self, other: Self) {
        if self.host.is_none() && self.hostaddr.is_none() {
            self.host = other.host;
            self.hostaddr = other.hostaddr;
        }
        if self.password.is_none() && other.password.is_some() {
            self.password = other.password;
            self.service_file = other.service_file;
        }
        self.port = self.port.or(other.port);
        self.tls_mode = self.tls_mode.or(other.tls_mode);
        self.channel_binding = self.channel_binding.or(other.channel_binding);
        self.connect_timeout = self.connect_timeout.or(other.connect_timeout);
        fill(&mut self.database, other.database);
        fill(&mut self.user, other.user);
        fill(&mut self.passfile, other.passfile);
        fill(&mut self.tls_ca, other.tls_ca);
        fill(&mut self.application_name, other.application_name);
        fill(&mut self.options, other.options);
    }
}

fn fill<T>(gap: &mut Option<T>, other: Option<T>) {
    if gap.is_none() {
        *gap = other;
    }
}

/// libpq's variables that greenlight follows; PGPASSWORD, PGPASSFILE and PGSERVICE are looked at elsewhere.
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
];

impl fmt::Display for GivenIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionString => f.write_str("the connection string"),
            Self::ServiceFile(file) => write!(f, "the service file {}", file.display()),
            Self::Environment => f.write_str("PGPASSWORD"),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests;
