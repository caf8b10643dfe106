//! Blue is of a kind that blue/green deployments support.

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
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    let mut find = |message: String| judgement.find(Finding::new(blue.id(), message).on(Side::Rds));
    if let Some(cluster) = &blue.cluster {
        let id = &cluster.id;
        if cluster.engine == "postgres" {
            find(format!("{id} is a Multi-AZ DB cluster, for which there are no blue/green deployments"));
        }
        if cluster.engine_mode.as_deref() == Some("serverless") {
            find(format!("{id} is an Aurora Serverless v1 cluster, which is not supported"));
        }
        if cluster.scalability_type.as_deref() == Some("limitless") {
            find(format!("{id} is an Aurora Limitless Database, which is not supported"));
        }
        if cluster.vpc_networking == Some(false) {
            find(format!("{id} was made by the express configuration, which is not supported"));
        }
        if cluster.engine_version.contains("preview") {
            find(format!("{id} runs in the Database Preview Environment, which is not supported"));
        }
        if let Some(source) = &cluster.replication_source {
            find(format!("{id} is itself a replica of {source}: the deployment must start from the writer"));
        }
    } else if let Some(instance) = blue.instances.first() {
        let source = instance
            .replication_source
            .as_ref()
            .or(instance.replication_source_cluster.as_ref());
        if let Some(source) = source {
            let id = &instance.id;
            find(format!("{id} is itself a replica of {source}: the deployment must start from the primary"));
        }
    }
    Ok(judgement.done())
}
