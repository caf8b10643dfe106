use std::{
    collections::VecDeque,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    sync::Arc,
};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::future;
use aws_sdk_secretsmanager::config::Credentials as AwsCredentials;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex as AsyncMutex,
};

use super::*;
use crate::model::hex;

const LOGIN: Login<'static> = Login {
    host: "db.abc123.eu-west-1.rds.amazonaws.com",
    port: 5432,
    tunnel: None,
    database: "app",
};

async fn aws(endpoint: Option<String>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(AwsCredentials::new(
            "AKIDEXAMPLE",
            "planted-secret-key",
            None,
            None,
            "test",
        ))
        .region(Region::new("us-east-2"));
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

/// A Secrets Manager with one answer after another, and how often it was asked.
async fn secrets_manager(answers: &[(u16, &str)]) -> (SdkConfig, Arc<AsyncMutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let mut answers: VecDeque<(u16, String)> = answers
        .iter()
        .map(|(status, body)| (*status, (*body).to_owned()))
        .collect();
    let asked = Arc::new(AsyncMutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&request).contains("SecretId") {
                match socket.read(&mut buffer).await {
                    Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            log.lock()
                .await
                .push(String::from_utf8_lossy(&request).into_owned());
            let (status, body) = answers.pop_front().unwrap_or((500, "{}".to_owned()));
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _sent = socket.write_all(answer.as_bytes()).await;
        }
    });
    (aws(Some(endpoint)).await, asked)
}

fn stored(user: &str, password: &str) -> String {
    let secret = serde_json::json!({ "username": user, "password": password }).to_string();
    serde_json::json!({ "Name": "db", "SecretString": secret }).to_string()
}

fn password(credentials: &Credentials) -> Option<&str> {
    credentials.password.as_ref().map(Secret::expose)
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

/// Signature Version 4 as AWS describes it, worked out by hand over a finished token.
fn signature(token: &str, region: &str) -> String {
    let (host, query) = token.split_once("/?").expect("a token is host:port/?query");
    let mut parameters: Vec<&str> = query
        .split('&')
        .filter(|parameter| !parameter.starts_with("X-Amz-Signature="))
        .collect();
    parameters.sort_unstable();
    let at = parameters
        .iter()
        .find_map(|parameter| parameter.strip_prefix("X-Amz-Date="))
        .expect("dated");
    let scope = format!("{}/{region}/rds-db/aws4_request", &at[..8]);
    let request = format!(
        "GET\n/\n{}\nhost:{host}\n\nhost\n{}",
        parameters.join("&"),
        hex(&Sha256::digest(""))
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{at}\n{scope}\n{}",
        hex(&Sha256::digest(request))
    );
    let day = hmac(b"AWS4planted-secret-key", &at[..8]);
    let key = hmac(&hmac(&hmac(&day, region), "rds-db"), "aws4_request");
    hex(&hmac(&key, &to_sign))
}

#[test]
fn methods_are_read_and_shown_without_arguments() {
    assert_eq!(
        "secret:arn:aws:x".parse(),
        Ok(Method::Secret("arn:aws:x".to_owned()))
    );
    let command: Method = "command:vault read --token=planted".parse().expect("a command");
    assert_eq!(command.to_string(), "command:vault …");
    for text in ["", "Password", "secret:", "command:", "iam:x", "token"] {
        assert!(text.parse::<Method>().is_err(), "{text:?}");
    }
    let message = "password:planted".parse::<Method>().expect_err("refused");
    assert!(
        message.contains("PGPASSWORD") && !message.contains("planted"),
        "{message}"
    );
}

#[tokio::test]
async fn passwords_come_in_libpqs_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(".pgpass");
    fs::write(
        &file,
        "127.0.0.1:7000:*:me:tunnel\n*.x:*:*:*:no\ndb.abc123.eu-west-1.rds.amazonaws.com:*:app:me:file\n",
    )
    .expect("written");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("chmod");
    let home = Env::empty()
        .with("HOME", folder.path().display().to_string())
        .with("PGUSER", "me");

    let auth = Authenticator::new(Method::Password, home.clone());
    let found = auth.credentials(LOGIN).await.expect("found");
    assert_eq!((found.user.as_str(), password(&found)), ("me", Some("file")));
    assert_eq!(
        found.origin,
        Origin::PassFile {
            file: file.clone(),
            line: 3
        }
    );

    let tunnelled = Login {
        host: "other",
        tunnel: Some(("127.0.0.1", 7000)),
        ..LOGIN
    };
    assert_eq!(
        password(&auth.credentials(tunnelled).await.expect("found")),
        Some("tunnel")
    );
    let nothing = auth
        .credentials(Login {
            host: "other",
            ..LOGIN
        })
        .await
        .expect("no password is no error");
    assert_eq!((password(&nothing), &nothing.origin), (None, &Origin::Nothing));

    let env = Authenticator::new(Method::Password, home.clone().with("PGPASSWORD", "env"));
    assert_eq!(
        password(&env.credentials(LOGIN).await.expect("found")),
        Some("env")
    );
    let given = env
        .with_password(Secret::new("url"), GivenIn::ConnectionString)
        .with_user("you");
    let found = given.credentials(LOGIN).await.expect("found");
    assert_eq!((found.user.as_str(), password(&found)), ("you", Some("url")));
    assert_eq!(
        given.renewed(LOGIN, &found).await,
        Ok(None),
        "asking again is no use"
    );

    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("chmod");
    let refused = auth.credentials(LOGIN).await.expect("a warning is no error");
    assert_eq!(password(&refused), None);
    assert!(
        refused.warnings[0].contains("chmod 0600"),
        "{:?}",
        refused.warnings
    );
    assert_eq!(
        Authenticator::new(Method::Password, Env::empty())
            .credentials(LOGIN)
            .await,
        Err(AuthError::NoUser)
    );
}

