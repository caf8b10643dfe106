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
use super::machine::{Answer, Config, Effect, Event, Evidence, Intent, LastLook, Notice, State, step};
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
        state: State,
        world: &impl World,
        journal: &mut impl Records,
        interrupts: &mut impl Interrupts,
    ) -> Result<Outcome, Stuck> {
        let mut drive = Drive {
            run: self,
            world,
            journal,
            interrupts,
            state,
            queue: VecDeque::new(),
            tape: Tape::default(),
        };
        drive.begin();
        while let Some(effect) = drive.queue.pop_front() {
            if let Some(event) = drive.carry_out(effect).await {
                drive.happened(event);
            }
        }
        match std::mem::replace(&mut drive.state, State::Start) {
            State::Done(outcome) => {
                drive.close(&outcome).await;
                Ok(outcome)
            }
            state => Err(Stuck {
                state: Box::new(state),
            }),
        }
    }
}

/// The run while it goes on.
struct Drive<'a, W, R, I> {
    run: &'a Run<'a>,
    world: &'a W,
    journal: &'a mut R,
    interrupts: &'a mut I,
    state: State,
    /// What the machine wants next, in order.
    queue: VecDeque<Effect>,
    /// Lag that is not on record yet.
    tape: Tape,
}

impl<W: World, R: Records, I: Interrupts> Drive<'_, W, R, I> {
    fn begin(&mut self) {
        let at = self.world.now();
        let record = Record::Run {
            at,
            by: self.run.by.clone(),
            config: Box::new(self.run.config.clone()),
        };
        self.queue.push_back(Effect::Record(record));
        let begin = Event::Begin {
            at,
            terminal: self.run.terminal,
        };
        let effects = self.take(begin);
        self.queue.extend(effects);
    }

    /// Gives the machine an event.
    fn take(&mut self, event: Event) -> Vec<Effect> {
        let state = std::mem::replace(&mut self.state, State::Start);
        let (next, effects) = step(self.run.config, state, event.clone());
        self.state = next;
        self.world.progress(&event, &self.state);
        effects
    }

    /// Gives the machine what came of an effect. What was left of the batch belonged to a state that is no more.
    fn happened(&mut self, event: Event) {
        if let Event::Sampled { at, sample } = &event {
            self.tape.push(*at, sample);
        }
        self.queue = self.take(event).into();
    }

    /// Gives the machine a Ctrl-C.
    fn interrupted(&mut self) -> Vec<Effect> {
        let at = self.world.now();
        self.take(Event::Interrupt { at })
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// Carries one effect out. Returns what happened, where the machine is to hear of it.
    async fn carry_out(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Tell(notice) => {
                self.world.tell(&notice);
                None
            }
            Effect::Record(record) => self.record(record).err().map(journal_failed),
            Effect::Intend(intent) => self.intend(intent),
            effect => self.await_it(effect).await,
        }
    }

    /// Writes a record, and before it the remarks that led to it.
    fn record(&mut self, record: Record) -> Result<(), JournalError> {
        // The answer to the request gets to the disk before anything else.
        if !matches!(record, Record::Answered { .. }) {
            let remarks = self.tape.take().into_iter().chain(self.world.remarks());
            self.remark(remarks.collect())?;
        }
        self.journal.append(record, self.world.now())
    }

    fn remark(&mut self, remarks: Vec<Remark>) -> Result<(), JournalError> {
        for remark in remarks {
            let at = self.world.now();
            let remark = Box::new(remark);
            self.journal.append(Record::Remark { at, remark }, at)?;
        }
        Ok(())
    }

    /// Writes the intent. Only when it is on disk, and no Ctrl-C came meanwhile, does the machine hear that it may submit.
    fn intend(&mut self, intent: Intent) -> Option<Event> {
        let at = self.world.now();
        let written = self.journal.append(Record::Intent { at, intent }, at);
        // The last chance to leave with nothing sent.
        while self.interrupts.next().now_or_never().is_some() {
            let effects = self.interrupted();
            self.queue.extend(effects);
        }
        if self.is_done() {
            return None;
        }
        match written {
            Ok(()) => {
                while let Some(effect) = self.queue.pop_front() {
                    self.aside(effect);
                }
                Some(Event::IntentDurable { at: self.world.now() })
            }
            Err(error) => Some(journal_failed(error)),
        }
    }

    /// Awaits an effect and hears Ctrl-C beside it. Gives it up only where the machine is done with that: a request in flight
    /// goes on.
    async fn await_it(&mut self, effect: Effect) -> Option<Event> {
        let mut awaited = pin!(perform(self.world, effect));
        loop {
            tokio::select! {
                biased;
                () = self.interrupts.next() => {
                    let effects = self.interrupted();
                    if self.is_done() {
                        self.queue = effects.into();
                        return None;
                    }
                    for effect in effects {
                        self.aside(effect);
                    }
                }
                event = &mut awaited => return Some(event),
            }
        }
    }

    /// What an interrupt wants while something else is awaited: to be recorded and told, no more.
    fn aside(&mut self, effect: Effect) {
        match effect {
            Effect::Tell(notice) => self.world.tell(&notice),
            Effect::Record(record) => {
                if let Err(error) = self.journal.append(record, self.world.now()) {
                    self.world.tell(&Notice::JournalLost(error.to_string()));
                }
            }
            // The effect that is being awaited is the only one that a state awaits.
            _ => {}
        }
    }

    /// The run has its end: what still runs beside it ends too, and its last remarks are written.
    async fn close(&mut self, outcome: &Outcome) {
        tokio::select! {
            biased;
            () = self.interrupts.next() => {}
            () = self.world.closing(outcome) => {}
        }
        if let Err(error) = self.remark(self.world.remarks()) {
            self.world.tell(&Notice::JournalLost(error.to_string()));
        }
    }
}

fn journal_failed(error: JournalError) -> Event {
    Event::JournalFailed {
        why: error.to_string(),
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
