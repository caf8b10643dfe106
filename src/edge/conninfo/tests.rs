use proptest::prelude::*;

use super::{
    keywords::{HONOURED, IGNORED, REFUSED},
    *,
};

fn parsed(text: &str) -> ConnInfo {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<ConnInfo>()
        .err()
        .unwrap_or_else(|| panic!("{text:?} must be refused"))
        .to_string()
}

fn password(info: &ConnInfo) -> Option<&str> {
    info.password.as_ref().map(Secret::expose)
}

#[test]
fn a_full_url() {
    let info = parsed(
        "postgresql://me:s%40cret@db.example:6543/app?sslmode=verify-ca&sslrootcert=/ca.pem&connect_timeout=7&application_name=x%20y&channel_binding=require",
    );
    assert_eq!(info.host.as_deref(), Some("db.example"));
    assert_eq!(
        (info.port, info.database.as_deref(), info.user.as_deref()),
        (Some(6543), Some("app"), Some("me"))
    );
    assert_eq!(password(&info), Some("s@cret"));
    assert_eq!(info.tls_mode, Some(TlsMode::VerifyCa));
    assert_eq!(info.tls_ca, Some(PathBuf::from("/ca.pem")));
    assert_eq!(info.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(info.application_name.as_deref(), Some("x y"));
    assert_eq!(info.channel_binding, Some(ChannelBinding::Require));
}

#[test]
fn every_part_of_a_url_is_optional() {
    assert_eq!(parsed("postgres://"), ConnInfo::default());
    assert_eq!(
        parsed("postgres://host"),
        ConnInfo {
            host: Some("host".into()),
            ..ConnInfo::default()
        }
    );
    assert_eq!(
        parsed("postgres:///db"),
        ConnInfo {
            database: Some("db".into()),
            ..ConnInfo::default()
        }
    );
    assert_eq!(
        parsed("postgres://u@"),
        ConnInfo {
            user: Some("u".into()),
            ..ConnInfo::default()
        }
    );
    assert_eq!(
        parsed("postgres://:5"),
        ConnInfo {
            port: Some(5),
            ..ConnInfo::default()
        }
    );
    assert_eq!(
        parsed("postgres://host?user=u"),
        ConnInfo {
            host: Some("host".into()),
            user: Some("u".into()),
            ..ConnInfo::default()
        }
    );
    assert_eq!(parsed("postgres://h/?ssl=true").tls_mode, Some(TlsMode::Require));
    assert_eq!(
        password(&parsed("postgres://u:@h/")),
        None,
        "an empty password is none"
    );
}

#[test]
fn ipv6_and_sockets() {
    let info = parsed("postgres://u@[2001:db8::1]:5433/db");
    assert_eq!(
        (info.host.as_deref(), info.port),
        (Some("2001:db8::1"), Some(5433))
    );
    assert_eq!(parsed("postgres://[::1]/").host.as_deref(), Some("::1"));
    assert_eq!(
        parsed("postgres://%2Fvar%2Frun%2Fpg/db").host.as_deref(),
        Some("/var/run/pg")
    );
    assert_eq!(parsed("postgres:///db?host=/tmp").host.as_deref(), Some("/tmp"));
    for text in [
        "postgres://[::1/db",
        "postgres://[]/db",
        "postgres://[::1]x/db",
        "postgres://::1/db",
    ] {
        refusal(text);
    }
}

#[test]
fn hostile_passwords_survive_when_encoded() {
    for (written, meant) in [
        ("a%3Ab%2Fc%40d%3Fe%23f%25g%26h", "a:b/c@d?e#f%g&h"),
        ("it's", "it's"),
        ("a?b", "a?b"),
        ("a+b", "a+b"),
        ("a:b", "a:b"),
        ("p%C3%A4ss%F0%9F%98%80", "päss😀"),
        ("%20%5C%22", " \\\""),
    ] {
        let info = parsed(&format!("postgres://u:{written}@h/d?sslmode=require"));
        assert_eq!(password(&info), Some(meant));
        assert_eq!(
            (info.host.as_deref(), info.database.as_deref()),
            (Some("h"), Some("d"))
        );
        assert_eq!(info.tls_mode, Some(TlsMode::Require));
    }
}

#[test]
fn mistakes_in_urls_never_repeat_the_password() {
    for text in [
        "postgres://u:planted@word@host/db",
        "postgres://u:pl/anted@host/db",
        "postgres://u:123/planted@host/db",
        "postgres://u:planted%zz@host/db",
        "postgres://u:planted%@host/db",
        "postgres://u:planted%00@host/db",
        "postgres://u:planted%FF@host/db",
        "postgres://u@host:planted/db",
        "postgres://u@host/db?password=planted=x",
        "postgres://u@host/db?planted",
        "mysql://u:planted@host/db",
        "host=h password=two planted words",
        "host=h password='planted",
        "host=h port=planted",
        "host=h password=two planted=words",
        "host=h sslmode=require/planted",
        "postgres://u@h/d?sslmode=planted",
        "postgres://u@h/d?planted=x",
        "postgres://u@h/d?hostaddr=planted",
    ] {
        let message = refusal(text);
        assert!(!message.contains("anted"), "{text:?}: {message}");
    }
    assert!(refusal("postgres://u:p@ss@host/db").contains("%40"));
    assert!(refusal("postgres://u:12/x@host/db").contains("%2F"));
}

#[test]
fn key_value_quoting_is_libpqs() {
    let info =
        parsed(r"host=db.example  port = 6543 user=me dbname=a\ b password='it\'s \\ \x' options='-c a=b'");
    assert_eq!(
        (info.host.as_deref(), info.port),
        (Some("db.example"), Some(6543))
    );
    assert_eq!(info.database.as_deref(), Some("a b"));
    assert_eq!(password(&info), Some(r"it's \ x"));
    assert_eq!(info.options.as_deref(), Some("-c a=b"));
    assert_eq!(
        password(&parsed("password=a:b@c/d%20")),
        Some("a:b@c/d%20"),
        "no percent-encoding here"
    );
    assert_eq!(parsed(""), ConnInfo::default());
    assert_eq!(
        parsed("host=a user=b password=c host='' user='' password='' dbname="),
        ConnInfo::default()
    );
    assert!(refusal("host").contains("key=value"));
}

#[test]
fn several_hosts_are_refused_clearly() {
    for text in [
        "postgres://a,b/db",
        "postgres://a:1,b:2/db",
        "host=a,b",
        "host=a port=1,2",
        "hostaddr=1.1.1.1,2.2.2.2",
    ] {
        assert!(refusal(text).contains("several"), "{text}: {}", refusal(text));
    }
}

#[test]
fn settings_that_cannot_be_honoured_are_named() {
    assert_eq!(
        refusal("postgres://h/d?sslcert=x"),
        "connection setting \"sslcert\" cannot be honoured: client certificates are not supported"
    );
    assert_eq!(
        refusal("hots=x"),
        "an unknown connection setting; did you mean \"host\"?"
    );
    assert!(refusal("zzzzzz=x").contains("single quotes"));
    assert!(refusal("sslmode=allow").contains("verify-full"));
    assert!(refusal("target_session_attrs=read-write").contains("leave it out"));
    assert!(refusal("sslrootcert=system").contains("name a file"));
    parsed(
        "keepalives=1 keepalives_idle=30 tcp_user_timeout=5 gssencmode=prefer target_session_attrs=any sslsni=1",
    );
    parsed("sslcert=''");
    refusal("nonsense=''");
}

#[test]
fn every_listed_keyword_is_handled() {
    for key in HONOURED.iter().chain(IGNORED) {
        let error = ConnInfo::default().set(key, "1").err();
        assert!(
            !matches!(error, Some(ConnInfoError::UnknownKey { .. })),
            "{key} is listed and not handled"
        );
    }
    for (key, _) in REFUSED {
        assert!(
            matches!(
                ConnInfo::default().set(key, "1"),
                Err(ConnInfoError::Refused { .. })
            ),
            "{key}"
        );
    }
}

#[test]
fn gaps_are_filled_in_libpqs_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("services");
    std::fs::write(
        &file,
        "[s]\nhost=from.service\nuser=service_user\npassword=service_pw\n",
    )
    .expect("written");
    let env = Env::empty()
        .with("USER", "os_user")
        .with("PGSERVICEFILE", file.display().to_string())
        .with("PGHOST", "from.env")
        .with("PGPORT", "7777")
        .with("PGUSER", "env_user")
        .with("PGPASSWORD", "env_pw");

    let complete = parsed("service=s dbname=d").complete(&env).expect("complete");
    assert_eq!(
        (complete.host.as_str(), complete.port, complete.user.as_str()),
        ("from.service", 7777, "service_user")
    );
    assert_eq!(
        complete.password,
        Some((Secret::new("service_pw"), GivenIn::ServiceFile(file)))
    );
    assert_eq!(complete.tls.mode, TlsMode::VerifyFull);

    let complete = parsed("host=given user=me").complete(&env).expect("complete");
    assert_eq!((complete.host.as_str(), complete.database), ("given", None));
    assert_eq!(
        complete.password,
        Some((Secret::new("env_pw"), GivenIn::Environment))
    );

    let complete = parsed("hostaddr=127.0.0.1")
        .complete(&Env::empty().with("USER", "os_user"))
        .expect("complete");
    assert_eq!(
        (complete.host.as_str(), complete.port, complete.user.as_str()),
        ("127.0.0.1", 5432, "os_user")
    );
    assert_eq!(complete.tls.mode, TlsMode::Prefer);

    assert!(matches!(
        parsed("user=me").complete(&Env::empty()),
        Err(ConnInfoError::NoHost)
    ));
    assert!(matches!(
        parsed("host=h").complete(&Env::empty()),
        Err(ConnInfoError::NoUser)
    ));
    let bad = Env::empty().with("PGPORT", "many");
    let message = parsed("host=h")
        .complete(&bad)
        .expect_err("a bad variable")
        .to_string();
    assert_eq!(
        message,
        "connection setting \"PGPORT\": not a number from 1 to 65535"
    );
}

