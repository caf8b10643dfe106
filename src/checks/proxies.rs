//! RDS Proxies can follow the switchover.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::{ProxyTarget, Topology},
    model::{Phase, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// A target with its health in words.
fn state(target: &ProxyTarget) -> String {
    let what = target.resource.as_ref().or(target.cluster_id.as_ref());
    let what = what.map_or("a target", String::as_str);
    let health = target.health.as_deref().unwrap_or("health unknown");
    match &target.description {
        Some(description) => format!("{what} ({health}: {description})"),
        None => format!("{what} ({health})"),
    }
}

/// `RdsResourceId` is an instance's name (or resource id), `TrackedClusterId` a cluster's.
fn points_at(target: &ProxyTarget, side: &Topology) -> bool {
    let cluster = side.cluster.as_ref();
    let is = |name: &Option<String>, one: &str, other: &str| {
        name.as_deref().is_some_and(|name| name == one || name == other)
    };
    cluster.is_some_and(|c| is(&target.cluster_id, &c.id, &c.resource_id) || is(&target.resource, &c.id, &c.resource_id))
        || side.instances.iter().any(|i| is(&target.resource, &i.id, &i.resource_id))
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut sides = vec![blue];
    sides.extend(plane.green_if_any()?);
    let proxies = plane.known("proxies", &plane.rds.proxies)?;
    let create = ctx.situation.phase == Phase::Create;
    let mut judgement = Judgement::new();
    for proxy in proxies {
        let name = &proxy.name;
        let targets = match proxy.targets.get() {
            Ok(targets) => targets,
            Err((why, detail)) => {
                judgement.unseen(name, format!("{why}: {detail}"));
                continue;
            }
        };
        if !targets.iter().any(|t| sides.iter().any(|side| points_at(t, side))) {
            continue;
        }
        let fix = plane.aws(format!("describe-db-proxy-targets --db-proxy-name {name}"));
        let find = |message: String, level| Finding::new(name, message).on(Side::Rds).at(level).fix(&fix);
        if plane.known("global_cluster", &plane.rds.global_cluster)?.is_some() {
            let message = format!("proxy {name} has a member of a Global Database as its target");
            judgement.find(find(message, Level::Blocker));
            continue;
        }
        let sick: Vec<&ProxyTarget> = targets
            .iter()
            .filter(|t| t.health.as_deref() != Some("AVAILABLE"))
            .collect();
        if !sick.is_empty() {
            let states: Vec<String> = sick.iter().map(|t| state(t)).collect();
            let level = if create { Level::Warning } else { Level::Blocker };
            judgement.find(find(format!("proxy {name} does not reach {}", states.join(", ")), level));
        } else if create && targets.iter().any(|t| points_at(t, blue)) {
            let message = format!("proxy {name} follows the switchover and drops its client sessions then");
            judgement.find(find(message, Level::Notice));
        }
    }
    Ok(judgement.done())
}
