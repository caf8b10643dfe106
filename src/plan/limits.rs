//! What blue's parameters must be for logical replication: the numbers are those of the capacity checks, so that a plan
//! never asks for another value than `check` and `prepare` do.

use std::collections::BTreeMap;

use super::Need;
use crate::{
    checks::{self, Capacity},
    facts::{Fact, Facts, rds::Parameter},
    model::Phase,
    policy::Policy,
    situation::Situation,
    verdict::Unseen,
};

/// The limits that are too low, or why that is not known.
pub fn limits(facts: &Facts, policy: &Policy) -> Result<Vec<Need>, Vec<String>> {
    // One reason is enough: it is mostly the same of every database.
    let low = raised(facts, policy).map_err(|unseen| {
        let first = unseen.first().map(|u| format!("{}: {}", u.subject, u.why));
        let more = match unseen.len() {
            0 | 1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        first.map(|first| first + &more).into_iter().collect::<Vec<_>>()
    })?;
    Ok(low
        .into_iter()
        .map(|limit| Need {
            parameter: limit.setting.to_owned(),
            value: limit.advised.max(limit.comfortable).to_string(),
            why: format!(
                "it is {}, and {} ({})",
                limit.value, limit.arithmetic, limit.check
            ),
        })
        .collect())
}

/// The limits that have to be raised, each with what it is now, weighed as all of them will be: one that rests on another is
/// weighed with the other's new value.
///
/// # Errors
/// What could not be looked at.
pub fn raised(facts: &Facts, policy: &Policy) -> Result<Vec<Capacity>, Vec<Unseen>> {
    let limits = |facts: &Facts| {
        let situation = Situation::of(facts, Some(Phase::Create));
        checks::capacity(facts, &situation, policy)
    };
    let now = limits(facts)?;
    let mut ahead = facts.clone();
    let mut raised: BTreeMap<&str, Capacity> = BTreeMap::new();
    // Each round can raise each limit once; four limits rest on each other without a circle.
    for _ in 0..=now.len() {
        let low = limits(&ahead)?
            .into_iter()
            .find(|limit| limit.value < limit.comfortable);
        let Some(low) = low else { break };
        set(&mut ahead, low.setting, low.advised.max(low.comfortable));
        let first = raised.get(low.setting).map_or(low.value, |earlier| earlier.value);
        raised.insert(low.setting, Capacity { value: first, ..low });
    }
    Ok(now
        .iter()
        .filter_map(|limit| raised.remove(limit.setting))
        .collect())
}

/// Puts a value into blue's settings, as if it were in force.
pub fn set(facts: &mut Facts, name: &str, value: i64) {
    let Fact::Known(server) = &mut facts.blue else {
        return;
    };
    let Some(Fact::Known(rows)) = server.probes.get_mut("settings") else {
        return;
    };
    if let Some(row) = rows.rows.iter_mut().find(|row| row.is_named(name)) {
        row.change(|row| row["setting"] = value.to_string().into());
    }
}

/// What must have one value, whatever the size of the server, and has another in blue's group.
pub(super) fn fixed<'a>(
    engine: crate::model::Engine,
    given: impl Fn(&str) -> Option<&'a Parameter>,
) -> Vec<Need> {
    let fixed = checks::fixed(engine).iter();
    let wrong = fixed.filter(|(_, name, value)| {
        let is = given(name).and_then(|p| p.value.as_deref());
        match *name {
            "rds.logical_replication" => !checks::is_on(is),
            // Without a value the engine's default holds.
            _ => is.is_some_and(|is| !checks::same_value(is, value)),
        }
    });
    wrong
        .map(|(check, name, value)| Need {
            parameter: (*name).to_owned(),
            value: (*value).to_owned(),
            why: format!("blue has to publish; static, so blue reboots ({check})"),
        })
        .collect()
}
