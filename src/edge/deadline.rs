//! The deadline of a whole look (`--deadline`): whatever has not answered by then is told as not answered.
//!
//! It travels with the task instead of through every signature, so that no question can be asked without it: the RDS API's
//! calls, the logins and the probes all pass through [`bound`]. Calls that change something are never cut off by it, since
//! their outcome would be unknown then; they are made outside of [`within`].

use std::{fmt, time::Duration};

use jiff::SignedDuration;
use tokio::time::Instant;

tokio::task_local! {
    static CURRENT: Deadline;
}

/// How long a look may take where nobody says otherwise: hundreds of databases are read in a minute or two.
pub const USUAL: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Instant,
    limit: Duration,
    half: bool,
}

/// The deadline passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// How long the whole could take.
    pub limit: Duration,
    /// Whether the step had no more than half of that.
    pub half: bool,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = if self.half { "half of " } else { "" };
        write!(
            f,
            "{half}the deadline of {} s passed (--deadline)",
            self.limit.as_secs_f32()
        )
    }
}

/// Runs a look that has to be over after `limit`. The look itself goes on to its end: what is bounded in it fails. A look that is
/// part of another one is over no later than that.
pub async fn within<T>(limit: Duration, look: impl Future<Output = T>) -> T {
    let own = Deadline {
        at: Instant::now() + limit,
        limit,
        half: false,
    };
    let whole = CURRENT.try_with(|deadline| *deadline).ok();
    let first = whole.filter(|whole| whole.at < own.at).unwrap_or(own);
    CURRENT.scope(first, Box::pin(look)).await
}

/// Gives the first part of a look half of the time that is left, so that the second part is not left without any.
pub async fn half<T>(first: impl Future<Output = T>) -> T {
    let Ok(whole) = CURRENT.try_with(|deadline| *deadline) else {
        return first.await;
    };
    let now = Instant::now();
    let own = Deadline {
        at: now + whole.at.saturating_duration_since(now) / 2,
        half: true,
        ..whole
    };
    CURRENT.scope(own, Box::pin(first)).await
}

/// Waits for a step, until the deadline of the look that it is a step of.
///
/// # Errors
/// [`Passed`] where the deadline came first. A step that is ready at once is still taken.
pub async fn bound<T>(step: impl Future<Output = T>) -> Result<T, Passed> {
    // On the heap: steps lie in steps, and each layer would hold its own copy of all that are within it.
    let step = Box::pin(step);
    let Ok(Deadline { at, limit, half }) = CURRENT.try_with(|deadline| *deadline) else {
        return Ok(step.await);
    };
    tokio::time::timeout_at(at, step)
        .await
        .map_err(|_| Passed { limit, half })
}

/// Reads a duration as people write it: `90` and `90s` are seconds, `5m`, `1h 30m`.
///
/// # Errors
/// Where it is none, or not above zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let longest = Duration::from_secs(7 * 24 * 3600);
    let bad = || format!("{text:?} is not a duration like 90, 90s, 5m or 1h30m, of a week at most");
    let plain = text.parse::<u32>().ok().map(|n| Duration::from_secs(n.into()));
    let duration = match plain {
        Some(duration) => duration,
        None => {
            let read: SignedDuration = text.parse().map_err(|_| bad())?;
            read.try_into().map_err(|_| bad())?
        }
    };
    if duration.is_zero() || duration > longest {
        return Err(bad());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("1h 30m", 5400),
            ("1h30m", 5400),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "0s", "-5s", "soon", "5 parsecs", "999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_step_ends_with_the_look() {
        let moment = Duration::from_millis(200);
        assert_eq!(
            bound(async { 1 }).await,
            Ok(1),
            "without a look there is no deadline"
        );
        within(moment, async {
            assert_eq!(bound(async { 2 }).await, Ok(2));
            let passed = Passed {
                limit: moment,
                half: false,
            };
            let early = Passed { half: true, ..passed };
            let first = half(bound(tokio::time::sleep(moment * 99))).await;
            assert_eq!(first, Err(early));
            let late = bound(tokio::time::sleep(moment * 99)).await;
            assert_eq!(late, Err(passed));
            assert_eq!(bound(async { 3 }).await, Ok(3), "what is there already is taken");
            let within_it = within(moment * 99, bound(tokio::time::sleep(moment * 99))).await;
            assert_eq!(within_it, Err(passed), "a part ends with the whole");
        })
        .await;
    }
}
