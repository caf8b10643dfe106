//! Certificates of every kind a server may show.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm, date_time_ymd,
};
use sandbox::pg::ServerOptions;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate, with what it is signed by behind it, and its key.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    /// A server of `major` with this certificate.
    pub(crate) fn server(&self, major: u32) -> ServerOptions {
        ServerOptions::new(major).ssl(self.chain.clone(), self.key.clone())
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("plain names");
    params.distinguished_name.push(DnType::CommonName, "the server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::of(name, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    /// One that ends on a day.
    pub(crate) fn until(name: &str, (year, month, day): (i32, u8, u8)) -> Self {
        let mut params = authority_params(name);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// With a key and signatures of one kind.
    pub(crate) fn of(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        Self(CertifiedIssuer::self_signed(authority_params(name), key).expect("a certificate"))
    }

    /// An authority under this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::signed_by(authority_params(name), key, &self.0).expect("a certificate"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server.
    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_between(names, (2020, 2040))
    }

    /// One that ends on a day.
    pub(crate) fn issue_until(&self, names: &[&str], (year, month, day): (i32, u8, u8)) -> Pair {
        let mut params = server_params(names);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// One that holds from the first of January of one year to that of another.
    pub(crate) fn issue_between(&self, names: &[&str], (from, to): (i32, i32)) -> Pair {
        let mut params = server_params(names);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// One whose chain has this authority in it, as a server shows whose root is further up.
    pub(crate) fn issue_with_chain(&self, names: &[&str]) -> Pair {
        let Pair { chain, key } = self.issue(names);
        Pair {
            chain: format!("{chain}{}", self.pem()),
            key,
        }
    }
}

/// A server that vouches for itself; `authority` makes it a CA certificate too, as `openssl req -x509` does.
pub(crate) fn self_signed(names: &[&str], authority: bool) -> Pair {
    let mut params = server_params(names);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages.clear();
    }
    let key = KeyPair::generate().expect("a key");
    Pair {
        chain: params.self_signed(&key).expect("a certificate").pem(),
        key: key.serialize_pem(),
    }
}
