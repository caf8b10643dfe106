//! Carries out what the machine wants, in a [`World`], and feeds back what happened.
//!
//! It decides nothing. It holds the order: effects one by one, a record on disk before what comes after it, an intent on
//! disk before the machine even hears that it may submit. Ctrl-C is heard while anything is awaited, and once more
//! between the intent and the request. What is awaited goes on after the first Ctrl-C unless the machine is done: a
//! request in flight is not dropped for it.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};

use super::deployment::Look;
use super::history::{Mark, Proof};
use super::journal::{Journal, JournalError};
use super::machine::{Answer, Config, Effect, Event, Evidence, LastLook, Notice, State, step};
use super::outcome::{Outcome, Refusal, Verified};
use super::record::{Actor, Record};
use super::remark::{Remark, Tape};
use super::settle::Sample;

/// Everything outside. Each call answers within a bounded time and says what it could not find out in its answer;
/// none of them fails.
#[expect(
    async_fn_in_trait,
    reason = "one task drives it, so that no bound on the futures is needed"
)]
pub trait World {
    /// The clock.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, time: SignedDuration);
    /// Takes the advisory lock on blue, see [`super::lock`].
    async fn lock(&self) -> Result<(), Refusal>;
    /// Collects everything and judges it in phase `switchover`.
    async fn full_check(&self) -> Evidence;
    /// Lag, activity, and whether the lock is still held.
    async fn sample(&self) -> Sample;
    /// Asks the operator about what has this digest.
    async fn confirm(&self, digest: &str) -> Reply;
    /// All that may have changed since the full check, read anew.
    async fn last_look(&self) -> LastLook;
    /// Sends the request: one attempt, retries off, with a time-out after which the answer is lost.
    async fn submit(&self, timeout: SignedDuration) -> Answer;
    /// Describes the deployment.
    async fn describe(&self) -> Look;
    /// Reads the events after the mark, see [`super::history::prove`].
    async fn events(&self, mark: Mark) -> Proof;
    /// Runs the checks of phase `verify`.
    async fn verify(&self) -> Verified;
    /// Tells the operator.
    fn tell(&self, notice: &Notice);
    /// What has come up for the change record since the last call. Written before the next record, but never between the
    /// last look and the answer to the request.
    fn remarks(&self) -> Vec<Remark> {
        vec![]
    }
    /// The run has its end, and the end is on record; whatever still runs beside it is ended. Ctrl-C cuts it short. What comes
    /// up is taken by a last call of [`World::remarks`].
    async fn closing(&self, _outcome: &Outcome) {}
    /// Shows progress: called with each event and the state that it led to.
    fn progress(&self, _event: &Event, _state: &State) {}
}

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The name was typed.
    Yes,
    /// It was not.
    No,
    /// There is nobody to ask.
    NoTerminal,
}

/// Ctrl-C.
#[expect(
    async_fn_in_trait,
    reason = "one task drives it, so that no bound on the futures is needed"
)]
pub trait Interrupts {
    /// Comes back once for each Ctrl-C. Must lose none when it is dropped before.
    async fn next(&mut self);
}

/// Where records go: a [`Journal`], or in tests something around one.
pub trait Records {
    /// Appends a record and returns when it is on disk.
    ///
    /// # Errors
    /// If it is not known to be.
    fn append(&mut self, record: Record, at: Timestamp) -> Result<(), JournalError>;
}

impl Records for Journal {
    fn append(&mut self, record: Record, at: Timestamp) -> Result<(), JournalError> {
        Self::append(self, record, at)
    }
}

/// The machine asked for nothing and was not done: a fault in greenlight.
#[derive(Debug, thiserror::Error)]
#[error("fault in greenlight: the switchover stopped in {state:?}; take it up with --resume and report this")]
pub struct Stuck {
    /// Where.
    pub state: Box<State>,
}

/// A run: what is fixed about it.
#[derive(Debug)]
pub struct Run<'a> {
    /// The options.
    pub config: &'a Config,
    /// Who runs it.
    pub by: Actor,
    /// Whether somebody can be asked.
    pub terminal: bool,
}

