//! Calls that change something: sent once, and their answers sorted, at the local RDS without servers.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_rds::{
    config::{Credentials, SharedCredentialsProvider},
    operation::switchover_blue_green_deployment::SwitchoverBlueGreenDeploymentOutput as Output,
};
use greenlight::edge::rds::change::{Changed, Changes};
use jiff::SignedDuration;
use sandbox::{Effect, FaultRule, Sandbox, Scenario};

const ACTION: &str = "SwitchoverBlueGreenDeployment";

/// A deployment that is ready, at the API alone; its switchover stays where it is.
async fn ready() -> (Sandbox, String) {
    let mut scenario = Scenario::load("guide-ready").expect("built in");
    scenario.servers = false;
    let deployment = scenario.deployment.clone();
    scenario.deployment.clear();
    let sandbox = Sandbox::start(scenario).await.expect("it starts");
    let config = config(&sandbox.endpoint_url(), credentials()).await;
    let rds = aws_sdk_rds::Client::new(&config);
    let source = rds.describe_db_clusters().send().await.expect("clusters");
    let made = rds
        .create_blue_green_deployment()
        .blue_green_deployment_name(&deployment[0].name)
        .source(source.db_clusters()[0].db_cluster_arn().expect("an ARN"))
        .target_engine_version("14.10")
        .target_db_cluster_parameter_group_name("main-cluster-params-14")
        .send()
        .await
        .expect("made");
    let id = made
        .blue_green_deployment()
        .expect("it")
        .blue_green_deployment_identifier();
    let id = id.expect("an id").to_owned();
    let there = sandbox.rds().until(Duration::from_secs(60), |account| {
        account.deployments.values().all(|d| d.status == "AVAILABLE")
    });
    assert!(there.await, "the deployment is made");
    sandbox.calls().clear();
    (sandbox, id)
}

pub(crate) fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(
        "AKIASANDBOXSANDBOX00",
        "opens-nothing",
        None,
        None,
        "test",
    ))
}

/// With retries, as reading has them: a change must not inherit them.
pub(crate) async fn config(url: &str, credentials: SharedCredentialsProvider) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(Region::new("eu-west-1"))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(5)
                .with_initial_backoff(Duration::from_millis(5)),
        )
        .endpoint_url(url)
        .load()
        .await
}

async fn submit(sandbox: &Sandbox, id: &str) -> Changed<Output> {
    let config = config(&sandbox.endpoint_url(), credentials()).await;
    let changes = Changes::new(&config, "eu-west-1").within(Duration::from_secs(60));
    changes.switchover(id, SignedDuration::from_secs(300)).await
}

#[tokio::test]
async fn an_accepted_call_keeps_its_request_id_and_its_parameters() {
    let (sandbox, id) = ready().await;
    let Changed::Accepted { request_id, .. } = submit(&sandbox, &id).await else {
        panic!("not accepted");
    };
    let calls = sandbox.calls().of(ACTION);
    assert_eq!(calls.len(), 1);
    assert_eq!(request_id.as_deref(), Some(calls[0].request_id.as_str()));
    assert_eq!(calls[0].params["SwitchoverTimeout"], "300");
    assert_eq!(calls[0].params["BlueGreenDeploymentIdentifier"], id);
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_lost_and_nothing_is_sent_again() {
    for (effect, effects) in [
        (Effect::ErrorBefore, 0),
        (Effect::ErrorAfter, 1),
        (Effect::Unavailable, 0),
        (Effect::LostBefore, 0),
        (Effect::LostAfter, 1),
    ] {
        let (sandbox, id) = ready().await;
        sandbox.rds().fail_next(ACTION, 1, effect.clone());
        let changed = submit(&sandbox, &id).await;
        assert!(matches!(changed, Changed::Lost { .. }), "{effect:?}: {changed:?}");
        assert_eq!(sandbox.calls().of(ACTION).len(), 1, "{effect:?}");
        assert_eq!(sandbox.calls().effects(ACTION), effects, "{effect:?}");
    }
}

#[tokio::test]
async fn a_fault_of_rds_says_that_nothing_happened() {
    for (effect, code) in [
        (Effect::Throttle, "Throttling"),
        (Effect::AccessDenied, "AccessDenied"),
        (Effect::ExpiredToken, "ExpiredToken"),
        (
            Effect::Fault {
                http: 400,
                code: "InvalidBlueGreenDeploymentStateFault".to_owned(),
                message: "not now".to_owned(),
            },
            "InvalidBlueGreenDeploymentStateFault",
        ),
    ] {
        let (sandbox, id) = ready().await;
        sandbox.rds().fail_next(ACTION, 1, effect);
        let changed = submit(&sandbox, &id).await;
        let Changed::Rejected { fault, request_id } = changed else {
            panic!("{code}: {changed:?}");
        };
        assert_eq!(fault.code, code);
        assert!(request_id.is_some());
        assert_eq!(sandbox.calls().of(ACTION).len(), 1, "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_lost() {
    let (sandbox, id) = ready().await;
    let rule = FaultRule::always(ACTION, Effect::Delay { milliseconds: 20_000 });
    sandbox.rds().arm(rule);
    let config = config(&sandbox.endpoint_url(), credentials()).await;
    let changes = Changes::new(&config, "eu-west-1").within(Duration::from_millis(300));
    let changed = changes.switchover(&id, SignedDuration::from_secs(300)).await;
    assert!(
        matches!(&changed, Changed::Lost { why } if why.contains("no answer within")),
        "{changed:?}"
    );
}

/// A server that takes one connection and does this with it.
async fn server<F: Future<Output = ()> + Send>(
    then: impl FnOnce(tokio::net::TcpStream) -> F + Send + 'static,
) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        // Nobody can come a second time.
        drop(listener);
        then(stream).await;
    });
    address.to_string()
}

