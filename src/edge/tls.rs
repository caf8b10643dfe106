//! TLS to the databases: which servers are believed, and what is checked.
//!
//! The words are libpq's `sslmode` (<https://www.postgresql.org/docs/current/libpq-ssl.html>), the default is `verify-full`.
//! Where greenlight differs, and why:
//!
//! - `allow` is refused and `prefer` works on loopback addresses only: both let whoever sits in between turn encryption off.
//! - a host that is a loopback address (or `localhost`) or a unix socket has `prefer` as its default, every other `verify-full`
//! - without `--tls-ca`, Amazon's roots are trusted (`certs/README.md`); libpq would look for `~/.postgresql/root.crt`
//! - the certificate's common name is never consulted, only its alternative names; Amazon's certificates have them
//! - the name that is verified is the real endpoint's, also when TCP goes elsewhere (`--connect`, a tunnel)
//! - client certificates are not supported: RDS does not offer that kind of login

pub mod roots;
pub(crate) mod verifier;

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use rustls::{ClientConfig, crypto::aws_lc_rs};
use serde::{Deserialize, Serialize};

pub use roots::{Root, Roots, RootsError};
pub use verifier::ServerCertificate;

use verifier::{Seen, Verifier};

/// How much TLS is asked for; libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it, without checking who it is. Loopback addresses only.
    Prefer,
    /// TLS, without checking who the server is; with `--tls-ca` the same as [`TlsMode::VerifyCa`], as in libpq.
    Require,
    /// TLS with a certificate under a trusted root, whatever name it has.
    VerifyCa,
    /// TLS with a certificate under a trusted root, made out to the host that was asked for.
    #[default]
    VerifyFull,
}

impl TlsMode {
    /// The mode for a host when nobody said otherwise.
    pub fn default_for(host: &str) -> Self {
        if is_local(host) {
            Self::Prefer
        } else {
            Self::VerifyFull
        }
    }

    /// Whether the server has proved who it is before a password goes out.
    pub fn verifies(self) -> bool {
        self >= Self::VerifyCa
    }

    /// libpq's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsModeError {
    /// A mode of libpq's that greenlight does not offer.
    #[error(
        "TLS mode \"allow\" is not offered: it tries without encryption first; say \"verify-full\", or \"disable\" where plain text is meant"
    )]
    Allow,
    /// No mode at all.
    #[error(
        "unknown TLS mode {0:?}; one of disable, prefer (loopback only), require, verify-ca, verify-full"
    )]
    Unknown(String),
}

impl FromStr for TlsMode {
    type Err = TlsModeError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            "allow" => return Err(TlsModeError::Allow),
            other => return Err(TlsModeError::Unknown(other.to_owned())),
        })
    }
}

/// Whether the login is tied to the TLS channel it goes through (SCRAM-SHA-256-PLUS), so that a server in between cannot
/// pass it on. libpq's `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When both sides can.
    #[default]
    Prefer,
    /// Always; a server that does not offer it is refused. RDS IAM tokens cannot be bound.
    Require,
}

impl ChannelBinding {
    pub(crate) fn driver(self) -> tokio_postgres::config::ChannelBinding {
        match self {
            Self::Disable => tokio_postgres::config::ChannelBinding::Disable,
            Self::Prefer => tokio_postgres::config::ChannelBinding::Prefer,
            Self::Require => tokio_postgres::config::ChannelBinding::Require,
        }
    }
}

impl FromStr for ChannelBinding {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            other => Err(format!(
                "unknown channel binding {other:?}; one of disable, prefer, require"
            )),
        }
    }
}

/// What is asked of TLS on one connection.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// How much is asked for.
    pub mode: TlsMode,
    /// Whether the login is tied to the channel.
    pub channel_binding: ChannelBinding,
    /// The trusted roots.
    pub roots: Arc<Roots>,
}

impl TlsSettings {
    /// `mode` with the roots given, channel binding where both sides can.
    pub fn new(mode: TlsMode, roots: Arc<Roots>) -> Self {
        Self {
            mode,
            channel_binding: ChannelBinding::default(),
            roots,
        }
    }

