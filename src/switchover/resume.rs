//! From the records of a journal back to a state of the machine: what `--resume` starts from.
//!
//! What was gathered before the request is not carried over: lock, verdict, lag and consent are all taken anew. What
//! was sent is never sent again: an intent without its withdrawal counts as a request that left.

use super::follow::{Following, Reading, read, speaks};
use super::history::Proof;
use super::machine::{Answer, Config, Intent, State};
use super::outcome::Outcome;
use super::record::Record;

/// What a journal says about where things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Where the machine goes on; it still wants [`super::machine::Event::Begin`].
    pub state: State,
    /// How the last run ended, if it came to an end.
    pub last: Option<Outcome>,
    /// Runs so far.
    pub runs: usize,
}

/// Records that no run of greenlight can have written in this order.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the journal contradicts itself at record {number}: {why}; look at the deployment itself")]
pub struct Contradiction {
    /// From 1.
    pub number: usize,
    /// What does not fit.
    pub why: &'static str,
}

/// Reads records in order. `config` is the one of the run that is about to begin.
///
/// # Errors
/// If the records contradict each other.
pub fn resume<'a>(
    config: &Config,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<Resumed, Contradiction> {
    let mut intent: Option<Intent> = None;
    let mut answer: Option<&Answer> = None;
    let mut moved = false;
    let mut completed = false;
    let mut last: Option<&Outcome> = None;
    let mut runs = 0;

    for (index, record) in records.into_iter().enumerate() {
        let contradiction = |why| Contradiction {
            number: index + 1,
            why,
        };
        match record {
            Record::Intent { intent: new, .. } => {
                if intent.is_some() {
                    return Err(contradiction("a second intent, with the first not withdrawn"));
                }
                intent = Some(new.clone());
            }
            Record::Withdrawn { .. } => {
                if answer.is_some() {
                    return Err(contradiction("a withdrawal of a request that was answered"));
                }
                intent = None;
            }
            Record::Answered { answer: new, .. } => {
                if intent.is_none() || answer.is_some() {
                    return Err(contradiction("an answer without a request"));
                }
                answer = Some(new);
            }
            Record::Progress { at, view } => {
                let accepted = matches!(answer, Some(Answer::Accepted { .. }));
                moved |= intent.as_ref().is_some_and(|i| {
                    read(view, i.failed_before) == Reading::Running && speaks(config, i, accepted, *at)
                });
            }
            Record::Events { proof, .. } => moved |= matches!(proof, Proof::Last { .. }),
            Record::Completed { .. } => {
                if intent.is_none() {
                    return Err(contradiction("a completed switchover without a request"));
                }
                completed = true;
            }
            Record::Ended { outcome } => last = Some(outcome),
            Record::Run { .. } => runs += 1,
            Record::Header(_)
            | Record::Locked { .. }
            | Record::Checked { .. }
            | Record::Settled { .. }
            | Record::Decided { .. }
            | Record::Confirmed { .. }
            | Record::Interrupted { .. }
            | Record::Remark { .. } => {}
        }
    }

    let state = match (intent, answer) {
        _ if last.is_some_and(Outcome::is_final) => {
            State::Done(last.cloned().expect("it was just looked at"))
        }
        _ if completed => State::Verifying { interrupted: false },
        (None, _) => State::Start,
        (Some(_), Some(Answer::Rejected { fault })) => State::Rejected { fault: fault.clone() },
        (Some(intent), answer) => {
            let accepted = matches!(answer, Some(Answer::Accepted { .. }));
            let at = intent.at;
            State::Following(Following {
                moved,
                ..Following::new(config, intent, accepted, at, false)
            })
        }
    };
    Ok(Resumed {
        state,
        last: last.cloned(),
        runs,
    })
}
