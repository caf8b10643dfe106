//! RDS IAM tokens.
//!
//! A token is a presigned request, made without asking AWS, that the server checks
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>). It holds for 15 minutes, for one
//! user on one endpoint: the name in it must be the RDS endpoint's own, never a CNAME's or a tunnel's.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_rds::auth_token::{AuthTokenGenerator, Config};

use super::chain;
use crate::model::{percent_encoded, secret::Secret};

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
    #[error("cannot sign an IAM token: {why}; {}", aws_credentials_fix(why))]
    Credentials {
        /// The SDK's words.
        why: String,
    },
}

/// What to do when the SDK finds no AWS credentials, by its words for the usual causes.
pub fn aws_credentials_fix(why: &str) -> &'static str {
    let why = why.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if has(&["sso", "access token"]) {
        "log in with `aws sso login`, with --profile if need be"
    } else if has(&["expired"]) {
        "log in to AWS again"
    } else if has(&["external process"]) {
        "run the profile's credential_process by hand to see what is wrong"
    } else if has(&["imds", "not enabled", "no providers"]) {
        "no AWS credentials were found: give --profile, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run where a role is attached"
    } else {
        "check that AWS credentials work, for example with `aws sts get-caller-identity`"
    }
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
        Ok(Err(error)) => Err(failed(chain(&*error))),
        Err(_) => Err(failed(format!(
            "no AWS credentials after {} s",
            TIMEOUT.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_causes_have_their_own_remedy() {
        for (why, fix) in [
            (
                "failed to read `~/.aws/sso/cache/3947de8b.json`: No such file or directory",
                "aws sso login",
            ),
            (
                "an error occurred while loading an access token: failed to load the cached SSO token",
                "aws sso login",
            ),
            (
                "external process exited with code exit status: 1",
                "credential_process",
            ),
            ("failed to load IMDS session token: service error", "--profile"),
            (
                "the credential provider was not enabled: environment variable not set",
                "--profile",
            ),
            (
                "ExpiredToken: The security token included in the request is expired",
                "again",
            ),
            ("something else", "get-caller-identity"),
        ] {
            assert!(aws_credentials_fix(why).contains(fix), "{why}");
        }
    }

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
