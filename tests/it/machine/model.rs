//! The world that the machine is explored in: RDS, its events, both operators with their journals, and everything that
//! can go wrong, each within a budget so that there is an end to it.
//!
//! There is no clock: whenever time passes, every time in the world moves into the past instead, so that situations
//! that differ only in when they happen are one. RDS's events have times of their own (their number), as RDS's clock
//! is not ours.

use std::sync::LazyLock;

use greenlight::switchover::deployment::{
    Identity, Look, Member, MemberStatus as M, Resource, Status as S, View,
};
use greenlight::switchover::history::{self, Mark, Message, Proof, Source, Told};
use greenlight::switchover::machine::{Config, Effect, Event, Evidence, State, step};
use greenlight::switchover::outcome::Outcome;
use greenlight::switchover::record::Record;
use greenlight::switchover::resume::resume;
use greenlight::switchover::settle::{Hold, Lag, Sample};
use jiff::{SignedDuration, Timestamp};

use super::Mutant;

mod successors;

/// Times older than this many seconds are all alike: it is more than any limit below.
const FORGOTTEN: i64 = 6;
/// How long a slow operation takes: longer than any evidence may be old.
const SLOW: i64 = 5;
/// Longer than a last look may be old, and shorter than a full check may be.
const BRIEF: i64 = 2;

/// Now.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).expect("in range")
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// What may still go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Crashes of greenlight.
    pub(super) crashes: u8,
    /// Runs started again with `--resume` after an end that is not final.
    pub(super) resumes: u8,
    /// Ctrl-C.
    pub(super) interrupts: u8,
    /// Answers to the request that are lost, whether it arrived, arrives late, or never does.
    pub(super) lost: u8,
    /// Journals that fail: one write does, whether it reached the disk or not, and none after it.
    pub(super) disk: u8,
    /// Reads of RDS that fail.
    pub(super) errors: u8,
    /// Reads of RDS that give what was true before the last change.
    pub(super) stale: u8,
    /// Operations that take very long.
    pub(super) slow: u8,
    /// Things that somebody else does at the console: a switchover, a deletion, another green.
    pub(super) console: u8,
    /// Losses of the session that holds the lock.
    pub(super) lock: u8,
    /// Full checks that find something else than the one before.
    pub(super) change: u8,
    /// Statuses that this version does not know.
    pub(super) odd: u8,
}

/// What RDS shows, and what is true there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rds {
    pub(super) stage: Stage,
    /// What it showed before the last change, as long as a Describe may still show that.
    before: Stage,
    /// Until when it may: for less long than a state of rest must last to count.
    stale_until: Timestamp,
    /// The events about the whole switchover, in order; the index is their time.
    events: Vec<Told>,
    /// Requests on the way, with whose they are and until when they can arrive.
    late: Vec<(usize, Timestamp)>,
    /// Whose request began the switchover, if an operator's.
    owner: Option<usize>,
    /// Whether green is another one than was checked.
    replaced: bool,
}

/// How far RDS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// At rest as at the beginning.
    Idle,
    /// At rest, with a member that failed in an attempt before.
    IdleAfterFailure,
    /// Running; no member is done.
    Running,
    /// The first member is done.
    Half,
    /// The top status says completed, the second member does not.
    TopFirst,
    /// Completed.
    Done,
    /// Rolled back: AVAILABLE, a member FAILED.
    FailedMember,
    /// Rolled back: AVAILABLE everywhere.
    FailedQuietly,
    /// Rolled back: SWITCHOVER_FAILED at the top.
    FailedTop,
    /// One member is done and one failed.
    Torn,
    /// Deleted after completion.
    GoneDone,
    /// Deleted.
    Gone,
}

use Stage::*;

impl Stage {
    pub(super) fn running(self) -> bool {
        matches!(self, Running | Half | TopFirst)
    }

    pub(super) fn completed(self) -> bool {
        matches!(self, Done | GoneDone)
    }

    /// Whether RDS takes a request for a switchover.
    fn open(self) -> bool {
        matches!(self, Idle | IdleAfterFailure | FailedMember | FailedQuietly)
    }

