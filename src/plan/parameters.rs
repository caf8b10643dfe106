//! Parameter groups: what carries over to the target's family, what does not exist there, and what replication needs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Order, limits};
use crate::{
    checks::entries,
    facts::rds::{Parameter, ParameterGroup, RdsFacts, Topology},
    model::{Engine, PgVersion, Replication, ResourceKind},
};

/// What becomes of a value that was set on blue's group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carried {
    /// It has to be set in green's group.
    Set,
    /// Green's group has it already.
    There,
    /// Green's group has another value.
    Differs {
        /// That value.
        there: String,
    },
    /// The target's family has no such parameter.
    Gone,
    /// No group of the target's family was read.
    Unknown,
}

/// A value of blue's group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The parameter.
    pub name: String,
    /// Its value on blue, or what it has to be there; less what must not run on green before the switchover.
    pub value: String,
    /// What becomes of it.
    pub carried: Carried,
    /// Why it is not blue's value as it is.
    pub changed: Option<String>,
}

/// A value that blue's group still needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The parameter.
    pub parameter: String,
    /// The value.
    pub value: String,
    /// The arithmetic, and the check that it is from.
    pub why: String,
}

/// Blue's group and green's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Groups {
    /// Of what they are.
    pub kind: ResourceKind,
    /// Blue's.
    pub source: String,
    /// Green's: the one that was named, blue's own within a family, or the one to make.
    pub target: String,
    /// Green's family.
    pub family: String,
    /// Green's has to be made.
    pub make: bool,
    /// Values set on blue's.
    pub values: Vec<Setting>,
    /// What blue's group still needs for logical replication.
    pub needed: Vec<Need>,
}

/// The name of the group that blue gets where it uses a default one.
pub fn own_group(subject: &str, family: &str) -> String {
    format!("{subject}-{family}")
}

/// The name of the group that green gets where none was named.
pub fn target_group(subject: &str, target: PgVersion) -> String {
    format!("{subject}-pg{}", target.major)
}

/// A value as green is to have it, and why where that is not blue's. `pg_cron` must not run on green before the switchover, or
/// blue's jobs run twice (check `cron-off-on-green`).
fn for_green(name: &str, value: &str) -> (String, Option<String>) {
    let libraries = entries(Some(value));
    if name != "shared_preload_libraries" || !libraries.contains(&"pg_cron") {
        return (value.to_owned(), None);
    }
    let rest: Vec<&str> = libraries.into_iter().filter(|l| *l != "pg_cron").collect();
    let why = "pg_cron is left out until the switchover is done, or blue's jobs would run on green too (cron-off-on-green)";
    (rest.join(","), Some(why.to_owned()))
}

fn set_by_people(group: &ParameterGroup) -> impl Iterator<Item = (&String, &str)> {
    let set = |p: &Parameter| p.source.as_deref() == Some("user") && p.modifiable;
    group
        .parameters
        .iter()
        .filter(move |(_, p)| set(p))
        .filter_map(|(name, p)| Some((name, p.value.as_deref()?)))
}

pub(super) fn groups(
    facts: &RdsFacts,
    blue: &Topology,
    engine: Engine,
    target: PgVersion,
    order: &Order,
    replication: Replication,
) -> Groups {
    let kind = blue.kind();
    let key = RdsFacts::group_key(blue).unwrap_or_default();
    let source = ResourceKind::of_group(&key).1.to_owned();
    let family = engine.family(target.major);
    let read = |name: &str| facts.group(kind, name);
    let same_family = blue.engine_version().is_some_and(|v| v.major == target.major);
    let (name, make) = match (&order.group, same_family) {
        (Some(name), _) => (name.clone(), false),
        (None, true) => (source.clone(), false),
        (None, false) => (target_group(blue.id(), target), true),
    };
    // A group to be made has what its family's default has.
    let there = match make {
        true => read(&format!("default.{family}")),
        false => read(&name),
    };
    let of_blue = read(&source);
    let needed = match replication {
        Replication::Logical => {
            let given = |name: &str| of_blue.and_then(|g| g.parameters.get(name));
            let mut needed = limits::fixed(engine, given);
            needed.extend(order.limits.iter().flatten().cloned());
            needed
        }
        Replication::Physical => Vec::new(),
    };
    // Blue's values as they will be when it can publish: green is production next, and publishes then.
    let mut blues: BTreeMap<&str, &str> = of_blue
        .into_iter()
        .flat_map(set_by_people)
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    blues.extend(
        needed
            .iter()
            .map(|need| (need.parameter.as_str(), need.value.as_str())),
    );
    let values = blues.into_iter().map(|(parameter, value)| {
        let (value, changed) = for_green(parameter, value);
        let carried = match there.map(|group| group.parameters.get(parameter)) {
            None => Carried::Unknown,
            Some(None) => Carried::Gone,
            Some(Some(p)) if p.value.as_deref() == Some(value.as_str()) => Carried::There,
            Some(Some(_)) if make => Carried::Set,
            Some(Some(p)) => Carried::Differs {
                there: p.value.clone().unwrap_or_else(|| "the default".to_owned()),
            },
        };
        Setting {
            name: parameter.to_owned(),
            value,
            carried,
            changed,
        }
    });
    let values = values.collect();
    Groups {
        kind,
        source,
        target: name,
        family,
        make,
        values,
        needed,
    }
}
