//! Triggers and foreign keys are on for everybody.

use super::{
    Ctx,
    plane::same_value,
    room,
    shared::{self, Override},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

const NAME: &str = "session_replication_role";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Blue);
    let setting = match settings.get(NAME) {
        Ok(setting) => setting,
        Err(unseen) => return room::blind(vec![unseen]),
    };
    let overrides = ctx.rows::<Override>(Side::Blue, "overrides");
    let mut judgement = Judgement::new();
    judgement.blind(overrides.unseen);
    let value = setting.and_then(|s| s.setting.as_deref()).unwrap_or_default();
    if value != "origin" && setting.is_some_and(|s| !shared::is_session_value(s)) {
        judgement.find(
            Finding::new(NAME, format!("{NAME} is {value} for the whole server: ordinary triggers and foreign keys are off"))
                .on(Side::Blue)
                .fix(shared::set_parameter(ctx, Side::Blue, NAME, "origin"))
                .evidence("value", value),
        );
    }
    for (_, o) in overrides.rows.iter().filter(|(_, o)| o.name == NAME && !same_value(&o.value, "origin")) {
        judgement.find(
            Finding::new(o.subject(), format!("{NAME} is {} for {}: ordinary triggers and foreign keys are off", o.value, o.whom()))
                .on(Side::Blue)
                .fix(format!("{} reset {NAME};", o.alter))
                .evidence("value", o.value.as_str()),
        );
    }
    judgement.done()
}