#[tokio::test]
async fn tokens_are_signed_for_the_real_endpoint_and_its_region() {
    for user in ["app", "o'connor", "a b&c=d+e%f/g@h", "größe😀", "~._-"] {
        let auth = Authenticator::new(Method::Iam, Env::empty())
            .with_user(user)
            .with_aws(aws(None).await, None);
        let login = Login {
            tunnel: Some(("127.0.0.1", 7000)),
            ..LOGIN
        };
        let found = auth.credentials(login).await.expect("signed");
        let token = password(&found).expect("a token").to_owned();
        assert!(
            token.starts_with("db.abc123.eu-west-1.rds.amazonaws.com:5432/?"),
            "{token}"
        );
        assert!(
            token.contains("X-Amz-Expires=900") && token.contains("%2Feu-west-1%2Frds-db%2F"),
            "{token}"
        );
        assert!(!token.contains("planted"), "the key itself is not in it");
        assert!(
            token.ends_with(&format!("X-Amz-Signature={}", signature(&token, "eu-west-1"))),
            "{user}: {token}"
        );
        let shown = format!("{found:?} {} {auth:?}", found.origin);
        assert!(!shown.contains("X-Amz"), "{shown}");
    }
}

#[tokio::test]
async fn the_region_is_the_known_one_then_the_hosts_then_the_configurations() {
    let region = async |known: Option<&str>, host| {
        let auth = Authenticator::new(Method::Iam, Env::empty())
            .with_user("u")
            .with_aws(aws(None).await, known.map(ToOwned::to_owned));
        match auth
            .credentials(Login { host, ..LOGIN })
            .await
            .expect("signed")
            .origin
        {
            Origin::Iam { region, .. } => region,
            other => panic!("{other}"),
        }
    };
    assert_eq!(region(Some("ap-south-1"), LOGIN.host).await, "ap-south-1");
    assert_eq!(region(None, LOGIN.host).await, "eu-west-1");
    assert_eq!(region(None, "10.0.0.1").await, "us-east-2");
}

#[tokio::test]
async fn tokens_need_a_region_a_host_and_aws() {
    let signed = async |aws: Option<SdkConfig>, host| {
        let mut auth = Authenticator::new(Method::Iam, Env::empty()).with_user("u");
        if let Some(aws) = aws {
            auth = auth.with_aws(aws, None);
        }
        auth.credentials(Login { host, ..LOGIN }).await
    };
    assert_eq!(
        signed(None, LOGIN.host).await,
        Err(AuthError::NoAws { method: "iam" })
    );
    let nowhere = aws(None).await.into_builder().region(None).build();
    assert!(matches!(
        signed(Some(nowhere), "db.example").await,
        Err(AuthError::Iam(IamError::NoRegion { .. }))
    ));
    for host in ["a b", "a/b", "[::1]", "", "a?b", "a@b", "/tmp"] {
        let refused = signed(Some(aws(None).await), host).await;
        assert!(
            matches!(refused, Err(AuthError::Iam(IamError::Host { .. }))),
            "{host}: {refused:?}"
        );
    }
    let mut nobody = aws(None).await.into_builder();
    nobody.set_credentials_provider(None);
    let nobody = nobody.build();
    assert!(matches!(
        signed(Some(nobody), LOGIN.host).await,
        Err(AuthError::Iam(IamError::Credentials { .. }))
    ));
}

