//! Indexes, constraints, triggers, functions, views and types of blue are on green.

use serde::Deserialize;

use super::{
    Ctx,
    compare::{pairs, same_text},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict, subject},
};

/// A row of the shared probe `objects`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    kind: String,
    name: String,
    state: Option<String>,
    /// What else makes it what it is, in words that majors share; absent from facts of older versions of greenlight.
    #[serde(default)]
    definition: Option<String>,
}

impl Object {
    /// Why it cannot be compared, where it cannot: what is written out with its table's columns has no definition while that is locked.
    fn unseen(&self, green: &Self) -> Option<&'static str> {
        let written = ["index", "constraint", "view", "policy"].contains(&self.kind.as_str());
        let side = match (&self.definition, &green.definition) {
            _ if !written => return None,
            (None, Some(_)) => "a session on blue has its table locked; look again when it is done",
            (Some(_), None) => "a session on green has its table locked; look again when it is done",
            (None, None) => "sessions on both sides have its table locked; look again when they are done",
            (Some(_), Some(_)) => return None,
        };
        Some(side)
    }

    /// How the sides differ, where that matters.
    fn difference(&self, green: &Self) -> Option<String> {
        if self.state == green.state {
            return match (&self.definition, &green.definition) {
                (Some(blue), Some(green)) if self.kind == "type" && self.state.as_deref() == Some("e") => {
                    (!same_order(blue, green)).then(|| "has its values in another order on green".to_owned())
                }
                (Some(blue), Some(green)) if !same_text(blue, green) => {
                    Some("is defined differently on green".to_owned())
                }
                _ => None,
            };
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

    /// Why it matters that this is on green and not on blue, where it does: more columns, tables, views and plain indexes harm
    /// nothing, and are what a green side is used for.
    fn surplus(&self) -> Option<&'static str> {
        match (self.kind.as_str(), self.state.as_deref()) {
            ("row level security", _) => Some("sessions see less from the switchover on"),
            ("rule", Some("O" | "A" | "R")) => Some("it rewrites statements from the switchover on"),
            ("constraint", _) | ("index", Some("unique")) => {
                Some("a row that blue takes and it refuses stops the apply worker")
            }
            ("partition", _) => Some("a row that blue takes and its bounds refuse stops the apply worker"),
            ("child table", _) => Some("its rows are its parent's too from the switchover on"),
            ("trigger", Some("A" | "R")) => Some("it fires while changes are applied"),
            ("trigger", Some("O")) => Some("it fires from the switchover on"),
            _ => None,
        }
    }
}

/// Whether the values that two enums share stand in the same order; those that one alone has are told by themselves. A value that
/// holds what separates them here is taken apart likewise on both sides.
fn same_order(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|list| list.split(", ").collect::<Vec<_>>());
    let shared = |of: &[&str], with: &[&str]| of.iter().filter(|v| with.contains(v)).map(|v| (*v).to_owned()).collect::<Vec<_>>();
    shared(&one, &other) == shared(&other, &one)
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let pairs = pairs(ctx, &mut judgement, "objects", |o: &Object| {
        format!("{} {}", o.kind, o.name)
    });
    let mut same = 0;
    // Extensions have a check of their own, which knows their versions.
    for pair in pairs.iter().filter(|p| !p.name.starts_with("extension ")) {
        let message = match (&pair.blue, &pair.green) {
            (Some(_), None) => format!("{} is on blue only", pair.name),
            (Some(blue), Some(green)) => match blue.difference(green) {
                Some(difference) => format!("{} {difference}", pair.name),
                None => {
                    match blue.unseen(green) {
                        Some(why) => judgement.unseen(subject(Some(&pair.database), &pair.name), why),
                        None => same += 1,
                    }
                    continue;
                }
            },
            (None, Some(green)) => match green.surplus() {
                Some(why) => format!("{} is on green only: {why}", pair.name),
                None => continue,
            },
            (None, None) => continue,
        };
        let mut finding = Finding::new(&pair.name, message)
            .in_database(Some(&pair.database))
            .on(Side::Green)
            .fix("delete the deployment with its green side, and create it anew");
        for (side, object) in [("blue", &pair.blue), ("green", &pair.green)] {
            if let Some(definition) = object.as_ref().and_then(|o| o.definition.as_deref()) {
                finding = finding.evidence(side, definition);
            }
        }
        judgement.find(finding);
    }
    judgement.done_with(format!("{same} objects are the same"))
}
