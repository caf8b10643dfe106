//! What moves by the second, judged: from one look at both servers to the [`Sample`](super::settle::Sample) that the machine decides on.
//!
//! The checks of sessions, slots and apply workers are the catalogue's own judges on fresh answers, under the same policy
//! and waivers as the full check; everything that does not move is taken from that check. Lag is this module's own sum,
//! against `--max-lag`. Whatever could not be seen is an obstacle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::settle::{Eta, Lag, Limits, Point, Series, Trend};
use crate::{
    checks::{Check, SILENCE_SECONDS, is_replication_worker},
    facts::{Fact, Facts, LagSample, Rows, Why},
    model::{Lsn, Replication, Side},
    policy::Policy,
    report::Report,
    situation::Situation,
    verdict::Level,
};

/// Checks that are judged anew at every look: what RDS's guardrails refuse on, as far as it can change from one second
/// to the next.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
pub const FAST: &[&str] = &[
    "long-transactions",
    "running-ddl",
    "writes-on-green",
    "slot-health",
    "external-logical-slots",
    "external-subscriptions",
    "subscription-health",
];
/// Of these a warning is worth waiting for as well: RDS publishes no thresholds, and they pass by themselves.
const PASSING: &[&str] = &["long-transactions", "running-ddl"];
/// The check that the full check leaves to settling.
pub const LAG_CHECK: &str = "replication-lag";
/// Looks that are kept for checks that compare them.
const KEPT: usize = 30;
/// What a physical deployment has instead of databases.
const STANDBY: &str = "the standby";

/// Whether a check is one of [`FAST`], or the probes of lag.
#[must_use]
pub fn wanted(check: &Check) -> bool {
    FAST.contains(&check.page.id.as_str()) || check.page.id == LAG_CHECK
}

/// Both servers' answers at one time, by probe.
#[derive(Clone, Debug)]
pub struct Answers {
    /// When.
    pub at: Timestamp,
    /// Blue's.
    pub blue: Fact<BTreeMap<String, Fact<Rows>>>,
    /// Green's.
    pub green: Fact<BTreeMap<String, Fact<Rows>>>,
}

/// One line of what a person is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LagLine {
    /// The database.
    pub database: String,
    /// Bytes behind.
    pub bytes: u64,
    /// Time behind, where there is one.
    pub time: Option<SignedDuration>,
    /// Which way it goes.
    pub trend: Trend,
    /// When it will be within the limit.
    pub eta: Eta,
    /// Whether the slot stands still while blue writes.
    pub stalled: bool,
    /// The last looks.
    pub history: Vec<u64>,
}

/// Steps of [`LagLine::history`].
pub const HISTORY: usize = 24;

/// Judges looks, on the ground of a full check.
#[derive(Debug)]
pub struct Moment {
    /// The full check's facts without what is not looked at here.
    facts: Facts,
    situation: Situation,
    policy: Policy,
    /// Slots that the full check saw.
    slots: BTreeSet<String>,
    series: BTreeMap<String, (String, Series)>,
    looks: VecDeque<LagSample>,
}

/// A row of the probe `lag`, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Slot {
    slot: String,
    database: Option<String>,
    active: bool,
    confirmed_flush_lsn: Option<Lsn>,
    current_lsn: Option<Lsn>,
    last_reply_seconds: Option<f64>,
}

/// A row of the probe `sessions`, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Worker {
    database: Option<String>,
    kind: Option<String>,
    transaction_seconds: Option<f64>,
}

/// A row of the position.
#[derive(Debug, Deserialize)]
struct Position {
    standby: bool,
    lsn: Option<Lsn>,
}

impl Moment {
    /// On the ground of a full check. Earlier looks are kept, so that a repeated check does not lose the trend.
    #[must_use]
    pub fn on(facts: &Facts, situation: Situation, policy: &Policy, earlier: Option<Self>) -> Self {
        let mut slim = facts.clone();
        slim.rds = Fact::unknown(Why::NotAsked, "not looked at from second to second");
        for server in [Some(&mut slim.blue), slim.green.as_mut()].into_iter().flatten() {
            if let Fact::Known(server) = server {
                // Of the databases only the tables stay, which tell whether one without a slot has anything to lose.
                for probes in server.databases.values_mut() {
                    if let Fact::Known(probes) = probes {
                        probes.retain(|name, _| name == "relations");
                    }
                }
            }
        }
        let mut policy = policy.clone();
        policy.only = FAST.iter().map(|id| (*id).to_owned()).collect();
        let seen = facts.lag.iter().filter_map(|sample| sample.blue.known());
        let slots = seen
            .flat_map(|rows| &rows.rows)
            .filter_map(|row| row.text("slot"));
        let slots = slots.collect();
        let (series, looks) =
            earlier.map_or_else(Default::default, |earlier| (earlier.series, earlier.looks));
        Self {
            facts: slim,
            situation,
            policy,
            slots,
            series,
            looks,
        }
    }

