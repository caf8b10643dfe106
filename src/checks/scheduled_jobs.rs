//! No job of pg_cron changes the schema of blue while green lives.

use super::{
    Ctx,
    jobs::{self, Work},
    materialized_views,
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let jobs = jobs::active(ctx, Side::Blue, &mut judgement);
    let count = jobs.len();
    for (database, job) in jobs {
        let (level, effect) = match job.work() {
            Work::Rows => continue,
            Work::Partitions => (Level::Blocker, "makes or drops partitions, which green does not get"),
            Work::Schema => (Level::Blocker, "changes the schema, which degrades the deployment"),
            Work::Refresh if materialized_views::refresh_is_harmless(ctx) => {
                (Level::Notice, "refreshes materialized views, which does not reach green")
            }
            Work::Refresh => (Level::Warning, "refreshes materialized views, which breaks replication on this version"),
        };
        judgement.find(
            Finding::new(format!("cron job {}", job.id), format!("job {} ({}) {effect}", job.id, job.schedule))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(level)
                .fix(format!("select cron.alter_job({}, active := false);", job.id))
                .evidence("command", job.command)
                .evidence("runs in", job.database),
        );
    }
    judgement.done_with(format!("{count} active jobs, none of which changes the schema"))
}
