//! Indexes, constraints, triggers, functions, views and types of blue are on green.

use serde::Deserialize;

use super::{Ctx, compare::pairs};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// A row of the shared probe `objects`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    kind: String,
    name: String,
    state: Option<String>,
}

impl Object {
    /// How the sides differ, where that matters.
    fn difference(&self, green: &Self) -> Option<String> {
        if self.state == green.state {
            return None;
        }
        let (blue, green) = (
            self.state.as_deref().unwrap_or("-"),
            green.state.as_deref().unwrap_or("-"),
        );
        match self.kind.as_str() {
            "function" => Some("has another source on green".to_owned()),
            "trigger" => Some(format!(
                "fires as {blue} on blue and as {green} on green (O origin, D disabled, R replica, A always)"
            )),
            _ => Some(format!("is {blue} on blue and {green} on green")),
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let pairs = pairs(ctx, &mut judgement, "objects", |o: &Object| {
        format!("{} {}", o.kind, o.name)
    });
    let mut same = 0;
    // Extensions have a check of their own, which knows their versions.
    for pair in pairs.iter().filter(|p| !p.name.starts_with("extension ")) {
        let Some(blue) = &pair.blue else { continue };
        let message = match &pair.green {
            None => format!("{} is on blue only", pair.name),
            Some(green) => match blue.difference(green) {
                Some(difference) => format!("{} {difference}", pair.name),
                None => {
                    same += 1;
                    continue;
                }
            },
        };
        judgement.find(
            Finding::new(&pair.name, message)
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix("delete the deployment with its green side, and create it anew"),
        );
    }
    judgement.done_with(format!("{same} objects are the same"))
}
