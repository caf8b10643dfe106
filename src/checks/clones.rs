//! Green can be made as a clone.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// Blue itself and fifteen clones.
const MOST: u32 = 15;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let mut judgement = Judgement::new();
    match plane.known("clones", &plane.rds.clones)? {
        None => return Ok(judgement.done_with("the cluster belongs to no clone group".to_owned())),
        Some(count) if *count > MOST => judgement.find(
            Finding::new("clones", format!("{count} clusters share blue's volume: green would be a full copy"))
                .on(Side::Rds)
                .evidence("clusters of the clone group", *count),
        ),
        Some(_) => {}
    }
    Ok(judgement.done())
}
