//! How long a client of the production endpoint could not read or write: sums over attempts, pure.
//!
//! An outage is measured from the end of the last attempt that succeeded to the end of the next one that did, so that it is
//! never shown shorter than it was; it may be longer by up to one interval. A pause without a single error (queries that
//! waited) is one as well, from [`SLOW_MS`] on. Attempts overlap, so that one that hangs hides no recovery: one that fails
//! late, after a younger one succeeded, is counted, but is no outage of the service. Times are milliseconds of a clock that
//! only goes forward.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// More than this many milliseconds between two successes count as an outage, also without an error.
pub const SLOW_MS: u64 = 1000;
/// Outages that are kept one by one: the longest. All are counted.
pub const KEPT: usize = 20;

/// Who answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Server {
    /// `server_version`, if it said.
    pub version: Option<String>,
    /// The address that the name stood for at the time.
    pub address: Option<String>,
}

/// One attempt to read or to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, in milliseconds since the probe did.
    pub began: u64,
    /// When it ended, likewise.
    pub ended: u64,
    /// Who answered, or the error in one line.
    pub result: Result<Server, String>,
}

/// One time without service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// End of the last success before, in milliseconds since the probe began; absent when there was none.
    pub last_success: Option<u64>,
    /// End of the first failed attempt; absent when attempts were slow, but did not fail.
    pub first_error_at: Option<u64>,
    /// Its error.
    pub first_error: Option<String>,
    /// Failed attempts.
    pub failed: u64,
    /// End of the first success after; absent when the probe ended before.
    pub first_success: Option<u64>,
    /// How long it lasted, in milliseconds; at least, where no success came after.
    pub out_ms: u64,
    /// Who answered last before.
    pub before: Option<Server>,
    /// Who answered first after.
    pub after: Option<Server>,
}

/// Attempts of one kind, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stream {
    /// Attempts.
    pub attempts: u64,
    /// Those that failed.
    pub failed: u64,
    /// Milliseconds without service, over all gaps.
    pub out_ms: u64,
    /// The longest gap.
    pub worst_ms: u64,
    /// Gaps, kept or not.
    pub gaps: u64,
    /// The longest ones, in the order of time.
    pub kept: Vec<Gap>,
    /// Who answered first.
    pub first: Option<Server>,
    /// Who answered last.
    pub last: Option<Server>,
}

/// What a client of the production endpoint saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outage {
    /// `HOST:PORT`, as it was named.
    pub endpoint: String,
    /// When the probe began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Milliseconds from the start of one attempt to the start of the next, if it ends before.
    pub every_ms: u64,
    /// `select` on a session of its own.
    pub reads: Stream,
    /// Inserts into the probe's table, where one was given.
    pub writes: Option<Writes>,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gaps {
            0 if self.attempts == 0 => return f.write_str("never tried"),
            0 => f.write_str("never out")?,
            1 => write!(f, "out for {} ms", self.out_ms)?,
            n => write!(
                f,
                "out for {} ms in {n} gaps, the longest {} ms",
                self.out_ms, self.worst_ms
            )?,
        }
        write!(f, "; {} of {} attempts failed", self.failed, self.attempts)?;
        let open = self.kept.last().is_some_and(|gap| gap.first_success.is_none());
        if open {
            f.write_str("; still out when the probe ended")?;
        }
        Ok(())
    }
}

impl Writes {
    /// What became of acknowledged inserts, in words.
    #[must_use]
    pub fn kept(&self) -> String {
        match self.found {
            Some(found) if found == self.acknowledged => format!("all {found} are there"),
            Some(found) => format!("only {found} of {} are there", self.acknowledged),
            None => format!("{}; whether they are there could not be read", self.acknowledged),
        }
    }
}

impl Outage {
    /// In lines for a terminal.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("reads at {}: {}", self.endpoint, self.reads)];
        let mut gaps = vec![("reads", self.reads.worst())];
        if let Some(writes) = &self.writes {
            lines.push(format!("writes into {}: {}", writes.table, writes.stream));
            lines.push(format!("writes that were acknowledged: {}", writes.kept()));
            gaps.push(("writes", writes.stream.worst()));
        }
        for (what, gap) in gaps {
            let Some(gap) = gap else { continue };
            let error = gap.first_error.as_deref().unwrap_or("none, it waited");
            let back = gap.after.as_ref().and_then(|s| s.version.as_deref());
            let back = back.map_or_else(
                || "never back".to_owned(),
                |version| format!("first success after on {version}"),
            );
            lines.push(format!(
                "worst gap of {what}: {} ms; first error: {error}; {back}",
                gap.out_ms
            ));
        }
        lines
    }
}

impl Stream {
    /// The longest gap.
    #[must_use]
    pub fn worst(&self) -> Option<&Gap> {
        self.kept.iter().max_by_key(|gap| gap.out_ms)
    }
}

