//! Green has the IAM roles that blue has.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::{AssociatedRole, Topology},
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

fn roles(side: &Topology) -> &[AssociatedRole] {
    match &side.cluster {
        Some(cluster) => &cluster.associated_roles,
        None => side.instances.first().map_or(&[], |i| &i.associated_roles),
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let (blue, green) = (plane.blue()?, plane.green()?);
    if blue.instances.is_empty() {
        return Ok(Verdict::skip("the old side is gone"));
    }
    let mut judgement = Judgement::new();
    for role in roles(blue) {
        let same = |r: &&AssociatedRole| r.arn == role.arn && r.feature == role.feature;
        let message = match roles(green).iter().find(same) {
            None => format!("{} is not attached to {}", role.arn, green.id()),
            Some(there) => match there.status.as_deref() {
                Some("ACTIVE") => continue,
                None => {
                    judgement.unseen(&role.arn, "the API does not say whether it can be used on green");
                    continue;
                }
                Some(status) => format!("{} is attached to {} but {status}", role.arn, green.id()),
            },
        };
        let feature = match &role.feature {
            Some(feature) => format!(" --feature-name {feature}"),
            None => String::new(),
        };
        let call = match &green.cluster {
            Some(cluster) => format!("add-role-to-db-cluster --db-cluster-identifier {}", cluster.id),
            None => format!("add-role-to-db-instance --db-instance-identifier {}", green.id()),
        };
        judgement.find(
            Finding::new(role.feature.as_ref().unwrap_or(&role.arn), message)
                .on(Side::Rds)
                .fix(plane.aws(format!("{call} --role-arn {}{feature}", role.arn)))
                .evidence("role", role.arn.as_str()),
        );
    }
    Ok(judgement.done())
}
