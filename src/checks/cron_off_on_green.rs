//! `pg_cron` does not run on green.

use super::{
    Ctx,
    plane::{Plane, answer, bare, entries},
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
    let mut judgement = Judgement::new();
    if plane.target_sets_nothing()? {
        return Ok(judgement.done_with("a default group does not preload pg_cron".to_owned()));
    }
    let (key, value) = plane.target_setting("shared_preload_libraries")?;
    let libraries = entries(value);
    if libraries.contains(&"pg_cron") {
        let rest: Vec<&str> = libraries.iter().copied().filter(|l| *l != "pg_cron").collect();
        judgement.find(
            Finding::new(bare(&key), "green preloads pg_cron, so blue's jobs run there too")
                .on(Side::Rds)
                .fix(plane.set_parameter(&key, "shared_preload_libraries", &rest.join(","), "pending-reboot"))
                .evidence("shared_preload_libraries", libraries.join(",")),
        );
    }
    Ok(judgement.done())
}
