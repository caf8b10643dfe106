//! The machine of `create` and `cleanup`, explored: every answer, every look, a crash at every point, and taken up again.
//! One rule above all: as long as a request may have been taken, no second one leaves. Machines that break it are caught.

use std::collections::BTreeSet;

use greenlight::{
    switchover::evidence::{Answer, Fault},
    work::{
        machine::{Config, Effect, End, Event, Following, Sight, State, Step, resume, step},
        record::{Record, Task},
    },
};
use jiff::{SignedDuration, Timestamp};

type Machine = fn(&Config, State, Event) -> Step;
type Resume = fn(&Config, &[Record], &Task) -> State;

fn config() -> Config {
    Config {
        poll: SignedDuration::from_secs(10),
        patience: SignedDuration::from_secs(60),
        silent_for: SignedDuration::from_secs(20),
    }
}

fn task() -> Task {
    Task::Create {
        name: "main-to-14".to_owned(),
        source: "arn:aws:rds:eu-west-1:123456789012:cluster:main".to_owned(),
        target_version: "14.10".to_owned(),
        parameter_group: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("in range")
}

/// What RDS really has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Truth {
    Nothing,
    Going,
    Done,
    Failed,
}

#[derive(Clone, Debug)]
struct Story {
    state: State,
    journal: Vec<Record>,
    truth: Truth,
    now: i64,
    /// Requests that RDS may have taken.
    sent: u32,
    crashes: u32,
    /// Looks that may still be older than the truth.
    stale: u32,
    steps: u32,
}

struct Explorer {
    machine: Machine,
    resume: Resume,
    seen: BTreeSet<String>,
    ends: BTreeSet<&'static str>,
    broken: Option<String>,
}

impl Explorer {
    fn explore(machine: Machine, resume: Resume) -> Self {
        let mut explorer = Self {
            machine,
            resume,
            seen: BTreeSet::new(),
            ends: BTreeSet::new(),
            broken: None,
        };
        let story = Story {
            state: State::Start,
            journal: Vec::new(),
            truth: Truth::Nothing,
            now: 0,
            sent: 0,
            crashes: 0,
            stale: 1,
            steps: 0,
        };
        explorer.begin(story);
        explorer
    }

    fn begin(&mut self, story: Story) {
        let event = Event::Begin { at: at(story.now) };
        self.take(story, event);
    }

    fn take(&mut self, mut story: Story, event: Event) {
        let (state, effects) = (self.machine)(&config(), story.state, event);
        story.state = state;
        story.steps += 1;
        self.carry_out(story, effects.into());
    }

    fn crash(&mut self, story: &Story) {
        if story.crashes >= 1 {
            return;
        }
        let mut story = story.clone();
        story.crashes += 1;
        story.now += 100;
        story.state = (self.resume)(&config(), &story.journal, &task());
        self.begin(story);
    }

    fn carry_out(&mut self, mut story: Story, mut effects: std::collections::VecDeque<Effect>) {
        if self.broken.is_some() {
            return;
        }
        if story.sent > 1 {
            self.broken = Some(format!("a second request left: {:?}", story.journal));
            return;
        }
        assert!(story.steps < 60, "it never ends: {story:?}");
        let key = format!("{story:?}{effects:?}");
        if !self.seen.insert(key) {
            return;
        }
        if let State::Done(end) = &story.state {
            let ended = end.clone();
            for effect in effects {
                if let Effect::Record(record) = effect {
                    story.journal.push(record);
                }
            }
            self.end(&story, &ended);
            // Taken up after its end as well, as an operator does who has put something right.
            self.crash(&story);
            return;
        }
        let Some(effect) = effects.pop_front() else {
            self.broken = Some(format!("nothing is awaited in {:?}", story.state));
            return;
        };
        self.crash(&story);
        match effect {
            Effect::Tell(_) => self.carry_out(story, effects),
            Effect::Record(record) => {
                story.journal.push(record);
                self.carry_out(story, effects);
            }
            Effect::Intend => {
                let intent = Record::Intent {
                    at: at(story.now),
                    work: task(),
                };
                // It fails: on disk or not.
                let failed = || Event::JournalFailed {
                    why: "full".to_owned(),
                };
                self.take(story.clone(), failed());
                let mut written = story.clone();
                written.journal.push(intent);
                self.take(written.clone(), failed());
                self.take(written.clone(), Event::Interrupt { at: at(story.now) });
                self.crash(&written);
                self.take(written, Event::IntentDurable);
            }
            Effect::Send => self.send(&story),
            Effect::Look { after } => {
                story.now += after.as_secs().max(1);
                self.look(&story);
                self.take(story.clone(), Event::Interrupt { at: at(story.now) });
            }
        }
    }

