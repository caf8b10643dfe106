//! What RDS events prove about a switchover.
//!
//! An event carries no id in `DescribeEvents`, so it is told by its text, and whether it belongs to *this* attempt only
//! by coming after the newest event from before it ([`Mark`]). Both times are RDS's own; the local clock plays no part.
//! A text that is not understood proves nothing.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html>

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the deployment's events stood right before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Events could not be read, so later ones cannot be told from earlier ones.
    Unknown,
    /// There were none.
    Empty,
    /// The newest one had this time.
    Newest(Timestamp),
}

/// One RDS event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `Event.Date`.
    pub at: Timestamp,
    /// `Event.SourceType`.
    pub source: Source,
    /// `Event.Message`.
    pub text: String,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `blue-green-deployment`: the only kind that speaks for the whole switchover.
    Deployment,
    /// `db-cluster`.
    Cluster,
    /// `db-instance`.
    Instance,
}

/// What the newest event about the whole switchover says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// RDS-EVENT-0247.
    Started,
    /// RDS-EVENT-0248.
    Completed,
    /// RDS-EVENT-0249, with its text.
    Cancelled(String),
}

/// What the events since the mark prove.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// They could not be read, or not be told from earlier ones.
    Unreadable(String),
    /// None about the whole switchover.
    Silent,
    /// The newest.
    Last {
        /// What it says.
        told: Told,
        /// `Event.Date`.
        at: Timestamp,
    },
}

/// Reads the newest proof after `mark` out of the messages, in whatever order they come.
#[must_use]
pub fn prove(messages: &[Message], mark: Mark) -> Proof {
    let after = match mark {
        Mark::Unknown => return Proof::Unreadable("the events before the request could not be read".into()),
        Mark::Empty => Timestamp::MIN,
        Mark::Newest(at) => at,
    };
    messages
        .iter()
        .filter(|m| m.source == Source::Deployment && (m.at > after || mark == Mark::Empty))
        .filter_map(|m| told(&m.text).map(|told| (m.at, told != Told::Started, told)))
        .max_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)))
        .map_or(Proof::Silent, |(at, _, told)| Proof::Last { told, at })
}

/// The mark to put before a request, given all messages about the deployment.
#[must_use]
pub fn mark(messages: &[Message]) -> Mark {
    let newest = messages
        .iter()
        .filter(|m| m.source == Source::Deployment)
        .map(|m| m.at)
        .max();
    newest.map_or(Mark::Empty, Mark::Newest)
}

/// What a text says about the whole switchover, if anything.
fn told(text: &str) -> Option<Told> {
    let lower = text.to_lowercase();
    // Events about sequences (0307 to 0314) and about lag speak of a part, and "completed" there is not the end.
    if !lower.contains("switchover") || lower.contains("sequence") {
        return None;
    }
    if lower.contains("cancel") || lower.contains("failed") || lower.contains("rolled back") {
        return Some(Told::Cancelled(text.to_owned()));
    }
    if lower.contains(" not ") {
        return None;
    }
    if lower.contains("completed") {
        return Some(Told::Completed);
    }
    lower.contains("started").then_some(Told::Started)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(second: i64, source: Source, text: &str) -> Message {
        Message {
            at: at(second),
            source,
            text: text.into(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    #[test]
    fn an_event_from_an_earlier_attempt_proves_nothing() {
        let old = message(
            10,
            Source::Deployment,
            "Switchover from blue to green environment was canceled.",
        );
        let mark = mark(std::slice::from_ref(&old));
        assert_eq!(prove(std::slice::from_ref(&old), mark), Proof::Silent);
        let new = message(
            11,
            Source::Deployment,
            "Switchover from blue to green environment started.",
        );
        assert_eq!(
            prove(&[new, old], mark),
            Proof::Last {
                told: Told::Started,
                at: at(11)
            }
        );
    }

    #[test]
    fn the_newest_counts_and_an_end_beats_a_start_of_the_same_second() {
        let started = message(20, Source::Deployment, "Switchover from blue to green started.");
        let ended = message(20, Source::Deployment, "Switchover from blue to green completed.");
        for order in [vec![started.clone(), ended.clone()], vec![ended, started]] {
            assert_eq!(
                prove(&order, Mark::Empty),
                Proof::Last {
                    told: Told::Completed,
                    at: at(20)
                }
            );
        }
    }

    #[test]
    fn a_part_does_not_speak_for_the_whole() {
        let messages = [
            message(
                30,
                Source::Cluster,
                "Switchover for DB cluster app completed and it was renamed.",
            ),
            message(
                31,
                Source::Instance,
                "Switchover for DB instance app-1 was canceled due to a timeout.",
            ),
            message(
                32,
                Source::Deployment,
                "Sequence synchronization before switchover completed.",
            ),
            message(33, Source::Deployment, "The switchover was not completed in time"),
            message(
                34,
                Source::Deployment,
                "Tasks completed; you can modify green or switch over",
            ),
        ];
        assert_eq!(prove(&messages, Mark::Empty), Proof::Silent);
    }

    #[test]
    fn without_a_mark_nothing_is_proven() {
        let messages = [message(
            40,
            Source::Deployment,
            "Switchover from blue to green completed.",
        )];
        assert!(matches!(prove(&messages, Mark::Unknown), Proof::Unreadable(_)));
    }
}