/// What became of the inserts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Writes {
    /// The table.
    pub table: String,
    /// The attempts.
    pub stream: Stream,
    /// Inserts that the server said were committed.
    pub acknowledged: u64,
    /// How many of those were there at the end; absent when that could not be read.
    pub found: Option<u64>,
}

/// What an attempt changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It was the first to fail.
    Out,
    /// It was the first to succeed again, after so many milliseconds.
    Back(u64),
}

/// Takes attempts in, in the order in which they ended.
#[derive(Debug, Default)]
pub struct Tally {
    stream: Stream,
    last_success: Option<u64>,
    /// When the youngest attempt that succeeded began.
    youngest: Option<u64>,
    open: Option<Gap>,
}

impl Tally {
    /// Takes one attempt in, in the order in which they ended. Says what it changed.
    pub fn take(&mut self, attempt: Attempt) -> Change {
        let Attempt { began, ended, result } = attempt;
        self.stream.attempts += 1;
        match result {
            Err(error) => {
                self.stream.failed += 1;
                if self.youngest.is_some_and(|youngest| began < youngest) {
                    return Change::None;
                }
                let new = self.open.is_none();
                let gap = self.open.get_or_insert_with(|| Gap {
                    last_success: self.last_success,
                    first_error_at: Some(ended),
                    first_error: Some(error),
                    failed: 0,
                    first_success: None,
                    out_ms: 0,
                    before: self.stream.last.clone(),
                    after: None,
                });
                gap.failed += 1;
                if new { Change::Out } else { Change::None }
            }
            Ok(server) => {
                let slow = ended.saturating_sub(self.last_success.unwrap_or(0)) > SLOW_MS;
                let open = self.open.take().or_else(|| {
                    slow.then(|| Gap {
                        last_success: self.last_success,
                        first_error_at: None,
                        first_error: None,
                        failed: 0,
                        first_success: None,
                        out_ms: 0,
                        before: self.stream.last.clone(),
                        after: None,
                    })
                });
                let mut change = Change::None;
                if let Some(mut gap) = open {
                    gap.first_success = Some(ended);
                    gap.after = Some(server.clone());
                    change = Change::Back(self.close(gap, ended));
                }
                self.last_success = Some(ended);
                self.stream.first.get_or_insert_with(|| server.clone());
                // An older attempt may have been answered by the server before.
                if self.youngest.is_none_or(|youngest| began >= youngest) {
                    self.youngest = Some(began);
                    self.stream.last = Some(server);
                }
                change
            }
        }
    }

    /// How long there has been no success, if the last attempt failed.
    #[must_use]
    pub fn out_for(&self, now: u64) -> Option<u64> {
        self.open
            .as_ref()
            .map(|gap| now.saturating_sub(gap.last_success.unwrap_or(0)))
    }

    /// The sums, when the probe ends at `now`.
    #[must_use]
    pub fn finish(mut self, now: u64) -> Stream {
        if let Some(gap) = self.open.take() {
            self.close(gap, now);
        }
        self.stream
            .kept
            .sort_by_key(|gap| (gap.last_success, gap.first_success));
        self.stream
    }

    fn close(&mut self, mut gap: Gap, end: u64) -> u64 {
        let out_ms = end.saturating_sub(gap.last_success.unwrap_or(0));
        gap.out_ms = out_ms;
        let stream = &mut self.stream;
        stream.gaps += 1;
        stream.out_ms += gap.out_ms;
        stream.worst_ms = stream.worst_ms.max(gap.out_ms);
        stream.kept.push(gap);
        if stream.kept.len() > KEPT {
            let shortest = stream.kept.iter().enumerate().min_by_key(|(_, g)| g.out_ms);
            let at = shortest.map_or(0, |(at, _)| at);
            stream.kept.remove(at);
        }
        out_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str) -> Server {
        Server {
            version: Some(version.into()),
            address: Some("10.0.0.1".into()),
        }
    }

    fn ok(began: u64, ended: u64, version: &str) -> Attempt {
        Attempt {
            began,
            ended,
            result: Ok(server(version)),
        }
    }

    fn failed(began: u64, ended: u64, why: &str) -> Attempt {
        Attempt {
            began,
            ended,
            result: Err(why.into()),
        }
    }

    fn sums(attempts: impl IntoIterator<Item = Attempt>, now: u64) -> Stream {
        let mut tally = Tally::default();
        for attempt in attempts {
            tally.take(attempt);
        }
        tally.finish(now)
    }

    #[test]
    fn without_an_error_there_is_no_outage() {
        let stream = sums((0..40).map(|n| ok(n * 250, n * 250 + 3, "14.10")), 10_000);
        assert_eq!(
            (stream.attempts, stream.failed, stream.gaps, stream.out_ms),
            (40, 0, 0, 0)
        );
        assert_eq!(stream.last, Some(server("14.10")));
    }

