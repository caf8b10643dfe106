//! What is shown: a block that is redrawn on a terminal, plain lines elsewhere, or one JSON event a line. All on stdout.

use std::time::Duration;

use anstyle::{AnsiColor, Style as Ansi};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Failure, switchover::display::lag_json};
use crate::{
    edge::{clock, terminal},
    exit::Exit,
    facts::{Request, rds::Deployment},
    model::{DeploymentStatus, Engine},
    output::{
        live::Block,
        text::clip,
        words::{bytes, quoted, seconds, sparkline, trend},
    },
    watch::{End, News, Watched, member_name},
};

/// Time between two plain lines about lag that say nothing new.
const LAG_EVERY: Duration = Duration::from_secs(10);
/// The version of the events' format.
const SCHEMA: u32 = 1;
/// Databases, members and tasks that are shown of each.
const SHOWN: usize = 12;

/// See the module.
#[derive(Debug)]
pub(super) struct Screen {
    title: String,
    waiting: Option<String>,
    deadline: Option<Instant>,
    json: bool,
    columns: Option<usize>,
    color: bool,
    block: Block,
    lag_said: Option<(Instant, String)>,
    shown_samples: Option<Timestamp>,
}

/// `upgrade-main (bgd-…): main-cluster, Aurora PostgreSQL to 14.10`.
pub(super) fn title(deployment: &Deployment, request: &Request, engine: Engine) -> String {
    let target = request
        .target_version
        .map_or(String::new(), |v| format!(" to {v}"));
    let text = format!(
        "{} ({}): {}, {engine}{target}",
        deployment.name,
        deployment.id,
        deployment.source.name()
    );
    quoted(&text)
}

impl Screen {
    pub(super) fn new(
        title: String,
        waiting: Option<String>,
        deadline: Option<Instant>,
        json: bool,
        columns: Option<usize>,
        color: bool,
    ) -> Self {
        Self {
            title,
            waiting,
            deadline,
            json,
            columns,
            color,
            block: Block::default(),
            lag_said: None,
            shown_samples: None,
        }
    }

    /// Shows what is new, or the block with everything.
    pub(super) fn show(
        &mut self,
        watched: &Watched,
        news: &[News],
        stable_for: SignedDuration,
        limit: u64,
    ) -> Result<(), Failure> {
        if self.json {
            for one in news {
                self.event(&event(one))?;
            }
            return self.lag_event(watched);
        }
        if let Some(columns) = self.columns {
            let mut lines = self.lines(watched, stable_for, limit);
            // A block that is higher than the terminal could not be drawn over.
            let room = terminal::rows().unwrap_or(24).saturating_sub(1).max(4);
            if lines.len() > room {
                let last = lines.pop().unwrap_or_default();
                lines.truncate(room - 2);
                lines.push("  …".to_owned());
                lines.push(last);
            }
            let text = self.block.draw(&lines, columns);
            return Ok(terminal::print(&text)?);
        }
        for one in news {
            self.line(&words(one))?;
        }
        self.lag_line(watched)
    }

    /// The last word.
    pub(super) fn end(&mut self, watched: &Watched, end: Option<&End>, exit: Exit) -> Result<(), Failure> {
        let (name, text) = match end {
            Some(End::Reached(text)) => ("reached", text.clone()),
            Some(End::Missed(text)) => ("missed", text.clone()),
            None => {
                let why = match watched.not_calm() {
                    "" => String::new(),
                    why => format!("; {why}"),
                };
                let status = watched
                    .deployment
                    .as_ref()
                    .map(|d| format!(", status {}", d.status));
                let status = status.unwrap_or_default();
                (
                    "timeout",
                    format!(
                        "not {} in time{status}{why}",
                        self.waiting.as_deref().unwrap_or("over")
                    ),
                )
            }
        };
        if self.json {
            let fields = json!({ "event": "end", "end": name, "text": text, "exit_code": exit.code() });
            return self.event(&fields);
        }
        if self.columns.is_some() {
            return Ok(terminal::print(&format!("{}\n", quoted(&text)))?);
        }
        self.line(&text)
    }

    fn event(&self, fields: &Value) -> Result<(), Failure> {
        let mut event = json!({ "schema": SCHEMA, "at": clock::now() });
        if let (Some(event), Some(fields)) = (event.as_object_mut(), fields.as_object()) {
            event.extend(fields.clone());
        }
        Ok(terminal::print(&format!("{event}\n"))?)
    }