    fn view(self, replaced: bool) -> Look {
        let (top, first, second) = match self {
            Idle | FailedQuietly => (S::Available, M::Available, M::Available),
            IdleAfterFailure | FailedMember => (S::Available, M::SwitchoverFailed, M::Available),
            Running => (S::SwitchoverInProgress, M::SwitchoverInProgress, M::Available),
            Half => (
                S::SwitchoverInProgress,
                M::SwitchoverCompleted,
                M::SwitchoverInProgress,
            ),
            TopFirst => (
                S::SwitchoverCompleted,
                M::SwitchoverCompleted,
                M::SwitchoverInProgress,
            ),
            Done => (
                S::SwitchoverCompleted,
                M::SwitchoverCompleted,
                M::SwitchoverCompleted,
            ),
            FailedTop => (S::SwitchoverFailed, M::SwitchoverFailed, M::Available),
            Torn => (S::Available, M::SwitchoverCompleted, M::SwitchoverFailed),
            GoneDone | Gone => return Look::Gone,
        };
        let member = |n: u8, status| Member {
            source: resource('b', n),
            target: Some(resource(if replaced { 'x' } else { 'g' }, n)),
            status,
        };
        let members = vec![member(1, first), member(2, second)];
        Look::Found(View {
            id: "bgd".into(),
            status: top,
            details: None,
            members,
        })
    }
}

fn resource(side: char, n: u8) -> Resource {
    Resource {
        arn: format!("{side}{n}"),
        resource_id: Some(format!("id-{side}{n}")),
    }
}

/// The deployment as it is at the beginning.
pub(super) fn identity() -> Identity {
    match Idle.view(false) {
        Look::Found(view) => Identity::of(&view).expect("members with both sides"),
        _ => unreachable!("it is there"),
    }
}

/// The options, with times as short as they can be told apart.
pub(super) fn config() -> Config {
    let mut config = Config::new(identity());
    config.stable_for = seconds(1);
    config.limits.max_gap = seconds(1);
    config.wait = seconds(3);
    config.max_age = seconds(4);
    config.last_look = seconds(1);
    config.timeout = seconds(1);
    config.grace = seconds(2);
    config.poll = seconds(1);
    config.sample_every = seconds(1);
    config.rest_for = seconds(2);
    config.reconcile_for = seconds(3);
    config
}

static CONFIG: LazyLock<Config> = LazyLock::new(config);

/// One operator: the process, the journal's file, and what is *truly* so, beside what the machine believes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Operator {
    /// `None` after a crash.
    pub(super) state: Option<State>,
    queue: Vec<Effect>,
    /// Whether a write failed: then the journal takes no more from this process.
    broken: bool,
    /// Whether it crashed, and so let the lock go with a request out, perhaps.
    crashed: bool,
    /// What is on disk, without what `--resume` does not read.
    disk: Vec<Record>,
    /// Requests sent on the strength of this journal.
    pub(super) submits: u8,
    /// Whether a request of this journal took effect.
    started: bool,
    /// Whether the switchover of that request was rolled back.
    rolled_back: bool,
    /// Whether a switchover, anybody's, was rolled back since this journal's last look.
    saw_roll_back: bool,
    truth: Truth,
}

/// What this run was truly told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Truth {
    evidence: Option<(Timestamp, bool, u8)>,
    consent: Option<u8>,
    hold: Hold,
    /// When lag and activity had truly held still for long enough, last.
    settled: Option<Timestamp>,
    /// When the last look began, and whether all it saw was fit.
    look: Option<(Timestamp, bool)>,
    /// Whether it held the lock at the last look.
    held: bool,
    interrupted: bool,
}

impl Operator {
    fn new() -> Self {
        Self {
            state: Some(State::Start),
            queue: vec![],
            broken: false,
            crashed: false,
            disk: vec![],
            submits: 0,
            started: false,
            rolled_back: false,
            saw_roll_back: false,
            truth: Truth::default(),
        }
    }