    /// Judges one look: lag and obstacles.
    pub fn judge(&mut self, answers: Answers, limits: &Limits) -> (Lag, Vec<String>) {
        let blind: Vec<String> = [(Side::Blue, &answers.blue), (Side::Green, &answers.green)]
            .into_iter()
            .filter_map(|(side, answers)| match answers.get() {
                Err((why, detail)) => Some(format!("{side} could not be looked at ({why}: {detail})")),
                Ok(_) => None,
            })
            .collect();
        if let Some(why) = blind.first() {
            return (Lag::Unknown { why: why.clone() }, blind);
        }
        let lag = self.lag(&answers, limits);
        let mut obstacles = self.silent(&answers);
        obstacles.extend(self.applying(&answers, limits));
        obstacles.extend(self.checks(answers));
        (lag, obstacles)
    }

    /// The lag of every database at the last look, in the order of their names.
    #[must_use]
    pub fn lines(&self, limits: &Limits) -> Vec<LagLine> {
        let lines = self.series.values().filter_map(|(database, series)| {
            Some(LagLine {
                database: database.clone(),
                bytes: series.last()?.behind(),
                time: series.behind_for(),
                trend: series.trend(),
                eta: series.eta(limits.bytes),
                stalled: series.stalled(),
                history: series.sparkline(HISTORY),
            })
        });
        let mut lines: Vec<LagLine> = lines.collect();
        lines.sort_by(|a, b| a.database.cmp(&b.database));
        lines
    }

    /// The worst lag of one look, which is taken into the lines.
    pub fn lag(&mut self, answers: &Answers, limits: &Limits) -> Lag {
        let unknown = |why: &str| Lag::Unknown { why: why.to_owned() };
        let points = if self.situation.replication == Some(Replication::Physical) {
            physical(answers)
        } else {
            self.logical(answers)
        };
        let points = match points {
            Ok(points) => points,
            Err(why) => return unknown(&why),
        };
        self.series
            .retain(|slot, _| points.iter().any(|(seen, ..)| seen == slot));
        for (slot, database, point) in points {
            let (_, series) = self
                .series
                .entry(slot)
                .or_insert_with(|| (database, Series::default()));
            series.push(point);
        }
        let worst = self.series.values().filter_map(|(database, series)| {
            let (bytes, time) = (series.last()?.behind(), series.behind_for());
            let over = bytes > limits.bytes || time.is_some_and(|time| time > limits.time);
            Some((over, bytes, time, database))
        });
        match worst.max_by_key(|(over, bytes, ..)| (*over, *bytes)) {
            Some((_, bytes, time, database)) => Lag::Worst {
                database: database.clone(),
                bytes,
                time,
            },
            None => unknown("blue has no slot of the deployment"),
        }
    }

    fn logical(&self, answers: &Answers) -> Result<Vec<(String, String, Point)>, String> {
        let slots: Vec<Slot> = rows(&answers.blue, "lag")?;
        if let Some(missing) = self
            .slots
            .iter()
            .find(|name| !slots.iter().any(|s| s.slot == **name))
        {
            return Err(format!("blue's slot {missing} is gone"));
        }
        let points = slots
            .into_iter()
            .map(|slot| match (slot.current_lsn, slot.confirmed_flush_lsn) {
                (Some(current), Some(confirmed)) => {
                    let database = slot.database.unwrap_or_else(|| slot.slot.clone());
                    let point = Point {
                        at: answers.at,
                        written: current.0,
                        confirmed: confirmed.0,
                    };
                    Ok((slot.slot, database, point))
                }
                _ => Err(format!("the position of blue's slot {} is not known", slot.slot)),
            });
        points.collect()
    }

    /// Slots that nobody reads, or whose reader says nothing: with a small distance nothing else would show it.
    #[must_use]
    pub fn silent(&self, answers: &Answers) -> Vec<String> {
        if self.situation.replication == Some(Replication::Physical) {
            return Vec::new();
        }
        let slots: Vec<Slot> = rows(&answers.blue, "lag").unwrap_or_default();
        let silent = slots.iter().filter_map(|slot| {
            let place = slot.database.as_deref().unwrap_or(&slot.slot);
            if !slot.active {
                return Some(format!(
                    "nobody reads blue's slot of {place}: its apply worker is not connected"
                ));
            }
            let seconds = slot.last_reply_seconds.filter(|s| *s > SILENCE_SECONDS)?;
            Some(format!(
                "the apply worker of {place} has said nothing for {seconds:.0} s"
            ))
        });
        silent.collect()
    }

