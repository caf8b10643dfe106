//! Green is close behind blue in every database, and does not fall further behind.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Ctx,
    shared::{Lag, Pace, Session},
};
use crate::{
    facts::LagSample,
    model::{Side, size},
    policy::Thresholds,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Up to here the distance is noise: positions move only with the log, and other databases write it too.
const QUIET_BYTES: i64 = 1 << 20;
/// Below this seconds mean nothing: an idle server keeps a small distance for long, and the sender's own figures are old.
const SECONDS_COUNT_FROM: i64 = 64 << 10;
/// An apply worker that lives replies at least every `wal_receiver_status_interval` (10 s).
pub(crate) const SILENCE_SECONDS: f64 = 30.0;

/// What is wrong with one slot's lag.
#[derive(Debug, PartialEq)]
pub(super) struct Behind {
    pub(super) level: Level,
    pub(super) message: String,
}

/// Weighs the looks at one slot, oldest first.
pub(super) fn weigh(place: &str, looks: &[(Timestamp, Lag)], thresholds: &Thresholds) -> Option<Behind> {
    let (_, last) = looks.last()?;
    let bytes = last.lag_bytes?;
    let pace = Pace::of(looks);
    let seconds = if bytes > SECONDS_COUNT_FROM {
        pace.seconds_behind.max(reported(last))
    } else {
        0.0
    };
    let blocker = |message: String| Some(Behind { level: Level::Blocker, message });
    let limit = i64::try_from(thresholds.max_lag_bytes).unwrap_or(i64::MAX);
    if bytes > limit {
        return blocker(format!("{place} is {} behind (at most {}){}", size(bytes), size(limit), pace.words()));
    }
    if seconds > thresholds.max_lag_seconds {
        let most = thresholds.max_lag_seconds;
        return blocker(format!("{place} is {seconds:.1} s behind (at most {most} s){}", pace.words()));
    }
    if bytes > 0
        && let Some(silence) = last.last_reply_seconds.filter(|s| *s > SILENCE_SECONDS)
    {
        return blocker(format!("{place} has confirmed nothing for {silence:.0} s: its apply worker is stuck"));
    }
    if bytes > QUIET_BYTES && pace.falls_behind() {
        // A reader that lives confirms in steps, and a busy one late: seconds alone are no trend.
        let decided = !last.active || pace.seconds >= thresholds.max_lag_seconds;
        let how = if pace.stalled { "and confirms nothing" } else { "and falls further behind" };
        return Some(Behind {
            level: if decided { Level::Blocker } else { Level::Warning },
            message: format!("{place} is {} behind {how}{}", size(bytes), pace.words()),
        });
    }
    (bytes > QUIET_BYTES).then(|| Behind {
        level: Level::Warning,
        message: format!("{place} is {} behind{}", size(bytes), pace.words()),
    })
}

/// Whether these looks leave open if a slot that is read falls behind or pauses between two replies. More looks then tell, up to
/// the seconds that green may be behind by default.
pub(crate) fn undecided(samples: &[LagSample]) -> bool {
    // After a look that saw nothing the next ones would hardly see more.
    samples.iter().all(|sample| sample.blue.known().is_some())
        && by_slot(samples, |_| {}).values().any(|looks| {
            let pace = Pace::of(looks);
            let behind = looks.last().is_some_and(|(_, last)| last.active && last.lag_bytes.is_some_and(|b| b > QUIET_BYTES));
            behind && pace.falls_behind() && pace.seconds < Thresholds::default().max_lag_seconds
        })
}

/// The looks at each slot, oldest first. What could not be seen is told.
fn by_slot(samples: &[LagSample], mut unseen: impl FnMut(String)) -> BTreeMap<String, Vec<(Timestamp, Lag)>> {
    let mut slots: BTreeMap<String, Vec<(Timestamp, Lag)>> = BTreeMap::new();
    for sample in samples {
        match sample.blue.get() {
            Ok(rows) => {
                for row in &rows.rows {
                    match row.read::<Lag>() {
                        Ok(row) => slots.entry(row.slot.clone()).or_default().push((sample.at, row)),
                        Err(e) => unseen(format!("unreadable row: {e}")),
                    }
                }
                if rows.total > rows.rows.len() as u64 {
                    unseen(format!("only {} of {} slots were looked at", rows.rows.len(), rows.total));
                }
            }
            Err((why, detail)) => unseen(format!("{why}: {detail}")),
        }
    }
    slots
}

/// The longest of the sender's lags.
fn reported(lag: &Lag) -> f64 {
    let all = [lag.write_lag_seconds, lag.flush_lag_seconds, lag.replay_lag_seconds];
    all.into_iter().flatten().fold(0.0, f64::max)
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut looks = by_slot(&ctx.facts.lag, |why| judgement.unseen("blue:lag", why));
    if ctx.facts.lag.is_empty() {
        let once = ctx.rows::<Lag>(Side::Blue, "lag");
        judgement.blind(once.unseen);
        for (_, row) in once.rows {
            looks.entry(row.slot.clone()).or_default().push((ctx.facts.collected_at, row));
        }
    }
    if looks.is_empty() {
        judgement.unseen("blue:lag", "blue has no slot of the deployment");
    }
    let mut notes = Vec::new();
    for (slot, looks) in &looks {
        let Some((_, last)) = looks.last() else { continue };
        let database = last.database.as_deref().unwrap_or_default();
        let place = format!("database {database}");
        let Some(bytes) = last.lag_bytes else {
            judgement.unseen(slot.as_str(), "its position is not known");
            continue;
        };
        if last.active && last.state.is_none() {
            judgement.unseen(slot.as_str(), "its seconds are hidden: grant pg_monitor to the checking role");
        }
        notes.push(format!("{place} {}", size(bytes)));
        if let Some(behind) = weigh(&place, looks, &ctx.policy.thresholds) {
            let pace = Pace::of(looks);
            judgement.find(
                Finding::new(slot.as_str(), behind.message)
                    .on(Side::Blue)
                    .at(behind.level)
                    .fix("-- wait, or lower the write load on blue; long transactions and large imports come as one piece")
                    .evidence("lag bytes", bytes)
                    .evidence("looks", looks.len())
                    .evidence("log bytes written per second", pace.written_per_second)
                    .evidence("log bytes confirmed per second", pace.confirmed_per_second)
                    .evidence("active", last.active)
                    .evidence("wal_status", last.wal_status.clone()),
            );
        }
    }
    applying(ctx, &mut judgement);
    judgement.done_with(notes.join(", "))
}

/// Workers of green that have been at one transaction for longer than lag may be. No position shows it: a slot confirms what its
/// worker has *received*, so that a transaction of any size is next to nothing behind for as long as green is at it.
fn applying(ctx: &Ctx<'_>, judgement: &mut Judgement) {
    let workers = match Session::applying(ctx) {
        Ok(workers) => workers,
        Err(unseen) => return judgement.blind(unseen),
    };
    let most = ctx.policy.thresholds.max_lag_seconds;
    let mut longest: BTreeMap<String, f64> = BTreeMap::new();
    for worker in workers {
        let seconds = worker.transaction_seconds.unwrap_or(0.0);
        if seconds > most {
            let entry = longest.entry(worker.database.unwrap_or_default()).or_default();
            *entry = entry.max(seconds);
        }
    }
    for (database, seconds) in longest {
        let message = format!("green has been applying one transaction in database {database} for {seconds:.0} s (at most {most} s)");
        judgement.find(
            Finding::new(format!("transaction in {database}"), message)
                .on(Side::Green)
                .fix(
                    "-- wait until green has applied it; where it waits for a lock of another session, pg_stat_activity of green \
                     says so (wait_event_type)",
                )
                .evidence("seconds in transaction", seconds.round()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Rows};

    fn looks(points: &[(i64, u64, u64)]) -> Vec<(Timestamp, Lag)> {
        let read = |point| {
            let sample = sample(point);
            let rows = &sample.blue.get().expect("known").rows;
            (sample.at, rows[0].read().expect("a row of the probe"))
        };
        points.iter().copied().map(read).collect()
    }

    fn sample((second, current, confirmed): (i64, u64, u64)) -> LagSample {
        let lsn = |n: u64| crate::model::Lsn(n).to_string();
        let row = serde_json::json!({
            "slot": "rds_app", "database": "app", "active": true, "state": "streaming",
            "confirmed_flush_lsn": lsn(confirmed), "restart_lsn": lsn(confirmed), "current_lsn": lsn(current),
            "lag_bytes": current - confirmed, "wal_status": "reserved", "write_lag_seconds": null,
            "flush_lag_seconds": null, "replay_lag_seconds": 0.5, "last_reply_seconds": 0.1,
        });
        let rows = |rows: Vec<crate::facts::Row>| Fact::Known(Rows { total: rows.len() as u64, rows });
        LagSample {
            at: Timestamp::from_second(1_800_000_000 + second).expect("a moment"),
            blue: rows(vec![row.into()]),
            green: rows(Vec::new()),
        }
    }

    fn level(points: &[(i64, u64, u64)]) -> Option<Level> {
        weigh("app", &looks(points), &Thresholds::default()).map(|b| b.level)
    }

    const MB: u64 = 1 << 20;

    #[test]
    fn a_small_distance_is_no_lag_even_if_it_grows() {
        assert_eq!(level(&[(0, 1000, 1000), (1, 2000, 1500), (2, 9000, 2000)]), None);
        assert_eq!(level(&[(0, 900, 100), (1, 900, 100), (2, 900, 100)]), None);
    }

    #[test]
    fn thresholds_growth_and_standstill_block() {
        assert_eq!(level(&[(0, 100 * MB, 80 * MB)]), Some(Level::Blocker));
        assert_eq!(level(&[(0, 10 * MB, 8 * MB), (6, 13 * MB, 10 * MB), (12, 16 * MB, 12 * MB)]), Some(Level::Blocker));
        assert_eq!(level(&[(0, 10 * MB, 7 * MB), (6, 10 * MB, 7 * MB), (12, 10 * MB, 7 * MB)]), Some(Level::Blocker));
        // Behind, but catching up.
        assert_eq!(level(&[(0, 10 * MB, 4 * MB), (1, 11 * MB, 7 * MB), (2, 12 * MB, 9 * MB)]), Some(Level::Warning));
        // Confirmed only what was current 12 seconds ago.
        let slow = level(&[(0, 3 * MB, MB), (12, 5 * MB, 3 * MB - 1)]);
        assert_eq!(slow, Some(Level::Blocker));
    }

    #[test]
    fn seconds_of_growth_or_standstill_are_no_trend_while_the_slot_is_read() {
        let growing = looks(&[(0, 10 * MB, 8 * MB), (1, 13 * MB, 10 * MB), (2, 16 * MB, 12 * MB)]);
        let still = looks(&[(0, 10 * MB, 7 * MB), (1, 10 * MB, 7 * MB), (2, 10 * MB, 7 * MB)]);
        for mut looks in [growing, still] {
            let level = |looks: &[_]| weigh("app", looks, &Thresholds::default()).map(|b| b.level);
            assert_eq!(level(&looks), Some(Level::Warning));
            looks[2].1.active = false;
            assert_eq!(level(&looks), Some(Level::Blocker));
        }
    }

    #[test]
    fn what_a_few_looks_leave_open_is_looked_at_on() {
        let samples = |points: &[(i64, u64, u64)]| -> Vec<LagSample> {
            points.iter().map(|point| sample(*point)).collect()
        };
        let (still, more) = ([(0, 10 * MB, 7 * MB), (1, 10 * MB, 7 * MB), (2, 10 * MB, 7 * MB)], (11, 10 * MB, 7 * MB));
        assert!(undecided(&samples(&still)));
        assert!(!undecided(&samples(&[still[0], still[1], still[2], more])), "long enough");
        assert!(!undecided(&samples(&[still[0], still[1], (2, 10 * MB, 8 * MB)])), "it moves");
        assert!(!undecided(&samples(&still[..2])), "too few to tell");
        assert!(!undecided(&[]));
        let mut lost = samples(&still);
        lost.push(LagSample { blue: Fact::unknown(crate::facts::Why::Unreachable, "closed"), ..lost[2].clone() });
        assert!(!undecided(&lost), "nothing is seen any more");
    }

    #[test]
    fn a_worker_that_is_silent_blocks_however_small_the_distance() {
        let mut looks = looks(&[(0, 500, 100)]);
        looks[0].1.last_reply_seconds = Some(45.0);
        let behind = weigh("app", &looks, &Thresholds::default()).expect("a finding");
        assert_eq!(behind.level, Level::Blocker);
        assert!(behind.message.contains("45 s"), "{}", behind.message);
    }
}
