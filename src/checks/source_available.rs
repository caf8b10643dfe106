//! Blue and all its instances are available.

use super::{
    Ctx,
    plane::{Plane, answer, is_stuck, is_usable},
};
use crate::{
    model::{Phase, ResourceKind, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    if let Some(cluster) = &blue.cluster
        && !is_usable(&cluster.status)
    {
        let fix = match cluster.status.as_str() {
            "stopped" => plane.aws(format!("start-db-cluster --db-cluster-identifier {}", cluster.id)),
            stuck if is_stuck(stuck) => plane.events_of(ResourceKind::Cluster, &cluster.id),
            _ => plane.aws(format!("wait db-cluster-available --db-cluster-identifier {}", cluster.id)),
        };
        judgement.find(
            Finding::new(&cluster.id, format!("cluster {} is {}", cluster.id, cluster.status))
                .on(Side::Rds)
                .fix(fix)
                .evidence("status", cluster.status.as_str()),
        );
    }
    let writer = blue.writer().map(|i| i.id.as_str());
    for instance in blue.instances.iter().filter(|i| !is_usable(&i.status)) {
        let fix = match (instance.status.as_str(), &blue.cluster) {
            ("stopped", None) => plane.aws(format!("start-db-instance --db-instance-identifier {}", instance.id)),
            (stuck, _) if is_stuck(stuck) => plane.events_of(ResourceKind::Instance, &instance.id),
            _ => plane.aws(format!("wait db-instance-available --db-instance-identifier {}", instance.id)),
        };
        let spared = ctx.situation.phase == Phase::Create && writer != Some(instance.id.as_str());
        judgement.find(
            Finding::new(&instance.id, format!("instance {} is {}", instance.id, instance.status))
                .on(Side::Rds)
                .at(if spared { Level::Warning } else { Level::Blocker })
                .fix(fix)
                .evidence("status", instance.status.as_str()),
        );
    }
    Ok(judgement.done())
}