    /// The same with what flags say over it. An authority that is named wants to be asked: without a mode of their own,
    /// settings that verify nothing become `verify-full` then.
    #[must_use]
    pub fn overridden(self, mode: Option<TlsMode>, roots: Option<Arc<Roots>>) -> Self {
        let usual = if roots.is_some() && !self.mode.verifies() {
            TlsMode::VerifyFull
        } else {
            self.mode
        };
        Self {
            mode: mode.unwrap_or(usual),
            roots: roots.unwrap_or(self.roots),
            channel_binding: self.channel_binding,
        }
    }

    /// The mode that holds: `require` with a CA file given is `verify-ca`, as in libpq.
    pub fn effective_mode(&self) -> TlsMode {
        if self.mode == TlsMode::Require && !self.roots.is_bundled() {
            TlsMode::VerifyCa
        } else {
            self.mode
        }
    }

    /// A client configuration for one connection, and the place where the server's certificate is left for messages and
    /// reports. The provider is named, not the process's default, so no other code can change what is negotiated.
    pub(crate) fn client_config(&self) -> (ClientConfig, Seen) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let seen = Seen::default();
        let verifier = Verifier::new(
            self.effective_mode(),
            Arc::clone(&self.roots),
            provider.signature_verification_algorithms,
            seen.clone(),
        );
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the aws-lc-rs provider has suites for TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        (config, seen)
    }
}

/// Whether a host, as written, cannot leave this machine: a unix socket, a loopback address or `localhost`. The last is
/// looked up again when connecting, and must then be a loopback address.
pub fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_libpqs() {
        for mode in [
            TlsMode::Disable,
            TlsMode::Prefer,
            TlsMode::Require,
            TlsMode::VerifyCa,
            TlsMode::VerifyFull,
        ] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert_eq!("allow".parse::<TlsMode>(), Err(TlsModeError::Allow));
        assert!("Verify-Full".parse::<TlsMode>().is_err());
        assert_eq!(TlsMode::default(), TlsMode::VerifyFull);
    }

    #[test]
    fn only_local_hosts_are_lenient_by_default() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "/var/run/postgresql",
        ] {
            assert_eq!(TlsMode::default_for(host), TlsMode::Prefer, "{host}");
        }
        for host in [
            "localhost.example.com",
            "10.0.0.1",
            "128.0.0.1",
            "db",
            "0.0.0.0",
            "::",
        ] {
            assert_eq!(TlsMode::default_for(host), TlsMode::VerifyFull, "{host}");
        }
    }

    #[test]
    fn flags_win_and_keep_the_rest() {
        let bundled = Arc::new(Roots::bundled());
        let url = TlsSettings {
            channel_binding: ChannelBinding::Require,
            ..TlsSettings::new(TlsMode::Prefer, Arc::clone(&bundled))
        };
        let same = url.clone().overridden(None, None);
        assert_eq!(
            (same.mode, same.channel_binding),
            (TlsMode::Prefer, ChannelBinding::Require)
        );
        let with_roots = url.clone().overridden(None, Some(bundled));
        assert_eq!(
            (with_roots.mode, with_roots.channel_binding),
            (TlsMode::VerifyFull, ChannelBinding::Require)
        );
        assert_eq!(
            url.overridden(Some(TlsMode::Disable), None).mode,
            TlsMode::Disable
        );
    }

    #[test]
    fn require_with_a_ca_file_verifies_the_chain() {
        let bundled = TlsSettings::new(TlsMode::Require, Arc::new(Roots::bundled()));
        assert_eq!(bundled.effective_mode(), TlsMode::Require);
        assert!(!bundled.effective_mode().verifies());
        let pem = roots::tests::certificate_pem();
        let own = Roots::from_pem("ca.pem".into(), pem.as_bytes()).expect("a fresh certificate");
        assert_eq!(
            TlsSettings::new(TlsMode::Require, Arc::new(own)).effective_mode(),
            TlsMode::VerifyCa
        );
    }
}
