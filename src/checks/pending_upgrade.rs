//! No engine upgrade of blue is pending.

use super::{
    Ctx,
    plane::{Plane, answer, belongs},
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
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    let cluster = blue.cluster.iter().map(|c| (&c.id, &c.pending_engine_version));
    let instances = blue.instances.iter().map(|i| (&i.id, &i.pending_engine_version));
    for (id, pending) in cluster.chain(instances) {
        if let Some(version) = pending {
            judgement.find(
                Finding::new(id, format!("{id} will be upgraded to {version} in its maintenance window")).on(Side::Rds),
            );
        }
    }
    let automatic = blue.instances.iter().any(|i| i.auto_minor_version_upgrade);
    // An action on a resource whose pending version is known says nothing more.
    let known: Vec<&str> = blue
        .cluster
        .iter()
        .filter(|c| c.pending_engine_version.is_some())
        .map(|c| c.id.as_str())
        .chain(blue.instances.iter().filter(|i| i.pending_engine_version.is_some()).map(|i| i.id.as_str()))
        .collect();
    for action in plane.known("pending_maintenance", &plane.rds.pending_maintenance)? {
        if action.action != "db-upgrade" || !belongs(blue, &action.resource) || known.contains(&action.resource.name()) {
            continue;
        }
        let name = action.resource.name();
        let mut finding = Finding::new(name, format!("an engine upgrade of {name} is pending"))
            .on(Side::Rds)
            .fix(plane.aws(format!(
                "apply-pending-maintenance-action --resource-identifier {} --apply-action db-upgrade --opt-in-type \
                 undo-opt-in",
                action.resource
            )))
            .evidence("automatic minor upgrades", automatic)
            .evidence("description", action.description.as_deref());
        if let Some(at) = action.apply_at {
            finding = finding.evidence("due", at.to_string());
        }
        judgement.find(finding);
    }
    Ok(judgement.done())
}
