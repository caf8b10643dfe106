//! Names leave room for what RDS appends.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// 63 less `-green-xxxxxx`.
const LONGEST_GREEN: usize = 50;
/// 63 less `-old1`.
const LONGEST_OLD: usize = 58;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    let cluster = blue.cluster.iter().map(|c| &c.id);
    for id in cluster.chain(blue.instances.iter().map(|i| &i.id)) {
        let length = id.chars().count();
        if length <= LONGEST_GREEN {
            continue;
        }
        let (level, suffix) = match length <= LONGEST_OLD {
            true => (Level::Notice, "-green-xxxxxx"),
            false => (Level::Warning, "-old1"),
        };
        judgement.find(
            Finding::new(id, format!("{id} has {length} characters: with {suffix} it passes 63"))
                .on(Side::Rds)
                .at(level)
                .evidence("length", length as u64),
        );
    }
    Ok(judgement.done())
}
