//! Secrets planted in every way in and behind every fault: none comes out anywhere.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use sandbox::pg::{Server, ServerOptions, block_on, literal};

use crate::{support::ASKING_AWS, switchover::stage, tls::certificates::Authority};

/// Each is found nowhere else, so that finding it in any text means that it leaked.
const ENVIRONMENT: &str = "pLaNt-env-0a1b2c";
const PASSFILE: &str = "pLaNt-passfile-3d4e5f";
const SERVICE: &str = "pLaNt-service-6a7b8c";
const URL: &str = "pLaNt-url-9d0e1f";
const MANAGED: &str = "pLaNt-managed-2a3b4c";
const COMMAND: &str = "pLaNt-command-5d6e7f";
const KEY: &str = "pLaNt/awskey/8a9b0c";
const SESSION: &str = "pLaNt-session-token-1d2e3f";
const PROXY: &str = "pLaNt-proxy-4a5b6c";
const SUBSCRIPTION: &str = "pLaNt-subscription-7d8e9f";
const MAPPING: &str = "pLaNt-mapping-0a1b3c";
const BODY: &str = "pLaNt-body-2d3e4f";
const QUERY: &str = "pLaNt-query-5a6b7c";
const SETTING: &str = "pLaNt-setting-8d9e0f";
const ROLE_SETTING: &str = "pLaNt-role-setting-1a2b3c";
const ALL: [&str; 15] = [
    ENVIRONMENT,
    PASSFILE,
    SERVICE,
    URL,
    MANAGED,
    COMMAND,
    KEY,
    SESSION,
    PROXY,
    SUBSCRIPTION,
    MAPPING,
    BODY,
    QUERY,
    SETTING,
    ROLE_SETTING,
];

/// What a run gave away, and how it ended.
struct Ran {
    code: Option<i32>,
    said: String,
}

/// Runs the binary as loud as it gets, and looks for every secret in all it says and writes.
fn run(args: &[&str], env: &[(&str, &str)]) -> Ran {
    let here = tempfile::tempdir().expect("a folder");
    run_in(here.path(), args, env)
}

fn run_in(here: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    loud_in(here, args, env, &["", "trace", "debug"])
}

/// Once with each log, and with a mask that would leave files open to all.
fn loud_in(here: &Path, args: &[&str], env: &[(&str, &str)], logs: &[&str]) -> Ran {
    let mut said = String::new();
    let mut code = None;
    for log in logs {
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-c",
                "umask 000 && exec \"$0\" \"$@\"",
                env!("CARGO_BIN_EXE_greenlight"),
            ])
            .args(args)
            .arg("-vvv")
            .current_dir(here)
            .env_clear()
            .envs(env.iter().copied());
        if !log.is_empty() {
            command.env("GREENLIGHT_LOG", log);
        }
        let output = command.output().expect("it runs");
        code = output.status.code();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    for file in written(here) {
        said.push_str(&String::from_utf8_lossy(&std::fs::read(file).expect("a file")));
    }
    for secret in ALL {
        for form in [secret.to_owned(), encoded(secret)] {
            assert!(
                !said.contains(&form),
                "{secret} came out of {args:?}: {}",
                around(&said, &form)
            );
        }
    }
    Ran { code, said }
}

/// Every file below a folder that is no input, each for its owner alone.
fn written(here: &Path) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(here).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            files.extend(written(&path));
        } else if !name.to_string_lossy().starts_with("in-") {
            let mode = entry.metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            files.push(path);
        }
    }
    files
}

/// As it stands in a URL.
fn encoded(secret: &str) -> String {
    secret.replace('/', "%2F")
}

fn around(text: &str, what: &str) -> String {
    let at = text.find(what).unwrap_or_default();
    let from = text[..at].char_indices().rev().nth(150).map_or(0, |(i, _)| i);
    text[from..].chars().take(400).collect()
}

/// A file that is an input and so may hold a secret.
fn input(here: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = here.join(format!("in-{name}"));
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("private");
    path.to_str().expect("UTF-8").to_owned()
}

