//! What SECURITY.md promises and no other test holds: files of ours among other users, hostile texts in every command,
//! endless answers, what is in the tree, and that the page's own references are true.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use greenlight::{
    edge::files,
    exit::Exit,
    facts::{Fact, Facts},
    output::{self, Format, Style, View},
    policy::Policy,
    report::Report,
    situation::Situation,
    switchover::{
        lock::{FileLock, LockError},
        machine::Config,
    },
};

use sandbox::pg::{Server, block_on};

use crate::{
    cli::greenlight,
    support::{ASKING_AWS, AWS, PASSWORD, checking_role, stub},
    tls::certificates::Authority,
};

fn root(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// SECURITY.md names the test that holds each sentence; a name that is none would be an empty promise.
#[test]
fn security_md_names_tests_that_exist() {
    let mut tests = BTreeSet::new();
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
                tests.insert(format!("{module}::"));
                let text = std::fs::read_to_string(&path).expect("source");
                for line in text.lines().map(str::trim_start) {
                    let name = line
                        .strip_prefix("async fn ")
                        .or_else(|| line.strip_prefix("fn "))
                        .and_then(|rest| rest.split(['(', '<']).next());
                    tests.extend(name.map(str::to_owned));
                }
            }
        }
    }
    let text = root("SECURITY.md");
    let named = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            word.contains('_')
                && !word.contains([' ', '.', '-', '=', '/'])
                && word.chars().any(char::is_lowercase)
        })
        .filter(|word| {
            word.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':')
        });
    let named: Vec<&str> = named
        .filter(|word| !word.starts_with("pg_") && !word.starts_with("search_"))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert!(missing.is_empty(), "SECURITY.md names no tests: {missing:?}");
}

#[test]
fn what_is_written_is_for_its_owner_alone_and_follows_no_link() {
    let here = tempfile::tempdir().expect("a folder");
    let theirs = here.path().join("theirs");
    std::fs::write(&theirs, "precious").expect("written");
    let path = here.path().join("report.json");
    symlink(&theirs, &path).expect("a link");
    files::write(&path, "ours").expect("written");
    assert_eq!(std::fs::read_to_string(&theirs).expect("there"), "precious");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "ours");
    assert_eq!(mode(&path), 0o600);
    // Also over a file that others could read before.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("open to all");
    files::write(&path, "again").expect("written");
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_journal_is_for_its_owner_alone_and_follows_no_link() {
    let here = tempfile::tempdir().expect("a folder");
    let theirs = here.path().join("theirs");
    std::fs::write(&theirs, "precious").expect("written");
    let journal = here.path().join("it.jsonl");
    // Somebody has put a link where the lock will be, and one where the journal will be.
    symlink(&theirs, FileLock::path_for(&journal)).expect("a link");
    let refused = FileLock::take(&journal, &crate::journal::actor()).expect_err("it is a link");
    assert!(matches!(refused, LockError::Io { .. }), "{refused}");
    assert!(refused.to_string().contains("link"), "{refused}");
    assert_eq!(std::fs::read_to_string(&theirs).expect("there"), "precious");
    std::fs::remove_file(FileLock::path_for(&journal)).expect("removed");
    symlink(&theirs, &journal).expect("a link");
    let header = crate::journal::header(Config::new(crate::journal::identity()));
    let refused =
        greenlight::switchover::journal::Journal::create(&journal, header, jiff::Timestamp::UNIX_EPOCH);
    assert!(refused.is_err());
    assert_eq!(std::fs::read_to_string(&theirs).expect("there"), "precious");
    std::fs::remove_file(&journal).expect("removed");
    let header = crate::journal::header(Config::new(crate::journal::identity()));
    let _made =
        greenlight::switchover::journal::Journal::create(&journal, header, jiff::Timestamp::UNIX_EPOCH)
            .expect("a journal");
    assert_eq!(mode(&journal), 0o600);
    assert_eq!(mode(&FileLock::path_for(&journal)), 0o600);
}

/// An escape, a bell, a carriage return, a mark that turns writing round, and a runner's command.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\u{202e}x\n::error::owned\n<script>alert(1)</script>";

fn evil_json() -> String {
    serde_json::to_string(EVIL)
        .expect("JSON")
        .trim_matches('"')
        .to_owned()
}

