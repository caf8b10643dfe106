//! The new production carries blue's names.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{DeploymentStatus, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// `NAME-green-xxxxxx`: six letters or digits.
fn is_green(id: &str) -> bool {
    id.rsplit_once("-green-")
        .is_some_and(|(_, tail)| tail.len() == 6 && tail.chars().all(|c| c.is_ascii_alphanumeric()))
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let deployment = plane.deployment()?;
    if deployment.status != DeploymentStatus::SwitchoverCompleted {
        return Ok(Verdict::skip("the deployment has not been switched over"));
    }
    let production = plane.green()?;
    let writer = production.writer().map(|w| w.id.as_str());
    let mut judgement = Judgement::new();
    let cluster = production.cluster.iter().map(|c| (c.id.as_str(), true));
    let instances = production
        .instances
        .iter()
        .map(|i| (i.id.as_str(), Some(i.id.as_str()) == writer));
    for (id, decisive) in cluster.chain(instances).filter(|(id, _)| is_green(id)) {
        judgement.find(
            Finding::new(id, format!("{id} still has its green name: its blue counterpart keeps the old one"))
                .on(Side::Rds)
                .at(if decisive { Level::Blocker } else { Level::Warning }),
        );
    }
    Ok(judgement.done())
}
