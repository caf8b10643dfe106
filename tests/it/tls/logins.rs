//! Passwords of every kind from every place, and what the server says when it does not let someone in.

use std::{fs, os::unix::fs::PermissionsExt};

use greenlight::edge::sampler::Sampler;
use greenlight::edge::{
    auth::Origin,
    connect::{Cause, Transport},
};
use sandbox::proxy::Proxy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
};

use super::*;

fn plain(server: &Server, database: &str, auth: Arc<Authenticator>) -> ConnectSpec {
    ConnectSpec::new(
        "127.0.0.1",
        server.port(),
        database,
        auth,
        bundled(TlsMode::Disable),
    )
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn hostile_passwords_arrive_from_every_place() {
    let server = server(ServerOptions::new(15)).await;
    let passwords = [
        "it's \"quoted\"",
        "  blanks  ",
        "100%",
        "a:b\\c:\\d",
        "päss wörd 😀",
        "$HOME `id` \\n #x ?y&z=1 @h/d",
        &"token/%2F+&=".repeat(120),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (number, password) in passwords.into_iter().enumerate() {
        let user = format!("u:{number}\\ @'\"");
        role(&server, &user, password).await;
        let port = server.port();

        let url = format!(
            "postgres://{}:{}@127.0.0.1:{port}/postgres",
            percent(&user),
            percent(password)
        );
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
        let list = format!(
            "host=127.0.0.1 port={port} dbname=postgres user='{}'",
            quoted(&user)
        );
        let with = format!("{list} password='{}'", quoted(password));
        let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
        let passfile = folder.path().join("pass");
        fs::write(
            &passfile,
            format!(
                "127.0.0.1:{port}:postgres:{}:{}\n",
                escaped(&user),
                escaped(password)
            ),
        )
        .expect("written");
        fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).expect("chmod");
        let printed = folder.path().join("printed");
        fs::write(&printed, format!("{password}\n")).expect("written");
        let service = folder.path().join("service");
        fs::write(&service, format!("[s]\npassword={password}\n")).expect("written");
        let env = Env::empty().with("PATH", "/usr/bin:/bin");
        let command = Method::Command(vec!["cat".to_owned(), printed.display().to_string()]);

        let mut ways = vec![
            (url, Method::Password, env.clone(), "the connection string"),
            (with, Method::Password, env.clone(), "the connection string"),
            (
                list.clone(),
                Method::Password,
                env.clone().with("PGPASSWORD", password),
                "PGPASSWORD",
            ),
            (
                list.clone(),
                Method::Password,
                env.clone().with("PGPASSFILE", passfile.display().to_string()),
                "pass:1",
            ),
            (list.clone(), command, env.clone(), "the command \"cat\""),
        ];
        // A service file's values end at the last character that is not a blank, in libpq too.
        if password.trim() == password {
            let env = env.with("PGSERVICEFILE", service.display().to_string());
            ways.push((
                format!("{list} service=s"),
                Method::Password,
                env,
                "the service file",
            ));
        }
        for (text, method, env, from) in ways {
            let spec = ConnectSpec::from_conninfo(&text, method, &env, None).expect("a connection string");
            let session = session(&spec).await;
            assert_eq!(session.user, user);
            assert!(
                session.credentials_from.to_string().contains(from),
                "{from}: {}",
                session.credentials_from
            );
            let shown = format!("{session:?} {spec:?} {}", session.credentials_from);
            assert!(!shown.contains(password), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refused_password_says_where_it_was_from() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", "right").await;
    let error = refusal(&plain(&server, "postgres", with_password("me", PLANTED))).await;
    let from = Origin::Given(GivenIn::ConnectionString);
    assert_eq!(
        *error.cause,
        Cause::WrongPassword {
            user: "me".to_owned(),
            origin: from
        }
    );
    assert!(
        error
            .to_string()
            .contains("the password from the connection string for user \"me\""),
        "{error}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let passfile = folder.path().join("pass");
    fs::write(&passfile, format!("*:*:*:*:{PLANTED}\n")).expect("written");
    let env = Env::empty().with("PGPASSFILE", passfile.display().to_string());
    let auth = Arc::new(Authenticator::new(Method::Password, env).with_user("me"));
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o644)).expect("chmod");
    let error = refusal(&plain(&server, "postgres", Arc::clone(&auth))).await;
    assert_eq!(*error.cause, Cause::NoPassword);
    assert!(
        error.to_string().contains("PGPASSWORD") && error.to_string().contains("chmod 0600"),
        "{error}"
    );
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).expect("chmod");
    let error = refusal(&plain(&server, "postgres", auth)).await;
    assert!(
        error
            .to_string()
            .contains(&format!("the password from {}:1 for", passfile.display())),
        "{error}"
    );
}

#[tokio::test]
async fn refusals_of_the_server_are_told_apart() {
    let server = server(
        ServerOptions::new(15)
            .setting("max_connections", "6")
            .setting("superuser_reserved_connections", "2"),
    )
    .await;
    role(&server, "me", PLANTED).await;
    let setup = [
        "create role group_only password 'pLaNtEd-7f3a'",
        "create database closed",
        "alter database closed with allow_connections false",
        "create database private",
        "revoke connect on database private from public",
        "create role one login password 'pLaNtEd-7f3a' connection limit 1",
    ];
    for sql in setup {
        server.execute("postgres", sql).await.expect(sql);
    }
    for (user, database, code, fix) in [
        ("nobody", "postgres", "wrong-password", "check the user"),
        ("group_only", "postgres", "no-role", "LOGIN"),
        ("me", "no such", "no-database", "the database's name"),
        ("me", "closed", "database-closed", "leave this database out"),
        ("me", "private", "no-connect-privilege", "GRANT CONNECT"),
    ] {
        let error = refusal(&plain(&server, database, with_password(user, PLANTED))).await;
        assert_eq!(error.cause.code(), code, "{error}");
        assert!(
            error.to_string().contains(fix) && !error.cause.is_transient(),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains(&format!("database \"{database}\", as \"{user}\"")),
            "{error}"
        );
    }
    let one = plain(&server, "postgres", with_password("one", PLANTED));
    let first = session(&one).await;
    let error = refusal(&one).await;
    assert_eq!(error.cause.code(), "too-many-connections", "{error}");
    assert!(
        error.to_string().contains("CONNECTION LIMIT") && error.cause.is_transient(),
        "{error}"
    );
    drop(first);

    let spec = plain(&server, "postgres", with_password("me", PLANTED));
    let mut held = Vec::new();
    let error = loop {
        match connect(&spec).await {
            Ok(session) => held.push(session),
            Err(error) => break error,
        }
        assert!(held.len() < 10, "six connections at most");
    };
    assert_eq!(error.cause.code(), "too-many-connections", "{error}");
    drop(held);

    server
        .stop(sandbox::pg::StopMode::Immediate)
        .await
        .expect("stopped");
    let error = refusal(&spec).await;
    assert_eq!(error.cause.code(), "refused", "{error}");
    assert!(
        error.to_string().contains("is running") && error.cause.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn sockets_work_without_tls() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", PLANTED).await;
    let folder = tempfile::tempdir().expect("a folder");
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5999")).expect("a socket");
    let address = server.address();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(address).await.expect("the server is there");
            let _done = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    });
    let url = format!(
        "postgres://me:{PLANTED}@{}:5999/postgres",
        percent(&folder.path().display().to_string())
    );
    let spec = ConnectSpec::from_conninfo(&url, Method::Password, &Env::empty(), None).expect("a URL");
    assert_eq!(session(&spec).await.transport, Transport::Socket);

    let mut missing = spec.clone();
    missing.port = 1;
    let error = refusal(&missing).await;
    assert!(
        error.to_string().contains(".s.PGSQL.1") && error.cause.code() == "refused",
        "{error}"
    );
}

/// A Secrets Manager whose answers are taken in turn; the last one is repeated.
async fn secrets_manager(passwords: Vec<&'static str>) -> aws_config::SdkConfig {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let mut passwords = passwords.into_iter();
        let mut password = "";
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&request).contains("SecretId") {
                match socket.read(&mut buffer).await {
                    Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            password = passwords.next().unwrap_or(password);
            let body = format!(r#"{{"SecretString":"{{\"username\":\"me\",\"password\":\"{password}\"}}"}}"#);
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            let _sent = socket.write_all(answer.as_bytes()).await;
        }
    });
    let credentials = aws_sdk_rds::config::Credentials::new("AKIDEXAMPLE", PLANTED, None, None, "test");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(aws_config::Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .load()
        .await
}

#[tokio::test]
async fn a_rotation_between_reading_and_logging_in_is_survived() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", "new").await;
    let aws = secrets_manager(vec!["old", "new", "newer"]).await;
    let auth = Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(aws, None);
    let spec = plain(&server, "postgres", Arc::new(auth));
    let proxy = Proxy::start(server.address()).await.expect("a proxy");
    let spec = spec.through("127.0.0.1", proxy.addr().port());
    let first = session(&spec).await;
    assert_eq!(first.user, "me");
    assert_eq!(proxy.counters().accepted, 2, "one attempt with each password");
    session(&spec).await;
    assert_eq!(proxy.counters().accepted, 3, "the new password is kept");
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", "right").await;
    let aws = secrets_manager(vec![PLANTED, PLANTED, PLANTED]).await;
    let auth = Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(aws, None);
    let proxy = Proxy::start(server.address()).await.expect("a proxy");
    let spec = plain(&server, "postgres", Arc::new(auth)).through("127.0.0.1", proxy.addr().port());
    let error = refusal(&spec).await;
    assert!(
        error.to_string().contains("secret db") && error.to_string().contains("had not changed"),
        "{error}"
    );
    assert_eq!(
        proxy.counters().accepted,
        1,
        "the same password twice would lock accounts"
    );
}

/// The password is changed and every session ended while a switchover settles: the next look is with the new one.
#[tokio::test]
async fn a_rotation_while_it_settles_is_survived() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", "old-password").await;
    let aws = secrets_manager(vec!["old-password", "new-password"]).await;
    let auth = Authenticator::new(Method::Secret("db".to_owned()), Env::empty()).with_aws(aws, None);
    let spec = plain(&server, "postgres", Arc::new(auth));
    let sampler = Sampler::new(&spec, None, |_| false, true);
    sampler.warm().await;
    let seen = async || sampler.look().await.blue.known().is_some();
    assert!(seen().await);
    for sql in [
        "alter role me password 'new-password'",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'me'",
    ] {
        server.execute("postgres", sql).await.expect(sql);
    }
    // The look that finds its session ended may say so; the one after it is in again.
    assert!(seen().await || seen().await);
}
