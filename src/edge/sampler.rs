//! What moves by the second, looked at again and again: one session a server that stays open, a few shared probes, and a
//! time limit after which a look says what it could not see.
//!
//! A session that broke, or that did not answer in time, is opened anew at the next look. One that takes up what others may need
//! is closed after its look: where the server has few connections left, and where the role or the database has reached its
//! `CONNECTION LIMIT`. The server's last connection is given back at once, and the look says so.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::{
    clock,
    connect::{ConnectSpec, Session, connect},
    postgres::{Manners, Plan, probe, room, version},
};
use crate::{
    catalogue::Query,
    checks::Check,
    facts::{Fact, ProbeName, Rows, Why},
    model::{PgVersion, Side},
    switchover::moment::Answers,
};

/// Longest time for a look; shorter than the gap that settling tolerates.
const WITHIN: Duration = Duration::from_secs(4);
/// Longest time for opening the sessions before the first look.
const WARM_WITHIN: Duration = Duration::from_secs(15);

/// No limit of its own: the shared probes have theirs.
const ALL_ROWS: u64 = u64::MAX >> 1;

/// Answers of one server by probe.
type Probes = BTreeMap<ProbeName, Fact<Rows>>;

/// The name under which the end of blue's log and green's replayed position are found, where green is a standby.
pub const POSITION: &str = "position";

/// How far the log is. On green, a standby, what it has replayed.
const POSITION_SQL: &str = "\
select pg_catalog.pg_is_in_recovery() as standby,
       case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
            else pg_catalog.pg_current_wal_lsn() end::text as lsn";

/// Both servers, with their sessions.
#[derive(Debug)]
pub struct Sampler {
    blue: Line,
    green: Option<Line>,
    wanted: fn(&Check) -> bool,
    standby: bool,
}

#[derive(Debug)]
struct Line {
    side: Side,
    spec: ConnectSpec,
    session: Mutex<Option<Session>>,
}

impl Line {
    fn new(side: Side, spec: &ConnectSpec) -> Self {
        Self {
            side,
            spec: spec.clone(),
            session: Mutex::new(None),
        }
    }
}

/// What a look asks a server: what moves. Its settings, its databases and what is in them stay as they were collected last.
pub fn plan(side: Side, version: PgVersion, wanted: impl Fn(&Check) -> bool) -> Plan {
    let mut plan = Plan::of(side, version, wanted);
    plan.server
        .retain(|(name, _)| !matches!(name.as_str(), "settings" | "databases"));
    plan.database.clear();
    plan
}

impl Sampler {
    /// Asks what the wanted checks look at on each server, except what does not move (settings, databases); with
    /// `standby` also the positions of the log.
    #[must_use]
    pub fn new(
        blue: &ConnectSpec,
        green: Option<&ConnectSpec>,
        wanted: fn(&Check) -> bool,
        standby: bool,
    ) -> Self {
        let brief = |spec: &ConnectSpec| {
            let mut spec = spec.clone();
            spec.limits.statement = WITHIN;
            spec
        };
        Self {
            blue: Line::new(Side::Blue, &brief(blue)),
            green: green.map(|green| Line::new(Side::Green, &brief(green))),
            wanted,
            standby,
        }
    }

    /// Opens the sessions, so that the first look is not spent on it. What fails is told by that look.
    pub async fn warm(&self) {
        let open = async |line: &Line| {
            let mut session = line.session.lock().await;
            if session.is_none() {
                *session = connect(&line.spec).await.ok();
            }
        };
        let both = async {
            tokio::join!(open(&self.blue), async {
                if let Some(green) = &self.green {
                    open(green).await;
                }
            })
        };
        let _opened_or_not = tokio::time::timeout(WARM_WITHIN, both).await;
    }

    /// The versions of blue and green, as far as their sessions are open: a server that was upgraded or replaced has ended them.
    pub async fn versions(&self) -> (Option<PgVersion>, Option<PgVersion>) {
        let of = async |line: &Line| line.session.lock().await.as_ref().map(version);
        let green = match &self.green {
            Some(green) => of(green).await,
            None => None,
        };
        (of(&self.blue).await, green)
    }

    /// Looks once.
    pub async fn look(&self) -> Answers {
        let at = clock::now();
        let (blue, green) = tokio::join!(self.ask(&self.blue), async {
            match &self.green {
                Some(green) => self.ask(green).await,
                None => Fact::unknown(Why::Unreachable, "green has no endpoint"),
            }
        });
        Answers { at, blue, green }
    }

    fn queries(&self, side: Side, session: &Session) -> Vec<(ProbeName, Query)> {
        let mut queries = plan(side, version(session), self.wanted).server;
        if self.standby {
            let query = Query {
                probe: POSITION.to_owned(),
                when: None,
                limit: None,
                only_if: Vec::new(),
                otherwise: None,
                sql: POSITION_SQL.to_owned(),
            };
            queries.push((query.probe.clone(), query));
        }
        queries
    }

    async fn ask(&self, line: &Line) -> Fact<Probes> {
        let mut slot = line.session.lock().await;
        let asked = async {
            let session = match slot.take() {
                Some(session) if !session.client.is_closed() => session,
                _ => connect(&line.spec).await.map_err(|e| e.fact::<Probes>())?,
            };
            let queries = self.queries(line.side, &session);
            let asked = queries.iter().map(|(_, query)| probe(&session, query, ALL_ROWS));
            // In the same trip, at each look: others come and go.
            let (answers, room) = tokio::join!(join_all(asked), room(&session, Manners::default()));
            if let Some(why) = room.none_left() {
                session.close().await;
                return Err(Fact::unknown(Why::Unreachable, format!("{}: {why}", line.side)));
            }
            let answers = queries.into_iter().map(|(name, _)| name).zip(answers).collect();
            let kept = if room.is_tight() || room.at_its_limit(&line.spec.database) {
                session.close().await;
                None
            } else {
                Some(session)
            };
            Ok::<_, Fact<Probes>>((kept, answers))
        };
        match tokio::time::timeout(WITHIN, asked).await {
            Ok(Ok((session, answers))) => {
                *slot = session;
                Fact::Known(answers)
            }
            Ok(Err(unknown)) => unknown,
            Err(_) => Fact::unknown(
                Why::Timeout,
                format!("{} did not answer within {} s", line.side, WITHIN.as_secs()),
            ),
        }
    }
}
