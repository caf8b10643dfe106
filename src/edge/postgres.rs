//! Asking one PostgreSQL server: which probes, in which databases, all of them at once.
//!
//! Promises: read-only sessions in autocommit, so that one broken probe costs one fact; one connection a database, all of
//! its probes pipelined in a single trip; a bounded number of connections, never the server's last ones; whatever goes
//! wrong becomes an unknown fact with its reason.

mod conditional;

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream};
use tokio_postgres::{
    Client,
    error::SqlState,
    types::{ToSql, Type},
};

use self::conditional::Look;
use super::{
    connect::{ConnectError, ConnectSpec, Session, connect},
    deadline,
};
use crate::{
    catalogue::{Query, Scope},
    checks::{self, Check},
    facts::{DatabaseFacts, DbName, Fact, ProbeName, Row, Rows, ServerFacts, Why},
    model::{PgVersion, Side, masking},
};

impl ConnectError {
    /// The kind of reason that a fact gives for a server or database that could not be connected to.
    pub fn why(&self) -> Why {
        match self.cause.code() {
            "no-connect-privilege"
            | "wrong-password"
            | "iam-refused"
            | "no-role"
            | "no-credentials"
            | "no-password" => Why::Privilege,
            "timeout" => Why::Timeout,
            _ => Why::Unreachable,
        }
    }

    /// As an unknown fact.
    pub fn fact<T>(&self) -> Fact<T> {
        Fact::unknown(self.why(), self.to_string())
    }
}

/// The server's version as it said on connecting.
pub fn version(session: &Session) -> PgVersion {
    session
        .version_number()
        .map_or(PgVersion::major(0), PgVersion::from_num)
}

/// How politely a server is asked.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Connections at the same time, at most.
    pub connections: usize,
    /// Longest wait for all probes of one database.
    pub per_database: Duration,
    /// Rows of evidence that travel, unless a probe needs all of them.
    pub evidence_rows: u64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            connections: 8,
            per_database: Duration::from_secs(60),
            evidence_rows: crate::facts::EVIDENCE_ROWS,
        }
    }
}

/// The probe that lists the databases.
const DATABASES: &str = "databases";

/// The queries to send to one server.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Once; the list of databases first, since whatever is asked of them waits for it.
    pub server: Vec<(ProbeName, Query)>,
    /// In every database.
    pub database: Vec<(ProbeName, Query)>,
    /// In every template that accepts connections; of these, none is connected to where this is empty.
    pub template: Vec<(ProbeName, Query)>,
}

impl Plan {
    /// The probes of the checks that are wanted, on one side of a given version.
    pub fn of(side: Side, version: PgVersion, wanted: impl Fn(&Check) -> bool) -> Self {
        let mut plan = Self::default();
        let mut shared = vec![DATABASES, "settings"];
        let mut of_templates = Vec::new();
        for check in checks::all().iter().filter(|check| wanted(check)) {
            let page = &check.page;
            let needs = page.header.needs.iter().map(String::as_str);
            shared.extend(needs.clone());
            if page.header.sides.contains(&side) {
                if page.header.templates {
                    of_templates.extend(needs);
                }
                plan.add(page.header.scope, page.header.templates, version, &page.queries);
            }
        }
        for probe in checks::shared_probes() {
            let name = probe.name.as_str();
            if shared.contains(&name) {
                let templates = of_templates.contains(&name);
                plan.add(probe.scope, templates, version, &probe.queries);
            }
        }
        plan.server.sort_by_key(|(name, _)| name != DATABASES);
        plan
    }

    fn add(&mut self, scope: Scope, templates: bool, version: PgVersion, queries: &[Query]) {
        let queries = queries
            .iter()
            .filter(|q| q.runs_on(version))
            .map(|q| (q.probe.clone(), q.clone()));
        match scope {
            Scope::Server => self.server.extend(queries),
            Scope::Database if templates => {
                self.template.extend(queries.clone());
                self.database.extend(queries);
            }
            Scope::Database => self.database.extend(queries),
            Scope::ControlPlane => {}
        }
    }

    /// What is asked in a database of this kind.
    fn within(&self, is_template: bool) -> &[(ProbeName, Query)] {
        if is_template {
            &self.template
        } else {
            &self.database
        }
    }
}

