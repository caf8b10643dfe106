//! What an operator sees while it runs: a block that is redrawn on a terminal, plain lines elsewhere (both on stderr), and
//! with `--format json` one event a line on stdout.

use std::{cell::RefCell, time::Instant};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::output::{
    live::Block,
    words::{self, bytes, seconds, sparkline, trend},
};
use crate::{
    edge::{clock, env::Env, terminal},
    report::{Headline, Report},
    switchover::{
        deployment::{Look, View},
        machine::{Answer, Config, Event, Notice, State},
        moment::LagLine,
        outcome::Outcome,
        settle::{Calm, Sample},
    },
    verdict::Level,
};

/// Time between two plain lines about lag that say nothing new.
const PLAIN_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// The version of the events' format.
pub(super) const SCHEMA: u32 = 1;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Locking,
    Checking,
    Looking,
    Submitting,
    Verifying,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Locking => "locking",
            Self::Checking => "checking",
            Self::Looking => "last-look",
            Self::Submitting => "submitting",
            Self::Verifying => "verifying",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Locking => "taking the lock on blue",
            Self::Checking => "full check",
            Self::Looking => "last look",
            Self::Submitting => "the request",
            Self::Verifying => "switched over; verifying the production endpoint",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Display {
    /// Columns of the terminal, where lines are redrawn.
    columns: Option<usize>,
    json: bool,
    /// Nothing on stderr: events on a terminal are enough.
    silent: bool,
    begun: Instant,
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    block: Block,
    lag: Vec<LagLine>,
    sample: Option<Sample>,
    view: Option<View>,
    /// What the plain lines said last, and when.
    said: String,
    said_at: Option<Instant>,
}

impl Display {
    pub(super) fn new(json: bool, env: &Env) -> Self {
        let silent = json && terminal::stdout_is_terminal();
        Self {
            columns: terminal::live_columns(env).filter(|_| !silent),
            json,
            silent,
            begun: Instant::now(),
            inner: RefCell::default(),
        }
    }

    /// Whether lines are redrawn.
    pub(super) fn is_live(&self) -> bool {
        self.columns.is_some()
    }

    /// A line that stays.
    pub(super) fn say(&self, text: &str) {
        if self.silent {
            return;
        }
        self.clear();
        let elapsed = self.begun.elapsed().as_secs_f64();
        terminal::say(&format!("[{elapsed:6.1} s] {text}"));
    }

    /// Takes the block away, for a question or the end.
    pub(super) fn pause(&self) {
        self.clear();
    }

    /// One event for programs.
    pub(super) fn event(&self, name: &str, mut fields: Value) {
        if !self.json {
            return;
        }
        let mut event = json!({ "schema": SCHEMA, "event": name, "at": clock::now() });
        if let (Some(event), Some(fields)) = (event.as_object_mut(), fields.as_object_mut()) {
            event.append(fields);
        }
        // A reader that went away must not stop a switchover.
        let _ = terminal::print(&format!("{event}\n"));
    }

    pub(super) fn stage(&self, stage: Stage) {
        self.event("stage", json!({ "stage": stage.name() }));
        // These two take a moment only, and the machine tells of the request itself.
        if !matches!(stage, Stage::Looking | Stage::Submitting) {
            self.say(stage.words());
        }
    }

    pub(super) fn checked(&self, report: &Report) {
        let counts = Level::ALL.map(|level| (level.to_string(), report.count(level)));
        let headline = match report.headline {
            Headline::Ready => "ready",
            Headline::NotReady => "not ready",
            Headline::NotDetermined => "not determined",
        };
        let text: Vec<String> = counts.iter().map(|(level, n)| format!("{n} {level}s")).collect();
        self.say(&format!(
            "{headline}: {} ({}, {} waived)",
            report.because,
            text.join(", "),
            report.waived()
        ));
        let counts: serde_json::Map<String, Value> = counts
            .into_iter()
            .map(|(level, n)| (format!("{level}s"), json!(n)))
            .collect();
        self.event(
            "checked",
            json!({ "headline": headline, "because": report.because, "findings": counts, "waived": report.waived() }),
        );
    }

    /// Keeps a sample until the machine has judged it.
    pub(super) fn sampled(&self, sample: &Sample, lag: &[LagLine]) {
        let mut inner = self.inner.borrow_mut();
        inner.sample = Some(sample.clone());
        inner.lag = lag.to_vec();
    }

    /// Keeps a look until the machine has judged it.
    pub(super) fn described(&self, look: &Look) {
        match look {
            Look::Found(view) => {
                let known = self.inner.borrow_mut().view.replace(view.clone());
                if known.as_ref() != Some(view) {
                    self.event("deployment", json!({ "view": view }));
                }
            }
            Look::Gone => self.event("deployment", json!({ "gone": true })),
            Look::Failed(why) => {
                self.event("deployment", json!({ "failed": why }));
                self.changed(&format!("RDS cannot be asked: {why}"));
            }
        }
    }

