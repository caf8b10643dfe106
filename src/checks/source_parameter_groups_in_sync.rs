//! What blue's parameter groups say is in force on its instances.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::Topology,
    model::{Replication, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

/// Instances that do not run with what their groups say: instance, group, state, and whether RDS insists on it.
pub(crate) fn out_of_sync(side: &Topology) -> Vec<(&str, &str, &str, bool)> {
    let mut out = Vec::new();
    if let Some(cluster) = &side.cluster {
        for member in &cluster.members {
            out.push((
                member.instance_id.as_str(),
                cluster.parameter_group.as_str(),
                member.parameter_group_status.as_str(),
                member.writer,
            ));
        }
    }
    for (position, instance) in side.instances.iter().enumerate() {
        for group in &instance.parameter_groups {
            let decisive = side.cluster.is_none() && position == 0;
            out.push((instance.id.as_str(), group.name.as_str(), group.status.as_str(), decisive));
        }
    }
    out.retain(|(_, _, status, _)| *status != "in-sync");
    out
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let physical = ctx.situation.replication == Some(Replication::Physical);
    let mut judgement = Judgement::new();
    for (instance, group, status, decisive) in out_of_sync(blue) {
        let fix = match status {
            "applying" => plane.aws(format!("wait db-instance-available --db-instance-identifier {instance}")),
            _ => plane.reboot(instance),
        };
        judgement.find(
            Finding::new(format!("{instance}/{group}"), format!("{instance} is not in sync with parameter group {group}: {status}"))
                .on(Side::Rds)
                .at(if decisive && !physical { Level::Blocker } else { Level::Warning })
                .fix(fix)
                .evidence("parameter group", group)
                .evidence("status", status),
        );
    }
    Ok(judgement.done())
}