/// A server with a secret wherever one can be, and a role of which the password is known.
async fn server(password: &str) -> Server {
    let server = Server::start(ServerOptions::new(15).logical().setting(
        "primary_conninfo",
        format!("host=nowhere user=x password={SETTING}"),
    ))
    .await
    .expect("a server");
    let make = format!(
        "create role greenlight login password {}; grant pg_monitor to greenlight;",
        literal(password)
    );
    server.execute("postgres", &make).await.expect("the role");
    let things = format!(
        "create table keyless (v text);
         create extension postgres_fdw;
         create server other foreign data wrapper postgres_fdw options (host 'nowhere');
         create user mapping for public server other options (user 'x', password '{MAPPING}');
         create function login() returns text language sql as $$select '{BODY}'$$;
         create function trigger_login() returns trigger language plpgsql as $$begin perform '{BODY}'; return new; end$$;
         create trigger t before insert on keyless for each row execute function trigger_login();
         alter table keyless enable always trigger t;
         alter role greenlight set app.api_token = '{ROLE_SETTING}';
         alter database postgres set app.url = 'postgres://me:{ROLE_SETTING}@nowhere/x';"
    );
    server.execute("postgres", &things).await.expect("things");
    // A subscription cannot be made in a transaction with others, nor connect here.
    let subscription = format!(
        "create subscription s connection 'host=127.0.0.1 port=1 password={SUBSCRIPTION}' publication p \
         with (connect = false, slot_name = none)"
    );
    server
        .execute("postgres", &subscription)
        .await
        .expect("a subscription");
    server
}

#[test]
fn nothing_comes_out_of_the_ways_in() {
    block_on(async {
        let server = server(ENVIRONMENT).await;
        let held = server.connect("postgres").await.expect("a session");
        // Others see the last statement of an open transaction.
        held.batch_execute(&format!(
            "begin; insert into keyless values ('{QUERY}'); alter role greenlight password '{ENVIRONMENT}' -- '{QUERY}"
        ))
        .await
        .expect("a transaction");
        let address = server.address();
        let url = format!("postgres://greenlight@{address}/postgres");
        let good = [("PGPASSWORD", ENVIRONMENT)];
        drop(held.batch_execute("rollback").await);
        let held = server.connect("postgres").await.expect("a session");
        held.batch_execute(&format!("begin; insert into keyless values ('{QUERY}')"))
            .await
            .expect("a transaction");

        tokio::task::spawn_blocking(move || {
            // Every format, facts, and all that can be said.
            let mut args = vec!["check", "--blue-url", &url, "--target-version", "17"];
            for (format, file) in [
                ("json", "a"),
                ("markdown", "b"),
                ("html", "c"),
                ("junit", "d"),
                ("sarif", "e"),
                ("github", "f"),
                ("gitlab", "g"),
                ("table", "h"),
            ] {
                args.extend(["-o", Box::leak(format!("{format}={file}").into_boxed_str())]);
            }
            let ran = run(&args, &good);
            assert_eq!(ran.code, Some(10), "{}", ran.said);
            assert!(ran.said.contains("public.keyless"), "it looked");
            let ran = run(&["collect", "--blue-url", &url, "-o", "facts.json"], &good);
            assert_eq!(ran.code, Some(0), "{}", ran.said);
            assert!(ran.said.contains("primary_conninfo"), "settings are in the facts");
            let ran = run(&["collect", "--redact", "--blue-url", &url], &good);
            assert_eq!(ran.code, Some(0), "{}", ran.said);

            // Wrong passwords, each from where passwords come from.
            let here = tempfile::tempdir().expect("a folder");
            let passfile = input(here.path(), "pgpass", &format!("*:*:*:*:{PASSFILE}\n"));
            let service = input(
                here.path(),
                "service",
                &format!(
                    "[it]\nhost=127.0.0.1\nport={}\nuser=greenlight\ndbname=postgres\npassword={SERVICE}\n",
                    address.port()
                ),
            );
            let with_password = format!("postgres://greenlight:{URL}@{address}/postgres");
            let script = input(
                here.path(),
                "script",
                &format!("#!/bin/sh\necho '{COMMAND}' >&2\necho '{COMMAND}'\n"),
            );
            let by_command = format!("command:/bin/sh {script}");
            for (args, env) in [
                (
                    vec!["check", "--blue-url", &url],
                    vec![("PGPASSFILE", passfile.as_str())],
                ),
                (
                    vec!["check", "--blue-url", "service=it"],
                    vec![("PGSERVICEFILE", service.as_str())],
                ),
                (vec!["check", "--blue-url", &with_password], vec![]),
                (
                    vec!["check", "--blue-url", &url, "--auth", &by_command],
                    vec![("PATH", "/usr/bin:/bin")],
                ),
                // A command line that is wrong is repeated, but not its password.
                (
                    vec!["check", "--blue-url", &with_password, "--only", "nonsense"],
                    vec![],
                ),
            ] {
                let ran = run_in(here.path(), &args, &env);
                assert!(matches!(ran.code, Some(2 | 3)), "{args:?}: {}", ran.said);
            }
            // Refused, and no TLS where TLS is asked for.
            for end in [
                "@127.0.0.1:1/postgres".to_owned(),
                format!("@{address}/postgres?sslmode=verify-full"),
            ] {
                let url = format!("postgres://greenlight:{URL}{end}");
                assert_eq!(run(&["check", "--blue-url", &url], &[]).code, Some(3));
            }
            // Broken connection strings and files.
            for url in [
                format!("postgres://u:{URL}@h:notaport/x"),
                format!("host=h password='{URL} user=u"),
                format!("mysql://u:{URL}@h/x"),
                format!("password={URL} nonsense=1"),
                format!("postgres://u:{URL}@h/x?nonsense=1"),
            ] {
                assert_eq!(run(&["check", "--blue-url", &url], &[]).code, Some(2), "{url}");
            }
            let broken = input(here.path(), "broken", &format!("[it]\npassword {SERVICE}\n"));
            run_in(
                here.path(),
                &["check", "--blue-url", "service=it"],
                &[("PGSERVICEFILE", &broken)],
            );
            let method = format!("password:{URL}");
            assert_eq!(
                run(&["check", "--blue-url", &url, "--auth", &method], &[]).code,
                Some(2)
            );
        })
        .await
        .expect("it ran");
        drop(held);
    });
}