/// The probe's rows as one JSON text: one trip, no per-column code, bounded evidence and the whole count. Rows beyond the limit
/// are counted and neither kept nor written out; `json` and not `jsonb`, since nothing needs the rows taken apart and put together again.
pub fn wrapped(sql: &str, limit: Option<u64>) -> String {
    match limit {
        Some(n) => format!(
            "select pg_catalog.json_build_object('total', pg_catalog.count(*), 'rows', \
             coalesce(pg_catalog.json_agg(pg_catalog.row_to_json(w.probe_row)) filter (where w.nth <= {n}), '[]'))::text as answer \
             from (select pg_catalog.row_number() over () as nth, probe_row from (\n{sql}\n) probe_row) w"
        ),
        None => format!(
            "select pg_catalog.json_build_object('total', pg_catalog.count(*), 'rows', \
             coalesce(pg_catalog.json_agg(pg_catalog.row_to_json(probe_row)), '[]'))::text as answer from (\n{sql}\n) probe_row"
        ),
    }
}

/// The reason behind a failed statement. The message is the server's own; it holds no secret, since probes have none.
pub(super) fn reason<T>(error: &tokio_postgres::Error) -> Fact<T> {
    let Some(db) = error.as_db_error() else {
        return Fact::unknown(
            Why::Unreachable,
            format!("the connection was lost: {}", root(error)),
        );
    };
    let why = match db.code() {
        &SqlState::INSUFFICIENT_PRIVILEGE => Why::Privilege,
        &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => Why::Timeout,
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW => {
            Why::Unreachable
        }
        _ => Why::Error,
    };
    Fact::unknown(
        why,
        format!("{} ({})", masking::text(db.message()), db.code().code()),
    )
}

/// The innermost message of an error.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Runs one probe, whatever its conditions are.
pub async fn probe(session: &Session, query: &Query, evidence_rows: u64) -> Fact<Rows> {
    probe_after(session, None, query, evidence_rows).await
}

/// Runs one probe; where the session was looked over, only if its conditions hold.
async fn probe_after(
    session: &Session,
    look: Option<&Look>,
    query: &Query,
    evidence_rows: u64,
) -> Fact<Rows> {
    match (
        probe_of(&session.client, look, query, evidence_rows).await,
        session.ended_because(),
    ) {
        // The driver tells whoever waits no more than that the connection is closed.
        (
            Fact::Unknown {
                why: Why::Unreachable,
                detail,
            },
            Some(because),
        ) if !detail.contains(because) => Fact::unknown(Why::Unreachable, format!("{detail}: {because}")),
        (fact, _) => fact,
    }
}

async fn probe_of(client: &Client, look: Option<&Look>, query: &Query, evidence_rows: u64) -> Fact<Rows> {
    // A page's own limit above the usual one is what its judge needs; the usual one follows the manners.
    let limit = query.limit.map(|n| {
        if n == crate::facts::EVIDENCE_ROWS {
            evidence_rows
        } else {
            n
        }
    });
    let whole = wrapped(&query.sql, limit);
    let otherwise = query.otherwise.as_ref().map(|sql| wrapped(sql, limit));
    let answer = match look.filter(|_| !query.only_if.is_empty()) {
        None => ask(client, &whole, &[]).await,
        Some(look) => match look
            .ask(client, &query.only_if, &whole, otherwise.as_deref())
            .await
        {
            // Perhaps the means are refused and not the question: then it is asked without them.
            Err(e) if e.code().is_some_and(conditional::refuses) => ask(client, &whole, &[]).await,
            answer => answer.map(|text| Some(text.unwrap_or_else(|| NOTHING.to_owned()))),
        },
    };
    let text = match answer {
        Ok(Some(text)) => text,
        Ok(None) => return Fact::unknown(Why::Error, "the server did not answer with one text"),
        Err(e) => return reason(&e),
    };
    match serde_json::from_str::<Answer>(&text) {
        Ok(Answer { total, rows }) => Fact::Known(Rows {
            total,
            rows: rows.into_iter().map(|Masked(row)| row).collect(),
        }),
        Err(e) => Fact::unknown(Why::Error, format!("the server's answer is no JSON: {e}")),
    }
}

/// What a probe answers: [`Rows`] as they come from a server.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    total: u64,
    rows: Vec<Masked>,
}

/// A row without its secrets, which go while it is taken apart anyhow.
struct Masked(Row);

impl<'de> serde::Deserialize<'de> for Masked {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut row = serde_json::Value::deserialize(deserializer)?;
        masking::row(&mut row);
        Ok(Self(row.into()))
    }
}

/// The answer of a query whose condition does not hold.
const NOTHING: &str = r#"{"total": 0, "rows": []}"#;

