//! `greenlight.toml`: as written, then as meant. Errors name the file, the line and the key, and the nearest valid one.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    checks,
    policy::{Policy, Thresholds, Waiver},
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
    waivers: Vec<toml::Spanned<Waiver>>,
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

/// Applies a file's text to a policy.
///
/// # Errors
/// [`BadConfig`] at the first line that is wrong.
pub fn apply(policy: &mut Policy, file: &Path, text: &str) -> Result<(), BadConfig> {
    let bad = |at: usize, what: String| BadConfig {
        file: file.display().to_string(),
        line: text[..at.min(text.len())].matches('\n').count() + 1,
        what,
    };
    let written: Written = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        bad(at, with_suggestion(e.message()))
    })?;
    for id in written.levels.keys() {
        if checks::find(id).is_none() {
            let at = text.find(id.as_str()).unwrap_or(0);
            return Err(bad(at, unknown_check("levels", id)));
        }
    }
    for waiver in &written.waivers {
        let (at, waiver) = (waiver.span().start, waiver.get_ref());
        if checks::find(&waiver.check).is_none() {
            return Err(bad(at, unknown_check("waivers.check", &waiver.check)));
        }
        if waiver.reason.trim().is_empty() {
            return Err(bad(
                at,
                "waivers.reason is empty: say why the finding is accepted".to_owned(),
            ));
        }
    }
    policy.thresholds = written.thresholds;
    policy.waivers = written
        .waivers
        .into_iter()
        .map(toml::Spanned::into_inner)
        .collect();
    if let Some(level) = written.fail_on {
        policy.fail_on = level;
    }
    // Former ids are accepted, and meant as the present ones.
    policy.levels = written
        .levels
        .into_iter()
        .filter_map(|(id, level)| checks::find(&id).map(|check| (check.page.id.clone(), level)))
        .collect();
    Ok(())
}

/// A message about a check that does not exist.
pub fn unknown_check(place: &str, id: &str) -> String {
    let ids = checks::all().iter().map(|c| c.page.id.as_str());
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
        _ => message.trim().replace('\n', "; "),
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
            ("fail-on = \"bad\"\n", "greenlight.toml:1: unknown variant `bad`"),
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