    pub(super) fn notice(&self, notice: &Notice) {
        let (name, text) = notice_words(notice);
        self.say(&text);
        self.event("notice", json!({ "notice": name, "text": text }));
    }

    /// Called with each event and the state that it led to.
    pub(super) fn progress(&self, event: &Event, state: &State, config: &Config) {
        match (event, state) {
            (Event::Sampled { at, .. }, State::Settling { hold, deadline, .. }) => {
                let held = hold.lasted(*at).unwrap_or(SignedDuration::ZERO);
                let left = deadline.duration_since(*at).max(SignedDuration::ZERO);
                self.settling(held, left, config);
            }
            (
                Event::Sampled { .. },
                State::Confirming { .. } | State::Looking { .. } | State::Done(Outcome::DryRun),
            ) => {
                self.sample_event(config.stable_for, config);
                self.say(&format!("settled: calm for {}", seconds(config.stable_for)));
            }
            (Event::Confirmed { .. }, _) => self.event("confirmed", json!({})),
            (Event::IntentDurable { .. }, State::Submitting { intent, .. }) => {
                self.event("submitting", json!({ "last_look_at": intent.at }));
            }
            (Event::Answered { answer, .. }, _) => self.answered(answer),
            (Event::Described { at, .. }, State::Following(following)) => {
                self.following(at.duration_since(following.intent.at), config);
            }
            (Event::Described { .. }, _) => {
                let view = self.inner.borrow().view.clone();
                if let Some(view) = view {
                    self.changed(&summary(&view));
                }
            }
            (Event::Interrupt { .. }, _) => self.event("interrupt", json!({})),
            _ => {}
        }
    }

    fn answered(&self, answer: &Answer) {
        match answer {
            Answer::Accepted { request_id } => {
                let id = request_id.as_deref().unwrap_or("(none)");
                self.say(&format!("RDS took the request (request id {id})"));
            }
            Answer::Rejected { fault } => self.say(&format!("RDS said no: {fault}")),
            Answer::Lost { .. } => {}
        }
        self.event("answered", json!({ "answer": answer }));
    }

    fn sample_event(&self, held: SignedDuration, config: &Config) {
        if !self.json {
            return;
        }
        let inner = self.inner.borrow();
        let Some(sample) = &inner.sample else { return };
        let waiting_for = match config.limits.judge(sample) {
            Calm::Yes => None,
            Calm::No(why) => Some(why),
        };
        let lag: Vec<Value> = inner.lag.iter().map(lag_json).collect();
        let fields = json!({
            "lag": lag,
            "waiting_for": waiting_for,
            "obstacles": sample.obstacles,
            "held_seconds": held.as_secs_f64(),
            "wanted_seconds": config.stable_for.as_secs_f64(),
        });
        drop(inner);
        self.event("sample", fields);
    }

    fn settling(&self, held: SignedDuration, left: SignedDuration, config: &Config) {
        self.sample_event(held, config);
        let inner = self.inner.borrow();
        let Some(sample) = inner.sample.clone() else {
            return;
        };
        let lag = inner.lag.clone();
        drop(inner);
        let calm = config.limits.judge(&sample);
        if self.columns.is_some() {
            let name_width = lag
                .iter()
                .map(|l| words::quoted(&l.database).chars().count())
                .max()
                .unwrap_or(0)
                .min(24);
            let mut lines = vec![format!(
                "settling: calm for {} of {}; {} of --wait left",
                seconds(held),
                seconds(config.stable_for),
                seconds(left)
            )];
            lines.extend(lag.iter().take(20).map(|l| {
                let name: String = words::quoted(&l.database).chars().take(24).collect();
                let time = l.time.map_or(String::new(), |time| format!(" {}", seconds(time)));
                let spark = sparkline(&l.history, config.limits.bytes);
                let size = bytes(l.bytes);
                format!(
                    "  {name:<name_width$}  {spark:<24}  {size:>10}{time:>7}  {}",
                    trend(l)
                )
            }));
            if lag.len() > 20 {
                lines.push(format!("  … and {} more databases", lag.len() - 20));
            }
            lines.push(match &calm {
                Calm::Yes => "  calm; Ctrl-C leaves with nothing changed".to_owned(),
                Calm::No(why) => format!("  waiting for: {}", words::quoted(why)),
            });
            self.draw(&lines);
            return;
        }
        let (key, text) = match &calm {
            Calm::Yes => (
                "calm".to_owned(),
                format!("calm for {} of {}", seconds(held), seconds(config.stable_for)),
            ),
            Calm::No(why) => (
                format!(
                    "waiting {}",
                    sample.obstacles.first().map_or("for lag", String::as_str)
                ),
                format!(
                    "waiting for: {}; {} of --wait left",
                    words::quoted(why),
                    seconds(left)
                ),
            ),
        };
        let mut shown: Vec<&LagLine> = lag.iter().collect();
        shown.sort_by_key(|l| std::cmp::Reverse(l.bytes));
        let lags: Vec<String> = shown
            .iter()
            .take(5)
            .map(|l| {
                let words = trend(l);
                let words = if words.is_empty() {
                    words
                } else {
                    format!(" ({words})")
                };
                format!("{} {}{words}", words::quoted(&l.database), bytes(l.bytes))
            })
            .collect();
        self.now_and_then(&key, &format!("{text}; lag {}", lags.join(", ")));
    }

