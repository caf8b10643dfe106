//! Query plans are not captured on green.

use super::{
    Ctx,
    plane::{Plane, answer, bare, same_value},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

const NAME: &str = "apg_plan_mgmt.capture_plan_baselines";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let mut judgement = Judgement::new();
    if plane.target_sets_nothing()? {
        return Ok(judgement.done_with("a default group captures no plans".to_owned()));
    }
    let (key, value) = plane.target_setting(NAME)?;
    let value = value.unwrap_or("off");
    if !same_value(value, "off") {
        judgement.find(
            Finding::new(bare(&key), format!("{NAME} is {value} on green"))
                .on(Side::Rds)
                .fix(plane.set_parameter(&key, NAME, "off", "immediate")),
        );
    }
    Ok(judgement.done())
}
