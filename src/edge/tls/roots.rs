//! The certificates at the top: Amazon's, compiled in, or a file of the user's.
//!
//! rustls takes a root for what it is and never looks at its dates; OpenSSL and so libpq do. Here roots that have ended are
//! left out when they are loaded, and those that end soon can be listed.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::edge::{clock, files};

const BUNDLED: &str = include_str!("../../../certs/rds-roots.pem");
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const SECONDS_PER_DAY: i64 = 86_400;

/// From how many days before its end a root or a certificate is warned about.
pub const SOON_DAYS: u32 = 90;

/// One trusted certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The subject's common name, or the whole subject when it has none.
    pub name: String,
    /// When it ends.
    pub ends: Timestamp,
    /// The line of its file at which it begins.
    pub line: usize,
    der: CertificateDer<'static>,
}

impl Root {
    fn from_der(der: CertificateDer<'static>, line: usize) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let subject = certificate.subject();
        let name = subject
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .map_or_else(|| subject.to_string(), ToOwned::to_owned);
        let ends = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
        Some(Self {
            name,
            ends,
            line,
            der,
        })
    }

    /// The DER bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// The set of trusted roots.
#[derive(Clone)]
pub struct Roots {
    file: Option<PathBuf>,
    trusted: Vec<Root>,
    ended: Vec<Root>,
    store: Arc<RootCertStore>,
}

/// A CA file that cannot be used. Every message names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{file}: cannot read the CA file: {error}", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file has no certificate in it.
    #[error("{file}: no certificate in it{found}; a CA file is PEM text with one or more \"{BEGIN}\" blocks", file = file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// What was found instead, with a leading `, but …`, or nothing.
        found: &'static str,
    },
    /// A block does not hold a certificate that can be a root.
    #[error("{file}:{line}: {why}", file = file.display())]
    Block {
        /// The file.
        file: PathBuf,
        /// The line where the block begins.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// All certificates in the file have ended.
    #[error("{file}:{line}: every certificate in the CA file has ended, the last one ({name}) on {ended}; get a current file", file = file.display())]
    AllEnded {
        /// The file.
        file: PathBuf,
        /// The line of the one that ended last.
        line: usize,
        /// Its name.
        name: String,
        /// Its last day.
        ended: String,
    },
}

impl Roots {
    /// Amazon's roots as vendored in `certs/`: RDS in 27 regions and Amazon Trust Services for RDS Proxy. They are read once a
    /// process; each side of a deployment has its own copy.
    pub fn bundled() -> Self {
        static READ: LazyLock<Roots> = LazyLock::new(|| {
            let roots = read_pem(Path::new("certs/rds-roots.pem"), BUNDLED.as_bytes())
                .expect("the vendored roots are read by a test");
            Roots::new(None, roots, clock::now())
        });
        READ.clone()
    }

    /// The roots in a PEM file of any number of certificates; text between the blocks is skipped.
    ///
    /// # Errors
    /// When the file cannot be read, a block is broken, or nothing usable is left; see [`RootsError`].
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Self, RootsError> {
        let file = file.into();
        // As bytes: the text around certificates may be in any encoding.
        match files::bytes_by_hand(&file) {
            Ok(bytes) => Self::from_pem(file, &bytes),
            Err(error) => Err(RootsError::Read { file, error }),
        }
    }

    /// The same for text at hand; `file` is for messages.
    ///
    /// # Errors
    /// As [`Roots::from_file`].
    pub fn from_pem(file: PathBuf, bytes: &[u8]) -> Result<Self, RootsError> {
        let roots = read_pem(&file, bytes)?;
        let read = Self::new(Some(file.clone()), roots, clock::now());
        if read.trusted.is_empty() {
            let last = read
                .ended
                .iter()
                .max_by_key(|root| root.ends)
                .expect("an empty file is an error above");
            return Err(RootsError::AllEnded {
                file,
                line: last.line,
                name: last.name.clone(),
                ended: day(last.ends),
            });
        }
        Ok(read)
    }

    fn new(file: Option<PathBuf>, roots: Vec<Root>, now: Timestamp) -> Self {
        let (trusted, ended): (Vec<_>, Vec<_>) = roots.into_iter().partition(|root| root.ends > now);
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(trusted.iter().map(|root| root.der.clone()));
        Self {
            file,
            trusted,
            ended,
            store: Arc::new(store),
        }
    }

    /// The roots that are trusted.
    pub fn trusted(&self) -> &[Root] {
        &self.trusted
    }

    /// The roots that were left out because they have ended.
    pub fn ended(&self) -> &[Root] {
        &self.ended
    }

