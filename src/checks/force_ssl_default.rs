//! The upgrade does not start to refuse unencrypted clients.

use super::{
    Ctx,
    plane::{Plane, answer, is_on},
};
use crate::{
    model::{Engine, Side},
    verdict::{Finding, Judgement, Verdict},
};

const NAME: &str = "rds.force_ssl";

/// The major from which on it is 1 unless somebody sets it.
fn on_from(engine: Engine) -> u16 {
    if engine == Engine::Aurora { 17 } else { 15 }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let from = on_from(ctx.situation.engine);
    let (source, target) = (plane.source()?, plane.target()?);
    let blue = plane
        .value_of(plane.blue()?, NAME)?
        .map_or(source.major >= from, |value| is_on(Some(value)));
    let group = plane.target_group()?;
    let green = match plane.target_value(NAME) {
        Ok(value) => value.map_or(target.major >= from, |value| is_on(Some(value))),
        // What a default group says is known without reading it.
        Err(_) if group.is_default() => target.major >= from,
        Err(verdict) => return Err(verdict),
    };
    let mut judgement = Judgement::new();
    if green && !blue {
        let mut finding = Finding::new(NAME, format!("{NAME} is off on blue and on for green")).on(Side::Rds);
        if let (Some(key), false) = (group.key(), group.is_default()) {
            finding = finding.fix(plane.set_parameter(key, NAME, "0", "immediate"));
        }
        judgement.find(finding);
    }
    Ok(judgement.done())
}
