//! Probes the production endpoint as a client sees it, a few times a second, while a switchover runs.
//!
//! Each attempt looks the name up, connects, logs in, asks or inserts once, and closes: so it follows the endpoint to whichever
//! server it stands for, and holds nothing that a switchover would wait for. An attempt has [`LIMIT`]; a new one begins every
//! [`EVERY`] whether or not older ones still hang, up to [`AT_ONCE`] of a kind. The sums are [`crate::switchover::outage`].
//!
//! Connections that others may need are left to them: the first attempt is alone and asks how many the server has left, as one does
//! every few seconds from then on and after each failure, and the attempts under way keep below that. Where one had the server's last, a look at the
//! endpoint follows only every [`RARELY`].
//!
//! Reads change nothing. Writes go to one table that the user made for it and named, which [`Probe::with_writes`] looks at first,
//! on both sides, and refuses for anything that could do more than add a row.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_postgres::SimpleQueryMessage;

use super::{
    clock,
    connect::{ConnectError, ConnectSpec, Session, SessionLimits, Timeouts, connect},
    postgres::{Manners, room},
};
use crate::model::{quote_ident, shown::quoted};
use crate::switchover::outage::{Attempt, Change, Outage, Server, Stream, Tally, Writes};

/// From the start of one attempt to the start of the next.
pub const EVERY: Duration = Duration::from_millis(250);
/// The longest that an attempt may take, all in all.
pub const LIMIT: Duration = Duration::from_secs(2);
/// Counts of acknowledged rows, a second apart, before one is believed to be missing. A name lives for five seconds.
const COUNTS: usize = 6;
/// For all of them together.
const COUNT_WITHIN: Duration = Duration::from_secs(20);
/// Attempts of one kind that may be under way at the same time: few, since the role that greenlight proposes has 20
/// connections in all.
pub const AT_ONCE: usize = 4;

/// From the start of one attempt to the start of the next, where the server had no connection left but that of an attempt.
pub const RARELY: Duration = Duration::from_secs(5);
/// Of so many reads one asks how many connections are left.
const ASKS_FOR_ROOM: u64 = 8;

/// The table that writes need, for help and errors.
pub const TABLE_SHAPE: &str = "create table public.greenlight_probe (run text not null, n bigint not null, \
at timestamptz not null default now(), primary key (run, n)); grant select, insert on public.greenlight_probe to greenlight;";

const READ_SQL: &str = "select pg_catalog.current_setting('server_version'), \
coalesce(pg_catalog.host(pg_catalog.inet_server_addr()), 'socket') || ':' || \
coalesce(pg_catalog.inet_server_port()::text, '')";

/// All that is asked of the table before anything is written: one row, or none where it does not exist.
const TABLE_SQL: &str = "\
select c.relkind::text, c.relpersistence::text,
       pg_catalog.has_table_privilege(c.oid, 'INSERT') and pg_catalog.has_table_privilege(c.oid, 'SELECT')
           and pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'),
       exists (select 1 from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
       exists (select 1 from pg_catalog.pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN'),
       c.relrowsecurity,
       exists (select 1 from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'f', 'x'))
           or exists (select 1 from pg_catalog.pg_constraint k where k.confrelid = c.oid),
       exists (select 1 from pg_catalog.pg_inherits i where i.inhrelid = c.oid or i.inhparent = c.oid),
       (select pg_catalog.string_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' order by a.attname)
          from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
       (select pg_catalog.string_agg(a.attname, ', ' order by a.attname)
          from pg_catalog.pg_index x join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (x.indkey)
         where x.indrelid = c.oid and x.indisprimary),
       (select d.adsrc from (select pg_catalog.pg_get_expr(e.adbin, e.adrelid) as adsrc
          from pg_catalog.pg_attrdef e join pg_catalog.pg_attribute a on a.attrelid = e.adrelid and a.attnum = e.adnum
         where e.adrelid = c.oid and a.attname = 'at') d)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
 where s.nspname = $1 and c.relname = $2";

/// Why a probe cannot be made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Not a name.
    #[error("--probe-write {0:?}: write [DATABASE/]SCHEMA.TABLE, for example public.greenlight_probe")]
    Name(String),
    /// The endpoint cannot be reached to begin with.
    #[error("--probe-write: {0}")]
    Connect(#[from] ConnectError),
    /// The table could not be looked at.
    #[error("--probe-write {table}: it could not be looked at on {side}: {why}")]
    Look {
        /// The table.
        table: String,
        /// `blue` or `green`.
        side: &'static str,
        /// The error.
        why: String,
    },
    /// It is not the kind of table that a probe may write to.
    #[error(
        "--probe-write {table}: {why} on {side}; make a table for it alone, before the deployment is created: {TABLE_SHAPE}"
    )]
    Unfit {
        /// The table.
        table: String,
        /// `blue` or `green`.
        side: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Something that an operator hears at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The first attempt failed.
    Out {
        /// Reads, or writes.
        kind: Kind,
        /// The error.
        error: String,
    },
    /// One succeeded again.
    Back {
        /// Reads, or writes.
        kind: Kind,
        /// How long there was none.
        out_ms: u64,
        /// Who answered.
        server: Server,
    },
}

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks.
    Read,
    /// Inserts.
    Write,
}

