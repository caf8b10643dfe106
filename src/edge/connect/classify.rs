//! From what the TLS library, the driver and the server say to a [`Cause`].
//!
//! Servers speak in their own language, so their text is for people; what is decided upon is the SQLSTATE and, where that is
//! too coarse, the name of the function in the server that gave up, which is never translated.

use std::{error::Error as StdError, io};

use rustls::{AlertDescription, CertificateError};
use tokio_postgres::error::{DbError, SqlState};

use super::{Cause, ConnectSpec, Phase, Transport, wire::FirstWords};
use crate::{
    edge::{
        auth::{Credentials, Origin, rds_region},
        clock,
        tls::{ServerCertificate, roots::day},
    },
    model::{secret::Secret, shown::quoted},
};

/// Where Amazon says which bundle belongs to which region.
const BUNDLES: &str = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html";

/// What is known about an attempt beyond the error itself.
pub(super) struct Context<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) transport: &'a Transport,
    pub(super) first_words: &'a FirstWords,
}

impl Context<'_> {
    /// The server's words: in one line, cut, and without the password.
    fn quote(&self, text: &str) -> String {
        quoted(&scrubbed(text, self.credentials.password.as_ref()))
    }
}

fn scrubbed(text: &str, password: Option<&Secret>) -> String {
    password.map_or_else(|| text.to_owned(), |password| password.scrub(text))
}

/// The driver's error with its reason, for the end of a session.
pub(super) fn error_text(error: &tokio_postgres::Error, password: Option<&Secret>) -> String {
    let text = match (error.as_db_error(), error.source()) {
        (Some(server), _) => format!("{}: {}", server.severity(), server.message()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    };
    quoted(&scrubbed(&text, password))
}

/// An I/O error outside the handshake.
pub(super) fn broken(error: &io::Error, phase: Phase) -> Cause {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Cause::Closed { phase },
        _ => Cause::Broken {
            phase,
            why: quoted(&error.to_string()),
        },
    }
}

/// A handshake that failed; `certificate` is what the server showed, if it came to that.
pub(super) fn handshake_failure(
    error: &io::Error,
    spec: &ConnectSpec,
    certificate: Option<ServerCertificate>,
) -> Cause {
    match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(reason)) => certificate_failure(reason, spec, certificate),
        Some(error) => tls_failure(error),
        None if error.kind() == io::ErrorKind::InvalidInput => Cause::HostName {
            host: spec.host.clone(),
        },
        None => broken(error, Phase::Handshake),
    }
}

fn tls_failure(error: &rustls::Error) -> Cause {
    let why = match error {
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server asks for a client certificate, which is not supported".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("the server gave up with the alert {alert:?}"),
        rustls::Error::InvalidMessage(_) => "what the server sent is not TLS".to_owned(),
        other => quoted(&other.to_string()),
    };
    Cause::TlsFailed { why }
}

fn certificate_failure(
    reason: &CertificateError,
    spec: &ConnectSpec,
    certificate: Option<ServerCertificate>,
) -> Cause {
    let bad = |why: String, certificate| Cause::BadCertificate {
        why: quoted(&why),
        certificate,
    };
    let Some(shown) = certificate else {
        return bad(reason.to_string(), None);
    };
    match reason {
        // A bad signature is an authority of the right name with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => unknown_ca(spec, &shown),
        // A certificate that is an authority and a server at once; the one in the CA file itself is accepted earlier.
        CertificateError::Other(_) if shown.self_signed => unknown_ca(spec, &shown),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = if shown.names.is_empty() {
                vec!["nobody".to_owned()]
            } else {
                shown.names
            };
            let names = names.iter().map(|name| quoted(name)).collect();
            Cause::WrongName {
                wanted: spec.host.clone(),
                names,
            }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            if shown.ends < clock::now() {
                Cause::Expired {
                    which: "the server's certificate",
                    ended: day(shown.ends),
                }
            } else {
                bad(
                    "a certificate between it and the root has ended".to_owned(),
                    Some(shown),
                )
            }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            if shown.begins > clock::now() {
                Cause::NotYetValid {
                    which: "the server's certificate",
                    begins: day(shown.begins),
                }
            } else {
                bad(
                    "a certificate between it and the root does not hold yet".to_owned(),
                    Some(shown),
                )
            }
        }
        other => bad(other.to_string(), Some(shown)),
    }
}

fn unknown_ca(spec: &ConnectSpec, shown: &ServerCertificate) -> Cause {
    let roots = &spec.tls.roots;
    let fix = match (roots.file(), rds_region(&spec.host)) {
        (Some(file), _) => format!("add its authority to {}", file.display()),
        (None, Some(region)) if region.starts_with("cn-") || region.starts_with("us-gov-") => {
            format!("the bundled roots are not for {region}: download that region's bundle ({BUNDLES}) and give --tls-ca FILE")
        }
        (None, Some(region)) if !roots.covers_region(region) => format!(
            "the bundled roots do not have {region}: download \
             https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem and give it with --tls-ca FILE"
        ),
        (None, Some(_)) => format!(
            "Amazon may have new roots: download the region's bundle ({BUNDLES}) and give --tls-ca FILE; if that does not \
             help, someone else answers for this host"
        ),
        (None, None) => {
            "the bundled roots are Amazon RDS's; give the PEM file of this server's own authority with --tls-ca FILE".to_owned()
        }
    };
    let issuer = if shown.self_signed {
        "itself".to_owned()
    } else {
        format!("{:?}", quoted(&shown.issuer))
    };
    let mut trusted = roots.to_string();
    if !roots.ended().is_empty() {
        trusted.push_str(&format!(", {} more have ended", roots.ended().len()));
    }
    Cause::UnknownCa {
        issuer,
        roots: trusted,
        fix,
    }
}

