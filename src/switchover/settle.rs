//! The sums over replication lag: what is calm, for how long it has been, which way it goes and when it will be over.
//!
//! Pure over samples. [`Limits::judge`] and [`Hold`] are what the machine decides on; [`Series`] is what a person is
//! shown. Rates are medians of pairwise slopes (Theil–Sen), so that one late sample does not turn a trend around. On an
//! idle blue the distance never gets to exactly 0 (running-xacts records, other databases' WAL), and a confirmed
//! position only moves with WAL: both are taken for calm, not for stalled.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::size;

/// How much lag is calm.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// In bytes of WAL, for each database.
    pub bytes: u64,
    /// In time, where it can be measured (an idle stream has none).
    pub time: SignedDuration,
    /// Longest time between two samples that still counts as watching; after a longer one the hold begins anew.
    pub max_gap: SignedDuration,
}

impl Default for Limits {
    /// 1 MiB, 1 s, and 5 s between samples.
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            time: SignedDuration::from_secs(1),
            max_gap: SignedDuration::from_secs(5),
        }
    }
}

/// Lag over all databases.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lag {
    /// The worst database.
    Worst {
        /// Which.
        database: String,
        /// Bytes of WAL that green has not confirmed.
        bytes: u64,
        /// Time behind, if the stream says.
        time: Option<SignedDuration>,
    },
    /// At least one database's lag could not be read.
    Unknown {
        /// Why.
        why: String,
    },
}

/// One look at what moves by the second.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sample {
    /// Replication lag.
    pub lag: Lag,
    /// What RDS's guardrails would refuse on: long writes or DDL on blue, writes on green, subscriptions that are not
    /// ready. Also anything of this kind that could not be read.
    pub obstacles: Vec<String>,
    /// Whether the lock is still held, asked on the very session that took it.
    #[serde(skip, default = "held")]
    pub lock: Result<(), String>,
}

fn held() -> Result<(), String> {
    Ok(())
}

/// Whether a sample is calm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Calm {
    /// Yes.
    Yes,
    /// No, and why not.
    No(String),
}

impl Limits {
    /// Judges one sample. Lag that could not be read is not calm.
    #[must_use]
    pub fn judge(&self, sample: &Sample) -> Calm {
        if let Some(first) = sample.obstacles.first() {
            let more = sample.obstacles.len() - 1;
            return Calm::No(if more == 0 {
                first.clone()
            } else {
                format!("{first} (and {more} more)")
            });
        }
        match &sample.lag {
            Lag::Unknown { why } => Calm::No(format!("lag is unknown: {why}")),
            Lag::Worst { database, bytes, .. } if *bytes > self.bytes => Calm::No(format!(
                "{database} is {} behind, more than {}",
                size(*bytes),
                size(self.bytes)
            )),
            Lag::Worst {
                database,
                time: Some(time),
                ..
            } if *time > self.time => Calm::No(format!(
                "{database} is {time:#} behind, more than {:#}",
                self.time
            )),
            Lag::Worst { .. } => Calm::Yes,
        }
    }
}

/// Since when every sample has been calm, with no gap in the watching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hold {
    /// First and last sample of the calm.
    span: Option<(Timestamp, Timestamp)>,
}

impl Hold {
    /// Takes one sample in. A gap, or a clock that goes backwards, ends the calm before it.
    pub fn observe(&mut self, at: Timestamp, calm: bool, max_gap: SignedDuration) {
        self.span = match self.span {
            _ if !calm => None,
            Some((since, last)) if at >= last && at.duration_since(last) <= max_gap => Some((since, at)),
            _ => Some((at, at)),
        };
    }

    /// How long it has held at the last sample; `None` when it does not, or when `at` is not that sample's time.
    #[must_use]
    pub fn lasted(&self, at: Timestamp) -> Option<SignedDuration> {
        self.span
            .filter(|(_, last)| *last == at)
            .map(|(since, last)| last.duration_since(since))
    }

    /// The same moved in time, for whoever compares states regardless of it.
    #[must_use]
    pub fn map_times(self, f: impl Fn(Timestamp) -> Timestamp) -> Self {
        Self {
            span: self.span.map(|(since, last)| (f(since), f(last))),
        }
    }
}

/// One database at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// `pg_current_wal_lsn()` as a number of bytes.
    pub written: u64,
    /// The slot's `confirmed_flush_lsn` as a number of bytes.
    pub confirmed: u64,
}

impl Point {
    /// Bytes behind.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.written.saturating_sub(self.confirmed)
    }
}

/// Which way lag goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Too few samples.
    Unknown,
    /// More and more.
    Growing,
    /// Neither.
    Flat,
    /// Less and less.
    Shrinking,
}

/// When it will have caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eta {
    /// Too few samples.
    Unknown,
    /// It has.
    Now,
    /// In about this time.
    In(SignedDuration),
    /// Green confirms no faster than blue writes.
    Never,
}

/// Samples kept a database.
pub const WINDOW: usize = 60;
/// WAL that an idle server writes by itself, and that no trend is read into, in bytes.
pub const NOISE: u64 = 64 * 1024;
/// How long a slot must not move, while WAL grows by more than [`NOISE`], to be called stalled. Longer than twice
/// `wal_receiver_status_interval` (10 s), at which a subscriber reports at the latest.
/// <https://www.postgresql.org/docs/current/runtime-config-replication.html>
pub const STALLED_AFTER: SignedDuration = SignedDuration::from_secs(25);

