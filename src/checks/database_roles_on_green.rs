//! Roles, memberships and their settings are the same on green.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Ctx,
    compare::{WRITABLE, server_pairs},
};
use crate::{
    model::{Side, count},
    verdict::{Finding, Judgement, Verdict},
};

/// A role, a membership, or a setting.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: String,
    name: String,
    /// As CREATE ROLE spells them; a setting's value.
    attributes: Vec<String>,
    /// What makes it so; none for roles, which takes what differs.
    sql: Option<String>,
}

/// What a role has when nothing is said of it.
const DEFAULTS: &[&str] = &[
    "nologin",
    "inherit",
    "nocreatedb",
    "nocreaterole",
    "noreplication",
    "nobypassrls",
    "nosuperuser",
    "connection limit -1",
    "valid until 'infinity'",
];

impl Row {
    fn missing(&self) -> Finding {
        let fix = match &self.sql {
            Some(sql) => sql.clone(),
            None => {
                let said = self.attributes.iter().filter(|a| !DEFAULTS.contains(&a.as_str()));
                let said: String = said.map(|a| format!(" {a}")).collect();
                format!(
                    "create role {}{said}; -- and its password, where it has one",
                    self.name
                )
            }
        };
        let message = format!("{} {} is on blue only", self.kind, self.name);
        self.finding(message, &fix)
            .evidence("blue", self.attributes.clone())
    }

    fn differs(&self, green: &Self) -> Option<Finding> {
        let lacks: Vec<&str> = self
            .attributes
            .iter()
            .filter(|a| !green.attributes.contains(a))
            .map(String::as_str)
            .collect();
        // An option that only green's membership has takes nothing away.
        if lacks.is_empty() {
            return None;
        }
        let has: Vec<&str> = green
            .attributes
            .iter()
            .filter(|a| !self.attributes.contains(a))
            .map(String::as_str)
            .collect();
        let has = if has.is_empty() {
            "nothing of it".to_owned()
        } else {
            has.join(" ")
        };
        let lacks = lacks.join(" ");
        let message = format!("{} {} is {lacks} on blue, {has} on green", self.kind, self.name);
        let alter = format!("alter role {} {lacks};", self.name);
        let finding = self.finding(message, self.sql.as_deref().unwrap_or(&alter));
        Some(
            finding
                .evidence("blue", self.attributes.clone())
                .evidence("green", green.attributes.clone()),
        )
    }

    fn finding(&self, message: String, fix: &str) -> Finding {
        Finding::new(format!("{} {}", self.kind, self.name), message)
            .on(Side::Green)
            .fix(format!("{WRITABLE}\n{fix}"))
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut pairs = server_pairs(ctx, &mut judgement, "", |r: &Row| {
        format!("{} {}", r.kind, r.name)
    });
    // Roles first: what is printed can be pasted in this order.
    pairs.sort_by_key(|pair| !pair.name.starts_with("role "));
    let mut same: BTreeMap<String, usize> = BTreeMap::new();
    for pair in pairs {
        let Some(blue) = pair.blue else { continue };
        let finding = match &pair.green {
            None => Some(blue.missing()),
            Some(green) => blue.differs(green),
        };
        match finding {
            Some(finding) => judgement.find(finding),
            None => *same.entry(blue.kind).or_default() += 1,
        }
    }
    let same: Vec<String> = same.iter().map(|(kind, n)| count(*n, kind)).collect();
    judgement.done_with(format!("the same on both sides: {}", same.join(", ")))
}
