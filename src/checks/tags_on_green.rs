//! Green carries no tags that the switchover will replace.

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
    let (blue, green) = (plane.blue()?, plane.green()?);
    let mut judgement = Judgement::new();
    let mut pairs = Vec::new();
    if let (Some(ours), Some(theirs)) = (&blue.cluster, &green.cluster) {
        pairs.push((&ours.tags, &theirs.id, &theirs.tags));
    } else if let (Some(ours), Some(theirs)) = (blue.instances.first(), green.instances.first()) {
        pairs.push((&ours.tags, &theirs.id, &theirs.tags));
    }
    for (ours, id, theirs) in pairs {
        for (key, value) in theirs.iter().filter(|(key, _)| !key.starts_with("aws:")) {
            if ours.get(key) != Some(value) {
                judgement.find(
                    Finding::new(format!("{id}/{key}"), format!("tag {key} of {id} is replaced by blue's at the switchover"))
                        .on(Side::Rds)
                        .evidence("green", value.as_str())
                        .evidence("blue", ours.get(key).map(String::as_str)),
                );
            }
        }
    }
    Ok(judgement.done())
}