/// Nothing that moves a terminal or commands a runner is in it.
fn is_tame(what: &str, text: &str) {
    for c in text.chars() {
        assert!(
            !c.is_control() || matches!(c, '\n' | '\t'),
            "{what}: {c:?} in {text}"
        );
        assert!(c != '\u{202e}', "{what}: a mark that turns writing round");
    }
    for line in text.lines() {
        assert!(
            !line.trim_start().starts_with("::error::owned"),
            "{what}: a command: {text}"
        );
    }
}

#[test]
fn hostile_files_cannot_command_a_terminal_or_a_runner() {
    let here = tempfile::tempdir().expect("a folder");
    let evil = evil_json();
    let facts = include_str!("../facts/report-aurora.json")
        .replace("main-cluster", &format!("main-cluster{evil}"))
        .replace("\"reports\"", &format!("\"reports{evil}\""));
    let write = |name: &str, text: &str| std::fs::write(here.path().join(name), text).expect("written");
    write("facts.json", &facts);
    Facts::from_json(&facts).expect("hostile names are names");
    write("plain.json", include_str!("../facts/report-aurora.json"));
    let run = |args: &[&str]| {
        let ran = greenlight(here.path(), args, &[]);
        is_tame(&format!("{args:?} stdout"), &ran.stdout);
        is_tame(&format!("{args:?} stderr"), &ran.stderr);
        ran
    };
    for format in ["table", "markdown", "html", "junit", "github"] {
        let ran = run(&["check", "--facts", "facts.json", "--format", format]);
        assert!(matches!(ran.code, 0 | 10 | 11), "{format}: {}", ran.stderr);
        assert!(
            !ran.stdout.contains("<script>alert") || format == "table" || format == "github",
            "{format}"
        );
    }
    // The reports of such facts, compared; edited by somebody else.
    let report = greenlight(
        here.path(),
        &["check", "--facts", "plain.json", "--format", "json"],
        &[],
    );
    write("before.json", &report.stdout);
    let hostile = report
        .stdout
        .replace("main-cluster", &format!("main-cluster{evil}"));
    write(
        "after.json",
        &hostile.replace("\"message\": \"", &format!("\"message\": \"{evil}")),
    );
    let ran = run(&["diff", "before.json", "after.json"]);
    assert!(matches!(ran.code, 0 | 10 | 11), "{}", ran.stderr);
    run(&["check", "--facts", "plain.json", "--baseline", "after.json"]);

    let template = format!(
        r#"{{"Resources":{{"Db{evil}":{{"Type":"AWS::RDS::DBCluster","Properties":{{"DBClusterIdentifier":"main-cluster","EngineVersion":"{evil}","Tags":[{{"Key":"{evil}","Value":"{evil}"}}]}}}}}}}}"#
    );
    write("template.json", &template);
    run(&["drift", "--facts", "plain.json", "--template", "template.json"]);
    run(&["plan", "--facts", "facts.json", "--target-version", "latest"]);
    // Errors quote what is wrong.
    write(
        "greenlight.toml",
        &format!(
            "[levels]\n\"{}\" = \"notice\"\n",
            evil.replace("\\u001b", "\\u001B")
        ),
    );
    let ran = run(&["check", "--facts", "plain.json"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    write("greenlight.toml", &format!("{EVIL} = 1\n"));
    run(&["check", "--facts", "plain.json"]);
    std::fs::remove_file(here.path().join("greenlight.toml")).expect("removed");
    write(
        "broken.json",
        &format!("{{\"schema\": 1, \"greenlight\": \"x\", \"{evil}\": 1}}"),
    );
    let ran = run(&["check", "--facts", "broken.json"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    run(&["explain", EVIL]);
    run(&["check", "--facts", EVIL]);
    run(&["check", "--blue-url", &format!("postgres://{EVIL}@127.0.0.1:1/x")]);
}

/// What an API says of a fault is shown by every command, as text.
#[test]
fn hostile_answers_of_an_api_cannot_command_a_terminal_or_a_runner() {
    let here = tempfile::tempdir().expect("a folder");
    std::fs::write(here.path().join("t.json"), "{\"Resources\":{}}").expect("written");
    let api = crate::secrets::echo("400 Bad Request", |_| {
        let escaped: String = EVIL.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect();
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>Evil{escaped}</Code><Message>told {escaped}\n::error::owned</Message>\
             </Error><RequestId>{escaped}</RequestId></ErrorResponse>"
        )
    });
    let endpoint = format!("http://{api}");
    for (n, command) in ASKING_AWS.iter().enumerate() {
        // The log of one stands for all.
        for log in [&[][..], &["-vvv"]].into_iter().take(1 + usize::from(n == 0)) {
            let place = ["--endpoint-url", &endpoint];
            let args: Vec<&str> = command
                .iter()
                .copied()
                .chain(place)
                .chain(log.iter().copied())
                .collect();
            let ran = greenlight(here.path(), &args, &AWS);
            assert_eq!(ran.code, 3, "{args:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("told"), "{args:?}: {}", ran.stderr);
            is_tame(&format!("{args:?} stdout"), &ran.stdout);
            is_tame(&format!("{args:?} stderr"), &ran.stderr);
        }
    }
}

/// A pull request may bring a `greenlight.toml`. It can waive, and what it waives is in plain sight; it can name no file, no
/// server, no program.
#[test]
fn a_policy_file_can_name_no_file_and_hide_nothing() {
    let here = tempfile::tempdir().expect("a folder");
    let facts = include_str!("../facts/report-aurora.json");
    std::fs::write(here.path().join("facts.json"), facts).expect("written");
    let open = greenlight(here.path(), &["check", "--facts", "facts.json"], &[]);
    assert_eq!(open.code, 10, "{}", open.stderr);
    for key in [
        "output",
        "endpoint-url",
        "command",
        "auth",
        "include",
        "config",
        "baseline",
        "connect",
        "tls-ca",
        "profile",
    ] {
        let text = format!("{key} = \"../../../etc/passwd\"\n");
        std::fs::write(here.path().join("greenlight.toml"), text).expect("written");
        let ran = greenlight(here.path(), &["check", "--facts", "facts.json"], &[]);
        assert_eq!(ran.code, 2, "{key}: {}", ran.stdout);
    }
    let waiver =
        "[[waivers]]\ncheck = \"*\"\nsubject = \"*\"\nreason = \"all is well\"\nuntil = 2999-12-31\n";
    std::fs::write(here.path().join("greenlight.toml"), waiver).expect("written");
    let ran = greenlight(here.path(), &["check", "--facts", "facts.json"], &[]);
    assert!(
        ran.code != 0,
        "no waiver is for every check at once: {}",
        ran.stdout
    );
    // Whoever gates gives the policy from a place that the change cannot reach.
    std::fs::write(here.path().join("theirs.toml"), "").expect("written");
    let ran = greenlight(
        here.path(),
        &["check", "--facts", "facts.json", "--config", "theirs.toml"],
        &[],
    );
    assert_eq!(ran.code, 10, "{}", ran.stderr);
}

/// Account, Region and endpoint of every report: a look at the wrong place must be seen.
#[test]
fn every_report_says_which_account_region_and_endpoint() {
    let mut facts = Facts::from_json(include_str!("../facts/report-aurora.json")).expect("a document");
    let Fact::Known(rds) = &mut facts.rds else {
        panic!("it knows RDS")
    };
    rds.account = Fact::Known("210987654321".to_owned());
    rds.region = "eu-north-1".to_owned();
    rds.endpoint_url = Some("http://127.0.0.1:54321".to_owned());
    let report = Report::make(
        &facts,
        Situation::of(&facts, None),
        &Policy::at(facts.collected_at),
    );
    let view = View {
        report: &report,
        facts: &facts,
        exit: Exit::NotReady,
    };
    let style = Style {
        color: false,
        width: 100,
        verbose: false,
    };
    // GitLab's list of findings has no place for it.
    let formats = <Format as clap::ValueEnum>::value_variants().iter();
    for format in formats.filter(|format| **format != Format::Gitlab) {
        let text = output::render(*format, view, style);
        for place in ["210987654321", "eu-north-1", "127.0.0.1:54321"] {
            let markdown = place.replace('.', "\\.").replace('-', "\\-");
            assert!(
                text.contains(place)
                    || text.contains(&markdown)
                    || text.contains(&place.replace('.', "&#46;")),
                "{format:?} does not say {place}"
            );
        }
    }
}

#[test]
fn plain_http_leaves_the_machine_in_no_command() {
    let here = tempfile::tempdir().expect("a folder");
    std::fs::write(here.path().join("t.json"), "{\"Resources\":{}}").expect("written");
    for subject in ASKING_AWS {
        let by_flag: Vec<&str> = subject
            .iter()
            .copied()
            .chain(["--endpoint-url", "http://rds.example.com"])
            .collect();
        let ran = greenlight(here.path(), &by_flag, &AWS);
        assert_eq!(ran.code, 2, "{subject:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("plain http"), "{subject:?}: {}", ran.stderr);
        for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_RDS"] {
            let env: Vec<(&str, &str)> = AWS
                .into_iter()
                .chain([(variable, "http://10.0.0.1:80")])
                .collect();
            let ran = greenlight(here.path(), subject, &env);
            assert_eq!(ran.code, 2, "{variable}: {subject:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("plain http"), "{}", ran.stderr);
        }
        // Nor by the profile.
        std::fs::write(
            here.path().join("config"),
            "[default]\nendpoint_url = http://10.0.0.1\n",
        )
        .expect("written");
        let file = here.path().join("config");
        let env: Vec<(&str, &str)> = AWS
            .into_iter()
            .chain([("AWS_CONFIG_FILE", file.to_str().expect("UTF-8"))])
            .collect();
        let ran = greenlight(here.path(), subject, &env);
        assert_eq!(ran.code, 2, "profile: {subject:?}: {}", ran.stderr);
    }
}

/// A pull request can put any file into the folder that a pipeline works in. Of all that are read by such names at home, none is read
/// there: no program is started, no password given away, no server asked.
#[test]
fn nothing_but_a_policy_is_read_from_the_folder() {
    let here = tempfile::tempdir().expect("a folder");
    let home = tempfile::tempdir().expect("a home");
    let mark = here.path().join("ran");
    let run = format!("touch {}", mark.display());
    let aws = format!(
        "[default]\nregion = eu-west-1\ncredential_process = /bin/sh -c '{run}'\nendpoint_url = http://127.0.0.1:1\n"
    );
    let write = |name: &str, text: &str| {
        let path = here.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("private");
    };
    for name in [
        ".aws/config",
        ".aws/credentials",
        "config",
        "credentials",
        "aws.toml",
    ] {
        write(name, &aws);
    }
    for name in [".pgpass", "pgpass"] {
        write(name, "*:*:*:*:planted-in-the-folder\n");
    }
    for name in [".pg_service.conf", "pg_service.conf"] {
        write(name, "[it]\nhost=127.0.0.1\nport=1\nuser=me\n");
    }
    for name in [".env", ".greenlightrc", ".psqlrc", "greenlight.yaml"] {
        write(
            name,
            "PGPASSWORD=planted-in-the-folder\nAWS_ENDPOINT_URL=http://127.0.0.1:1\n",
        );
    }
    let env = [
        ("HOME", home.path().to_str().expect("UTF-8")),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let ran = greenlight(
        here.path(),
        &["check", "--cluster", "main", "--region", "eu-west-1"],
        &env,
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("no AWS credentials"), "{}", ran.stderr);
    let ran = greenlight(here.path(), &["check", "--blue-url", "service=it"], &env);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(!mark.exists(), "a program of the folder was run");
    // A server that asks for a password gets none.
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&said);
    let server = stub(move |mut stream| {
        let mut bytes = [0; 4096];
        let _startup = stream.read(&mut bytes);
        let _asked = stream.write_all(b"R\0\0\0\x08\0\0\0\x03");
        if let Ok(n) = stream.read(&mut bytes) {
            heard.lock().expect("not poisoned").extend_from_slice(&bytes[..n]);
        }
    });
    let url = format!("postgres://me@{server}/app?sslmode=disable");
    let ran = greenlight(here.path(), &["check", "--blue-url", &url], &env);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let said = said.lock().expect("not poisoned").clone();
    assert!(!String::from_utf8_lossy(&said).contains("planted"));
}

/// The user's own configuration may name a program or a portal, as for every tool of AWS; what it fetches goes by https all the same.
#[test]
fn a_hostile_aws_configuration_sends_nothing_by_plain_http() {
    let here = tempfile::tempdir().expect("a folder");
    let file = here.path().join("config");
    let env = [
        ("AWS_CONFIG_FILE", file.to_str().expect("UTF-8")),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "eu-west-1"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let keys = "aws_access_key_id = AKIASANDBOXSANDBOX00\naws_secret_access_key = opens-nothing\n";
    let role = "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n";
    for (name, text, says) in [
        (
            "services",
            format!("[default]\n{keys}services = s\n[services s]\nrds =\n  endpoint_url = http://10.0.0.1\n"),
            "plain http",
        ),
        (
            "a role by STS",
            format!(
                "[default]\n{role}services = s\n[profile base]\n{keys}[services s]\nsts =\n  endpoint_url = http://10.0.0.1\n"
            ),
            "plain http",
        ),
        (
            "a program that fails",
            "[default]\ncredential_process = /bin/sh -c 'echo planted-in-a-program; exit 3'\n".to_owned(),
            "credential",
        ),
        (
            "a program that prints no JSON",
            "[default]\ncredential_process = /bin/echo planted-in-a-program\n".to_owned(),
            "credential",
        ),
    ] {
        std::fs::write(&file, text).expect("written");
        let ran = greenlight(
            here.path(),
            &["check", "--cluster", "main", "--deadline", "10s", "-vvv"],
            &env,
        );
        assert!(matches!(ran.code, 2 | 3), "{name}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
        assert!(!ran.stderr.contains("planted"), "{name}: {}", ran.stderr);
    }
}

/// The SDK takes an endpoint of each service from the environment and the profile.
#[test]
fn no_service_is_asked_by_plain_http() {
    let here = tempfile::tempdir().expect("a folder");
    let theirs = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://10.0.0.1:80");
    let env: Vec<(&str, &str)> = AWS.into_iter().chain([theirs]).collect();
    let url = "postgres://greenlight@127.0.0.1:1/app";
    let ran = greenlight(
        here.path(),
        &["check", "--blue-url", url, "--auth", "secret:it"],
        &env,
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("http://10.0.0.1:80 is plain http"),
        "{}",
        ran.stderr
    );
}

/// A root and a server's certificate that end in forty days: each is told once, and the look goes on.
#[test]
fn certificates_that_end_soon_are_told() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(40 * 24);
    let soon = soon.strftime("%Y-%m-%d").to_string();
    let parts: Vec<i32> = soon
        .split('-')
        .map(|part| part.parse().expect("a number"))
        .collect();
    let small = |part: i32| u8::try_from(part).expect("a month or a day");
    let day = (parts[0], small(parts[1]), small(parts[2]));
    let root = Authority::until("Soon over", day);
    let here = tempfile::tempdir().expect("a folder");
    std::fs::write(here.path().join("ca.pem"), root.pem()).expect("written");
    let server = block_on(async {
        let server = Server::start(root.issue_until(&["blue.example"], day).server(15))
            .await
            .expect("a server");
        checking_role(&server).await;
        server
            .execute("postgres", "create database other")
            .await
            .expect("a database");
        server
    });
    let through = format!("blue={}", server.address());
    let ran = greenlight(
        here.path(),
        &[
            "check",
            "--blue-url",
            "postgres://greenlight@blue.example/postgres",
            "--connect",
            &through,
            "--tls-ca",
            "ca.pem",
            "--target-version",
            "17",
        ],
        &[("PGPASSWORD", PASSWORD)],
    );
    assert!(matches!(ran.code, 0 | 10 | 11), "{}", ran.stderr);
    for (what, note) in [
        (
            "root",
            format!("\"Soon over\" of 1 root of ca.pem ends on {soon}; get a current file"),
        ),
        (
            "server",
            format!(
                "the server's certificate, made out to blue.example, ends on {soon}; see that it is renewed before"
            ),
        ),
    ] {
        assert_eq!(ran.stderr.matches(&note).count(), 1, "{what}: {}", ran.stderr);
    }
}

/// An API that sends for ever is left at a bound, in time and in memory.
#[test]
fn an_endless_answer_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                let _request = stream.read(&mut buffer);
                let _head = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                // A kilobyte in each millisecond: endless, and no load on the machine.
                let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
                while stream.write_all(chunk.as_bytes()).is_ok() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
    let here = tempfile::tempdir().expect("a folder");
    let endpoint = format!("http://{address}");
    let began = Instant::now();
    let ran = greenlight(
        here.path(),
        &[
            "check",
            "--cluster",
            "main",
            "--region",
            "eu-west-1",
            "--endpoint-url",
            &endpoint,
            "--deadline",
            "2s",
        ],
        &[
            ("AWS_ACCESS_KEY_ID", "AKIASANDBOXSANDBOX00"),
            ("AWS_SECRET_ACCESS_KEY", "opens-nothing"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// A facts file that is nested, long or repeats itself is refused or read, in time.
#[test]
fn facts_that_are_meant_to_exhaust_are_refused() {
    let nested = format!(
        "{{\"schema\":1,\"greenlight\":\"x\",\"a\":{}",
        "[".repeat(200_000)
    );
    let long = format!("{{\"schema\":1,\"greenlight\":\"{}\"}}", "x".repeat(8_000_000));
    let again = format!(
        "{{\"schema\":1,\"greenlight\":\"x\"{}}}",
        ",\"schema\":1".repeat(100_000)
    );
    for text in [nested, long, again] {
        let began = Instant::now();
        assert!(Facts::from_json(&text).is_err());
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

/// What cargo-deny is told, held by the lock file and cargo's own knowledge.
#[test]
fn nothing_is_in_the_tree_that_should_not_be() {
    let deny: toml::Table = root("deny.toml").parse().expect("TOML");
    let lock: toml::Table = root("Cargo.lock").parse().expect("TOML");
    let registries = deny["sources"]["allow-registry"].as_array().expect("a list");
    let packages = lock["package"].as_array().expect("packages");
    assert!(packages.len() > 100);
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        if let Some(source) = package.get("source").and_then(toml::Value::as_str) {
            let allowed = registries
                .iter()
                .any(|r| source == format!("registry+{}", r.as_str().expect("a URL")));
            assert!(allowed, "{name} is from {source}");
            assert!(package.get("checksum").is_some(), "{name} has no checksum");
        }
        let version = package["version"].as_str().expect("a version");
        for ban in deny["bans"]["deny"].as_array().expect("a list") {
            let ban = ban["crate"].as_str().expect("a name");
            let hit = match ban.split_once(":<") {
                Some((banned, below)) => {
                    let parts = |text: &str| -> Vec<u64> {
                        text.split('.').map(|n| n.parse().unwrap_or(0)).collect()
                    };
                    banned == name
                        && parts(version)
                            .iter()
                            .take(parts(below).len())
                            .lt(parts(below).iter())
                }
                None => ban == name,
            };
            assert!(!hit, "{name} {version} is banned");
        }
    }
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let allowed: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    for package in metadata["packages"].as_array().expect("packages") {
        let license = package["license"].as_str().unwrap_or("none");
        assert!(
            permits(license, &allowed),
            "{} is under {license}",
            package["name"]
        );
    }
    assert!(permits("(MIT OR GPL-3.0) AND Zlib", &allowed) && !permits("GPL-3.0", &allowed));
    assert!(!permits("MIT AND AGPL-3.0", &allowed), "both would hold");
}

/// Whether an expression can be met with what is allowed: one of each `OR`, all of each `AND`.
fn permits(expression: &str, allowed: &[&str]) -> bool {
    let text = expression.replace('/', " OR ");
    let text = text.trim();
    // The outermost operators, OR binding weaker.
    for (word, any) in [(" OR ", true), (" AND ", false)] {
        let mut depth = 0_i32;
        let mut parts = vec![String::new()];
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 0 && rest.starts_with(word) {
                parts.push(String::new());
                rest = &rest[word.len()..];
                continue;
            }
            parts.last_mut().expect("never empty").push(c);
            rest = &rest[c.len_utf8()..];
        }
        if parts.len() > 1 {
            return if any {
                parts.iter().any(|part| permits(part, allowed))
            } else {
                parts.iter().all(|part| permits(part, allowed))
            };
        }
    }
    match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => permits(inner, allowed),
        None => allowed.contains(&text),
    }
}
