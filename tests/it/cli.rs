//! The shipped binary: what it prints, where, and how it ends. Its environment is empty but for what a test gives.

use std::{path::Path, process::Output};

use greenlight::facts::Facts;
use sandbox::pg::{Server, ServerOptions, block_on};

use crate::support::{PASSWORD, checking_role};

/// A run of the binary.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary in a folder with only the given environment.
pub(crate) fn greenlight(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let output: Output = std::process::Command::new(env!("CARGO_BIN_EXE_greenlight"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .expect("the binary runs");
    let ran = Ran {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    };
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains("panicked") && !text.contains("RUST_BACKTRACE"),
            "{text}"
        );
        assert!(
            !text.contains(PASSWORD) && !text.contains("s3cret"),
            "a secret got out: {text}"
        );
    }
    ran
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A server with one table that blocks.
async fn server() -> Server {
    let server = Server::start(ServerOptions::new(15).logical())
        .await
        .expect("a server");
    checking_role(&server).await;
    server
        .execute("postgres", "create database app")
        .await
        .expect("a database");
    server
        .execute("app", "create table keyless (v text)")
        .await
        .expect("a table");
    server
}

fn url(server: &Server, database: &str) -> String {
    format!(
        "postgres://greenlight@{}:{}/{database}",
        server.host(),
        server.port()
    )
}

#[test]
fn a_wrong_command_line_is_usage() {
    let here = folder();
    for (args, wanted) in [
        (&["chekc"][..], "check"),
        (
            &["check"],
            "--cluster, --instance, --deployment, --blue-url or --facts",
        ),
        (
            &["check", "--facts", "x", "--blue-url", "y"],
            "cannot be used with",
        ),
        (&["check", "--facts", "nowhere.json"], "cannot read nowhere.json"),
        (
            &[
                "check",
                "--blue-url",
                "postgres://x",
                "--only",
                "replica-identiti",
            ],
            "did you mean \"replica-identity\"?",
        ),
        (
            &["check", "--blue-url", "postgres://x", "-o", "pdf=x"],
            "there is no format \"pdf\"",
        ),
        (
            &["check", "--blue-url", "postgres://x", "-o", "json"],
            "write FORMAT=FILE",
        ),
        (
            &[
                "check",
                "--blue-url",
                "postgres://x",
                "--target-version",
                "fourteen",
            ],
            "14.10",
        ),
        (&["check", "--blue-url", "mysql://x"], "--blue-url"),
        (
            &["check", "--blue-url", "postgres://u@h", "--auth", "magic"],
            "--auth",
        ),
        (&["explain", "replica-identiti"], "did you mean replica-identity"),
    ] {
        let ran = greenlight(here.path(), args, &[]);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn a_bad_policy_file_names_line_and_key() {
    let here = folder();
    std::fs::write(
        here.path().join("greenlight.toml"),
        "[thresholds]\nmax-lag-byte = 1\n",
    )
    .expect("written");
    let ran = greenlight(
        here.path(),
        &["check", "--blue-url", "postgres://x@127.0.0.1/x"],
        &[],
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .contains("greenlight.toml:2: there is no key \"max-lag-byte\"; did you mean"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_facts_file_that_is_none_is_refused() {
    let here = folder();
    let server = block_on(server());
    let path = here.path().join("facts.json");
    let file = path.to_str().expect("UTF-8");
    let blue = url(&server, "app");
    let ran = greenlight(
        here.path(),
        &["collect", "--blue-url", &blue, "-o", file],
        &[("PGPASSWORD", PASSWORD)],
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert_eq!(mode(&path), 0o600);
    let whole = std::fs::read_to_string(&path).expect("facts");
    Facts::from_json(&whole).expect("a facts document");

    let check = ["check", "--facts", file, "--target-version", "17"];
    for (name, text, wanted) in [
        (
            "cut off",
            whole[..whole.len() / 2].to_owned(),
            "cut off or edited by hand",
        ),
        (
            "another schema",
            whole.replacen("\"schema\": 1", "\"schema\": 99", 1),
            "schema 99",
        ),
        (
            "a key misspelt",
            whole.replacen("\"collected_at\"", "\"colected_at\"", 1),
            "colected_at",
        ),
        (
            "a wrong type",
            whole.replacen("\"lag\": []", "\"lag\": 7", 1),
            "not a facts document",
        ),
        ("empty", String::new(), "not a facts document"),
        ("not JSON", "hello".to_owned(), "not a facts document"),
    ] {
        std::fs::write(&path, text).expect("written");
        let ran = greenlight(here.path(), &check, &[]);
        assert_eq!(ran.code, 2, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{name}: {}", ran.stderr);
    }
    // Edited so that a row is no longer what the probe gives: known to be unknown, not taken for clean.
    std::fs::write(&path, whole.replace("\"identity\"", "\"identitee\"")).expect("written");
    let ran = greenlight(here.path(), &check, &[]);
    assert_eq!(
        ran.code,
        10 + 1 - i32::from(ran.stdout.contains("NOT READY")),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("unreadable row"), "{}", ran.stdout);
}

#[test]
fn collected_facts_are_judged_the_same_way_again() {
    let here = folder();
    let server = block_on(server());
    let blue = url(&server, "app");
    let env = [("PGPASSWORD", PASSWORD)];
    let live = greenlight(
        here.path(),
        &[
            "check",
            "--blue-url",
            &blue,
            "--target-version",
            "17",
            "--phase",
            "create",
            "--format",
            "json",
        ],
        &env,
    );
    assert_eq!(live.code, 10, "{}", live.stderr);
    let collected = greenlight(
        here.path(),
        &["collect", "--blue-url", &blue, "-o", "facts.json"],
        &env,
    );
    assert_eq!(collected.code, 0, "{}", collected.stderr);
    let saved = greenlight(
        here.path(),
        &[
            "check",
            "--facts",
            "facts.json",
            "--target-version",
            "17",
            "--phase",
            "create",
            "--format",
            "json",
        ],
        &[],
    );
    assert_eq!(saved.code, 10, "{}", saved.stderr);
    let strip = |text: &str| {
        let mut report: serde_json::Value = serde_json::from_str(text).expect("JSON");
        report["collected_at"] = "then".into();
        // What the checks saw of sessions and ages moves on between two looks.
        report["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .map(|c| {
                format!(
                    "{} {} {}",
                    c["id"],
                    c["outcome"],
                    c["findings"].as_array().map_or(0, Vec::len)
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(strip(&live.stdout), strip(&saved.stdout));
    // The same file gives the same bytes.
    let again = greenlight(
        here.path(),
        &[
            "check",
            "--facts",
            "facts.json",
            "--target-version",
            "17",
            "--phase",
            "create",
            "--format",
            "json",
        ],
        &[],
    );
    assert_eq!(again.stdout, saved.stdout);
}

#[test]
fn what_cannot_be_reached_is_code_3() {
    let here = folder();
    let server = block_on(server());
    let good = url(&server, "app");
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let nobody = format!("postgres://greenlight@127.0.0.1:{closed}/app");
    let wrong_database = url(&server, "nope");
    let wrong_role = format!("postgres://stranger@127.0.0.1:{}/app", server.port());
    for (name, url, password, wanted) in [
        ("wrong password", &good, "wrong", "password"),
        ("nobody listens", &nobody, PASSWORD, "refused the connection"),
        ("no such database", &wrong_database, PASSWORD, "nope"),
        ("no such role", &wrong_role, PASSWORD, "stranger"),
    ] {
        let ran = greenlight(
            here.path(),
            &["check", "--blue-url", url, "--target-version", "17"],
            &[("PGPASSWORD", password)],
        );
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(wanted),
            "{name}: {}",
            ran.stderr
        );
        assert_eq!(
            ran.stderr.trim().lines().count(),
            1,
            "{name}: one message: {}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "", "{name}");
    }
}

#[test]
fn waivers_and_fail_on_decide_the_exit_code() {
    let here = folder();
    let server = block_on(async {
        let server = server().await;
        server
            .execute("app", "create unlogged table scratch (v text)")
            .await
            .expect("a table");
        server
    });
    let blue = url(&server, "app");
    let env = [("PGPASSWORD", PASSWORD)];
    let run = |config: &str, more: &[&str]| {
        std::fs::write(here.path().join("greenlight.toml"), config).expect("written");
        let mut args = vec![
            "check",
            "--blue-url",
            &blue,
            "--target-version",
            "17",
            "--phase",
            "create",
            "--only",
            "replica-identity,unlogged-tables",
        ];
        args.extend(more);
        greenlight(here.path(), &args, &env)
    };
    let waiver = |until: &str| {
        format!(
            "[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"app/public.keyless\"\nreason = \"insert only\"\nuntil = {until}\n"
        )
    };
    assert_eq!(run("", &[]).code, 10);
    let waived = run(&waiver("2999-12-31"), &[]);
    assert_eq!(waived.code, 0, "{}", waived.stdout);
    assert!(
        waived.stdout.contains("WAIVED") && waived.stdout.contains("insert only"),
        "{}",
        waived.stdout
    );
    assert_eq!(run(&waiver("2999-12-31"), &["--fail-on", "warning"]).code, 10);
    let expired = run(&waiver("2020-01-01"), &[]);
    assert_eq!(expired.code, 10);
    let words = expired.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("it ended on 2020-01-01, and what it accepted is still there"),
        "{}",
        expired.stdout
    );
    assert_eq!(run("[levels]\nreplica-identity = \"notice\"\n", &[]).code, 0);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}