    fn intends(&self) -> bool {
        let last = self
            .disk
            .iter()
            .rev()
            .find(|r| matches!(r, Record::Intent { .. } | Record::Withdrawn { .. }));
        matches!(last, Some(Record::Intent { .. }))
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            Some(State::Done(outcome)) if self.queue.is_empty() => Some(outcome),
            _ => None,
        }
    }

    /// Puts a record on disk, leaving out what makes no difference to a resumed run.
    fn write(&mut self, mut record: Record) {
        if let Record::Intent { at, .. }
        | Record::Answered { at, .. }
        | Record::Completed { at }
        | Record::Events { at, .. } = &mut record
        {
            *at = Timestamp::UNIX_EPOCH;
        }
        match &record {
            Record::Intent { .. } | Record::Answered { .. } | Record::Completed { .. } => {
                self.disk.push(record)
            }
            Record::Withdrawn { .. } => self.disk.retain(|r| !matches!(r, Record::Intent { .. })),
            Record::Progress { .. } | Record::Events { .. } => {
                let mut with = self.disk.clone();
                with.push(record);
                // Only one that changes where a resumed run goes on is worth a state of its own.
                let resumed = |disk: &[Record]| resume(&CONFIG, disk).map(|r| r.state);
                if resumed(&with) != resumed(&self.disk) {
                    // Long after the intent is as good as just long enough.
                    if let Some(Record::Progress { at, .. }) = with.last_mut() {
                        *at = Timestamp::MAX;
                    }
                    self.disk = with;
                }
            }
            Record::Ended { .. } => {
                self.disk.retain(|r| !matches!(r, Record::Ended { .. }));
                self.disk.push(record);
            }
            _ => {}
        }
    }
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Globe {
    pub(super) rds: Rds,
    pub(super) operators: Vec<Operator>,
    /// Who holds the lock on blue.
    lock: Option<usize>,
    /// Whether the lock was ever lost by its holder without a crash.
    lock_lost: bool,
    pub(super) budget: Budget,
    /// The promise that the transition to here broke.
    broken: Option<Violation>,
}

/// What is fixed in one exploration.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// The options as the operator gave them.
    pub(super) config: Config,
    /// The options as the mutant understands them.
    pub(super) understood: Config,
    pub(super) operators: usize,
    pub(super) budget: Budget,
    pub(super) mutant: Mutant,
    /// Whether RDS, the checks and the samples go only the plainest ways, where the rest is what matters.
    pub(super) plain: bool,
    /// Whether transitions are named; only wanted for the way to a finding.
    pub(super) labels: bool,
}

/// A promise that was broken.
pub(super) type Violation = &'static str;

/// What one transition leads to.
pub(super) struct Next {
    pub(super) label: String,
    pub(super) globe: Globe,
    pub(super) violation: Option<Violation>,
}

impl Setup {
    /// Where an exploration begins: a new deployment, and one with a failed attempt behind it.
    pub(super) fn initial(&self) -> Vec<Globe> {
        [
            (Idle, vec![]),
            (
                IdleAfterFailure,
                vec![Told::Started, Told::Cancelled("earlier".into())],
            ),
        ]
        .map(|(stage, events)| Globe {
            rds: Rds {
                stage,
                before: stage,
                stale_until: now(),
                events,
                late: vec![],
                owner: None,
                replaced: false,
            },
            operators: vec![Operator::new(); self.operators],
            lock: None,
            lock_lost: false,
            budget: self.budget,
            broken: None,
        })
        .into()
    }
}

impl Truth {
    fn observe(&mut self, config: &Config, calm: bool) {
        self.hold.observe(now(), calm, config.limits.max_gap);
        if self.hold.lasted(now()) >= Some(config.stable_for) {
            self.settled = Some(now());
        }
    }
}

impl Globe {
    /// RDS moves on.
    fn turn(&mut self, stage: Stage) {
        self.rds.before = self.rds.stage;
        self.rds.stale_until = now() + seconds(1);
        self.rds.stage = stage;
        match stage {
            Done => self.rds.events.push(Told::Completed),
            FailedMember | FailedQuietly | FailedTop => {
                self.rds.events.push(Told::Cancelled("later".into()));
                for operator in &mut self.operators {
                    let about_to = matches!(operator.state, Some(State::Intending { .. }));
                    operator.saw_roll_back |= about_to || operator.intends();
                }
                if let Some(i) = self.rds.owner.take() {
                    self.operators[i].rolled_back = true;
                }
            }
            _ => {}
        }
    }

