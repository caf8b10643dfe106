//! No reader was made by Auto Scaling.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    for instance in blue.instances.iter().filter(|i| i.id.starts_with("application-autoscaling-")) {
        judgement.find(
            Finding::new(&instance.id, format!("{} was added by a scaling policy, which green will not have", instance.id))
                .on(Side::Rds)
                .fix(format!(
                    "aws application-autoscaling describe-scalable-targets --service-namespace rds --resource-ids \
                     cluster:{} --region {}",
                    blue.id(),
                    plane.rds.region
                )),
        );
    }
    Ok(judgement.done_with("a policy that has added no reader shows only in Application Auto Scaling".to_owned()))
}
