//! One task: look, put the intent on disk, send once, follow. Pure and total; no clock, no I/O.
//!
//! A request that may have been sent is only ever followed. Whether it took is told by what it was to bring about:
//! RDS shows that within seconds, and if it does not for [`Config::silent_for`], nobody knows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::record::{Record, Task};
use crate::switchover::evidence::{Answer, Fault};

/// Times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Between two looks.
    pub poll: SignedDuration,
    /// For the whole of following.
    pub patience: SignedDuration,
    /// How long nothing at all must be seen of a request until it is called unknown.
    pub silent_for: SignedDuration,
}

/// What a look shows of the task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "sight", rename_all = "snake_case")]
pub enum Sight {
    /// No trace of it.
    Nothing,
    /// It is being done.
    Going {
        /// How far.
        what: String,
    },
    /// It is done.
    Done {
        /// What there is now.
        what: String,
    },
    /// It was begun, and came to a bad end.
    Failed {
        /// Why.
        why: String,
    },
    /// Something else stands in its place.
    Foreign {
        /// What.
        why: String,
    },
    /// The look failed.
    Blind {
        /// Why.
        why: String,
    },
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing was done.
    Start,
    /// It is looked whether there is anything to do.
    Looking {
        /// Looks that failed.
        blind: u32,
    },
    /// The intent is being written.
    Intending,
    /// The request is out.
    Sending {
        /// Ctrl-C came once.
        interrupted: bool,
    },
    /// It is seen how it goes.
    Following(Following),
    /// Over.
    Done(End),
}

/// What is known of a request that may have been sent, or of one that somebody else sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Following {
    /// RDS is known to have taken it.
    pub accepted: bool,
    /// When looking ends.
    pub deadline: Timestamp,
    /// Since when nothing is seen.
    pub silent: Option<Timestamp>,
    /// What was seen last, to record only what is new.
    pub last: Option<Sight>,
}

/// How a task ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// As it should.
    Done {
        /// What there is now.
        what: String,
    },
    /// RDS said no, or the journal could not be written; nothing was changed.
    Refused {
        /// Why.
        fault: Fault,
    },
    /// Something else stands in its place; nothing was sent.
    Foreign {
        /// What.
        why: String,
    },
    /// RDS began it, and it failed.
    Failed {
        /// Why.
        why: String,
    },
    /// Nobody knows whether the request was taken.
    Unknown {
        /// What is known.
        why: String,
    },
    /// It goes on at RDS; this run does not wait any longer.
    Going {
        /// How far it is.
        what: String,
    },
    /// Nothing could be looked at; nothing was sent.
    Blind {
        /// Why.
        why: String,
    },
    /// Ctrl-C before the request; nothing was sent.
    Interrupted,
    /// Ctrl-C after the request, which goes on.
    Left,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins.
    Begin {
        /// Now.
        at: Timestamp,
    },
    /// A look is done.
    Seen {
        /// Now.
        at: Timestamp,
        /// What it showed.
        sight: Sight,
    },
    /// The intent is on disk.
    IntentDurable,
    /// The journal cannot be written.
    JournalFailed {
        /// Why.
        why: String,
    },
    /// The request was answered, or was not.
    Answered {
        /// Now.
        at: Timestamp,
        /// How.
        answer: Answer,
    },
    /// Ctrl-C.
    Interrupt {
        /// Now.
        at: Timestamp,
    },
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A record, on disk before what comes after it.
    Record(Record),
    /// A look.
    Look {
        /// After this time.
        after: SignedDuration,
    },
    /// The intent, on disk.
    Intend,
    /// The request. Once.
    Send,
    /// Something to say.
    Tell(Notice),
}

/// What the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// RDS answered, or did not.
    Answered(Answer),
    /// Something new is seen.
    Sight(Sight),
    /// Ctrl-C while the request is out.
    WaitingForAnswer,
    /// The journal cannot be written any more.
    JournalLost(String),
}

/// A state and what it wants.
pub type Step = (State, Vec<Effect>);

/// Looks that may fail before anything is sent.
const BLIND_AT_MOST: u32 = 3;

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn done(end: End) -> Step {
    (State::Done(end), vec![])
}

fn follow(config: &Config, accepted: bool, at: Timestamp, after: SignedDuration) -> Step {
    let following = Following {
        accepted,
        deadline: later(at, config.patience),
        silent: None,
        last: None,
    };
    (State::Following(following), vec![Effect::Look { after }])
}

/// The next state, and what it wants.
#[must_use]
pub fn step(config: &Config, state: State, event: Event) -> Step {
    match (state, event) {
        (State::Done(end), _) => done(end),
        (State::Start, Event::Begin { .. }) => (
            State::Looking { blind: 0 },
            vec![Effect::Look {
                after: SignedDuration::ZERO,
            }],
        ),
        // Taken up again: however old the request is, it is given time to show itself.
        (State::Following(following), Event::Begin { at }) => {
            follow(config, following.accepted, at, SignedDuration::ZERO)
        }
        (State::Looking { blind }, Event::Seen { at, sight }) => looked(config, blind, at, sight),
        (State::Intending, Event::IntentDurable) => {
            (State::Sending { interrupted: false }, vec![Effect::Send])
        }
        (State::Intending, Event::Interrupt { at }) => (
            State::Done(End::Interrupted),
            vec![Effect::Record(Record::Withdrawn { at })],
        ),
        (State::Intending, Event::JournalFailed { why }) => done(End::Refused {
            fault: Fault {
                code: "Journal".to_owned(),
                message: why,
            },
        }),
        (State::Sending { interrupted }, Event::Answered { at, answer }) => {
            answered(config, interrupted, at, answer)
        }
        (State::Sending { interrupted: false }, Event::Interrupt { .. }) => (
            State::Sending { interrupted: true },
            vec![Effect::Tell(Notice::WaitingForAnswer)],
        ),
        (State::Sending { interrupted: true }, Event::Interrupt { .. }) => done(End::Unknown {
            why: "interrupted before the answer".to_owned(),
        }),
        (State::Following(following), Event::Seen { at, sight }) => seen(config, following, at, sight),
        (State::Following(following), Event::Interrupt { .. }) => match following.accepted {
            true => done(End::Left),
            false => done(End::Unknown {
                why: "interrupted while looking for a trace of the request".to_owned(),
            }),
        },
        (State::Start | State::Looking { .. }, Event::Interrupt { .. }) => done(End::Interrupted),
        // Watching is worth more than the record.
        (state @ (State::Sending { .. } | State::Following(_)), Event::JournalFailed { why }) => {
            (state, vec![Effect::Tell(Notice::JournalLost(why))])
        }
        (State::Start | State::Looking { .. }, Event::JournalFailed { why }) => done(End::Refused {
            fault: Fault {
                code: "Journal".to_owned(),
                message: why,
            },
        }),
        // Nothing else is ever awaited in these states.
        (state, _) => (state, vec![]),
    }
}

