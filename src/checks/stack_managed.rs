//! No CloudFormation stack manages blue.

use std::collections::BTreeMap;

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{Phase, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    // Blue's tags replace green's at the switchover, so afterwards they are production's.
    let side = match ctx.situation.phase {
        Phase::Verify => plane.green()?,
        _ => plane.blue()?,
    };
    let cluster = side.cluster.iter().map(|c| (&c.id, &c.tags));
    let instances = side.instances.iter().map(|i| (&i.id, &i.tags));
    let mut stacks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, tags) in cluster.chain(instances) {
        if let Some(stack) = tags.get("aws:cloudformation:stack-name") {
            let logical = tags.get("aws:cloudformation:logical-id");
            let resource = logical.map_or(id.clone(), |logical| format!("{id} ({logical})"));
            stacks.entry(stack).or_default().push(resource);
        }
    }
    let mut judgement = Judgement::new();
    for (stack, resources) in stacks {
        let resources = resources.join(", ");
        let message = match ctx.situation.phase {
            Phase::Verify => format!("the template of stack {stack} must be brought up to date: {resources}"),
            _ => format!("stack {stack} manages {resources}: do not deploy it until its template is brought up to date"),
        };
        judgement.find(
            Finding::new(stack, message)
                .on(Side::Rds)
                .fix(format!(
                    "aws cloudformation detect-stack-drift --stack-name {stack} --region {}",
                    plane.rds.region
                ))
                .evidence("resources", resources),
        );
    }
    Ok(judgement.done())
}
