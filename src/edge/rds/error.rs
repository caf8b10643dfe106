//! What can go wrong when RDS is asked: one call, and the whole look.

use std::{error::Error, fmt::Debug};

use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};

use crate::{
    edge::{
        aws::{AwsError, chain},
        deadline::Passed,
    },
    facts::{Fact, Why},
};

/// Why a single call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// `DescribeDBClusters` …
    pub(super) action: &'static str,
    pub(super) kind: Kind,
    /// The fault's code, where the service answered.
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Denied,
    Expired,
    BadCredentials,
    NotFound,
    Timeout,
    /// The deadline of the whole look.
    Late,
    Unreachable,
    /// RDS takes no more calls for now.
    Throttled,
    /// RDS cannot answer for now.
    Unavailable,
    /// Any other answer of the service.
    Fault,
}

impl Failed {
    pub(super) fn of<E, R>(action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Debug + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let kind = match error {
            SdkError::TimeoutError(_) => Kind::Timeout,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Kind::Timeout,
            SdkError::ServiceError(_) => of_code(&code),
            _ => Kind::Unreachable,
        };
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None => chain(error),
        };
        Self {
            action,
            kind,
            code,
            message,
        }
    }

    /// The deadline of the whole look came before the answer.
    pub(super) fn late(action: &'static str, passed: Passed) -> Self {
        Self {
            action,
            kind: Kind::Late,
            code: String::new(),
            message: passed.to_string(),
        }
    }

    /// The fact that could not be had.
    pub(super) fn fact<T>(&self) -> Fact<T> {
        let (why, detail) = match self.kind {
            Kind::Denied => (Why::Privilege, format!("rds:{} is not allowed", self.action)),
            Kind::Timeout => (Why::Timeout, format!("{} did not answer in time", self.action)),
            Kind::Late => (
                Why::Timeout,
                format!("{} had not answered when {}", self.action, self.message),
            ),
            Kind::Unreachable => (Why::Unreachable, format!("{}: {}", self.action, self.message)),
            _ if self.code.is_empty() => (Why::Error, format!("{}: {}", self.action, self.message)),
            _ => (
                Why::Error,
                format!("{}: {}: {}", self.action, self.code, self.message),
            ),
        };
        Fact::unknown(why, detail)
    }
}

/// Codes of the RDS Query API and of AWS's front. Names of faults differ in whether they end in `Fault`.
fn of_code(code: &str) -> Kind {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "OptInRequired" => Kind::Denied,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Kind::Expired,
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "AuthFailure" => Kind::BadCredentials,
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => {
            Kind::Throttled
        }
        "InternalFailure" | "InternalError" | "ServiceUnavailable" => Kind::Unavailable,
        _ if code.ends_with("NotFound") || code.ends_with("NotFoundFault") => Kind::NotFound,
        _ => Kind::Fault,
    }
}

/// Why nothing could be looked at. Whatever else cannot be had is a fact of the document.
#[derive(Debug, thiserror::Error)]
pub enum RdsError {
    /// Flags or configuration.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An ARN that is none, or is of something else.
    #[error("{0:?} is not {1}")]
    BadSubject(String, &'static str),
    /// The ARN lies in another Region than the one that is asked.
    #[error("{arn} lies in {there}, but {here} is asked: give --region {there}")]
    WrongRegion {
        /// The subject.
        arn: String,
        /// Its Region.
        there: String,
        /// The configuration's.
        here: String,
    },
    /// There is no such thing here.
    #[error("there is no {kind} {name:?} in {place}{hint}; check the name, --region and --profile")]
    NotFound {
        /// `cluster`, `instance`, `blue/green deployment`.
        kind: &'static str,
        /// As it was named.
        name: String,
        /// Region, and account where it is known.
        place: String,
        /// What there is instead, beginning with a separator; or nothing.
        hint: String,
    },
    /// Several deployments have that name.
    #[error("{count} deployments are called {name:?}: give the bgd-… identifier instead ({ids})")]
    Ambiguous {
        /// The name.
        name: String,
        /// How many.
        count: usize,
        /// Their identifiers.
        ids: String,
    },
    /// MySQL and the rest.
    #[error(
        "{name} runs the engine {engine}; greenlight judges PostgreSQL only (aurora-postgresql, postgres)"
    )]
    NotPostgres {
        /// Cluster or instance.
        name: String,
        /// The API's engine.
        engine: String,
    },
    /// An instance of an Aurora cluster.
    #[error(
        "{instance} is an instance of cluster {cluster}, and deployments are made of clusters: use --cluster {cluster}"
    )]
    IsMember {
        /// The instance.
        instance: String,
        /// Its cluster.
        cluster: String,
    },
    /// The identity may not make the call that everything starts from.
    #[error(
        "AWS does not allow rds:{action}: {message}; `greenlight iam-policy` prints the rights that are needed"
    )]
    Denied {
        /// The action.
        action: &'static str,
        /// AWS's words, which name the identity.
        message: String,
    },
    /// A session has ended.
    #[error("the AWS session has expired: log in again (aws sso login, or renew the credentials)")]
    Expired,
    /// Credentials that AWS does not know, or a signature that does not hold.
    #[error("AWS does not accept the credentials ({code}): {message}; check them, the profile and the clock")]
    BadCredentials {
        /// The fault.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// No answer.
    #[error(
        "cannot reach RDS in {region}: {message}; check the region, the network, proxies and VPC endpoints"
    )]
    Unreachable {
        /// Region or endpoint.
        region: String,
        /// The cause.
        message: String,
    },
    /// No answer in time.
    #[error("RDS in {region} did not answer {action} in time; check the network, or try again")]
    Timeout {
        /// Region or endpoint.
        region: String,
        /// The action.
        action: &'static str,
    },
    /// The deadline of the whole look.
    #[error("RDS in {region} had not answered {action} when {message}; check the network, or give it longer")]
    Late {
        /// Region or endpoint.
        region: String,
        /// The action.
        action: &'static str,
        /// Which deadline.
        message: String,
    },
    /// Another answer.
    #[error("RDS answered {action} with {code} {message}")]
    Fault {
        /// The action.
        action: &'static str,
        /// The fault.
        code: String,
        /// AWS's words.
        message: String,
    },
}

impl RdsError {
    /// Whether flags or configuration are wrong, rather than that the look could not be had.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Aws(error) => error.is_usage(),
            Self::BadSubject(..)
            | Self::WrongRegion { .. }
            | Self::NotFound { .. }
            | Self::Ambiguous { .. }
            | Self::NotPostgres { .. }
            | Self::IsMember { .. } => true,
            Self::Denied { .. }
            | Self::Expired
            | Self::BadCredentials { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Late { .. }
            | Self::Fault { .. } => false,
        }
    }

    /// A failed call without which nothing can be looked at. `place` is the Region, or the endpoint that replaces it.
    pub(super) fn from_call(failed: Failed, place: &str) -> Self {
        let Failed {
            action,
            kind,
            code,
            message,
        } = failed;
        match kind {
            Kind::Denied => Self::Denied { action, message },
            Kind::Expired => Self::Expired,
            Kind::BadCredentials => Self::BadCredentials { code, message },
            Kind::Timeout => Self::Timeout {
                region: place.to_owned(),
                action,
            },
            Kind::Late => Self::Late {
                region: place.to_owned(),
                action,
                message,
            },
            Kind::Unreachable => Self::Unreachable {
                region: place.to_owned(),
                message,
            },
            Kind::NotFound | Kind::Fault | Kind::Throttled | Kind::Unavailable => Self::Fault {
                action,
                code,
                message,
            },
        }
    }
}