/// The only value of the only row; none where it is null.
async fn ask(
    client: &Client,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Option<String>, tokio_postgres::Error> {
    let rows = client.query_typed(sql, parameters).await?;
    rows.first().map_or(Ok(None), |row| row.try_get(0))
}

/// Runs all probes of a list at once on one connection, those with conditions only where one of them holds.
pub async fn probes(
    session: &Session,
    list: &[(ProbeName, Query)],
    manners: Manners,
) -> BTreeMap<ProbeName, Fact<Rows>> {
    let conditions = list.iter().flat_map(|(_, query)| query.only_if.iter().copied());
    let look = Look::at(conditions);
    let looked = async {
        if let Some(look) = &look {
            // Where it fails, the probes are asked whatever their conditions are.
            let asked = tokio::time::timeout(manners.per_database, ask(&session.client, look.sql(), &[]));
            match deadline::bound(asked).await {
                Ok(Ok(Ok(_))) => {}
                other => tracing::debug!(?other, "the conditions of probes are not known"),
            }
        }
    };
    // Each on its own: what was answered before the time was up stays.
    let asked = list.iter().map(async |(name, query)| {
        let asked = probe_after(session, look.as_ref(), query, manners.evidence_rows);
        let fact = match deadline::bound(tokio::time::timeout(manners.per_database, asked)).await {
            Ok(Ok(fact)) => fact,
            Ok(Err(_)) => {
                let why = format!("no answer within {} s", manners.per_database.as_secs());
                Fact::unknown(Why::Timeout, why)
            }
            Err(passed) => Fact::unknown(Why::Timeout, format!("no answer yet when {passed}")),
        };
        (name.clone(), fact)
    });
    // In this order on the way: the look first.
    let ((), asked) = tokio::join!(biased; looked, join_all(asked));
    asked.into_iter().collect()
}

#[derive(serde::Deserialize)]
struct Database {
    name: String,
    allows_connections: bool,
    is_template: bool,
    may_connect: bool,
}

/// The databases to look into, and those that cannot be.
#[derive(Default)]
struct Places {
    /// With whether it is a template.
    open: Vec<(DbName, bool)>,
    databases: BTreeMap<DbName, DatabaseFacts>,
    templates: BTreeMap<DbName, DatabaseFacts>,
}

impl Places {
    /// From the probe `databases`; templates where something is asked in them.
    fn of(listed: &Fact<Rows>, with_templates: bool) -> Self {
        let mut places = Self::default();
        for row in listed.known().map_or(&[][..], |rows| &rows.rows) {
            let Ok(database) = row.read::<Database>() else {
                continue;
            };
            // `rdsadmin` admits nobody but the service; nobody is let into `template0`, and another template like it has a check of its own.
            let left_out = database.is_template && !(with_templates && database.allows_connections);
            if left_out || database.name == "rdsadmin" {
                continue;
            }
            match unreachable(&database) {
                Some(why) => places.insert(database.name, database.is_template, why),
                None => places.open.push((database.name, database.is_template)),
            }
        }
        places
    }

    fn insert(&mut self, name: DbName, is_template: bool, facts: DatabaseFacts) {
        let kind = if is_template {
            &mut self.templates
        } else {
            &mut self.databases
        };
        kind.insert(name, facts);
    }

    /// How many databases are done.
    fn done(&self) -> usize {
        self.databases.len() + self.templates.len()
    }
}

/// Why a database cannot be connected to, as far as the list tells.
fn unreachable(database: &Database) -> Option<DatabaseFacts> {
    if !database.allows_connections {
        let why = "the database allows no connections (datallowconn is false)";
        Some(Fact::unknown(Why::Unreachable, why))
    } else if !database.may_connect {
        let why = format!(
            "no CONNECT privilege: grant connect on database {} to the checking role",
            crate::model::quote_ident(&database.name)
        );
        Some(Fact::unknown(Why::Privilege, why))
    } else {
        None
    }
}

/// Connections that are left beside those in use and the reserved ones (`reserved_connections` is new in 16, RDS has one of
/// its own), how many more this role may open, and the databases with a limit of their own and what is left of it. Limits of roles and
/// databases are not for superusers (<https://www.postgresql.org/docs/current/sql-createdatabase.html>); who logged in counts.
const ROOM: &str = "select (pg_catalog.current_setting('max_connections')::int \
     - pg_catalog.current_setting('superuser_reserved_connections')::int \
     - coalesce(nullif(pg_catalog.current_setting('reserved_connections', true), '')::int, 0) \
     - coalesce(nullif(pg_catalog.current_setting('rds.rds_superuser_reserved_connections', true), '')::int, 0) \
     - (select pg_catalog.count(*) from pg_catalog.pg_stat_activity where backend_type = 'client backend' or backend_type is null))::int, \
     (select case when rolconnlimit >= 0 and not rolsuper then rolconnlimit \
         - (select pg_catalog.count(*) from pg_catalog.pg_stat_activity where usesysid = r.oid)::int end \
      from pg_catalog.pg_roles r where rolname = session_user), \
     (select coalesce(pg_catalog.jsonb_object_agg(datname, datconnlimit \
         - (select pg_catalog.count(*) from pg_catalog.pg_stat_activity where datid = d.oid)), '{}')::text \
      from pg_catalog.pg_database d where datconnlimit >= 0 and datallowconn \
      and not (select rolsuper from pg_catalog.pg_roles where rolname = session_user))";

/// Connections that are left to others, whatever greenlight could still use.
const LEFT_TO_OTHERS: i32 = 3;

const LAST: &str = "the server had no other connection left, and the last one is not kept from others: end idle sessions or raise \
     max_connections";

/// How long a server may take to end a session that was closed.
const CLOSING: Duration = Duration::from_secs(4);

/// How many connections may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Beside the one in use; with none, that one is closed before the next is opened.
    beside: usize,
    /// The one in use is the last that the server has.
    last: bool,
    /// What is left of databases with a limit of their own.
    databases: BTreeMap<DbName, i64>,
}

