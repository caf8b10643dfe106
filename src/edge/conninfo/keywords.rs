//! The keywords of a connection string: what each means here, which are passed over, and which are refused.
//!
//! libpq's list: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>.

use std::{path::PathBuf, time::Duration};

use super::{ConnInfo, ConnInfoError};
use crate::{
    edge::tls::{TlsMode, TlsModeError},
    model::secret::Secret,
};

/// Keywords that change nothing for a short read-only session over one connection.
pub(super) const IGNORED: &[&str] = &[
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
pub(super) const REFUSED: &[(&str, &str)] = &[
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

pub(super) const STRAY_AT: &str =
    "has an `@`; in a user name or password write it as %40 (and `/` as %2F, `:` as %3A, `#` as %23)";

/// Keywords that are honoured.
pub(super) const HONOURED: &[&str] = &[
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
        if !is_known(key) {
            return Err(unknown(key));
        }
        if value.contains('\0') {
            return Err(wrong("has a zero byte"));
        }
        if value.is_empty() {
            // An empty value takes back what came before it, as in libpq, and counts as not given.
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
            _ => {}
        }
        Ok(())
    }
}
