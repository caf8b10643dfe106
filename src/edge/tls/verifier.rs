//! Is this the server that was asked for?
//!
//! rustls's own verifier knows "chain and name" only. This one adds libpq's weaker modes, accepts a certificate that is
//! itself in the CA file (a self-signed server), and keeps what the server showed for messages and reports.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Serialize;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use super::{
    Roots, TlsMode,
    roots::{SOON_DAYS, day},
};
use crate::model::shown::quoted;

/// Names are for people: a certificate with thousands of them is cut here.
const MOST_NAMES: usize = 20;

/// What a server's certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerCertificate {
    /// Host names and addresses it is made out to (at most 20); `CN=…` when it has no alternative names.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// From when it holds.
    pub begins: Timestamp,
    /// Until when it holds.
    pub ends: Timestamp,
    /// Whether subject and issuer are the same.
    pub self_signed: bool,
}

impl ServerCertificate {
    /// What to tell the user about a certificate that ends within [`SOON_DAYS`] days of `now`.
    pub fn note(&self, now: Timestamp) -> Option<String> {
        let left = self.ends.as_second() - now.as_second();
        (left <= i64::from(SOON_DAYS) * 86_400).then(|| {
            let name = self.names.first().map_or("nobody", String::as_str);
            format!(
                "the server's certificate, made out to {}, ends on {}; see that it is renewed before",
                quoted(name),
                day(self.ends)
            )
        })
    }

    /// Reads a DER certificate; `None` when it is not one.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut names: Vec<String> = certificate
            .subject_alternative_name()
            .ok()
            .flatten()
            .map(|extension| {
                extension
                    .value
                    .general_names
                    .iter()
                    .filter_map(name_text)
                    .take(MOST_NAMES)
                    .collect()
            })
            .unwrap_or_default();
        if names.is_empty() {
            names.extend(
                certificate
                    .subject()
                    .iter_common_name()
                    .filter_map(|name| Some(format!("CN={}", name.as_str().ok()?))),
            );
        }
        let validity = certificate.validity();
        Some(Self {
            names,
            issuer: certificate.issuer().to_string(),
            begins: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            ends: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
            self_signed: certificate.subject() == certificate.issuer(),
        })
    }
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|bytes| Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|bytes| Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Where the verifier leaves the certificate it was shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Option<ServerCertificate>>>);

impl Seen {
    pub(crate) fn get(&self) -> Option<ServerCertificate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, certificate: Option<ServerCertificate>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }
}

/// The rustls side of [`TlsMode`].
pub(crate) struct Verifier {
    mode: TlsMode,
    roots: Arc<Roots>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Seen,
}

impl Verifier {
    pub(crate) fn new(
        mode: TlsMode,
        roots: Arc<Roots>,
        algorithms: WebPkiSupportedAlgorithms,
        seen: Seen,
    ) -> Self {
        Self {
            mode,
            roots,
            algorithms,
            seen,
        }
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.roots.contains(end_entity) {
            return verify_dates(end_entity, now);
        }
        verify_server_cert_signed_by_trust_anchor(
            parsed,
            self.roots.store(),
            intermediates,
            now,
            self.algorithms.all,
        )
    }
}

fn verify_dates(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let certificate = ServerCertificate::from_der(der).ok_or(CertificateError::BadEncoding)?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if seconds > certificate.ends.as_second() {
        return Err(CertificateError::Expired.into());
    }
    if seconds < certificate.begins.as_second() {
        return Err(CertificateError::NotValidYet.into());
    }
    Ok(())
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({}, {})", self.mode, self.roots)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.seen.set(ServerCertificate::from_der(end_entity));
        if self.mode.verifies() {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            self.verify_chain(end_entity, &parsed, intermediates, now)?;
            if self.mode == TlsMode::VerifyFull {
                verify_server_name(&parsed, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
