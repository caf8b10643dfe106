//! Connection strings: `postgres://…` URLs and `key=value` lists, read as libpq reads them.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>. A part that is not given is taken from the
//! service file, then from the environment (PGHOST, PGUSER, …), then from libpq's defaults. Settings that greenlight would
//! have to ignore at the cost of safety are refused by name; those without a bearing are accepted.
//! No message repeats what was written except for keywords: a password with a character that should have been escaped ends up
//! in any part of a URL.

mod text;

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use super::{
    env::Env,
    service::{self, ServiceError},
    tls::{ChannelBinding, Roots, RootsError, TlsMode, TlsModeError, TlsSettings},
};
use crate::model::secret::Secret;

/// PostgreSQL's port.
pub const DEFAULT_PORT: u16 = 5432;

/// Keywords that change nothing for a short read-only session over one connection.
const IGNORED: &[&str] = &[
    "client_encoding",
    "fallback_application_name",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "sslcertmode",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
];

/// Keywords that ask for something greenlight does not do, and what to do about each.
const REFUSED: &[(&str, &str)] = &[
    ("sslcert", "client certificates are not supported"),
    ("sslkey", "client certificates are not supported"),
    ("sslpassword", "client certificates are not supported"),
    ("sslcrl", "revocation lists are not supported; leave it out"),
    ("sslcrldir", "revocation lists are not supported; leave it out"),
    (
        "requirepeer",
        "checking the owner of a socket is not supported; leave it out",
    ),
    (
        "require_auth",
        "it is not supported; `channel_binding=require` is the stronger demand",
    ),
    ("replication", "greenlight never opens replication connections"),
    ("krbsrvname", "Kerberos is not supported"),
    ("gsslib", "Kerberos is not supported"),
    ("gssdelegation", "Kerberos is not supported"),
];

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
    /// Sets one keyword.
    ///
    /// # Errors
    /// When the keyword is unknown or cannot be honoured, or the value does not fit.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConnInfoError> {
        let wrong = |why: &str| ConnInfoError::Value {
            key: key.to_owned(),
            why: why.to_owned(),
        };
        let refuse = |why: &str| ConnInfoError::Refused {
            key: key.to_owned(),
            why: why.to_owned(),
        };
        if value.contains('\0') {
            return Err(wrong("has a zero byte"));
        }
        if value.is_empty() {
            // An empty value takes back what came before it and counts as not given, as in libpq.
            return self.clear(key);
        }
        match key {
            "host" if value.contains(',') => {
                return Err(refuse(
                    "several hosts; greenlight judges one server, name that one",
                ));
            }
            "host" if value.contains('@') && !value.starts_with('/') => return Err(wrong(STRAY_AT)),
            "host" if value.starts_with('@') => {
                return Err(refuse("abstract unix sockets are not supported"));
            }
            "host" => self.host = Some(value.to_owned()),
            "hostaddr" if value.contains(',') => {
                return Err(refuse(
                    "several addresses; greenlight judges one server, name that one",
                ));
            }
            "hostaddr" => self.hostaddr = Some(value.parse().map_err(|_| wrong("not an IP address"))?),
            "port" if value.contains(',') => {
                return Err(refuse(
                    "several ports; greenlight judges one server, name that one",
                ));
            }
            "port" => {
                let port = value.trim().parse().ok().filter(|port: &u16| *port != 0);
                self.port = Some(port.ok_or_else(|| wrong("not a number from 1 to 65535"))?);
            }
            "dbname" => self.database = Some(value.to_owned()),
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(Secret::new(value)),
            "passfile" => self.passfile = Some(PathBuf::from(value)),
            "service" => self.service = Some(value.to_owned()),
            "sslmode" => {
                self.tls_mode = Some(value.parse().map_err(|error| match error {
                    TlsModeError::Allow => ConnInfoError::Mode(error),
                    TlsModeError::Unknown(_) => {
                        wrong("one of disable, prefer (loopback only), require, verify-ca, verify-full")
                    }
                })?);
            }
            "ssl" if value == "true" => self.tls_mode = Some(TlsMode::Require),
            "ssl" => return Err(wrong("only `ssl=true` has a meaning; use sslmode")),
            "sslrootcert" if value == "system" => {
                return Err(refuse("the system's certificate store is not used; name a file"));
            }
            "sslrootcert" => self.tls_ca = Some(PathBuf::from(value)),
            "channel_binding" => {
                self.channel_binding = Some(
                    value
                        .parse()
                        .map_err(|_| wrong("one of disable, prefer, require"))?,
                );
            }
            "connect_timeout" => {
                let seconds: i64 = value
                    .trim()
                    .parse()
                    .map_err(|_| wrong("not a whole number of seconds"))?;
                // Zero and less mean "for ever" in libpq; here they mean greenlight's own limits.
                self.connect_timeout = u64::try_from(seconds)
                    .ok()
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs);
            }
            "application_name" => self.application_name = Some(value.to_owned()),
            "options" => self.options = Some(value.to_owned()),
            "target_session_attrs" if value == "any" => {}
            "target_session_attrs" => {
                return Err(refuse("greenlight judges the server it is given; leave it out"));
            }
            "gssencmode" if value == "require" => return Err(refuse("Kerberos is not supported")),
            "gssencmode" => {}
            "sslnegotiation" if value == "postgres" => {}
            "sslnegotiation" => return Err(refuse("only the usual negotiation is supported; leave it out")),
            "ssl_min_protocol_version" if value == "TLSv1.3" => {
                return Err(refuse("TLS 1.2 and 1.3 are spoken; leave it out"));
            }
            "ssl_min_protocol_version" => {}
            "ssl_max_protocol_version" => {
                return Err(refuse("TLS 1.2 and 1.3 are spoken; leave it out"));
            }
            _ if IGNORED.contains(&key) => {}
            _ => {
                let why = REFUSED
                    .iter()
                    .find(|(refused, _)| *refused == key)
                    .map(|(_, why)| refuse(why));
                return Err(why.unwrap_or_else(|| unknown(key)));
            }
        }
        Ok(())
    }

    fn clear(&mut self, key: &str) -> Result<(), ConnInfoError> {
        match key {
            "host" => self.host = None,
            "hostaddr" => self.hostaddr = None,
            "port" => self.port = None,
            "dbname" => self.database = None,
            "user" => self.user = None,
            "password" => self.password = None,
            "passfile" => self.passfile = None,
            "service" => self.service = None,
            "sslmode" => self.tls_mode = None,
            "sslrootcert" => self.tls_ca = None,
            "channel_binding" => self.channel_binding = None,
            "connect_timeout" => self.connect_timeout = None,
            "application_name" => self.application_name = None,
            "options" => self.options = None,
            _ if is_known(key) => {}
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

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
                mode: self.tls_mode.unwrap_or_else(|| TlsMode::default_for(&host)),
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
        for entry in &service.entries {
            info.set(&entry.key, &entry.value)
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

const STRAY_AT: &str =
    "has an `@`; in a user name or password write it as %40 (and `/` as %2F, `:` as %3A, `#` as %23)";

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

/// Keywords that are honoured.
const HONOURED: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "passfile",
    "service",
    "sslmode",
    "ssl",
    "sslrootcert",
    "channel_binding",
    "connect_timeout",
    "application_name",
    "options",
    "target_session_attrs",
    "gssencmode",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
];

fn is_known(key: &str) -> bool {
    HONOURED.contains(&key) || IGNORED.contains(&key) || REFUSED.iter().any(|(refused, _)| *refused == key)
}

fn unknown(key: &str) -> ConnInfoError {
    let hint = HONOURED
        .iter()
        .map(|known| (strsim::damerau_levenshtein(key, known), known))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map_or_else(
            || "; values with blanks are written in single quotes".to_owned(),
            |(_, known)| format!("; did you mean {known:?}?"),
        );
    ConnInfoError::UnknownKey { hint }
}

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