    #[test]
    fn it_lasts_from_the_last_success_to_the_next() {
        let stream = sums(
            [
                ok(0, 4, "12.19"),
                ok(250, 254, "12.19"),
                failed(500, 502, "terminating connection"),
                failed(750, 760, "connection refused"),
                ok(1000, 1020, "14.10"),
                ok(1250, 1253, "14.10"),
            ],
            1300,
        );
        assert_eq!(
            (stream.out_ms, stream.worst_ms, stream.gaps),
            (1020 - 254, 766, 1)
        );
        let gap = &stream.kept[0];
        assert_eq!(gap.first_error.as_deref(), Some("terminating connection"));
        assert_eq!((gap.failed, gap.first_error_at), (2, Some(502)));
        assert_eq!(
            (&gap.before, &gap.after),
            (&Some(server("12.19")), &Some(server("14.10")))
        );
    }

    #[test]
    fn a_query_that_waited_is_an_outage_without_an_error() {
        let stream = sums([ok(0, 4, "12.19"), ok(250, 4250, "14.10")], 4300);
        assert_eq!((stream.failed, stream.gaps, stream.out_ms), (0, 1, 4246));
        assert_eq!(stream.kept[0].first_error, None);
        // At the threshold it is still a slow answer, and no more.
        assert_eq!(sums([ok(0, SLOW_MS, "12.19")], 2000).gaps, 0);
        assert_eq!(sums([ok(0, SLOW_MS + 1, "12.19")], 2000).gaps, 1);
    }

    #[test]
    fn one_that_has_not_ended_counts_to_the_end() {
        let mut tally = Tally::default();
        tally.take(ok(0, 5, "12.19"));
        tally.take(failed(250, 260, "gone"));
        assert_eq!(tally.out_for(1005), Some(1000));
        let stream = tally.finish(3005);
        assert_eq!((stream.out_ms, stream.worst_ms), (3000, 3000));
        assert_eq!(stream.kept[0].first_success, None);
        assert_eq!(stream.kept[0].after, None);
    }

    #[test]
    fn one_that_hangs_hides_no_recovery_and_makes_no_outage() {
        // The first hangs in a black hole until its time is up; younger ones get through meanwhile.
        let mut tally = Tally::default();
        assert_eq!(tally.take(ok(0, 5, "12.19")), Change::None);
        assert_eq!(tally.take(failed(500, 510, "refused")), Change::Out);
        assert_eq!(tally.take(ok(750, 760, "14.10")), Change::Back(755));
        assert_eq!(tally.take(failed(250, 2250, "timed out")), Change::None);
        assert_eq!(tally.take(ok(2250, 2260, "14.10")), Change::Back(1500));
        let stream = tally.finish(2300);
        assert_eq!((stream.failed, stream.gaps, stream.worst_ms), (2, 2, 1500));
        // The same with attempts in between: only the outage is one.
        let stream = sums(
            [
                ok(0, 5, "12.19"),
                failed(500, 510, "refused"),
                ok(750, 760, "14.10"),
                ok(1500, 1510, "14.10"),
                failed(250, 2250, "timed out"),
                ok(2250, 2260, "14.10"),
            ],
            2300,
        );
        assert_eq!((stream.failed, stream.gaps, stream.out_ms), (2, 1, 755));
    }

    #[test]
    fn an_answer_of_the_old_server_that_comes_late_is_not_the_last_word() {
        let stream = sums([ok(100, 110, "14.10"), ok(50, 120, "12.19")], 200);
        assert_eq!(stream.last, Some(server("14.10")));
    }

    #[test]
    fn one_that_was_there_from_the_start_counts_from_the_start() {
        let stream = sums([failed(0, 90, "refused"), ok(250, 300, "14.10")], 400);
        assert_eq!((stream.out_ms, stream.kept[0].last_success), (300, None));
    }

    #[test]
    fn of_very_many_the_longest_are_kept_and_all_are_counted() {
        let mut attempts = vec![];
        for n in 0..100u64 {
            attempts.push(failed(n * 1000, n * 1000 + n, "flaps"));
            attempts.push(ok(n * 1000 + 100, n * 1000 + 100 + n, "14.10"));
        }
        let stream = sums(attempts, 100_000);
        assert_eq!((stream.gaps, stream.kept.len()), (100, KEPT));
        assert!(stream.kept.is_sorted_by_key(|g| g.last_success));
        let shortest = stream.kept.iter().map(|g| g.out_ms).min();
        assert_eq!(stream.kept.iter().map(|g| g.out_ms).max(), Some(stream.worst_ms));
        assert!(shortest > Some(100), "{shortest:?}");
    }
}
