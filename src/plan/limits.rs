//! What blue's parameters must be for logical replication: the numbers are those of the capacity checks, so that a plan
//! never asks for another value than `check` and `prepare` do.

use super::Need;
use crate::{
    checks,
    facts::{Facts, rds::Parameter},
    model::Phase,
    policy::Policy,
    situation::Situation,
};

/// The limits that are too low, or why that is not known.
pub fn limits(facts: &Facts, policy: &Policy) -> Result<Vec<Need>, Vec<String>> {
    let situation = Situation::of(facts, Some(Phase::Create));
    let all = checks::capacity(facts, &situation, policy).map_err(|unseen| {
        unseen
            .iter()
            .map(|u| format!("{}: {}", u.subject, u.why))
            .collect::<Vec<_>>()
    })?;
    let low = all.into_iter().filter(|limit| limit.value < limit.comfortable);
    Ok(low
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
            _ => is.is_some_and(|is| is != *value),
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