#[tokio::test]
async fn a_rotated_secret_is_read_again_once() {
    let old = stored("app", "planted-old");
    let new = stored("app_clone", "planted-new");
    let (aws, asked) = secrets_manager(&[(200, &old), (200, &old), (200, &new)]).await;
    let id = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:db-AbCdEf";
    let auth = Authenticator::new(Method::Secret(id.to_owned()), Env::empty()).with_aws(aws, None);

    let first = auth.credentials(LOGIN).await.expect("read");
    assert_eq!(
        (first.user.as_str(), password(&first)),
        ("app", Some("planted-old"))
    );
    assert_eq!(auth.credentials(LOGIN).await.expect("kept"), first);
    assert_eq!(
        asked.lock().await.len(),
        1,
        "the second connection does not ask again"
    );
    assert!(
        asked.lock().await[0].contains("/ap-south-1/secretsmanager/"),
        "signed for the ARN's region"
    );

    assert_eq!(
        auth.renewed(LOGIN, &first).await,
        Ok(None),
        "the same password is not tried twice"
    );
    let fresh = auth
        .renewed(LOGIN, &first)
        .await
        .expect("read")
        .expect("another password");
    assert_eq!(
        (fresh.user.as_str(), password(&fresh)),
        ("app_clone", Some("planted-new"))
    );
    assert_eq!(asked.lock().await.len(), 3);
    let fresh_again = auth
        .renewed(LOGIN, &first)
        .await
        .expect("kept")
        .expect("another password");
    assert_eq!(
        (fresh_again, asked.lock().await.len()),
        (fresh, 3),
        "a second refused connection reads no more"
    );
}

/// A settle or a switchover may outlast a secret's rotation, and the fifteen minutes of what a program prints.
#[tokio::test]
async fn what_is_kept_is_asked_for_again_when_its_time_is_over() {
    let (aws, asked) = secrets_manager(&[
        (200, &stored("app", "planted-old")),
        (200, &stored("app", "planted-new")),
    ])
    .await;
    let mut auth = Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(aws, None);
    auth.reuse = Duration::from_millis(50);
    let first = auth.credentials(LOGIN).await.expect("read");
    tokio::time::sleep(Duration::from_millis(60)).await;
    let later = auth.credentials(LOGIN).await.expect("read again");
    assert_eq!(
        (password(&first), password(&later)),
        (Some("planted-old"), Some("planted-new"))
    );
    assert_eq!(asked.lock().await.len(), 2);
    assert!(
        REUSE < Duration::from_secs(15 * 60),
        "such a program may print an IAM token"
    );
}

/// Temporary credentials of AWS end while a switchover goes on: each token is signed with those that hold now.
#[tokio::test]
async fn each_token_is_signed_anew_with_the_credentials_that_hold_now() {
    #[derive(Debug, Default)]
    struct Role(std::sync::atomic::AtomicU32);
    impl aws_sdk_secretsmanager::config::ProvideCredentials for Role {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let n = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let session = Some(format!("session-{n}"));
            let credentials =
                AwsCredentials::new(format!("AKIDTURN{n}"), "planted-key", session, None, "test");
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }
    let aws = aws(None)
        .await
        .into_builder()
        .credentials_provider(aws_sdk_secretsmanager::config::SharedCredentialsProvider::new(
            Role::default(),
        ))
        .build();
    let auth = Authenticator::new(Method::Iam, Env::empty())
        .with_user("me")
        .with_aws(aws, None);
    for turn in ["AKIDTURN0", "AKIDTURN1"] {
        let token = auth.credentials(LOGIN).await.expect("signed");
        assert!(
            password(&token).is_some_and(|token| token.contains(turn)),
            "{turn}"
        );
    }
}

