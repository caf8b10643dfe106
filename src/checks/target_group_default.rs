//! Green has a parameter group of its own.

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
    let blue = plane.blue()?;
    let group = plane.target_group()?;
    let mut judgement = Judgement::new();
    if group.is_default() {
        let name = group.key().map_or("the default group", bare).to_owned();
        let family = name.strip_prefix("default.").unwrap_or("FAMILY").to_owned();
        let message = match &group {
            TargetGroup::Green(_) => format!("green runs with {name}, which nobody can change"),
            TargetGroup::Named(_) => format!("{name} was named for green, which nobody can change"),
            _ => format!("no parameter group was named for green, so it takes {name}"),
        };
        let fix = plane.aws(aws_cli::make_group(
            plane.group_kind(),
            &format!("{}-{family}", blue.id()),
            &family,
            &format!("green of {}", blue.id()),
        ));
        judgement.find(Finding::new(name, message).on(Side::Rds).fix(fix));
    }
    Ok(judgement.done())
}
