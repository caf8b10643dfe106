//! No replica is delayed on purpose.

use super::{
    Ctx,
    plane::{Plane, answer, value},
};
use crate::{
    model::{Replication, ResourceKind, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

const NAME: &str = "recovery_min_apply_delay";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    for replica in blue.instances.iter().skip(1) {
        let Some(group) = replica.parameter_groups.first() else {
            judgement.unseen(&replica.id, "its parameter group is not known");
            continue;
        };
        let parameters = plane.existing_group(&ResourceKind::Instance.group_key(&group.name))?;
        let Some(delay) = value(parameters, NAME).filter(|delay| *delay != "0") else {
            continue;
        };
        let physical = ctx.situation.replication == Some(Replication::Physical);
        judgement.find(
            Finding::new(&replica.id, format!("{} is delayed by {NAME} = {delay} (ms)", replica.id))
                .on(Side::Rds)
                .at(if physical { Level::Notice } else { Level::Blocker })
                .fix(plane.aws(format!(
                    "reset-db-parameter-group --db-parameter-group-name {} --parameters \
                     ParameterName={NAME},ApplyMethod=immediate",
                    group.name
                ))),
        );
    }
    Ok(judgement.done())
}
