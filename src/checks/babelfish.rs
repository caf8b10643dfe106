//! A Babelfish cluster is new enough, and its parameters are the same on both sides.

use super::{
    Ctx,
    plane::{Plane, answer, bare, is_on, same_value},
};
use crate::{
    model::{PgVersion, Phase, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

const EQUAL: [&str; 6] = [
    "rds.babelfish_status",
    "babelfishpg_tds.tds_default_numeric_precision",
    "babelfishpg_tds.tds_default_numeric_scale",
    "babelfishpg_tsql.default_locale",
    "babelfishpg_tsql.migration_mode",
    "babelfishpg_tsql.server_collation_name",
];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    if !is_on(plane.value_of(blue, EQUAL[0])?) {
        return Ok(judgement.done_with("Babelfish is off".to_owned()));
    }
    let source = plane.source()?;
    let minimum = match source.major {
        ..=15 => PgVersion::new(15, 7),
        16 => PgVersion::new(16, 3),
        major => PgVersion::new(major, 0),
    };
    if source < minimum && ctx.situation.phase == Phase::Create {
        judgement.find(
            Finding::new(
                blue.id(),
                format!("with Babelfish the source must be 15.7, 16.3 or newer, blue runs {source}"),
            )
            .on(Side::Rds),
        );
    }
    let group = plane.target_group()?;
    for name in EQUAL {
        let (ours, theirs) = (plane.value_of(blue, name)?, plane.target_value(name)?);
        if !same_value(ours.unwrap_or_default(), theirs.unwrap_or_default()) {
            let mut finding = Finding::new(name, format!("{name} differs between blue and green"))
                .on(Side::Rds)
                .at(Level::Warning)
                .evidence("blue", ours)
                .evidence("green", theirs);
            if let (Some(key), Some(value), false) = (group.key(), ours, group.is_default()) {
                finding = finding
                    .fix(plane.set_parameter(key, name, value, "pending-reboot"))
                    .evidence("green's group", bare(key));
            }
            judgement.find(finding);
        }
    }
    Ok(judgement.done())
}
