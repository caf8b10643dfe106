//! `greenlight config check`: what the policy file puts in force, and what the defaults still decide.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Failure, World};
use crate::{
    checks,
    cli::{ConfigCommand, ShortFormat},
    config::{self, Lines},
    edge::{clock, files, terminal},
    exit::Exit,
    output::{
        Style,
        text::{count, one_line, wrap},
    },
    policy::{Policy, Thresholds, WAIVERS},
    verdict::Level,
};

/// What is in force.
#[derive(Debug, Serialize)]
struct InForce {
    /// The file; none where there is none.
    file: Option<String>,
    fail_on: Set,
    thresholds: Vec<Set>,
    levels: Vec<Set>,
    waivers: Vec<WaiverInForce>,
}

/// A value, and where it comes from: `FILE:LINE`, or `default`.
#[derive(Debug, Serialize)]
struct Set {
    key: String,
    value: serde_json::Value,
    from: String,
    /// What it replaces, where it is not the default.
    instead_of: Option<serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct WaiverInForce {
    check: String,
    subject: String,
    reason: String,
    until: String,
    approved_by: Option<String>,
    allow_unknown: bool,
    from: String,
    /// `in force`, or why not.
    state: String,
}

pub(super) fn run(command: &ConfigCommand, world: &World) -> Result<Exit, Failure> {
    let ConfigCommand::Check { file, format } = command;
    let usual = PathBuf::from("greenlight.toml");
    let (path, text) = match file {
        Some(path) => (path, Some(files::read(path)?)),
        None => (&usual, files::read_if_there(&usual)?),
    };
    let mut policy = Policy::at(clock::now());
    if let Some(text) = &text {
        config::apply(&mut policy, path, text).map_err(|e| Failure::usage(e.to_string()))?;
    }
    let in_force = in_force(&policy, path, text.as_deref());
    let text = match format {
        ShortFormat::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&in_force).expect("strings, numbers and lists are JSON")
        ),
        ShortFormat::Table => table(
            &in_force,
            terminal::style(world.color, world.verbose > 0, &world.env),
        ),
    };
    terminal::print(&text)?;
    Ok(Exit::Ready)
}

fn in_force(policy: &Policy, path: &Path, text: Option<&str>) -> InForce {
    let lines = text.map(Lines::of).unwrap_or_default();
    let from = |key: &str| match lines.get(key) {
        Some(line) => format!("{}:{line}", path.display()),
        None => "default".to_owned(),
    };
    let values = |thresholds: &Thresholds| {
        let value = serde_json::to_value(thresholds).expect("numbers are JSON");
        value.as_object().cloned().unwrap_or_default()
    };
    let defaults = values(&Thresholds::default());
    let set = |key: &str, value: serde_json::Value, default: Option<serde_json::Value>| Set {
        from: from(key),
        instead_of: default.filter(|d| *d != value),
        key: key.to_owned(),
        value,
    };
    let name = |level: Level| serde_json::Value::String(level.to_string());
    InForce {
        file: policy.file.clone(),
        fail_on: set("fail-on", name(policy.fail_on), Some(name(Level::Blocker))),
        thresholds: values(&policy.thresholds)
            .into_iter()
            .map(|(key, value)| {
                let default = defaults.get(&key).cloned();
                set(&format!("thresholds.{key}"), value, default)
            })
            .collect(),
        levels: policy
            .levels
            .iter()
            .map(|(id, level)| {
                let own = checks::find(id).map_or(Level::Warning, |c| c.page.header.level);
                let names = checks::find(id)
                    .map(|c| c.page.header.aliases.as_slice())
                    .unwrap_or_default();
                let written = std::iter::once(id)
                    .chain(names)
                    .find(|n| lines.get(&format!("levels.{n}")).is_some());
                set(
                    &format!("levels.{}", written.unwrap_or(id)),
                    name(*level),
                    Some(name(own)),
                )
            })
            .collect(),
        waivers: policy
            .waivers
            .iter()
            .map(|waiver| {
                let until = waiver.until;
                let state = if waiver.expired(policy.now) {
                    format!("ended on {until}: it accepts nothing any more")
                } else if waiver.too_wide() {
                    format!("in force until {until}, but too wide: it accepts whatever comes")
                } else {
                    format!("in force until {until}")
                };
                WaiverInForce {
                    check: waiver.check.clone(),
                    subject: waiver.subject.clone(),
                    reason: waiver.reason.clone(),
                    until: waiver.until.to_string(),
                    approved_by: waiver.approved_by.clone(),
                    allow_unknown: waiver.allow_unknown,
                    from: format!("{}:{}", path.display(), waiver.line.unwrap_or(1)),
                    state,
                }
            })
            .collect(),
    }
}

fn table(in_force: &InForce, style: Style) -> String {
    let mut out = String::new();
    match &in_force.file {
        Some(file) => {
            let _ = writeln!(out, "{file} can be used\n");
        }
        None => out.push_str("there is no greenlight.toml here: the defaults decide\n\n"),
    }
    let sets = std::iter::once(&in_force.fail_on)
        .chain(&in_force.thresholds)
        .chain(&in_force.levels);
    let rows: Vec<(&str, String, String)> = sets
        .map(|s| {
            let plain = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            let instead = s
                .instead_of
                .as_ref()
                .map_or(String::new(), |v| format!(" (instead of {})", plain(v)));
            (s.key.as_str(), plain(&s.value), format!("{}{instead}", s.from))
        })
        .collect();
    let wide = |column: fn(&(&str, String, String)) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (keys, values) = (wide(|r| r.0.len()), wide(|r| r.1.len()));
    for (key, value, from) in &rows {
        let _ = writeln!(out, "{key:keys$}  {value:>values$}  {from}");
    }
    let _ = writeln!(
        out,
        "\nproblems of waivers are reported as findings of the check `{WAIVERS}`"
    );
    if !in_force.waivers.is_empty() {
        let _ = writeln!(out, "\n{}", count(in_force.waivers.len(), "waiver"));
    }
    for waiver in &in_force.waivers {
        let by = waiver
            .approved_by
            .as_ref()
            .map_or("; approved by nobody named".to_owned(), |by| {
                format!("; approved by {}", one_line(by))
            });
        let unknown = if waiver.allow_unknown {
            ", also where it cannot be looked at"
        } else {
            ""
        };
        let text = format!("{} {}{unknown}", waiver.check, one_line(&waiver.subject));
        let _ = writeln!(out, "  {}", wrap(&text, style.width, 4));
        let text = format!("{}{by} ({})", waiver.state, waiver.from);
        let _ = writeln!(out, "    {}", wrap(&text, style.width, 6));
        let _ = writeln!(out, "    {}", wrap(&one_line(&waiver.reason), style.width, 6));
    }
    out
}