    fn send(&mut self, story: &Story) {
        let taken = |truth: Truth| Story {
            truth,
            sent: story.sent + 1,
            ..story.clone()
        };
        for truth in [Truth::Going, Truth::Done, Truth::Failed] {
            self.answer(&taken(truth), true);
        }
        // It never arrives: as far as greenlight can know, it may have.
        self.answer(&taken(Truth::Nothing), false);
        let fault = Fault {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
        };
        let answer = Answer::Rejected { fault };
        self.take(
            story.clone(),
            Event::Answered {
                at: at(story.now),
                answer,
            },
        );
    }

    /// The answer to a request that RDS may have taken, or Ctrl-C once or twice before it.
    fn answer(&mut self, story: &Story, arrives: bool) {
        self.crash(story);
        let now = at(story.now);
        let answered = |answer: Answer| Event::Answered { at: now, answer };
        if arrives {
            self.take(story.clone(), answered(Answer::Accepted { request_id: None }));
        }
        self.take(
            story.clone(),
            answered(Answer::Lost {
                why: "cut".to_owned(),
            }),
        );
        let (state, effects) = (self.machine)(&config(), story.state.clone(), Event::Interrupt { at: now });
        let interrupted = Story {
            state,
            ..story.clone()
        };
        match interrupted.state {
            State::Sending { interrupted: true } if story.state != interrupted.state => {
                assert!(
                    effects.iter().all(|e| matches!(e, Effect::Tell(_))),
                    "{effects:?}"
                );
                self.answer(&interrupted, arrives);
            }
            _ => self.carry_out(interrupted, effects.into()),
        }
    }

    fn look(&mut self, story: &Story) {
        let now = at(story.now);
        let seen = |sight: Sight| Event::Seen { at: now, sight };
        let what = || "what".to_owned();
        let blind = Sight::Blind { why: what() };
        self.take(story.clone(), seen(blind));
        if story.stale > 0 && story.truth != Truth::Nothing {
            let stale = Story {
                stale: story.stale - 1,
                ..story.clone()
            };
            self.take(stale, seen(Sight::Nothing));
        }
        let sight = match story.truth {
            Truth::Nothing => Sight::Nothing,
            Truth::Going => {
                for truth in [Truth::Done, Truth::Failed] {
                    let next = Story {
                        truth,
                        ..story.clone()
                    };
                    self.take(next, seen(Sight::Going { what: what() }));
                }
                Sight::Going { what: what() }
            }
            Truth::Done => Sight::Done { what: what() },
            Truth::Failed => Sight::Failed { why: what() },
        };
        self.take(story.clone(), seen(sight));
    }

    fn end(&mut self, story: &Story, end: &End) {
        let (name, fits) = match end {
            End::Done { .. } => ("done", story.truth == Truth::Done),
            End::Failed { .. } => ("failed", story.truth == Truth::Failed),
            // Nothing of this run may be at RDS when it says that nothing was changed.
            End::Refused { .. } => ("refused", story.sent == 0),
            End::Interrupted => ("interrupted", story.sent == 0),
            End::Blind { .. } => ("blind", story.sent == 0),
            End::Unknown { .. } => ("unknown", true),
            End::Going { .. } => ("going", story.sent > 0),
            End::Left => ("left", story.sent > 0),
            End::Foreign { .. } => ("foreign", false),
        };
        self.ends.insert(name);
        if !fits {
            self.broken = Some(format!(
                "{end:?} while RDS has {:?}: {:?}",
                story.truth, story.journal
            ));
        }
    }
}

