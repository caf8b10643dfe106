//! RDS IAM tokens.
//!
//! A token is a presigned request, made without asking AWS, that the server checks
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>). It holds for 15 minutes, for one
//! user on one endpoint: the name in it must be the RDS endpoint's own, never a CNAME's or a tunnel's.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_rds::{
    auth_token::{AuthTokenGenerator, Config},
    error::DisplayErrorContext,
};

use crate::model::secret::Secret;

/// Looking for AWS credentials may ask a metadata service that is not there.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IamError {
    /// The region is not known.
    #[error("cannot sign an IAM token for {host}: its region is not in its name; give --region")]
    NoRegion {
        /// The endpoint.
        host: String,
    },
    /// The host cannot be in a token.
    #[error("cannot sign an IAM token for {host:?}: not a host name; use the RDS endpoint")]
    Host {
        /// What was to be the host.
        host: String,
    },
    /// There are no AWS credentials.
    #[error(
        "cannot sign an IAM token: {why}; check that AWS credentials work, for example with `aws sts get-caller-identity`"
    )]
    Credentials {
        /// The SDK's words.
        why: String,
    },
}

/// The region in the name of an RDS endpoint, `db.abc123.eu-west-1.rds.amazonaws.com`.
pub fn rds_region(host: &str) -> Option<&str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let name = host
        .strip_suffix(".rds.amazonaws.com")
        .or_else(|| host.strip_suffix(".rds.amazonaws.com.cn"));
    // China's endpoints have the region behind `rds`: db.abc123.rds.cn-north-1.amazonaws.com.cn.
    let region = match name {
        Some(name) => name.rsplit('.').next(),
        None => host
            .strip_suffix(".amazonaws.com.cn")
            .and_then(|name| name.rsplit_once(".rds."))
            .map(|(_, region)| region),
    };
    region.filter(|region| region.contains('-') && !region.contains('.'))
}

/// The region to sign for: the one that is known, the one in the endpoint's name, the configuration's.
pub(super) fn region(known: Option<&str>, host: &str, aws: &SdkConfig) -> Result<String, IamError> {
    known
        .or_else(|| rds_region(host))
        .or_else(|| aws.region().map(AsRef::as_ref))
        .map(ToOwned::to_owned)
        .ok_or_else(|| IamError::NoRegion {
            host: host.to_owned(),
        })
}

/// Signs a token.
pub(super) async fn token(
    aws: &SdkConfig,
    region: &str,
    host: &str,
    port: u16,
    user: &str,
) -> Result<Secret, IamError> {
    // The SDK puts host and user into a URL as they are and panics when that is not one.
    if host.is_empty()
        || !host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    {
        return Err(IamError::Host {
            host: host.to_owned(),
        });
    }
    let failed = |why: String| IamError::Credentials { why };
    let config = Config::builder()
        .hostname(host)
        .port(u64::from(port))
        .region(Region::new(region.to_owned()))
        .username(percent_encoded(user))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    match tokio::time::timeout(TIMEOUT, AuthTokenGenerator::new(config).auth_token(aws)).await {
        Ok(Ok(token)) => Ok(Secret::new(token.as_str())),
        Ok(Err(error)) => Err(failed(DisplayErrorContext(&*error).to_string())),
        Err(_) => Err(failed(format!(
            "no AWS credentials after {} s",
            TIMEOUT.as_secs()
        ))),
    }
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_region_in_an_endpoint() {
        for (host, region) in [
            ("db.abc123.eu-west-1.rds.amazonaws.com", Some("eu-west-1")),
            (
                "c.cluster-ro-abc.us-gov-west-1.rds.amazonaws.com.",
                Some("us-gov-west-1"),
            ),
            ("db.abc123.rds.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("p.proxy-abc.eu-central-1.rds.amazonaws.com", Some("eu-central-1")),
            ("db.example.com", None),
            ("rds.amazonaws.com", None),
            ("eu-west-1.rds.amazonaws.com.evil.example", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(rds_region(host), region, "{host}");
        }
    }
}