    fn line(&self, text: &str) -> Result<(), Failure> {
        let at = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        Ok(terminal::print(&format!("{at}  {}\n", quoted(text)))?)
    }

    /// One event for each look at the lag.
    fn lag_event(&mut self, watched: &Watched) -> Result<(), Failure> {
        if watched.looked_at() == self.shown_samples {
            return Ok(());
        }
        self.shown_samples = watched.looked_at();
        let lag: Vec<Value> = watched.lag.iter().map(lag_json).collect();
        self.event(&json!({
            "event": "lag",
            "databases": lag,
            "calm_seconds": watched.calm_for().map(|time| time.as_secs_f64()),
            "not_calm": Some(watched.not_calm()).filter(|why| !why.is_empty()),
        }))
    }

    /// A plain line about the lag: where its trends change, and else now and then.
    fn lag_line(&mut self, watched: &Watched) -> Result<(), Failure> {
        if watched.lag.is_empty() {
            return Ok(());
        }
        let key: Vec<String> = watched
            .lag
            .iter()
            .map(|l| format!("{:?}", (l.trend, l.stalled)))
            .collect();
        let key = key.join(" ");
        let due = self
            .lag_said
            .as_ref()
            .is_none_or(|(at, said)| at.elapsed() >= LAG_EVERY || *said != key);
        if !due {
            return Ok(());
        }
        self.lag_said = Some((Instant::now(), key));
        let mut lag: Vec<_> = watched.lag.iter().collect();
        lag.sort_by_key(|l| std::cmp::Reverse(l.bytes));
        let shown = lag.iter().take(5).map(|l| {
            let words = trend(l);
            let words = if words.is_empty() {
                words
            } else {
                format!(" ({words})")
            };
            format!("{} {}{words}", quoted(&l.database), bytes(l.bytes))
        });
        let mut text = format!("lag {}", shown.collect::<Vec<_>>().join(", "));
        if lag.len() > 5 {
            text.push_str(&format!(" and {} more", lag.len() - 5));
        }
        if let Some(calm) = watched.calm_for() {
            text.push_str(&format!("; calm for {}", seconds(calm)));
        }
        self.line(&text)
    }

    fn paint(&self, color: AnsiColor, text: &str) -> String {
        let style: Ansi = color.on_default();
        match self.color {
            true => format!("{}{text}{}", style.render(), style.render_reset()),
            false => text.to_owned(),
        }
    }

    fn status(&self, status: &str) -> String {
        let color = match status {
            "AVAILABLE" | "COMPLETED" | "SWITCHOVER_COMPLETED" => AnsiColor::Green,
            other if other.contains("FAIL") || other.contains("INVALID") || other.contains("MISSING") => {
                AnsiColor::Red
            }
            _ => AnsiColor::Yellow,
        };
        self.paint(color, &quoted(status))
    }

