//! Green is encrypted as blue is.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::Topology,
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// Whether the storage is encrypted, and the key.
fn encryption(side: &Topology) -> Option<(bool, Option<&str>)> {
    match &side.cluster {
        Some(cluster) => Some((cluster.storage_encrypted, cluster.kms_key_id.as_deref())),
        None => side
            .instances
            .first()
            .map(|i| (i.storage_encrypted, i.kms_key_id.as_deref())),
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let (blue, green) = (plane.blue()?, plane.green()?);
    let (Some(ours), Some(theirs)) = (encryption(blue), encryption(green)) else {
        return Ok(Verdict::skip("one side is gone"));
    };
    let mut judgement = Judgement::new();
    if ours != theirs {
        let message = match (ours.0, theirs.0) {
            (true, false) => "green is not encrypted and blue is",
            (false, true) => "green is encrypted and blue is not",
            _ => "green is encrypted with another key than blue",
        };
        judgement.find(
            Finding::new(green.id(), message)
                .on(Side::Rds)
                .evidence("blue's key", ours.1)
                .evidence("green's key", theirs.1),
        );
    }
    Ok(judgement.done())
}
