//! Blue will not overtake green.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{PgVersion, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let (blue, green) = (plane.blue()?, plane.green()?);
    let source = plane.source()?;
    let Some(limit) = green.engine_version() else {
        return Ok(Verdict::unknown("rds.green", "its version is not known"));
    };
    let mut judgement = Judgement::new();
    if source > limit {
        judgement.find(
            Finding::new(blue.id(), format!("blue runs {source}, which is newer than green's {limit}")).on(Side::Rds),
        );
    }
    let cluster = blue.cluster.iter().map(|c| (&c.id, &c.pending_engine_version));
    let instances = blue.instances.iter().map(|i| (&i.id, &i.pending_engine_version));
    for (id, pending) in cluster.chain(instances) {
        let Some(pending) = pending else { continue };
        let beyond = pending.parse::<PgVersion>().is_ok_and(|version| version > limit);
        judgement.find(
            Finding::new(format!("{id}/pending"), format!("{id} waits to be upgraded to {pending}, green runs {limit}"))
                .on(Side::Rds)
                .at(if beyond { Level::Blocker } else { Level::Warning })
                .evidence("pending", pending.as_str()),
        );
    }
    Ok(judgement.done())
}
