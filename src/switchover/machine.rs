//! The guarded switchover as a pure function: `step(config, state, event) -> (state, effects)`.
//!
//! It is total (every event is defined in every state; one that does not belong is ignored), does no I/O and reads no
//! clock: times come inside events. It promises: one request a journal, ever; never a request without the lock, a
//! ready verdict younger than `max_age`, a confirmation of just that verdict, lag that held still, a last look, and
//! the intent on disk; and never an end that RDS did not show. `tests/it/machine.rs` walks through all of it.
//!
//! Rules for whoever carries out effects: in order; a record is on disk before the next effect begins; if a record
//! fails, drop the rest and send [`Event::JournalFailed`]. Every effect but [`Effect::Record`] and [`Effect::Tell`]
//! is answered by one event.

use jiff::{SignedDuration, Timestamp};

use super::deployment::{Identity, Look, MemberStatus, Status, View};
use super::follow::{self, Following};
use super::outcome::{Doubt, Outcome, Refusal, Verified};
use super::record::Record;
use super::settle::{Calm, Hold, Sample};

pub use super::evidence::{Answer, Consent, Evidence, Fault, Intent, LastLook, Open, Readiness};
pub use super::options::Config;
pub(crate) use super::options::{later, within};
pub use super::terms::{Effect, Event, Notice, Prep, State};

/// How many full checks a run makes before it says that evidence does not stay fresh.
pub const MAX_ROUNDS: u8 = 5;
/// How often an intent may be withdrawn because writing it took too long.
pub const MAX_WITHDRAWN: u8 = 2;

/// A new state with what is to be done.
pub type Step = (State, Vec<Effect>);

/// The end, on record.
pub(crate) fn done(outcome: Outcome) -> Step {
    (
        State::Done(outcome.clone()),
        vec![Effect::Record(Record::Ended { outcome })],
    )
}

fn refused(refusal: Refusal) -> Step {
    done(Outcome::Refused { refusal })
}

/// One step.
#[must_use]
pub fn step(config: &Config, state: State, event: Event) -> Step {
    match (state, event) {
        (State::Done(outcome), Event::JournalFailed { why }) => {
            (State::Done(outcome), vec![Effect::Tell(Notice::JournalLost(why))])
        }
        (State::Done(outcome), _) => (State::Done(outcome), vec![]),
        (state, Event::Interrupt { at }) => interrupt(state, at),
        (state, Event::JournalFailed { why }) => journal_failed(state, why),
        (state, Event::Begin { at, terminal }) => begin(config, state, at, terminal),

        (State::Locking, Event::Locked { at }) => {
            let prep = Prep {
                rounds: 1,
                patience: config.wait,
                consent: None,
                withdrawn: 0,
            };
            (
                State::Checking(prep),
                vec![Effect::Record(Record::Locked { at }), Effect::Check],
            )
        }
        (State::Locking, Event::LockRefused(refusal)) => refused(refusal),

        (State::Checking(prep), Event::Checked { at, evidence }) => checked(prep, at, evidence),
        (
            State::Settling {
                prep,
                evidence,
                deadline,
                hold,
            },
            Event::Sampled { at, sample },
        ) => sampled(config, prep, evidence, deadline, hold, at, &sample),
        (State::Confirming { mut prep, evidence }, Event::Confirmed { at }) => {
            prep.consent = Some((evidence.digest.clone(), Consent::Typed));
            let record = Record::Confirmed {
                at,
                how: Consent::Typed,
                digest: evidence.digest.clone(),
            };
            last_look(config, prep, evidence, at, vec![Effect::Record(record)])
        }
        (State::Confirming { .. }, Event::Declined) => refused(Refusal::Declined),
        (State::Confirming { .. }, Event::NoTerminal) => refused(Refusal::NoTerminal),

        (State::Looking { prep, evidence }, Event::Looked { at, look }) => {
            looked(config, prep, evidence, at, look)
        }
        (
            State::Intending {
                prep,
                evidence,
                intent,
                interrupted,
            },
            Event::IntentDurable { at },
        ) => durable(config, prep, evidence, intent, interrupted, at),
        (State::Submitting { intent, interrupted }, Event::Answered { at, answer }) => {
            answered(config, intent, interrupted, at, answer)
        }
        (State::Rejected { fault }, Event::Described { look, .. }) => {
            let seen = match look {
                Look::Found(view) => view.summary(),
                Look::Gone => "no such deployment".into(),
                Look::Failed(why) => format!("nothing ({why})"),
            };
            refused(Refusal::ByRds { fault, seen })
        }
        // A resumed run goes on with the lock or without: it only looks.
        (State::Following(following), Event::Locked { .. } | Event::LockRefused(_)) => {
            let look = Effect::Describe {
                after: SignedDuration::ZERO,
            };
            (State::Following(following), vec![look])
        }
        (State::Following(following), Event::Described { at, look }) => {
            follow::described(config, following, at, look)
        }
        (State::Following(following), Event::Recounted { at, proof }) => {
            follow::recounted(config, following, at, &proof)
        }
        (State::Verifying { .. }, Event::Verified(verified)) => done(Outcome::Switched { verified }),
        (state, _) => (state, vec![]),
    }
}

