//! The real driver and a real journal on a world that only exists here, killed at every point of several stories and
//! taken up again; and interrupted at every point.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::task::Poll;

use greenlight::switchover::deployment::{
    Identity, Look, Member, MemberStatus as M, Pair, Resource, Status as S, View,
};
use greenlight::switchover::driver::{Interrupts, Records, Reply, Run, World};
use greenlight::switchover::history::{self, Mark, Message, Proof, Source};
use greenlight::switchover::journal::{Journal, JournalError, read};
use greenlight::switchover::machine::{Answer, Config, Evidence, Fault, LastLook, Notice, Readiness, State};
use greenlight::switchover::outcome::{Outcome, Refusal, Verified};
use greenlight::switchover::record::Record;
use greenlight::switchover::remark::Remark;
use greenlight::switchover::resume::resume;
use greenlight::switchover::settle::{Lag, Sample};
use jiff::{SignedDuration, Timestamp};

use crate::journal::{actor, header, taken_up};

/// How RDS ends the switchover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    FailedMember,
    FailedQuietly,
}

/// How the request fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted(End),
    /// It arrives, and the answer does not.
    AnswerLost(End),
    /// It does not arrive.
    RequestLost,
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    pub(crate) fate: Fate,
    /// Seconds until lag has gone.
    pub(crate) lag_until: i64,
    /// Seconds that the operator takes to type.
    pub(crate) typing: i64,
    /// The exit code when nothing else happens.
    pub(crate) code: u8,
}

const STORIES: &[Story] = &[
    Story {
        fate: Fate::Accepted(End::Completed),
        lag_until: 0,
        typing: 3,
        code: 0,
    },
    Story {
        fate: Fate::Accepted(End::Completed),
        lag_until: 40,
        typing: 90,
        code: 0,
    },
    Story {
        fate: Fate::Accepted(End::FailedMember),
        lag_until: 5,
        typing: 0,
        code: 21,
    },
    Story {
        fate: Fate::Accepted(End::FailedQuietly),
        lag_until: 0,
        typing: 0,
        code: 21,
    },
    Story {
        fate: Fate::AnswerLost(End::Completed),
        lag_until: 0,
        typing: 0,
        code: 0,
    },
    Story {
        fate: Fate::AnswerLost(End::FailedMember),
        lag_until: 0,
        typing: 0,
        code: 21,
    },
    Story {
        fate: Fate::RequestLost,
        lag_until: 0,
        typing: 0,
        code: 22,
    },
    Story {
        fate: Fate::Refused,
        lag_until: 0,
        typing: 0,
        code: 20,
    },
    Story {
        fate: Fate::Accepted(End::Completed),
        lag_until: 10_000,
        typing: 0,
        code: 20,
    },
];

/// Thrown where the process dies.
struct Crash;

pub(crate) struct Fake {
    story: Story,
    /// Seconds since the story began.
    pub(crate) clock: Cell<i64>,
    /// Points passed, and the one to die at.
    pub(crate) points: Cell<usize>,
    pub(crate) fuse: Cell<usize>,
    submits: Cell<usize>,
    /// When the switchover began at RDS.
    began: Cell<Option<i64>>,
    told: RefCell<Vec<Notice>>,
    /// What is remarked with the full check, and with the verification.
    pub(crate) remarks: [Vec<Remark>; 2],
    remarked: RefCell<Vec<Remark>>,
}

impl Fake {
    pub(crate) fn new(story: Story) -> Self {
        Self {
            story,
            clock: Cell::new(0),
            points: Cell::new(0),
            fuse: Cell::new(usize::MAX),
            submits: Cell::new(0),
            began: Cell::new(None),
            told: RefCell::default(),
            remarks: [vec![], vec![]],
            remarked: RefCell::default(),
        }
    }

    /// RDS got the request of a process that died just then.
    pub(crate) fn begin_at_rds(&self) {
        self.began.set(Some(self.clock.get() - 7));
    }