fn resume_of(config: &Config, journal: &[Record], task: &Task) -> State {
    resume(config, journal.iter(), task)
}

#[test]
fn no_second_request_ever_leaves() {
    let explored = Explorer::explore(step, resume_of);
    assert_eq!(explored.broken, None);
    assert!(explored.seen.len() > 300, "{} stories", explored.seen.len());
    let every = [
        "blind",
        "done",
        "failed",
        "going",
        "interrupted",
        "left",
        "refused",
        "unknown",
    ];
    assert_eq!(explored.ends, BTreeSet::from(every));
}

#[test]
fn machines_that_are_wrong_are_caught() {
    /// Sends again when the answer is lost.
    fn resends(config: &Config, state: State, event: Event) -> Step {
        match (&state, &event) {
            (
                State::Sending { .. },
                Event::Answered {
                    answer: Answer::Lost { .. },
                    ..
                },
            ) => (State::Intending, vec![Effect::Intend]),
            _ => step(config, state, event),
        }
    }
    /// Takes a lost answer for a refusal.
    fn shrugs(config: &Config, state: State, event: Event) -> Step {
        match event {
            Event::Answered {
                at,
                answer: Answer::Lost { why },
            } => {
                let fault = Fault {
                    code: "Lost".to_owned(),
                    message: why,
                };
                step(
                    config,
                    state,
                    Event::Answered {
                        at,
                        answer: Answer::Rejected { fault },
                    },
                )
            }
            event => step(config, state, event),
        }
    }
    /// Sends anew once nothing has been seen for long.
    fn impatient(config: &Config, state: State, event: Event) -> Step {
        let (next, effects) = step(config, state, event);
        match next {
            State::Done(End::Unknown { .. }) => (State::Intending, vec![Effect::Intend]),
            next => (next, effects),
        }
    }
    /// Sends before the intent is on disk.
    fn hasty(config: &Config, state: State, event: Event) -> Step {
        let (next, effects) = step(config, state, event);
        match next {
            State::Intending => (State::Sending { interrupted: false }, vec![Effect::Send]),
            next => (next, effects),
        }
    }
    /// Believes the first look.
    fn trusting(config: &Config, state: State, event: Event) -> Step {
        match (&state, &event) {
            (
                State::Following(Following { accepted: true, .. }),
                Event::Seen {
                    sight: Sight::Going { what },
                    ..
                },
            ) => (State::Done(End::Done { what: what.clone() }), vec![]),
            _ => step(config, state, event),
        }
    }
    for (name, machine) in [
        ("resends", resends as Machine),
        ("shrugs", shrugs),
        ("impatient", impatient),
        ("hasty", hasty),
        ("trusting", trusting),
    ] {
        assert!(
            Explorer::explore(machine, resume_of).broken.is_some(),
            "{name} is not caught"
        );
    }
    /// Forgets what was sent.
    fn forgetful(_: &Config, _: &[Record], _: &Task) -> State {
        State::Start
    }
    /// Takes an answer that never came for a refusal.
    fn hopeful(config: &Config, journal: &[Record], task: &Task) -> State {
        let answered = journal.iter().any(|r| matches!(r, Record::Answered { .. }));
        if answered {
            resume(config, journal.iter(), task)
        } else {
            State::Start
        }
    }
    for (name, resume) in [("forgetful", forgetful as Resume), ("hopeful", hopeful)] {
        assert!(
            Explorer::explore(step, resume).broken.is_some(),
            "{name} is not caught"
        );
    }
}

#[test]
fn another_tasks_records_do_not_count() {
    let other = Task::DeleteDeployment {
        id: "bgd-1".to_owned(),
        target: None,
    };
    let journal = [Record::Intent {
        at: at(0),
        work: other.clone(),
    }];
    assert_eq!(resume_of(&config(), &journal, &task()), State::Start);
    assert!(matches!(
        resume_of(&config(), &journal, &other),
        State::Following(_)
    ));
}