async fn submit_to(url: &str) -> Changed<Output> {
    let config = config(url, credentials()).await;
    let changes = Changes::new(&config, "eu-west-1").within(Duration::from_secs(60));
    changes
        .switchover("bgd-0123456789abcdef", SignedDuration::from_secs(300))
        .await
}

#[tokio::test]
async fn where_no_connection_came_about_nothing_was_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", closed.local_addr().expect("bound"));
    drop(closed);
    let no_tls = server(async |mut stream| {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 this is not TLS\r\n").await;
    })
    .await;
    let hangs_up = server(async |stream| drop(stream)).await;
    for url in [
        nobody,
        "http://nowhere.invalid".to_owned(),
        format!("https://{no_tls}"),
        format!("https://{hangs_up}"),
    ] {
        let changed = submit_to(&url).await;
        assert!(
            matches!(&changed, Changed::Rejected { fault, request_id: None } if fault.never_left()),
            "{url}: {changed:?}"
        );
    }
}

#[tokio::test]
async fn where_a_connection_was_cut_nobody_knows() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let at_once = server(async |stream| drop(stream)).await;
    let after_the_request = server(async |mut stream| {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
    })
    .await;
    let amid_the_answer = server(async |mut stream| {
        let mut some = [0; 4096];
        let _ = stream.read(&mut some).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n<Swi")
            .await;
    })
    .await;
    let no_http = server(async |mut stream| {
        let _ = stream.write_all(b"220 this is not HTTP\r\n").await;
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    for address in [at_once, after_the_request, amid_the_answer, no_http] {
        let changed = submit_to(&format!("http://{address}")).await;
        assert!(matches!(changed, Changed::Lost { .. }), "{changed:?}");
    }
}

#[tokio::test]
async fn what_may_not_leave_any_more_does_not() {
    let (sandbox, id) = ready().await;
    let config = config(&sandbox.endpoint_url(), credentials()).await;
    let changes = Changes::new(&config, "eu-west-1");
    let late = changes
        .clone()
        .only_while(|| Err("the last look was 7 s old".to_owned()));
    let changed = late.switchover(&id, SignedDuration::from_secs(300)).await;
    assert!(
        matches!(&changed, Changed::Rejected { fault, .. } if fault.never_left() && fault.message.contains("7 s old")),
        "{changed:?}"
    );
    assert!(sandbox.calls().of(ACTION).is_empty());
    let timely = changes.only_while(|| Ok(()));
    let changed = timely.switchover(&id, SignedDuration::from_secs(300)).await;
    assert!(matches!(changed, Changed::Accepted { .. }), "{changed:?}");
}

#[tokio::test]
async fn what_never_left_did_nothing() {
    let (sandbox, id) = ready().await;
    let config = aws_config::defaults(BehaviorVersion::latest())
        .no_credentials()
        .region(Region::new("eu-west-1"))
        .endpoint_url(sandbox.endpoint_url())
        .load()
        .await;
    let changed = Changes::new(&config, "eu-west-1")
        .switchover(&id, SignedDuration::from_secs(300))
        .await;
    assert!(
        matches!(&changed, Changed::Rejected { fault, request_id: None } if fault.code == "NotSent"),
        "{changed:?}"
    );
    assert!(sandbox.calls().of(ACTION).is_empty());
}
