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

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::deployment::{Identity, Look, MemberStatus, Status};
use super::follow::{self, Following};
use super::history::{Mark, Proof};
use super::outcome::{Doubt, Outcome, Refusal, Verified};
use super::record::Record;
use super::settle::{Calm, Hold, Limits, Sample};

/// How many full checks a run makes before it says that evidence does not stay fresh.
pub const MAX_ROUNDS: u8 = 5;
/// How often an intent may be withdrawn because writing it took too long.
pub const MAX_WITHDRAWN: u8 = 2;

/// What the operator asked for, and whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// The deployment as it was when the run was set up.
    pub identity: Identity,
    /// How much lag is calm.
    pub limits: Limits,
    /// How long it must have held (`--stable-for`).
    pub stable_for: SignedDuration,
    /// How long to wait for that in all (`--wait`).
    pub wait: SignedDuration,
    /// How old a full check may be when the request leaves (`--max-age`).
    pub max_age: SignedDuration,
    /// How old the last look may be when the request leaves.
    pub last_look: SignedDuration,
    /// RDS's own limit on the switchover (`--timeout`), 30 to 3,600 s.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
    pub timeout: SignedDuration,
    /// How long past `timeout` to keep watching before the outcome is called unknown.
    pub grace: SignedDuration,
    /// Time between two looks while following.
    pub poll: SignedDuration,
    /// Time between two samples while settling.
    pub sample_every: SignedDuration,
    /// How long a state of rest must be seen before it counts as the end: a Describe may be older than the last one.
    pub rest_for: SignedDuration,
    /// How long to look for a trace of a request whose answer was lost.
    pub reconcile_for: SignedDuration,
    /// `--yes`: nobody is asked.
    pub yes: bool,
    /// `--dry-run`: stop before the question.
    pub dry_run: bool,
}

impl Config {
    /// The documented defaults for a deployment.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            limits: Limits::default(),
            stable_for: SignedDuration::from_secs(15),
            wait: SignedDuration::from_secs(600),
            max_age: SignedDuration::from_secs(60),
            last_look: SignedDuration::from_secs(5),
            timeout: SignedDuration::from_secs(300),
            grace: SignedDuration::from_secs(300),
            poll: SignedDuration::from_secs(2),
            sample_every: SignedDuration::from_secs(1),
            rest_for: SignedDuration::from_secs(15),
            reconcile_for: SignedDuration::from_secs(60),
            yes: false,
            dry_run: false,
        }
    }

    /// Refuses combinations that could never come to a request.
    ///
    /// # Errors
    /// Names the option and what it must be.
    pub fn validate(&self) -> Result<(), String> {
        let seconds = self.timeout.as_secs();
        if !(30..=3600).contains(&seconds) {
            return Err(format!("--timeout is {seconds} s; RDS takes 30 to 3600 s"));
        }
        if self.stable_for.is_negative() || self.wait.is_negative() {
            return Err("--stable-for and --wait must not be negative".into());
        }
        if self.wait < self.stable_for {
            return Err(format!(
                "--wait ({:#}) is shorter than --stable-for ({:#}), so that it could never settle",
                self.wait, self.stable_for
            ));
        }
        if self.max_age <= self.stable_for {
            return Err(format!(
                "--max-age ({:#}) must be longer than --stable-for ({:#}): the full check comes before settling",
                self.max_age, self.stable_for
            ));
        }
        if self.last_look <= SignedDuration::ZERO
            || self.poll.is_negative()
            || self.sample_every.is_negative()
        {
            return Err("the intervals between looks must be positive".into());
        }
        Ok(())
    }

    /// Whether evidence from `then` may still be acted on at `now`. Evidence from the future (a clock that was set
    /// back) may not.
    #[must_use]
    pub(crate) fn fresh(&self, then: Timestamp, now: Timestamp) -> bool {
        within(then, now, self.max_age)
    }
}

/// Whether `now` is at or after `then`, by no more than `limit`.
fn within(then: Timestamp, now: Timestamp, limit: SignedDuration) -> bool {
    let age = now.duration_since(then);
    !age.is_negative() && age <= limit
}

/// What the full check said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Readiness {
    /// No blocker failed and none is unknown.
    Ready,
    /// At least one blocker failed.
    NotReady,
    /// No blocker failed, but at least one could not be determined.
    NotDetermined {
        /// What.
        why: String,
    },
}

/// A full check, as far as the decision needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// When the collection of facts *began*: every fact is at most this old.
    pub at: Timestamp,
    /// What was judged.
    #[serde(flatten)]
    pub readiness: Readiness,
    /// Digest over what a person agrees to: identity, versions, findings, waivers. Not over lag, which always moves.
    pub digest: String,
    /// What is open all the same: warnings, waived blockers. For the question and for the change record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
}

