//! Green runs the version that was asked for.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::{PgVersion, Side},
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let green = plane.green()?;
    let asked = match ctx.facts.request.target_version.or(green.engine_version()) {
        Some(asked) => asked,
        None => return Ok(Verdict::unknown("rds.green", "its version is not known")),
    };
    let meets = |text: &str| match text.parse::<PgVersion>() {
        Ok(is) if asked.minor.is_none() => is.major == asked.major,
        Ok(is) => is == asked,
        Err(_) => false,
    };
    let mut judgement = Judgement::new();
    let cluster = green.cluster.iter().map(|c| (&c.id, &c.engine_version));
    let instances = green.instances.iter().map(|i| (&i.id, &i.engine_version));
    for (id, version) in cluster.chain(instances) {
        if !meets(version) {
            judgement.find(
                Finding::new(id, format!("{id} runs {version}, not {asked}"))
                    .on(Side::Rds)
                    .evidence("version", version.as_str()),
            );
        }
    }
    Ok(judgement.done_with(format!("{asked}")))
}
