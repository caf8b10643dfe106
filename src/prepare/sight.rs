//! Blue's parameter groups, and what is to be done to them.

use std::collections::BTreeMap;

use super::{Attach, GroupWork, NotKnown, Value, assess::not_seen};
use crate::{
    checks::{is_default_group, is_on, is_set},
    facts::{
        Fact,
        rds::{Instance, Parameter, ParameterGroup, RdsFacts, Topology},
    },
    model::{Engine, ResourceKind},
    plan,
};

/// Limits of which a standby must not have less than its primary.
/// <https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN>
const NOT_BELOW_THE_PRIMARY: &[&str] = &["max_wal_senders", "max_worker_processes"];

/// Blue's groups.
pub(super) struct Sight<'a> {
    pub(super) rds: &'a RdsFacts,
    pub(super) blue: &'a Topology,
    pub(super) kind: ResourceKind,
    /// The group that its settings come from.
    pub(super) name: String,
    pub(super) family: String,
    pub(super) group: &'a ParameterGroup,
}

/// A value that blue is to have.
pub(super) struct Need {
    pub(super) name: &'static str,
    pub(super) from: Option<String>,
    pub(super) to: String,
    pub(super) why: String,
}

impl Need {
    /// Whether a group's value will do. A limit that is higher already is never lowered.
    fn is_met_by(&self, value: Option<&str>) -> bool {
        match (value.map(str::parse::<i64>), self.to.parse::<i64>()) {
            (Some(Ok(is)), Ok(to)) => is >= to,
            _ => value == Some(self.to.as_str()),
        }
    }
}

impl<'a> Sight<'a> {
    pub(super) fn of(rds: &'a RdsFacts, blue: &'a Topology, engine: Engine) -> Result<Self, NotKnown> {
        let key =
            RdsFacts::group_key(blue).ok_or_else(|| not_seen("the parameter group", "RDS names none"))?;
        let kind = blue.kind();
        let name = ResourceKind::of_group(&key).1.to_owned();
        let missing = || not_seen(format!("parameter group {name}"), "it was not read");
        let group = match rds.parameter_groups.get(&key).map(Fact::get) {
            Some(Ok(group)) => group.as_ref().ok_or_else(missing)?,
            Some(Err((_, why))) => return Err(not_seen(format!("parameter group {name}"), why)),
            None => return Err(missing()),
        };
        let major = blue.engine_version().map(|v| v.major).unwrap_or_default();
        let family = group.family.clone();
        let family = family.unwrap_or_else(|| engine.family(major));
        Ok(Self {
            rds,
            blue,
            kind,
            name,
            family,
            group,
        })
    }