    /// Apply workers that have been at one transaction for longer than lag may be. No position shows it: a slot confirms
    /// what its worker has *received*, and while a transaction is open on blue that is nearly all of its log, so that a huge one
    /// is behind by next to nothing for as long as green is at it.
    #[must_use]
    pub fn applying(&self, answers: &Answers, limits: &Limits) -> Vec<String> {
        if self.situation.replication == Some(Replication::Physical) {
            return Vec::new();
        }
        // What is hidden or was cut off, the checks of sessions say.
        let workers: Vec<Worker> = rows(&answers.green, "sessions").unwrap_or_default();
        let long = workers.into_iter().filter_map(|worker| {
            let applies = is_replication_worker(&worker.kind?);
            let seconds = worker
                .transaction_seconds
                .filter(|s| *s > limits.time.as_secs_f64())?;
            let database = worker.database.unwrap_or_default();
            applies
                .then(|| format!("green has been applying one transaction in {database} for {seconds:.0} s"))
        });
        long.collect()
    }

    /// What the fast checks find, or cannot tell.
    fn checks(&mut self, answers: Answers) -> Vec<String> {
        let lag = |answers: &Fact<BTreeMap<String, Fact<Rows>>>, probe: &str| match answers {
            Fact::Known(answers) => answers
                .get(probe)
                .cloned()
                .unwrap_or_else(|| Fact::unknown(Why::NotAsked, "not asked")),
            Fact::Unknown { why, detail } => Fact::unknown(*why, detail.clone()),
        };
        self.looks.push_back(LagSample {
            at: answers.at,
            blue: lag(&answers.blue, "lag"),
            green: lag(&answers.green, "apply"),
        });
        while self.looks.len() > KEPT {
            self.looks.pop_front();
        }
        self.facts.lag = self.looks.iter().cloned().collect();
        let (blue, green) = (&mut self.facts.blue, self.facts.green.as_mut());
        for (server, fresh) in [(Some(blue), answers.blue), (green, answers.green)] {
            if let (Some(Fact::Known(server)), Fact::Known(fresh)) = (server, fresh) {
                server.probes.extend(fresh);
            }
        }
        self.policy.now = answers.at;
        let report = Report::make(&self.facts, self.situation, &self.policy);
        let mut obstacles = Vec::new();
        for check in report.checks.iter().filter(|check| FAST.contains(&check.id)) {
            let from = if PASSING.contains(&check.id) {
                Level::Warning.min(self.policy.fail_on)
            } else {
                self.policy.fail_on
            };
            let open = check
                .findings
                .iter()
                .filter(|f| f.waived.is_none() && f.level >= from);
            obstacles.extend(open.map(|f| format!("{} ({})", f.message, check.id)));
            if check.level >= from && check.more > 0 {
                obstacles.push(format!("{} more findings of {}", check.more, check.id));
            }
            if check.level >= self.policy.fail_on {
                let unseen = check.unseen.iter().filter(|u| u.waived.is_none());
                obstacles
                    .extend(unseen.map(|u| format!("{} cannot be told: {}: {}", check.id, u.subject, u.why)));
            }
        }
        obstacles
    }
}

/// Green's distance as a standby.
fn physical(answers: &Answers) -> Result<Vec<(String, String, Point)>, String> {
    let one = |side: Side, answers| {
        let found: Vec<Position> = rows(answers, "position")?;
        let found = found.into_iter().next();
        found.ok_or_else(|| format!("{side} does not tell how far its log is"))
    };
    let (blue, green) = (one(Side::Blue, &answers.blue)?, one(Side::Green, &answers.green)?);
    if !green.standby {
        return Err("green is no standby of blue (any more)".to_owned());
    }
    match (blue.lsn, green.lsn) {
        (Some(written), Some(confirmed)) => {
            let point = Point {
                at: answers.at,
                written: written.0,
                confirmed: confirmed.0,
            };
            Ok(vec![(STANDBY.to_owned(), STANDBY.to_owned(), point)])
        }
        _ => Err("a position of the log is not known".to_owned()),
    }
}

fn rows<T: serde::de::DeserializeOwned>(
    answers: &Fact<BTreeMap<String, Fact<Rows>>>,
    probe: &str,
) -> Result<Vec<T>, String> {
    let answers = answers
        .get()
        .map_err(|(why, detail)| format!("{why}: {detail}"))?;
    let rows = answers
        .get(probe)
        .ok_or_else(|| format!("{probe} was not asked"))?;
    let rows = rows.get().map_err(|(why, detail)| format!("{why}: {detail}"))?;
    if rows.total > rows.rows.len() as u64 {
        return Err(format!(
            "only {} of {} rows of {probe} travelled",
            rows.rows.len(),
            rows.total
        ));
    }
    let parsed = rows
        .rows
        .iter()
        .map(|row| row.read::<T>().map_err(|e| e.to_string()));
    parsed.collect()
}