fn begin(config: &Config, state: State, at: Timestamp, terminal: bool) -> Step {
    match state {
        State::Start if !terminal && !config.yes && !config.dry_run => refused(Refusal::NoTerminal),
        State::Start => (State::Locking, vec![Effect::Lock]),
        State::Rejected { fault } => (
            State::Rejected { fault },
            vec![Effect::Describe {
                after: SignedDuration::ZERO,
            }],
        ),
        State::Following(following) => follow::begin(config, following, at),
        State::Verifying { interrupted } => (State::Verifying { interrupted }, vec![Effect::Verify]),
        other => (other, vec![]),
    }
}

fn checked(prep: Prep, at: Timestamp, evidence: Evidence) -> Step {
    let record = Effect::Record(Record::Checked {
        at,
        evidence: evidence.clone(),
    });
    let (state, mut effects) = match evidence.readiness.clone() {
        Readiness::NotReady => done(Outcome::NotReady {
            digest: evidence.digest,
        }),
        Readiness::NotDetermined { why } => done(Outcome::NotDetermined { why }),
        Readiness::NotAttested { why } => refused(Refusal::NotAttested { why }),
        Readiness::Ready => settle(prep, evidence, at),
    };
    effects.insert(0, record);
    (state, effects)
}

fn settle(prep: Prep, evidence: Evidence, at: Timestamp) -> Step {
    let deadline = later(at, prep.patience);
    let sample = Effect::Sample {
        after: SignedDuration::ZERO,
    };
    (
        State::Settling {
            prep,
            evidence,
            deadline,
            hold: Hold::default(),
        },
        vec![sample],
    )
}

fn sampled(
    config: &Config,
    mut prep: Prep,
    evidence: Evidence,
    deadline: Timestamp,
    mut hold: Hold,
    at: Timestamp,
    sample: &Sample,
) -> Step {
    if let Err(why) = &sample.lock {
        return refused(Refusal::LockLost { why: why.clone() });
    }
    let calm = config.limits.judge(sample);
    hold.observe(at, calm == Calm::Yes, config.limits.max_gap);
    if hold.lasted(at) < Some(config.stable_for) {
        if at >= deadline {
            let why = match calm {
                Calm::No(why) => why,
                Calm::Yes => "it has not held still for long enough".into(),
            };
            return refused(Refusal::Unsettled { why });
        }
        let sample = Effect::Sample {
            after: config.sample_every,
        };
        return (
            State::Settling {
                prep,
                evidence,
                deadline,
                hold,
            },
            vec![sample],
        );
    }

    prep.patience = deadline.duration_since(at).max(SignedDuration::ZERO);
    if !config.fresh(evidence.at, at) {
        return check_again(prep, vec![]);
    }
    let settled = Effect::Record(Record::Settled {
        at,
        held: config.stable_for,
        sample: sample.clone(),
    });
    let decision = Effect::Record(Record::Decided {
        at,
        digest: evidence.digest.clone(),
        evidence_at: evidence.at,
        dry_run: config.dry_run,
    });
    let mut effects = vec![settled, decision];
    if config.dry_run {
        let (state, end) = done(Outcome::DryRun);
        effects.extend(end);
        return (state, effects);
    }
    if config.yes {
        prep.consent = Some((evidence.digest.clone(), Consent::Flag));
        effects.push(Effect::Record(Record::Confirmed {
            at,
            how: Consent::Flag,
            digest: evidence.digest.clone(),
        }));
    }
    // A confirmation covers the digest it was given for: a repeated check that finds the same needs no new question.
    if prep
        .consent
        .as_ref()
        .is_some_and(|(digest, _)| *digest == evidence.digest)
    {
        return last_look(config, prep, evidence, at, effects);
    }
    effects.push(Effect::Confirm {
        digest: evidence.digest.clone(),
    });
    (State::Confirming { prep, evidence }, effects)
}

