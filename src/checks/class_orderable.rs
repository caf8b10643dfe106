//! The instance classes exist on the target version.

use std::collections::BTreeSet;

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::Fact,
    model::{Engine, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let target = plane.target()?;
    let classes: BTreeSet<&str> = blue.instances.iter().map(|i| i.class.as_str()).collect();
    let mut judgement = Judgement::new();
    for class in &classes {
        let part = format!("rds.orderable_on_target.{class}");
        match plane.rds.orderable_on_target.get(*class).map(Fact::get) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => judgement.find(
                Finding::new(*class, format!("{class} cannot be had with {target}"))
                    .on(Side::Rds)
                    .fix(plane.aws(format!(
                        "describe-orderable-db-instance-options --engine {} --engine-version {target} --query \
                         'OrderableDBInstanceOptions[].DBInstanceClass'",
                        ctx.situation.engine.api_name().unwrap_or("postgres")
                    ))),
            ),
            Some(Err((why, detail))) => judgement.unseen(part, format!("{why}: {detail}")),
            None => judgement.unseen(part, "not collected"),
        }
        if ctx.situation.engine != Engine::Rds {
            continue;
        }
        let part = format!("rds.orderable_on_source.{class}");
        match plane.rds.orderable_on_source.get(*class).map(Fact::get) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => judgement.find(
                Finding::new(
                    format!("{class}/source"),
                    format!("{class} is not offered with blue's version (any more), on which green is first built"),
                )
                .on(Side::Rds)
                .at(Level::Warning),
            ),
            Some(Err((why, detail))) => judgement.unseen(part, format!("{why}: {detail}")),
            None => judgement.unseen(part, "not collected"),
        }
    }
    Ok(judgement.done())
}
