//! From facts to a preparation.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attach, GroupWork, Kind, Preparation, Target, Value, reboots};
use crate::{
    checks::{self, is_default_group, is_on, is_set, out_of_sync},
    facts::{
        Fact, Facts,
        rds::{Instance, Parameter, ParameterGroup, RdsFacts, Topology},
    },
    model::{Engine, PgVersion, Phase, Replication},
    plan::{self, Carried, NoPlan, Order, Wanted},
    policy::Policy,
    situation::Situation,
    verdict::Unseen,
};

/// What is prepared for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Where to; without it only blue is looked at.
    pub target: Option<PgVersion>,
    /// The group that green is to have.
    pub target_group: Option<String>,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum NotKnown {
    /// The facts do not show it.
    #[error("the facts do not show {what}: {why}")]
    NotSeen {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// There is no way to the target.
    #[error("{0}")]
    NoPlan(#[from] NoPlan),
}

/// Limits of which a standby must not have less than its primary.
/// <https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN>
const NOT_BELOW_THE_PRIMARY: &[&str] = &["max_wal_senders", "max_worker_processes"];

fn not_seen(what: impl Into<String>, why: impl Into<String>) -> NotKnown {
    NotKnown::NotSeen {
        what: what.into(),
        why: why.into(),
    }
}

/// Says what is to be done.
///
/// # Errors
/// [`NotKnown`] where not even the database or its group can be seen, or where no way leads to the target.
pub fn assess(facts: &Facts, asked: &Asked, policy: &Policy) -> Result<Preparation, NotKnown> {
    let rds = facts.rds.get().map_err(|(_, why)| not_seen("RDS", why))?;
    let blue = rds.blue.get().map_err(|(_, why)| not_seen("the database", why))?;
    let source = blue
        .engine_version()
        .ok_or_else(|| not_seen("the version that runs", "it is no PostgreSQL version"))?;
    let replication = match (facts.engine, asked.target) {
        (Engine::Rds, Some(target)) if target.major == source.major => Replication::Physical,
        _ => Replication::Logical,
    };
    let sight = Sight::of(rds, blue, facts.engine)?;
    let mut notes = Vec::new();
    let (wanted, unknown) = match replication {
        Replication::Logical => wanted(facts, &sight, policy, &mut notes),
        Replication::Physical => {
            notes.push("green will be a physical replica: no parameter is needed for it".to_owned());
            (Vec::new(), Vec::new())
        }
    };
    let groups = sight.groups(&wanted);
    let target = match asked.target {
        Some(version) => target(rds, &sight, facts.engine, version, asked, &wanted, &mut notes)?,
        None => None,
    };
    let mut waiting: BTreeSet<String> = out_of_sync(blue)
        .into_iter()
        .map(|(id, ..)| id.to_owned())
        .collect();
    let mut forced = BTreeSet::new();
    // The groups have it, RDS shows nothing pending, and yet the server does not run with it.
    for need in &wanted {
        if !groups
            .iter()
            .any(|work| work.values.iter().any(|v| v.name == need.name))
        {
            let from = need.from.as_deref().unwrap_or("another value");
            notes.push(format!(
                "{} is {from} on the server, although the parameter group has {} and RDS shows no pending reboot",
                need.name,
                sight.given(need.name).unwrap_or("none"),
            ));
            forced.extend(blue.writer().map(|w| w.id.clone()));
        }
    }
    waiting.extend(forced.iter().cloned());
    for work in &groups {
        waiting.extend(sight.touched(work));
    }
    Ok(Preparation {
        subject: blue.id().to_owned(),
        engine: facts.engine,
        source,
        target_version: asked.target,
        replication,
        group: sight.name.clone(),
        reboots: reboots::turns(blue, &waiting),
        blue: groups,
        forced: forced.into_iter().collect(),
        target,
        unknown,
        notes,
    })
}

/// Blue's groups.
struct Sight<'a> {
    rds: &'a RdsFacts,
    blue: &'a Topology,
    kind: Kind,
    /// The group that its settings come from.
    name: String,
    family: String,
    group: &'a ParameterGroup,
}

/// A value that blue is to have.
struct Need {
    name: &'static str,
    from: Option<String>,
    to: String,
    why: String,
}

impl<'a> Sight<'a> {
    fn of(rds: &'a RdsFacts, blue: &'a Topology, engine: Engine) -> Result<Self, NotKnown> {
        let key =
            RdsFacts::group_key(blue).ok_or_else(|| not_seen("the parameter group", "RDS names none"))?;
        let kind = if blue.cluster.is_some() {
            Kind::Cluster
        } else {
            Kind::Instance
        };
        let name = key.split_once(':').map_or("", |(_, name)| name).to_owned();
        let missing = || not_seen(format!("parameter group {name}"), "it was not read");
        let group = match rds.parameter_groups.get(&key).map(Fact::get) {
            Some(Ok(group)) => group.as_ref().ok_or_else(missing)?,
            Some(Err((_, why))) => return Err(not_seen(format!("parameter group {name}"), why)),
            None => return Err(missing()),
        };
        let major = blue.engine_version().map(|v| v.major).unwrap_or_default();
        let family = group.family.clone();
        let family = family.unwrap_or_else(|| format!("{}{major}", engine.api_name().unwrap_or("postgres")));
        Ok(Self {
            rds,
            blue,
            kind,
            name,
            family,
            group,
        })
    }

    fn other(&self, kind: Kind, name: &str) -> Option<&'a ParameterGroup> {
        self.rds.parameter_groups.get(&kind.key(name))?.known()?.as_ref()
    }

    /// The value that somebody set in an Aurora writer's own group, which wins over the cluster's.
    fn own_value(&self, instance: &'a Instance, name: &str) -> Option<&'a Parameter> {
        let group = instance.parameter_groups.first()?;
        let parameter = self.other(Kind::Instance, &group.name)?.parameters.get(name)?;
        (self.kind == Kind::Cluster && is_set(parameter)).then_some(parameter)
    }

    /// The value that the groups give, whether or not it is in force yet.
    fn given(&self, name: &str) -> Option<&'a str> {
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
    fn groups(&self, needs: &[Need]) -> Vec<GroupWork> {
        let mut all = vec![self.main(needs)];
        let main = all[0].name.clone();
        let mut others: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut moved = Vec::new();
        for instance in &self.blue.instances {
            let Some(applied) = instance.parameter_groups.first() else {
                continue;
            };
            if self.kind == Kind::Instance && applied.name == self.name {
                // A replica with the primary's default group goes along with it.
                if main != self.name && self.blue.writer().is_none_or(|w| w.id != instance.id) {
                    moved.push(Attach {
                        id: instance.id.clone(),
                        instead_of: applied.name.clone(),
                    });
                }
                continue;
            }
            let group = self.other(Kind::Instance, &applied.name);
            let here = needs.iter().filter_map(|need| {
                let parameter = match self.kind {
                    // Set in a member's own group it wins over the cluster's.
                    Kind::Cluster => self.own_value(instance, need.name)?,
                    Kind::Instance => NOT_BELOW_THE_PRIMARY
                        .contains(&need.name)
                        .then(|| group?.parameters.get(need.name))
                        .flatten()?,
                };
                let is = parameter.value.as_deref();
                let enough = match (is.and_then(|v| v.parse::<i64>().ok()), need.to.parse::<i64>()) {
                    (Some(is), Ok(to)) => is >= to,
                    _ => is == Some(need.to.as_str()),
                };
                (!enough).then(|| Value {
                    from: is.map(str::to_owned),
                    ..self.value(group, need)
                })
            });
            let here: Vec<Value> = here.collect();
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
            let family = self.other(Kind::Instance, &name).and_then(|g| g.family.clone());
            all.push(GroupWork {
                kind: Kind::Instance,
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
            let enough = match (value.map(str::parse::<i64>), need.to.parse::<i64>()) {
                // A limit that is higher already is never lowered.
                (Some(Ok(is)), Ok(to)) => is >= to,
                _ => value == Some(need.to.as_str()),
            };
            enough || need.to == "1" && is_on(value)
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
    fn touched(&self, work: &GroupWork) -> Vec<String> {
        let all = || self.blue.instances.iter();
        let attached = |i: &&Instance| work.attach.iter().any(|a| a.id == i.id);
        let uses = |i: &&Instance| i.parameter_groups.iter().any(|g| g.name == work.name);
        let waits = work.values.iter().any(|v| v.needs_reboot);
        match work.kind {
            Kind::Cluster if waits || !work.attach.is_empty() => all().map(|i| i.id.clone()).collect(),
            Kind::Cluster => Vec::new(),
            Kind::Instance => all()
                .filter(|i| attached(i) || waits && uses(i))
                .map(|i| i.id.clone())
                .collect(),
        }
    }
}

/// The values that blue is to have, beyond what its groups give; and what could not be looked at.
fn wanted(
    facts: &Facts,
    sight: &Sight<'_>,
    policy: &Policy,
    notes: &mut Vec<String>,
) -> (Vec<Need>, Vec<String>) {
    let mut needs = Vec::new();
    for &(check, name, value) in checks::fixed(facts.engine) {
        let given = sight.given(name);
        // Without a value in the group the engine's default holds, which is off for one and on for the other.
        let is_so = match name {
            "rds.logical_replication" => is_on(given) && (writer_waits(sight) || publishes(facts)),
            _ => given.is_none_or(|given| given == value),
        };
        if !is_so {
            needs.push(Need {
                name,
                from: given.map(str::to_owned),
                to: value.to_owned(),
                why: format!("blue has to publish ({check})"),
            });
        }
    }
    // The limits as they will be after the reboots, so that one that rests on another is weighed with its new value.
    let mut ahead = facts.clone();
    let situation = Situation::of(facts, Some(Phase::Create));
    let now = match checks::capacity(facts, &situation, policy) {
        Ok(now) => now,
        Err(unseen) => return (needs, unseen.iter().map(blind).collect()),
    };
    for limit in &now {
        let given = sight.given(limit.setting);
        let waits = writer_waits(sight);
        match given.map(str::parse::<i64>) {
            Some(Ok(given)) if waits => plan::set(&mut ahead, limit.setting, given),
            Some(Err(_)) if waits => notes.push(format!(
                "{} is the formula {} in the group: what it comes to after the reboot is not known here",
                limit.setting,
                given.unwrap_or_default()
            )),
            _ => {}
        }
    }
    let low = match plan::raised(&ahead, policy) {
        Ok(low) => low,
        Err(unseen) => return (needs, unseen.iter().map(blind).collect()),
    };
    needs.extend(low.into_iter().map(|low| Need {
        name: low.setting,
        from: Some(low.value.to_string()),
        to: low.advised.max(low.comfortable).to_string(),
        why: format!("{} ({})", low.arithmetic, low.check),
    }));
    (needs, Vec::new())
}

/// Whether the writer waits for a reboot, so that what is in force now says nothing.
fn writer_waits(sight: &Sight<'_>) -> bool {
    let writer = sight.blue.writer().map(|w| w.id.as_str());
    out_of_sync(sight.blue).iter().any(|(id, ..)| Some(*id) == writer)
}

/// Whether the server writes what a subscriber needs; what is not known does not speak against it.
fn publishes(facts: &Facts) -> bool {
    let settings = facts
        .blue
        .known()
        .and_then(|server| server.probes.get("settings")?.known());
    let row = settings.and_then(|rows| rows.rows.iter().find(|row| row.is_named("wal_level")));
    row.is_none_or(|row| row.text("setting").as_deref() == Some("logical"))
}

fn blind(unseen: &Unseen) -> String {
    format!(
        "whether slots, senders and workers suffice ({}: {})",
        unseen.subject, unseen.why
    )
}

/// Green's group: what carries over, by the plan, from blue's group as it will be.
fn target(
    rds: &RdsFacts,
    sight: &Sight<'_>,
    engine: Engine,
    version: PgVersion,
    asked: &Asked,
    needs: &[Need],
    notes: &mut Vec<String>,
) -> Result<Option<Target>, NotKnown> {
    if sight
        .blue
        .engine_version()
        .is_some_and(|v| v.major == version.major)
        && asked.target_group.is_none()
    {
        return Ok(None);
    }
    let name = asked
        .target_group
        .clone()
        .unwrap_or_else(|| plan::target_group(sight.blue.id(), version));
    let there = sight.other(sight.kind, &name);
    let mut ahead = rds.clone();
    let key = sight.kind.key(&sight.name);
    if let Some(Fact::Known(Some(group))) = ahead.parameter_groups.get_mut(&key) {
        for need in needs {
            if let Some(parameter) = group.parameters.get_mut(need.name) {
                parameter.value = Some(need.to.clone());
                parameter.source = Some("user".to_owned());
            }
        }
    }
    let order = Order {
        wanted: Wanted::Version(version),
        group: there.map(|_| name.clone()),
        limits: None,
        at: None,
    };
    let plan = plan::make(&ahead, engine, &order)?;
    if let Some(first) = plan.hops.first().filter(|hop| !hop.blue_green) {
        notes.push(format!(
            "the way to {} begins with an upgrade in place from {} to {}, which restarts the instances too and brings the \
             parameters into force: see `greenlight plan`",
            plan.target(),
            first.from,
            first.to
        ));
    }
    let groups = plan.groups;
    let mut target = Target {
        work: GroupWork {
            kind: sight.kind,
            name,
            family: groups.family,
            make: there.is_none(),
            values: Vec::new(),
            attach: Vec::new(),
        },
        there: 0,
        kept: Vec::new(),
        gone: Vec::new(),
        left_out: Vec::new(),
    };
    for setting in groups.values {
        let value = setting.value;
        if let Some(why) = setting.changed {
            target.left_out.push((setting.name.clone(), why));
        }
        let parameter = there.and_then(|group| group.parameters.get(&setting.name));
        let is = parameter.and_then(|p| p.value.clone());
        match setting.carried {
            Carried::Gone => target.gone.push(setting.name),
            Carried::There => target.there += 1,
            _ if is.as_ref() == Some(&value) => target.there += 1,
            Carried::Differs { there } if parameter.is_some_and(is_set) => {
                target.kept.push((setting.name, value, there));
            }
            Carried::Set | Carried::Unknown | Carried::Differs { .. } => target.work.values.push(Value {
                // Nobody uses the group yet, so that no server has to be told at once.
                needs_reboot: true,
                from: is,
                why: "as blue has it".to_owned(),
                to: value,
                name: setting.name,
            }),
        }
    }
    Ok(Some(target))
}
