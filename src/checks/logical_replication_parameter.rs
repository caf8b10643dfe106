//! Blue's own parameter group turns logical replication on.

use super::{
    Ctx,
    plane::{Plane, answer, bare, is_default_group, is_on, value},
};
use crate::{
    model::{Side, aws_cli},
    verdict::{Finding, Judgement, Verdict},
};

const NAME: &str = "rds.logical_replication";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let key = plane.blue_group_key()?;
    let group = plane.blue_group()?;
    let name = bare(&key);
    let writer = blue.writer().map_or("WRITER", |w| &w.id);
    let mut judgement = Judgement::new();
    if is_default_group(&key) {
        let family = name.trim_start_matches("default.");
        let own = format!("{}-{family}", blue.id());
        let kind = plane.group_kind();
        let parameter_group = kind.group();
        let create = plane.aws(format!(
            "create-{parameter_group} --{parameter_group}-name {own} --db-parameter-group-family {family} --description '{own}'"
        ));
        let set = plane.set_parameter(&kind.group_key(&own), NAME, "1", "pending-reboot");
        let give = plane.aws(aws_cli::attach_group(kind, blue.id(), &own));
        judgement.find(
            Finding::new(
                name,
                format!("{} uses {name}, which nobody can change: logical replication stays off", blue.id()),
            )
            .on(Side::Rds)
            .fix([create, set, give, plane.reboot(writer)].join("\n")),
        );
    } else if !is_on(value(group, NAME)) {
        let set = plane.set_parameter(&key, NAME, "1", "pending-reboot");
        judgement.find(
            Finding::new(name, format!("{NAME} is off in parameter group {name}"))
                .on(Side::Rds)
                .fix([set, plane.reboot(writer)].join("\n"))
                .evidence("value", value(group, NAME)),
        );
    }
    Ok(judgement.done())
}
