//! The AWS configuration: flags over environment over profile, as the SDK resolves them, plus what the SDK leaves open.
//!
//! Reads are retried by the SDK (standard mode, five attempts) and bounded in time. Whoever changes something switches
//! retries off for that call. Plain http is refused unless it stays on this machine.

use std::{net::IpAddr, time::Duration};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, retry::RetryConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use aws_sdk_rds::config::{ProvideCredentials as _, SharedCredentialsProvider};

use super::{
    answers,
    deadline::{self, Passed},
    env::Env,
};
use crate::model::secret::{Secret, remember};

/// `--region`, `--profile`, `--endpoint-url`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// The Region; else the environment's or the profile's.
    pub region: Option<String>,
    /// The profile, whose credentials go over keys of the environment; else `AWS_PROFILE` or `default`.
    pub profile: Option<String>,
    /// The endpoint of every API; else the environment's or the profile's.
    pub endpoint_url: Option<String>,
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The endpoint is no URL.
    #[error("{0:?} is not an endpoint URL like https://rds.eu-west-1.amazonaws.com")]
    BadEndpoint(String),
    /// Plain http over a network.
    #[error("the endpoint {0} is plain http, which shows credentials and answers to the network; use https")]
    PlainHttp(String),
    /// Not the ARN of a role.
    #[error("{0:?} is not the ARN of a role like arn:aws:iam::123456789012:role/audit")]
    BadRole(String),
    /// No Region anywhere.
    #[error("no AWS region: give --region, or set AWS_REGION or the profile's region")]
    NoRegion,
    /// Nothing gave credentials.
    #[error(
        "no AWS credentials: {0}; log in (aws sso login), set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give --profile"
    )]
    NoCredentials(String),
    /// A source of credentials failed.
    #[error("cannot get AWS credentials: {0}; log in again (aws sso login), or check the profile")]
    Credentials(String),
    /// The deadline of the whole look.
    #[error("AWS had given no credentials when {0}; check the network or the profile, or give it longer")]
    Late(Passed),
}

impl AwsError {
    /// Whether flags or configuration are wrong, rather than that the look could not be had.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::BadEndpoint(_) | Self::PlainHttp(_) | Self::BadRole(_) | Self::NoRegion => true,
            Self::NoCredentials(_) | Self::Credentials(_) | Self::Late(_) => false,
        }
    }
}

/// Longest time to open a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for one attempt.
const ATTEMPT: Duration = Duration::from_secs(20);
/// Longest time for one call with its retries.
const OPERATION: Duration = Duration::from_secs(90);
const ATTEMPTS: u32 = 5;

/// Loads the configuration. Nothing is asked of AWS yet; a Region may be missing.
///
/// # Errors
/// [`AwsError::BadEndpoint`], [`AwsError::PlainHttp`], [`AwsError::Late`].
pub async fn load(settings: &AwsSettings, env: &Env) -> Result<SdkConfig, AwsError> {
    // Looked at before the SDK sees them: it would take anything.
    let from_env = ["AWS_ENDPOINT_URL_RDS", "AWS_ENDPOINT_URL"].map(|name| configured(env, name));
    let from_env = from_env.into_iter().flatten();
    for url in settings.endpoint_url.as_deref().into_iter().chain(from_env) {
        check_endpoint(url)?;
    }
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .app_name(AppName::new("greenlight").expect("letters only"))
        .http_client(answers::client())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .operation_attempt_timeout(ATTEMPT)
                .operation_timeout(OPERATION)
                .build(),
        );
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = deadline::bound(loader.load()).await.map_err(AwsError::Late)?;
    if let Some(url) = config.endpoint_url() {
        check_endpoint(url)?;
    }
    Ok(match &settings.profile {
        Some(profile) if env.get("AWS_ACCESS_KEY_ID").is_some() => by_profile(config, profile),
        _ => config,
    })
}

/// The same configuration with the profile's credentials alone. The SDK takes keys of the environment even where a profile is asked
/// for; that could be another account. A flag goes over a variable, as in AWS's own command line.
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-chap-configure.html#configure-precedence>
fn by_profile(config: SdkConfig, profile: &str) -> SdkConfig {
    let mut way = ProviderConfig::without_region()
        .with_region(config.region().cloned())
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack())
        .with_http_client(answers::client());
    if let Some(timeouts) = config.timeout_config() {
        way = way.with_timeout_config(timeouts.clone());
    }
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&way)
        .profile_name(profile)
        .build();
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}

/// An endpoint that a variable names, unless such variables are to be ignored.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
fn configured<'a>(env: &'a Env, name: &str) -> Option<&'a str> {
    let ignored = env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == Some("true");
    env.get(name).filter(|_| !ignored)
}

