//! Production runs the version that was wanted.

use super::Ctx;
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let Some(wanted) = ctx.facts.request.target_version else {
        return Verdict::skip("no target version was given, and no deployment tells one");
    };
    let is = match ctx.server(Side::Green) {
        Ok(server) => server.version,
        Err(unseen) => return Verdict::Unknown { unseen: vec![unseen] },
    };
    let mut judgement = Judgement::new();
    let level = match wanted.minor {
        _ if is.major != wanted.major => Some(Level::Blocker),
        Some(_) if is.minor < wanted.minor => Some(Level::Warning),
        // An automatic minor upgrade, for one.
        Some(_) if is.minor > wanted.minor => Some(Level::Notice),
        _ => None,
    };
    if let Some(level) = level {
        let newer = if level == Level::Notice { "already " } else { "" };
        judgement.find(
            Finding::new("server_version", format!("production {newer}runs {is}, the target was {wanted}"))
                .on(Side::Green)
                .at(level)
                .fix("look at which server the production endpoint leads to; keep the old side until this is understood")
                .evidence("production", is.to_string())
                .evidence("target", wanted.to_string()),
        );
    }
    judgement.done_with(format!("production runs {is}"))
}
