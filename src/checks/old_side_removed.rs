//! Nothing of the old side is left.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{DeploymentStatus, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let deployment = plane.deployment()?;
    if deployment.status != DeploymentStatus::SwitchoverCompleted {
        return Ok(Verdict::skip("the deployment has not been switched over"));
    }
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    if blue.cluster.is_none() && blue.instances.is_empty() {
        return Ok(judgement.done());
    }
    let id = blue.id();
    let mut steps = Vec::new();
    let resource = match &blue.cluster {
        Some(cluster) => {
            steps.push(format!(
                "create-db-cluster-snapshot --db-cluster-identifier {id} --db-cluster-snapshot-identifier {id}-final"
            ));
            cluster.resource_id.as_str()
        }
        None => {
            steps.push(format!(
                "create-db-snapshot --db-instance-identifier {id} --db-snapshot-identifier {id}-final"
            ));
            blue.instances.first().map_or("", |i| &i.resource_id)
        }
    };
    // Without --delete-target: after the swap the target is production.
    steps.push(format!(
        "delete-blue-green-deployment --blue-green-deployment-identifier {}",
        deployment.id
    ));
    if blue.cluster.as_ref().is_some_and(|c| c.deletion_protection) {
        steps.push(format!("modify-db-cluster --db-cluster-identifier {id} --no-deletion-protection"));
    }
    for instance in blue.instances.iter().rev() {
        if instance.deletion_protection {
            steps.push(format!(
                "modify-db-instance --db-instance-identifier {} --no-deletion-protection",
                instance.id
            ));
        }
        let snapshot = if blue.cluster.is_none() { " --skip-final-snapshot" } else { "" };
        steps.push(format!("delete-db-instance --db-instance-identifier {}{snapshot}", instance.id));
    }
    if blue.cluster.is_some() {
        steps.push(format!("delete-db-cluster --db-cluster-identifier {id} --skip-final-snapshot"));
    }
    let commands: Vec<String> = steps.into_iter().map(|step| plane.aws(step)).collect();
    judgement.find(
        Finding::new(id, format!("{id} is still there and costs as before"))
            .on(Side::Rds)
            .fix(commands.join("\n"))
            .evidence("resource id, for point-in-time restore", resource),
    );
    Ok(judgement.done())
}