/// A finding that does not stand in the way, or (when not ready) one that does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Open {
    /// The check's id.
    pub check: String,
    /// What it is about.
    pub subject: String,
    /// `blocker`, `warning` or `notice`; a waived one says so.
    pub level: String,
    /// The finding in one sentence.
    pub message: String,
}

/// The last look before the request: all that may have changed since the full check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastLook {
    /// When it *began*.
    pub at: Timestamp,
    /// Lag, activity and the lock.
    pub sample: Sample,
    /// The deployment.
    pub look: Look,
    /// The newest event that RDS shows, so that later ones can be told from it.
    pub mark: Mark,
}

/// How a confirmation came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The deployment's name was typed.
    Typed,
    /// `--yes` was given.
    Flag,
}

/// What is about to be submitted, and what the world was like: on disk before the request leaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The last look it rests on.
    pub at: Timestamp,
    /// `SwitchoverTimeout`.
    pub timeout: SignedDuration,
    /// Whether members already carried SWITCHOVER_FAILED, from an attempt before.
    pub failed_before: bool,
    /// The newest event at that time.
    pub mark: Mark,
}

/// A definite fault: RDS answered, and did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// `InvalidBlueGreenDeploymentStateFault`, `AccessDenied`, …
    pub code: String,
    /// RDS's words.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What came back from `SwitchoverBlueGreenDeployment`. See [`Answer::of_fault`] for which is which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// RDS took the request.
    Accepted {
        /// `x-amzn-RequestId`.
        request_id: Option<String>,
    },
    /// RDS, or the road to it, certainly did not take the request.
    Rejected {
        /// Why.
        fault: Fault,
    },
    /// Nobody knows.
    Lost {
        /// What was seen instead of an answer.
        why: String,
    },
}

impl Answer {
    /// Sorts a fault: only a 4xx with an error code that RDS itself wrote says that nothing happened. Everything else
    /// (5xx, time-outs, an answer that cannot be read) may have taken effect.
    #[must_use]
    pub fn of_fault(status: Option<u16>, code: Option<&str>, message: &str) -> Self {
        match (status, code) {
            (Some(400..=407 | 409..=499), Some(code))
                if !code.is_empty()
                    && !matches!(code, "RequestTimeout" | "InternalFailure" | "InternalError") =>
            {
                Self::Rejected {
                    fault: Fault {
                        code: code.into(),
                        message: message.into(),
                    },
                }
            }
            _ => Self::Lost {
                why: format!(
                    "{} {message}",
                    status.map_or("no answer:".into(), |s| format!("HTTP {s}:"))
                ),
            },
        }
    }
}

/// What has been gathered on the way to a request and outlives a repeated check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prep {
    /// Full checks made.
    pub rounds: u8,
    /// What is left of `--wait`.
    pub patience: SignedDuration,
    /// The digest that was agreed to, and how.
    pub consent: Option<(String, Consent)>,
    /// Intents withdrawn.
    pub withdrawn: u8,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing done yet.
    Start,
    /// The lock is being taken.
    Locking,
    /// A full check is running.
    Checking(Prep),
    /// Ready; waiting until lag and activity have held still.
    Settling {
        /// See [`Prep`].
        prep: Prep,
        /// The check that it rests on.
        evidence: Evidence,
        /// When patience ends.
        deadline: Timestamp,
        /// Since when it has held still.
        hold: Hold,
    },
    /// The operator is being asked.
    Confirming {
        /// See [`Prep`].
        prep: Prep,
        /// What is being asked about.
        evidence: Evidence,
    },
    /// The last look is being taken.
    Looking {
        /// See [`Prep`].
        prep: Prep,
        /// The check that it rests on.
        evidence: Evidence,
    },
    /// The intent is being written.
    Intending {
        /// See [`Prep`].
        prep: Prep,
        /// The check that it rests on.
        evidence: Evidence,
        /// What is being written.
        intent: Intent,
        /// Ctrl-C came while it was being written.
        interrupted: bool,
    },
    /// The request is out.
    Submitting {
        /// What is on disk about it.
        intent: Intent,
        /// Ctrl-C came once.
        interrupted: bool,
    },
    /// RDS said no; one more look tells what is there now.
    Rejected {
        /// What it said.
        fault: Fault,
    },
    /// After the request: see [`follow`].
    Following(Following),
    /// RDS completed it; the checks of phase `verify` are running.
    Verifying {
        /// Ctrl-C came once.
        interrupted: bool,
    },
    /// The end.
    Done(Outcome),
}

