//! The parameter group for green exists and is of the target's family.

use super::{
    Ctx,
    plane::{Plane, TargetGroup, answer, bare},
};
use crate::{
    model::{Side, aws_cli},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let TargetGroup::Named(key) = (match ctx.facts.request.target_parameter_group {
        Some(_) => plane.target_group()?,
        None => {
            return Ok(Verdict::Pass {
                note: Some("no group was named for green".to_owned()),
            });
        }
    }) else {
        return Ok(Verdict::skip("green has its group already"));
    };
    let name = bare(&key);
    let target = plane.target()?;
    // A version that the API does not list still belongs to the family of its major.
    let family = match plane.target_family()? {
        Some(family) => family.to_owned(),
        None => ctx.situation.engine.family(target.major),
    };
    let make = |group: &str| {
        plane.aws(aws_cli::make_group(
            plane.group_kind(),
            group,
            &family,
            &format!("green of {name}"),
        ))
    };
    let mut judgement = Judgement::new();
    match plane.group(&key)? {
        None => judgement.find(
            Finding::new(name, format!("parameter group {name} does not exist"))
                .on(Side::Rds)
                .fix(make(name)),
        ),
        Some(group) => match &group.family {
            None => judgement.unseen(format!("rds.parameter_groups.{key}"), "the API gave no family"),
            Some(is) if *is == family => {}
            Some(is) => judgement.find(
                Finding::new(
                    name,
                    format!("parameter group {name} is of family {is}, but {target} needs {family}"),
                )
                .on(Side::Rds)
                .fix(make(&format!("{name}-{family}")))
                .evidence("family", is.as_str())
                .evidence("needed", family.as_str()),
            ),
        },
    }
    Ok(judgement.done())
}