    /// A point at which the process may die.
    fn point(&self) {
        self.points.set(self.points.get() + 1);
        if self.points.get() == self.fuse.get() {
            resume_unwind(Box::new(Crash));
        }
    }

    fn at(&self, second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn end(&self) -> Option<End> {
        match self.story.fate {
            Fate::Accepted(end) | Fate::AnswerLost(end) => Some(end),
            Fate::RequestLost | Fate::Refused => None,
        }
    }

    fn view(&self) -> View {
        let age = self.began.get().map(|began| self.clock.get() - began);
        let (status, members) = match (age, self.end()) {
            (None, _) | (_, None) => (S::Available, [M::Available, M::Available]),
            (Some(0..20), _) => (S::SwitchoverInProgress, [M::SwitchoverInProgress, M::Available]),
            (Some(20..60), _) => (
                S::SwitchoverInProgress,
                [M::SwitchoverCompleted, M::SwitchoverInProgress],
            ),
            (_, Some(End::Completed)) => (
                S::SwitchoverCompleted,
                [M::SwitchoverCompleted, M::SwitchoverCompleted],
            ),
            (_, Some(End::FailedMember)) => (S::Available, [M::SwitchoverFailed, M::Available]),
            (_, Some(End::FailedQuietly)) => (S::Available, [M::Available, M::Available]),
        };
        let members = (0..).zip(members).map(|(n, status)| Member {
            source: resource("blue", n),
            target: Some(resource("green", n)),
            status,
        });
        View {
            id: "bgd-1".into(),
            status,
            details: None,
            members: members.collect(),
        }
    }

    fn messages(&self) -> Vec<Message> {
        let Some(began) = self.began.get() else {
            return vec![];
        };
        let message = |second, text: &str| Message {
            at: self.at(second),
            source: Source::Deployment,
            text: text.into(),
        };
        let mut messages = vec![message(began, "Switchover from blue to green started.")];
        if self.clock.get() >= began + 60 {
            let ended = match self.end() {
                Some(End::Completed) => "Switchover from blue to green completed.",
                _ => "Switchover from blue to green canceled: replica lag.",
            };
            messages.push(message(began + 60, ended));
        }
        messages
    }
}

fn resource(side: &str, n: u8) -> Resource {
    Resource {
        arn: format!("arn:{side}-{n}"),
        resource_id: Some(format!("id-{side}-{n}")),
    }
}

fn config() -> Config {
    let pair = |n| Pair {
        blue: resource("blue", n),
        green: resource("green", n),
    };
    let mut config = Config::new(Identity {
        id: "bgd-1".into(),
        members: vec![pair(0), pair(1)],
    });
    config.wait = SignedDuration::from_secs(90);
    config
}

impl World for Fake {
    fn now(&self) -> Timestamp {
        self.at(self.clock.get())
    }

    async fn sleep(&self, time: SignedDuration) {
        self.clock.set(self.clock.get() + time.as_secs());
        // Others get their turn, as when really waiting.
        tokio::task::yield_now().await;
    }

    async fn lock(&self) -> Result<(), Refusal> {
        self.point();
        Ok(())
    }

    async fn full_check(&self) -> Evidence {
        self.point();
        let at = self.now();
        self.clock.set(self.clock.get() + 4);
        self.remarked.borrow_mut().extend(self.remarks[0].iter().cloned());
        Evidence {
            at,
            readiness: Readiness::Ready,
            digest: "d".into(),
            open: vec![],
        }
    }

    async fn sample(&self) -> Sample {
        self.point();
        let bytes = if self.clock.get() < self.story.lag_until {
            1 << 30
        } else {
            512
        };
        let lag = Lag::Worst {
            database: "app".into(),
            bytes,
            time: None,
        };
        Sample {
            lag,
            obstacles: vec![],
            lock: Ok(()),
        }
    }

