//! The guarded switchover's machine, explored: every order in which the machine, its journal, RDS, a second operator,
//! somebody at the console, crashes, Ctrl-C and faults can meet, within the budgets below.
//!
//! A mutant is the machine with one guard taken away, by blinding it to what the guard looks at. For each of them the
//! same exploration must find the promise that the guard keeps; otherwise it would prove nothing.

mod explore;
mod model;
mod total;

use greenlight::switchover::deployment::{Look, Member, MemberStatus, Status, View};
use greenlight::switchover::machine::{Answer, Config, Effect, Event, Fault, LastLook, Readiness, State};
use greenlight::switchover::outcome::{Doubt, Outcome};
use greenlight::switchover::settle::Lag;
use jiff::SignedDuration;

use explore::{Found, explore};
use model::{Budget, Setup, Violation, config, identity, now};

/// A guard that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// The machine as it is.
    None,
    BlindToTheLock,
    LocksDoNotExclude,
    BlindToALostLock,
    BlindToTheVerdict,
    BlindToTheUndetermined,
    BlindToAge,
    BlindToTheAnswer,
    BlindToAChangedReport,
    BlindToLag,
    BlindToHolding,
    BlindToTheLastLag,
    BlindToTheLastStatus,
    BlindToTheLastIdentity,
    BlindToTheLastFailure,
    BlindToASlowDisk,
    SubmitsBeforeTheIntent,
    ForgetsTheIntent,
    SubmitsAgain,
    TakesALostAnswerForNo,
    TakesAFailedWriteForWritten,
    TrustsTheTopStatus,
    TrustsOneLookAtRest,
    TrustsOldEvents,
    TrustsOldFailures,
    DoesNotWaitForALateRequest,
    TakesGoneForRolledBack,
    DeafToCtrlC,
    IgnoresTheDryRun,
}

/// Each mutant with the promise that it breaks, and in which exploration.
const MUTANTS: &[(Mutant, Violation, Play)] = &[
    (
        Mutant::BlindToTheLock,
        "submits without the lock",
        Play::TwoOperators,
    ),
    (Mutant::BlindToALostLock, "submits without the lock", Play::Lock),
    (
        Mutant::LocksDoNotExclude,
        "submits while the other operator is at it",
        Play::TwoOperators,
    ),
    (Mutant::BlindToTheVerdict, "submits unready", Play::Operator),
    (Mutant::BlindToTheUndetermined, "submits unready", Play::Operator),
    (Mutant::BlindToAge, "submits on stale evidence", Play::Operator),
    (
        Mutant::BlindToTheAnswer,
        "submits without consent",
        Play::Operator,
    ),
    (
        Mutant::BlindToAChangedReport,
        "submits without consent",
        Play::Operator,
    ),
    (Mutant::BlindToLag, "submits unsettled", Play::Operator),
    (Mutant::BlindToHolding, "submits unsettled", Play::Operator),
    (
        Mutant::BlindToTheLastLag,
        "submits though the last look was unfit",
        Play::Operator,
    ),
    (
        Mutant::BlindToTheLastStatus,
        "submits though the last look was unfit",
        Play::Console,
    ),
    (
        Mutant::BlindToTheLastIdentity,
        "submits though the last look was unfit",
        Play::Console,
    ),
    (
        Mutant::BlindToTheLastFailure,
        "submits though the last look was unfit",
        Play::Reads,
    ),
    (
        Mutant::BlindToASlowDisk,
        "submits on an old last look",
        Play::Operator,
    ),
    (
        Mutant::SubmitsBeforeTheIntent,
        "submits without the intent on disk",
        Play::Operator,
    ),
    (
        Mutant::ForgetsTheIntent,
        "two submits for one journal",
        Play::Crashes,
    ),
    (Mutant::SubmitsAgain, "two submits for one journal", Play::Stale),
    (
        Mutant::TakesALostAnswerForNo,
        "claims that nothing was changed",
        Play::Stale,
    ),
    (
        Mutant::TakesAFailedWriteForWritten,
        "submits without the intent on disk",
        Play::Disk,
    ),
    (
        Mutant::TrustsTheTopStatus,
        "claims completion that RDS did not show",
        Play::Stale,
    ),
    (
        Mutant::TrustsOneLookAtRest,
        "claims a roll-back that is none",
        Play::Stale,
    ),
    (
        Mutant::TrustsOldEvents,
        "claims a roll-back though nothing ran",
        Play::Stale,
    ),
    (
        Mutant::TrustsOldFailures,
        "claims a roll-back though nothing ran",
        Play::Stale,
    ),
    (
        Mutant::DoesNotWaitForALateRequest,
        "claims a roll-back with the request on its way",
        Play::Console,
    ),
    (
        Mutant::TakesGoneForRolledBack,
        "claims a roll-back that is none",
        Play::Console,
    ),
    (Mutant::DeafToCtrlC, "submits after Ctrl-C", Play::Operator),
    (Mutant::IgnoresTheDryRun, "a dry run submits", Play::DryRun),
];

