//! Blue does not belong to another deployment yet.

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
    let mut judgement = Judgement::new();
    if let Some(deployment) = plane.known("deployment", &plane.rds.deployment)? {
        let object = plane.aws(format!(
            "delete-blue-green-deployment --blue-green-deployment-identifier {}",
            deployment.id
        ));
        let (advice, fix) = match deployment.status {
            DeploymentStatus::SwitchoverCompleted => {
                ("it is completed: delete it without --delete-target, for its target is production", object)
            }
            _ => ("delete it together with its green side, or use it", plane.start_over(deployment)),
        };
        judgement.find(
            Finding::new(&deployment.id, format!("deployment {} exists already; {advice}", deployment.name))
                .on(Side::Rds)
                .fix(fix)
                .evidence("status", deployment.status.to_string()),
        );
    }
    Ok(judgement.done())
}
