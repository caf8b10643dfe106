//! The deployment is in a state from which RDS goes on.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::Deployment,
    model::{DeploymentStatus, Phase, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let mut judgement = Judgement::new();
    let verify = ctx.situation.phase == Phase::Verify;
    let Some(deployment) = plane.known("deployment", &plane.rds.deployment)? else {
        let message = match verify {
            true => "there is no blue/green deployment (any more) whose switchover could be verified",
            false => "there is no blue/green deployment to switch over",
        };
        judgement.find(Finding::new("deployment", message).on(Side::Rds));
        return Ok(judgement.done());
    };
    let watch = plane.aws(format!(
        "describe-blue-green-deployments --blue-green-deployment-identifier {}",
        deployment.id
    ));
    let start_over = plane.start_over(deployment);
    let (message, fix) = match &deployment.status {
        DeploymentStatus::SwitchoverCompleted if verify => return Ok(judgement.done()),
        DeploymentStatus::Available if !verify => match degraded(deployment) {
            true => ("reports degraded replication and cannot be switched over any more", start_over),
            false => return Ok(judgement.done()),
        },
        DeploymentStatus::Available => ("has not been switched over", watch),
        DeploymentStatus::Provisioning => ("is still being created", watch),
        DeploymentStatus::SwitchoverInProgress => ("is being switched over at this moment", watch),
        DeploymentStatus::SwitchoverCompleted => ("has been switched over already", watch),
        DeploymentStatus::SwitchoverFailed => (
            "failed to switch over; whether RDS takes another attempt is not documented: find the cause first",
            watch,
        ),
        DeploymentStatus::InvalidConfiguration => {
            ("has an invalid configuration, from which it does not recover (RDS may refuse to delete it as well)", start_over)
        }
        DeploymentStatus::Deleting => ("is being deleted", watch),
        DeploymentStatus::Other(text) => {
            return Ok(Verdict::unknown(
                &deployment.id,
                format!("this greenlight does not know the status {text}"),
            ));
        }
    };
    let mut finding = Finding::new(&deployment.id, format!("deployment {} {message}", deployment.name))
        .on(Side::Rds)
        .fix(fix)
        .evidence("status", deployment.status.to_string());
    if let Some(details) = &deployment.status_details {
        finding = finding.evidence("status details", details.as_str());
    }
    judgement.find(finding);
    Ok(judgement.done())
}

/// Free text: whether it carries `REPLICATION_DEGRADED` is not documented, but if it does it must not be missed.
fn degraded(deployment: &Deployment) -> bool {
    deployment
        .status_details
        .as_deref()
        .is_some_and(|text| text.to_ascii_lowercase().contains("degraded"))
}
