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
    let mut unseen = Vec::new();
    let mut find = |message: String| judgement.find(Finding::new(blue.id(), message).on(Side::Rds));
    if let Some(cluster) = &blue.cluster {
        let id = &cluster.id;
        if cluster.engine == "postgres" {
            find(format!("{id} is a Multi-AZ DB cluster, for which there are no blue/green deployments"));
        }
        match cluster.engine_mode.as_deref() {
            Some("provisioned") => {}
            Some("serverless") => find(format!("{id} is an Aurora Serverless v1 cluster, which is not supported")),
            // A Multi-AZ DB cluster was found above, whatever its mode is.
            _ if cluster.engine == "postgres" => {}
            other => unseen.push(("engine mode", other)),
        }
        match cluster.scalability_type.as_deref() {
            None | Some("standard") => {}
            Some("limitless") => find(format!("{id} is an Aurora Limitless Database, which is not supported")),
            other => unseen.push(("scalability type", other)),
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
        let version = instance.engine_version.to_ascii_lowercase();
        if ["preview", "beta", "rc"].iter().any(|mark| version.contains(mark)) {
            unseen.push(("version", Some(instance.engine_version.as_str())));
        }
        if let Some(cluster) = &instance.cluster_id {
            find(format!(
                "{} is a member of cluster {cluster}, for whose members there are no deployments of their own",
                instance.id
            ));
        }
        let source = instance
            .replication_source
            .as_ref()
            .or(instance.replication_source_cluster.as_ref());
        if let Some(source) = source {
            let id = &instance.id;
            find(format!("{id} is itself a replica of {source}: the deployment must start from the primary"));
        }
    }
    for (what, value) in unseen {
        let value = value.unwrap_or("none");
        judgement.unseen(format!("{}/{what}", blue.id()), format!("this greenlight does not know the {what} {value}"));
    }
    Ok(judgement.done())
}
