//! Automated backups of blue are on.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{Replication, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    match blue.instances.first().map(|i| (&i.id, i.backup_retention_days)) {
        None => judgement.unseen("rds.blue", "the instance is not known"),
        Some((id, None)) => judgement.unseen(id, "the API gives no backup retention"),
        Some((id, Some(0))) => {
            let level = match ctx.situation.replication {
                Some(Replication::Logical) => Level::Warning,
                Some(Replication::Physical) => Level::Blocker,
                None => {
                    return Ok(Verdict::unknown(
                        id,
                        "automated backups are off, which a minor upgrade forbids: give --target-version",
                    ));
                }
            };
            judgement.find(
                Finding::new(id, format!("automated backups of {id} are off"))
                    .on(Side::Rds)
                    .at(level)
                    .fix(plane.modify(blue, "--backup-retention-period 7 --apply-immediately")),
            );
        }
        Some(_) => {}
    }
    Ok(judgement.done())
}
