//! Real `pg_upgrade` against the checks of the engine upgrade: what it refuses must be blocked, what it carries over must not be.
//!
//! Every scenario of those pages is set up on a server of an older major and judged there; then the server is stopped and really
//! upgraded. `pg_upgrade` comes from an installation: `GREENLIGHT_PG_UPGRADE_<MAJOR>` names it, Debian's is found by itself. Where
//! there is none the test says so, unless `GREENLIGHT_REQUIRE_PG_UPGRADE` asks for it.

use std::{
    fmt::Write as _,
    fs,
    os::unix::{fs::MetadataExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::{StreamExt as _, stream};
use greenlight::{
    catalogue::Scenario,
    checks::{self, Check},
    model::{Engine, PgVersion, Phase},
    policy::Policy,
    verdict::{Level, Verdict},
};
use sandbox::pg::{Server, ServerOptions, StopMode, block_on, ident};

use crate::{
    scenarios::{Setup, execute, expectation, is_control_plane, setup, with_settings},
    support::{Wanted, checking_role, collect, spec},
};

/// Where judgement and `pg_upgrade` rightly part, and why.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "removed-extensions: Python 2 is gone",
        "the scenario renames another extension, whose library is there",
    ),
    (
        "role-names: a role left over",
        "pg_upgrade takes the role, RDS's own precheck does not",
    ),
    (
        "closed-databases: a connection limit of zero",
        "it upgrades, but nobody can look into it, which is no pass",
    ),
    (
        "reg-columns: a template that the role may not enter",
        "it upgrades, but nobody can look into it, which is no pass",
    ),
    (
        "collation-versions: ",
        "builds for packages may lack ICU, which the scenario's collations need",
    ),
    (
        "foreign-key-collations: ",
        "builds for packages may lack ICU, which the scenario's collations need",
    ),
];

/// An installation of the target major.
#[derive(Debug)]
struct Target {
    major: u16,
    bin: PathBuf,
    empty: std::sync::OnceLock<tempfile::TempDir>,
}

impl Target {
    fn find(major: u16) -> Option<Self> {
        let named = std::env::var_os(format!("GREENLIGHT_PG_UPGRADE_{major}")).filter(|dir| !dir.is_empty());
        let home = named.map_or_else(
            || PathBuf::from(format!("/usr/lib/postgresql/{major}")),
            PathBuf::from,
        );
        let bin = home.join("bin");
        if bin.join("pg_upgrade").is_file() {
            return Some(Self {
                major,
                bin,
                empty: std::sync::OnceLock::new(),
            });
        }
        let required = std::env::var_os("GREENLIGHT_REQUIRE_PG_UPGRADE").is_some();
        assert!(!required, "{} has no pg_upgrade", bin.display());
        eprintln!(
            "not run: no pg_upgrade for {major}: GREENLIGHT_PG_UPGRADE_{major}=DIR names an installation"
        );
        None
    }
}

/// What is set up on one server, and upgraded with it.
struct Case {
    name: String,
    parts: Vec<Part>,
    settings: toml::Table,
    source: u16,
}

/// A scenario, in a database of its own.
struct Part {
    check: &'static Check,
    scenario: &'static Scenario,
}

/// What the two said.
struct Said {
    name: String,
    blockers: Vec<String>,
    /// The last lines of a `pg_upgrade` that failed.
    refused: Option<String>,
}

/// Every scenario that can be played alone, on the newest major that it is about, below the target. Those that are fine share a server:
/// one upgrade shows all of them.
fn cases(sources: &[u16]) -> Vec<Case> {
    let mut all: Vec<Case> = sources
        .iter()
        .map(|source| Case {
            name: format!("all that is fine (from {source})"),
            parts: Vec::new(),
            settings: toml::Table::new(),
            source: *source,
        })
        .collect();
    for check in checks::all().iter().filter(|c| c.page.group == "upgrade") {
        for scenario in check
            .page
            .scenarios
            .iter()
            .filter(|s| !is_control_plane(check, s))
        {
            let setup = setup(check, scenario);
            let Some(source) = sources.iter().position(|major| fits(check, &setup, *major)) else {
                continue;
            };
            let sessions = ["held", "running", "green"];
            let alone = |info: &str| !info.split_whitespace().any(|word| sessions.contains(&word));
            if !scenario.blocks.iter().all(|b| b.is("sql fix") || alone(&b.info)) {
                continue;
            }
            let name = format!("{}: {} (from {})", check.page.id, scenario.name, sources[source]);
            let part = Part { check, scenario };
            let fine = expectation(check, scenario).verdict == "pass";
            let shares = setup.server.is_none() && setup.settings.is_empty();
            if fine && shares && !apart(&name) {
                all[source].parts.push(part);
            } else {
                all.push(Case {
                    name,
                    parts: vec![part],
                    settings: setup.settings,
                    source: sources[source],
                });
            }
        }
    }
    all.retain(|case| !case.parts.is_empty());
    all
}

