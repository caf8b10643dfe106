//! IAM database authentication will work on green.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::Topology,
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// What a token is made for: name, resource id, whether tokens are taken.
fn doors(side: &Topology) -> Vec<(&str, &str, bool)> {
    match &side.cluster {
        Some(c) => vec![(c.id.as_str(), c.resource_id.as_str(), c.iam_authentication)],
        None => side
            .instances
            .iter()
            .map(|i| (i.id.as_str(), i.resource_id.as_str(), i.iam_authentication))
            .collect(),
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let (blue, green) = (plane.blue()?, plane.green()?);
    let mut judgement = Judgement::new();
    if !doors(blue).iter().any(|(_, _, on)| *on) {
        return Ok(judgement.done_with("IAM database authentication is off".to_owned()));
    }
    let account = plane.known("account", &plane.rds.account)?;
    // Replicas of an RDS instance decide for themselves; only pairs are compared.
    let wanted: Vec<bool> = doors(blue).iter().map(|(_, _, on)| *on).collect();
    for (position, (id, resource, on)) in doors(green).into_iter().enumerate() {
        if !wanted.get(position).copied().unwrap_or(false) {
            continue;
        }
        if on {
            let policy = format!("arn:aws:rds-db:{}:{account}:dbuser:{resource}/*", plane.rds.region);
            let message = format!("policies for rds-db:connect must also allow {id}'s resource id {resource}");
            judgement.find(
                Finding::new(id, message)
                    .on(Side::Rds)
                    .at(Level::Warning)
                    .fix(format!("allow rds-db:connect on {policy}")),
            );
        } else {
            judgement.find(
                Finding::new(id, format!("IAM database authentication is off on {id}"))
                    .on(Side::Rds)
                    .fix(plane.modify(green, "--enable-iam-database-authentication --apply-immediately")),
            );
        }
    }
    Ok(judgement.done())
}
