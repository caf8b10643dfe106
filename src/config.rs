//! `greenlight.toml`: as written, then as meant. Errors name the file, the line and the key, and the nearest valid one.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use toml::Spanned;

use crate::{
    checks,
    policy::{Policy, Thresholds, WAIVERS, Waiver},
    verdict::Level,
};

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    fail_on: Option<Level>,
    #[serde(default)]
    thresholds: Thresholds,
    #[serde(default)]
    levels: BTreeMap<String, Level>,
    #[serde(default)]
    waivers: Vec<Spanned<Waiver>>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct BadConfig {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong, with the nearest valid name.
    pub what: String,
}

/// Where each key of a file stands: `thresholds.max-lag-bytes` on line 4.
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Finds the keys of a file that can be parsed; none in one that cannot.
    pub fn of(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        if let Ok(table) = toml::de::DeTable::parse(text) {
            keys(text, "", table.get_ref(), &mut lines);
        }
        Self(lines)
    }

    /// The line of a key, from 1.
    pub fn get(&self, key: &str) -> Option<usize> {
        self.0.get(key).copied()
    }
}

fn keys(text: &str, prefix: &str, table: &toml::de::DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        lines.insert(name.clone(), line(text, key.span().start));
        if let Some(inner) = value.get_ref().as_table() {
            keys(text, &format!("{name}."), inner, lines);
        }
    }
}

/// The line of a byte offset, from 1.
fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        + 1
}

/// Applies a file's text to a policy.
///
/// # Errors
/// [`BadConfig`] at the first line that is wrong.
pub fn apply(policy: &mut Policy, file: &Path, text: &str) -> Result<(), BadConfig> {
    let name = file.display().to_string();
    let bad = |line: usize, what: String| BadConfig {
        file: name.clone(),
        line,
        what,
    };
    let written: Written = toml::from_str(text).map_err(|e| {
        let at = line(text, e.span().map_or(0, |s| s.start));
        bad(at, with_key(text, at, &with_suggestion(e.message())))
    })?;
    let lines = Lines::of(text);
    for id in written.levels.keys().filter(|id| *id != WAIVERS) {
        if checks::find(id).is_none() {
            let at = lines.get(&format!("levels.{id}")).unwrap_or(1);
            return Err(bad(at, unknown_check("levels", id)));
        }
    }
    for (key, value) in [
        ("max-lag-seconds", written.thresholds.max_lag_seconds),
        (
            "long-transaction-seconds",
            written.thresholds.long_transaction_seconds,
        ),
    ] {
        if !value.is_finite() || value < 0.0 {
            let at = lines.get(&format!("thresholds.{key}")).unwrap_or(1);
            return Err(bad(
                at,
                format!("thresholds.{key}: {value} is no number of seconds"),
            ));
        }
    }
    let mut waivers: Vec<Waiver> = Vec::new();
    for spanned in written.waivers {
        let at = line(text, spanned.span().start);
        let mut waiver = spanned.into_inner();
        waiver.line = Some(at);
        wrong_with(&waiver, &waivers).map_or(Ok(()), |what| Err(bad(at, what)))?;
        waivers.push(waiver);
    }
    policy.thresholds = written.thresholds;
    policy.waivers = waivers;
    policy.file = Some(name);
    if let Some(level) = written.fail_on {
        policy.fail_on = level;
    }
    // Former ids are accepted, and meant as the present ones.
    policy.levels = written
        .levels
        .into_iter()
        .map(|(id, level)| (checks::find(&id).map_or(id, |check| check.page.id.clone()), level))
        .collect();
    Ok(())
}

/// What makes a waiver unusable.
fn wrong_with(waiver: &Waiver, others: &[Waiver]) -> Option<String> {
    if checks::find(&waiver.check).is_none() {
        return Some(unknown_check("waivers.check", &waiver.check));
    }
    if waiver.reason.trim().is_empty() {
        return Some("waivers.reason is empty: say why the finding is accepted".to_owned());
    }
    if waiver.subject.trim().is_empty() {
        return Some("waivers.subject is empty: name what is accepted, as the report does".to_owned());
    }
    if waiver.allow_unknown && waiver.subject.contains('*') {
        return Some(format!(
            "waivers.allow-unknown goes with an exact subject, and {:?} is a pattern: name what may stay unseen, as \
             the report does",
            waiver.subject
        ));
    }
    let twin = others
        .iter()
        .find(|o| o.check == waiver.check && o.subject == waiver.subject)?;
    Some(format!(
        "waivers: {} {:?} is waived on line {} already",
        waiver.check,
        waiver.subject,
        twin.line.unwrap_or_default()
    ))
}

/// A message about a check that does not exist.
pub fn unknown_check(place: &str, id: &str) -> String {
    let ids = checks::all().iter().map(|c| c.page.id.as_str());
    let ids = ids.chain((place == "levels").then_some(WAIVERS));
    format!("{place}: there is no check {id:?}{}", nearest(id, ids))
}

