//! What a full check costs, as ratios to references measured in the same run.
//!
//! `cargo bench --bench check` builds 30 databases with 500 tables each on one server and prints: a whole run of the binary
//! against (a) one `psql` start and one catalogue query per database and (b) the same probes one after the other; the
//! round trips per database; the memory at 100 databases with 1,000 offending tables each; the start-up; the binary's size.
//! Nothing here passes or fails: figures are read by people. Ratios need a machine that does nothing else; `GREENLIGHT_BINARY=FILE` measures
//! another build, such as the release's with this profile's servers.
//!
//! What decides the ratio to (a): a start of `psql` with its one query takes about 30 ms of processor time, 24 of them the program's own
//! and 6 the server's, and keeps one core busy. A database costs greenlight's server about 20 ms, 6 of them for the session, the rest for
//! planning each probe once while the session's catalog caches fill; both cores work on that at the same time. A database with functions, views and
//! triggers costs up to twice as much, since fewer probes are spared by their conditions. `probes.rs` shows where the time goes.
//!
//! (b) is every probe sent as it is and waited for: what a plain script with these queries costs. Below it stands the same with all probes of a database at
//! once and only where their conditions hold, as greenlight sends them, one database after the other: what several connections save.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "the clock is what is measured")]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use greenlight::{
    catalogue::Scope,
    checks,
    edge::{
        auth::Method,
        connect::{ConnectSpec, connect},
        env::Env,
        postgres::{Manners, Plan, probes, wrapped},
    },
    model::{Engine, PgVersion, Phase, Replication, Side},
    situation::{Applicability, Situation},
};
use sandbox::{
    pg::{Server, ServerOptions, block_on},
    proxy::{Mode, Proxy},
};

/// The binary that is measured: this profile's own, or the one that GREENLIGHT_BINARY names.
fn binary() -> String {
    std::env::var("GREENLIGHT_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_greenlight").to_owned())
}

const MAJOR: u32 = 15;
const PASSWORD: &str = "bench";

