//! The machine is total: any events in any order, sensible or not, and it never panics, never leaves its end, keeps the
//! rules about effects, and never submits but right after an intent is on disk, and once.

use greenlight::switchover::deployment::Look;
use greenlight::switchover::history::{Mark, Proof, Told};
use greenlight::switchover::machine::{
    Answer, Config, Effect, Event, Evidence, Fault, LastLook, Readiness, State, step,
};
use greenlight::switchover::outcome::{Outcome, Refusal, Verified};
use greenlight::switchover::settle::{Lag, Sample};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::model::{identity, now};
use super::resting;

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (0i64..400).prop_map(|s| now() + SignedDuration::from_secs(s)),
        1 => Just(Timestamp::MAX),
        1 => Just(Timestamp::MIN),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let lag = prop_oneof![
        4 => Just(Lag::Worst { database: "app".into(), bytes: 0, time: None }),
        1 => Just(Lag::Unknown { why: "masked".into() }),
    ];
    (lag, prop::bool::weighted(0.95)).prop_map(|(lag, held)| Sample {
        lag,
        obstacles: vec![],
        lock: if held { Ok(()) } else { Err("gone".into()) },
    })
}

fn look() -> impl Strategy<Value = Look> {
    use greenlight::switchover::deployment::{MemberStatus as M, Status as S};
    let statuses = [
        "AVAILABLE",
        "SWITCHOVER_IN_PROGRESS",
        "SWITCHOVER_COMPLETED",
        "SWITCHOVER_FAILED",
        "ODD",
    ];
    prop_oneof![
        1 => Just(Look::Gone),
        1 => Just(Look::Failed("HTTP 503".into())),
        4 => Just(Look::Found(resting())),
        4 => (0usize..5, 0usize..5, 0usize..5).prop_map(move |(top, first, second)| {
            let mut view = resting();
            view.status = S::from(statuses[top].to_owned());
            view.members[0].status = M::from(statuses[first].to_owned());
            view.members[1].status = M::from(statuses[second].to_owned());
            Look::Found(view)
        }),
        1 => Just(()).prop_map(|()| {
            let mut view = resting();
            view.members.clear();
            Look::Found(view)
        }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let readiness = prop_oneof![
        6 => Just(Readiness::Ready),
        1 => Just(Readiness::NotReady),
        1 => Just(Readiness::NotDetermined { why: "masked".into() }),
    ];
    let answer = prop_oneof![
        Just(Answer::Accepted { request_id: None }),
        Just(Answer::Lost { why: "reset".into() }),
        Just(Answer::Rejected {
            fault: Fault {
                code: "AccessDenied".into(),
                message: String::new()
            }
        }),
    ];
    let proof = prop_oneof![
        Just(Proof::Silent),
        Just(Proof::Unreadable("HTTP 503".into())),
        time().prop_map(|at| Proof::Last {
            told: Told::Started,
            at
        }),
        time().prop_map(|at| Proof::Last {
            told: Told::Completed,
            at
        }),
        time().prop_map(|at| Proof::Last {
            told: Told::Cancelled("lag".into()),
            at
        }),
    ];
    let evidence = (time(), readiness, "[ab]").prop_map(|(at, readiness, digest)| Evidence {
        at,
        readiness,
        digest,
        open: vec![],
    });
    let last = (time(), sample(), look(), any::<bool>()).prop_map(|(at, sample, look, attested)| LastLook {
        at,
        sample,
        look,
        mark: Mark::Empty,
        attested: attested.then_some(()).ok_or_else(|| "it expired".into()),
    });
    prop_oneof![
        (time(), any::<bool>()).prop_map(|(at, terminal)| Event::Begin { at, terminal }),
        time().prop_map(|at| Event::Locked { at }),
        Just(Event::LockRefused(Refusal::Locked { holder: "ops".into() })),
        (time(), evidence).prop_map(|(at, evidence)| Event::Checked { at, evidence }),
        (time(), sample()).prop_map(|(at, sample)| Event::Sampled { at, sample }),
        time().prop_map(|at| Event::Confirmed { at }),
        Just(Event::Declined),
        Just(Event::NoTerminal),
        (time(), last).prop_map(|(at, look)| Event::Looked { at, look }),
        time().prop_map(|at| Event::IntentDurable { at }),
        (time(), answer).prop_map(|(at, answer)| Event::Answered { at, answer }),
        (time(), look()).prop_map(|(at, look)| Event::Described { at, look }),
        (time(), proof).prop_map(|(at, proof)| Event::Recounted { at, proof }),
        Just(Event::Verified(Verified::Clean)),
        Just(Event::JournalFailed { why: "full".into() }),
        time().prop_map(|at| Event::Interrupt { at }),
    ]
}

/// The event that a state waits for, so that a story gets anywhere among the noise.
fn fitting(state: &State, at: Timestamp) -> Event {
    let sample = Sample {
        lag: Lag::Worst {
            database: "app".into(),
            bytes: 0,
            time: None,
        },
        obstacles: vec![],
        lock: Ok(()),
    };
    match state {
        State::Start => Event::Begin { at, terminal: true },
        State::Locking => Event::Locked { at },
        State::Checking(_) => {
            let evidence = Evidence {
                at,
                readiness: Readiness::Ready,
                digest: "a".into(),
                open: vec![],
            };
            Event::Checked { at, evidence }
        }
        State::Settling { .. } => Event::Sampled { at, sample },
        State::Confirming { .. } => Event::Confirmed { at },
        State::Looking { .. } => {
            let look = LastLook {
                at,
                sample,
                look: Look::Found(resting()),
                mark: Mark::Empty,
                attested: Ok(()),
            };
            Event::Looked { at, look }
        }
        State::Intending { .. } => Event::IntentDurable { at },
        State::Submitting { .. } => Event::Answered {
            at,
            answer: Answer::Accepted { request_id: None },
        },
        State::Rejected { .. } | State::Following(_) => Event::Described {
            at,
            look: Look::Found(resting()),
        },
        State::Verifying { .. } | State::Done(_) => Event::Verified(Verified::Clean),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_events_in_any_order(
        events in prop::collection::vec(prop_oneof![1 => event().prop_map(Some), 3 => Just(None)], 1..60),
        stable in 0i64..3,
    ) {
        let mut config = Config::new(identity());
        config.stable_for = SignedDuration::from_secs(stable);
        let (mut state, mut at, mut submits) = (State::Start, now(), 0);
        for event in events {
            at += SignedDuration::from_secs(1);
            let event = event.unwrap_or_else(|| fitting(&state, at));
            let before = state.clone();
            let durable = matches!(event, Event::IntentDurable { .. });
            let (after, effects) = step(&config, state, event);
            if let Some(place) = effects.iter().position(Effect::is_answered) {
                prop_assert_eq!(place, effects.len() - 1, "what is answered comes last: {:?}", effects);
                let ended = matches!(after, State::Done(_));
                prop_assert!(!ended, "nothing is awaited at the end");
            }
            if effects.iter().any(|e| matches!(e, Effect::Submit { .. })) {
                let intending = matches!(before, State::Intending { .. });
                prop_assert!(durable && intending);
                submits += 1;
            }
            if let State::Done(outcome) = &before {
                prop_assert_eq!(&after, &State::Done(outcome.clone()));
            }
            state = after;
        }
        prop_assert!(submits <= 1);
    }
}

/// The attestation is held up once more by the last look, when everything else is ready.
#[test]
fn an_attestation_that_ended_while_it_settled_is_no_ground() {
    let mut config = Config::new(identity());
    config.stable_for = SignedDuration::ZERO;
    config.yes = true;
    let mut state = State::Start;
    while !matches!(state, State::Looking { .. }) {
        let event = fitting(&state, now());
        state = step(&config, state, event).0;
    }
    let Event::Looked { at, mut look } = fitting(&state, now()) else {
        unreachable!("it is what it waits for")
    };
    assert!(matches!(
        step(
            &config,
            state.clone(),
            Event::Looked {
                at,
                look: look.clone()
            }
        )
        .0,
        State::Intending { .. }
    ));
    look.attested = Err("it expired".into());
    let (state, _) = step(&config, state, Event::Looked { at, look });
    let why = "it expired".into();
    let refusal = Refusal::NotAttested { why };
    assert_eq!(state, State::Done(Outcome::Refused { refusal }));
}
