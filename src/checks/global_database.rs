//! The Global Database lets its writer be upgraded this way.

use super::{
    Ctx,
    plane::{Plane, answer, bare},
};
use crate::{
    model::{Arn, Phase, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let Some(global) = plane.known("global_cluster", &plane.rds.global_cluster)? else {
        return Ok(Verdict::Pass {
            note: Some("blue belongs to no Global Database".to_owned()),
        });
    };
    let mut judgement = Judgement::new();
    if !global.blue_is_writer {
        judgement.find(
            Finding::new(&global.id, format!("blue is not the writer of Global Database {}", global.id)).on(Side::Rds),
        );
    }
    let forwarding = blue.cluster.as_ref().and_then(|c| c.global_write_forwarding.as_deref());
    match forwarding {
        None | Some("disabled" | "disabling") => {}
        Some(status @ ("enabled" | "enabling")) => judgement.find(
            Finding::new(blue.id(), "write forwarding is off on green until the switchover".to_owned())
                .on(Side::Rds)
                .at(Level::Notice)
                .evidence("status", status),
        ),
        Some(other) => judgement.unseen(blue.id(), format!("whether it forwards writes is not known: its status is {other}")),
    }
    if ctx.situation.phase == Phase::Create && !global.others.is_empty() {
        let group = plane.target_group()?;
        let key = group.key().unwrap_or_default().to_owned();
        let account = plane.rds.account.known().map_or("ACCOUNT", String::as_str);
        for other in &global.others {
            let Ok(arn) = other.parse::<Arn>() else {
                judgement.unseen(other, "not an ARN");
                continue;
            };
            if group.is_default() {
                continue;
            }
            let name = bare(&key);
            let message = format!(
                "parameter group {name} must exist in {} under the same name, or {} gets the default group",
                arn.region(),
                arn.name()
            );
            judgement.find(
                Finding::new(arn.region(), message)
                    .on(Side::Rds)
                    .at(Level::Warning)
                    .fix(format!(
                        "aws rds copy-db-cluster-parameter-group --region {} \
                         --source-db-cluster-parameter-group-identifier arn:aws:rds:{}:{account}:cluster-pg:{name} \
                         --target-db-cluster-parameter-group-identifier {name} \
                         --target-db-cluster-parameter-group-description {name}",
                        arn.region(),
                        plane.rds.region
                    )),
            );
        }
    }
    Ok(judgement.done())
}