#[test]
fn nothing_comes_out_of_a_failed_handshake_or_a_refused_token() {
    block_on(async {
        let root = Authority::new("Root");
        let server = Server::start(root.issue(&["blue.example"]).server(15))
            .await
            .expect("a server");
        server
            .execute("postgres", "create role greenlight login password 'other'")
            .await
            .expect("a role");
        let address = server.address();
        tokio::task::spawn_blocking(move || {
            let here = tempfile::tempdir().expect("a folder");
            let ca = input(here.path(), "ca.pem", &root.pem());
            let through = format!("blue={address}");
            let url = format!("postgres://greenlight:{URL}@blue.example/postgres");
            let unknown = ["check", "--blue-url", &url, "--connect", &through];
            assert_eq!(run(&unknown, &[]).code, Some(3), "an unknown authority");
            let known = [
                "check",
                "--blue-url",
                &url,
                "--connect",
                &through,
                "--tls-ca",
                &ca,
            ];
            assert_eq!(run(&known, &[]).code, Some(3), "a wrong password over TLS");

            let aws = [
                ("AWS_ACCESS_KEY_ID", "AKIAPLANTEDPLANTED00"),
                ("AWS_SECRET_ACCESS_KEY", KEY),
                ("AWS_SESSION_TOKEN", SESSION),
                ("AWS_EC2_METADATA_DISABLED", "true"),
            ];
            let by_token = "postgres://greenlight@blue.example/postgres";
            let ran = run(
                &[
                    "check",
                    "--blue-url",
                    by_token,
                    "--connect",
                    &through,
                    "--tls-ca",
                    &ca,
                    "--auth",
                    "iam",
                    "--region",
                    "eu-west-1",
                ],
                &aws,
            );
            assert_eq!(ran.code, Some(3), "{}", ran.said);
            assert!(ran.said.contains("IAM"), "{}", ran.said);
            // The token itself has the signature in it.
            assert!(!ran.said.contains("X-Amz-Signature"), "{}", ran.said);
        })
        .await
        .expect("it ran");
    });
}

/// An API that repeats all it was sent, in an error; and, as Secrets Manager, gives a secret.
pub(crate) fn echo(status: &'static str, answer: fn(&str) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while let Some(request) = request(&mut stream) {
                    let body = answer(&request);
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Head and body of a request.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0_usize);
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read(&mut buffer) {
            Ok(n @ 1..) => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}