/// A login that failed.
pub(super) fn login_failure(error: &tokio_postgres::Error, context: &Context<'_>) -> Cause {
    if let Some(greeting) = context.first_words.of_a_stranger() {
        return Cause::NotPostgres { greeting };
    }
    if let Some(server) = error.as_db_error() {
        return server_refusal(server, context);
    }
    if error.is_closed() {
        return Cause::Closed { phase: Phase::Login };
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return tls_failure(error);
    }
    let why = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    let why = context.quote(&why);
    // The driver keeps the kind of its errors to itself; its own words, which it does not translate, are all there is.
    match error.to_string().as_str() {
        "invalid configuration" if why == "password missing" => Cause::NoPassword,
        "authentication error" if why.contains("channel binding") => Cause::ChannelBinding { why },
        "authentication error" if why.starts_with("unsupported") => Cause::LoginMethod { why },
        "error communicating with the server" => match find::<io::Error>(error) {
            Some(error) if error.kind() == io::ErrorKind::InvalidData => Cause::Protocol {
                phase: Phase::Login,
                why,
            },
            Some(error) => broken(error, Phase::Login),
            None => Cause::Broken {
                phase: Phase::Login,
                why,
            },
        },
        _ => Cause::Protocol {
            phase: Phase::Login,
            why,
        },
    }
}

/// SQLSTATEs are listed at <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn server_refusal(server: &DbError, context: &Context<'_>) -> Cause {
    let said = context.quote(server.message());
    let user = context.credentials.user.clone();
    let code = server.code();
    let routine = server.routine().unwrap_or_default();
    let by_pam = server.message().contains("PAM authentication failed");
    match (&context.credentials.origin, code) {
        (Origin::Iam { region, endpoint }, &SqlState::INVALID_PASSWORD) => Cause::IamRefused {
            user,
            endpoint: endpoint.clone(),
            region: region.clone(),
            said,
        },
        (Origin::Iam { region, endpoint }, &SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
            if by_pam || routine == "auth_failed" =>
        {
            Cause::IamRefused {
                user,
                endpoint: endpoint.clone(),
                region: region.clone(),
                said,
            }
        }
        (Origin::Nothing, &SqlState::INVALID_PASSWORD) => Cause::NoPassword,
        (origin, &SqlState::INVALID_PASSWORD) => Cause::WrongPassword {
            user,
            origin: origin.clone(),
        },
        (_, &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => match routine {
            _ if by_pam => Cause::WantsIam { user, said },
            "ClientAuthentication" if *context.transport == Transport::Plain && wants_tls(server) => {
                Cause::WantsTls { said }
            }
            "ClientAuthentication" => Cause::NotAllowedFromHere { said },
            "InitializeSessionUserId" => Cause::Role { said },
            // Peer, ident, certificate, RADIUS and the like: passwords have a code of their own.
            "auth_failed" => Cause::OtherLogin { said },
            _ => Cause::Server {
                code: code.code().to_owned(),
                said,
            },
        },
        (_, &SqlState::INVALID_CATALOG_NAME) => Cause::NoDatabase { said },
        (_, &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => Cause::DatabaseClosed { said },
        (_, &SqlState::INSUFFICIENT_PRIVILEGE) if matches!(routine, "CheckMyDatabase" | "InitPostgres") => {
            Cause::NoConnectPrivilege { said }
        }
        (_, &SqlState::TOO_MANY_CONNECTIONS) => Cause::TooManyConnections { said },
        (_, &SqlState::CANNOT_CONNECT_NOW) => Cause::NotReady { said },
        (_, &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN) => Cause::ShuttingDown { said },
        // "RDS Proxy currently doesn't support command-line options" (https://github.com/psycopg/psycopg2/issues/1577).
        (_, &SqlState::FEATURE_NOT_SUPPORTED) if said.contains("command-line options") => {
            Cause::OptionsRefused
        }
        // PgBouncer (https://www.pgbouncer.org/config.html#ignore_startup_parameters).
        (_, &SqlState::PROTOCOL_VIOLATION) if said.contains("startup parameter") => Cause::Pooler { said },
        _ => Cause::Server {
            code: code.code().to_owned(),
            said,
        },
    }
}

/// Whether pg_hba.conf turned a plain connection away that it might take with TLS. The sentence ends in "SSL off" up to 13,
/// in "no encryption" from 14 on; in another language it has neither, and then TLS is still the likeliest remedy on RDS.
fn wants_tls(server: &DbError) -> bool {
    let message = server.message();
    message.contains("no encryption") || message.contains("SSL off") || !message.contains("pg_hba.conf")
}

/// Looks for an error of one type in a chain, also inside I/O errors, which hide what they wrap.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner
            .map(|inner| inner as &(dyn StdError + 'static))
            .or_else(|| error.source());
    }
    None
}
