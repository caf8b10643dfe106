//! Answers of AWS, through the SDK and our own reading of them. The SDK gets them without a network: over sockets, a connection and a
//! thread for each call were most of the time, and a hundred inputs a second all there was.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_rds::config::Credentials;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use greenlight::edge::{
    auth::{Authenticator, Method},
    env::Env,
    rds::{RdsRequest, Subject, collect},
};
use sandbox::{Sandbox, Scenario, pg::block_on};

use super::{fuzz, leaks::LOGIN};

/// Answers every request with the bytes at hand.
#[derive(Clone, Debug, Default)]
struct AtHand(Arc<Mutex<Vec<u8>>>);

impl HttpConnector for AtHand {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let body = self.0.lock().expect("not poisoned").clone();
        let ok = StatusCode::try_from(200).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::from(body))))
    }
}

impl AtHand {
    /// A configuration of which every service is this one.
    async fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .credentials_provider(Credentials::new("AKIASANDBOXSANDBOX00", "x", None, None, "test"))
            .region(Region::new("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .load()
            .await
    }

    fn set(&self, bytes: &[u8]) {
        *self.0.lock().expect("not poisoned") = bytes.to_vec();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// What the local RDS answers to a question.
async fn answer(sandbox: &Sandbox, action: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = sandbox.endpoint_url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address)
        .await
        .expect("it listens");
    let body = format!("Action={action}&Version=2014-10-31");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIASANDBOXSANDBOX00/20260101/eu-west-1/rds/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).await.expect("answered");
    let text = String::from_utf8(whole).expect("XML");
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    assert!(body.contains(action), "{text}");
    body.as_bytes().to_vec()
}

#[test]
fn answers_of_the_rds_api() {
    let seeds = block_on(async {
        let mut scenario = Scenario::load("guide").expect("built in");
        scenario.servers = false;
        let sandbox = Sandbox::start(scenario).await.expect("a local RDS");
        let mut seeds = Vec::new();
        for action in [
            "DescribeDBClusters",
            "DescribeDBInstances",
            "DescribeBlueGreenDeployments",
            "DescribeEvents",
        ] {
            seeds.push(answer(&sandbox, action).await);
        }
        seeds
    });
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let at_hand = AtHand::default();
    let runtime = runtime();
    let config = runtime.block_on(at_hand.config());
    let subjects = [
        Subject::Cluster("main-cluster".to_owned()),
        Subject::Instance("main-instance-1".to_owned()),
        Subject::Deployment("bgd-1".to_owned()),
    ];
    fuzz("answers", &seeds, |bytes| {
        at_hand.set(bytes);
        let request = RdsRequest {
            subject: subjects[bytes.len() % 3].clone(),
            target_version: None,
            target_parameter_group: None,
            endpoint_url: None,
        };
        let look = collect(&config, &request);
        let bounded = greenlight::edge::deadline::within(Duration::from_secs(4), look);
        let _collected = runtime.block_on(bounded);
    });
}

/// What Secrets Manager answers, around the secret and in it: a login or an error, and no part of the secret in that.
#[test]
fn answers_of_secrets_manager() {
    let seeds: [&[u8]; 5] = [
        // The SDK quotes what follows half of a surrogate pair.
        br#"{"Name":"db","SecretString":"\ud800pLaNt-kept-3c4d"}"#,
        br#"{"ARN":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf","Name":"db","SecretString":"{\"username\":\"app\",\"password\":\"pLaNt-kept-3c4d\",\"engine\":\"postgres\",\"port\":5432}"}"#,
        br#"{"Name":"db","SecretString":"pLaNt-kept-3c4d"}"#,
        br#"{"Name":"db","SecretString":"{\"username\":\"app\",\"password\":[\"pLaNt-kept-3c4d\"]}"}"#,
        br#"{"Name":"db","SecretBinary":"cExhTnQ="}"#,
    ];
    let at_hand = AtHand::default();
    let runtime = runtime();
    let config = runtime.block_on(at_hand.config());
    let read = Cell::new(0);
    fuzz("secret", &seeds, |bytes| {
        at_hand.set(bytes);
        let auth =
            Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(config.clone(), None);
        match runtime.block_on(auth.credentials(LOGIN)) {
            Ok(found) => {
                read.set(read.get() + 1);
                assert!(!found.user.is_empty() && found.password.is_some());
            }
            Err(error) => {
                let message = error.to_string();
                assert!(!message.contains("pLaNt"), "{message}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
            }
        }
    });
    assert!(read.get() > 0, "what is right is read");
}
