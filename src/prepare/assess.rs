//! From facts to a preparation.

use std::collections::BTreeSet;

use super::{
    GroupWork, Preparation, Target, Value, reboots,
    sight::{Need, Sight},
};
use crate::{
    checks::{self, is_on, is_set, out_of_sync},
    facts::{Fact, Facts, rds::RdsFacts},
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

pub(super) fn not_seen(what: impl Into<String>, why: impl Into<String>) -> NotKnown {
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
    let replication = match asked.target {
        Some(target) => Replication::of(facts.engine, source, target),
        None => Replication::Logical,
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
            _ => given.is_none_or(|given| checks::same_value(given, value)),
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
    let key = sight.kind.group_key(&sight.name);
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
