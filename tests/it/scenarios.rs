//! Every scenario of every page on every server major that it applies to.
//!
//! One test a major; each starts a shared server, gives every scenario a database of its own, and servers of their own
//! to those that ask for one. `SCENARIO=id,id` runs the scenarios of these checks, `SCENARIO=folder` those of a folder.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use greenlight::{
    catalogue::{Block, Scenario},
    checks::{self, Check},
    model::{Engine, Newest, PgVersion, Phase, Requirement, Side},
    policy::Policy,
    situation::Situation,
    verdict::{Finding, Level, Verdict},
};
use sandbox::pg::{Server, ServerOptions, block_on, ident};
use serde::Deserialize;

use crate::support::{Wanted, checking_role, collect, spec};

/// The `toml scenario` block.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Setup {
    pub(crate) majors: Option<Requirement>,
    target: Option<toml::Value>,
    pub(crate) server: Option<String>,
    #[serde(default)]
    pub(crate) settings: toml::Table,
    role: Option<String>,
    phase: Option<Phase>,
    engine: Option<Engine>,
    /// Looks at the lag; needs a green.
    #[serde(default)]
    lag_samples: usize,
    /// The policy's threshold, for what would take long to happen otherwise.
    max_lag_seconds: Option<f64>,
    /// Compares the contents of these tables; needs a green.
    #[serde(default)]
    compare_rows: Vec<String>,
    /// Settings of green's server.
    #[serde(default)]
    green_settings: toml::Table,
}

/// The `toml expect` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) verdict: String,
    subjects: Option<Vec<String>>,
    level: Option<Level>,
    /// A text that the verdict must contain.
    contains: Option<String>,
}

macro_rules! majors {
    ($($name:ident = $major:literal),*) => {
        $(#[test]
        fn $name() {
            block_on(run_on($major));
        })*
    };
}

majors!(
    on_11 = 11,
    on_12 = 12,
    on_13 = 13,
    on_14 = 14,
    on_15 = 15,
    on_16 = 16,
    on_17 = 17,
    on_18 = 18
);

/// Scenarios on saved facts are played elsewhere, without a server.
pub(crate) fn is_control_plane(check: &Check, scenario: &Scenario) -> bool {
    check.page.header.sides.contains(&Side::Rds) || scenario.blocks.iter().any(|b| b.is("json facts"))
}

pub(crate) fn setup(check: &Check, scenario: &Scenario) -> Setup {
    scenario
        .blocks
        .iter()
        .find(|b| b.is("toml scenario"))
        .map(|b| {
            toml::from_str(&b.text).unwrap_or_else(|e| panic!("{}: {}: {e}", check.page.id, scenario.name))
        })
        .unwrap_or_default()
}

/// The target that a scenario is judged for: its own, or the newest major (beyond blue's own, so that the newest server is a
/// blue too); none where the scenario says so.
fn target(setup: &Setup, blue: u16) -> Option<PgVersion> {
    match &setup.target {
        None => Some(PgVersion::major(Newest::MAJOR.max(blue + 1))),
        Some(toml::Value::Integer(major)) => Some(PgVersion::major(u16::try_from(*major).expect("a major"))),
        Some(toml::Value::String(text)) if text == "none" => None,
        Some(other) => Some(other.as_str().expect("a version").parse().expect("a version")),
    }
}

/// Whether the page and the scenario are about servers of this version.
fn applies(check: &Check, setup: &Setup, expect: &Expect, version: PgVersion) -> bool {
    let target = target(setup, version.major);
    let rules = &check.page.header.applies;
    let reaches = target.is_none_or(|t| t.major >= version.major);
    let meant = setup.majors.as_ref().is_none_or(|m| m.holds(version));
    // Scenarios that expect a skip show where the page does not apply.
    let page = expect.verdict == "skip"
        || rules.source.as_ref().is_none_or(|r| r.holds(version))
            && rules
                .crosses
                .is_none_or(|step| version.major < step && target.is_none_or(|t| t.major >= step))
            && target.is_none_or(|t| rules.upgrade.is_none() || t.major > version.major)
            && target.is_none_or(|t| rules.target.as_ref().is_none_or(|r| r.holds(t)))
            && (rules.replication.is_none()
                || setup.engine.is_some()
                || target.is_none_or(|t| t.major > version.major));
    reaches && meant && page
}