impl State {
    /// Whether the request may have left.
    #[must_use]
    pub fn is_submitted(&self) -> bool {
        matches!(
            self,
            Self::Submitting { .. } | Self::Rejected { .. } | Self::Following(_) | Self::Verifying { .. }
        )
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A run begins, new or resumed, with its journal open.
    Begin {
        /// Now.
        at: Timestamp,
        /// Whether somebody can be asked.
        terminal: bool,
    },
    /// The lock is ours.
    Locked {
        /// Now.
        at: Timestamp,
    },
    /// It is not.
    LockRefused(Refusal),
    /// The full check is done.
    Checked {
        /// Now, not when it began.
        at: Timestamp,
        /// What it said.
        evidence: Evidence,
    },
    /// A sample was taken.
    Sampled {
        /// Now.
        at: Timestamp,
        /// What it showed.
        sample: Sample,
    },
    /// The operator agreed.
    Confirmed {
        /// Now.
        at: Timestamp,
    },
    /// The operator did not.
    Declined,
    /// There is nobody to ask.
    NoTerminal,
    /// The last look is done.
    Looked {
        /// Now, not when it began.
        at: Timestamp,
        /// What it showed.
        look: LastLook,
    },
    /// The intent is on disk.
    IntentDurable {
        /// Now.
        at: Timestamp,
    },
    /// The request was answered, or was not.
    Answered {
        /// Now.
        at: Timestamp,
        /// How.
        answer: Answer,
    },
    /// The deployment was looked at.
    Described {
        /// Now.
        at: Timestamp,
        /// What it showed.
        look: Look,
    },
    /// The events since the mark were read.
    Recounted {
        /// Now.
        at: Timestamp,
        /// What they prove.
        proof: Proof,
    },
    /// The verification is done.
    Verified(Verified),
    /// A record could not be written; the effects after it were dropped.
    JournalFailed {
        /// The error.
        why: String,
    },
    /// Ctrl-C.
    Interrupt {
        /// Now.
        at: Timestamp,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Write to the journal; on disk before the next effect.
    Record(Record),
    /// Tell the operator.
    Tell(Notice),
    /// Take the lock on blue → [`Event::Locked`] or [`Event::LockRefused`].
    Lock,
    /// Collect and judge → [`Event::Checked`].
    Check,
    /// Take a sample after a pause → [`Event::Sampled`].
    Sample {
        /// The pause.
        after: SignedDuration,
    },
    /// Ask → [`Event::Confirmed`], [`Event::Declined`] or [`Event::NoTerminal`].
    Confirm {
        /// What the answer will be about.
        digest: String,
    },
    /// Take the last look → [`Event::Looked`].
    Look,
    /// Write the intent → [`Event::IntentDurable`].
    Intend(Intent),
    /// Send the one request, without retries → [`Event::Answered`].
    Submit {
        /// `SwitchoverTimeout`.
        timeout: SignedDuration,
    },
    /// Describe after a pause → [`Event::Described`].
    Describe {
        /// The pause.
        after: SignedDuration,
    },
    /// Read the events after the mark → [`Event::Recounted`].
    Recount {
        /// The newest event from before the request.
        mark: Mark,
    },
    /// Run the checks of phase `verify` → [`Event::Verified`].
    Verify,
}

impl Effect {
    /// Whether an event will answer it.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !matches!(self, Self::Record(_) | Self::Tell(_))
    }
}

/// What the operator must hear beside the progress of things.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Evidence is too old to act on; checking again.
    CheckingAgain,
    /// The last look found lag or activity; settling again.
    SettlingAgain(String),
    /// Writing the intent took too long; it was withdrawn.
    IntentWithdrawn,
    /// The request is about to leave; from here on it cannot be taken back.
    Submitting,
    /// The answer is lost; nothing is sent again, RDS is asked what happened.
    Reconciling(String),
    /// Ctrl-C after the request: the switchover runs on, and so does the watching. Once more leaves.
    FollowingOn,
    /// Ctrl-C while the intent is being written: leaving right after.
    LeavingAfterWrite,
    /// The journal cannot be written any more, and it is too late to refuse for it: going on without.
    JournalLost(String),
}

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
        Readiness::Ready => settle(prep, evidence, at),
    };
    effects.insert(0, record);
    (state, effects)
}

fn settle(prep: Prep, evidence: Evidence, at: Timestamp) -> Step {
    let deadline = at + prep.patience;
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
fn unfit(identity: &Identity, view: &super::deployment::View) -> Option<Refusal> {
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
