//! No event tells of a failure.

use std::collections::BTreeSet;

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{DeploymentStatus, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// What a message means: RDS-EVENT-0245, 0249, 0252, 0261, 0306, 0310, 0314, 0426, and degraded replication; and what explains that
/// green does not come into being: 0085, 0158, 0174, 0202, 0353, 0354, 0355. The API gives no ids,
/// so words are matched. <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html>
fn meaning(message: &str) -> Option<(&'static str, Level, &'static str)> {
    let text = message.to_ascii_lowercase();
    let has = |word: &str| text.contains(word);
    let cancelled = has("canceled") || has("cancelled");
    if has("replication_degraded") || has("replication") && has("degraded") {
        Some(("degraded", Level::Blocker, "replication is degraded"))
    } else if has("blue/green") && has("creation") && has("failed") {
        Some(("creation", Level::Blocker, "the deployment could not be created"))
    } else if has("sequence") && (cancelled || has("failed to sync")) {
        Some(("sequences", Level::Warning, "sequences could not be synchronised in the last switchover"))
    } else if has("replication source") && has("transaction") {
        Some(("transactions", Level::Warning, "open transactions kept blue from becoming a source of replication"))
    } else if has("storage configuration upgrade") && has("fail") {
        Some(("storage", Level::Warning, "the upgrade of green's storage configuration failed"))
    } else if has("cannot be upgraded") || has("unable to upgrade") {
        Some(("upgrade", Level::Warning, "green could not be upgraded"))
    } else if has("incompatible resources") || has("insufficient resource limits") || has("read replica creation failed") {
        Some(("resources", Level::Warning, "green could not be made"))
    } else if has("switchover") && cancelled {
        Some(("cancelled", Level::Warning, "a switchover was cancelled"))
    } else {
        None
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let deployment = plane.deployment()?;
    let mut judgement = Judgement::new();
    let mut seen = BTreeSet::new();
    for event in plane.known("events", &plane.rds.events)? {
        let earlier = matches!((event.at, deployment.created_at), (Some(at), Some(created)) if at < created);
        let Some((kind, level, what)) = meaning(&event.message).filter(|_| !earlier) else {
            continue;
        };
        // Once the deployment stands, what kept it from coming into being is over.
        if matches!(kind, "upgrade" | "resources") && deployment.status == DeploymentStatus::Available {
            continue;
        }
        let source = event.source.as_deref().unwrap_or(&deployment.id);
        let subject = format!("{source}/{kind}");
        // Newest first: older ones of the same kind add nothing.
        if !seen.insert(subject.clone()) {
            continue;
        }
        let mut finding = Finding::new(subject, format!("{what}: {}", event.message.trim_end_matches('.')))
            .on(Side::Rds)
            .at(level)
            .evidence("source type", event.source_type.as_deref());
        if let Some(at) = event.at {
            finding = finding.evidence("at", at.to_string());
        }
        if level == Level::Blocker {
            finding = finding.fix(plane.start_over(deployment));
        }
        judgement.find(finding);
    }
    Ok(judgement.done())
}
