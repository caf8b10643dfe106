//! No job of pg_cron runs on green before the switchover.

use super::{Ctx, jobs, room};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Green);
    let loaded = jobs::preloaded(ctx, Side::Green, "pg_cron");
    let launches = settings.get("cron.launch_active_jobs").map(|s| s.and_then(|s| s.setting.as_deref()) != Some("off"));
    match (loaded, launches) {
        (Ok(true), Ok(true)) => {}
        (Ok(false), Ok(_)) => return Verdict::Pass { note: Some("pg_cron is not loaded on green".to_owned()) },
        (Ok(true), Ok(false)) => return Verdict::Pass { note: Some("pg_cron launches no jobs on green".to_owned()) },
        (Err(unseen), _) | (_, Err(unseen)) => return room::blind(vec![unseen]),
    }
    let mut judgement = Judgement::new();
    for (database, job) in jobs::active(ctx, Side::Green, &mut judgement) {
        judgement.find(
            Finding::new(
                format!("cron job {}", job.id),
                format!("job {} ({}) runs on green, as a superuser that no read-only setting stops", job.id, job.schedule),
            )
            .in_database(database.as_deref())
            .on(Side::Green)
            .fix("-- take pg_cron out of shared_preload_libraries of green's parameter group, and reboot green")
            .evidence("command", job.command)
            .evidence("runs in", job.database),
        );
    }
    judgement.done_with("pg_cron is loaded on green, but has no active job".to_owned())
}
