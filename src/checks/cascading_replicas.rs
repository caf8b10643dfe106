//! No replica has replicas of its own.

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
    for replica in blue.instances.iter().skip(1).filter(|i| !i.read_replicas.is_empty()) {
        let under = replica.read_replicas.join(", ");
        let fixes: Vec<String> = replica
            .read_replicas
            .iter()
            .map(|id| plane.aws(format!("delete-db-instance --db-instance-identifier {id} --skip-final-snapshot")))
            .collect();
        judgement.find(
            Finding::new(&replica.id, format!("replica {} has replicas of its own: {under}", replica.id))
                .on(Side::Rds)
                .fix(fixes.join("\n")),
        );
    }
    Ok(judgement.done())
}