    async fn confirm(&self, _: &str) -> Reply {
        self.point();
        self.clock.set(self.clock.get() + self.story.typing);
        Reply::Yes
    }

    async fn last_look(&self) -> LastLook {
        self.point();
        let (at, sample) = (self.now(), self.sample().await);
        LastLook {
            at,
            sample,
            look: Look::Found(self.view()),
            mark: history::mark(&self.messages()),
            attested: Ok(()),
        }
    }

    async fn submit(&self, _: SignedDuration) -> Answer {
        self.point();
        self.submits.set(self.submits.get() + 1);
        if self.end().is_some() && self.began.get().is_none() {
            self.began.set(Some(self.clock.get()));
        }
        self.point();
        match self.story.fate {
            Fate::Accepted(_) => Answer::Accepted {
                request_id: Some("r-1".into()),
            },
            Fate::AnswerLost(_) | Fate::RequestLost => Answer::Lost {
                why: "connection reset".into(),
            },
            Fate::Refused => Answer::Rejected {
                fault: Fault {
                    code: "InvalidBlueGreenDeploymentStateFault".into(),
                    message: "no".into(),
                },
            },
        }
    }

    async fn describe(&self) -> Look {
        self.point();
        Look::Found(self.view())
    }

    async fn events(&self, mark: Mark) -> Proof {
        self.point();
        history::prove(&self.messages(), mark)
    }

    async fn verify(&self) -> Verified {
        self.point();
        self.remarked.borrow_mut().extend(self.remarks[1].iter().cloned());
        Verified::Clean
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarked.take()
    }

    fn tell(&self, notice: &Notice) {
        self.told.borrow_mut().push(notice.clone());
    }
}

/// A journal that may take its process with it, before or after a record is on disk.
struct Fragile<'a> {
    fake: &'a Fake,
    journal: Journal,
}

impl Records for Fragile<'_> {
    fn append(&mut self, record: Record, at: Timestamp) -> Result<(), JournalError> {
        self.fake.point();
        let written = self.journal.append(record, at);
        self.fake.point();
        written
    }
}

/// Ctrl-C at certain points.
struct At<'a> {
    fake: &'a Fake,
    points: Vec<usize>,
}

impl Interrupts for At<'_> {
    fn next(&mut self) -> impl Future<Output = ()> {
        poll_fn(|_| match self.points.first() {
            Some(point) if self.fake.points.get() >= *point => {
                self.points.remove(0);
                Poll::Ready(())
            }
            _ => Poll::Pending,
        })
    }
}

