//! Read replication is running.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::Instance,
    model::{Replication, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// States of read replication that are not normal, with their messages.
fn troubles(instance: &Instance) -> impl Iterator<Item = (&str, Option<&str>)> {
    instance
        .status_infos
        .iter()
        .filter(|info| info.kind == "read replication" && !(info.normal && info.status == "replicating"))
        .map(|info| (info.status.as_str(), info.message.as_deref()))
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let green = plane.green_if_any()?;
    let mut judgement = Judgement::new();
    let primary = green.and_then(|side| side.instances.first()).map(|i| &i.id);
    let greens = green.into_iter().flat_map(|side| &side.instances);
    for instance in blue.instances.iter().chain(greens) {
        for (status, message) in troubles(instance) {
            let mut text = format!("read replication of {} is {status}", instance.id);
            if let Some(message) = message {
                text = format!("{text}: {}", message.trim_end_matches('.'));
            }
            let level = if primary == Some(&instance.id) { Level::Blocker } else { Level::Warning };
            judgement.find(
                Finding::new(&instance.id, text)
                    .on(Side::Rds)
                    .at(level)
                    .evidence("message", message),
            );
        }
    }
    // Physically green is a replica of blue; whether RDS gives it a status as it does others is not documented.
    let silent = green
        .filter(|_| ctx.situation.replication == Some(Replication::Physical))
        .and_then(|side| side.instances.first())
        .filter(|first| !first.status_infos.iter().any(|info| info.kind == "read replication"));
    Ok(match silent {
        Some(first) => judgement.done_with(format!("RDS says nothing about the replication of {}", first.id)),
        None => judgement.done(),
    })
}