impl Mutant {
    /// The options as it understands them.
    fn understands(self, config: &Config) -> Config {
        let mut config = config.clone();
        match self {
            Self::BlindToHolding => config.stable_for = SignedDuration::ZERO,
            Self::TrustsOneLookAtRest => config.rest_for = SignedDuration::ZERO,
            Self::DoesNotWaitForALateRequest => config.reconcile_for = SignedDuration::ZERO,
            Self::IgnoresTheDryRun => config.dry_run = false,
            _ => {}
        }
        config
    }

    /// What reaches the machine.
    fn before(self, mut state: State, mut event: Event) -> (State, Event) {
        match (self, &mut event) {
            (Self::BlindToTheLock, Event::LockRefused(_)) => event = Event::Locked { at: now() },
            (Self::BlindToTheLock | Self::BlindToALostLock, Event::Sampled { sample, .. }) => {
                sample.lock = Ok(())
            }
            (Self::BlindToTheLock | Self::BlindToALostLock, Event::Looked { look, .. }) => {
                look.sample.lock = Ok(())
            }
            (Self::BlindToTheVerdict, Event::Checked { evidence, .. }) => {
                evidence.readiness = Readiness::Ready
            }
            (Self::BlindToTheUndetermined, Event::Checked { evidence, .. })
                if evidence.readiness != Readiness::NotReady =>
            {
                evidence.readiness = Readiness::Ready;
            }
            (Self::BlindToAge, _) => {
                if let State::Settling { evidence, .. }
                | State::Confirming { evidence, .. }
                | State::Looking { evidence, .. }
                | State::Intending { evidence, .. } = &mut state
                {
                    evidence.at = now();
                }
            }
            (Self::BlindToTheAnswer, Event::Declined) => event = Event::Confirmed { at: now() },
            (Self::BlindToAChangedReport, Event::Checked { evidence, .. }) => evidence.digest = "0".into(),
            (Self::BlindToLag, Event::Sampled { sample, .. }) => sample.lag = no_lag(),
            (Self::BlindToTheLastLag, Event::Looked { look, .. }) => look.sample.lag = no_lag(),
            (Self::BlindToTheLastStatus, Event::Looked { look, .. }) => rest(look),
            (Self::BlindToTheLastIdentity, Event::Looked { look, .. }) => {
                if let Look::Found(view) = &mut look.look {
                    for (member, pair) in view.members.iter_mut().zip(identity().members) {
                        member.target = Some(pair.green);
                    }
                }
            }
            (Self::BlindToTheLastFailure, Event::Looked { look, .. })
                if matches!(look.look, Look::Failed(_)) =>
            {
                look.look = Look::Found(resting());
            }
            (Self::TakesAFailedWriteForWritten, Event::JournalFailed { .. })
                if matches!(state, State::Intending { .. }) =>
            {
                event = Event::IntentDurable { at: now() };
            }
            (Self::BlindToASlowDisk, Event::IntentDurable { .. }) => {
                if let State::Intending { intent, .. } = &mut state {
                    intent.at = now();
                }
            }
            (Self::TakesALostAnswerForNo, Event::Answered { answer, .. })
                if matches!(answer, Answer::Lost { .. }) =>
            {
                *answer = Answer::Rejected {
                    fault: Fault {
                        code: "Timeout".into(),
                        message: String::new(),
                    },
                };
            }
            (
                Self::TrustsTheTopStatus,
                Event::Described {
                    look: Look::Found(view),
                    ..
                },
            ) => {
                let top = MemberStatus::from(view.status.to_string());
                for member in &mut view.members {
                    member.status = top.clone();
                }
            }
            (Self::TrustsOldFailures, Event::Described { .. }) => {
                if let State::Following(following) = &mut state {
                    following.intent.failed_before = false;
                }
            }
            _ => {}
        }
        (state, event)
    }

