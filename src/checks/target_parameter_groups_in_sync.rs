//! What green's parameter groups say is in force on its instances.

use super::{
    Ctx,
    plane::{Plane, answer},
    source_parameter_groups_in_sync::out_of_sync,
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
    let mut judgement = Judgement::new();
    for (instance, group, status, _) in out_of_sync(plane.green()?) {
        judgement.find(
            Finding::new(format!("{instance}/{group}"), format!("{instance} is not in sync with parameter group {group}: {status}"))
                .on(Side::Rds)
                .fix(plane.reboot(instance))
                .evidence("parameter group", group)
                .evidence("status", status),
        );
    }
    Ok(judgement.done())
}
