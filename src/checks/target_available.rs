//! Green and all its instances are available.

use super::{
    Ctx,
    plane::{Plane, answer, is_usable},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let deployment = plane.deployment()?;
    let mut judgement = Judgement::new();
    let Some(green) = plane.green_if_any()? else {
        let message = format!("deployment {} has no green environment (yet)", deployment.name);
        judgement.find(Finding::new(&deployment.id, message).on(Side::Rds));
        return Ok(judgement.done());
    };
    if let Some(cluster) = &green.cluster
        && !is_usable(&cluster.status)
    {
        judgement.find(
            Finding::new(&cluster.id, format!("cluster {} is {}", cluster.id, cluster.status))
                .on(Side::Rds)
                .fix(plane.aws(format!(
                    "wait db-cluster-available --db-cluster-identifier {}",
                    cluster.id
                )))
                .evidence("status", cluster.status.as_str()),
        );
    }
    for instance in &green.instances {
        let id = &instance.id;
        let loading = instance.status == "storage-initialization"
            || instance.storage_status.as_deref() == Some("Initializing");
        let finding = if !is_usable(&instance.status) {
            Finding::new(id, format!("instance {id} is {}", instance.status))
                .fix(plane.aws(format!("wait db-instance-available --db-instance-identifier {id}")))
        } else if loading {
            Finding::new(id, format!("the storage of {id} is still being loaded from its snapshot, blocks are slow"))
                .at(Level::Warning)
        } else {
            continue;
        };
        judgement.find(finding.on(Side::Rds).evidence("status", instance.status.as_str()));
    }
    Ok(judgement.done())
}
