//! From the request to the end: what the deployment and its events say became of it.
//!
//! Nothing here sends anything. Completion needs every member that was there; a roll-back needs a state of rest that
//! lasted (a Describe may be older than the one before) together with a sign that something ran, or RDS's own event.
//! Whatever is neither by the deadline is unknown.

use jiff::{SignedDuration, Timestamp};

use super::deployment::{Look, MemberStatus, Status, View};
use super::history::{Proof, Told};
use super::machine::{Config, Effect, Intent, State, Step, done, later};
use super::outcome::{Doubt, Outcome};
use super::record::Record;

/// What is known about a request that left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Following {
    /// What is on disk about it.
    pub intent: Intent,
    /// Whether RDS is known to have taken it.
    pub accepted: bool,
    /// Since when this run has been looking for it.
    pub since: Timestamp,
    /// When looking ends.
    pub deadline: Timestamp,
    /// Whether a switchover was seen running since the request.
    pub moved: bool,
    /// What the deployment has been resting in, and since when.
    pub rest: Option<(Rest, Timestamp)>,
    /// The newest event since the request, as far as it was heard of.
    pub heard: Option<Proof>,
    /// Whether the events are being read.
    pub recounting: bool,
    /// Ctrl-C came once.
    pub interrupted: bool,
    /// What RDS showed last, to journal only what is new.
    pub last: Option<String>,
}

/// A state in which nothing is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rest {
    /// As before the request.
    Quiet,
    /// Failed, and the request is what failed.
    Failed,
    /// Some members are switched over, some are not.
    Partial,
    /// There is no deployment.
    Gone,
}

/// What one view says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Every member is switched over.
    Completed,
    /// It is going on.
    Running,
    /// Nothing is going on.
    Resting(Rest),
    /// It cannot be told.
    Odd,
}

/// Reads a view: by the members, and by the top status only where they agree.
#[must_use]
pub fn read(view: &View, failed_before: bool) -> Reading {
    let any = |status: MemberStatus| view.members.iter().any(|m| m.status == status);
    let all_completed = view.all_members(|s| *s == MemberStatus::SwitchoverCompleted);
    if view.status == Status::SwitchoverInProgress || any(MemberStatus::SwitchoverInProgress) {
        return Reading::Running;
    }
    match view.status {
        // Whoever is deleting it now is cleaning up after a switchover that is complete.
        Status::SwitchoverCompleted | Status::Deleting if all_completed => Reading::Completed,
        Status::SwitchoverCompleted if view.any_failed() => Reading::Resting(Rest::Partial),
        // Readers may be listed as done later than the writer.
        Status::SwitchoverCompleted => Reading::Running,
        _ if all_completed => Reading::Odd,
        Status::SwitchoverFailed | Status::Available | Status::InvalidConfiguration => {
            let new_failure = view.status == Status::SwitchoverFailed || !failed_before;
            if any(MemberStatus::SwitchoverCompleted) {
                Reading::Resting(Rest::Partial)
            } else if (view.any_failed() || view.status == Status::SwitchoverFailed) && new_failure {
                Reading::Resting(Rest::Failed)
            } else if view
                .all_members(|s| matches!(s, MemberStatus::Available | MemberStatus::SwitchoverFailed))
            {
                Reading::Resting(Rest::Quiet)
            } else {
                Reading::Odd
            }
        }
        _ => Reading::Odd,
    }
}

impl Following {
    /// Begins to follow a request that was answered, or not, at `at`.
    #[must_use]
    pub fn new(config: &Config, intent: Intent, accepted: bool, at: Timestamp, interrupted: bool) -> Self {
        let deadline = later(later(at, intent.timeout), config.grace);
        Self {
            intent,
            accepted,
            since: at,
            deadline,
            moved: false,
            rest: None,
            heard: None,
            recounting: false,
            interrupted,
            last: None,
        }
    }

    /// How long it has been resting in the same state, this look included.
    fn rested(&mut self, rest: Rest, at: Timestamp) -> SignedDuration {
        match self.rest {
            Some((same, since)) if same == rest => at.duration_since(since),
            _ => {
                self.rest = Some((rest, at));
                SignedDuration::ZERO
            }
        }
    }
}

/// Whether a switchover that is seen running at `at` is one from after the request. As long as nobody knows whether RDS
/// took it, an early Describe may be older than the last look and show an attempt before.
pub(crate) fn speaks(config: &Config, intent: &Intent, accepted: bool, at: Timestamp) -> bool {
    accepted || at.duration_since(intent.at) >= config.rest_for
}

/// Takes a request up again, after a crash or by `--resume`: however old it is, it is given time to show itself.
pub(crate) fn begin(config: &Config, mut following: Following, at: Timestamp) -> Step {
    following.since = at;
    following.deadline = following
        .deadline
        .max(later(at, config.grace.max(config.reconcile_for)));
    following.rest = None;
    following.recounting = false;
    following.interrupted = false;
    // Nothing is sent any more, but whoever holds the lock keeps others from sending meanwhile.
    (State::Following(following), vec![Effect::Lock])
}

fn unknown(reason: Doubt) -> Step {
    done(Outcome::Unknown { reason })
}

fn completed(at: Timestamp, interrupted: bool) -> Step {
    (
        State::Verifying { interrupted },
        vec![Effect::Record(Record::Completed { at }), Effect::Verify],
    )
}

