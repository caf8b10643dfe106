//! No parameter group holds a value that harms replication or the new production.

use super::{
    Ctx,
    plane::{Plane, TargetGroup, answer, is_default_group, is_on, is_set, same_value},
};
use crate::{
    facts::rds::{ParameterGroup, Topology},
    model::{Engine, Replication, ResourceKind, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// A rule: parameter, side, when it holds, whether the value harms, how bad, what happens.
struct Rule {
    name: &'static str,
    side: Side,
    holds: fn(&Ctx<'_>) -> bool,
    harms: fn(&str) -> bool,
    level: Level,
    effect: &'static str,
}

const RULES: [Rule; 6] = [
    Rule {
        name: "synchronous_commit",
        side: Side::Blue,
        holds: |ctx| ctx.situation.engine == Engine::Aurora,
        harms: |value| !same_value(value, "on"),
        level: Level::Blocker,
        effect: "the source of a deployment needs `on`",
    },
    Rule {
        name: "max_slot_wal_keep_size",
        side: Side::Blue,
        holds: |ctx| ctx.situation.replication != Some(Replication::Physical),
        harms: |value| value.trim() != "-1",
        level: Level::Warning,
        effect: "a slot that falls behind this far is dropped, and green is lost with it",
    },
    Rule {
        name: "aurora.enhanced_logical_replication",
        side: Side::Blue,
        holds: |_| true,
        harms: |value| is_on(Some(value)),
        level: Level::Notice,
        effect: "do not change it while the deployment lives: that invalidates every slot",
    },
    Rule {
        name: "session_replication_role",
        side: Side::Blue,
        holds: |_| true,
        harms: |value| same_value(value, "replica"),
        level: Level::Warning,
        effect: "triggers and foreign keys are off for every session",
    },
    Rule {
        name: "session_replication_role",
        side: Side::Green,
        holds: |_| true,
        harms: |value| same_value(value, "replica"),
        level: Level::Warning,
        effect: "triggers and foreign keys are off for every session of the new production",
    },
    Rule {
        name: "default_transaction_read_only",
        side: Side::Green,
        holds: |_| true,
        harms: |value| is_on(Some(value)),
        level: Level::Warning,
        effect: "the new production would refuse writes by default",
    },
];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

/// A group and its key.
type Group<'a> = (String, &'a ParameterGroup);

/// The groups that give a side its values, the one that wins first: of an Aurora cluster the writer's own, then the
/// cluster's. Nothing is set in a default group of the writer, whether it could be read or not.
fn groups<'a>(plane: Plane<'a>, side: &Topology, key: String) -> Result<Vec<Group<'a>>, Verdict> {
    let mut keys = Vec::new();
    if side.cluster.is_some() {
        keys.push(plane.writers_group_key(side)?);
    }
    keys.retain(|own| !is_default_group(own));
    keys.push(key);
    keys.into_iter()
        .map(|key| plane.existing_group(&key).map(|group| (key, group)))
        .collect()
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let mut judgement = Judgement::new();
    let blue = groups(plane, plane.blue()?, plane.blue_group_key()?)?;
    weigh(ctx, plane, &mut judgement, Side::Blue, &blue);
    let green = match (plane.target_group()?, plane.green_if_any()?) {
        (TargetGroup::Green(key), Some(green)) => groups(plane, green, key)?,
        // The same groups were weighed as blue's; the rules for green hold all the same.
        (TargetGroup::Blue(_), _) => blue,
        (TargetGroup::Named(key), _) if plane.carries_instance_groups()? => groups(plane, plane.blue()?, key)?,
        // Nothing is set in a default group.
        (group, _) if group.is_default() => Vec::new(),
        (group, _) => match group.key() {
            Some(key) => vec![(key.to_owned(), plane.existing_group(key)?)],
            None => Vec::new(),
        },
    };
    weigh(ctx, plane, &mut judgement, Side::Green, &green);
    Ok(judgement.done())
}

fn weigh(ctx: &Ctx<'_>, plane: Plane<'_>, judgement: &mut Judgement, side: Side, groups: &[Group<'_>]) {
    for rule in RULES.iter().filter(|rule| rule.side == side && (rule.holds)(ctx)) {
        let set = groups.iter().find_map(|(key, group)| {
            let parameter = group.parameters.get(rule.name).filter(|p| is_set(p))?;
            Some((key, parameter))
        });
        let Some((key, parameter)) = set else { continue };
        let value = parameter.value.as_deref().unwrap_or_default();
        // An empty text sets nothing.
        if value.trim().is_empty() || !(rule.harms)(value) {
            continue;
        }
        let (kind, name) = ResourceKind::of_group(key);
        let group = kind.group();
        let apply = match parameter.apply_type.as_deref() {
            Some("dynamic") => "immediate",
            _ => "pending-reboot",
        };
        judgement.find(
            Finding::new(
                format!("{side}/{}", rule.name),
                format!("{} is {value} in {name}: {}", rule.name, rule.effect),
            )
            .on(Side::Rds)
            .at(rule.level)
            .fix(plane.aws(format!(
                "reset-{group} --{group}-name {name} --parameters ParameterName={},ApplyMethod={apply}",
                rule.name
            )))
            .evidence("parameter group", name),
        );
    }
}