#[tokio::test]
async fn trouble_with_a_secret_names_cause_and_fix() {
    let denied = r#"{"__type":"AccessDeniedException","Message":"User: u is not authorized"}"#;
    let missing = r#"{"__type":"ResourceNotFoundException","Message":"can't find it"}"#;
    for (answer, cause, fix) in [
        (
            (400, denied),
            "AccessDeniedException: User: u is not authorized",
            "allow secretsmanager:GetSecretValue",
        ),
        (
            (400, missing),
            "ResourceNotFoundException",
            "the account and the region",
        ),
        (
            (200, r#"{"SecretString":"planted"}"#),
            "it is not JSON",
            "\"username\"",
        ),
        (
            (200, r#"{"SecretBinary":"cGxhbnRlZA=="}"#),
            "it is binary",
            "JSON",
        ),
    ] {
        let (aws, _) = secrets_manager(&[answer]).await;
        let auth = Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(aws, None);
        let message = auth.credentials(LOGIN).await.expect_err("trouble").to_string();
        assert!(message.starts_with("cannot use secret db: "), "{message}");
        assert!(
            message.contains(cause) && message.contains(fix) && !message.contains("planted"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_secret_of_another_user_is_refused() {
    let (aws, _) = secrets_manager(&[(200, &stored("theirs", "planted"))]).await;
    let auth = Authenticator::new(
        Method::Secret("db".to_owned()),
        Env::empty().with("PGUSER", "ignored"),
    )
    .with_user("ours")
    .with_aws(aws, None);
    let message = auth.credentials(LOGIN).await.expect_err("refused").to_string();
    assert!(message.contains("\"theirs\"") && message.contains("\"ours\"") && !message.contains("planted"));
}

#[tokio::test]
async fn a_command_runs_once_for_each_endpoint_and_again_when_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = folder.path().join("count");
    let script = format!("echo x >> {0}; echo pw-$PGHOST-$(wc -l < {0})", count.display());
    let auth = Authenticator::new(
        Method::Command(["/bin/sh", "-c", &script].map(ToOwned::to_owned).to_vec()),
        Env::empty().with("PATH", "/usr/bin:/bin"),
    )
    .with_user("me");
    let login = Login { host: "a", ..LOGIN };
    let first = auth.credentials(login).await.expect("printed");
    assert_eq!(password(&first), Some("pw-a-1"));
    assert_eq!(auth.credentials(login).await.expect("kept"), first);
    assert_eq!(
        password(
            &auth
                .credentials(Login { host: "b", ..LOGIN })
                .await
                .expect("printed")
        ),
        Some("pw-b-2")
    );
    let again = auth
        .renewed(login, &first)
        .await
        .expect("printed")
        .expect("another one");
    assert_eq!(password(&again), Some("pw-a-3"));
    assert_eq!(
        first.origin.to_string(),
        "the command \"/bin/sh\"",
        "arguments may be secret"
    );
}

#[tokio::test]
#[expect(
    deprecated,
    reason = "the type's new home is a crate that is not ours to depend on for one test"
)]
async fn a_profile_without_a_login_says_how_to_log_in() {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

    let profile = "[sso-session s]\nsso_start_url=https://x.example/start\nsso_region=eu-west-1\n\
                   [profile p]\nsso_session=s\nsso_account_id=123456789012\nsso_role_name=r\n";
    let files = ProfileFiles::builder()
        .with_contents(ProfileFileKind::Config, profile)
        .build();
    let aws = aws_config::defaults(BehaviorVersion::latest())
        .profile_files(files)
        .profile_name("p")
        .region(Region::new("eu-west-1"))
        .load()
        .await;
    for method in [Method::Iam, Method::Secret("db".to_owned())] {
        let auth = Authenticator::new(method, Env::empty())
            .with_user("u")
            .with_aws(aws.clone(), None);
        let message = auth
            .credentials(LOGIN)
            .await
            .expect_err("not logged in")
            .to_string();
        assert!(
            message.contains("aws sso login") && !message.contains("CredentialsError"),
            "{message}"
        );
    }
}

/// A log that can be read afterwards.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_fullest_log_has_no_secret_in_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(format!(
            "trace,{LOG_CEILINGS}"
        )))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let (manager, _) = secrets_manager(&[(200, &stored("u", "planted-password"))]).await;
    let auth = Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(manager, None);
    auth.credentials(LOGIN).await.expect("read");
    let temporary = AwsCredentials::new(
        "AKIDEXAMPLE",
        "planted-key",
        Some("planted-session".to_owned()),
        None,
        "test",
    );
    let aws = aws(None).await.into_builder().credentials_provider(
        aws_sdk_secretsmanager::config::SharedCredentialsProvider::new(temporary),
    );
    let auth = Authenticator::new(Method::Iam, Env::empty())
        .with_user("u")
        .with_aws(aws.build(), None);
    let token = auth.credentials(LOGIN).await.expect("signed");
    drop(guard);

    let text = String::from_utf8_lossy(&log.0.lock().expect("not poisoned")).into_owned();
    assert!(text.contains("aws_"), "the SDK does log: {text}");
    let token = password(&token).expect("a token");
    let (_, signature) = token.split_once("X-Amz-Signature=").expect("signed");
    for secret in ["planted", signature] {
        assert!(
            !text.contains(secret),
            "{}",
            text.lines()
                .find(|line| line.contains(secret))
                .unwrap_or_default()
        );
    }
}