/// Whether the page and the scenario are about servers of this major.
fn fits(check: &Check, setup: &Setup, major: u16) -> bool {
    let version = PgVersion::new(major, 99);
    let applies = &check.page.header.applies;
    setup.majors.as_ref().is_none_or(|m| m.holds(version))
        && applies.source.as_ref().is_none_or(|r| r.holds(version))
        && applies.crosses.is_none_or(|step| major < step)
}

/// Whether judgement and `pg_upgrade` rightly part here.
fn apart(name: &str) -> bool {
    EXPLAINED.iter().any(|(explained, _)| name.starts_with(explained))
}

async fn play(case: &Case, target: &Target) -> Said {
    let mut options = with_settings(ServerOptions::new(case.source.into()), &case.settings)
        .setting("autovacuum", "off")
        .setting("max_prepared_transactions", "10");
    options.hba = vec!["local all all trust".to_owned()];
    let server = Server::start(options).await.expect("a server");
    checking_role(&server).await;
    for (number, part) in case.parts.iter().enumerate() {
        let database = format!("case {number}");
        let create = format!("create database {}", ident(&database));
        server.execute("postgres", &create).await.expect("a database");
        for block in part.scenario.blocks.iter().filter(|b| b.is("sql blue")) {
            let sql = block.text.replace("{database}", &ident(&database));
            let done = execute(&server, &database, &sql).await;
            done.unwrap_or_else(|e| panic!("{}: {}: {e}", part.check.page.id, part.scenario.name));
        }
    }
    let blockers = blockers(&server, target.major).await;
    let control = control(&server, case.source).await;
    let data = server.data_dir().to_owned();
    server.stop(StopMode::Fast).await.expect("it stops");
    let owner = fs::metadata(&data).expect("the data folder");
    let work = Work {
        // Beside the data, which is linked.
        folder: tempfile::Builder::new()
            .prefix("u")
            .tempdir_in(data.parent().expect("a folder"))
            .expect("a folder"),
        uid: owner.uid(),
        gid: owner.gid(),
    };
    let refused = work.upgrade(case.source, &data, &control, target);
    Said {
        name: case.name.clone(),
        blockers,
        refused,
    }
}

async fn blockers(server: &Server, target: u16) -> Vec<String> {
    let wanted = Wanted {
        check: None,
        engine: Engine::Postgres,
        target: Some(PgVersion::major(target)),
        phase: Some(Phase::Create),
        lag_samples: 0,
        compare_rows: Vec::new(),
    };
    let (facts, situation) = collect(&spec(server, "greenlight"), None, wanted).await;
    let policy = Policy::at(facts.collected_at);
    let mut all = Vec::new();
    for check in checks::all().iter().filter(|c| c.page.group == "upgrade") {
        match check.judge(&facts, &situation, &policy) {
            Verdict::Fail { findings, .. } => {
                let blocks =
                    |level: Option<Level>| level.unwrap_or(check.page.header.level) == Level::Blocker;
                all.extend(
                    findings
                        .iter()
                        .filter(|f| blocks(f.level))
                        .map(|f| format!("{}: {}", check.page.id, f.object)),
                );
            }
            // A database that cannot be connected to leaves blind spots, which gate as well.
            Verdict::Unknown { .. } if check.page.header.level == Level::Blocker => {
                all.push(format!("{}: unknown", check.page.id));
            }
            _ => {}
        }
    }
    all
}