fn look_again(config: &Config, following: Following) -> Step {
    (
        State::Following(following),
        vec![Effect::Describe { after: config.poll }],
    )
}

/// Puts records before what a step wants done.
fn recorded(record: Option<Record>, (state, effects): Step) -> Step {
    let record = record.map(Effect::Record);
    (state, record.into_iter().chain(effects).collect())
}

/// A look at the deployment.
pub(crate) fn described(config: &Config, mut following: Following, at: Timestamp, look: Look) -> Step {
    following.recounting = false;
    let over = at >= following.deadline;
    let view = match look {
        Look::Failed(why) if over => return unknown(Doubt::Blind { why }),
        Look::Failed(_) => {
            following.rest = None;
            return look_again(config, following);
        }
        Look::Gone => return rest(following, Rest::Gone, "the deployment is gone".into(), at),
        Look::Found(view) => view,
    };
    let seen = seen(&view);
    let news = following.last.as_ref() != Some(&seen);
    following.last = Some(seen.clone());
    let record = news.then(|| Record::Progress {
        at,
        view: view.clone(),
    });

    if let Some(what) = config.identity.difference(&view) {
        return recorded(record, unknown(Doubt::Changed { what }));
    }
    let step = match read(&view, following.intent.failed_before) {
        Reading::Completed => completed(at, following.interrupted),
        Reading::Running if over => unknown(Doubt::StillRunning { seen }),
        Reading::Odd if over => unknown(Doubt::Odd { seen }),
        Reading::Running => {
            following.moved |= speaks(config, &following.intent, following.accepted, at);
            following.rest = None;
            look_again(config, following)
        }
        Reading::Odd => {
            following.rest = None;
            look_again(config, following)
        }
        Reading::Resting(kind) => rest(following, kind, seen, at),
    };
    recorded(record, step)
}

/// The summary and RDS's own words.
fn seen(view: &View) -> String {
    match view.details.as_deref().map(str::trim) {
        Some(details) if !details.is_empty() => format!("{}: {details}", view.summary()),
        _ => view.summary(),
    }
}

/// At rest: the events are asked before anything is concluded.
fn rest(mut following: Following, kind: Rest, seen: String, at: Timestamp) -> Step {
    following.rested(kind, at);
    following.recounting = true;
    following.last = Some(seen);
    let recount = Effect::Recount {
        mark: following.intent.mark,
    };
    (State::Following(following), vec![recount])
}

/// The events, read while the deployment was at rest.
pub(crate) fn recounted(config: &Config, mut following: Following, at: Timestamp, proof: &Proof) -> Step {
    let Some((kind, since)) = following.rest.filter(|_| following.recounting) else {
        return (State::Following(following), vec![]);
    };
    following.recounting = false;
    let seen = following.last.clone().unwrap_or_default();
    let lasted = at.duration_since(since) >= config.rest_for;
    // What was seen to run may have been somebody else's: as long as the answer is lost and the request could still be
    // on its way, nothing is said about how it ended.
    let settled = following.accepted || at.duration_since(following.since) >= config.reconcile_for;
    // Rest that keeps changing its kind must come to an end as well.
    let over = at >= following.deadline;
    let worn_out = at >= later(later(following.deadline, config.rest_for), config.rest_for);
    let told = match proof {
        Proof::Last { told, .. } => Some(told),
        Proof::Silent | Proof::Unreadable(_) => None,
    };
    let news = told.is_some() && following.heard.as_ref() != Some(proof);
    if news {
        following.heard = Some(proof.clone());
    }
    following.moved |= told.is_some();

    let step = match (told, kind) {
        (Some(Told::Completed), Rest::Gone) => completed(at, following.interrupted),
        (Some(Told::Cancelled(why)), Rest::Quiet | Rest::Failed | Rest::Gone) if lasted && settled => {
            done(Outcome::RolledBack {
                why: format!("{why} ({seen})"),
            })
        }
        (Some(Told::Completed), _) if over => unknown(Doubt::Odd { seen }),
        // The events know more than Describe showed: a start that was not heard of before, or the end itself.
        (Some(Told::Completed), _) => {
            following.rest = None;
            look_again(config, following)
        }
        (Some(Told::Started), _) if news && worn_out => unknown(Doubt::StillRunning { seen }),
        (Some(Told::Started), _) if news => {
            following.rest = None;
            look_again(config, following)
        }
        _ => match kind {
            Rest::Gone if over || lasted && settled && !matches!(proof, Proof::Unreadable(_)) => {
                unknown(Doubt::Gone)
            }
            Rest::Failed if lasted && settled => done(Outcome::RolledBack { why: seen }),
            Rest::Quiet if lasted && settled && following.moved => done(Outcome::RolledBack {
                why: format!("it ran and is back where it was: {seen}"),
            }),
            Rest::Partial if lasted => unknown(Doubt::Partial { seen }),
            Rest::Quiet if lasted && settled && !following.accepted => unknown(Doubt::NeverSeen),
            Rest::Quiet if lasted && over => unknown(Doubt::NeverStarted),
            _ if worn_out => unknown(Doubt::Odd { seen }),
            _ => look_again(config, following),
        },
    };
    let record = news.then(|| Record::Events {
        at,
        proof: proof.clone(),
    });
    recorded(record, step)
}
