//! The only way in which greenlight changes anything at RDS: one attempt, no retry, and an answer that is sorted.
//!
//! A call that changes something must not be sent twice by itself, so the SDK's retries are off and the time limit is
//! this module's own. What comes back is one of three things: RDS took it, it certainly did nothing, or nobody knows. Only
//! an answer that RDS itself wrote, or a request that provably never left, counts as "did nothing" ([`Answer::of_fault`]).

use std::{
    error::Error,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_config::{Region, SdkConfig};
use aws_sdk_rds::{
    Client,
    config::{
        Config, ConfigBag, Intercept, RuntimeComponents, http::HttpResponse,
        interceptors::BeforeTransmitInterceptorContextRef, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::{
        RequestId, switchover_blue_green_deployment::SwitchoverBlueGreenDeploymentOutput as SwitchoverOutput,
    },
};
use jiff::SignedDuration;

use crate::{
    edge::aws::chain,
    switchover::evidence::{Answer, Fault},
};

/// Longest wait for the answer to a call that changes something. RDS answers such calls within a few seconds; after this
/// time nobody knows what became of it.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What became of one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed<T> {
    /// RDS took it.
    Accepted {
        /// What it answered.
        output: T,
        /// `x-amzn-RequestId`, under which AWS Support and CloudTrail know the call.
        request_id: Option<String>,
    },
    /// Nothing happened: RDS said no, or the request never left this machine.
    Rejected {
        /// Code and words.
        fault: Fault,
        /// `x-amzn-RequestId`, where RDS answered.
        request_id: Option<String>,
    },
    /// Nobody knows: it may have taken effect. Describe, and never send it again unseen.
    Lost {
        /// What was seen instead of an answer.
        why: String,
    },
}

impl<T> Changed<T> {
    /// The same without the output, as the journal of a switchover keeps it.
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Accepted { request_id, .. } => Answer::Accepted { request_id },
            Self::Rejected { fault, .. } => Answer::Rejected { fault },
            Self::Lost { why } => Answer::Lost { why },
        }
    }
}

/// Whether a call may still leave, asked at the last moment; the error says why not.
#[derive(Clone)]
struct Gate(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// Sends calls that change something.
#[derive(Clone, Debug)]
pub struct Changes {
    config: Config,
    within: Duration,
    gate: Option<Gate>,
}

impl Changes {
    /// For one Region, with the credentials, endpoint and connections of `config` and nothing of its patience.
    #[must_use]
    pub fn new(config: &SdkConfig, region: &str) -> Self {
        let config = aws_sdk_rds::config::Builder::from(config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .build(),
            )
            .build();
        Self {
            config,
            within: ANSWER_WITHIN,
            gate: None,
        }
    }

    /// The same, whose calls leave only while `gate` lets them. It is asked when the request is signed and nothing is left but
    /// to connect and write it: getting credentials may have taken long, and so may a process that was stopped, or a terminal that
    /// took no output.
    #[must_use]
    pub fn only_while(self, gate: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self {
            gate: Some(Gate(Arc::new(gate))),
            ..self
        }
    }

    /// The same with another limit than [`ANSWER_WITHIN`].
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self {
            within: limit,
            ..self
        }
    }

    /// Sends one call, once. `call` makes it from the client that it is given, and from no other:
    /// `changes.send("CreateBlueGreenDeployment", |rds| rds.create_blue_green_deployment().source(arn).send())`.
    pub async fn send<T, E, F>(&self, action: &'static str, call: impl FnOnce(Client) -> F) -> Changed<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let left = Arc::new(AtomicBool::new(false));
        let leaving = Leaving {
            left: Arc::clone(&left),
            gate: self.gate.clone(),
        };
        let config = self.config.to_builder().interceptor(leaving);
        let answer = tokio::time::timeout(self.within, call(Client::from_conf(config.build()))).await;
        let left = left.load(Ordering::SeqCst);
        let changed = match answer {
            Ok(Ok(output)) => Changed::Accepted {
                request_id: output.request_id().map(str::to_owned),
                output,
            },
            Ok(Err(error)) => sort(&error, left),
            Err(_) if left => Changed::Lost {
                why: format!("no answer within {} s", self.within.as_secs()),
            },
            Err(_) => never_left(format!("not sent within {} s", self.within.as_secs())),
        };
        match &changed {
            Changed::Accepted { request_id, .. } => tracing::info!(action, request_id, "RDS took it"),
            Changed::Rejected { fault, request_id } => {
                tracing::info!(action, request_id, %fault, "RDS did nothing");
            }
            Changed::Lost { why } => tracing::warn!(action, why, "the answer is lost"),
        }
        changed
    }

    /// `SwitchoverBlueGreenDeployment`. `timeout` is RDS's own limit, 30 to 3,600 s.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_SwitchoverBlueGreenDeployment.html>
    pub async fn switchover(
        &self,
        deployment_id: &str,
        timeout: SignedDuration,
    ) -> Changed<SwitchoverOutput> {
        let seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
        self.send("SwitchoverBlueGreenDeployment", |rds| {
            rds.switchover_blue_green_deployment()
                .blue_green_deployment_identifier(deployment_id)
                .switchover_timeout(seconds)
                .send()
        })
        .await
    }
}

/// Notes when a request is about to go out: whatever failed before that did nothing. One that may not go any more fails here.
#[derive(Debug)]
struct Leaving {
    left: Arc<AtomicBool>,
    gate: Option<Gate>,
}

impl Intercept for Leaving {
    fn name(&self) -> &'static str {
        "Leaving"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Gate(still)) = &self.gate {
            still()?;
        }
        self.left.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// Whether there never was a connection that the request could have been written to: its name could not be looked up, nobody
/// listened, or TLS failed. Only the connector itself proves that; any other error may have come after the first byte.
fn never_connected<E>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::DispatchFailure(failure) = error else {
        return false;
    };
    let mut cause: Option<&(dyn Error + 'static)> = failure.as_connector_error().map(|error| error as _);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return error.is_connect();
        }
        cause = error.source();
    }
    false
}

fn sort<T, E>(error: &SdkError<E, HttpResponse>, left: bool) -> Changed<T>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if !left || never_connected(error) {
        return never_left(chain(error));
    }
    let request_id = error.request_id().map(str::to_owned);
    // Only an error that could be read as RDS's own has a code that counts.
    let (status, code) = match error {
        SdkError::ServiceError(answer) => (Some(answer.raw().status().as_u16()), error.code()),
        SdkError::ResponseError(answer) => (Some(answer.raw().status().as_u16()), None),
        _ => (None, None),
    };
    let message = error.message().map_or_else(|| chain(error), str::to_owned);
    match Answer::of_fault(status, code, &message) {
        Answer::Rejected { fault } => Changed::Rejected { fault, request_id },
        Answer::Lost { why } => Changed::Lost {
            why: match (code, request_id) {
                (Some(code), Some(id)) => format!("{why} ({code}, request {id})"),
                (None, Some(id)) => format!("{why} (request {id})"),
                (Some(code), None) => format!("{why} ({code})"),
                (None, None) => why,
            },
        },
        Answer::Accepted { .. } => unreachable!("a fault is never an acceptance"),
    }
}

fn never_left<T>(why: String) -> Changed<T> {
    Changed::Rejected {
        fault: Fault {
            code: Fault::NOT_SENT.to_owned(),
            message: why,
        },
        request_id: None,
    }
}