/// What `pg_controldata` and `pg_resetwal -n` of the old major would print, as far as `pg_upgrade` reads it: the servers' packages hold
/// neither, and the server tells the same.
async fn control(server: &Server, major: u16) -> String {
    let sql = "select c.timeline_id, c.next_xid, c.next_oid, c.next_multixact_id, c.next_multi_offset, c.oldest_xid,
          c.oldest_multi_xid, i.max_data_alignment, i.database_block_size, i.blocks_per_segment, i.wal_block_size,
          i.bytes_per_wal_segment, i.max_identifier_length, i.max_index_columns, i.max_toast_chunk_size, i.large_object_chunk_size,
          i.data_page_checksum_version, s.pg_control_version, s.catalog_version_no
        from pg_control_checkpoint() c, pg_control_init() i, pg_control_system() s";
    server
        .execute("postgres", "checkpoint")
        .await
        .expect("a checkpoint");
    let rows = server.query("postgres", sql).await.expect("control data");
    let value = |n: usize| rows[0][n].clone().expect("a value");
    let next = "select to_hex(1), lpad(to_hex((('x' || substr(f, 9, 8))::bit(32)::bigint) * 256
          + ('x' || substr(f, 17, 8))::bit(32)::bigint + 2), 8, '0') from (select pg_walfile_name(pg_current_wal_lsn()) f) x";
    let next = server.query("postgres", next).await.expect("the log's place");
    let segment = u32::from_str_radix(next[0][1].as_deref().expect("a segment"), 16).expect("hexadecimal");
    let lines = [
        ("Database cluster state", "shut down".to_owned()),
        ("pg_control version number", value(17)),
        ("Catalog version number", value(18)),
        (
            "First log segment after reset",
            format!("{:08X}{:08X}{:08X}", 1, segment / 256, segment % 256),
        ),
        ("Latest checkpoint's TimeLineID", value(0)),
        ("Latest checkpoint's NextXID", value(1)),
        ("Latest checkpoint's NextOID", value(2)),
        ("Latest checkpoint's NextMultiXactId", value(3)),
        ("Latest checkpoint's NextMultiOffset", value(4)),
        ("Latest checkpoint's oldestXID", value(5)),
        ("Latest checkpoint's oldestMultiXid", value(6)),
        ("Maximum data alignment", value(7)),
        ("Database block size", value(8)),
        ("Blocks per segment of large relation", value(9)),
        ("WAL block size", value(10)),
        ("Bytes per WAL segment", value(11)),
        ("Maximum length of identifiers", value(12)),
        ("Maximum columns in an index", value(13)),
        ("Maximum size of a TOAST chunk", value(14)),
        ("Size of a large-object chunk", value(15)),
        ("Date/time type storage", "64-bit integers".to_owned()),
        ("Float4 argument passing", "by value".to_owned()),
        ("Float8 argument passing", "by value".to_owned()),
        ("Data page checksum version", value(16)),
        ("Default char data signedness", "signed".to_owned()),
    ];
    assert!(major >= 11, "older ones print other names");
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{:<38}{value}", format!("{name}:"));
        text
    })
}

/// The folder of one upgrade, and who does it: `pg_upgrade` refuses root.
struct Work {
    folder: tempfile::TempDir,
    uid: u32,
    gid: u32,
}

