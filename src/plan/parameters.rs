//! Parameter groups: what carries over to the target's family, what does not exist there, and what replication needs.

use serde::Serialize;

use super::{Order, limits};
use crate::{
    facts::rds::{Parameter, ParameterGroup, RdsFacts, Topology},
    model::{Engine, PgVersion, Replication},
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
    /// Its value on blue.
    pub value: String,
    /// What becomes of it.
    pub carried: Carried,
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
    /// `cluster` or `instance`.
    pub kind: &'static str,
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
    let kind = if blue.cluster.is_some() {
        "cluster"
    } else {
        "instance"
    };
    let key = RdsFacts::group_key(blue).unwrap_or_default();
    let source = key.split_once(':').map_or("", |(_, name)| name).to_owned();
    let family = format!("{}{}", engine.api_name().unwrap_or("postgres"), target.major);
    let read = |name: &str| {
        facts
            .parameter_groups
            .get(&format!("{kind}:{name}"))
            .and_then(|g| g.known()?.as_ref())
    };
    let same_family = blue.engine_version().is_some_and(|v| v.major == target.major);
    let (name, make) = match (&order.group, same_family) {
        (Some(name), _) => (name.clone(), false),
        (None, true) => (source.clone(), false),
        (None, false) => (format!("{}-pg{}", blue.id(), target.major), true),
    };
    // A group to be made has what its family's default has.
    let there = match make {
        true => read(&format!("default.{family}")),
        false => read(&name),
    };
    let of_blue = read(&source);
    let values = of_blue
        .into_iter()
        .flat_map(set_by_people)
        .map(|(parameter, value)| {
            let carried = match there.map(|group| group.parameters.get(parameter)) {
                None => Carried::Unknown,
                Some(None) => Carried::Gone,
                Some(Some(p)) if p.value.as_deref() == Some(value) => Carried::There,
                Some(Some(_)) if make => Carried::Set,
                Some(Some(p)) => Carried::Differs {
                    there: p.value.clone().unwrap_or_else(|| "the default".to_owned()),
                },
            };
            Setting {
                name: parameter.clone(),
                value: value.to_owned(),
                carried,
            }
        });
    let values = values.collect();
    let needed = match replication {
        Replication::Logical => {
            let given = |name: &str| of_blue.and_then(|g| g.parameters.get(name));
            let mut needed = limits::fixed(engine, given);
            needed.extend(order.limits.iter().flatten().cloned());
            needed
        }
        Replication::Physical => Vec::new(),
    };
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