fn check_again(mut prep: Prep, mut effects: Vec<Effect>) -> Step {
    if prep.rounds >= MAX_ROUNDS {
        let (state, end) = refused(Refusal::Stale { rounds: prep.rounds });
        effects.extend(end);
        return (state, effects);
    }
    prep.rounds += 1;
    effects.extend([Effect::Tell(Notice::CheckingAgain), Effect::Check]);
    (State::Checking(prep), effects)
}

fn last_look(
    config: &Config,
    prep: Prep,
    evidence: Evidence,
    at: Timestamp,
    mut effects: Vec<Effect>,
) -> Step {
    if !config.fresh(evidence.at, at) {
        return check_again(prep, effects);
    }
    effects.push(Effect::Look);
    (State::Looking { prep, evidence }, effects)
}

fn looked(config: &Config, prep: Prep, evidence: Evidence, at: Timestamp, look: LastLook) -> Step {
    if let Err(why) = &look.sample.lock {
        return refused(Refusal::LockLost { why: why.clone() });
    }
    if let Err(why) = &look.attested {
        return refused(Refusal::NotAttested { why: why.clone() });
    }
    let failed_before = match &look.look {
        Look::Gone => return refused(Refusal::Gone),
        Look::Failed(why) => return settle_again(prep, evidence, at, format!("RDS cannot be asked: {why}")),
        Look::Found(view) => {
            if let Some(refusal) = unfit(&config.identity, view) {
                return refused(refusal);
            }
            view.any_failed()
        }
    };
    if let Calm::No(why) = config.limits.judge(&look.sample) {
        return settle_again(prep, evidence, at, why);
    }
    if !config.fresh(evidence.at, at) {
        return check_again(prep, vec![]);
    }
    let intent = Intent {
        at: look.at,
        timeout: config.timeout,
        failed_before,
        mark: look.mark,
    };
    let effects = vec![Effect::Intend(intent.clone())];
    (
        State::Intending {
            prep,
            evidence,
            intent,
            interrupted: false,
        },
        effects,
    )
}

/// Why the deployment in `view` may not be switched over by this run, if so. Members that failed in an attempt before
/// and a deployment that is AVAILABLE again may be tried once more.
fn unfit(identity: &Identity, view: &View) -> Option<Refusal> {
    if let Some(what) = identity.difference(view) {
        return Some(Refusal::Changed { what });
    }
    let running = view
        .members
        .iter()
        .any(|m| m.status == MemberStatus::SwitchoverInProgress);
    match view.status {
        Status::SwitchoverInProgress => return Some(Refusal::AlreadyRunning { seen: view.summary() }),
        Status::SwitchoverCompleted => return Some(Refusal::AlreadySwitched),
        _ if running => return Some(Refusal::AlreadyRunning { seen: view.summary() }),
        Status::Available => {}
        _ => return Some(Refusal::NotAvailable { seen: view.summary() }),
    }
    let ready = view.all_members(|s| matches!(s, MemberStatus::Available | MemberStatus::SwitchoverFailed));
    (!ready).then(|| Refusal::NotAvailable { seen: view.summary() })
}

fn settle_again(prep: Prep, evidence: Evidence, at: Timestamp, why: String) -> Step {
    if prep.patience <= SignedDuration::ZERO {
        return refused(Refusal::Unsettled { why });
    }
    let (state, mut effects) = settle(prep, evidence, at);
    effects.insert(0, Effect::Tell(Notice::SettlingAgain(why)));
    (state, effects)
}

fn durable(
    config: &Config,
    mut prep: Prep,
    evidence: Evidence,
    intent: Intent,
    interrupted: bool,
    at: Timestamp,
) -> Step {
    let withdrawn = Effect::Record(Record::Withdrawn { at });
    if interrupted {
        let (state, end) = done(Outcome::Interrupted);
        return (state, [vec![withdrawn], end].concat());
    }
    // A disk that hangs makes evidence old; the request must not leave on it.
    if !within(intent.at, at, config.last_look) || !config.fresh(evidence.at, at) {
        if prep.withdrawn >= MAX_WITHDRAWN {
            let (state, end) = refused(Refusal::SlowJournal);
            return (state, [vec![withdrawn], end].concat());
        }
        prep.withdrawn += 1;
        return last_look(
            config,
            prep,
            evidence,
            at,
            vec![withdrawn, Effect::Tell(Notice::IntentWithdrawn)],
        );
    }
    let submit = Effect::Submit {
        timeout: intent.timeout,
    };
    (
        State::Submitting {
            intent,
            interrupted: false,
        },
        vec![Effect::Tell(Notice::Submitting), submit],
    )
}