fn in_xml(request: &str) -> String {
    let escaped = request.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>{escaped}</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    )
}

const AWS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIAPLANTEDPLANTED00"),
    ("AWS_SECRET_ACCESS_KEY", KEY),
    ("AWS_SESSION_TOKEN", SESSION),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

#[test]
fn nothing_comes_back_from_an_api_that_echoes() {
    let here = tempfile::tempdir().expect("a folder");
    input(here.path(), "t.json", "{\"Resources\":{}}");
    std::fs::rename(here.path().join("in-t.json"), here.path().join("t.json")).expect("renamed");
    let api = format!("http://{}", echo("400 Bad Request", in_xml));
    let place = ["--region", "eu-west-1", "--endpoint-url", &api];
    for command in ASKING_AWS {
        let args: Vec<&str> = command.iter().copied().chain(place).collect();
        let ran = loud_in(here.path(), &args, &AWS, &["trace"]);
        assert_eq!(ran.code, Some(3), "{args:?}: {}", ran.said);
        assert!(
            ran.said.to_ascii_lowercase().contains("x-amz-security-token"),
            "the request is echoed, or this test says nothing: {args:?}: {}",
            ran.said
        );
    }
    // A broken answer is shown, too.
    let api = format!(
        "http://{}",
        echo("200 OK", |request| format!("<broken {request}"))
    );
    let ran = run(
        &[
            "check",
            "--cluster",
            "main",
            "--region",
            "eu-west-1",
            "--endpoint-url",
            &api,
        ],
        &AWS,
    );
    assert_eq!(ran.code, Some(3), "{}", ran.said);
}

