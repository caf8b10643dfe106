//! No maintenance falls into the days of the deployment.

use super::{
    Ctx,
    plane::{Plane, answer, belongs},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let mut sides = vec![plane.blue()?];
    sides.extend(plane.green_if_any()?);
    let soon = ctx.facts.collected_at + jiff::SignedDuration::from_hours(7 * 24);
    let mut judgement = Judgement::new();
    for action in plane.known("pending_maintenance", &plane.rds.pending_maintenance)? {
        let other = matches!(action.action.as_str(), "db-upgrade" | "ca-certificate-rotation");
        if other || !sides.iter().any(|side| belongs(side, &action.resource)) {
            continue;
        }
        let due = [action.apply_at, action.auto_applied_after, action.forced_at]
            .into_iter()
            .flatten()
            .min();
        let name = action.resource.name();
        let when = due.map_or("without a date".to_owned(), |at| format!("due {at}"));
        judgement.find(
            Finding::new(
                format!("{name}/{}", action.action),
                format!("{} of {name} is pending, {when}", action.action),
            )
            .on(Side::Rds)
            .at(if due.is_some_and(|at| at <= soon) { Level::Warning } else { Level::Notice })
            .fix(plane.aws(format!(
                "apply-pending-maintenance-action --resource-identifier {} --apply-action {} --opt-in-type immediate",
                action.resource, action.action
            )))
            .evidence("description", action.description.as_deref()),
        );
    }
    Ok(judgement.done())
}
