//! Every member of blue has a green counterpart that can be switched over.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::Member,
    model::{DeploymentStatus, MemberStatus, Phase, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn name(member: &Member) -> &str {
    let arn = member.source.as_ref().or(member.target.as_ref());
    arn.map_or("a member without ARN", |arn| arn.name())
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let deployment = plane.deployment()?;
    let (blue, green) = (plane.blue()?, plane.green()?);
    let verify = ctx.situation.phase == Phase::Verify;
    let mut judgement = Judgement::new();
    let details = plane.aws(format!(
        "describe-blue-green-deployments --blue-green-deployment-identifier {} --query \
         'BlueGreenDeployments[].SwitchoverDetails'",
        deployment.id
    ));
    for member in &deployment.members {
        let Some(status) = &member.status else {
            judgement.unseen(name(member), "the API gives no status for it");
            continue;
        };
        let (message, level) = match status {
            MemberStatus::SwitchoverCompleted if verify => continue,
            MemberStatus::Available if !verify => continue,
            MemberStatus::Available => ("has not been switched over", Level::Blocker),
            MemberStatus::SwitchoverCompleted => ("has been switched over already", Level::Blocker),
            MemberStatus::Provisioning => ("has a green counterpart that is still being made", Level::Blocker),
            MemberStatus::SwitchoverInProgress => ("is being switched over", Level::Blocker),
            MemberStatus::SwitchoverFailed if deployment.status == DeploymentStatus::Available => (
                "was part of a switchover that was rolled back: find the cause before the next attempt",
                Level::Warning,
            ),
            MemberStatus::SwitchoverFailed => ("failed to switch over", Level::Blocker),
            MemberStatus::MissingSource => ("is gone from blue", Level::Blocker),
            MemberStatus::MissingTarget => ("has lost its green counterpart", Level::Blocker),
            MemberStatus::Other(text) => {
                judgement.unseen(name(member), format!("this greenlight does not know the status {text}"));
                continue;
            }
        };
        let mut finding = Finding::new(name(member), format!("{} {message}", name(member)))
            .on(Side::Rds)
            .at(level)
            .fix(&details)
            .evidence("status", status.to_string());
        if let Some(target) = &member.target {
            finding = finding.evidence("target", target.as_str());
        }
        judgement.find(finding);
    }
    // While green is made the list is not complete, and after the switchover instances may come and go.
    if deployment.status == DeploymentStatus::Available && !verify {
        for instance in &blue.instances {
            if !deployment.members.iter().any(|m| m.source.as_ref() == Some(&instance.arn)) {
                let message = format!("{} is no member of the deployment and stays on the old side", instance.id);
                judgement.find(Finding::new(&instance.id, message).on(Side::Rds).at(Level::Warning));
            }
        }
        for instance in &green.instances {
            if !deployment.members.iter().any(|m| m.target.as_ref() == Some(&instance.arn)) {
                let message = format!("{} was added to green: it joins production and replaces nothing", instance.id);
                judgement.find(Finding::new(&instance.id, message).on(Side::Rds).at(Level::Notice));
            }
        }
    }
    if deployment.members.is_empty() {
        judgement.unseen(&deployment.id, "the API lists no members of the deployment");
    }
    Ok(judgement.done())
}
