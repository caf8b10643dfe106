//! A write load that remembers what it was promised.
//!
//! Writers insert and update rows through the writer endpoint, as an application does: they reconnect when the
//! connection ends and go on. Every acknowledged row is remembered, so that a test can ask after a switchover whether
//! one was lost. The rows' key comes from a sequence: sequences that were left behind show as duplicate keys.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::{
    pg::{self, Server},
    roles::Login,
    scenario::LoadSpec,
    world::lock,
};

/// The table, in each of the databases. It has to be there before a deployment is created.
pub(crate) const TABLE: &str = "\
    create table public.load_rows (id bigserial primary key, writer int not null, n bigint not null, \
    updates int not null default 0, at timestamptz not null default now(), unique (writer, n))";

/// What a load has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows whose insertion was acknowledged.
    pub acknowledged: usize,
    /// Transactions that failed, or whose outcome is unknown.
    pub failed: usize,
    /// The longest time between two acknowledgements of one writer, while it was not paused.
    pub longest_gap: Duration,
    /// The SQLSTATEs of the failures, `-` for a broken connection.
    pub states: BTreeSet<String>,
}

/// A running load. It ends when it is dropped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    _writers: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    login: Login,
    pause: Duration,
    paused: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    report: LoadReport,
    /// Database, writer and number of every acknowledged row.
    rows: BTreeSet<(String, i32, i64)>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, login: Login, spec: &LoadSpec) -> Self {
        let shared = Arc::new(Shared {
            address,
            login,
            pause: Duration::from_millis(spec.pause_ms),
            paused: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let mut writers = JoinSet::new();
        for (writer, database) in (0..spec.writers).zip(spec.databases.iter().cycle()) {
            let writer = i32::try_from(writer).expect("a load has few writers");
            writers.spawn(write(Arc::clone(&shared), database.clone(), writer));
        }
        Self {
            shared,
            _writers: writers,
        }
    }

    /// What has happened so far.
    pub fn report(&self) -> LoadReport {
        lock(&self.shared.state).report.clone()
    }

    /// Lets the writers rest, or go on.
    pub fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::SeqCst);
    }

    /// Rows that were acknowledged and that a server does not have: database, writer and number.
    ///
    /// # Errors
    /// When the server cannot be read.
    pub async fn lost(&self, server: &Server) -> pg::Result<Vec<(String, i32, i64)>> {
        let mut missing = lock(&self.shared.state).rows.clone();
        let databases: BTreeSet<String> = missing.iter().map(|(database, ..)| database.clone()).collect();
        for database in databases {
            let rows = server
                .query(&database, "select writer, n from public.load_rows")
                .await?;
            for row in rows {
                if let [Some(writer), Some(n)] = row.as_slice()
                    && let (Ok(writer), Ok(n)) = (writer.parse(), n.parse())
                {
                    missing.remove(&(database.clone(), writer, n));
                }
            }
        }
        Ok(missing.into_iter().collect())
    }
}

async fn write(shared: Arc<Shared>, database: String, writer: i32) {
    let mut n = 0;
    let mut last: Option<Instant> = None;
    loop {
        let ended = session(&shared, &database, writer, &mut n, &mut last).await;
        let state = ended
            .as_ref()
            .err()
            .and_then(|error| error.code())
            .map_or("-", |code| code.code());
        {
            let mut kept = lock(&shared.state);
            kept.report.failed += 1;
            kept.report.states.insert(state.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes until the connection ends.
async fn session(
    shared: &Shared,
    database: &str,
    writer: i32,
    n: &mut i64,
    last: &mut Option<Instant>,
) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::Config::new()
        .host(shared.address.ip().to_string())
        .port(shared.address.port())
        .dbname(database)
        .user(&shared.login.name)
        .password(&shared.login.password)
        .application_name("load")
        .connect_timeout(Duration::from_secs(2))
        .connect(NoTls)
        .await?;
    let connection = tokio::spawn(connection);
    let insert = "insert into public.load_rows (writer, n) values ($1, $2)";
    let update = "update public.load_rows set updates = updates + 1 where writer = $1 and n = $2";
    let (insert, update) = (client.prepare(insert).await?, client.prepare(update).await?);
    let result = async {
        loop {
            if shared.paused.load(Ordering::SeqCst) {
                *last = None;
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            // A number is never used twice: whether an unanswered insert was committed cannot be known.
            *n += 1;
            client.execute(&insert, &[&writer, n]).await?;
            {
                let mut state = lock(&shared.state);
                state.rows.insert((database.to_owned(), writer, *n));
                state.report.acknowledged += 1;
                let gap = last.map_or(Duration::ZERO, |last| last.elapsed());
                state.report.longest_gap = state.report.longest_gap.max(gap);
            }
            *last = Some(Instant::now());
            if *n % 5 == 0 {
                client.execute(&update, &[&writer, &(*n - 2)]).await?;
            }
            tokio::time::sleep(shared.pause).await;
        }
    }
    .await;
    connection.abort();
    result
}
