//! No database activity stream runs on blue.

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let mut judgement = Judgement::new();
    let cluster = blue.cluster.iter().map(|c| (&c.id, &c.arn, &c.activity_stream));
    let instances = blue.instances.iter().map(|i| (&i.id, &i.arn, &i.activity_stream));
    for (id, arn, stream) in cluster.chain(instances) {
        match stream.as_deref() {
            // Instances without the feature have no such field.
            None | Some("stopped" | "stopping") => {}
            Some(status @ ("started" | "starting")) => judgement.find(
                Finding::new(id, format!("an activity stream of {id} is {status}; it stays with the old side"))
                    .on(Side::Rds)
                    .fix(plane.aws(format!(
                        "start-activity-stream --resource-arn {arn} --mode async --kms-key-id \"$KEY\" --apply-immediately"
                    ))),
            ),
            Some(other) => {
                judgement.unseen(id, format!("this greenlight does not know the activity stream status {other}"));
            }
        }
    }
    Ok(judgement.done())
}