impl Room {
    /// As little as there can be.
    fn least() -> Self {
        Self {
            beside: 0,
            last: false,
            databases: BTreeMap::new(),
        }
    }

    /// Whether not even one more may be opened.
    pub(super) fn is_tight(&self) -> bool {
        self.beside == 0
    }

    /// Why the session at hand must not be used any longer: it is the last one of the server.
    pub(super) fn none_left(&self) -> Option<String> {
        self.last.then(|| LAST.to_owned())
    }

    /// Whether the session at hand is the last one that the database's own limit allows.
    pub(super) fn at_its_limit(&self, database: &str) -> bool {
        self.databases.get(database).is_some_and(|left| *left < 1)
    }

    /// Why a session at hand must not stay: it has the last connection that its database's own limit allows.
    pub(super) fn limit_reached(&self, database: &str) -> Option<String> {
        self.at_its_limit(database).then(|| {
            format!(
                "it took the last connection that the CONNECTION LIMIT of database {} allows, which is not kept from others: raise it",
                crate::model::quote_ident(database)
            )
        })
    }

    /// How many sessions may be open at once, of up to `most`, where one is at hand already: at least that one.
    pub(super) fn at_once(&self, most: usize) -> usize {
        (self.beside + 1).min(most).max(1)
    }

    /// Why a database is left alone for the sake of others.
    fn refusal(&self, database: &str) -> Option<String> {
        let left = self.databases.get(database).copied();
        if self.last {
            Some(LAST.to_owned())
        } else if left.is_some_and(|left| left < 2) {
            let left = left.unwrap_or_default().max(0);
            Some(format!(
                "{left} of the connections that its CONNECTION LIMIT allows are left, and the last one is not taken from others: raise it \
                 for the check (it does not hold the upgrade, which comes as a superuser)"
            ))
        } else {
            None
        }
    }
}

/// How many sessions beside the first one may be opened.
pub(super) async fn room(session: &Session, manners: Manners) -> Room {
    let asked = tokio::time::timeout(manners.per_database, session.client.query_typed(ROOM, &[]));
    let Ok(Ok(Ok(rows))) = deadline::bound(asked).await else {
        return Room::least();
    };
    let Some(row) = rows.first() else {
        return Room::least();
    };
    let Ok(left) = row.try_get::<_, i32>(0) else {
        return Room::least();
    };
    let role = row
        .try_get::<_, Option<i32>>(1)
        .ok()
        .flatten()
        .unwrap_or(i32::MAX);
    let limits: String = row.try_get(2).unwrap_or_default();
    let most = left.saturating_sub(LEFT_TO_OTHERS).min(role).max(0);
    Room {
        beside: manners.connections.min(usize::try_from(most).unwrap_or_default()),
        last: left <= 0,
        databases: serde_json::from_str(&limits).unwrap_or_default(),
    }
}