    /// What comes out of the machine.
    fn after(self, mut state: State, mut effects: Vec<Effect>) -> (State, Vec<Effect>) {
        match self {
            Self::SubmitsBeforeTheIntent => {
                let intent = match &state {
                    State::Intending { intent, .. } => Some(intent.clone()),
                    _ => None,
                };
                if let Some(intent) = intent {
                    let timeout = intent.timeout;
                    effects.retain(|e| !matches!(e, Effect::Intend(_)));
                    effects.push(Effect::Submit { timeout });
                    state = State::Submitting {
                        intent,
                        interrupted: false,
                    };
                }
            }
            Self::SubmitsAgain => {
                if let State::Following(following) = &state
                    && !following.accepted
                    && following.last.is_none()
                {
                    let intent = following.intent.clone();
                    effects.retain(|e| !e.is_answered());
                    effects.push(Effect::Submit {
                        timeout: intent.timeout,
                    });
                    state = State::Submitting {
                        intent,
                        interrupted: false,
                    };
                }
            }
            Self::TakesGoneForRolledBack
                if state == State::Done(Outcome::Unknown { reason: Doubt::Gone }) =>
            {
                state = State::Done(Outcome::RolledBack { why: "gone".into() });
            }
            _ => {}
        }
        (state, effects)
    }
}

fn no_lag() -> Lag {
    Lag::Worst {
        database: "app".into(),
        bytes: 0,
        time: None,
    }
}

/// The deployment as it should be.
fn resting() -> View {
    let identity = identity();
    let member = |pair: &greenlight::switchover::deployment::Pair| Member {
        source: pair.blue.clone(),
        target: Some(pair.green.clone()),
        status: MemberStatus::Available,
    };
    View {
        id: identity.id.clone(),
        status: Status::Available,
        details: None,
        members: identity.members.iter().map(member).collect(),
    }
}

fn rest(look: &mut LastLook) {
    if let Look::Found(view) = &mut look.look {
        view.status = Status::Available;
        for member in &mut view.members {
            member.status = MemberStatus::Available;
        }
    }
}

/// Which things go wrong together in one exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Play {
    /// Nothing.
    Calm,
    /// Everything on the operator's side before the request.
    Operator,
    /// A dry run of the same.
    DryRun,
    /// Lost answers, and somebody at the console.
    Console,
    /// Lost answers, and answers that are older than the one before.
    Stale,
    /// Lost answers, and reads that fail or show what is not known.
    Reads,
    /// Journal writes that fail, with crashes.
    Disk,
    /// Crashes and lost answers.
    Crashes,
    /// Ctrl-C and lost answers, and taking it up again.
    Leaving,
    /// The lock's session dies.
    Lock,
    /// Two operators.
    TwoOperators,
}

