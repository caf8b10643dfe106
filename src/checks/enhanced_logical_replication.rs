//! `aurora.enhanced_logical_replication` is off, or at least left as it is.

use super::{Ctx, room};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

const NAME: &str = "aurora.enhanced_logical_replication";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Blue);
    let mut judgement = Judgement::new();
    match settings.get(NAME) {
        Ok(Some(setting)) if matches!(setting.setting.as_deref(), Some("on" | "1" | "true")) => judgement.find(
            Finding::new(NAME, format!("{NAME} is on: every column goes to the log, and changing it invalidates all slots"))
                .on(Side::Blue)
                .fix("-- leave it as it is while the deployment lives; switch it off before the creation where no zero-ETL integration needs it"),
        ),
        Ok(_) => {}
        Err(unseen) => return room::blind(vec![unseen]),
    }
    judgement.done()
}