fn answered(config: &Config, intent: Intent, interrupted: bool, at: Timestamp, answer: Answer) -> Step {
    let record = Effect::Record(Record::Answered {
        at,
        answer: answer.clone(),
    });
    match answer {
        Answer::Accepted { .. } => {
            let following = Following::new(config, intent, true, at, interrupted);
            (
                State::Following(following),
                vec![
                    record,
                    Effect::Describe {
                        after: SignedDuration::ZERO,
                    },
                ],
            )
        }
        Answer::Lost { why } => {
            let following = Following::new(config, intent, false, at, interrupted);
            let tell = Effect::Tell(Notice::Reconciling(why));
            (
                State::Following(following),
                vec![
                    record,
                    tell,
                    Effect::Describe {
                        after: SignedDuration::ZERO,
                    },
                ],
            )
        }
        Answer::Rejected { fault } => (
            State::Rejected { fault },
            vec![
                record,
                Effect::Describe {
                    after: SignedDuration::ZERO,
                },
            ],
        ),
    }
}

fn interrupt(state: State, at: Timestamp) -> Step {
    let record = Effect::Record(Record::Interrupted { at });
    let on = || vec![record.clone(), Effect::Tell(Notice::FollowingOn)];
    let left = || done(Outcome::Unknown { reason: Doubt::Left });
    match state {
        State::Intending {
            prep,
            evidence,
            intent,
            interrupted: false,
        } => (
            State::Intending {
                prep,
                evidence,
                intent,
                interrupted: true,
            },
            vec![Effect::Tell(Notice::LeavingAfterWrite)],
        ),
        State::Submitting {
            intent,
            interrupted: false,
        } => (
            State::Submitting {
                intent,
                interrupted: true,
            },
            on(),
        ),
        State::Following(following) if !following.interrupted => (
            State::Following(Following {
                interrupted: true,
                ..following
            }),
            on(),
        ),
        State::Verifying { interrupted: false } => (State::Verifying { interrupted: true }, on()),
        State::Submitting { .. } | State::Following(_) => left(),
        State::Verifying { .. } => done(Outcome::Switched {
            verified: Verified::Not {
                why: "interrupted".into(),
            },
        }),
        // Whether the intent got to the disk or not, nothing was sent for it.
        State::Intending { .. } => {
            let (state, end) = done(Outcome::Interrupted);
            (
                state,
                [vec![Effect::Record(Record::Withdrawn { at })], end].concat(),
            )
        }
        // RDS did nothing; the look that is left only adds to the message.
        State::Rejected { fault } => refused(Refusal::ByRds {
            fault,
            seen: "nothing (interrupted)".into(),
        }),
        State::Done(outcome) => (State::Done(outcome), vec![]),
        State::Start
        | State::Locking
        | State::Checking(_)
        | State::Settling { .. }
        | State::Confirming { .. }
        | State::Looking { .. } => done(Outcome::Interrupted),
    }
}

/// Before the request a journal that fails is a reason to refuse. After it, watching is worth more than the record.
fn journal_failed(state: State, why: String) -> Step {
    let lost = Effect::Tell(Notice::JournalLost(why.clone()));
    let again = Effect::Describe {
        after: SignedDuration::ZERO,
    };
    match state {
        State::Submitting { .. } => (state, vec![lost]),
        State::Following(mut following) => {
            following.recounting = false;
            (State::Following(following), vec![lost, again])
        }
        State::Rejected { .. } => (state, vec![lost, again]),
        State::Verifying { .. } => (state, vec![lost, Effect::Verify]),
        State::Done(outcome) => (State::Done(outcome), vec![]),
        State::Start
        | State::Locking
        | State::Checking(_)
        | State::Settling { .. }
        | State::Confirming { .. }
        | State::Looking { .. }
        | State::Intending { .. } => refused(Refusal::Journal { why }),
    }
}