    /// A switchover begins.
    fn start(&mut self, whose: Option<usize>) {
        self.turn(Running);
        self.rds.events.push(Told::Started);
        if let Some(i) = whose {
            self.operators[i].started = true;
        }
        self.rds.owner = whose;
    }

    fn kill(&mut self, i: usize) {
        self.operators[i].crashed = true;
        self.operators[i].state = None;
        self.operators[i].queue.clear();
        self.operators[i].truth = Truth::default();
        self.finish(i);
    }

    /// Lets the lock go with the process that held it.
    fn finish(&mut self, i: usize) {
        let over = match &self.operators[i].state {
            None => true,
            Some(State::Done(_)) => self.operators[i].queue.is_empty(),
            Some(_) => false,
        };
        if over {
            self.operators[i].truth = Truth::default();
            if self.lock == Some(i) {
                self.lock = None;
            }
        }
    }

    /// A process starts, on whatever its journal says.
    fn begin(&mut self, setup: &Setup, i: usize) {
        let mut disk = self.operators[i].disk.clone();
        if setup.mutant == Mutant::ForgetsTheIntent {
            disk.clear();
        }
        let resumed = resume(&setup.config, &disk).expect("the journal does not contradict itself");
        let operator = &mut self.operators[i];
        operator.state = Some(resumed.state);
        operator.queue.clear();
        operator.broken = false;
        operator.truth = Truth {
            consent: setup.config.yes.then_some(u8::MAX),
            ..Truth::default()
        };
        self.feed(
            setup,
            i,
            Event::Begin {
                at: now(),
                terminal: true,
            },
        );
        self.finish(i);
    }

    /// Ctrl-C while something is awaited: as the driver does it.
    fn interrupt(&mut self, setup: &Setup, i: usize) {
        let submitted = self.operators[i].state.as_ref().is_some_and(State::is_submitted);
        self.operators[i].truth.interrupted |= !submitted;
        if setup.mutant == Mutant::DeafToCtrlC {
            return;
        }
        let awaited = std::mem::take(&mut self.operators[i].queue);
        self.feed(setup, i, Event::Interrupt { at: now() });
        if !matches!(self.operators[i].state, Some(State::Done(_))) {
            let aside = std::mem::replace(&mut self.operators[i].queue, awaited);
            assert!(
                aside.iter().all(|e| !e.is_answered()),
                "an interrupt asks for nothing new"
            );
            for effect in aside {
                if let Effect::Record(record) = effect
                    && !self.operators[i].broken
                {
                    self.operators[i].write(record);
                }
            }
        }
    }

    /// An event reaches the machine, past the mutant.
    fn feed(&mut self, setup: &Setup, i: usize, event: Event) {
        let operator = &mut self.operators[i];
        let state = operator.state.take().expect("a process that runs");
        let ended = matches!(state, State::Done(_));
        let (state, event) = setup.mutant.before(state, event);
        let (state, effects) = step(&setup.understood, state, event);
        let (state, effects) = setup.mutant.after(state, effects);
        operator.state = Some(state.clone());
        operator.queue = effects
            .into_iter()
            .filter(|e| !matches!(e, Effect::Tell(_)))
            .collect();
        if let State::Done(outcome) = &state
            && !ended
        {
            self.broken = self.broken.or(lie(self, i, outcome));
        }
        self.finish(i);
    }

    /// Time passes.
    fn pass(&mut self, by: i64) {
        if by == 0 {
            return;
        }
        let oldest = now() - seconds(FORGOTTEN);
        let older = |at: Timestamp| (at - seconds(by)).max(oldest);
        self.rds.stale_until = older(self.rds.stale_until);
        if self.rds.stale_until < now() {
            self.rds.stale_until = now();
            self.rds.before = self.rds.stage;
        }
        for (_, until) in &mut self.rds.late {
            *until = older(*until);
        }
        for operator in &mut self.operators {
            let truth = &mut operator.truth;
            truth.evidence = truth
                .evidence
                .map(|(at, ready, digest)| (older(at), ready, digest));
            truth.hold = truth.hold.map_times(older);
            truth.settled = truth.settled.map(older);
            truth.look = truth.look.map(|(at, fit)| (older(at), fit));
            operator.state = operator.state.take().map(|state| shift(state, older));
            for effect in &mut operator.queue {
                if let Effect::Intend(intent) = effect {
                    intent.at = older(intent.at);
                }
            }
            for record in &mut operator.disk {
                if let Record::Intent { intent, .. } = record {
                    intent.at = older(intent.at);
                }
            }
        }
    }