impl Work {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .uid(self.uid)
            .gid(self.gid);
        command
            .env_remove("LD_LIBRARY_PATH")
            .env("HOME", self.folder.path());
        command
    }

    fn own(&self, path: &Path) {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).expect("ownership");
    }

    /// Programs of the old major: its own `postgres` and `pg_ctl`, and the two that only tell the control data.
    fn old_programs(&self, data: &Path, control: &str) -> PathBuf {
        let bin = self.folder.path().join("old");
        fs::create_dir(&bin).expect("a folder");
        let running = fs::read_to_string(data.join("postmaster.opts")).expect("how it was started");
        let postgres = running
            .split_whitespace()
            .next()
            .expect("a program")
            .trim_matches('"');
        let home = Path::new(postgres).parent().expect("its folder");
        for program in ["postgres", "pg_ctl"] {
            // A script, because the programs find their libraries by their own place.
            let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", home.join(program).display());
            script(&bin.join(program), &text);
        }
        fs::write(bin.join("control"), control).expect("written");
        for program in ["pg_controldata", "pg_resetwal"] {
            script(
                &bin.join(program),
                &format!("#!/bin/sh\ncat '{}'\n", bin.join("control").display()),
            );
        }
        bin
    }

    /// The new cluster, which every upgrade takes a copy of.
    fn initdb(&self, target: &Target) -> tempfile::TempDir {
        let folder = tempfile::Builder::new()
            .prefix("gl-new-")
            .tempdir()
            .expect("a folder");
        self.own(folder.path());
        let mut initdb = self.command(&target.bin.join("initdb"));
        initdb.args([
            "-U",
            "rdsadmin",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
            "-N",
            "-D",
        ]);
        initdb.arg(folder.path().join("data"));
        if target.major >= 18 {
            initdb.arg("--no-data-checksums");
        }
        let made = initdb.output().expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder
    }

    /// Upgrades; why it failed, if it did.
    fn upgrade(&self, source: u16, data: &Path, control: &str, target: &Target) -> Option<String> {
        self.own(self.folder.path());
        let old = self.old_programs(data, control);
        let new = self.folder.path().join("new");
        let empty = target.empty.get_or_init(|| self.initdb(target));
        let copied = self
            .command(Path::new("cp"))
            .arg("-a")
            .arg(empty.path().join("data"))
            .arg(&new)
            .status();
        assert!(
            copied.expect("cp runs").success(),
            "the new cluster can be copied"
        );
        let mut command = self.command(&target.bin.join("pg_upgrade"));
        command
            .args(["-U", "rdsadmin", "--link", "-b"])
            .arg(&old)
            .arg("-B")
            .arg(&target.bin);
        command.arg("-d").arg(data).arg("-D").arg(&new);
        // The settings of the sandbox's server name a port and folders; sockets are in the working folder.
        command.args([
            "-o",
            "-c fsync=off -c max_prepared_transactions=10",
            "-O",
            "-c fsync=off",
        ]);
        let done = command.output().expect("pg_upgrade runs");
        if done.status.success() {
            return None;
        }
        let said = String::from_utf8_lossy(&done.stdout);
        let lines: Vec<&str> = said
            .lines()
            .filter(|l| !l.trim().is_empty() && !l.trim_end().ends_with(" ok"))
            .collect();
        let mut why = lines[lines.len().saturating_sub(12)..].join(" / ");
        why.push_str(&String::from_utf8_lossy(&done.stderr));
        assert!(
            !why.contains("could not find") || why.contains("librar"),
            "from {source}: {why}"
        );
        why.push_str(&self.errors());
        Some(why)
    }

    /// What the logs say beyond "consult the log".
    fn errors(&self) -> String {
        let mut all = String::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir()
                    && (path.file_name().is_some_and(|n| {
                        n == "new" || n.to_string_lossy().contains("pg_upgrade") || n == "log"
                    }) || folder.ends_with("pg_upgrade_output.d"))
                {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "log") {
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    for line in text
                        .lines()
                        .filter(|l| l.contains("ERROR") || l.contains("FATAL"))
                        .take(2)
                    {
                        let _ = write!(all, " / {line}");
                    }
                }
            }
        }
        all
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

fn oracle(target: u16, sources: &[u16]) {
    let Some(target) = Target::find(target) else {
        return;
    };
    let only = std::env::var("ORACLE_ONLY").ok();
    let mut cases = cases(sources);
    cases.retain(|c| only.as_ref().is_none_or(|only| c.name.contains(only.as_str())));
    let said: Vec<Said> = block_on(
        stream::iter(&cases)
            .map(async |case| play(case, &target).await)
            .buffered(2)
            .collect(),
    );
    let mut wrong = String::new();
    for case in &said {
        if std::env::var_os("ORACLE_TELLS").is_some() {
            eprintln!(
                "{} to {}: blocked {:?}, pg_upgrade {:?}",
                case.name, target.major, case.blockers, case.refused
            );
        }
        if case.blockers.is_empty() == case.refused.is_some() && !apart(&case.name) {
            let _ = writeln!(
                wrong,
                "  {}: blocked {:?}, pg_upgrade {:?}",
                case.name, case.blockers, case.refused
            );
        }
    }
    assert!(wrong.is_empty(), "to {}:\n{wrong}", target.major);
    if only.is_none() {
        let refused = said.iter().filter(|c| c.refused.is_some()).count();
        let taken: usize = cases
            .iter()
            .filter(|c| c.name.starts_with("all "))
            .map(|c| c.parts.len())
            .sum();
        assert!(refused >= 20 && taken >= 20, "{refused} refused, {taken} taken");
    }
}

#[test]
fn pg_upgrade_to_15_refuses_what_is_blocked_and_takes_the_rest() {
    oracle(15, &[14, 13, 11]);
}

#[test]
fn pg_upgrade_to_18_refuses_what_is_blocked_and_takes_the_rest() {
    oracle(18, &[17, 16, 14, 13, 11]);
}
