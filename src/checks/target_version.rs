//! The target lies above blue's version, and the catalogue knows its major.

use super::Ctx;
use crate::{
    model::{Engine, Newest, Oldest, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let pass = |note: String| Verdict::Pass { note: Some(note) };
    let Some(source) = ctx.situation.source else {
        return Verdict::unknown("blue", "blue's version is not known");
    };
    if source.major < Oldest::MAJOR {
        let why = format!(
            "this greenlight knows PostgreSQL from {} on: what came between {} and that was not looked for",
            Oldest::MAJOR,
            source.major,
        );
        return Verdict::unknown("blue", why);
    }
    let Some(target) = ctx.situation.target else {
        return pass("no target was given: what was judged holds for every one".to_owned());
    };
    let way = format!("{source} -> {target}");
    for version in [source, target] {
        if version.major > Newest::MAJOR {
            let why = format!(
                "this greenlight knows PostgreSQL up to {}: what {} removed or changed was not looked for",
                Newest::MAJOR,
                version.major,
            );
            return Verdict::unknown(way, why);
        }
    }
    if !target.is_below(source) {
        return pass(way);
    }
    if ctx.situation.engine != Engine::Postgres {
        return pass(format!("{way} is for upgrade-path to judge"));
    }
    let mut judgement = Judgement::new();
    let message = format!("blue runs {source}: upgrades go only upwards, {target} lies below");
    judgement.find(
        Finding::new("target", message)
            .on(Side::Blue)
            .fix("-- choose a newer target: --target-version"),
    );
    judgement.done()
}
