//! All instances or none have a dedicated log volume.

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
    if blue.instances.iter().any(|i| i.dedicated_log_volume) {
        for instance in blue.instances.iter().filter(|i| !i.dedicated_log_volume) {
            judgement.find(
                Finding::new(
                    &instance.id,
                    format!("{} has no dedicated log volume, others of blue have one", instance.id),
                )
                .on(Side::Rds)
                .fix(plane.aws(format!(
                    "modify-db-instance --db-instance-identifier {} --dedicated-log-volume --apply-immediately",
                    instance.id
                ))),
            );
        }
    }
    Ok(judgement.done())
}
