//! Commits on an Aurora blue are synchronous.

use super::{
    Ctx,
    plane::same_value,
    room,
    shared::{self, Override},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Blue);
    let setting = match settings.get("synchronous_commit") {
        Ok(Some(setting)) => setting,
        Ok(None) => return Verdict::unknown("setting synchronous_commit", "the server has no such setting"),
        Err(unseen) => return room::blind(vec![unseen]),
    };
    let overrides = ctx.rows::<Override>(Side::Blue, "overrides");
    let mut judgement = Judgement::new();
    judgement.blind(overrides.unseen);
    let value = setting.setting.as_deref().unwrap_or_default();
    if shared::is_session_value(setting) {
        judgement.unseen(
            "setting synchronous_commit",
            "the checking role or its database overrides it, so the server's own value is hidden",
        );
    } else if value != "on" {
        judgement.find(
            Finding::new("synchronous_commit", format!("synchronous_commit is {value}, blue/green on Aurora wants on"))
                .on(Side::Blue)
                .fix(shared::set_parameter(ctx, Side::Blue, "synchronous_commit", "on"))
                .evidence("value", value),
        );
    }
    for (_, o) in overrides.rows.iter().filter(|(_, o)| o.name == "synchronous_commit" && !same_value(&o.value, "on")) {
        judgement.find(
            Finding::new(o.subject(), format!("{} commits with synchronous_commit = {}", o.whom(), o.value))
                .on(Side::Blue)
                .at(Level::Warning)
                .fix(format!("{} reset synchronous_commit;", o.alter))
                .evidence("value", o.value.as_str()),
        );
    }
    judgement.done()
}