async fn run_on(major: u16) {
    let wanted = std::env::var("SCENARIO").ok();
    let chosen = |check: &&Check| {
        let named = |list: &String| {
            list.split(',')
                .any(|name| name == check.page.id || name == check.page.group)
        };
        wanted.as_ref().is_none_or(named)
    };
    let options = ServerOptions::new(major.into())
        .logical()
        .setting("max_prepared_transactions", "10");
    let mut shared: Option<Server> = None;
    let mut failures = String::new();
    let mut ran = 0;
    for check in checks::all().iter().filter(chosen) {
        for scenario in check
            .page
            .scenarios
            .iter()
            .filter(|s| !is_control_plane(check, s))
        {
            let setup = setup(check, scenario);
            let expect = expectation(check, scenario);
            if !applies(check, &setup, &expect, PgVersion::new(major, 99)) {
                continue;
            }
            ran += 1;
            let outcome = if setup.server.is_some() || !setup.settings.is_empty() {
                let own = with_settings(ServerOptions::new(major.into()), &setup.settings);
                let server = start(own).await;
                one(check, scenario, &setup, &expect, &server, ran).await
            } else {
                if shared.is_none() {
                    shared = Some(start(options.clone()).await);
                }
                let server = shared.as_ref().expect("just started");
                let outcome = one(check, scenario, &setup, &expect, server, ran).await;
                outcome.and(remove(server, &case(check, ran)).await)
            };
            if let Err(why) = outcome {
                let _ = writeln!(
                    failures,
                    "\n{} on {major}: {}\n  {why}",
                    check.page.id, scenario.name
                );
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
    // A page's scenarios may all be about other majors; the whole catalogue's never are.
    assert!(ran > 0 || wanted.is_some(), "no scenario ran on {major}");
}

pub(crate) fn with_settings(mut options: ServerOptions, settings: &toml::Table) -> ServerOptions {
    for (name, value) in settings {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        options = options.setting(name, text);
    }
    options
}

async fn start(options: ServerOptions) -> Server {
    let server = Server::start(options).await.expect("a server starts");
    checking_role(&server).await;
    server
}

pub(crate) fn expectation(check: &Check, scenario: &Scenario) -> Expect {
    let block = scenario.blocks.iter().find(|b| b.is("toml expect"));
    let block = block.unwrap_or_else(|| panic!("{}: {}: expects nothing", check.page.id, scenario.name));
    toml::from_str(&block.text).unwrap_or_else(|e| panic!("{}: {}: {e}", check.page.id, scenario.name))
}

/// The servers and the database of one scenario.
struct Stage<'a> {
    blue: &'a Server,
    green: Option<Server>,
    database: String,
    held: Vec<Held>,
}

/// A session that stays open, and what the server calls it.
struct Held {
    session: tokio_postgres::Client,
    pid: i32,
    on_green: bool,
}

impl Stage<'_> {
    /// Placeholders that blocks may use to point one server at the other.
    fn fill(&self, sql: &str) -> String {
        let conninfo = |server: &Server| {
            let (user, password) = server.superuser();
            sandbox::pg::literal(&server.conninfo(&self.database, user, password))
        };
        let mut sql = sql
            .replace("{blue-conninfo}", &conninfo(self.blue))
            .replace("{database}", &ident(&self.database));
        if let Some(green) = &self.green {
            sql = sql.replace("{green-conninfo}", &conninfo(green));
        }
        sql
    }

    /// Ends the sessions that are held, and waits until their servers have seen it.
    async fn release(&mut self) -> Result<(), String> {
        for Held {
            session,
            pid,
            on_green,
        } in self.held.drain(..)
        {
            drop(session);
            let server = self.green.as_ref().filter(|_| on_green).unwrap_or(self.blue);
            let gone = format!("select not exists (select from pg_stat_activity where pid = {pid})");
            until(server, "postgres", &gone).await?;
        }
        Ok(())
    }

    async fn run(&mut self, block: &Block) -> Result<(), String> {
        let on_green = block.is("sql green");
        let server = if on_green {
            self.green.as_ref().expect("a green block starts green")
        } else {
            self.blue
        };
        let sql = self.fill(&block.text);
        let words: Vec<&str> = block.info.split_whitespace().collect();
        let place = block.info.clone();
        if words.contains(&"until") {
            return until(server, &self.database, &sql)
                .await
                .map_err(|e| format!("{place}: {e}"));
        }
        if words.contains(&"held") {
            let place = |e: &tokio_postgres::Error| format!("{place}: {}", whole(e));
            let session = server.connect(&self.database).await.map_err(|e| e.to_string())?;
            // Asked first: what a session ran last is evidence.
            let pid = session.query_one("select pg_backend_pid()", &[]).await;
            let pid = pid.map_err(|e| place(&e))?.get(0);
            session.batch_execute(&sql).await.map_err(|e| place(&e))?;
            self.held.push(Held {
                session,
                pid,
                on_green,
            });
            return Ok(());
        }
        execute(server, &self.database, &sql)
            .await
            .map_err(|e| format!("{place}: {e}"))
    }
}

/// How long what a scenario waits for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(50);

/// Statements that refuse a transaction block, which several statements sent at once are.
const ALONE: [&str; 7] = [
    "prepared",
    "prepare transaction",
    "concurrently",
    "alter system",
    "create database",
    "drop database",
    "vacuum",
];

/// Runs statements: at once, or one by one where one of them refuses company.
pub(crate) async fn execute(server: &Server, database: &str, sql: &str) -> Result<(), String> {
    let client = server.connect(database).await.map_err(|e| e.to_string())?;
    // A scenario that waits for itself is a mistake, not a reason to hang.
    client
        .batch_execute("set lock_timeout = '20s'")
        .await
        .map_err(|e| whole(&e))?;
    let lower = sql.to_lowercase();
    if !ALONE.iter().any(|words| lower.contains(words)) {
        match client.batch_execute(sql).await {
            // Others that refuse company do so before they have done anything.
            Err(e) if e.code().is_some_and(|c| c.code() == "25001") => {}
            other => return other.map_err(|e| whole(&e)),
        }
    }
    for statement in sql
        .split_inclusive(";\n")
        .map(str::trim)
        .filter(|s| !s.is_empty())
    {
        client
            .batch_execute(statement)
            .await
            .map_err(|e| format!("{statement}: {}", whole(&e)))?;
    }
    Ok(())
}

/// Asks until the answer is true: for what servers do in their own time (statistics, workers, settings), however long they
/// take on a busy machine.
async fn until(server: &Server, database: &str, sql: &str) -> Result<(), String> {
    let client = server.connect(database).await.map_err(|e| e.to_string())?;
    let began = Instant::now();
    loop {
        let row = client.query_one(sql, &[]).await.map_err(|e| whole(&e))?;
        if row.try_get(0).map_err(|e| whole(&e))? {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("not true after {} s: {sql}", PATIENCE.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn whole(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || format!("{error:?}"),
        |e| format!("{} ({})", e.message(), e.code().code()),
    )
}

/// A scenario's database.
fn case(check: &Check, number: usize) -> String {
    format!("case {number} \"{}\".x", check.page.id)
}

async fn one(
    check: &Check,
    scenario: &Scenario,
    setup: &Setup,
    expect: &Expect,
    server: &Server,
    number: usize,
) -> Result<(), String> {
    let database = case(check, number);
    server
        .execute("postgres", &format!("create database {}", ident(&database)))
        .await
        .map_err(|e| format!("create database: {e}"))?;
    let green = if scenario.blocks.iter().any(|b| b.is("sql green")) {
        let blue = u16::try_from(server.major()).expect("a major");
        let major = target(setup, blue)
            .map_or(Newest::MAJOR, |t| t.major)
            .min(Newest::MAJOR);
        let green = start(with_settings(
            ServerOptions::new(major.into()),
            &setup.green_settings,
        ))
        .await;
        let made = green
            .execute("postgres", &format!("create database {}", ident(&database)))
            .await;
        made.map_err(|e| format!("create database on green: {e}"))?;
        Some(green)
    } else {
        None
    };
    let mut stage = Stage {
        blue: server,
        green,
        database,
        held: Vec::new(),
    };
    play(check, scenario, setup, expect, &mut stage, number).await
}

/// Removes a scenario's database with its sessions and slots. What stayed behind would be seen by the scenarios that come after.
async fn remove(server: &Server, database: &str) -> Result<(), String> {
    let literal = sandbox::pg::literal(database);
    let sessions =
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = {literal}");
    let slots = format!(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = {literal} and not active"
    );
    let drop = format!("drop database if exists {}", ident(database));
    let began = Instant::now();
    loop {
        let mut outcome = Ok(());
        for sql in [&sessions, &slots, &drop] {
            outcome = outcome.and(server.execute("postgres", sql).await);
        }
        match outcome {
            Ok(()) => return Ok(()),
            Err(e) if began.elapsed() > PATIENCE => return Err(format!("its database stays: {e}")),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn play(
    check: &Check,
    scenario: &Scenario,
    setup: &Setup,
    expect: &Expect,
    stage: &mut Stage<'_>,
    number: usize,
) -> Result<(), String> {
    for block in scenario
        .blocks
        .iter()
        .filter(|b| b.is("sql blue") || b.is("sql green"))
    {
        stage.run(block).await?;
    }
    // Every query of the catalogue in every scenario's database, each on one of the majors.
    if number % 8 == usize::try_from(stage.blue.major()).unwrap_or_default() % 8 {
        for server in [Some(stage.blue), stage.green.as_ref()].into_iter().flatten() {
            let database = spec(server, "greenlight").for_database(stage.database.as_str());
            crate::conditions::contradictions(&database).await?;
        }
    }
    let verdict = judge(check, setup, stage).await;
    compare(&verdict, expect)?;
    let Some(fix) = scenario.blocks.iter().find(|b| b.is("sql fix")) else {
        return Ok(());
    };
    let Verdict::Fail { findings, .. } = &verdict else {
        return Err(format!("there is a fix, but nothing failed: {verdict:?}"));
    };
    stage.release().await?;
    // `sql fix green` runs there.
    let server = match &stage.green {
        Some(green) if fix.is("sql fix green") => green,
        _ => stage.blue,
    };
    if fix.text.trim() == "reported" {
        for finding in findings {
            let sql = finding
                .fix
                .as_deref()
                .ok_or_else(|| format!("{} has no fix", finding.object))?;
            execute(server, finding.database.as_deref().unwrap_or("postgres"), sql)
                .await
                .map_err(|e| format!("the reported fix {sql:?} does not work: {e}"))?;
        }
    } else {
        execute(server, &stage.database, &stage.fill(&fix.text))
            .await
            .map_err(|e| format!("fix: {e}"))?;
    }
    if fix.info.contains("restart") {
        stage
            .blue
            .restart(Vec::<(String, String)>::new())
            .await
            .map_err(|e| e.to_string())?;
    }
    match judge(check, setup, stage).await {
        Verdict::Pass { .. } => Ok(()),
        other => Err(format!("after the fix it must pass, but: {other:?}")),
    }
}

async fn judge(check: &Check, setup: &Setup, stage: &Stage<'_>) -> Verdict {
    let phase = setup.phase.unwrap_or(check.page.header.phases[0]);
    let role = setup.role.as_deref().unwrap_or("greenlight");
    let blue = spec(stage.blue, role);
    let green = stage.green.as_ref().map(|green| spec(green, role));
    let wanted = Wanted {
        check: Some(check),
        engine: setup.engine.unwrap_or(Engine::Postgres),
        target: target(setup, u16::try_from(stage.blue.major()).expect("a major")),
        phase: Some(phase),
        lag_samples: setup.lag_samples,
        compare_rows: setup.compare_rows.clone(),
    };
    let (facts, _) = collect(&blue, green.as_ref(), wanted).await;
    let situation = Situation::of(&facts, Some(phase));
    let mut policy = Policy::at(facts.collected_at);
    if let Some(seconds) = setup.max_lag_seconds {
        policy.thresholds.max_lag_seconds = seconds;
    }
    let verdict = check.judge(&facts, &situation, &policy);
    if let Err(why) = crate::redact::same_verdict(check, &facts, Some(phase), &policy, &verdict) {
        panic!("{}: {why}", check.page.id);
    }
    verdict
}

fn compare(verdict: &Verdict, expect: &Expect) -> Result<(), String> {
    let (is, findings): (&str, &[Finding]) = match verdict {
        Verdict::Pass { .. } => ("pass", &[]),
        Verdict::Fail { findings, .. } => ("fail", findings),
        Verdict::Skip { .. } => ("skip", &[]),
        Verdict::Unknown { .. } => ("unknown", &[]),
    };
    if is != expect.verdict {
        return Err(format!("expected {}, but: {verdict:?}", expect.verdict));
    }
    if let Some(subjects) = &expect.subjects {
        let mut found: Vec<&str> = findings.iter().map(|f| f.object.as_str()).collect();
        found.sort_unstable();
        let mut wanted: Vec<&str> = subjects.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        if found != wanted {
            return Err(format!("expected subjects {wanted:?}, found {found:?}"));
        }
    }
    if let Some(level) = expect.level {
        let unset = findings.iter().any(|f| f.level.is_none());
        let worst = findings.iter().filter_map(|f| f.level).max();
        if worst != Some(level) && !(unset && worst.is_none_or(|w| w < level)) {
            return Err(format!("expected level {level}, found {worst:?}"));
        }
    }
    if let Some(text) = &expect.contains {
        let all = format!("{verdict:?}");
        if !all.contains(text.as_str()) {
            return Err(format!("expected to read {text:?} in {all}"));
        }
    }
    Ok(())
}