    fn following(&self, elapsed: SignedDuration, config: &Config) {
        let inner = self.inner.borrow();
        let Some(view) = inner.view.clone() else { return };
        drop(inner);
        let details = view.details.as_deref().map(words::quoted);
        if self.columns.is_some() {
            let mut lines = vec![format!(
                "switching over: {} of {}  {}{}",
                seconds(elapsed),
                seconds(config.timeout),
                view.status,
                details.map_or(String::new(), |d| format!("  {d}"))
            )];
            lines.extend(view.members.iter().take(20).map(|member| {
                let name = member.source.arn.rsplit(':').next().unwrap_or_default();
                format!("  {name:<32}  {}", member.status)
            }));
            lines.push("  RDS goes on by itself; Ctrl-C twice leaves, and --resume takes it up".to_owned());
            self.draw(&lines);
            return;
        }
        self.changed(&summary(&view));
    }

    /// A plain line, if it says something new.
    fn changed(&self, text: &str) {
        let new = self.inner.borrow().said != text;
        if new {
            text.clone_into(&mut self.inner.borrow_mut().said);
            self.say(text);
        }
    }

    /// A plain line, if its key is new or the last one was long ago.
    fn now_and_then(&self, key: &str, text: &str) {
        let due = {
            let inner = self.inner.borrow();
            let recent = inner
                .said_at
                .is_some_and(|at| at.elapsed() < PLAIN_EVERY.unsigned_abs());
            inner.said != key || !recent
        };
        if due {
            let mut inner = self.inner.borrow_mut();
            key.clone_into(&mut inner.said);
            inner.said_at = Some(Instant::now());
            drop(inner);
            self.say(text);
        }
    }

    fn clear(&self) {
        let text = self.inner.borrow_mut().block.clear();
        if !text.is_empty() {
            terminal::draw(&text);
        }
    }

    fn draw(&self, lines: &[String]) {
        let Some(columns) = self.columns else { return };
        let text = self.inner.borrow_mut().block.draw(lines, columns);
        terminal::draw(&text);
    }
}

/// Status, members, and RDS's own words.
fn summary(view: &View) -> String {
    match view.details.as_deref().map(words::quoted) {
        Some(details) => format!("{}: {details}", view.summary()),
        None => view.summary(),
    }
}

pub(in crate::commands) fn lag_json(line: &LagLine) -> Value {
    use crate::switchover::settle::{Eta, Trend};
    json!({
        "database": line.database,
        "bytes": line.bytes,
        "seconds": line.time.map(|time| time.as_secs_f64()),
        "trend": match line.trend {
            Trend::Unknown => None,
            Trend::Growing => Some("growing"),
            Trend::Flat => Some("steady"),
            Trend::Shrinking => Some("shrinking"),
        },
        "eta_seconds": match line.eta {
            Eta::In(time) => Some(time.as_secs_f64()),
            Eta::Now => Some(0.0),
            Eta::Unknown | Eta::Never => None,
        },
        "stalled": line.stalled,
    })
}

/// A notice's stable name, and its words.
fn notice_words(notice: &Notice) -> (&'static str, String) {
    match notice {
        Notice::CheckingAgain => ("checking-again", "the full check is too old to act on (--max-age): checking again".to_owned()),
        Notice::SettlingAgain(why) => ("settling-again", format!("not calm in the last look: {}; settling again", words::quoted(why))),
        Notice::IntentWithdrawn => (
            "intent-withdrawn",
            "writing the journal took so long that the last look is old: looking again, nothing was sent".to_owned(),
        ),
        Notice::Submitting => ("submitting", "the request leaves now; from here on it cannot be taken back".to_owned()),
        Notice::Reconciling(why) => (
            "reconciling",
            format!("the answer is lost ({}); nothing is sent again, RDS is asked what happened", words::quoted(why)),
        ),
        Notice::FollowingOn => (
            "following-on",
            "the request has left, and RDS goes on by itself: watching on. Ctrl-C once more leaves; --resume takes it up".to_owned(),
        ),
        Notice::LeavingAfterWrite => ("leaving", "leaving as soon as the journal is written; nothing is sent".to_owned()),
        Notice::JournalLost(why) => (
            "journal-lost",
            format!("the journal cannot be written any more ({}): going on without, watching is worth more", words::quoted(why)),
        ),
    }
}