fn looked(config: &Config, blind: u32, at: Timestamp, sight: Sight) -> Step {
    match sight {
        Sight::Nothing => (State::Intending, vec![Effect::Intend]),
        // Somebody has begun it: it is followed, and nothing is sent.
        Sight::Going { .. } => {
            let (state, effects) = follow(config, true, at, config.poll);
            let tell = Effect::Tell(Notice::Sight(sight));
            (state, std::iter::once(tell).chain(effects).collect())
        }
        Sight::Done { what } => done(End::Done { what }),
        Sight::Failed { why } => done(End::Failed { why }),
        Sight::Foreign { why } => done(End::Foreign { why }),
        Sight::Blind { why } if blind + 1 >= BLIND_AT_MOST => done(End::Blind { why }),
        Sight::Blind { .. } => (
            State::Looking { blind: blind + 1 },
            vec![Effect::Look { after: config.poll }],
        ),
    }
}

fn answered(config: &Config, interrupted: bool, at: Timestamp, answer: Answer) -> Step {
    let record = Effect::Record(Record::Answered {
        at,
        answer: answer.clone(),
    });
    let tell = Effect::Tell(Notice::Answered(answer.clone()));
    let (state, effects) = match (answer, interrupted) {
        (Answer::Rejected { fault }, _) => done(End::Refused { fault }),
        (Answer::Accepted { .. }, true) => done(End::Left),
        (Answer::Accepted { .. }, false) => follow(config, true, at, SignedDuration::ZERO),
        (Answer::Lost { why }, true) => done(End::Unknown { why }),
        (Answer::Lost { .. }, false) => follow(config, false, at, SignedDuration::ZERO),
    };
    (state, [record, tell].into_iter().chain(effects).collect())
}

fn seen(config: &Config, mut following: Following, at: Timestamp, sight: Sight) -> Step {
    let over = at >= following.deadline;
    let mut told = Vec::new();
    if !matches!(sight, Sight::Blind { .. } | Sight::Nothing) && following.last.as_ref() != Some(&sight) {
        let record = Record::Seen {
            at,
            sight: sight.clone(),
        };
        told = vec![Effect::Record(record), Effect::Tell(Notice::Sight(sight.clone()))];
        following.last = Some(sight.clone());
    }
    let (state, effects) = match sight {
        Sight::Done { what } => done(End::Done { what }),
        Sight::Failed { why } => done(End::Failed { why }),
        Sight::Foreign { why } if following.accepted => done(End::Failed { why }),
        Sight::Foreign { why } => done(End::Unknown { why }),
        Sight::Going { what } if over => done(End::Going { what }),
        Sight::Going { .. } => {
            following.accepted = true;
            following.silent = None;
            look_again(config, following)
        }
        Sight::Blind { why } if over && following.accepted => done(End::Going { what: why }),
        Sight::Blind { why } if over => done(End::Unknown { why }),
        // What could not be looked at is neither there nor not there.
        Sight::Blind { .. } => {
            following.silent = None;
            look_again(config, following)
        }
        Sight::Nothing => {
            let since = *following.silent.get_or_insert(at);
            let long = at.duration_since(since) >= config.silent_for;
            match (long || over, following.accepted) {
                (true, true) => done(End::Unknown {
                    why: "RDS took the request, and shows nothing of it".to_owned(),
                }),
                (true, false) => done(End::Unknown {
                    why: "the answer was lost, and nothing is seen of the request".to_owned(),
                }),
                (false, _) => look_again(config, following),
            }
        }
    };
    (state, told.into_iter().chain(effects).collect())
}

fn look_again(config: &Config, following: Following) -> Step {
    (
        State::Following(following),
        vec![Effect::Look { after: config.poll }],
    )
}

/// Where a task is by the journal: at its start as long as nothing can have been sent for it.
#[must_use]
pub fn resume<'r>(config: &Config, records: impl Iterator<Item = &'r Record>, task: &Task) -> State {
    let mut state = State::Start;
    let mut ours = false;
    for record in records {
        match record {
            Record::Intent { at, work } => {
                ours = work == task;
                if ours {
                    state = follow(config, false, *at, SignedDuration::ZERO).0;
                }
            }
            Record::Withdrawn { .. }
            | Record::Answered {
                answer: Answer::Rejected { .. },
                ..
            } if ours => {
                state = State::Start;
            }
            Record::Answered {
                answer: Answer::Accepted { .. },
                ..
            } if ours => {
                if let State::Following(following) = &mut state {
                    following.accepted = true;
                }
            }
            _ => {}
        }
    }
    state
}