/// The last samples of one database.
#[derive(Clone, Debug, Default)]
pub struct Series {
    points: VecDeque<Point>,
    /// The sample at which the slot last moved.
    moved: Option<Point>,
}

impl Series {
    /// Takes a sample in. One that is not later than the last is dropped: nothing can be said about a rate with it.
    pub fn push(&mut self, point: Point) {
        if self.points.back().is_some_and(|last| point.at <= last.at) {
            return;
        }
        // A slot that went back was made anew: what was before says nothing any more.
        if self
            .points
            .back()
            .is_some_and(|last| point.confirmed < last.confirmed || point.written < last.written)
        {
            self.points.clear();
            self.moved = None;
        }
        if self.moved.is_none_or(|moved| point.confirmed != moved.confirmed) {
            self.moved = Some(point);
        }
        if self.points.len() == WINDOW {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    /// The newest sample.
    #[must_use]
    pub fn last(&self) -> Option<Point> {
        self.points.back().copied()
    }

    /// Bytes of WAL that blue writes a second.
    #[must_use]
    pub fn write_rate(&self) -> Option<f64> {
        self.slope(|p| p.written as f64)
    }

    /// Bytes of WAL that green confirms a second.
    #[must_use]
    pub fn apply_rate(&self) -> Option<f64> {
        self.slope(|p| p.confirmed as f64)
    }

    /// Which way lag goes: by its median slope, and only if that makes a difference over the window, to [`NOISE`] and
    /// to a tenth of the lag itself.
    #[must_use]
    pub fn trend(&self) -> Trend {
        let (Some(first), Some(last), Some(slope)) = (
            self.points.front(),
            self.points.back(),
            self.slope(|p| p.behind() as f64),
        ) else {
            return Trend::Unknown;
        };
        if self.points.len() < 3 {
            return Trend::Unknown;
        }
        let change = slope * last.at.duration_since(first.at).as_secs_f64();
        let floor = (NOISE as f64).max(last.behind().max(first.behind()) as f64 / 10.0);
        if change.abs() < floor {
            Trend::Flat
        } else if change > 0.0 {
            Trend::Growing
        } else {
            Trend::Shrinking
        }
    }

    /// When lag will be at most `enough` bytes, if both rates stay what they are.
    #[must_use]
    pub fn eta(&self, enough: u64) -> Eta {
        let Some(last) = self.last() else {
            return Eta::Unknown;
        };
        let Some(excess) = last.behind().checked_sub(enough).filter(|e| *e > 0) else {
            return Eta::Now;
        };
        let (Some(write), Some(apply)) = (self.write_rate(), self.apply_rate()) else {
            return Eta::Unknown;
        };
        if self.points.len() < 3 {
            return Eta::Unknown;
        }
        let gain = apply - write;
        if gain <= 0.0 {
            return Eta::Never;
        }
        // A century is as good as never, and far from what a duration can hold.
        match excess as f64 / gain {
            seconds if seconds > 3.2e9 => Eta::Never,
            seconds => Eta::In(SignedDuration::from_millis((seconds * 1000.0).ceil() as i64)),
        }
    }

    /// How far behind it is in time: how long ago blue was where green is now, or at least for how long it has not been.
    /// None while the distance is noise ([`NOISE`]), for an idle stream has no time.
    #[must_use]
    pub fn behind_for(&self) -> Option<SignedDuration> {
        let last = self.last().filter(|last| last.behind() > NOISE)?;
        let reached = self.points.iter().rev().find(|p| p.written <= last.confirmed);
        let since = reached.or(self.points.front())?;
        Some(last.at.duration_since(since.at))
    }

    /// Whether the slot stands still while blue writes: a dead worker, or one transaction that blocks decoding.
    #[must_use]
    pub fn stalled(&self) -> bool {
        match (self.moved, self.last()) {
            (Some(moved), Some(last)) => {
                last.at.duration_since(moved.at) >= STALLED_AFTER
                    && last.written.saturating_sub(moved.written) > NOISE
                    && last.behind() > 0
            }
            _ => false,
        }
    }

    /// Lag over time in at most `width` steps, each the worst of its share of the samples.
    #[must_use]
    pub fn sparkline(&self, width: usize) -> Vec<u64> {
        let n = self.points.len();
        let steps = width.min(n);
        (0..steps)
            .map(|i| {
                let share = self.points.range(i * n / steps..(i + 1) * n / steps);
                share.map(Point::behind).max().unwrap_or(0)
            })
            .collect()
    }

    fn slope(&self, value: impl Fn(&Point) -> f64) -> Option<f64> {
        let mut slopes: Vec<f64> = Vec::with_capacity(self.points.len() * self.points.len() / 2);
        for (i, a) in self.points.iter().enumerate() {
            for b in self.points.iter().skip(i + 1) {
                slopes.push((value(b) - value(a)) / b.at.duration_since(a.at).as_secs_f64());
            }
        }
        if slopes.is_empty() {
            return None;
        }
        let middle = slopes.len() / 2;
        let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        Some(*median)
    }
}