#[test]
fn the_first_line_of_a_service_and_the_last_word_of_a_string_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("services");
    std::fs::write(
        &file,
        "[s]\nport=1\nhost=a\nhostaddr=10.0.0.1\nport=2\nuser=u\nuser=v\n",
    )
    .expect("written");
    let env = Env::empty().with("PGSERVICEFILE", file.display().to_string());
    let complete = parsed("service=s").complete(&env).expect("complete");
    assert_eq!(
        (complete.host.as_str(), complete.port, complete.user.as_str()),
        ("a", 1, "u")
    );
    assert_eq!(complete.hostaddr, Some([10, 0, 0, 1].into()));
    assert_eq!(parsed("port=1 port=2").port, Some(2));
}

#[test]
fn the_usual_mode_depends_on_where_and_on_what_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, crate::edge::tls::roots::tests::certificate_pem()).expect("written");
    let env = Env::empty().with("USER", "me");
    let mode = |text: &str| parsed(text).complete(&env).map(|complete| complete.tls.mode);
    let with_ca = format!("host=127.0.0.1 sslrootcert={}", ca.display());
    for (text, wanted) in [
        ("postgres://db.example/d", TlsMode::VerifyFull),
        ("postgres://127.0.0.1/d", TlsMode::Prefer),
        ("postgres://localhost/d?sslmode=verify-full", TlsMode::VerifyFull),
        ("host=/tmp", TlsMode::Prefer),
        ("host=10.0.0.1", TlsMode::VerifyFull),
        (with_ca.as_str(), TlsMode::VerifyFull),
    ] {
        assert_eq!(mode(text).expect(text), wanted, "{text}");
    }
    let refused = mode("postgres://db.example/d?sslmode=prefer")
        .expect_err("refused")
        .to_string();
    assert!(
        refused.contains("sslmode") && refused.contains("verify-full"),
        "{refused}"
    );
}

