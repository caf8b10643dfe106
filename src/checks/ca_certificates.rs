//! Server certificates stay valid and keep their authority.

use super::{
    Ctx,
    plane::{Plane, answer, belongs, counterpart},
};
use crate::{
    model::{Phase, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let green = plane.green_if_any()?;
    let mut judgement = Judgement::new();
    let soon = ctx.facts.collected_at + jiff::SignedDuration::from_hours(30 * 24);
    let greens = green.into_iter().flat_map(|side| &side.instances);
    for instance in blue.instances.iter().chain(greens) {
        match instance.certificate_valid_till {
            None => judgement.unseen(&instance.id, "the API gives no end of its server certificate"),
            Some(end) if end < soon => judgement.find(
                Finding::new(format!("{}/end", instance.id), format!("the server certificate of {} ends {end}", instance.id))
                    .on(Side::Rds)
                    .evidence("authority", instance.ca_certificate.as_deref()),
            ),
            Some(_) => {}
        }
    }
    for action in plane.known("pending_maintenance", &plane.rds.pending_maintenance)? {
        if action.action == "ca-certificate-rotation" && belongs(blue, &action.resource) {
            let name = action.resource.name();
            judgement.find(
                Finding::new(format!("{name}/rotation"), format!("the certificate of {name} is to be rotated, which may restart it")).on(Side::Rds),
            );
        }
    }
    if let (true, Some(green)) = (ctx.situation.phase == Phase::Switchover, green) {
        let deployment = plane.deployment()?;
        for instance in &blue.instances {
            let Some(other) = counterpart(deployment, instance, green) else { continue };
            if let (Some(ours), Some(theirs)) = (&instance.ca_certificate, &other.ca_certificate)
                && ours != theirs
            {
                judgement.find(
                    Finding::new(
                        format!("{}/authority", other.id),
                        format!("{} has a certificate of {theirs}, {} one of {ours}", other.id, instance.id),
                    )
                    .on(Side::Rds)
                    .fix(plane.aws(format!(
                        "modify-db-instance --db-instance-identifier {} --ca-certificate-identifier {ours} \
                         --apply-immediately",
                        other.id
                    ))),
                );
            }
        }
    }
    Ok(judgement.done())
}
