//! The account has room for green.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{Engine, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let quotas = plane.known("quotas", &plane.rds.quotas)?;
    let instances = blue.instances.len() as i64;
    let mut needed = vec![("DBInstances", instances, "instances")];
    match ctx.situation.engine {
        Engine::Aurora => needed.push(("DBClusters", 1, "cluster")),
        _ => {
            let storage = blue.instances.iter().filter_map(|i| i.allocated_storage_gib);
            needed.push(("AllocatedStorage", storage.map(i64::from).sum(), "GiB of storage"));
        }
    }
    let mut judgement = Judgement::new();
    if ctx.situation.engine == Engine::Rds {
        for instance in blue.instances.iter().filter(|i| i.allocated_storage_gib.is_none()) {
            judgement.unseen(&instance.id, "the API does not give its storage, of which green needs as much again");
        }
    }
    let mut room = |name: &str, used: i64, more: i64, max: i64, unit: &str| {
        if used + more > max {
            judgement.find(
                Finding::new(name, format!("green needs {more} {unit} more, {used} of {max} are used"))
                    .on(Side::Rds)
                    .fix(format!(
                        "aws service-quotas list-service-quotas --service-code rds --region {}",
                        plane.rds.region
                    ))
                    .evidence("used", used)
                    .evidence("needed", more)
                    .evidence("max", max),
            );
        }
    };
    let mut missing = Vec::new();
    for (name, more, unit) in needed {
        match quotas.get(name) {
            Some(quota) => room(name, quota.used, more, quota.max, unit),
            None => missing.push(name),
        }
    }
    // On RDS green starts as one replica more; here the API's `Used` is the account's worst primary, not blue.
    if let (Engine::Rds, Some(primary)) = (ctx.situation.engine, blue.instances.first()) {
        let name = "ReadReplicasPerMaster";
        match quotas.get(name) {
            Some(quota) => room(name, primary.read_replicas.len() as i64, 1, quota.max, "read replica"),
            None => missing.push(name),
        }
    }
    for name in missing {
        judgement.unseen(format!("rds.quotas.{name}"), "the API does not list this quota");
    }
    Ok(judgement.done())
}
