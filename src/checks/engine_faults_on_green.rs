//! The same of green, once it is there.

use super::{Ctx, engine_faults};
use crate::{
    model::Side,
    verdict::{Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let version = match ctx.server(Side::Green) {
        Ok(server) => server.version,
        Err(unseen) => return Verdict::Unknown { unseen: vec![unseen] },
    };
    let mut judgement = Judgement::new();
    let note = engine_faults::weigh(ctx, &mut judgement, Side::Green, version);
    judgement.done_with(note)
}