impl Play {
    fn setup(self, mutant: Mutant) -> Setup {
        let none = Budget::default();
        let mut config = config();
        config.yes = !matches!(self, Self::Operator | Self::Calm);
        config.dry_run = self == Self::DryRun;
        if self == Self::TwoOperators {
            // How long things take is explored with one operator; here no time passes.
            let none = SignedDuration::ZERO;
            (config.sample_every, config.poll, config.stable_for) = (none, none, none);
            (config.rest_for, config.reconcile_for) = (none, none);
        }
        let budget = match self {
            Self::Calm => none,
            Self::Operator | Self::DryRun => Budget {
                interrupts: 2,
                slow: 2,
                change: 1,
                ..none
            },
            Self::Stale => Budget {
                lost: 1,
                stale: 2,
                ..none
            },
            Self::Reads => Budget {
                lost: 1,
                errors: 2,
                odd: 1,
                ..none
            },
            Self::Console => Budget {
                lost: 1,
                console: 1,
                stale: 1,
                ..none
            },
            Self::Disk => Budget {
                disk: 1,
                crashes: 1,
                resumes: 1,
                ..none
            },
            Self::Crashes => Budget {
                crashes: 2,
                lost: 1,
                ..none
            },
            Self::Leaving => Budget {
                interrupts: 2,
                resumes: 1,
                lost: 1,
                ..none
            },
            Self::Lock => Budget {
                lock: 1,
                slow: 1,
                crashes: 1,
                ..none
            },
            Self::TwoOperators => Budget { crashes: 1, ..none },
        };
        let operators = if self == Self::TwoOperators { 2 } else { 1 };
        Setup {
            understood: mutant.understands(&config),
            config,
            operators,
            budget,
            mutant,
            plain: matches!(
                self,
                Self::Console | Self::Disk | Self::Leaving | Self::TwoOperators
            ),
            labels: false,
        }
    }
}

/// Shows what an exploration covered; `cargo test -- --nocapture` prints it.
#[expect(
    clippy::print_stderr,
    reason = "the size of the exploration is a figure that people ask for"
)]
fn show(what: &str, found: &Found) {
    eprintln!(
        "{what}: {} states, {} edges, ends {:?}, doubts {:?}",
        found.states, found.edges, found.ends, found.doubts
    );
}

/// No promise is broken, and an end can be reached from everywhere.
fn holds(play: Play) {
    let found = explore(&play.setup(Mutant::None), None);
    show(&format!("{play:?}"), &found);
    if let Some((violation, way)) = found.violation {
        panic!("{play:?}: {violation}, by\n{way}");
    }
    if let Some(way) = found.dead_end {
        panic!("{play:?}: no end can be reached after\n{way}");
    }
    assert!(
        found.ends.len() > 1,
        "{play:?} comes to one kind of end only: {:?}",
        found.ends
    );
}

#[test]
fn nothing_goes_wrong() {
    holds(Play::Calm);
}

#[test]
fn the_operator_dawdles_and_leaves() {
    holds(Play::Operator);
}

#[test]
fn a_dry_run() {
    holds(Play::DryRun);
}

#[test]
fn somebody_is_at_the_console() {
    holds(Play::Console);
}

#[test]
fn answers_are_old() {
    holds(Play::Stale);
}

#[test]
fn reads_fail() {
    holds(Play::Reads);
}

#[test]
fn the_journal_fails() {
    holds(Play::Disk);
}

#[test]
fn it_crashes() {
    holds(Play::Crashes);
}

#[test]
fn it_is_left_and_taken_up_again() {
    holds(Play::Leaving);
}

#[test]
fn the_lock_is_lost() {
    holds(Play::Lock);
}

#[test]
fn two_operators() {
    holds(Play::TwoOperators);
}

#[test]
fn each_guard_that_is_removed_is_missed() {
    let survivors: Vec<String> = MUTANTS
        .iter()
        .filter_map(|(mutant, promise, play)| {
            let found = explore(&play.setup(*mutant), Some(promise));
            show(&format!("{mutant:?}"), &found);
            let lives = format!(
                "{mutant:?} lives: {} states of {play:?} do not miss it",
                found.states
            );
            found.violation.is_none().then_some(lives)
        })
        .collect();
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}