/// Asks a server everything in the plan; `first` is a session that is already open.
pub async fn collect(
    spec: &ConnectSpec,
    first: Session,
    plan: &Plan,
    manners: Manners,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> ServerFacts {
    let announced = version(&first);
    let role = first.user.clone();
    let spec = &spec.after(&first);
    // The session at hand serves the server and its own database, in one trip; the other databases get one each, as soon as it is
    // known which they are.
    let (listing, rest) = plan.server.split_at(plan.server.len().min(1));
    let others = async {
        let (listed, room) = tokio::join!(probes(&first, listing, manners), room(&first, manners));
        let missing = Fact::unknown(Why::Error, "not asked");
        let listing = listed.get(DATABASES).unwrap_or(&missing);
        let mut places = Places::of(listing, !plan.template.is_empty());
        let open = std::mem::take(&mut places.open);
        let total = open.len() + places.done();
        let mut own = None;
        let mut waiting = Vec::new();
        for (name, is_template) in open {
            if name == spec.database {
                own = Some(is_template);
                continue;
            }
            match room.refusal(&name) {
                Some(why) => places.insert(name, is_template, Fact::unknown(Why::Unreachable, why)),
                None => waiting.push((name, is_template)),
            }
        }
        // With room for one session only, the others have to wait until this one is closed.
        let now = if room.is_tight() {
            Vec::new()
        } else {
            std::mem::take(&mut waiting)
        };
        // Where there are few, a session is over when the server has ended it, and not when nobody uses it any more.
        let scarce = room.beside < manners.connections;
        let work = now.into_iter().map(|(name, is_template)| async move {
            let facts = one_database(spec, &name, is_template, plan, manners, scarce).await;
            (name, is_template, facts)
        });
        let mut done = stream::iter(work.collect::<Vec<_>>()).buffer_unordered(room.beside.max(1));
        while let Some((name, is_template, facts)) = done.next().await {
            places.insert(name, is_template, facts);
            progress(places.done(), total);
        }
        (listed, places, own, total, waiting)
    };
    let rest = probes(&first, rest, manners);
    let asked = probes(&first, &plan.database, manners);
    let ((mut server, mut places, own, total, waiting), rest, mut asked) =
        tokio::join!(biased; others, rest, asked);
    server.extend(rest);
    if let Some(is_template) = own {
        let within = plan.within(is_template);
        asked.retain(|probe, _| within.iter().any(|(name, _)| name == probe));
        places.insert(spec.database.clone(), is_template, Fact::Known(asked));
        progress(places.done(), total);
    }
    if waiting.is_empty() {
        drop(first);
    } else {
        first.close().await;
    }
    for (name, is_template) in waiting {
        let facts = one_database(spec, &name, is_template, plan, manners, true).await;
        places.insert(name, is_template, facts);
        progress(places.done(), total);
    }
    let version = server_version(&server).unwrap_or(announced);
    ServerFacts {
        endpoint: endpoint(spec),
        role,
        version,
        probes: server,
        databases: places.databases,
        templates: places.templates,
    }
}

/// `host:port` of the real endpoint.
pub fn endpoint(spec: &ConnectSpec) -> String {
    let host = &spec.host;
    if host.contains(':') {
        format!("[{host}]:{}", spec.port)
    } else {
        format!("{host}:{}", spec.port)
    }
}

/// The longest that the server keeps a session in a template that does nothing, or works on one statement: whoever creates a database from it
/// waits for others to leave for a few seconds only (`CountOtherDBBackends` in
/// <https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/storage/ipc/procarray.c>). As a rule a look takes milliseconds.
const IN_TEMPLATE: Duration = Duration::from_secs(10);

async fn one_database(
    spec: &ConnectSpec,
    name: &str,
    is_template: bool,
    plan: &Plan,
    manners: Manners,
    scarce: bool,
) -> DatabaseFacts {
    let mut spec = spec.for_database(name);
    if is_template {
        spec.limits.statement = spec.limits.statement.min(IN_TEMPLATE);
        spec.limits.idle = spec.limits.idle.min(IN_TEMPLATE);
    }
    let session = match connect_patiently(&spec, scarce).await {
        Ok(session) => session,
        Err(e) => return e.fact(),
    };
    let facts = probes(&session, plan.within(is_template), manners).await;
    if scarce {
        session.close().await;
    }
    Fact::Known(facts)
}

/// Connects; where there is room for few sessions only, after the server has done with the one before.
async fn connect_patiently(spec: &ConnectSpec, scarce: bool) -> Result<Session, ConnectError> {
    let begun = tokio::time::Instant::now();
    loop {
        match connect(spec).await {
            Err(e) if scarce && e.cause.code() == "too-many-connections" && begun.elapsed() < CLOSING => {
                tokio::time::sleep(CLOSING / 40).await;
            }
            outcome => return outcome,
        }
    }
}

/// `server_version_num` from the settings, which is exact where the start-up message's text is decorated.
fn server_version(probes: &BTreeMap<ProbeName, Fact<Rows>>) -> Option<PgVersion> {
    let rows = &probes.get("settings")?.known()?.rows;
    let row = rows.iter().find(|row| row.is_named("server_version_num"))?;
    Some(PgVersion::from_num(row.text("setting")?.parse().ok()?))
}
