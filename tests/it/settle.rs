//! Laws of the sums over replication lag.

use greenlight::switchover::settle::{
    Calm, Eta, Hold, Lag, Limits, NOISE, Point, STALLED_AFTER, Sample, Series, Trend, WINDOW,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millis).expect("in range")
}

fn series(points: impl IntoIterator<Item = (i64, u64, u64)>) -> Series {
    let mut series = Series::default();
    for (millis, written, confirmed) in points {
        series.push(Point {
            at: at(millis),
            written,
            confirmed,
        });
    }
    series
}

/// A blue that writes and a green that applies at steady rates, once a second.
fn steady(seconds: i64, start: u64, write: u64, apply: u64) -> Series {
    series((0..seconds).map(|s| {
        let (base, s) = (1u64 << 40, s as u64);
        (
            s as i64 * 1000,
            base + start + write * s,
            base + (apply * s).min(start + write * s),
        )
    }))
}

const MIB: u64 = 1 << 20;

#[test]
fn steady_rates_give_trend_and_time() {
    let shrinking = steady(20, 100 * MIB, MIB, 3 * MIB);
    assert_eq!(shrinking.trend(), Trend::Shrinking);
    // 100 MiB less 19 s of 2 MiB a second are left, and 1 MiB is enough.
    assert_eq!(shrinking.eta(MIB), Eta::In(SignedDuration::from_millis(30_500)));
    let growing = steady(20, MIB, 3 * MIB, MIB);
    assert_eq!((growing.trend(), growing.eta(MIB)), (Trend::Growing, Eta::Never));
    let even = steady(20, 50 * MIB, MIB, MIB);
    assert_eq!((even.trend(), even.eta(MIB)), (Trend::Flat, Eta::Never));
}

#[test]
fn an_idle_blue_is_neither_stalled_nor_behind() {
    // Running-xacts records: 56 bytes every 15 s, never confirmed.
    let idle = series((0..120).map(|s| (s * 1000, 5000 + (s / 15 * 56) as u64, 4800)));
    assert!(!idle.stalled());
    assert_eq!((idle.trend(), idle.eta(MIB)), (Trend::Flat, Eta::Now));
}

#[test]
fn a_slot_that_stands_still_while_blue_writes_is_stalled() {
    let stands = |seconds| series((0..=seconds).map(|s| (s * 1000, 5000 + s as u64 * 10_000, 4800)));
    let limit = STALLED_AFTER.as_secs();
    assert!(!stands(limit - 1).stalled());
    assert!(stands(limit).stalled());
    let mut mended = stands(limit);
    mended.push(Point {
        at: at(limit * 1000 + 1000),
        written: 400_000,
        confirmed: 399_000,
    });
    assert!(!mended.stalled());
}

#[test]
fn what_is_not_known_is_not_calm() {
    let limits = Limits::default();
    let sample = |lag| Sample {
        lag,
        obstacles: vec![],
        lock: Ok(()),
    };
    let worst = |bytes, millis: Option<i64>| {
        let time = millis.map(SignedDuration::from_millis);
        sample(Lag::Worst {
            database: "app".into(),
            bytes,
            time,
        })
    };
    assert_eq!(limits.judge(&worst(MIB, Some(1000))), Calm::Yes);
    assert_eq!(limits.judge(&worst(MIB, None)), Calm::Yes);
    assert!(matches!(limits.judge(&worst(MIB + 1, None)), Calm::No(_)));
    assert!(matches!(limits.judge(&worst(0, Some(1001))), Calm::No(_)));
    assert!(matches!(
        limits.judge(&sample(Lag::Unknown { why: "masked".into() })),
        Calm::No(_)
    ));
    let busy = Sample {
        obstacles: vec!["DDL by pid 7".into(), "more".into()],
        ..worst(0, None)
    };
    assert_eq!(limits.judge(&busy), Calm::No("DDL by pid 7 (and 1 more)".into()));
}