    fn sample(&self, setup: &Setup, i: usize, calm: bool) -> Sample {
        let bytes = if calm { 0 } else { u64::MAX };
        Sample {
            lag: Lag::Worst {
                database: "app".into(),
                bytes,
                time: None,
            },
            obstacles: vec![],
            lock: if self.lock == Some(i) || setup.mutant == Mutant::LocksDoNotExclude {
                Ok(())
            } else {
                Err("session gone".into())
            },
        }
    }

    /// Everything that a Describe may answer.
    fn describe(&self) -> Vec<(String, Budget, Look)> {
        let Rds {
            stage,
            before,
            replaced,
            ..
        } = self.rds;
        let mut answers = vec![(format!("{stage:?}"), self.budget, stage.view(replaced))];
        if self.budget.errors > 0 {
            let budget = Budget {
                errors: self.budget.errors - 1,
                ..self.budget
            };
            answers.push(("an error".into(), budget, Look::Failed("HTTP 503".into())));
        }
        if self.budget.stale > 0 && before != stage {
            let budget = Budget {
                stale: self.budget.stale - 1,
                ..self.budget
            };
            answers.push((format!("{before:?} (stale)"), budget, before.view(replaced)));
        }
        if self.budget.odd > 0
            && let Look::Found(mut view) = stage.view(replaced)
        {
            let budget = Budget {
                odd: self.budget.odd - 1,
                ..self.budget
            };
            view.status = S::Other("REPLICATION_DEGRADED".into());
            answers.push(("an odd status".into(), budget, Look::Found(view)));
        }
        answers
    }

    /// The events as messages, without the newest `late` of them.
    fn messages(&self, late: usize) -> Vec<Message> {
        let shown = self.rds.events.len().saturating_sub(late);
        (0..)
            .zip(&self.rds.events[..shown])
            .map(|(n, told)| message(n, told))
            .collect()
    }

    /// Everything that the events may tell.
    fn recount(&self, mark: Mark) -> Vec<(String, Budget, Proof)> {
        let proof = |late| history::prove(&self.messages(late), mark);
        let mut answers = vec![(format!("{:?}", proof(0)), self.budget, proof(0))];
        if self.budget.errors > 0 {
            let budget = Budget {
                errors: self.budget.errors - 1,
                ..self.budget
            };
            answers.push(("an error".into(), budget, Proof::Unreadable("HTTP 503".into())));
        }
        if self.budget.stale > 0 && proof(1) != proof(0) {
            let budget = Budget {
                stale: self.budget.stale - 1,
                ..self.budget
            };
            answers.push((format!("{:?} (late)", proof(1)), budget, proof(1)));
        }
        answers
    }

    /// The promise about the request that is being broken, if any.
    fn may_not_submit(&self, setup: &Setup, i: usize) -> Option<Violation> {
        let operator = &self.operators[i];
        let truth = &operator.truth;
        let young = |at: Timestamp, limit: i64| now().duration_since(at) <= seconds(limit);
        let (ready, fresh, digest) = match truth.evidence {
            Some((at, ready, digest)) => (ready, young(at, 4), Some(digest)),
            None => (false, false, None),
        };
        let settled =
            matches!((truth.settled, truth.evidence), (Some(at), Some((checked, ..))) if at >= checked);
        let agreed = truth.consent == Some(u8::MAX) || truth.consent.is_some() && truth.consent == digest;
        let other_is_at_it = self.operators.iter().enumerate().any(|(other, o)| {
            other != i && !o.crashed && o.submits > 0 && o.state.as_ref().is_some_and(State::is_submitted)
        });
        let broken = [
            ("a dry run submits", setup.config.dry_run),
            ("two submits for one journal", operator.submits > 0),
            ("submits without the intent on disk", !operator.intends()),
            ("submits without the lock", !truth.held),
            (
                "submits while the other operator is at it",
                other_is_at_it && !self.lock_lost,
            ),
            ("submits unready", !ready),
            ("submits on stale evidence", !fresh),
            ("submits without consent", !agreed),
            ("submits unsettled", !settled),
            ("submits after Ctrl-C", truth.interrupted),
            (
                "submits on an old last look",
                !truth.look.is_some_and(|(at, _)| young(at, 1)),
            ),
            (
                "submits though the last look was unfit",
                !truth.look.is_some_and(|(_, fit)| fit),
            ),
        ];
        broken.iter().find(|(_, broken)| *broken).map(|(name, _)| *name)
    }
}

