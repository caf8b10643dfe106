//! What the people who run this database decided: thresholds, levels, waivers. Defaults are conservative.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::verdict::Level;

/// Thresholds that checks weigh numbers against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Thresholds {
    /// Bytes that green may be behind per database at switchover.
    pub max_lag_bytes: u64,
    /// Seconds that green may be behind per database at switchover.
    pub max_lag_seconds: f64,
    /// Age in seconds from which a transaction that writes counts as long.
    pub long_transaction_seconds: f64,
    /// Number of sequences from which moving them lengthens the switchover noticeably.
    pub many_sequences: u64,
    /// Number of databases from which one slot each weighs on the server.
    pub many_databases: u64,
    /// The `--timeout` of the switchover in seconds, as far as checks weigh against it.
    pub switchover_timeout_seconds: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_lag_bytes: 16 << 20,
            max_lag_seconds: 10.0,
            long_transaction_seconds: 60.0,
            many_sequences: 1000,
            many_databases: 20,
            switchover_timeout_seconds: 300,
        }
    }
}

/// The id under which problems of waivers are reported; no page of the catalogue has it.
pub const WAIVERS: &str = "waivers";

/// An accepted finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Waiver {
    /// The check's id.
    pub check: String,
    /// The finding's subject; `*` stands for any run of characters.
    pub subject: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it holds.
    #[serde(deserialize_with = "day")]
    pub until: jiff::civil::Date,
    /// Who accepted it.
    pub approved_by: Option<String>,
    /// It also accepts that the subject, named exactly, could not be looked at.
    #[serde(default)]
    pub allow_unknown: bool,
    /// Its line in the policy file, from 1.
    #[serde(skip)]
    pub line: Option<usize>,
}

/// A day, written as TOML's own date or as a text.
fn day<'de, D: serde::Deserializer<'de>>(from: D) -> Result<jiff::civil::Date, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Toml(toml::value::Datetime),
        Text(String),
    }
    let text = match Written::deserialize(from)? {
        Written::Toml(date) => date.to_string(),
        Written::Text(text) => text,
    };
    text.parse()
        .map_err(|_| serde::de::Error::custom(format!("{text:?} is not a day like 2026-12-31")))
}

impl Waiver {
    /// Whether the pattern matches.
    pub fn matches(&self, subject: &str) -> bool {
        glob(&self.subject, subject)
    }

    /// Whether it accepts that this could not be looked at: only by its exact name, so that a blind spot that nobody
    /// thought of is never accepted along with another.
    pub fn accepts_unknown(&self, subject: &str) -> bool {
        self.allow_unknown && self.subject == subject
    }

    /// Whether its pattern names nothing: `*`, `*/*`, `*.*`.
    pub fn too_wide(&self) -> bool {
        self.subject.contains('*') && !self.subject.chars().any(char::is_alphanumeric)
    }

    /// Whether it no longer holds at that moment (days end in UTC).
    pub fn expired(&self, now: Timestamp) -> bool {
        jiff::tz::Offset::UTC.to_datetime(now).date() > self.until
    }
}

/// `*` matches any run of characters; everything else itself.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Everything that shapes a report besides the facts.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Thresholds.
    pub thresholds: Thresholds,
    /// Levels by check id that replace the catalogue's.
    pub levels: BTreeMap<String, Level>,
    /// Accepted findings.
    pub waivers: Vec<Waiver>,
    /// Only these checks; empty for all.
    pub only: Vec<String>,
    /// All but these checks.
    pub skip: Vec<String>,
    /// The lowest level that gates.
    pub fail_on: Level,
    /// Now, for the waivers' ends.
    pub now: Timestamp,
    /// The policy file, as it was named; none where there is none.
    pub file: Option<String>,
}

impl Policy {
    /// The defaults at a moment.
    pub fn at(now: Timestamp) -> Self {
        Self {
            thresholds: Thresholds::default(),
            levels: BTreeMap::new(),
            waivers: Vec::new(),
            only: Vec::new(),
            skip: Vec::new(),
            fail_on: Level::Blocker,
            now,
            file: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, holds) in [
            ("app/public.t", "app/public.t", true),
            ("app/public.t", "app/public.t2", false),
            ("app/*", "app/public.t", true),
            ("*/audit.*", "app/audit.x", true),
            ("*audit*x", "app/audit.yx", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern, text), holds, "{pattern} {text}");
        }
    }
}
