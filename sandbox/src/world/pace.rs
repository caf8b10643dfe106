//! How long things take: at once for tests, step by step for tests that look in between, lifelike for people.

use std::time::Duration;

use tokio::sync::Semaphore;

/// The steps that take time in RDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A reboot, or a modification with a restart.
    Reboot,
    /// One task of a creation.
    Task,
    /// One phase of a switchover.
    Switchover,
    /// A deletion, snapshot or failover.
    Other,
}

/// The speed of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Steps take no time besides that of the servers.
    Instant,
    /// Every step waits for `Rds::advance`.
    Manual,
    /// Every step takes so long.
    Every(Duration),
    /// Durations in the proportions of RDS, so that a person sees the states go by: a task 4 s, a reboot 3 s.
    Lifelike,
}

/// The clock that transitions wait on.
#[derive(Debug)]
pub(crate) struct Pace {
    speed: Speed,
    permits: Semaphore,
    /// How long one second of `SwitchoverTimeout` takes.
    pub(crate) timeout_second: Duration,
    /// From when on a write or DDL on blue is long-running for the guardrails.
    pub(crate) long_running: Duration,
}

impl Pace {
    /// A clock of that speed; `timeout_second` scales `SwitchoverTimeout`, whose minimum is 30.
    pub(crate) fn new(speed: Speed, timeout_second: Duration, long_running: Duration) -> Self {
        Self {
            speed,
            permits: Semaphore::new(0),
            timeout_second,
            long_running,
        }
    }

    /// Lets so many steps go on, at [`Speed::Manual`].
    pub(crate) fn advance(&self, steps: usize) {
        self.permits.add_permits(steps);
    }

    pub(crate) async fn step(&self, step: Step) {
        let duration = match self.speed {
            Speed::Instant => return,
            Speed::Manual => {
                self.permits
                    .acquire()
                    .await
                    .expect("the semaphore is never closed")
                    .forget();
                return;
            }
            Speed::Every(duration) => duration,
            Speed::Lifelike => match step {
                Step::Reboot => Duration::from_secs(3),
                Step::Task => Duration::from_secs(4),
                Step::Switchover => Duration::from_millis(700),
                Step::Other => Duration::from_secs(2),
            },
        };
        tokio::time::sleep(duration).await;
    }
}