#[test]
fn a_gap_in_the_watching_begins_anew() {
    let gap = SignedDuration::from_secs(5);
    let mut hold = Hold::default();
    for second in [0, 1, 2, 7] {
        hold.observe(at(second * 1000), true, gap);
    }
    assert_eq!(hold.lasted(at(7000)), Some(SignedDuration::from_secs(7)));
    hold.observe(at(12_001), true, gap);
    assert_eq!(hold.lasted(at(12_001)), Some(SignedDuration::ZERO));
    hold.observe(at(12_000), true, gap);
    assert_eq!(
        hold.lasted(at(12_000)),
        Some(SignedDuration::ZERO),
        "the clock went back"
    );
    assert_eq!(hold.lasted(at(12_500)), None, "only at a sample");
}

proptest! {
    /// It has held for as long as the newest calm samples reach back without a gap, and no longer.
    #[test]
    fn a_hold_is_the_newest_calm(samples in prop::collection::vec((0i64..8000, any::<bool>()), 1..60)) {
        let gap = SignedDuration::from_secs(5);
        let (mut hold, mut now, mut times) = (Hold::default(), 0, Vec::new());
        for (step, calm) in samples {
            now += step;
            times.push((now, calm));
            hold.observe(at(now), calm, gap);
        }
        let newest = times.iter().rev();
        let mut since: Option<i64> = None;
        for (time, calm) in newest {
            if !calm || since.is_some_and(|since| since - time > 5000) {
                break;
            }
            since = Some(*time);
        }
        let expected = since.map(|since| SignedDuration::from_millis(now - since));
        prop_assert_eq!(hold.lasted(at(now)), expected);
    }

    /// No input makes it panic, and its answers never contradict each other.
    #[test]
    fn any_samples_will_do(points in prop::collection::vec((any::<u32>(), any::<u64>(), any::<u64>()), 0..80), enough: u64) {
        let series = series(points.iter().map(|(t, w, c)| (i64::from(*t), *w, *c)));
        let eta = series.eta(enough);
        if let Some(last) = series.last() {
            prop_assert_eq!(eta == Eta::Now, last.behind() <= enough);
        } else {
            prop_assert_eq!(eta, Eta::Unknown);
        }
        if let Eta::In(time) = eta {
            prop_assert!(time > SignedDuration::ZERO);
        }
        prop_assert!(!(series.stalled() && series.last().is_none_or(|last| last.behind() == 0)));
        for width in [0, 1, 7, WINDOW, 500] {
            prop_assert!(series.sparkline(width).len() <= width.min(WINDOW));
        }
        let worst = series.sparkline(usize::MAX).into_iter().max();
        prop_assert_eq!(series.sparkline(7).into_iter().max(), worst, "the worst is always shown");
    }

    /// One sample in which green has reported nothing and blue has written far ahead does not turn a trend around.
    #[test]
    fn one_outlier_changes_no_trend(n in 12usize..40, place in 2usize..10, apply in 2u64..50, ahead in 0u64..100) {
        let base = 1u64 << 40;
        let confirmed = |i: usize| base + apply * MIB * i as u64;
        let points = (0..n).map(|i| {
            let seen = if i == place { confirmed(i - 1) } else { confirmed(i) };
            // What it wrote early it does not write later.
            let written = base + 40 * apply * MIB + if i >= place { ahead * NOISE } else { 0 };
            (i as i64 * 1000, written, seen)
        });
        prop_assert_eq!(series(points).trend(), Trend::Shrinking);
    }

    /// Steady rates come out as they went in.
    #[test]
    fn rates_are_found(seconds in 3i64..60, write in 0u64..(50 * MIB), apply in 0u64..(50 * MIB)) {
        let series = steady(seconds, 1 << 39, write, apply);
        let close = |found: Option<f64>, put: u64| found.is_some_and(|f| (f - put as f64).abs() < 1.0);
        prop_assert!(close(series.write_rate(), write));
        prop_assert!(close(series.apply_rate(), apply));
        let gain = i128::from(apply) - i128::from(write);
        prop_assert_eq!(series.eta(MIB) == Eta::Never, gain <= 0);
    }
}
