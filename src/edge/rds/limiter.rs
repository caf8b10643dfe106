//! One account's and Region's share of the RDS API: how fast calls may leave, and when a refused one may be tried again.
//!
//! RDS throttles an account's calls of a Region together and publishes no numbers, so the rate is found out: it begins
//! low, grows slowly while calls go well, and is halved as soon as one is throttled. Everything that is asked there goes
//! through the same limiter, so that a rate that is too high is felt once and not by every caller for itself.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::error::{Failed, Kind};

/// Calls a second to begin with.
const FIRST: f64 = 10.0;
/// The most calls a second.
const MOST: f64 = 20.0;
/// The fewest calls a second.
const LEAST: f64 = 0.5;
/// By how much the rate grows with each call that went well: from the first rate to the most in about 15 seconds.
const STEP: f64 = 0.05;
/// How long a rate is given to show its effect before it is halved again.
const SETTLE: Duration = Duration::from_secs(1);
/// How long nobody calls after a call was throttled.
const PAUSE: Duration = Duration::from_millis(500);
/// Attempts at a call that is throttled; at the lowest rate they take a minute.
const THROTTLED: u32 = 30;
/// Attempts at a call that fails for another reason that may pass.
const TRANSIENT: u32 = 4;

/// What calls take turns by.
#[derive(Debug)]
pub(super) struct Limiter {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    /// When the next call may leave.
    next: Instant,
    /// When the rate was last halved.
    halved: Option<Instant>,
    calls: u64,
    throttled: u64,
    /// Calls of the present second, and the most of any.
    second: (Instant, u32),
    peak: u32,
}

/// What a limiter has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls sent.
    pub calls: u64,
    /// Those that were throttled.
    pub throttled: u64,
    /// The most calls of one second.
    pub peak_per_second: u32,
}

/// Attempts at one call.
#[derive(Debug, Default)]
pub(super) struct Tries {
    throttled: u32,
    transient: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                rate: FIRST,
                next: now,
                halved: None,
                calls: 0,
                throttled: 0,
                second: (now, 0),
                peak: 0,
            }),
        }
    }
}

impl State {
    /// The time at which the next call may leave; it is taken.
    fn reserve(&mut self, now: Instant) -> Instant {
        let at = self.next.max(now);
        self.next = at + Duration::from_secs_f64(1.0 / self.rate);
        self.calls += 1;
        if at.saturating_duration_since(self.second.0) >= Duration::from_secs(1) {
            self.second = (at, 0);
        }
        self.second.1 += 1;
        self.peak = self.peak.max(self.second.1);
        at
    }

    fn throttle(&mut self, now: Instant) {
        self.throttled += 1;
        // Many calls on their way may be refused for one and the same rate.
        let settling = self
            .halved
            .is_some_and(|at| now.saturating_duration_since(at) < SETTLE);
        if !settling {
            self.rate = (self.rate / 2.0).max(LEAST);
            self.halved = Some(now);
            self.next = self.next.max(now + PAUSE);
        }
    }
}

impl Limiter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        let at = self.state().reserve(Instant::now());
        tokio::time::sleep_until(at.into()).await;
    }

    /// A call went well.
    pub(super) fn went_well(&self) {
        let mut state = self.state();
        state.rate = (state.rate + STEP).min(MOST);
    }

    /// Whether a failed call may be tried again, and after which pause besides its turn.
    pub(super) fn again(&self, failed: &Failed, tries: &mut Tries) -> Option<Duration> {
        match failed.kind {
            Kind::Throttled => {
                self.state().throttle(Instant::now());
                tries.throttled += 1;
                (tries.throttled < THROTTLED).then_some(Duration::ZERO)
            }
            Kind::Timeout | Kind::Unreachable | Kind::Unavailable => {
                tries.transient += 1;
                let pause = Duration::from_millis(250 << tries.transient.min(5));
                (tries.transient < TRANSIENT).then_some(pause)
            }
            _ => None,
        }
    }

    /// What was counted so far.
    pub(super) fn count(&self) -> Count {
        let state = self.state();
        Count {
            calls: state.calls,
            throttled: state.throttled,
            peak_per_second: state.peak,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: Kind) -> Failed {
        Failed {
            action: "DescribeDBClusters",
            kind,
            code: String::new(),
            message: String::new(),
        }
    }

    #[test]
    fn calls_leave_at_the_rate_and_the_rate_follows_what_happens() {
        let limiter = Limiter::default();
        let mut state = limiter.state();
        let start = state.next;
        let turns: Vec<Duration> = (0..20).map(|_| state.reserve(start) - start).collect();
        assert_eq!(turns[0], Duration::ZERO);
        assert!((turns[19].as_secs_f64() - 1.9).abs() < 0.01, "{turns:?}");
        assert_eq!(state.peak, 10);
        // Halved once for many refusals at a time, and nobody calls for a while.
        let later = start + Duration::from_secs(2);
        (0..5).for_each(|_| state.throttle(later));
        assert_eq!((state.rate, state.throttled), (FIRST / 2.0, 5));
        assert_eq!(state.reserve(later), later + PAUSE);
        (0..40).for_each(|n| state.throttle(later + SETTLE * (n + 1)));
        assert_eq!(state.rate, LEAST);
    }

    #[test]
    fn growth_ends_and_attempts_do_too() {
        let limiter = Limiter::default();
        (0..10_000).for_each(|_| limiter.went_well());
        assert_eq!(limiter.state().rate, MOST);
        let mut tries = Tries::default();
        let throttled =
            (0..100).take_while(|_| limiter.again(&failed(Kind::Throttled), &mut tries).is_some());
        assert_eq!(throttled.count(), THROTTLED as usize - 1);
        let mut tries = Tries::default();
        let transient = (0..100).take_while(|_| limiter.again(&failed(Kind::Timeout), &mut tries).is_some());
        assert_eq!(transient.count(), TRANSIENT as usize - 1);
        assert_eq!(limiter.again(&failed(Kind::Denied), &mut Tries::default()), None);
    }
}