#[test]
fn service_errors_name_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("services");
    std::fs::write(&file, "[s]\nhost=a\nport=planted\n").expect("written");
    let env = Env::empty().with("PGSERVICEFILE", file.display().to_string());
    let message = parsed("service=s")
        .complete(&env)
        .expect_err("a bad line")
        .to_string();
    assert_eq!(
        message,
        format!(
            "{}:3: connection setting \"port\": not a number from 1 to 65535",
            file.display()
        )
    );
}

#[test]
fn debug_redacts() {
    let info = parsed("postgres://u:planted@h/d");
    let complete = info.clone().complete(&Env::empty()).expect("complete");
    let shown = format!("{info:?} {complete:?} {complete:#?}");
    assert!(!shown.contains("planted") && shown.contains("***"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in "(postgres://)?[ -~é\0]{0,60}") {
        let _outcome: Result<ConnInfo, ConnInfoError> = text.parse();
    }

    #[test]
    fn any_password_survives_encoding(word in "[^\0]{1,40}") {
        let encoded: String = word.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let url = parsed(&format!("postgres://u:{encoded}@h/d"));
        prop_assert_eq!(password(&url), Some(word.as_str()));
        let quoted = word.replace('\\', r"\\").replace('\'', r"\'");
        let list = parsed(&format!("host=h password='{quoted}' user=u"));
        prop_assert_eq!(password(&list), Some(word.as_str()));
    }
}
