//! Extensions as Debian installs them: a database that holds nothing but an extension's own objects must not be blocked, but for those
//! extensions that truly stand in the way.
//!
//! `GREENLIGHT_EXTENSIONS` names the installation (default: Debian's PostgreSQL 15). What is not installed is not tried, unless
//! `GREENLIGHT_REQUIRE_EXTENSIONS` asks for all.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use greenlight::{
    checks,
    model::{Engine, PgVersion, Phase},
    policy::Policy,
    verdict::{Level, Verdict},
};
use sandbox::pg::{Server, ServerOptions, block_on, ident};

use crate::support::{Wanted, checking_role, collect, spec};

/// Extensions that must be there where all are asked for.
const REQUIRED: [&str; 7] = [
    "hypopg",
    "pg_cron",
    "pg_partman",
    "pg_repack",
    "pgaudit",
    "pglogical",
    "postgis",
];

/// What is needed at the start. Each is left out where its library is not there.
const PRELOADED: [&str; 6] = [
    "pg_cron",
    "pgaudit",
    "pg_stat_statements",
    "pg_stat_kcache",
    "pg_qualstats",
    "pglogical",
];

/// Blockers that are right, by extension: the check, and why.
const RIGHTLY: &[(&str, &str, &str)] = &[
    ("adminpack", "removed-extensions", "gone in 17"),
    ("old_snapshot", "removed-extensions", "gone in 17"),
    ("pg_repack", "rds-extensions", "the service's precheck refuses it"),
];

/// Checks of the server as a whole, which these settings make fail on purpose.
const OF_THE_SERVER: [&str; 2] = ["replication-extensions", "conflicting-libraries"];

fn available(home: &Path) -> BTreeSet<String> {
    let version = home.file_name().unwrap_or_default();
    let folders = [
        home.join("share/postgresql/extension"),
        home.join("share/extension"),
        Path::new("/usr/share/postgresql").join(version).join("extension"),
    ];
    let files = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten();
    files
        .filter_map(|file| {
            let name = file.ok()?.file_name().into_string().ok()?;
            // `postgis-3.control` belongs to `postgis`.
            name.strip_suffix(".control")
                .filter(|n| !n.ends_with("-3"))
                .map(str::to_owned)
        })
        .collect()
}

async fn judged(server: &Server, engine: Engine) -> BTreeMap<Option<String>, BTreeSet<String>> {
    let wanted = Wanted {
        check: None,
        engine,
        target: Some(PgVersion::major(17)),
        phase: Some(Phase::Create),
        lag_samples: 0,
        compare_rows: Vec::new(),
    };
    let (facts, situation) = collect(&spec(server, "greenlight"), None, wanted).await;
    let policy = Policy::at(facts.collected_at);
    let mut all: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    for check in checks::all().iter().filter(|c| c.page.group != "capacity") {
        if let Verdict::Fail { findings, .. } = check.judge(&facts, &situation, &policy) {
            for finding in findings {
                if finding.level.unwrap_or(check.page.header.level) == Level::Blocker {
                    all.entry(finding.database)
                        .or_default()
                        .insert(check.page.id.clone());
                }
            }
        }
    }
    all
}

async fn story(home: PathBuf) {
    let available = available(&home);
    if std::env::var_os("GREENLIGHT_REQUIRE_EXTENSIONS").is_some() {
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .filter(|name| !available.contains(*name))
            .collect();
        assert!(missing.is_empty(), "not installed: {missing:?}");
    }
    let libraries: Vec<&str> = PRELOADED
        .into_iter()
        .filter(|name| home.join(format!("lib/{name}.so")).is_file())
        .collect();
    let mut options = ServerOptions::new(15)
        .logical()
        .setting("max_replication_slots", "200")
        .setting("max_wal_senders", "200")
        .setting("max_logical_replication_workers", "200")
        .setting("max_worker_processes", "300")
        .setting("shared_preload_libraries", libraries.join(","));
    if libraries.contains(&"pg_cron") {
        options = options.setting("cron.database_name", "ext pg_cron");
    }
    options.installation = Some(home);
    let server = Server::start(options).await.expect("a server");
    checking_role(&server).await;
    let mut made = BTreeSet::new();
    for name in &available {
        let database = format!("ext {name}");
        let create = format!("create database {}", ident(&database));
        server.execute("postgres", &create).await.expect("a database");
        let create = format!("create extension if not exists {} cascade", ident(name));
        match server.execute(&database, &create).await {
            Ok(()) => made.insert(name.clone()),
            // Some need others that are not installed, or are broken as they are packaged.
            Err(e) => {
                eprintln!("extension {name} is not tried: {e}");
                false
            }
        };
    }
    assert!(made.len() >= 20, "{made:?}");
    for engine in [Engine::Postgres, Engine::Aurora, Engine::Rds] {
        let found = judged(&server, engine).await;
        let mut wrong = Vec::new();
        for (database, checks) in &found {
            let name = database.as_deref().and_then(|d| d.strip_prefix("ext "));
            for check in checks {
                let right = match name {
                    Some(name) => RIGHTLY.iter().any(|(x, id, _)| *x == name && id == check),
                    None => OF_THE_SERVER.contains(&check.as_str()),
                };
                if !right {
                    wrong.push(format!("{check} blocks {database:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{engine:?}: {wrong:#?}");
        let loaded = found
            .get(&None)
            .is_some_and(|checks| checks.contains("replication-extensions"));
        assert_eq!(
            loaded,
            libraries.contains(&"pglogical"),
            "pglogical is loaded, and blocks"
        );
        // What is right is found, so that the silence about the others means something.
        for (name, id, _) in RIGHTLY.iter().filter(|(name, id, _)| {
            made.contains(*name) && (*id != "rds-extensions" || engine != Engine::Postgres)
        }) {
            let database = Some(format!("ext {name}"));
            let told = found.get(&database).is_some_and(|checks| checks.contains(*id));
            assert!(told, "{engine:?}: {id} does not block {name}: {found:#?}");
        }
    }
}

#[test]
fn extensions_own_objects_block_nothing() {
    let named = std::env::var_os("GREENLIGHT_EXTENSIONS").filter(|dir| !dir.is_empty());
    let home = named.map_or_else(|| PathBuf::from("/usr/lib/postgresql/15"), PathBuf::from);
    if home.join("bin/postgres").is_file() {
        block_on(story(home));
    } else {
        assert!(
            std::env::var_os("GREENLIGHT_REQUIRE_EXTENSIONS").is_none(),
            "{} has no PostgreSQL",
            home.display()
        );
        eprintln!(
            "not run: no PostgreSQL 15 in {}: GREENLIGHT_EXTENSIONS=DIR names another",
            home.display()
        );
    }
}