    pub(super) fn other(&self, kind: ResourceKind, name: &str) -> Option<&'a ParameterGroup> {
        self.rds.group(kind, name)
    }

    /// The value that somebody set in an Aurora writer's own group, which wins over the cluster's.
    fn own_value(&self, instance: &Instance, name: &str) -> Option<&'a Parameter> {
        let group = instance.parameter_groups.first()?;
        let parameter = self
            .other(ResourceKind::Instance, &group.name)?
            .parameters
            .get(name)?;
        (self.kind == ResourceKind::Cluster && is_set(parameter)).then_some(parameter)
    }

    /// The value that the groups give, whether or not it is in force yet.
    pub(super) fn given(&self, name: &str) -> Option<&'a str> {
        let own = self.blue.writer().and_then(|w| self.own_value(w, name));
        let parameter = own.or_else(|| self.group.parameters.get(name))?;
        parameter.value.as_deref()
    }

    fn is_default(&self) -> bool {
        is_default_group(&self.name)
    }

    /// Whether a parameter of a group waits for a reboot; what is not known does.
    fn waits(&self, group: Option<&ParameterGroup>, name: &str) -> bool {
        let parameter = group.unwrap_or(self.group).parameters.get(name);
        parameter.and_then(|p| p.apply_type.as_deref()) != Some("dynamic")
    }

    fn value(&self, group: Option<&ParameterGroup>, need: &Need) -> Value {
        Value {
            name: need.name.to_owned(),
            from: need.from.clone(),
            to: need.to.clone(),
            why: need.why.clone(),
            needs_reboot: self.waits(group, need.name),
        }
    }

    /// What is to be done to blue's groups.
    pub(super) fn groups(&self, needs: &[Need]) -> Vec<GroupWork> {
        let mut all = vec![self.main(needs)];
        let main = all[0].name.clone();
        let mut others: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut moved = Vec::new();
        for instance in &self.blue.instances {
            let Some(applied) = instance.parameter_groups.first() else {
                continue;
            };
            if self.kind == ResourceKind::Instance && applied.name == self.name {
                // A replica with the primary's default group goes along with it.
                if main != self.name && self.blue.writer().is_none_or(|w| w.id != instance.id) {
                    moved.push(Attach {
                        id: instance.id.clone(),
                        instead_of: applied.name.clone(),
                    });
                }
                continue;
            }
            let here = self.below(instance, &applied.name, needs);
            match (here.is_empty(), is_default_group(&applied.name)) {
                (true, _) => {}
                (false, true) => {
                    moved.push(Attach {
                        id: instance.id.clone(),
                        instead_of: applied.name.clone(),
                    });
                }
                (false, false) => {
                    others.insert(applied.name.clone(), here);
                }
            }
        }
        all[0].attach.extend(moved);
        for (name, values) in others {
            let family = self
                .other(ResourceKind::Instance, &name)
                .and_then(|g| g.family.clone());
            all.push(GroupWork {
                kind: ResourceKind::Instance,
                name,
                family: family.unwrap_or_else(|| self.family.clone()),
                make: false,
                values,
                attach: Vec::new(),
            });
        }
        all.retain(|work| !work.is_done());
        all
    }

    /// What an instance's own group has too low: a member's wins over the cluster's, and a standby's must keep up with the primary.
    fn below(&self, instance: &Instance, applied: &str, needs: &[Need]) -> Vec<Value> {
        let group = self.other(ResourceKind::Instance, applied);
        let values = needs.iter().filter_map(|need| {
            let parameter = match self.kind {
                ResourceKind::Cluster => self.own_value(instance, need.name)?,
                ResourceKind::Instance if NOT_BELOW_THE_PRIMARY.contains(&need.name) => {
                    group?.parameters.get(need.name)?
                }
                ResourceKind::Instance => return None,
            };
            let is = parameter.value.as_deref();
            (!need.is_met_by(is)).then(|| Value {
                from: is.map(str::to_owned),
                ..self.value(group, need)
            })
        });
        values.collect()
    }

    /// The group that blue's settings come from, or the one that takes the place of a default group.
    fn main(&self, needs: &[Need]) -> GroupWork {
        let own = plan::own_group(self.blue.id(), &self.family);
        let replace = self.is_default() && !needs.is_empty();
        let name = if replace { own } else { self.name.clone() };
        let there = match replace {
            true => self.other(self.kind, &name),
            false => Some(self.group),
        };
        let has = |need: &Need| {
            let parameter = there.and_then(|group| group.parameters.get(need.name));
            let value = parameter
                .filter(|p| !replace || is_set(p))
                .and_then(|p| p.value.as_deref());
            need.is_met_by(value) || need.to == "1" && is_on(value)
        };
        let values = needs
            .iter()
            .filter(|need| !has(need))
            .map(|need| self.value(there, need));
        GroupWork {
            kind: self.kind,
            family: self.family.clone(),
            make: replace && there.is_none(),
            values: values.collect(),
            attach: match replace {
                true => vec![Attach {
                    id: self.blue.id().to_owned(),
                    instead_of: self.name.clone(),
                }],
                false => Vec::new(),
            },
            name,
        }
    }

    /// The instances that reboot after this work.
    pub(super) fn touched(&self, work: &GroupWork) -> Vec<String> {
        let all = || self.blue.instances.iter();
        let attached = |i: &&Instance| work.attach.iter().any(|a| a.id == i.id);
        let uses = |i: &&Instance| i.parameter_groups.iter().any(|g| g.name == work.name);
        let waits = work.values.iter().any(|v| v.needs_reboot);
        match work.kind {
            ResourceKind::Cluster if waits || !work.attach.is_empty() => {
                all().map(|i| i.id.clone()).collect()
            }
            ResourceKind::Cluster => Vec::new(),
            ResourceKind::Instance => all()
                .filter(|i| attached(i) || waits && uses(i))
                .map(|i| i.id.clone())
                .collect(),
        }
    }
}
