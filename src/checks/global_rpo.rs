//! `rds.global_db_rpo` is not set for a major upgrade.

use super::{
    Ctx,
    plane::{Plane, answer, bare, is_set},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

const NAME: &str = "rds.global_db_rpo";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let group = plane.blue_group()?;
    let key = plane.blue_group_key()?;
    let mut judgement = Judgement::new();
    // -1 is how the parameter says "not managed".
    let set = group
        .parameters
        .get(NAME)
        .filter(|p| is_set(p) && p.value.as_deref() != Some("-1"));
    if let Some(parameter) = set {
        let global = plane.known("global_cluster", &plane.rds.global_cluster)?.is_some();
        let name = bare(&key);
        judgement.find(
            Finding::new(name, format!("{NAME} is set in {name}"))
                .on(Side::Rds)
                .at(if global { Level::Blocker } else { Level::Notice })
                .fix(plane.aws(format!(
                    "reset-db-cluster-parameter-group --db-cluster-parameter-group-name {name} --parameters \
                     ParameterName={NAME},ApplyMethod=immediate"
                )))
                .evidence("value", parameter.value.as_deref()),
        );
    }
    Ok(judgement.done())
}