#[test]
fn nothing_comes_out_of_secrets_manager_or_a_proxy() {
    let secret = |_: &str| {
        format!(
            r#"{{"ARN":"a","Name":"n","SecretString":"{{\"username\":\"greenlight\",\"password\":\"{MANAGED}\"}}"}}"#
        )
    };
    let url = "postgres://greenlight@127.0.0.1:1/postgres";
    let ask = |api: String| {
        run(
            &[
                "check",
                "--blue-url",
                url,
                "--auth",
                "secret:it",
                "--region",
                "eu-west-1",
                "--endpoint-url",
                &api,
            ],
            &AWS,
        )
    };
    let ran = ask(format!("http://{}", echo("200 OK", secret)));
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    assert!(
        ran.said.contains("refused the connection"),
        "the secret was read: {}",
        ran.said
    );
    // An answer that is no secret is not shown either.
    let nonsense = |_: &str| format!(r#"{{"ARN":"a","Name":"n","SecretString":"{MANAGED} and no JSON"}}"#);
    let ran = ask(format!("http://{}", echo("200 OK", nonsense)));
    assert_eq!(ran.code, Some(3), "{}", ran.said);

    // A proxy that does not answer, and one that echoes.
    let closed = "127.0.0.1:1".to_owned();
    let echoing = echo("407 Proxy Authentication Required", str::to_owned).to_string();
    for proxy in [closed, echoing] {
        let proxy = format!("http://me:{PROXY}@{proxy}");
        let env: Vec<(&str, &str)> = AWS
            .into_iter()
            .chain([("HTTPS_PROXY", proxy.as_str()), ("https_proxy", proxy.as_str())])
            .collect();
        let ran = run(
            &[
                "check",
                "--cluster",
                "main",
                "--region",
                "eu-west-1",
                "--endpoint-url",
                "https://rds.example.invalid",
                "--deadline",
                "3s",
            ],
            &env,
        );
        assert_eq!(ran.code, Some(3), "{}", ran.said);
    }
}

/// A connection string in every place where one can be put, right or wrong, and mistyped in every way: one call each, as loud as it
/// gets, and none of them gets anywhere.
#[test]
fn nothing_comes_out_of_a_mistyped_url_wherever_it_stands() {
    let here = tempfile::tempdir().expect("a folder");
    let template = input(here.path(), "t.json", "{\"Resources\":{}}");
    let facts = input(here.path(), "facts.json", include_str!("../facts/rds-minor.json"));
    // With a database to log in to, or a name of a file, nothing is there; the rest is usage.
    let gets_nowhere = |args: &[&str], env: &[(&str, &str)], logs: &[&str]| {
        let end = loud_in(here.path(), args, env, logs);
        let own = &env[AWS.len()..];
        assert!(
            matches!(end.code, Some(2 | 3)),
            "{own:?} {args:?}: {:?} {}",
            end.code,
            end.said
        );
    };
    let urls = [
        format!("postgres://me:{URL}@127.0.0.1:1/app"),
        format!("postgres://me:{URL}@127.0.0.1:notaport/app"),
        format!("postgres:/me:{URL}@127.0.0.1/app"),
        format!("postgres://me:{URL}@@127.0.0.1:1/app?sslmode=x"),
        format!("postgres://me:x%ZZ{URL}@127.0.0.1/app"),
        format!("host=127.0.0.1 port=1 user=me password={URL} x"),
        format!("host=127.0.0.1 port=1 user=me password='{URL}"),
        format!("https://me:{URL}@127.0.0.1"),
    ];
    let flags = [
        "--blue-url",
        "--green-url",
        "--endpoint-url",
        "--connect",
        "--auth",
        "--db-user",
        "--dbname",
        "--tls-mode",
        "--deadline",
        "--target-version",
        "--format",
        "--config",
        "--facts",
        "--cluster",
        "--deployment",
        "",
    ];
    let mut ran = 0;
    for flag in flags {
        for (n, url) in urls.iter().enumerate() {
            // Each flag with some of them, and with all where one belongs.
            let belongs = matches!(flag, "--blue-url" | "--endpoint-url" | "--connect" | "");
            if !belongs && n % 3 != 0 && !url.starts_with("postgres://me") {
                continue;
            }
            let mut args = vec!["check"];
            if !matches!(flag, "--blue-url" | "--facts" | "--cluster" | "--deployment") {
                args.extend(["--blue-url", "postgres://me@127.0.0.1:1/app"]);
            }
            args.extend([flag, url.as_str()].iter().filter(|word| !word.is_empty()));
            gets_nowhere(&args, &AWS, &["trace"]);
            ran += 1;
        }
    }
    assert!(ran > 50, "{ran}");
    // Every other command that takes one, and from where else one may come.
    let url = &urls[1];
    for line in [
        "collect --blue-url URL",
        "plan --cluster main --target-version 16 --databases --endpoint-url URL",
        "watch --deployment x --endpoint-url URL",
        "create --cluster x --target-version 16.6 --yes --connect blue=URL --endpoint-url http://127.0.0.1:1",
        "prepare --cluster x --target-version 16.6 --connect URL --endpoint-url http://127.0.0.1:1",
        "switchover --deployment x --yes --connect URL --endpoint-url http://127.0.0.1:1",
        "switchover --deployment x --yes --probe-write URL --endpoint-url URL",
        "cleanup --deployment x --yes --endpoint-url URL",
        "fleet --all --target-major 17 --connect URL --endpoint-url URL",
        "fleet --all --target-major URL",
        "fleet --all --target-major 17 --account-role URL",
        "drift --cluster x --template TEMPLATE --endpoint-url URL",
        "drift --facts FACTS --template TEMPLATE --parameter URL",
        "explain URL",
        "diff URL URL",
        "report --journal URL",
        "iam-policy --for URL",
        "URL",
    ] {
        let args: Vec<&str> = line
            .split(' ')
            .map(|word| match word {
                "URL" => url.as_str(),
                "TEMPLATE" => template.as_str(),
                "FACTS" => facts.as_str(),
                word => word,
            })
            .collect();
        gets_nowhere(&args, &AWS, &["trace"]);
    }
    for variable in [
        "PGHOST",
        "PGPORT",
        "PGSSLMODE",
        "PGSERVICE",
        "PGOPTIONS",
        "AWS_ENDPOINT_URL",
        "GREENLIGHT_LOG",
        "RUST_LOG",
        "AWS_REGION",
        "AWS_PROFILE",
    ] {
        let env: Vec<(&str, &str)> = AWS.into_iter().chain([(variable, url.as_str())]).collect();
        for args in [
            &["check", "--blue-url", "user=me dbname=app"][..],
            &["check", "--cluster", "x", "--deadline", "1s"],
        ] {
            gets_nowhere(args, &env, &[""]);
        }
    }
}

/// The whole of an upgrade on a local RDS, each command as loud as it gets and with all that it can write.
#[test]
fn nothing_comes_out_of_any_command() {
    let stage = block_on(stage::Stage::new(stage::quiet()));
    let env = stage.sandbox.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let of = |name: &str| {
        let found = env.iter().find(|(n, _)| *n == name);
        found.expect("it is set").1.to_owned()
    };
    let secrets = [of("PGPASSWORD"), of("AWS_SECRET_ACCESS_KEY")];
    let here = stage.folder.path();
    let quietly = |words: &str, env: &[(&str, &str)], secrets: &[String]| {
        let args: Vec<&str> = words.split(' ').collect();
        let ran = loud_in(here, &args, env, &["trace"]);
        for secret in secrets {
            for form in [secret.clone(), encoded(secret)] {
                assert!(!ran.said.contains(&form), "{words}: {}", around(&ran.said, &form));
            }
        }
        ran
    };
    let script = input(
        here,
        "script",
        &format!("echo '{COMMAND}'; echo '{COMMAND}' >&2; exit \"${{1:-0}}\"\n"),
    );
    let template = input(here, "t.json", "{\"Resources\":{}}");
    let looks = [
        "check --deployment main-to-14 --attest attest.json -o json=a -o html=b -o sarif=c".to_owned(),
        "collect --deployment main-to-14 -o facts.json".to_owned(),
        "fleet --all --target-major 17 --reports reports -o csv=fleet.csv -o html=fleet.html".to_owned(),
        "watch --deployment main-to-14 --until ready --timeout 3s --format json".to_owned(),
        "plan --deployment main-to-14 --target-version latest".to_owned(),
        format!("drift --deployment main-to-14 --template {template}"),
        "prepare --cluster main-cluster --target-version 14.10".to_owned(),
        "create --cluster main-cluster --target-version 14.10 --yes".to_owned(),
        "switchover --deployment main-to-14 --yes --wait 3s --stable-for 1s --journal refused.journal"
            .to_owned(),
        "cleanup --deployment main-to-14 --delete-old --no-final-snapshot --yes".to_owned(),
    ];
    // A password that is refused, a program that prints another or fails, and one that is no login.
    let garbage = format!("command:/bin/sh {script}");
    let wrong: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| {
            if *name == "PGPASSWORD" {
                (*name, ENVIRONMENT)
            } else {
                (*name, *value)
            }
        })
        .collect();
    let path = ("PATH", "/usr/bin:/bin");
    let with_path: Vec<(&str, &str)> = env.iter().copied().chain([path]).collect();
    for look in &looks {
        if look.starts_with("drift") {
            continue;
        }
        quietly(look, &wrong, &secrets);
        let by_itself = ["check", "fleet", "watch", "switchover"];
        if !by_itself.iter().any(|command| look.starts_with(command)) {
            continue; // They get in as these do.
        }
        let mut args: Vec<&str> = look.split(' ').collect();
        args.extend(["--auth", &garbage]);
        loud_in(here, &args, &with_path, &["trace"]);
    }
    // And as it should be, to the end.
    for look in looks.iter().take(7) {
        let ran = quietly(look, &env, &secrets);
        assert!(matches!(ran.code, Some(0 | 10 | 11)), "{look}: {}", ran.said);
    }
    let switchover = "switchover --deployment main-to-14 --yes --probe --attestation attest.json --journal it.journal \
                      --stable-for 1500ms --wait 30s --lag-samples 1 --poll 100ms --rest-for 1s --timeout 30s";
    let words = switchover.split_whitespace().collect::<Vec<_>>().join(" ");
    let ran = quietly(&words, &env, &secrets);
    assert!(matches!(ran.code, Some(0 | 23)), "{}", ran.said);
    let clean = "cleanup --deployment main-to-14 --delete-old --no-final-snapshot --yes --journal clean.journal --poll 1";
    quietly(clean, &env, &secrets);
    for journal in ["it.journal", "clean.journal"] {
        for format in ["json", "markdown", "html"] {
            let ran = quietly(
                &format!("report --journal {journal} --format {format}"),
                &env,
                &secrets,
            );
            assert_eq!(ran.code, Some(0), "{journal}: {}", ran.said);
        }
    }
}