    /// What to tell the user about roots that have ended or end within [`SOON_DAYS`] days of `now`.
    pub fn note(&self, now: Timestamp) -> Option<String> {
        let soon = self.ending_within(now, SOON_DAYS);
        let (first, count) = (soon.first()?, soon.len());
        let fix = if self.is_bundled() {
            "get a newer greenlight, or download Amazon's bundle and give it with --tls-ca FILE"
        } else {
            "get a current file"
        };
        let more = match count {
            1 => String::new(),
            _ => format!(" (the first of {count})"),
        };
        Some(format!(
            "{:?} of {self} ends on {}{more}; {fix}",
            first.name,
            day(first.ends)
        ))
    }

    /// The trusted roots that end within `days` days of `now`, soonest first.
    pub fn ending_within(&self, now: Timestamp, days: u32) -> Vec<&Root> {
        let limit = now.as_second().saturating_add(i64::from(days) * SECONDS_PER_DAY);
        let mut soon: Vec<&Root> = self
            .trusted
            .iter()
            .filter(|root| root.ends.as_second() <= limit)
            .collect();
        soon.sort_by_key(|root| root.ends);
        soon
    }

    /// Whether these are the compiled-in roots rather than a file's.
    pub fn is_bundled(&self) -> bool {
        self.file.is_none()
    }

    /// The file they came from.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Whether one of the roots is made out to an AWS region, such as `eu-west-1`.
    pub fn covers_region(&self, region: &str) -> bool {
        self.trusted
            .iter()
            .any(|root| root.name.split(' ').any(|word| word == region))
    }

    /// Whether this very certificate is among the roots, as with a self-signed server certificate used as CA file.
    pub(crate) fn contains(&self, der: &[u8]) -> bool {
        self.trusted.iter().any(|root| root.der() == der)
    }

    pub(crate) fn store(&self) -> &RootCertStore {
        &self.store
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({self})")
    }
}

/// Where the roots are from and how many: `89 bundled roots`, `3 roots of ca.pem`.
impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.trusted.len() == 1 { "root" } else { "roots" };
        match &self.file {
            None => write!(f, "{} bundled {many}", self.trusted.len()),
            Some(file) => write!(f, "{} {many} of {}", self.trusted.len(), file.display()),
        }
    }
}

