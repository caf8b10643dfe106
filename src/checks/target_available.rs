//! Green and all its instances are available.

use super::{
    Ctx,
    plane::{Plane, answer, is_stuck, is_usable},
};
use crate::{
    model::{ResourceKind, Side},
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
        let (state, wait) = state(&cluster.status);
        let fix = match wait {
            true => plane.aws(format!("wait db-cluster-available --db-cluster-identifier {}", cluster.id)),
            false => plane.events_of(ResourceKind::Cluster, &cluster.id),
        };
        judgement.find(
            Finding::new(&cluster.id, format!("cluster {} is {state}", cluster.id))
                .on(Side::Rds)
                .fix(fix)
                .evidence("status", cluster.status.as_str()),
        );
    }
    for instance in &green.instances {
        let id = &instance.id;
        let loading = instance.status == "storage-initialization"
            || instance.storage_status.as_deref() == Some("Initializing");
        let finding = if !is_usable(&instance.status) {
            let (state, wait) = state(&instance.status);
            let fix = match wait {
                true => plane.aws(format!("wait db-instance-available --db-instance-identifier {id}")),
                false => plane.events_of(ResourceKind::Instance, id),
            };
            Finding::new(id, format!("instance {id} is {state}")).fix(fix)
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

/// A status with what it means for green, and whether it passes by itself.
fn state(status: &str) -> (String, bool) {
    match status {
        // <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-creating.html>
        "storage-config-upgrade" => {
            let means = "its storage is laid out anew, replication pauses, and blue keeps the log for so long";
            (format!("{status}: {means}"), true)
        }
        _ if is_stuck(status) => (format!("{status}, which does not pass by itself"), false),
        _ => (status.to_owned(), true),
    }
}
