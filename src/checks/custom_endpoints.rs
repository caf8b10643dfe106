//! Custom endpoints name no instances.

use super::{
    Ctx,
    plane::{Plane, answer},
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
    for endpoint in plane.known("cluster_endpoints", &plane.rds.cluster_endpoints)? {
        let id = &endpoint.id;
        let (list, names) = match (&endpoint.static_members[..], &endpoint.excluded_members[..]) {
            ([], []) => continue,
            ([], excluded) => ("excludes", excluded.join(", ")),
            (members, _) => ("names", members.join(", ")),
        };
        judgement.find(
            Finding::new(id, format!("custom endpoint {id} {list} {names}"))
                .on(Side::Rds)
                .fix(plane.aws(format!(
                    "modify-db-cluster-endpoint --db-cluster-endpoint-identifier {id} --static-members \
                     --excluded-members"
                ))),
        );
    }
    Ok(judgement.done())
}