/// The endpoint that RDS is asked at, where it is not AWS's own: for facts and for commands to paste.
pub fn endpoint_url(config: &SdkConfig, settings: &AwsSettings, env: &Env) -> Option<String> {
    let given = settings.endpoint_url.clone();
    given
        .or_else(|| configured(env, "AWS_ENDPOINT_URL_RDS").map(str::to_owned))
        .or_else(|| config.endpoint_url().map(str::to_owned))
}

/// The configuration for another account: the same, with a role of it assumed whenever credentials are needed.
///
/// # Errors
/// Where the ARN is none of a role.
pub async fn assume(
    config: &SdkConfig,
    role: &str,
    external_id: Option<&str>,
) -> Result<SdkConfig, AwsError> {
    let is_role = role.starts_with("arn:") && role.split(':').nth(5).is_some_and(|r| r.starts_with("role/"));
    if !is_role {
        return Err(AwsError::BadRole(role.to_owned()));
    }
    let mut builder = AssumeRoleProvider::builder(role)
        .session_name("greenlight")
        .configure(config);
    if let Some(id) = external_id {
        builder = builder.external_id(id);
    }
    let provider = builder.build().await;
    let config = config.clone().into_builder();
    Ok(config
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build())
}

/// Gets credentials once, so that their absence is told before anything else.
///
/// # Errors
/// [`AwsError::NoCredentials`], [`AwsError::Credentials`].
pub async fn credentials(config: &SdkConfig) -> Result<(), AwsError> {
    let Some(provider) = config.credentials_provider() else {
        return Err(AwsError::NoCredentials(
            "the configuration names no source".to_owned(),
        ));
    };
    match deadline::bound(provider.provide_credentials()).await {
        Err(passed) => Err(AwsError::Late(passed)),
        Ok(Ok(found)) => {
            remember(Secret::new(found.secret_access_key()));
            if let Some(token) = found.session_token() {
                remember(Secret::new(token));
            }
            Ok(())
        }
        Ok(Err(e)) => {
            let whole = chain(&e);
            // The error's kind is not exported by the SDK crate: its words are.
            if whole.contains("not loaded")
                || whole.contains("no providers in chain")
                || whole.contains("was not enabled")
            {
                // A profile that is named and is not there is worth more than that nothing was found.
                let named = whole.find("profile `").map(|at| whole[at..].to_owned());
                Err(AwsError::NoCredentials(named.unwrap_or_else(|| {
                    "neither the profile nor, without --profile, the environment gives any".to_owned()
                })))
            } else {
                Err(AwsError::Credentials(whole))
            }
        }
    }
}

/// Who the credentials belong to (`arn:aws:sts::…`), for records; none where STS does not tell within a few seconds.
/// Every identity may ask that.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub async fn principal(config: &SdkConfig) -> Option<String> {
    let asked = aws_sdk_sts::Client::new(config).get_caller_identity().send();
    let answer = tokio::time::timeout(CONNECT, asked).await.ok()?;
    answer.ok()?.arn
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let message = next.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = next.source();
    }
    text
}

/// Whether a request is by https, or stays on this machine.
pub(super) fn stays_private(url: &str) -> bool {
    check_endpoint(url).is_ok()
}

fn check_endpoint(url: &str) -> Result<(), AwsError> {
    let bad = || AwsError::BadEndpoint(without_user(url));
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // Whoever writes a user into the URL hides where it leads.
    if authority.is_empty() || authority.contains('@') {
        return Err(bad());
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(authority) => Ok(()),
        "http" => Err(AwsError::PlainHttp(url.to_owned())),
        _ => Err(bad()),
    }
}

/// The URL for a message: what stands before an `@` may be a password, wherever it begins.
fn without_user(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => url.to_owned(),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_ignored_is_not_shown() {
        let config = SdkConfig::builder().build();
        let shown = |env: &Env| endpoint_url(&config, &AwsSettings::default(), env);
        let env = Env::empty().with("AWS_ENDPOINT_URL_RDS", "https://rds.example");
        assert_eq!(shown(&env).as_deref(), Some("https://rds.example"));
        assert_eq!(
            shown(&env.with("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")),
            None
        );
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for url in [
            "http://127.0.0.1:5000",
            "http://localhost:5000/x",
            "http://[::1]:1",
            "https://rds.example.com",
        ] {
            assert!(check_endpoint(url).is_ok(), "{url}");
        }
        for url in [
            "http://rds.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com:80",
            "http://10.0.0.1",
        ] {
            assert!(
                matches!(check_endpoint(url), Err(AwsError::PlainHttp(_))),
                "{url}"
            );
        }
        for url in [
            "rds.example.com",
            "ftp://127.0.0.1",
            "http://",
            "http://127.0.0.1:80@evil.example.com",
            "",
        ] {
            assert!(
                matches!(check_endpoint(url), Err(AwsError::BadEndpoint(_))),
                "{url}"
            );
        }
    }
}