/// Runs `work` a few times and gives the best, which disturbs least.
fn best(times: usize, mut work: impl FnMut()) -> Duration {
    (0..times)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn greenlight(port: u16, only: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args([
            "check",
            "--target-version",
            "18",
            "--format",
            "json",
            "--blue-url",
        ])
        .arg(format!("postgres://greenlight@127.0.0.1:{port}/postgres"))
        .args(only)
        .env("PGPASSWORD", PASSWORD)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

async fn server(databases: usize, tables: usize) -> (Server, Vec<String>) {
    let options = ServerOptions::new(MAJOR)
        .logical()
        .setting("max_connections", "200");
    let server = Server::start(options).await.expect("a server");
    let role = format!("create role greenlight login password '{PASSWORD}'; grant pg_monitor to greenlight;");
    server
        .execute("postgres", &role)
        .await
        .expect("the checking role");
    server
        .execute("postgres", "create database one")
        .await
        .expect("a database");
    let fill = format!(
        "do $$ begin for n in 1..{tables} loop execute format('create table t%s (v text, w int, x timestamptz)', n); end loop; end $$"
    );
    server.execute("one", &fill).await.expect("tables");
    server.execute("one", "vacuum analyze").await.expect("statistics");
    let mut names = vec!["one".to_owned()];
    for n in 2..=databases {
        let name = format!("db{n}");
        let sql = format!("create database {name} template one");
        server.execute("postgres", &sql).await.expect("a copy");
        names.push(name);
    }
    (server, names)
}

/// (a) The least that a shell script does: psql and one catalogue query per database.
fn psql(port: u16, names: &[String]) {
    for name in names {
        let done = Command::new("psql")
            .args(["-XAtq", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "greenlight", "-d", name, "-c"])
            .arg("select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r'")
            .env("PGPASSWORD", PASSWORD)
            .stdout(Stdio::null())
            .status();
        assert!(done.expect("psql runs").success());
    }
}

fn has_psql() -> bool {
    let asked = Command::new("psql")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// The probes that the measured run sends: those of the checks that apply to databases alone on their way to 18.
fn same_probes() -> Plan {
    let version = PgVersion::new(15, 0);
    let situation = Situation {
        phase: Phase::Create,
        engine: Engine::Postgres,
        databases_only: true,
        source: Some(version),
        target: Some(PgVersion::major(18)),
        replication: Some(Replication::Logical),
        has_green: false,
    };
    Plan::of(Side::Blue, version, |check| {
        !matches!(situation.applies(&check.page.header), Applicability::No(_))
    })
}

/// (b) The same probes, one after the other, prepared as a plain client does it.
async fn one_after_the_other(server: &Server, names: &[String]) -> Duration {
    let plan = same_probes();
    let begun = Instant::now();
    for (n, name) in names.iter().map(String::as_str).chain(["postgres"]).enumerate() {
        let client = server
            .connect_as(name, "greenlight", PASSWORD)
            .await
            .expect("a session");
        client
            .batch_execute("set search_path = pg_catalog")
            .await
            .expect("a setting");
        let server_probes = if n == 0 { plan.server.as_slice() } else { &[] };
        for (_, query) in plan.database.iter().chain(server_probes) {
            let _ = client.query(&wrapped(&query.sql, query.limit), &[]).await;
        }
    }
    begun.elapsed()
}

/// The same as greenlight sends them, but one database after the other.
async fn one_database_after_the_other(server: &Server, names: &[String]) -> Duration {
    let plan = same_probes();
    let begun = Instant::now();
    for (n, name) in names.iter().map(String::as_str).chain(["postgres"]).enumerate() {
        let url = server.url(name, "greenlight", PASSWORD);
        let spec = ConnectSpec::from_conninfo(&url, Method::Password, &Env::empty(), None).expect("a URL");
        let session = connect(&spec).await.expect("a session");
        if n == 0 {
            probes(&session, &plan.server, Manners::default()).await;
        }
        probes(&session, &plan.database, Manners::default()).await;
    }
    begun.elapsed()
}

/// How often the program waits for the way there and back, one connection at a time: what a run takes longer when every byte
/// is late, in units of that delay. Messages that are sent without waiting for an answer are no round trip.
fn round_trips(proxy: &Proxy) -> f64 {
    const ONE_WAY: Duration = Duration::from_millis(100);
    let run = || {
        best(2, || {
            let mut command = greenlight(proxy.addr().port(), &["--connections", "1"]);
            command.status().expect("the binary runs");
        })
    };
    let at_once = run();
    block_on(proxy.set_mode(Mode::delayed(ONE_WAY)));
    let late = run();
    late.saturating_sub(at_once).as_secs_f64() / (2.0 * ONE_WAY.as_secs_f64())
}

fn peak_memory(mut command: Command) -> Option<u64> {
    let mut child = command.spawn().ok()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().ok()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line
            .and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .unwrap_or(0);
        peak = peak.max(kib);
        std::thread::sleep(Duration::from_millis(2));
    }
    Some(peak)
}

/// The figures, a line each, all at the end.
#[derive(Default)]
struct Table(Vec<[String; 4]>);

impl Table {
    fn line(&mut self, figure: &str, measured: impl Into<String>, of: impl Into<String>, aim: &str) {
        self.0
            .push([figure.to_owned(), measured.into(), of.into(), aim.to_owned()]);
    }

    /// A ratio of two times.
    fn ratio(&mut self, figure: &str, whole: Duration, reference: Duration, aim: &str) {
        let (whole, reference) = (whole.as_secs_f64(), reference.as_secs_f64());
        self.line(
            figure,
            format!("{:.2}", whole / reference),
            format!("{whole:.2} s / {reference:.2} s"),
            aim,
        );
    }

    fn show(&self) {
        println!("{:<46} {:>10}  {:<18} aim", "figure", "measured", "from");
        for [figure, measured, of, aim] in &self.0 {
            println!(
                "{}",
                format!("{figure:<46} {measured:>10}  {of:<18} {aim}").trim_end()
            );
        }
    }
}

/// One server of 30 databases: the whole run against its references, each time in turn, so that both meet the same machine.
fn thirty(table: &mut Table) {
    let (server, names) = block_on(server(30, 500));
    let (mut whole, mut reference) = (Duration::MAX, Duration::MAX);
    let there = has_psql();
    for _ in 0..5 {
        whole = whole.min(best(1, || {
            greenlight(server.port(), &[]).status().expect("the binary runs");
        }));
        if there {
            reference = reference.min(best(1, || psql(server.port(), &names)));
        }
    }
    table.line(
        "full check of 30 databases x 500 tables",
        format!("{:.2} s", whole.as_secs_f64()),
        "",
        "",
    );
    if there {
        table.ratio(
            "  to (a) psql and one query, each database",
            whole,
            reference,
            "under 0.5",
        );
    } else {
        table.line(
            "  to (a) psql and one query, each database",
            "-",
            "no psql here",
            "under 0.5",
        );
    }
    let plain = block_on(one_after_the_other(&server, &names));
    table.ratio(
        "  to (b) the same probes one after the other",
        whole,
        plain,
        "under 0.2",
    );
    let ours = block_on(one_database_after_the_other(&server, &names));
    table.ratio("  to greenlight's way, a database at a time", whole, ours, "");
    let proxy = block_on(Proxy::start(server.address())).expect("a proxy");
    // With `postgres` and `template1`.
    let trips = round_trips(&proxy) / (names.len() + 2) as f64;
    table.line("  round trips a database", format!("{trips:.1}"), "", "at most 4");
}

fn main() {
    // `cargo test` runs benches once to see that they work; the figures would mean nothing there.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let of = |scope| {
        checks::all()
            .iter()
            .filter(|c| c.page.header.scope == scope)
            .count()
    };
    let plan = same_probes();
    println!(
        "{} checks, {} of them per database; {} probes per database and {} per server in this run\n",
        checks::all().len(),
        of(Scope::Database),
        plan.database.len(),
        plan.server.len()
    );
    let mut table = Table::default();
    thirty(&mut table);
    let (large, _) = block_on(server(100, 1000));
    let peak = peak_memory(greenlight(large.port(), &[]));
    let peak = peak.map_or("-".to_owned(), |kib| format!("{:.0} MB", kib as f64 / 1024.0));
    table.line(
        "peak memory, 100 databases x 1,000 offenders",
        peak,
        "",
        "under 64 MB",
    );
    drop(large);
    let start = best(20, || {
        let done = Command::new(binary())
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        assert!(done.expect("the binary runs").success());
    });
    table.line(
        "start-up of --version",
        format!("{:.1} ms", start.as_secs_f64() * 1e3),
        "",
        "under 15 ms",
    );
    let size = std::fs::metadata(Path::new(&binary())).map_or(0, |m| m.len());
    table.line(
        "size of the binary",
        format!("{:.1} MB", size as f64 / 1e6),
        "",
        "",
    );
    table.show();
}
