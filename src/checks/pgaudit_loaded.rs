//! Where pgaudit is installed, both sides load it.

use super::{Ctx, jobs, shared::Extension};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let extensions = ctx.rows::<Extension>(Side::Blue, "extensions");
    judgement.blind(extensions.unseen);
    let installed: Vec<&str> = extensions
        .rows
        .iter()
        .filter(|(_, e)| e.name == "pgaudit")
        .filter_map(|(database, _)| database.as_deref())
        .collect();
    if installed.is_empty() {
        return judgement.done_with("pgaudit is not installed".to_owned());
    }
    let mut sides = vec![(Side::Blue, Level::Warning)];
    if ctx.situation.has_green {
        sides.push((Side::Green, Level::Blocker));
    }
    for (side, level) in sides {
        match jobs::preloaded(ctx, side, "pgaudit") {
            Ok(true) => {}
            Ok(false) => judgement.find(
                Finding::new(format!("pgaudit on {side}"), format!("pgaudit is installed, but {side} does not load it"))
                    .on(side)
                    .at(level)
                    .fix(format!("-- add pgaudit to shared_preload_libraries of {side}'s parameter group, and reboot {side}"))
                    .evidence("databases", installed.clone()),
            ),
            Err(unseen) => judgement.blind([unseen]),
        }
    }
    judgement.done()
}
