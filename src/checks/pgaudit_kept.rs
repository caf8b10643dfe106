//! `pgaudit` stays preloaded on green.

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
    let blue = entries(plane.value_of(plane.blue()?, "shared_preload_libraries")?);
    if !blue.contains(&"pgaudit") {
        return Ok(judgement.done_with("blue does not preload pgaudit".to_owned()));
    }
    let group = plane.target_group()?;
    let green = match plane.target_value("shared_preload_libraries") {
        Ok(list) => entries(list),
        // No default group preloads it, whether it could be read or not.
        Err(_) if group.is_default() => Vec::new(),
        Err(verdict) => return Err(verdict),
    };
    if !green.contains(&"pgaudit") {
        let key = group.key().unwrap_or("the default group");
        let mut finding = Finding::new(bare(key), "blue preloads pgaudit and green does not")
            .on(Side::Rds)
            .evidence("blue", blue.join(","))
            .evidence("green", green.join(","));
        if !group.is_default() {
            let list = [green, vec!["pgaudit"]].concat().join(",");
            finding = finding.fix(plane.set_parameter(key, "shared_preload_libraries", &list, "pending-reboot"));
        }
        judgement.find(finding);
    }
    Ok(judgement.done())
}
