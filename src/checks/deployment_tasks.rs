//! Every task that makes green is completed.

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
    let deployment = plane.deployment()?;
    // The log file with the reason is on green's writer, which the deployment's pairs name.
    let green = deployment
        .members
        .iter()
        .filter_map(|m| m.target.as_ref())
        .find(|arn| arn.kind() == "db")
        .map_or("GREEN-INSTANCE", |arn| arn.name());
    let mut judgement = Judgement::new();
    if deployment.tasks.is_empty() {
        judgement.unseen(&deployment.id, "the API lists no tasks of the deployment");
    }
    for task in &deployment.tasks {
        let message = match task.status.as_str() {
            "COMPLETED" => continue,
            "FAILED" => format!("task {} failed", task.name),
            "PENDING" | "IN_PROGRESS" => format!("task {} is not finished", task.name),
            other => {
                judgement.unseen(&task.name, format!("this greenlight does not know the task status {other}"));
                continue;
            }
        };
        let mut finding = Finding::new(&task.name, message)
            .on(Side::Rds)
            .evidence("status", task.status.as_str());
        if task.status == "FAILED" {
            finding = finding.fix(plane.aws(format!(
                "describe-db-log-files --db-instance-identifier {green} --filename-contains pg_upgrade"
            )));
        }
        judgement.find(finding);
    }
    Ok(judgement.done())
}
