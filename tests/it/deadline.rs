//! Servers that are slow, silent or half closed, databases and the API alike: a look ends in its deadline, with what it has.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use sandbox::{
    Effect, FaultRule, Sandbox, Scenario,
    pg::{Server, ServerOptions, block_on},
    proxy::{Mode, Proxy},
};

use crate::{
    cli::{Ran, greenlight},
    support::{ASKING_AWS, PASSWORD, checking_role, stub},
};

/// `--deadline` in these tests: a busy machine needs some of it to come to where it is to be stopped.
const LIMIT: &str = "4s";
/// The same, with time for a busy machine; below every other limit (15 s for a login, 20 s for a call).
const MOST: Duration = Duration::from_secs(14);

/// Runs the binary, which must come to its end in time, and say why it ended where it did.
fn timely(args: &[&str], env: &[(&str, &str)]) -> Ran {
    let here = tempfile::tempdir().expect("a folder");
    std::fs::write(here.path().join("t.json"), "{\"Resources\":{}}").expect("written");
    let began = Instant::now();
    let args: Vec<&str> = args.iter().copied().chain(["--deadline", LIMIT]).collect();
    let ran = greenlight(here.path(), &args, env);
    let took = began.elapsed();
    assert!(took < MOST, "{took:?} for {args:?}: {}", ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the deadline of 4 s passed"), "{args:?}: {said}");
    ran
}

/// Sends these bytes one at a time, a second apart, for ever.
fn drip(mut stream: TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Reads for as long as the other side sends.
fn listen(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

#[test]
fn a_database_that_does_not_answer_the_login_ends_in_the_deadline() {
    let silent = stub(listen);
    // The request for authentication, drop by drop: a kind, a length of 23, SASL.
    let dripping = stub(|stream| drip(stream, b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"));
    for (name, address) in [("silent", silent), ("dripping", dripping)] {
        let url = format!("postgres://me@{address}/app?sslmode=disable");
        let ran = timely(&["check", "--blue-url", &url], &[("PGPASSWORD", PASSWORD)]);
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("during the login"), "{name}: {}", ran.stderr);
    }
    let through = format!("blue={silent}");
    let url = "postgres://me@blue.example/app";
    let ran = timely(
        &["check", "--blue-url", url, "--connect", &through],
        &[("PGPASSWORD", PASSWORD)],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("when asked for TLS"), "{}", ran.stderr);
}

#[test]
fn a_handshake_that_never_ends_ends_in_the_deadline() {
    let yes = stub(|mut stream| {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).is_ok() && stream.write_all(b"S").is_ok() {
            // The head of a TLS record of 16 KiB, and then its body for four and a half hours.
            drip(stream, b"\x16\x03\x03\x40\x00");
        }
    });
    let through = format!("blue={yes}");
    let url = "postgres://me@blue.example/app";
    let ran = timely(
        &["check", "--blue-url", url, "--connect", &through],
        &[("PGPASSWORD", PASSWORD)],
    );
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("during the TLS handshake"), "{}", ran.stderr);
}

/// A server with two databases in which much is to be read.
async fn server() -> Server {
    let server = Server::start(ServerOptions::new(15).logical())
        .await
        .expect("a server");
    checking_role(&server).await;
    for sql in ["create database app", "create database other"] {
        server.execute("postgres", sql).await.expect(sql);
    }
    let many = "do $$ begin for i in 1..150 loop execute format('create table keyless_%s (v text)', i); end loop; end $$";
    server.execute("app", many).await.expect("tables");
    server
}

#[test]
fn rows_that_drip_or_stop_are_unknown_and_the_report_is_whole() {
    block_on(async {
        let server = server().await;
        let slow = Proxy::start(server.address()).await.expect("a proxy");
        slow.set_mode(Mode::Pass {
            latency: Duration::ZERO,
            // Enough for the login, not for the rows.
            bytes_per_second: Some(4000),
        })
        .await;
        let url = format!("postgres://greenlight@{}/app?sslmode=disable", slow.addr());
        let check = ["check", "--blue-url", &url, "--target-version", "17"];
        let ran = timely(&check, &[("PGPASSWORD", PASSWORD)]);
        assert_eq!(ran.code, 11, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.starts_with("NOT DETERMINED"), "{}", ran.stdout);

        // The server goes silent, and closes half, after everything began to flow.
        for mode in [Mode::BlackHole, Mode::HalfClosed] {
            let proxy = Proxy::start(server.address()).await.expect("a proxy");
            let url = format!("postgres://greenlight@{}/app?sslmode=disable", proxy.addr());
            let check = ["check", "--blue-url", &url, "--target-version", "17"];
            let watch = tokio::spawn(async move {
                while proxy.counters().from_servers < 2000 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                proxy.set_mode(mode).await;
                proxy
            });
            let check: Vec<String> = check.iter().map(|word| (*word).to_owned()).collect();
            let ran = tokio::task::spawn_blocking(move || {
                let here = tempfile::tempdir().expect("a folder");
                let mut args: Vec<&str> = check.iter().map(String::as_str).collect();
                args.extend(["--deadline", LIMIT]);
                let began = Instant::now();
                let ran = greenlight(here.path(), &args, &[("PGPASSWORD", PASSWORD)]);
                assert!(began.elapsed() < MOST, "{mode:?}: {:?}", began.elapsed());
                ran
            })
            .await
            .expect("it ran");
            // How far it came depends on the moment: at least it is no pass, and no fault.
            assert!(
                matches!(ran.code, 3 | 10 | 11),
                "{mode:?}: {}{}",
                ran.stdout,
                ran.stderr
            );
            drop(watch.await);
        }
    });
}

const AWS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIASANDBOXSANDBOX00"),
    ("AWS_SECRET_ACCESS_KEY", "opens-nothing"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

#[test]
fn an_api_that_does_not_answer_ends_in_the_deadline() {
    let silent = stub(listen);
    let dripping = stub(|mut stream| {
        let mut request = [0; 4096];
        let _read = stream.read(&mut request);
        drip(
            stream,
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n<Describe",
        );
    });
    let half = stub(|stream| {
        // Says that it will send nothing, and goes on listening.
        let _gone = stream.shutdown(std::net::Shutdown::Write);
        listen(stream);
    });
    for (name, address) in [("silent", silent), ("dripping", dripping)] {
        let endpoint = format!("http://{address}");
        let ran = timely(
            &[
                "check",
                "--cluster",
                "main",
                "--region",
                "eu-west-1",
                "--endpoint-url",
                &endpoint,
            ],
            &AWS,
        );
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("DescribeDBClusters") && ran.stderr.contains(&endpoint),
            "{name}: {}",
            ran.stderr
        );
    }
    // One that closes at once is asked a few times over, which takes seconds at most.
    let here = tempfile::tempdir().expect("a folder");
    let endpoint = format!("http://{half}");
    let args = [
        "check",
        "--cluster",
        "main",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        &endpoint,
        "--deadline",
        "60s",
    ];
    let ran = greenlight(here.path(), &args, &AWS);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot reach"), "{}", ran.stderr);
}

/// Where credentials come from may be silent too: STS for an assumed role, a container's agent, a program of the profile.
#[test]
fn credentials_that_do_not_come_end_in_the_deadline() {
    let silent = format!("http://{}", stub(listen));
    let here = tempfile::tempdir().expect("a folder");
    let config = here.path().join("config");
    let text = "[profile base]\naws_access_key_id = AKIASANDBOXSANDBOX00\naws_secret_access_key = opens-nothing\n\
                [profile role]\nrole_arn = arn:aws:iam::123456789012:role/checking\nsource_profile = base\n\
                [profile program]\ncredential_process = sleep 60\n";
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("a path");
    let ways: [&[(&str, &str)]; 3] = [
        &[("AWS_PROFILE", "role"), ("AWS_ENDPOINT_URL_STS", &silent)],
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &silent)],
        &[("AWS_PROFILE", "program")],
    ];
    std::thread::scope(|all| {
        for way in ways {
            let env: Vec<_> = way
                .iter()
                .copied()
                .chain([("AWS_CONFIG_FILE", config), AWS[2]])
                .collect();
            all.spawn(move || {
                let ran = timely(&["check", "--cluster", "main", "--region", "eu-west-1"], &env);
                assert_eq!(ran.code, 3, "{way:?}: {}", ran.stderr);
                assert!(ran.stderr.contains("no credentials"), "{way:?}: {}", ran.stderr);
            });
        }
    });
}

