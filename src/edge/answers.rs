//! Where AWS is asked, and how large an answer may be, whoever of the SDK asks.
//!
//! `Bounded` stands in front of the SDK's own HTTP client, for every API that is asked with the configuration (RDS, STS,
//! Secrets Manager, those that give credentials). The SDK takes any endpoint, of each service by a variable or the profile: plain
//! http goes to this machine and to the addresses at which AWS gives credentials to its own machines, and nowhere else. And it reads
//! an answer whole, whatever its size: who answers in place of an API, or a proxy that has gone mad, must cost an error and not
//! this machine's memory. One answer may have [`MOST`] bytes, and all pages of one question together [`MOST_OF_A_QUESTION`].

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connector_metadata::ConnectorMetadata,
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame, SizeHint};

use super::aws::{AwsError, stays_private};

/// Bytes of one answer. A page has 100 records at most, of a few kilobytes each.
pub const MOST: usize = 16 << 20;

/// Bytes of all pages of one question: thousands of pages as RDS writes them.
pub const MOST_OF_A_QUESTION: usize = 256 << 20;

tokio::task_local! {
    /// What the question at hand may still read.
    static LEFT: Cell<usize>;
}

/// Runs a question, whose pages share one limit.
pub(super) async fn of_one_question<T>(question: impl Future<Output = T>) -> T {
    LEFT.scope(Cell::new(MOST_OF_A_QUESTION), Box::pin(question))
        .await
}

/// The SDK's own client with our limit in front of it.
pub(super) fn client() -> SharedHttpClient {
    // As the SDK makes it where nobody gives one: rustls on aws-lc-rs, the proxy that the environment names.
    let usual = Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector =
            Connector::builder().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    });
    SharedHttpClient::new(Bounded(usual))
}

/// A client of which no answer is longer than it may be.
#[derive(Clone, Debug)]
struct Bounded<T>(T);

impl HttpClient for Bounded<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Bounded(self.0.http_connector(settings, components)))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

impl HttpConnector for Bounded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri();
        if !(stays_private(uri) || gives_credentials(uri)) {
            // Without the path, in which whoever set the endpoint may have hidden anything.
            let place: String = uri.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let refused = AwsError::PlainHttp(place);
            return HttpConnectorFuture::ready(Err(ConnectorError::user(refused.into())));
        }
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async {
            let answer = answer.await?;
            Ok(answer.map(|body| SdkBody::from_body_1_x(Counted { body, left: MOST })))
        })
    }
}

/// Whether a request goes to an address at which AWS gives credentials to its own machines, which is plain http and never leaves
/// the host: EC2's metadata and the credential endpoints of ECS and EKS.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>,
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
fn gives_credentials(uri: &str) -> bool {
    let host = uri.strip_prefix("http://").unwrap_or_default();
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let host = host.strip_suffix(":80").unwrap_or(host);
    matches!(
        host,
        "169.254.169.254" | "169.254.170.2" | "169.254.170.23" | "[fd00:ec2::254]" | "[fd00:ec2::23]"
    )
}

/// A body that ends in an error where it goes on for too long.
struct Counted {
    body: SdkBody,
    left: usize,
}

impl Counted {
    fn take(&mut self, bytes: usize) -> Result<(), BoxError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!(
                "the answer is longer than {} MiB, which no answer of AWS is",
                MOST >> 20
            )
        })?;
        let left = LEFT.try_with(|left| left.get().checked_sub(bytes).map(|now| left.set(now)));
        match left {
            Ok(None) => Err(format!(
                "the pages of the answer are longer than {} MiB together",
                MOST_OF_A_QUESTION >> 20
            )
            .into()),
            // Outside of a question, one answer's limit is enough.
            Ok(Some(())) | Err(_) => Ok(()),
        }
    }
}

impl Body for Counted {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let bytes = data.len();
            if let Err(error) = self.take(bytes) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aws_itself_gives_credentials_by_plain_http() {
        for uri in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials?x",
            "http://[fd00:ec2::254]/latest",
            "http://169.254.170.23:80/v1/credentials",
        ] {
            assert!(gives_credentials(uri), "{uri}");
        }
        for uri in [
            "http://169.254.169.254.example.com/",
            "http://example.com/169.254.169.254",
            "http://169.254.169.254@example.com/",
            "http://169.254.1.1/",
            "http://169.254.169.254:8080/",
        ] {
            assert!(!gives_credentials(uri) && !stays_private(uri), "{uri}");
        }
    }

    fn body(left: usize) -> Counted {
        Counted {
            body: SdkBody::empty(),
            left,
        }
    }

    #[tokio::test]
    async fn answers_and_questions_have_their_limits() {
        assert!(body(10).take(10).is_ok());
        let error = body(10).take(11).expect_err("too long").to_string();
        assert!(error.contains("longer than 16 MiB"), "{error}");
        of_one_question(async {
            for _ in 0..MOST_OF_A_QUESTION / MOST {
                body(MOST).take(MOST).expect("as long as it may be");
            }
            let error = body(MOST).take(1).expect_err("one too many").to_string();
            assert!(error.contains("together"), "{error}");
            of_one_question(async { body(MOST).take(1).expect("a question of its own") }).await;
        })
        .await;
    }
}
