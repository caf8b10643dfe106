//! Carries out what the machine wants and feeds back what happened. It decides nothing; it holds the order: the intent is
//! on disk before the machine hears that it may send, and Ctrl-C is heard once more in between.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};

use super::machine::{Config, Effect, End, Event, Notice, Sight, State, step};
use super::record::{Record, Task};
use crate::switchover::{driver::Interrupts, evidence::Answer, journal::Journal};

/// Everything outside. Each call answers within a bounded time.
#[expect(
    async_fn_in_trait,
    reason = "one task drives it, so that no bound on the futures is needed"
)]
pub trait World {
    /// The clock.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, time: SignedDuration);
    /// What is seen of the task.
    async fn look(&self, task: &Task) -> Sight;
    /// Sends the task's request: one attempt.
    async fn send(&self, task: &Task) -> Answer;
    /// Tells the operator.
    fn tell(&self, task: &Task, notice: &Notice);
}

/// Drives one task from `state` ([`State::Start`], or what [`super::machine::resume`] gave) to its end.
pub async fn drive(
    config: &Config,
    task: &Task,
    mut state: State,
    world: &impl World,
    journal: &mut Journal<Record>,
    interrupts: &mut impl Interrupts,
) -> End {
    let take = |state: &mut State, event: Event| {
        let (next, effects) = step(config, std::mem::replace(state, State::Start), event);
        *state = next;
        effects
    };
    let begin = Event::Begin { at: world.now() };
    let mut queue: VecDeque<Effect> = take(&mut state, begin).into();
    while let Some(effect) = queue.pop_front() {
        let event = match effect {
            Effect::Tell(notice) => {
                world.tell(task, &notice);
                None
            }
            Effect::Record(record) => {
                journal
                    .append(record, world.now())
                    .err()
                    .map(|error| Event::JournalFailed {
                        why: error.to_string(),
                    })
            }
            Effect::Intend => {
                let at = world.now();
                let work = task.clone();
                let written = journal.append(Record::Intent { at, work }, at);
                // The last chance to leave with nothing sent.
                if interrupts.next().now_or_never().is_some() {
                    queue.extend(take(&mut state, Event::Interrupt { at: world.now() }));
                }
                match (&state, written) {
                    (State::Done(_), _) => None,
                    (_, Ok(())) => Some(Event::IntentDurable),
                    (_, Err(error)) => Some(Event::JournalFailed {
                        why: error.to_string(),
                    }),
                }
            }
            Effect::Look { .. } | Effect::Send => {
                let mut awaited = pin!(perform(world, task, effect));
                loop {
                    tokio::select! {
                        biased;
                        () = interrupts.next() => {
                            let effects = take(&mut state, Event::Interrupt { at: world.now() });
                            if matches!(state, State::Done(_)) {
                                queue = effects.into();
                                break None;
                            }
                            for effect in effects {
                                if let Effect::Tell(notice) = effect {
                                    world.tell(task, &notice);
                                }
                            }
                        }
                        event = &mut awaited => break Some(event),
                    }
                }
            }
        };
        if let Some(event) = event {
            let effects = take(&mut state, event);
            queue.extend(effects);
        }
    }
    let end = match state {
        State::Done(end) => end,
        state => End::Unknown {
            why: format!(
                "fault in greenlight: it stopped in {state:?}; take it up with --resume and report this"
            ),
        },
    };
    let at = world.now();
    let ended = Record::Ended {
        at,
        work: task.clone(),
        end: end.clone(),
    };
    if let Err(error) = journal.append(ended, at) {
        world.tell(task, &Notice::JournalLost(error.to_string()));
    }
    end
}

async fn perform(world: &impl World, task: &Task, effect: Effect) -> Event {
    match effect {
        Effect::Send => {
            let answer = world.send(task).await;
            Event::Answered {
                at: world.now(),
                answer,
            }
        }
        Effect::Look { after } => {
            world.sleep(after).await;
            let sight = world.look(task).await;
            Event::Seen {
                at: world.now(),
                sight,
            }
        }
        Effect::Record(_) | Effect::Intend | Effect::Tell(_) => unreachable!("these are not awaited"),
    }
}
