//! Nothing in another Region replicates blue.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{Arn, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let own = plane.rds.region.as_str();
    let abroad = |name: &str| name.parse::<Arn>().ok().filter(|arn| arn.region() != own);
    let mut judgement = Judgement::new();
    // The secondary clusters of a Global Database show up among the writer's replicas, and are supported.
    let replicates = blue.cluster.iter().any(|c| !c.read_replicas.is_empty());
    let members: &[String] = match replicates {
        true => plane
            .known("global_cluster", &plane.rds.global_cluster)?
            .as_ref()
            .map_or(&[], |global| &global.others),
        false => &[],
    };
    let of_cluster = blue.cluster.iter().flat_map(|c| &c.read_replicas);
    let of_cluster = of_cluster.filter(|arn| !members.contains(arn));
    let of_instances = blue.instances.iter().flat_map(|i| &i.read_replicas);
    for arn in of_cluster.chain(of_instances).filter_map(|name| abroad(name)) {
        let delete = match arn.kind() {
            "cluster" => format!("delete-db-cluster --region {} --db-cluster-identifier", arn.region()),
            _ => format!("delete-db-instance --region {} --db-instance-identifier", arn.region()),
        };
        judgement.find(
            Finding::new(arn.as_str(), format!("{} in {} replicates blue", arn.name(), arn.region()))
                .on(Side::Rds)
                .fix(format!("aws rds {delete} {} --skip-final-snapshot", arn.name())),
        );
    }
    for cluster in blue.instances.iter().flat_map(|i| &i.read_replica_clusters) {
        judgement.find(
            Finding::new(cluster, format!("cluster {cluster} replicates blue and stays with the old side"))
                .on(Side::Rds)
                .at(if abroad(cluster).is_some() { Level::Blocker } else { Level::Warning }),
        );
    }
    Ok(judgement.done())
}
