//! Random stories of the shipped binary on real servers: faults on any call, roll-backs, kills after any record, taken up or
//! begun anew. After each run what it claims is held against what RDS and production really are.
//!
//! They are plain values, made before the story is played: what it may meet (faults, kills, roll-backs) does not depend on the state
//! that it is in, so that a state machine of proptest would add nothing; and no story is shrunk, for each try needs servers of its own.
//!
//! `STORIES=40 SEED=7 cargo test --test it stories` plays more of them; each is printed before it is played.

use std::time::Duration;

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sandbox::{Effect, FaultRule, Resource, Speed, SwitchoverOutcome};

use super::{
    killed::killed,
    stage::{ACTION, Stage, quiet},
};

/// What a run meets.
#[derive(Clone, Debug)]
struct Meets {
    faults: Vec<FaultRule>,
    /// The record after which it is killed.
    killed_after: Option<&'static str>,
    rolled_back: bool,
}

const RECORDS: &[&str] = &[
    "run",
    "locked",
    "checked",
    "settled",
    "decided",
    "confirmed",
    "intent",
    "answered",
    "progress",
    "completed",
    "ended",
];

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Throttle),
        Just(Effect::ErrorBefore),
        Just(Effect::ErrorAfter),
        Just(Effect::Unavailable),
        Just(Effect::LostBefore),
        Just(Effect::LostAfter),
        Just(Effect::AccessDenied),
        Just(Effect::ExpiredToken),
        Just(Effect::Stale),
        (100u64..1500).prop_map(|milliseconds| Effect::Delay { milliseconds }),
        Just(Effect::Status {
            resource: Resource::Deployment,
            status: "NEVER_HEARD_OF".to_owned(),
        }),
        Just(Effect::Status {
            resource: Resource::SwitchoverMember,
            status: "AVAILABLE".to_owned(),
        }),
    ]
}

fn fault() -> impl Strategy<Value = FaultRule> {
    let action = prop_oneof![
        4 => Just(ACTION),
        2 => Just("DescribeBlueGreenDeployments"),
        1 => Just("DescribeEvents"),
        1 => Just("DescribeDBClusters"),
        1 => Just("Describe*"),
    ];
    (action, effect(), 1u32..8, 1u32..5).prop_map(|(action, effect, nth, times)| FaultRule {
        // The one request is the first of its kind.
        nth: if action == ACTION { 1 } else { nth },
        ..FaultRule::next(action, times, effect)
    })
}

fn meets() -> impl Strategy<Value = Meets> {
    (
        prop::collection::vec(fault(), 0..3),
        prop::option::of(prop::sample::select(RECORDS)),
        prop::bool::weighted(0.25),
    )
        .prop_map(|(faults, killed_after, rolled_back)| Meets {
            faults,
            killed_after,
            rolled_back,
        })
}

/// What is really so.
#[derive(Debug)]
struct Real {
    asked: usize,
    effects: usize,
    completed: bool,
}

async fn real(stage: &Stage) -> Real {
    // What RDS has begun comes to its end without greenlight.
    let rest = stage.sandbox.rds().until(Duration::from_secs(60), |account| {
        account
            .deployments
            .values()
            .all(|d| d.status != "SWITCHOVER_IN_PROGRESS")
    });
    assert!(rest.await, "RDS comes to rest");
    Real {
        asked: stage.asked(),
        effects: stage.sandbox.calls().effects(ACTION),
        completed: stage.statuses().0 == "SWITCHOVER_COMPLETED",
    }
}

/// Plays a story; what it claims is true, or it fails.
async fn play(story: &[Meets]) {
    let stage = Stage::at(quiet(), Speed::Every(Duration::from_millis(60))).await;
    let (mut number, mut resume) = (0, false);
    let mut asked_before_journal = 0;
    let quick = [
        "--stable-for",
        "200ms",
        "--wait",
        "4s",
        "--grace",
        "4s",
        "--timeout",
        "30s",
        "--reconcile-for",
        "2s",
    ];
    // At the end nothing goes wrong any more.
    let calm = Meets {
        faults: vec![],
        killed_after: None,
        rolled_back: false,
    };
    let last = story.len();
    for (at, meets) in story.iter().chain([&calm, &calm]).enumerate() {
        let before = real(&stage).await;
        let journal = format!("{number}.journal");
        stage.sandbox.faults().clear();
        if meets.rolled_back {
            stage
                .sandbox
                .rds()
                .next_switchover(SwitchoverOutcome::RolledBack {
                    reason: "made to".to_owned(),
                    status: "AVAILABLE".to_owned(),
                });
        }
        for rule in &meets.faults {
            stage.sandbox.rds().arm(rule.clone());
        }
        let mut more = quick.to_vec();
        if resume {
            more.push("--resume");
        }
        if let Some(kind) = meets.killed_after {
            let record = format!("\"kind\":\"{kind}\"");
            let had = std::fs::read_to_string(stage.journal(&journal)).unwrap_or_default();
            let had = had.matches(&record).count();
            if killed(&stage, &journal, &more, |text| {
                text.matches(&record).count() > had
            })
            .await
            {
                let now = real(&stage).await;
                assert!(now.asked - asked_before_journal <= 1, "{now:?}");
                resume = true;
                continue;
            }
            // It came to its end before: it is taken up to hear which.
            resume = std::fs::read_to_string(stage.journal(&journal)).is_ok_and(|text| text.contains('\n'));
            continue;
        }
        let ended = stage.run(&journal, &more).await;
        let now = real(&stage).await;
        let all = || format!("{before:?} {now:?}\n{}\n{}", ended.stdout, ended.stderr);
        assert!(
            now.asked - asked_before_journal <= 1,
            "two requests with one journal: {}",
            all()
        );
        match ended.code {
            Some(0 | 23) => {
                assert!(now.completed, "claimed a switchover: {}", all());
                return;
            }
            Some(21) => assert!(!now.completed, "claimed a roll-back: {}", all()),
            Some(2 | 3 | 10 | 11 | 20 | 130) => {
                assert_eq!(
                    before.effects,
                    now.effects,
                    "claimed to have changed nothing: {}",
                    all()
                );
            }
            // Nothing is claimed. Without faults, and with the answer on record, it has to be known.
            Some(22) => {}
            other => panic!("exit {other:?}: {}", all()),
        }
        if at >= last && now.completed {
            assert!(
                matches!(ended.code, Some(20 | 22)),
                "it is completed, and calm, and not said so: {}",
                all()
            );
        }
        // A person looks at what is unknown; whatever is at an end is begun anew.
        if ended.code == Some(22) && at < last {
            resume = true;
        } else {
            number += 1;
            resume = false;
            asked_before_journal = now.asked;
        }
    }
}

#[test]
fn what_a_run_claims_is_true() {
    let stories = std::env::var("STORIES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(9u8);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let stories: Vec<Vec<Meets>> = (0..stories)
        .map(|_| {
            let tree = prop::collection::vec(meets(), 1..4).new_tree(&mut runner);
            tree.expect("a story").current()
        })
        .collect();
    for (number, story) in stories.iter().enumerate() {
        eprintln!("story {number}: {story:?}");
        sandbox::pg::block_on(play(story));
    }
}
