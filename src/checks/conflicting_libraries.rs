//! Blue preloads no library that must be off while a deployment is created.

use super::{
    Ctx,
    plane::{Plane, answer, entries},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

const OFF: [&str; 3] = ["pglogical", "pgactive", "pg_partman_bgw"];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let libraries = entries(plane.value_of(blue, "shared_preload_libraries")?);
    let rest: Vec<&str> = libraries.iter().copied().filter(|l| !OFF.contains(l)).collect();
    let key = plane.blue_group_key()?;
    let writer = blue.writer().map_or("WRITER", |w| &w.id);
    let fix = [
        plane.set_parameter(&key, "shared_preload_libraries", &rest.join(","), "pending-reboot"),
        plane.reboot(writer),
    ];
    let mut judgement = Judgement::new();
    for library in libraries.iter().filter(|l| OFF.contains(l)) {
        judgement.find(
            Finding::new(*library, format!("blue preloads {library}"))
                .on(Side::Rds)
                .fix(fix.join("\n"))
                .evidence("shared_preload_libraries", libraries.join(",")),
        );
    }
    Ok(judgement.done())
}
