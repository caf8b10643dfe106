//! No zero-ETL integration hangs on blue or green.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{Phase, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let mut judgement = Judgement::new();
    for integration in plane.known("integrations", &plane.rds.integrations)? {
        let leaving = integration.status == "deleting";
        let blocks = ctx.situation.phase != Phase::Create && !leaving;
        let message = match leaving {
            true => format!("zero-ETL integration {} is being deleted: wait until it is gone", integration.name),
            false => format!("zero-ETL integration {} must not exist at the switchover", integration.name),
        };
        let identifier = integration.arn.as_ref().unwrap_or(&integration.name);
        judgement.find(
            Finding::new(&integration.name, message)
                .on(Side::Rds)
                .at(if blocks { Level::Blocker } else { Level::Warning })
                .fix(plane.aws(format!("delete-integration --integration-identifier {identifier}")))
                .evidence("source", integration.source.as_str())
                .evidence("status", integration.status.as_str()),
        );
    }
    Ok(judgement.done())
}