/// Whether an operator's end claims what is not so.
fn lie(globe: &Globe, i: usize, outcome: &Outcome) -> Option<Violation> {
    let operator = &globe.operators[i];
    let on_its_way = globe
        .rds
        .late
        .iter()
        .any(|(whose, until)| *whose == i && *until >= now());
    match outcome {
        Outcome::Switched { .. } => {
            (!globe.rds.stage.completed()).then_some("claims completion that RDS did not show")
        }
        Outcome::RolledBack { .. } if on_its_way => Some("claims a roll-back with the request on its way"),
        Outcome::RolledBack { .. } if operator.started => {
            (!operator.rolled_back).then_some("claims a roll-back that is none")
        }
        Outcome::RolledBack { .. } => {
            (!operator.saw_roll_back).then_some("claims a roll-back though nothing ran")
        }
        Outcome::Unknown { .. } => {
            (operator.submits == 0 && !operator.intends()).then_some("doubts what it never did")
        }
        Outcome::Refused { .. }
        | Outcome::DryRun
        | Outcome::NotReady { .. }
        | Outcome::NotDetermined { .. }
        | Outcome::Interrupted => {
            (operator.started || on_its_way).then_some("claims that nothing was changed")
        }
    }
}

fn message(n: i64, told: &Told) -> Message {
    let text = match told {
        Told::Started => "Switchover from blue to green started".into(),
        Told::Completed => "Switchover from blue to green completed".into(),
        Told::Cancelled(why) => format!("Switchover from blue to green canceled: {why}"),
    };
    Message {
        at: Timestamp::from_second(n).expect("small"),
        source: Source::Deployment,
        text,
    }
}

fn name(record: &Record) -> &'static str {
    match record {
        Record::Checked { .. } => "the check",
        Record::Confirmed { .. } => "the consent",
        Record::Intent { .. } => "the intent",
        Record::Withdrawn { .. } => "the withdrawal",
        Record::Answered { .. } => "the answer",
        Record::Progress { .. } => "what it saw",
        Record::Events { .. } => "what it heard",
        Record::Completed { .. } => "the completion",
        Record::Ended { .. } => "its end",
        _ => "a record",
    }
}

/// A state with all its times moved.
fn shift(state: State, f: impl Fn(Timestamp) -> Timestamp) -> State {
    let evidence = |e: Evidence| Evidence { at: f(e.at), ..e };
    match state {
        State::Settling {
            prep,
            evidence: e,
            deadline,
            hold,
        } => State::Settling {
            prep,
            evidence: evidence(e),
            deadline: f(deadline),
            hold: hold.map_times(&f),
        },
        State::Confirming { prep, evidence: e } => State::Confirming {
            prep,
            evidence: evidence(e),
        },
        State::Looking { prep, evidence: e } => State::Looking {
            prep,
            evidence: evidence(e),
        },
        State::Intending {
            prep,
            evidence: e,
            mut intent,
            interrupted,
        } => {
            intent.at = f(intent.at);
            State::Intending {
                prep,
                evidence: evidence(e),
                intent,
                interrupted,
            }
        }
        State::Submitting {
            mut intent,
            interrupted,
        } => {
            intent.at = f(intent.at);
            State::Submitting { intent, interrupted }
        }
        State::Following(mut following) => {
            following.intent.at = f(following.intent.at);
            following.since = f(following.since);
            following.deadline = f(following.deadline);
            following.rest = following.rest.map(|(rest, at)| (rest, f(at)));
            State::Following(following)
        }
        same @ (State::Start
        | State::Locking
        | State::Checking(_)
        | State::Rejected { .. }
        | State::Verifying { .. }
        | State::Done(_)) => same,
    }
}
