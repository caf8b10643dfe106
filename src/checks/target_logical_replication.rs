//! Green's parameter group keeps logical replication on.

use super::{
    Ctx,
    plane::{Plane, answer, bare, is_on, value},
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
    let group = plane.target_group()?;
    let key = group.key().unwrap_or_default();
    let mut judgement = Judgement::new();
    // Every default group has it off, whether it could be read or not.
    let on = !group.is_default() && is_on(value(plane.target_parameters()?, "rds.logical_replication"));
    if !on {
        let name = match bare(key) {
            "" => "the default group",
            name => name,
        };
        let mut finding = Finding::new(name, format!("rds.logical_replication is off in {name}")).on(Side::Rds);
        if !group.is_default() {
            finding = finding.fix(plane.set_parameter(key, "rds.logical_replication", "1", "pending-reboot"));
        }
        judgement.find(finding);
    }
    Ok(judgement.done())
}
