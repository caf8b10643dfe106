//! The master password is not managed by Secrets Manager.

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
    let managed = match &blue.cluster {
        Some(cluster) => cluster.managed_password,
        None => blue.instances.first().is_some_and(|i| i.managed_password),
    };
    let mut judgement = Judgement::new();
    if managed {
        judgement.find(
            Finding::new(blue.id(), format!("Secrets Manager manages the master password of {}", blue.id()))
                .on(Side::Rds)
                .fix(plane.modify(
                    blue,
                    "--no-manage-master-user-password --master-user-password \"$PASSWORD\" --apply-immediately",
                )),
        );
    }
    Ok(judgement.done())
}