impl Run<'_> {
    /// Drives the machine from `state` ([`State::Start`], or what [`super::resume::resume`] gave) to its end.
    ///
    /// # Errors
    /// [`Stuck`], which cannot happen as far as the exploration of the machine is right.
    pub async fn drive(
        &self,
        mut state: State,
        world: &impl World,
        journal: &mut impl Records,
        interrupts: &mut impl Interrupts,
    ) -> Result<Outcome, Stuck> {
        let at = world.now();
        let record = Record::Run {
            at,
            by: self.by.clone(),
            config: Box::new(self.config.clone()),
        };
        let mut queue = VecDeque::from([Effect::Record(record)]);
        let begin = Event::Begin {
            at,
            terminal: self.terminal,
        };
        queue.extend(self.take(world, &mut state, begin));
        let mut tape = Tape::default();

        while let Some(effect) = queue.pop_front() {
            let event = match effect {
                Effect::Tell(notice) => {
                    world.tell(&notice);
                    continue;
                }
                Effect::Record(record) => {
                    // The answer to the request gets to the disk before anything else.
                    let remarks = if matches!(record, Record::Answered { .. }) {
                        vec![]
                    } else {
                        tape.take().into_iter().chain(world.remarks()).collect()
                    };
                    match append(world, journal, remarks, record) {
                        Ok(()) => continue,
                        Err(error) => Some(Event::JournalFailed {
                            why: error.to_string(),
                        }),
                    }
                }
                Effect::Intend(intent) => {
                    let at = world.now();
                    let written = journal.append(Record::Intent { at, intent }, at);
                    // The last chance to leave with nothing sent.
                    while interrupts.next().now_or_never().is_some() {
                        let interrupt = Event::Interrupt { at: world.now() };
                        queue.extend(self.take(world, &mut state, interrupt));
                    }
                    match (&state, written) {
                        (State::Done(_), _) => None,
                        (_, Ok(())) => {
                            for effect in queue.drain(..) {
                                aside(world, journal, effect);
                            }
                            Some(Event::IntentDurable { at: world.now() })
                        }
                        (_, Err(error)) => Some(Event::JournalFailed {
                            why: error.to_string(),
                        }),
                    }
                }
                effect => {
                    let mut awaited = pin!(perform(world, effect));
                    loop {
                        tokio::select! {
                            biased;
                            () = interrupts.next() => {
                                let interrupt = Event::Interrupt { at: world.now() };
                                let effects = self.take(world, &mut state, interrupt);
                                if matches!(state, State::Done(_)) {
                                    queue = effects.into();
                                    break None;
                                }
                                for effect in effects {
                                    aside(world, journal, effect);
                                }
                            }
                            event = &mut awaited => break Some(event),
                        }
                    }
                }
            };
            if let Some(event) = event {
                if let Event::Sampled { at, sample } = &event {
                    tape.push(*at, sample);
                }
                // What was left of the batch belonged to a state that is no more.
                queue = self.take(world, &mut state, event).into();
            }
        }
        match state {
            State::Done(outcome) => {
                tokio::select! {
                    biased;
                    () = interrupts.next() => {}
                    () = world.closing(&outcome) => {}
                }
                for remark in world.remarks() {
                    let at = world.now();
                    let remark = Box::new(remark);
                    if let Err(error) = journal.append(Record::Remark { at, remark }, at) {
                        world.tell(&Notice::JournalLost(error.to_string()));
                        break;
                    }
                }
                Ok(outcome)
            }
            state => Err(Stuck {
                state: Box::new(state),
            }),
        }
    }

    fn take(&self, world: &impl World, state: &mut State, event: Event) -> Vec<Effect> {
        let (next, effects) = step(self.config, std::mem::replace(state, State::Start), event.clone());
        *state = next;
        world.progress(&event, state);
        effects
    }
}

/// Remarks first, then the record that they led to.
fn append(
    world: &impl World,
    journal: &mut impl Records,
    remarks: Vec<Remark>,
    record: Record,
) -> Result<(), JournalError> {
    for remark in remarks {
        let at = world.now();
        let remark = Box::new(remark);
        journal.append(Record::Remark { at, remark }, at)?;
    }
    journal.append(record, world.now())
}

/// What an interrupt wants while something else is awaited: to be recorded and told, no more.
fn aside(world: &impl World, journal: &mut impl Records, effect: Effect) {
    match effect {
        Effect::Tell(notice) => world.tell(&notice),
        Effect::Record(record) => {
            if let Err(error) = journal.append(record, world.now()) {
                world.tell(&Notice::JournalLost(error.to_string()));
            }
        }
        // The effect that is being awaited is the only one that a state awaits.
        _ => {}
    }
}

async fn perform(world: &impl World, effect: Effect) -> Event {
    match effect {
        Effect::Lock => match world.lock().await {
            Ok(()) => Event::Locked { at: world.now() },
            Err(refusal) => Event::LockRefused(refusal),
        },
        Effect::Check => {
            let evidence = world.full_check().await;
            Event::Checked {
                at: world.now(),
                evidence,
            }
        }
        Effect::Sample { after } => {
            world.sleep(after).await;
            let sample = world.sample().await;
            Event::Sampled {
                at: world.now(),
                sample,
            }
        }
        Effect::Confirm { digest } => match world.confirm(&digest).await {
            Reply::Yes => Event::Confirmed { at: world.now() },
            Reply::No => Event::Declined,
            Reply::NoTerminal => Event::NoTerminal,
        },
        Effect::Look => {
            let look = world.last_look().await;
            Event::Looked {
                at: world.now(),
                look,
            }
        }
        Effect::Submit { timeout } => {
            let answer = world.submit(timeout).await;
            Event::Answered {
                at: world.now(),
                answer,
            }
        }
        Effect::Describe { after } => {
            world.sleep(after).await;
            let look = world.describe().await;
            Event::Described {
                at: world.now(),
                look,
            }
        }
        Effect::Recount { mark } => {
            let proof = world.events(mark).await;
            Event::Recounted {
                at: world.now(),
                proof,
            }
        }
        Effect::Verify => Event::Verified(world.verify().await),
        Effect::Record(_) | Effect::Tell(_) | Effect::Intend(_) => {
            unreachable!("the loop carries these out itself")
        }
    }
}