    /// The block.
    fn lines(&self, watched: &Watched, stable_for: SignedDuration, limit: u64) -> Vec<String> {
        let now = clock::now();
        let mut lines = vec![format!("{}  {}", self.title, now.strftime("%H:%M:%S UTC"))];
        let mut row = |label: &str, text: String| lines.push(format!("  {label:<9}{text}"));
        let Some(deployment) = &watched.deployment else {
            row("status", "not seen yet".to_owned());
            return lines;
        };
        let details = deployment
            .status_details
            .as_deref()
            .map_or(String::new(), |d| format!("  {}", quoted(d)));
        let status = if watched.gone {
            "gone".to_owned()
        } else {
            deployment.status.to_string()
        };
        row("status", format!("{}{details}", self.status(&status)));
        let members = deployment.members.iter().map(|m| {
            let status = m
                .status
                .as_ref()
                .map_or("not there yet".to_owned(), ToString::to_string);
            (member_name(m), status)
        });
        let members: Vec<(String, String)> = members.collect();
        let odd: Vec<&(String, String)> = members.iter().filter(|(_, s)| *s != status).collect();
        if odd.is_empty() {
            row(
                "members",
                format!("all {} {}", members.len(), self.status(&status)),
            );
        } else {
            for (n, (name, status)) in odd.iter().take(SHOWN).enumerate() {
                let label = if n == 0 { "members" } else { "" };
                row(label, format!("{}  {}", quoted(name), self.status(status)));
            }
        }
        let open = deployment.tasks.iter().filter(|t| t.status != "COMPLETED");
        let open: Vec<_> = open.collect();
        if deployment.status == DeploymentStatus::Provisioning || !open.is_empty() {
            let done = deployment.tasks.len() - open.len();
            row("tasks", format!("{done} of {} completed", deployment.tasks.len()));
            for task in open.iter().take(SHOWN) {
                row(
                    "",
                    format!("{}  {}", quoted(&task.name), self.status(&task.status)),
                );
            }
        }
        let width = watched
            .lag
            .iter()
            .map(|l| quoted(&l.database).chars().count())
            .max()
            .unwrap_or(0)
            .min(24);
        let mut worst: Vec<_> = watched.lag.iter().collect();
        if worst.len() > SHOWN {
            worst.sort_by_key(|l| std::cmp::Reverse(l.bytes));
        }
        for (n, l) in worst.iter().take(SHOWN).enumerate() {
            let name: String = quoted(&l.database).chars().take(24).collect();
            // On a narrow terminal words are worth more than an older past.
            let steps = if self.columns.is_some_and(|columns| columns < 100) {
                12
            } else {
                24
            };
            let recent = &l.history[l.history.len().saturating_sub(steps)..];
            let spark = sparkline(recent, limit);
            let color = if l.stalled || l.bytes > limit {
                AnsiColor::Yellow
            } else {
                AnsiColor::Green
            };
            let spark = self.paint(color, &format!("{spark:<steps$}"));
            let time = l.time.map_or(String::new(), |time| format!(" {}", seconds(time)));
            let text = format!(
                "{name:<width$}  {spark}  {:>10}{time}  {}",
                bytes(l.bytes),
                trend(l)
            );
            row(if n == 0 { "lag" } else { "" }, text);
        }
        if worst.len() > SHOWN {
            row("", format!("and {} more databases", worst.len() - SHOWN));
        }
        if !watched.lag.is_empty() {
            let text = match watched.calm_for() {
                Some(calm) => format!("for {} (ready from {} on)", seconds(calm), seconds(stable_for)),
                None => format!("no: {}", quoted(watched.not_calm())),
            };
            row("calm", text);
        }
        for (n, (at, text)) in watched.events.iter().rev().take(3).enumerate() {
            let text = format!("{}  {}", at.strftime("%H:%M:%S"), quoted(text));
            row(if n == 0 { "events" } else { "" }, text);
        }
        for (place, why) in &watched.trouble {
            let text = format!(
                "{} cannot be looked at; trying on: {}",
                place.words(),
                quoted(&clip(why, 200))
            );
            row("trouble", self.paint(AnsiColor::Red, &text));
        }
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| SignedDuration::try_from(left).ok());
        let waiting = match (&self.waiting, left) {
            (Some(state), Some(left)) => format!("waiting for {state}, {} left; Ctrl-C ends", seconds(left)),
            (Some(state), None) => format!("waiting for {state}; Ctrl-C ends"),
            (None, _) => "Ctrl-C ends".to_owned(),
        };
        lines.push(format!("  {waiting}"));
        lines
    }
}

/// News for programs.
fn event(news: &News) -> Value {
    match news {
        News::Status(status, details) => json!({ "event": "status", "status": status, "details": details }),
        News::Member(member, status) => json!({ "event": "member", "member": member, "status": status }),
        News::Task(task, status) => json!({ "event": "task", "task": task, "status": status }),
        News::Event(at, text) => json!({ "event": "message", "said_at": at, "text": text }),
        News::Trouble(place, why) => json!({ "event": "trouble", "with": place.words(), "why": why }),
        News::Better(place) => json!({ "event": "better", "with": place.words() }),
        News::Gone => json!({ "event": "gone" }),
    }
}

/// News for people.
fn words(news: &News) -> String {
    match news {
        News::Status(status, None) => format!("status {status}"),
        News::Status(status, Some(details)) => format!("status {status}: {details}"),
        News::Member(member, status) if status.is_empty() => format!("{member}: not there yet"),
        News::Member(member, status) => format!("{member}: {status}"),
        News::Task(task, status) => format!("task {task}: {status}"),
        News::Event(at, text) => format!("event of {}: {text}", at.strftime("%H:%M:%S")),
        News::Trouble(place, why) => format!("{} cannot be looked at, trying on: {why}", place.words()),
        News::Better(place) => format!("{} can be looked at again", place.words()),
        News::Gone => "the deployment is gone".to_owned(),
    }
}