/// Every command keeps its deadline, with the documented exit code.
#[test]
fn a_silent_api_ends_every_command_in_the_deadline() {
    let silent = format!("http://{}", stub(listen));
    std::thread::scope(|all| {
        for command in ASKING_AWS {
            let place = ["--region", "eu-west-1", "--endpoint-url", &silent];
            let args: Vec<&str> = command.iter().copied().chain(place).collect();
            all.spawn(move || {
                let ran = timely(&args, &AWS);
                assert_eq!(ran.code, 3, "{args:?}: {}", ran.stderr);
            });
        }
    });
}

/// A database that takes connections and says nothing costs each command that connects no more than `--timeout-connect` a step.
#[test]
fn a_silent_database_ends_every_command_in_its_limits() {
    let mut scenario = Scenario::load("guide-ready").expect("a built-in scenario");
    scenario.servers = false;
    let sandbox = block_on(Sandbox::start(scenario)).expect("a local RDS");
    let env = sandbox.env();
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([("PGUSER", "me"), ("PGPASSWORD", PASSWORD)])
        .collect();
    let silent = stub(listen);
    let (blue, green) = (format!("blue={silent}"), format!("green={silent}"));
    let commands: [&[&str]; 6] = [
        &["check", "--deployment", "main-to-14"],
        &["collect", "--deployment", "main-to-14"],
        &[
            "watch",
            "--deployment",
            "main-to-14",
            "--until",
            "ready",
            "--timeout",
            "3s",
        ],
        &["switchover", "--deployment", "main-to-14", "--yes"],
        &[
            "create",
            "--cluster",
            "main-cluster",
            "--target-version",
            "14.10",
            "--yes",
        ],
        &[
            "prepare",
            "--cluster",
            "main-cluster",
            "--target-version",
            "14.10",
        ],
    ];
    std::thread::scope(|all| {
        for command in commands {
            let (env, blue, green) = (&env, &blue, &green);
            all.spawn(move || {
                let here = tempfile::tempdir().expect("a folder");
                let ways = ["--connect", blue, "--connect", green, "--timeout-connect", "1"];
                let args: Vec<&str> = command.iter().copied().chain(ways).collect();
                let began = Instant::now();
                let ran = greenlight(here.path(), &args, env);
                let took = began.elapsed();
                assert!(took < MOST + MOST, "{args:?}: {took:?}");
                // Not looked at, not determined, refused: never ready, and never a fault.
                assert!(
                    matches!((command[0], ran.code), ("collect", 0) | (_, 3 | 10 | 11 | 20)),
                    "{args:?}: {} {}{}",
                    ran.code,
                    ran.stdout,
                    ran.stderr
                );
            });
        }
    });
}

