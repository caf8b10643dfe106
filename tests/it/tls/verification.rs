//! Which servers are believed.

use greenlight::edge::{
    auth::Login,
    connect::{Cause, Transport},
    tls::ChannelBinding,
};

use super::{
    certificates::{Authority, self_signed},
    *,
};

const NAME: &str = "blue.abc123.eu-west-1.rds.amazonaws.com";

#[tokio::test]
async fn a_good_chain_is_believed_under_the_real_name() {
    let root = Authority::new("Root");
    let middle = root.below("Middle");
    let server = server(middle.issue_with_chain(&[NAME, "10.1.2.3"]).server(15)).await;
    role(&server, "me", PLANTED).await;
    let ca = format!(
        "# several\n{}{}{}",
        Authority::new("Other").pem(),
        root.pem(),
        Authority::new("More").pem()
    );

    for host in [NAME, "10.1.2.3", &NAME.to_uppercase(), &format!("{NAME}.")] {
        let session = session(&to(
            &server,
            host,
            trusting(TlsMode::VerifyFull, &ca),
            with_password("me", PLANTED),
        ))
        .await;
        let Transport::Tls {
            mode: TlsMode::VerifyFull,
            certificate: Some(certificate),
        } = &session.transport
        else {
            panic!("{host}: {:?}", session.transport)
        };
        assert_eq!(certificate.names, [NAME, "10.1.2.3"]);
        assert!(certificate.issuer.contains("Middle"));
        assert_eq!(
            value(
                &session,
                "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            )
            .await
            .as_deref(),
            Some("t")
        );
    }
    let error = refusal(&to(
        &server,
        NAME,
        trusting(TlsMode::VerifyFull, &Authority::new("Root").pem()),
        with_password("me", PLANTED),
    ))
    .await;
    assert_eq!(
        error.cause.code(),
        "unknown-ca",
        "the name of an authority is not enough: {error}"
    );
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_right_ones() {
    let root = Authority::new("Root");
    let server = server(root.issue(&[NAME, "*.other.example"]).server(15)).await;
    role(&server, "me", PLANTED).await;
    let auth = with_password("me", PLANTED);

    for host in ["db.internal", "127.0.0.1", "a.b.other.example", "other.example"] {
        let error = refusal(&to(
            &server,
            host,
            trusting(TlsMode::VerifyFull, &root.pem()),
            Arc::clone(&auth),
        ))
        .await;
        let Cause::WrongName { wanted, names } = &*error.cause else {
            panic!("{error}")
        };
        assert_eq!(
            (wanted.as_str(), names.as_slice()),
            (host, [NAME, "*.other.example"].map(ToOwned::to_owned).as_slice())
        );
        assert!(error.to_string().contains("--connect"), "{error}");
    }
    for (host, mode) in [
        ("x.other.example", TlsMode::VerifyFull),
        ("db.internal", TlsMode::VerifyCa),
        ("db.internal", TlsMode::Require),
    ] {
        session(&to(&server, host, trusting(mode, &root.pem()), Arc::clone(&auth))).await;
    }
}

#[tokio::test]
async fn dates_are_looked_at() {
    let root = Authority::new("Root");
    let ca = root.pem();
    for (years, code, said) in [
        ((2019, 2021), "certificate-dates", "ended on 2021-01-01"),
        (
            (2090, 2100),
            "certificate-dates",
            "does not hold before 2090-01-01",
        ),
    ] {
        let server = server(root.issue_between(&[NAME], years).server(15)).await;
        for mode in [TlsMode::VerifyFull, TlsMode::VerifyCa] {
            let error = refusal(&to(
                &server,
                NAME,
                trusting(mode, &ca),
                with_password("me", PLANTED),
            ))
            .await;
            assert_eq!(error.cause.code(), code);
            assert!(
                error.to_string().contains(said) && error.to_string().contains("clock"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_authority_names_the_file_to_get() {
    let root = Authority::new("Some Root");
    let server = server(root.issue(&[NAME, "db.example"]).server(15)).await;
    let auth = with_password("me", PLANTED);
    for (host, said) in [
        (
            "db.example",
            "give the PEM file of this server's own authority with --tls-ca FILE",
        ),
        (
            "x.abc.il-central-1.rds.amazonaws.com",
            "https://truststore.pki.rds.amazonaws.com/il-central-1/il-central-1-bundle.pem",
        ),
        ("x.abc.us-gov-west-1.rds.amazonaws.com", "not for us-gov-west-1"),
        (NAME, "someone else answers for this host"),
    ] {
        let error = refusal(&to(
            &server,
            host,
            bundled(TlsMode::VerifyFull),
            Arc::clone(&auth),
        ))
        .await;
        assert_eq!(error.cause.code(), "unknown-ca");
        let text = error.to_string();
        assert!(
            text.contains(said) && text.contains("Some Root") && text.contains("89 bundled roots"),
            "{text}"
        );
    }
    let other = trusting(TlsMode::VerifyCa, &Authority::new("Other").pem());
    let text = refusal(&to(&server, NAME, other, auth)).await.to_string();
    assert!(
        text.contains("1 root of ca.pem") && text.contains("add its authority to ca.pem"),
        "{text}"
    );
}

#[tokio::test]
async fn a_self_signed_server_is_believed_when_it_is_in_the_file() {
    for authority in [false, true] {
        let pair = self_signed(&["db.example"], authority);
        let server = server(pair.server(15)).await;
        role(&server, "me", PLANTED).await;
        let auth = with_password("me", PLANTED);
        session(&to(
            &server,
            "db.example",
            trusting(TlsMode::VerifyFull, &pair.chain),
            Arc::clone(&auth),
        ))
        .await;
        let error = refusal(&to(
            &server,
            "x.example",
            trusting(TlsMode::VerifyFull, &pair.chain),
            Arc::clone(&auth),
        ))
        .await;
        assert_eq!(error.cause.code(), "wrong-name", "{error}");
        let stranger = self_signed(&["db.example"], authority);
        let error = refusal(&to(
            &server,
            "db.example",
            trusting(TlsMode::VerifyFull, &stranger.chain),
            auth,
        ))
        .await;
        assert_eq!(error.cause.code(), "unknown-ca", "authority {authority}: {error}");
        assert!(error.to_string().contains("issued by itself"), "{error}");
    }
}

#[tokio::test]
async fn logins_are_bound_to_the_channel() {
    // As rds-ca-rsa2048-g1, rds-ca-rsa4096-g1 and rds-ca-ecc384-g1 sign: the signature's hash is the binding's.
    for algorithm in [
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_RSA_SHA384,
        &rcgen::PKCS_ECDSA_P384_SHA384,
    ] {
        let root = Authority::of("Root", algorithm);
        let server = server(root.issue(&[NAME]).server(15)).await;
        role(&server, "me", PLANTED).await;
        let md5 = format!("set password_encryption = 'md5'; create role old login password '{PLANTED}'");
        server.execute("postgres", &md5).await.expect("a role");
        let spec = |mode, channel_binding, user| {
            let tls = TlsSettings {
                channel_binding,
                ..trusting(mode, &root.pem())
            };
            to(&server, NAME, tls, with_password(user, PLANTED))
        };
        for choice in [
            ChannelBinding::Require,
            ChannelBinding::Prefer,
            ChannelBinding::Disable,
        ] {
            session(&spec(TlsMode::VerifyFull, choice, "me")).await;
        }
        session(&spec(TlsMode::VerifyFull, ChannelBinding::Prefer, "old")).await;
        for (mode, user) in [(TlsMode::VerifyFull, "old"), (TlsMode::Disable, "me")] {
            let error = refusal(&spec(mode, ChannelBinding::Require, user)).await;
            assert_eq!(error.cause.code(), "channel-binding", "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_bound_to_is_fine_unless_it_must() {
    let root = Authority::of("Root", &rcgen::PKCS_ED25519);
    let server = server(root.issue(&[NAME]).server(15)).await;
    role(&server, "me", PLANTED).await;
    let spec = |channel_binding| {
        let tls = TlsSettings {
            channel_binding,
            ..trusting(TlsMode::VerifyFull, &root.pem())
        };
        to(&server, NAME, tls, with_password("me", PLANTED))
    };
    session(&spec(ChannelBinding::Prefer)).await;
    assert_eq!(
        refusal(&spec(ChannelBinding::Require)).await.cause.code(),
        "channel-binding"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_taken_only_when_plain_text_is_meant() {
    let server = server(ServerOptions::new(15)).await;
    role(&server, "me", PLANTED).await;
    let auth = with_password("me", PLANTED);
    for mode in [TlsMode::VerifyFull, TlsMode::VerifyCa, TlsMode::Require] {
        let error = refusal(&to(&server, NAME, bundled(mode), Arc::clone(&auth))).await;
        assert_eq!(*error.cause, Cause::NoTls { mode }, "{error}");
    }
    session(&to(&server, NAME, bundled(TlsMode::Disable), Arc::clone(&auth))).await;

    let mut local = to(&server, "localhost", bundled(TlsMode::Prefer), Arc::clone(&auth));
    assert_eq!(session(&local).await.transport, Transport::Plain);
    local.host = NAME.to_owned();
    assert_eq!(*refusal(&local).await.cause, Cause::PreferNotLocal);
}

#[tokio::test]
async fn preferring_takes_tls_where_it_is() {
    let server = server(Authority::new("Root").issue(&[NAME]).server(15)).await;
    role(&server, "me", PLANTED).await;
    let spec = ConnectSpec::new(
        "127.0.0.1",
        server.port(),
        "postgres",
        with_password("me", PLANTED),
        bundled(TlsMode::Prefer),
    );
    let session = session(&spec).await;
    assert!(
        matches!(
            session.transport,
            Transport::Tls {
                mode: TlsMode::Prefer,
                ..
            }
        ),
        "{:?}",
        session.transport
    );
}

#[tokio::test]
async fn a_server_that_wants_tls_says_so() {
    let mut options = Authority::new("Root").issue(&[NAME]).server(15);
    options.hba = vec![
        "hostssl all me 127.0.0.1/32 md5".to_owned(),
        "hostnossl all me 127.0.0.1/32 reject".to_owned(),
        "hostssl all nobody 127.0.0.1/32 reject".to_owned(),
        "hostssl all certs 127.0.0.1/32 cert".to_owned(),
    ];
    let server = server(options).await;
    role(&server, "me", PLANTED).await;
    role(&server, "nobody", PLANTED).await;
    role(&server, "certs", PLANTED).await;
    let error = refusal(&to(
        &server,
        NAME,
        bundled(TlsMode::Disable),
        with_password("me", PLANTED),
    ))
    .await;
    assert_eq!(error.cause.code(), "wants-tls", "{error}");
    let error = refusal(&to(
        &server,
        NAME,
        bundled(TlsMode::Require),
        with_password("nobody", PLANTED),
    ))
    .await;
    assert_eq!(error.cause.code(), "not-allowed-from-here", "{error}");
    let error = refusal(&to(
        &server,
        NAME,
        bundled(TlsMode::Require),
        with_password("certs", PLANTED),
    ))
    .await;
    assert!(error.to_string().contains("certificate"), "{error}");
}

async fn aws() -> aws_config::SdkConfig {
    let credentials = aws_sdk_rds::config::Credentials::new("AKIDEXAMPLE", PLANTED, None, None, "test");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(aws_config::Region::new("eu-west-1"))
        .load()
        .await
}

#[tokio::test]
async fn a_token_goes_to_a_server_that_is_known_only() {
    let auth = Authenticator::new(Method::Iam, Env::empty())
        .with_user("me")
        .with_aws(aws().await, None);
    let auth = Arc::new(auth);
    let root = Authority::new("Root");
    let server = server(root.issue(&[NAME]).server(15)).await;
    for mode in [TlsMode::Require, TlsMode::Disable] {
        let error = refusal(&to(&server, NAME, bundled(mode), Arc::clone(&auth))).await;
        assert_eq!(*error.cause, Cause::IamNeedsVerification { mode }, "{error}");
    }
    let error = refusal(&to(
        &server,
        NAME,
        trusting(TlsMode::VerifyFull, &root.pem()),
        auth,
    ))
    .await;
    assert_eq!(error.cause.code(), "iam-refused", "{error}");
    assert!(
        error.to_string().contains("rds-db:connect") && !error.to_string().contains("X-Amz"),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_arrives_whole() {
    let auth = Arc::new(
        Authenticator::new(Method::Iam, Env::empty())
            .with_user("me")
            .with_aws(aws().await, None),
    );
    let root = Authority::new("Root");
    // RDS asks for a token as it is; so does this server for a password, over TLS only.
    let mut options = root.issue(&[NAME]).server(15);
    options.hba = vec!["hostssl all me 127.0.0.1/32 password".to_owned()];
    let server = server(options).await;
    role(&server, "me", "nothing yet").await;
    let spec = to(
        &server,
        NAME,
        trusting(TlsMode::VerifyFull, &root.pem()),
        Arc::clone(&auth),
    );
    let login = Login {
        host: NAME,
        port: 5432,
        tunnel: None,
        database: "postgres",
    };
    // Tokens of the same second are the same, so the server is told this second's; it may have passed by then.
    for _ in 0..20 {
        let token = auth
            .credentials(login)
            .await
            .expect("signed")
            .password
            .expect("a token");
        let sql = format!("alter role me password {}", literal(token.expose()));
        server.execute("postgres", &sql).await.expect("altered");
        if let Ok(session) = connect(&spec).await {
            let shown = format!("{session:?} {}", session.credentials_from);
            assert!(
                shown.contains("an IAM token for") && !shown.contains("X-Amz"),
                "{shown}"
            );
            return;
        }
    }
    panic!("no token was taken");
}

/// Every word of libpq's `sslmode` against every kind of server: who is let in, and with which words who is not.
#[tokio::test]
async fn every_word_of_sslmode_with_every_kind_of_server() {
    let root = Authority::new("Root");
    let (ca, other) = (root.pem(), Authority::new("Other"));
    let with = |pair: super::certificates::Pair| server(pair.server(15));
    let address = "127.0.0.1";
    let (plain, good, by_address, wrong_name, expired, early, unknown) = tokio::join!(
        server(ServerOptions::new(15)),
        with(root.issue(&[NAME])),
        with(root.issue(&[address])),
        with(root.issue(&["else.example"])),
        with(root.issue_between(&[NAME], (2019, 2021))),
        with(root.issue_between(&[NAME], (2090, 2100))),
        with(other.issue(&[NAME])),
    );
    let all = [
        &plain,
        &good,
        &by_address,
        &wrong_name,
        &expired,
        &early,
        &unknown,
    ];
    for server in all {
        role(server, "me", PLANTED).await;
    }
    let auth = with_password("me", PLANTED);
    // For each server: what `verify-full`, `verify-ca`, `require` with our root, `require` with Amazon's, and `disable` come to.
    let none = "no-tls";
    let dates = "certificate-dates";
    for (kind, server, host, wanted) in [
        ("without TLS", &plain, NAME, [none, none, none, none, ""]),
        ("good", &good, NAME, ["", "", "", "", ""]),
        ("for its address", &by_address, address, ["", "", "", "", ""]),
        (
            "for another name",
            &wrong_name,
            NAME,
            ["wrong-name", "", "", "", ""],
        ),
        ("expired", &expired, NAME, [dates, dates, dates, "", ""]),
        ("not yet valid", &early, NAME, [dates, dates, dates, "", ""]),
        (
            "of another authority",
            &unknown,
            NAME,
            ["unknown-ca", "unknown-ca", "unknown-ca", "", ""],
        ),
    ] {
        let settings = [
            trusting(TlsMode::VerifyFull, &ca),
            trusting(TlsMode::VerifyCa, &ca),
            trusting(TlsMode::Require, &ca),
            bundled(TlsMode::Require),
            bundled(TlsMode::Disable),
        ];
        for (tls, wanted) in settings.into_iter().zip(wanted) {
            let mode = tls.mode;
            let spec = to(server, host, tls, Arc::clone(&auth));
            match connect(&spec).await {
                Ok(_) => assert_eq!("", wanted, "a server {kind} with {mode}"),
                Err(error) => assert_eq!(error.cause.code(), wanted, "a server {kind} with {mode}: {error}"),
            }
        }
        // `prefer` is for this machine alone, whatever is there.
        let refused = connect(&to(server, NAME, bundled(TlsMode::Prefer), Arc::clone(&auth))).await;
        assert_eq!(
            *refused.expect_err("it is elsewhere").cause,
            Cause::PreferNotLocal
        );
    }
    assert!("allow".parse::<TlsMode>().is_err());
}