/// `; did you mean …?` where something comes close.
pub fn nearest<'a>(given: &str, valid: impl Iterator<Item = &'a str>) -> String {
    valid
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.75)
        .map_or(String::new(), |(_, name)| format!("; did you mean {name:?}?"))
}

/// serde's "unknown field `x`, expected one of `a`, `b`", with the nearest of them.
fn with_suggestion(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((given, valid)) if message.starts_with("unknown field") && !valid.is_empty() => {
            format!(
                "there is no key {given:?}{} (keys: {})",
                nearest(given, valid.iter().copied()),
                valid.join(", ")
            )
        }
        _ => {
            let valid: Vec<&str> = names.get(1..).unwrap_or_default().to_vec();
            let hint = match names.first() {
                Some(given) if message.starts_with("unknown variant") => nearest(given, valid.into_iter()),
                _ => String::new(),
            };
            format!("{}{hint}", message.trim().replace('\n', "; "))
        }
    }
}

/// The message with the key that the line sets, where it does not name it itself.
fn with_key(text: &str, line: usize, message: &str) -> String {
    let key = text
        .lines()
        .nth(line.saturating_sub(1))
        .and_then(|line| line.split_once('='))
        .map(|(key, _)| key.trim().trim_matches('"'));
    match key {
        Some(key) if !key.is_empty() && !message.contains(key) => format!("{key}: {message}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policy, String> {
        let mut policy = Policy::at(jiff::Timestamp::UNIX_EPOCH);
        apply(&mut policy, Path::new("greenlight.toml"), text).map_err(|e| e.to_string())?;
        Ok(policy)
    }

    #[test]
    fn reads_thresholds_levels_and_waivers() {
        let policy = read(
            "fail-on = \"warning\"\n[thresholds]\nmax-lag-bytes = 1\n[levels]\nunlogged-tables = \"blocker\"\n\
             [[waivers]]\ncheck = \"replica-identity\"\nsubject = \"app/audit.*\"\nreason = \"insert only\"\nuntil = 2030-01-31\n",
        )
        .expect("a good file");
        assert_eq!(
            (policy.fail_on, policy.thresholds.max_lag_bytes),
            (Level::Warning, 1)
        );
        assert_eq!(
            policy.thresholds.max_lag_seconds,
            Thresholds::default().max_lag_seconds
        );
        assert_eq!(policy.levels.len(), 1);
        assert!(policy.waivers[0].matches("app/audit.x"));
    }

    #[test]
    fn errors_name_line_key_and_the_nearest() {
        for (text, wanted) in [
            (
                "[thresholds]\nmax-lag-byte = 1\n",
                "greenlight.toml:2: there is no key \"max-lag-byte\"; did you mean \"max-lag-bytes\"?",
            ),
            (
                "\n\n[levels]\nunloged-tables = \"notice\"\n",
                "greenlight.toml:4: levels: there is no check \"unloged-tables\"; did you mean \"unlogged-tables\"?",
            ),
            (
                "fail-on = \"blokcer\"\n",
                "greenlight.toml:1: fail-on: unknown variant `blokcer`, expected one of `notice`, `warning`, `blocker`; did you \
                 mean \"blocker\"?",
            ),
            (
                "[thresholds]\n# a comment\nmax-lag-bytes = \"16MB\"\n",
                "greenlight.toml:3: max-lag-bytes: invalid type: string",
            ),
            (
                "[thresholds]\nmax-lag-seconds = nan\n",
                "greenlight.toml:2: thresholds.max-lag-seconds: NaN is no number of seconds",
            ),
            (
                "# unlogged-table\n[levels]\n\"unlogged-table\" = \"notice\"\n",
                "greenlight.toml:3: levels: there is no check \"unlogged-table\"; did you mean \"unlogged-tables\"?",
            ),
            (
                "[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"x\"\nreason = \"r\"\nuntil = 2030-02-30\n",
                "greenlight.toml:5: until: ",
            ),
            (
                "[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"x\"\nreason = \"r\"\n",
                "greenlight.toml:1: missing field `until`",
            ),
            (
                "[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"blue:*\"\nreason = \"r\"\nuntil = 2030-01-01\n\
                 allow-unknown = true\n",
                "greenlight.toml:1: waivers.allow-unknown goes with an exact subject, and \"blue:*\" is a pattern",
            ),
            (
                "[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"x\"\nreason = \"r\"\nuntil = 2030-01-01\n\
                 [[waivers]]\ncheck = \"replica-identity\"\nsubject = \"x\"\nreason = \"q\"\nuntil = 2031-01-01\n",
                "greenlight.toml:6: waivers: replica-identity \"x\" is waived on line 1 already",
            ),
            (
                "[[waivers]]\ncheck = \"nope\"\nsubject = \"x\"\nreason = \"r\"\nuntil = 2030-01-01\n",
                "greenlight.toml:1: waivers.check: there is no check \"nope\"",
            ),
            (
                "[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"x\"\nreason = \"\"\nuntil = 2030-01-01\n",
                "waivers.reason is empty",
            ),
        ] {
            let error = read(text).expect_err("a bad file");
            assert!(error.contains(wanted), "{error}\n wanted {wanted}");
        }
    }
}