/// One process: `None` if it died.
pub(crate) fn process(fake: &Fake, path: &Path, interrupts: &[usize]) -> Option<Outcome> {
    let config = config();
    let (journal, state) = if path.exists() {
        let (journal, log) = taken_up(path);
        (
            journal,
            resume(&config, log.records()).expect("no contradiction").state,
        )
    } else {
        let journal = Journal::create(path, header(config.clone()), fake.now()).expect("a new journal");
        (journal, State::Start)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let run = Run {
        config: &config,
        by: actor(),
        terminal: true,
    };
    let mut journal = Fragile { fake, journal };
    let mut interrupts = At {
        fake,
        points: interrupts.to_vec(),
    };
    let driven = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(run.drive(state, fake, &mut journal, &mut interrupts))
    }));
    match driven {
        Ok(outcome) => Some(outcome.expect("the machine is never stuck")),
        Err(panic) if panic.is::<Crash>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// The journal's file of one telling of a story.
fn journal(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("app.journal")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn each_story_comes_to_its_end() {
    for story in STORIES {
        let (fake, folder) = (Fake::new(*story), folder());
        let outcome = process(&fake, &journal(&folder), &[]).expect("nobody killed it");
        assert_eq!(outcome.exit_code(), story.code, "{story:?}: {outcome}");
        let log = read(&journal(&folder)).expect("it verifies");
        assert!(matches!(log.records().last(), Some(Record::Ended { outcome: last }) if *last == outcome));
        let sent = log
            .records()
            .filter(|r| matches!(r, Record::Intent { .. }))
            .count();
        assert_eq!(sent, fake.submits.get(), "{story:?}: an intent for each request");
    }
}

#[test]
fn killed_at_any_point_it_comes_to_the_same_end_or_says_that_it_cannot_know() {
    let mut kills = 0;
    let mut doubts = 0;
    for story in STORIES {
        for point in 1.. {
            let (fake, folder) = (Fake::new(*story), folder());
            fake.fuse.set(point);
            if process(&fake, &journal(&folder), &[]).is_some() {
                break;
            }
            kills += 1;
            fake.fuse.set(usize::MAX);
            fake.clock.set(fake.clock.get() + 7);
            let outcome = process(&fake, &journal(&folder), &[]).expect("nobody killed it again");
            assert!(
                fake.submits.get() <= 1,
                "{story:?}, killed at {point}: sent twice"
            );
            if outcome.exit_code() != story.code {
                // Only where the intent is on disk and nobody wrote down what came of it.
                let log = read(&journal(&folder)).expect("it verifies");
                let answered = log.records().any(|r| matches!(r, Record::Answered { .. }));
                assert_eq!(outcome.exit_code(), 22, "{story:?}, killed at {point}: {outcome}");
                assert!(
                    !answered,
                    "{story:?}, killed at {point}: {outcome}, and the answer was known"
                );
                assert!(
                    fake.began.get().is_none(),
                    "{story:?}, killed at {point}: RDS showed it running"
                );
                doubts += 1;
            }
        }
    }
    assert!(kills > 300, "only {kills} points");
    assert!(
        doubts > 0 && doubts < kills / 20,
        "{doubts} doubts in {kills} kills"
    );
}

#[test]
fn after_ctrl_c_nothing_is_sent_and_what_was_sent_is_followed() {
    for story in STORIES {
        let plain = Fake::new(*story);
        process(&plain, &journal(&folder()), &[]);
        for point in 0..=plain.points.get() {
            let (fake, folder) = (Fake::new(*story), folder());
            let outcome = process(&fake, &journal(&folder), &[point]).expect("nobody killed it");
            let left = outcome == Outcome::Interrupted;
            assert_eq!(
                left,
                fake.submits.get() == 0 && outcome.exit_code() != 20,
                "{story:?} at {point}: {outcome}"
            );
            if !left && fake.submits.get() > 0 {
                let refused = matches!(outcome, Outcome::Refused { .. });
                assert!(
                    refused || outcome.exit_code() == story.code,
                    "{story:?} at {point}: {outcome}"
                );
            }
        }
    }
}

#[test]
fn after_the_second_ctrl_c_it_leaves_and_can_be_taken_up() {
    for story in STORIES {
        let plain = Fake::new(*story);
        process(&plain, &journal(&folder()), &[]);
        for point in 0..=plain.points.get() {
            let (fake, folder) = (Fake::new(*story), folder());
            let outcome = process(&fake, &journal(&folder), &[point, point]).expect("nobody killed it");
            let sent = fake.submits.get();
            match outcome.exit_code() {
                130 => assert_eq!(sent, 0, "{story:?} at {point}"),
                22 | 23 => {
                    let again = process(&fake, &journal(&folder), &[]).expect("nobody killed it");
                    assert_eq!(fake.submits.get(), sent, "{story:?} at {point}: sent again");
                    let dropped = sent == 0 || fake.began.get().is_none();
                    assert!(
                        again.exit_code() == story.code || again.exit_code() == 22 && dropped,
                        "{story:?} at {point}: {again}"
                    );
                }
                code => assert_eq!(code, story.code, "{story:?} at {point}: {outcome}"),
            }
        }
    }
}