/// A point in time as its day in UTC, `2061-05-25`.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn read_pem(file: &Path, bytes: &[u8]) -> Result<Vec<Root>, RootsError> {
    let text = String::from_utf8_lossy(bytes);
    let broken = |line: usize, why: &str| RootsError::Block {
        file: file.to_path_buf(),
        line,
        why: why.to_owned(),
    };
    let mut roots = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
    {
        match (line, &mut open) {
            (BEGIN, None) => open = Some((number, format!("{BEGIN}\n"))),
            (BEGIN, Some((began, _))) => {
                return Err(broken(*began, "the certificate that begins here has no end line"));
            }
            (END, Some((began, block))) => {
                block.push_str(END);
                let der = CertificateDer::from_pem_slice(block.as_bytes())
                    .map_err(|_| broken(*began, "the certificate that begins here is not valid base64"))?;
                roots.push(usable_root(der, *began).map_err(|why| broken(*began, &why))?);
                open = None;
            }
            (_, Some((_, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (_, None) => {}
        }
    }
    if let Some((began, _)) = open {
        return Err(broken(began, "the certificate that begins here has no end line"));
    }
    if roots.is_empty() {
        let found = match bytes {
            [] => ", it is empty",
            [0x30, ..] => ", it looks like a certificate in DER form",
            _ if text.contains("PRIVATE KEY-----") => ", but a private key",
            _ => "",
        };
        return Err(RootsError::Empty {
            file: file.to_path_buf(),
            found,
        });
    }
    Ok(roots)
}

fn usable_root(der: CertificateDer<'static>, line: usize) -> Result<Root, String> {
    RootCertStore::empty().add(der.clone()).map_err(|error| {
        format!("the block that begins here is not a certificate that can be a root ({error})")
    })?;
    Root::from_der(der, line)
        .ok_or_else(|| "the block that begins here is not a certificate that can be read".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::model::hex;

    /// A self-signed certificate that is good for years.
    pub(crate) fn certificate_pem() -> String {
        rcgen::generate_simple_self_signed(["db.example".to_owned()])
            .expect("rcgen makes a certificate")
            .cert
            .pem()
    }

    fn ended_pem() -> String {
        let mut params = rcgen::CertificateParams::new(["old.example".to_owned()]).expect("a plain name");
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 2, 3);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "old root");
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").pem()
    }

    fn refusal(bytes: &[u8]) -> String {
        Roots::from_pem("ca.pem".into(), bytes)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn bundled_roots_are_good_for_ninety_days() {
        let roots = Roots::bundled();
        assert_eq!(roots.trusted().len(), 89);
        assert!(
            roots.ended().is_empty(),
            "take the ended roots out of certs/: {:?}",
            roots.ended()
        );
        assert_eq!(roots.store().len(), 89, "rustls takes every one of them");
        let soon = roots.ending_within(clock::now(), 90);
        assert!(
            soon.is_empty(),
            "get a new bundle, see certs/README.md; ending soon: {soon:?}"
        );
    }

    #[test]
    fn bundled_comments_are_true() {
        let lines: Vec<&str> = BUNDLED.lines().collect();
        for root in Roots::bundled().trusted() {
            let digest = hex(&Sha256::digest(root.der()));
            let name = lines[root.line - 3];
            let facts = lines[root.line - 2];
            assert!(name.starts_with("# "), "line {} has its name above it", root.line);
            assert!(
                root.name == name[2..] || root.name.contains(&name[2..]),
                "{} is not {name}",
                root.name
            );
            assert_eq!(facts, format!("# ends {} · sha256 {digest}", day(root.ends)));
        }
    }

    #[test]
    fn lists_roots_that_end_soon() {
        let roots = Roots::bundled();
        let just_before: Timestamp = "2037-11-01T00:00:00Z".parse().expect("a time");
        let names: Vec<&str> = roots
            .ending_within(just_before, 90)
            .iter()
            .map(|root| root.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "Starfield Services Root Certificate Authority - G2",
                "Amazon Root CA 1"
            ],
            "soonest first"
        );
        assert!(roots.ending_within(just_before, 30).is_empty());
    }

    #[test]
    fn the_end_is_warned_about_from_ninety_days_on() {
        let roots = Roots::bundled();
        let at = |day: &str| format!("{day}T00:00:00Z").parse::<Timestamp>().expect("a time");
        assert_eq!(roots.note(at("2037-09-01")), None);
        let note = roots.note(at("2037-11-01")).expect("a warning");
        assert!(
            note.contains("\"Starfield Services Root Certificate Authority - G2\"")
                && note.contains("ends on 2037-12-31 (the first of 2); get a newer greenlight"),
            "{note}"
        );
        let pem = certificate_pem();
        let own = Roots::from_pem("ca.pem".into(), pem.as_bytes()).expect("a fresh certificate");
        let end = own.trusted()[0].ends;
        assert_eq!(own.note(end - jiff::SignedDuration::from_hours(91 * 24)), None);
        let note = own
            .note(end - jiff::SignedDuration::from_hours(89 * 24))
            .expect("a warning");
        assert!(
            note.contains("of 1 root of ca.pem ends on") && note.ends_with("; get a current file"),
            "{note}"
        );
    }

    #[test]
    fn knows_its_regions() {
        let roots = Roots::bundled();
        assert!(roots.covers_region("eu-west-1") && roots.covers_region("us-east-1"));
        assert!(!roots.covers_region("il-central-1") && !roots.covers_region("cn-north-1"));
        assert!(!roots.covers_region("eu-west"));
    }

    #[test]
    fn reads_several_and_leaves_ended_ones_out() {
        let pem = format!(
            "# a comment\n{}\r\nsubject=x\n{}\n{}",
            certificate_pem(),
            ended_pem(),
            certificate_pem()
        );
        let roots = Roots::from_pem("ca.pem".into(), pem.as_bytes()).expect("two good ones");
        assert_eq!((roots.trusted().len(), roots.ended().len()), (2, 1));
        assert_eq!(roots.ended()[0].name, "old root");
        assert_eq!(roots.trusted()[0].line, 2);
        assert_eq!(roots.to_string(), "2 roots of ca.pem");
    }

    #[test]
    fn refusals_name_file_and_line() {
        let good = certificate_pem();
        let cut = good.replace(END, "");
        assert_eq!(
            refusal(format!("\n{cut}").as_bytes()),
            "ca.pem:2: the certificate that begins here has no end line"
        );
        assert_eq!(
            refusal(format!("{good}{cut}{good}").as_bytes()),
            format!(
                "ca.pem:{}: the certificate that begins here has no end line",
                good.lines().count() + 1
            )
        );
        let spoilt = format!("{good}\n{BEGIN}\n!!!!\n{END}\n");
        assert!(
            refusal(spoilt.as_bytes()).contains("not valid base64"),
            "{}",
            refusal(spoilt.as_bytes())
        );
        let not_one = format!("{BEGIN}\nAAAA\n{END}\n");
        assert!(
            refusal(not_one.as_bytes())
                .starts_with("ca.pem:1: the block that begins here is not a certificate")
        );
        assert!(refusal(b"").contains("it is empty"));
        assert!(refusal(&[0x30, 0x82, 1, 2]).contains("DER form"));
        assert!(
            refusal(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
                .contains("a private key")
        );
        assert_eq!(
            refusal(ended_pem().as_bytes()),
            "ca.pem:1: every certificate in the CA file has ended, the last one (old root) on 2002-02-03; get a current file"
        );
        let missing = Roots::from_file("/does/not/exist.pem")
            .expect_err("no such file")
            .to_string();
        assert!(
            missing.starts_with("/does/not/exist.pem: cannot read the CA file"),
            "{missing}"
        );
    }
}