#[test]
fn what_the_api_had_not_answered_is_unknown_and_the_rest_is_judged() {
    block_on(async {
        let scenario = Scenario::load("guide").expect("a built-in scenario");
        let sandbox = Sandbox::start(scenario).await.expect("a local RDS");
        let slow = Effect::Delay { milliseconds: 60_000 };
        sandbox
            .rds()
            .arm(FaultRule::always("DescribeDBClusterParameters", slow));
        let env = sandbox.env();
        let ran = tokio::task::spawn_blocking(move || {
            let here = tempfile::tempdir().expect("a folder");
            let began = Instant::now();
            let args = [
                "check",
                "--cluster",
                "main-cluster",
                "--target-version",
                "14.10",
                "--deadline",
                "12s",
            ];
            let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let ran = greenlight(here.path(), &args, &env);
            assert!(began.elapsed() < MOST + MOST, "{:?}", began.elapsed());
            ran
        })
        .await
        .expect("it ran");
        // The databases block, the parameters are open, and each says so.
        assert_eq!(ran.code, 10, "{}{}", ran.stdout, ran.stderr);
        let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(
                "DescribeDBClusterParameters had not answered when half of the deadline of 12 s passed"
            ),
            "{words}"
        );
        assert!(
            words.contains("replica-identity every replicated table"),
            "{words}"
        );
    });
}
