//! The clock. Nothing else reads it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};

/// How much more the wall clock may have gone than the other one before it counts as a jump.
const JUMP: SignedDuration = SignedDuration::from_millis(100);

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "this is the place that may")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A clock to tell by how old something is: it begins as the wall clock and never goes back. A wall clock that is set back
/// makes nothing younger; one that is set forward counts, for that is what a machine that slept, or was frozen and woken, shows.
#[derive(Clone, Debug)]
pub struct Steady(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    shown: Timestamp,
    wall: Timestamp,
    ticks: Instant,
}

impl Steady {
    /// Starts at the present moment.
    #[must_use]
    pub fn start() -> Self {
        let wall = now();
        Self(Arc::new(Mutex::new(Reading {
            shown: wall,
            wall,
            ticks: Instant::now(),
        })))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.advance(now(), Instant::now())
    }
}

impl Reading {
    fn advance(&mut self, wall: Timestamp, ticks: Instant) -> Timestamp {
        let by_wall = wall.duration_since(self.wall);
        let by_ticks = ticks.saturating_duration_since(self.ticks);
        let by_ticks = SignedDuration::try_from(by_ticks).unwrap_or(SignedDuration::MAX);
        // Both are read one after the other, so that small differences mean nothing.
        let jumped = by_wall.saturating_sub(by_ticks) > JUMP;
        let passed = if jumped { by_wall } else { by_ticks };
        self.shown = self.shown.checked_add(passed).unwrap_or(Timestamp::MAX);
        (self.wall, self.ticks) = (wall, ticks);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Seconds that it has shown after seconds of the wall clock and of the other.
    fn shown(steps: &[(i64, u64)]) -> i64 {
        let (wall, ticks) = (
            Timestamp::from_second(1_700_000_000).expect("in range"),
            Instant::now(),
        );
        let mut reading = Reading {
            shown: wall,
            wall,
            ticks,
        };
        for &(by_wall, by_ticks) in steps {
            let wall = wall
                .checked_add(SignedDuration::from_secs(by_wall))
                .expect("in range");
            reading.advance(wall, ticks + Duration::from_secs(by_ticks));
        }
        reading.shown.duration_since(wall).as_secs()
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_younger() {
        assert_eq!(shown(&[(10, 10), (20, 20)]), 20);
        assert_eq!(shown(&[(50, 50), (-500, 55), (-495, 60)]), 60);
    }

    #[test]
    fn sleep_that_only_the_wall_clock_counts_makes_things_older() {
        assert_eq!(shown(&[(10, 10), (610, 11)]), 610);
        // Also after it had been set back.
        assert_eq!(shown(&[(-600, 10), (0, 11)]), 610);
    }
}