/// A probe that is ready to be started.
#[derive(Debug)]
pub struct Probe {
    spec: ConnectSpec,
    writes: Option<Target>,
}

/// Where writes go.
#[derive(Clone, Debug)]
struct Target {
    spec: ConnectSpec,
    /// As it was named.
    name: String,
    /// Quoted.
    table: String,
    /// Tells this probe's rows from all others.
    run: String,
}

/// A probe at work. Dropping it ends it without its sums.
#[derive(Debug)]
pub struct Running {
    probe: Probe,
    began: jiff::Timestamp,
    clock: Instant,
    stop: watch::Sender<bool>,
    out: watch::Receiver<[bool; 2]>,
    ended: watch::Receiver<[bool; 2]>,
    reads: Task,
    writes: Option<Task>,
}

/// Ends with its handle.
#[derive(Debug)]
struct Task(JoinHandle<(Stream, Vec<u64>)>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Listener = Arc<dyn Fn(News) + Send + Sync>;
/// How many attempts may be under way.
#[derive(Debug)]
struct Room {
    /// Of a kind; none where the server had no connection left but that of an attempt.
    most: AtomicUsize,
    /// Nobody has asked yet, or not since an attempt failed: another server may stand for the endpoint now.
    due: AtomicBool,
}

impl Room {
    /// Until the first answer, one is enough.
    const fn unknown() -> Self {
        Self {
            most: AtomicUsize::new(1),
            due: AtomicBool::new(true),
        }
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Whether the attempt of this number is to ask.
    fn is_due(&self, n: u64) -> bool {
        self.most() == 0 || n % ASKS_FOR_ROOM == 1 || self.due.load(Ordering::Relaxed)
    }

    fn tell(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.due.store(false, Ordering::Relaxed);
    }

    fn doubt(&self) {
        self.due.store(true, Ordering::Relaxed);
    }
}

type Work = Box<dyn Fn(u64) -> BoxFuture<'static, Result<Server, String>> + Send>;

impl Probe {
    /// A probe that reads, through the endpoint that `spec` names.
    #[must_use]
    pub fn new(spec: &ConnectSpec) -> Self {
        Self {
            spec: hurried(spec),
            writes: None,
        }
    }

    /// Adds writes into `[DATABASE/]SCHEMA.TABLE`, once the table has been found fit on both sides. `run` tells this probe's
    /// rows from all others: up to 64 letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`ProbeError`]. Nothing has been written then.
    pub async fn with_writes(
        mut self,
        name: &str,
        green: Option<&ConnectSpec>,
        run: &str,
    ) -> Result<Self, ProbeError> {
        let (database, schema, relation) =
            parse(name, &self.spec.database).ok_or_else(|| ProbeError::Name(name.to_owned()))?;
        let run: String = run
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .take(64)
            .collect();
        let spec = self.spec.for_database(database);
        let usual = Timeouts::default();
        for (side, looked_at) in [("blue", Some(&spec)), ("green", green)] {
            let Some(looked_at) = looked_at else { continue };
            // There is time for a look.
            let mut calm = looked_at.for_database(spec.database.clone());
            calm.timeouts = usual;
            calm.limits = SessionLimits::default();
            let session = connect(&calm).await?;
            inspect(&session, side, name, &schema, &relation).await?;
        }
        self.writes = Some(Target {
            spec,
            name: name.to_owned(),
            table: format!("{}.{}", quote_ident(&schema), quote_ident(&relation)),
            run,
        });
        Ok(self)
    }

    /// Begins. `listener` hears at once when service goes and comes back.
    #[must_use]
    pub fn start(self, listener: Listener) -> Running {
        let (stop, stopped) = watch::channel(false);
        let (say_out, out) = watch::channel([false; 2]);
        let say_out = Arc::new(say_out);
        let (say_ended, ended) = watch::channel([false, self.writes.is_none()]);
        let say_ended = Arc::new(say_ended);
        let clock = Instant::now();
        let room = Arc::new(Room::unknown());
        let kinds = 1 + usize::from(self.writes.is_some());
        let reads = {
            let spec = Arc::new(self.spec.clone());
            let told = Arc::clone(&room);
            let work: Work = Box::new(move |n| {
                let (spec, told) = (Arc::clone(&spec), Arc::clone(&told));
                Box::pin(async move { read(&spec, n, &told, kinds).await })
            });
            let stream = Line {
                kind: Kind::Read,
                room: Arc::clone(&room),
                clock,
                stopped: stopped.clone(),
                out: Arc::clone(&say_out),
                ended: Arc::clone(&say_ended),
                listener: Arc::clone(&listener),
            };
            Task(tokio::spawn(stream.run(work)))
        };
        let writes = self.writes.clone().map(|target| {
            let target = Arc::new(target);
            let work: Work = Box::new(move |n| {
                let target = Arc::clone(&target);
                Box::pin(async move { write(&target, n).await })
            });
            let stream = Line {
                kind: Kind::Write,
                room,
                clock,
                stopped,
                out: say_out,
                ended: say_ended,
                listener,
            };
            Task(tokio::spawn(stream.run(work)))
        });
        Running {
            probe: self,
            began: clock::now(),
            clock,
            stop,
            out,
            ended,
            reads,
            writes,
        }
    }
}

impl Running {
    /// Waits until there is something to compare with: an attempt of each kind has ended. At most `limit`.
    pub async fn warm(&mut self, limit: Duration) {
        let all = self.ended.wait_for(|ended| ended.iter().all(|e| *e));
        let _warm_or_late = timeout(limit, all).await;
    }

    /// Ends the probe and gives its sums. If there is no service just then, it goes on for up to `patience` to see it come back.
    pub async fn stop(mut self, patience: Duration) -> Outage {
        let back = self.out.wait_for(|out| !out.iter().any(|o| *o));
        let _came_back = timeout(patience, back).await;
        let _listening = self.stop.send(true);
        let (reads, _) = finished(&mut self.reads).await;
        let mut writes = None;
        if let (Some(task), Some(target)) = (&mut self.writes, &self.probe.writes) {
            let (stream, acknowledged) = finished(task).await;
            writes = Some(Writes {
                table: target.name.clone(),
                stream,
                acknowledged: acknowledged.len() as u64,
                found: timeout(COUNT_WITHIN, kept(target, &acknowledged))
                    .await
                    .ok()
                    .flatten(),
            });
        }
        let spent = jiff::SignedDuration::try_from(self.clock.elapsed()).unwrap_or_default();
        Outage {
            endpoint: self.probe.spec.endpoint(),
            began: self.began,
            // By the clock that only goes forward.
            ended: self.began.checked_add(spent).unwrap_or(self.began),
            every_ms: EVERY.as_millis() as u64,
            reads,
            writes,
        }
    }
}

async fn finished(task: &mut Task) -> (Stream, Vec<u64>) {
    (&mut task.0).await.unwrap_or_default()
}

/// The attempts of one kind.
struct Line {
    kind: Kind,
    room: Arc<Room>,
    clock: Instant,
    stopped: watch::Receiver<bool>,
    out: Arc<watch::Sender<[bool; 2]>>,
    /// Whether an attempt has ended.
    ended: Arc<watch::Sender<[bool; 2]>>,
    listener: Listener,
}

impl Line {
    /// Until it is stopped. Gives the sums, and the numbers of the attempts that succeeded.
    async fn run(self, work: Work) -> (Stream, Vec<u64>) {
        let mut tally = Tally::default();
        let mut succeeded = vec![];
        let mut under_way = FuturesUnordered::new();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let clock = self.clock;
        let mut stopped = self.stopped.clone();
        let mut n = 0u64;
        let mut open = true;
        let mut rested = Instant::now();
        while open || !under_way.is_empty() {
            tokio::select! {
                biased;
                () = async { let _or_gone = stopped.wait_for(|stopped| *stopped).await; }, if open => open = false,
                Some((n, attempt)) = under_way.next(), if !under_way.is_empty() => {
                    self.take(&mut tally, &mut succeeded, n, attempt);
                }
                _ = ticks.tick(), if open && under_way.len() < self.room.most().max(1) => {
                    if self.room.most() == 0 && rested.elapsed() < RARELY {
                        continue;
                    }
                    rested = Instant::now();
                    n += 1;
                    let (number, attempt) = (n, work(n));
                    under_way.push(async move {
                        let began = since(clock);
                        let result = match timeout(LIMIT, attempt).await {
                            Ok(result) => result,
                            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
                        };
                        (number, Attempt { began, ended: since(clock), result })
                    });
                }
            }
        }
        (tally.finish(since(clock)), succeeded)
    }

    fn take(&self, tally: &mut Tally, succeeded: &mut Vec<u64>, n: u64, attempt: Attempt) {
        if attempt.result.is_ok() {
            succeeded.push(n);
        }
        self.ended.send_modify(|all| all[self.kind as usize] = true);
        let result = attempt.result.clone();
        if result.is_err() {
            self.room.doubt();
        }
        let out = match (tally.take(attempt), result) {
            (Change::Out, Err(error)) => {
                (self.listener)(News::Out {
                    kind: self.kind,
                    error,
                });
                true
            }
            (Change::Back(out_ms), Ok(server)) => {
                (self.listener)(News::Back {
                    kind: self.kind,
                    out_ms,
                    server,
                });
                false
            }
            _ => return,
        };
        self.out.send_modify(|all| all[self.kind as usize] = out);
    }
}

fn since(clock: Instant) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The same endpoint, with limits that make an attempt fail rather than wait.
fn hurried(spec: &ConnectSpec) -> ConnectSpec {
    let mut spec = spec.clone();
    spec.timeouts = Timeouts::within(LIMIT);
    spec.limits = SessionLimits {
        statement: LIMIT,
        lock: LIMIT,
        idle: Duration::from_secs(10),
    };
    spec
}

/// Reads once. The first of every few also learns how many attempts, of so many kinds, there is room for.
async fn read(spec: &ConnectSpec, n: u64, told: &Room, kinds: usize) -> Result<Server, String> {
    let session = connect(spec).await.map_err(|e| refused(&e))?;
    let asks = told.is_due(n);
    // In the same trip.
    let (rows, ()) = tokio::join!(session.client.simple_query(READ_SQL), async {
        if asks {
            let room = room(&session, Manners::default()).await;
            let most = match room.none_left() {
                Some(_) => 0,
                None => (room.at_once(AT_ONCE * kinds) / kinds).max(1),
            };
            told.tell(most);
        }
    });
    let rows = rows.map_err(|e| failed(&e))?;
    let row = rows.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or("the server sent no row")?;
    Ok(Server {
        version: row.get(0).map(quoted),
        address: row.get(1).map(quoted),
    })
}

async fn write(target: &Target, n: u64) -> Result<Server, String> {
    let session = connect(&target.spec).await.map_err(|e| refused(&e))?;
    // One round trip, one short transaction. `run` holds no character that could end the text.
    let sql = format!(
        "begin read write; insert into {} (run, n) values ('{}', {n}); commit",
        target.table, target.run
    );
    session.client.simple_query(&sql).await.map_err(|e| failed(&e))?;
    Ok(Server {
        version: Some(session.server_version.clone()),
        address: None,
    })
}

/// How many of the acknowledged rows are there. Fewer are believed only after the name had time to lead elsewhere: the side
/// that was left lacks what came later.
async fn kept(target: &Target, acknowledged: &[u64]) -> Option<u64> {
    let wanted = acknowledged.len() as u64;
    let mut found = None;
    for _ in 0..COUNTS {
        found = count(target, acknowledged).await.or(found);
        if found == Some(wanted) {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    found
}

/// How many of the acknowledged rows this connection sees.
async fn count(target: &Target, acknowledged: &[u64]) -> Option<u64> {
    let mut spec = target.spec.clone();
    spec.timeouts = Timeouts::default();
    spec.limits = SessionLimits::default();
    let session = connect(&spec).await.ok()?;
    let numbers: Vec<i64> = acknowledged
        .iter()
        .filter_map(|n| i64::try_from(*n).ok())
        .collect();
    let sql = format!(
        "select pg_catalog.count(*) from {} where run = $1::text and n = any ($2::bigint[])",
        target.table
    );
    let row = session
        .client
        .query_one(&sql, &[&target.run, &numbers])
        .await
        .ok()?;
    u64::try_from(row.get::<_, i64>(0)).ok()
}

/// `[DATABASE/]SCHEMA.TABLE`, each part plain or quoted as SQL quotes it.
fn parse(name: &str, usual: &str) -> Option<(String, String, String)> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut separators = String::new();
    let mut quoted = false;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let part = parts.last_mut().expect("there is always one");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '/' | '.' if !quoted => {
                separators.push(c);
                parts.push(String::new());
            }
            c if quoted => part.push(c),
            c => part.push(c.to_ascii_lowercase()),
        }
    }
    if quoted || parts.iter().any(String::is_empty) {
        return None;
    }
    let mut parts = parts.into_iter();
    let database = match separators.as_str() {
        "." => usual.to_owned(),
        "/." => parts.next()?,
        _ => return None,
    };
    Some((database, parts.next()?, parts.next()?))
}

async fn inspect(
    session: &Session,
    side: &'static str,
    name: &str,
    schema: &str,
    relation: &str,
) -> Result<(), ProbeError> {
    let row = session
        .client
        .query_opt(TABLE_SQL, &[&schema, &relation])
        .await
        .map_err(|e| ProbeError::Look {
            table: name.to_owned(),
            side,
            why: failed(&e),
        })?;
    let why = match row {
        None => Some("there is no such table".to_owned()),
        Some(row) => unfit(&Shape {
            kind: row.get(0),
            persistence: row.get(1),
            may: row.get(2),
            triggers: row.get(3),
            rules: row.get(4),
            row_security: row.get(5),
            constraints: row.get(6),
            inherits: row.get(7),
            columns: row.get::<_, Option<String>>(8).unwrap_or_default(),
            key: row.get::<_, Option<String>>(9).unwrap_or_default(),
            default: row.get::<_, Option<String>>(10).unwrap_or_default(),
        }),
    };
    why.map_or(Ok(()), |why| {
        Err(ProbeError::Unfit {
            table: name.to_owned(),
            side,
            why,
        })
    })
}

struct Shape {
    kind: String,
    persistence: String,
    may: bool,
    triggers: bool,
    rules: bool,
    row_security: bool,
    constraints: bool,
    inherits: bool,
    columns: String,
    key: String,
    default: String,
}

/// Why an insert into this table might do more, or less, than add one row that replicates.
fn unfit(shape: &Shape) -> Option<String> {
    let wanted = "at timestamp with time zone, n bigint, run text";
    let why = if shape.kind != "r" {
        "it is no ordinary table"
    } else if shape.persistence != "p" {
        "it is not logged, so that it does not replicate"
    } else if shape.triggers {
        "it has triggers"
    } else if shape.rules {
        "it has rules"
    } else if shape.row_security {
        "it has row security"
    } else if shape.inherits {
        "it is part of an inheritance"
    } else if shape.constraints {
        "it has other constraints than its key"
    } else if shape.columns != wanted {
        return Some(format!(
            "its columns are {}, not {wanted},",
            quoted(&shape.columns)
        ));
    } else if shape.key != "n, run" {
        "its primary key is not (run, n)"
    } else if shape.default != "now()" {
        "its column at has not the default now()"
    } else if !shape.may {
        "the role may not INSERT and SELECT"
    } else {
        return None;
    };
    Some(why.to_owned())
}

fn refused(error: &ConnectError) -> String {
    // Endpoint, database and role are the same each time.
    quoted(&error.cause.to_string())
}

fn failed(error: &tokio_postgres::Error) -> String {
    quoted(&match error.as_db_error() {
        Some(db) => format!("{}: {}", db.code().code(), db.message()),
        None => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        let parsed = |name| parse(name, "app");
        let three = |d: &str, s: &str, t: &str| Some((d.to_owned(), s.to_owned(), t.to_owned()));
        assert_eq!(parsed("public.Probe"), three("app", "public", "probe"));
        assert_eq!(parsed("shop/public.probe"), three("shop", "public", "probe"));
        assert_eq!(
            parsed("\"Sh/op\"/\"a.b\".\"say \"\"hi\"\"\""),
            three("Sh/op", "a.b", "say \"hi\"")
        );
        for bad in [
            "", "probe", "a.b.c", "a/b", "a/b/c.d", "\"a.b", ".b", "a.", "/a.b",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
