//! pg_partman rests while green lives.

use super::{Ctx, jobs, shared::Extension};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    match jobs::preloaded(ctx, Side::Blue, "pg_partman_bgw") {
        Ok(true) => judgement.find(
            Finding::new("pg_partman_bgw", "pg_partman's background worker makes and drops partitions by itself")
                .on(Side::Blue)
                .fix("-- take pg_partman_bgw out of shared_preload_libraries, and reboot blue before the creation"),
        ),
        Ok(false) => {}
        Err(unseen) => judgement.blind([unseen]),
    }
    let extensions = ctx.rows::<Extension>(Side::Blue, "extensions");
    judgement.blind(extensions.unseen);
    for (database, extension) in extensions.rows.iter().filter(|(_, e)| e.name == "pg_partman") {
        judgement.find(
            Finding::new("pg_partman", "pg_partman is installed: nothing may call its maintenance while green lives")
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(Level::Warning)
                .fix("-- make the partitions of the coming days now (run_maintenance), then stop whatever calls it")
                .evidence("version", extension.version.as_str()),
        );
    }
    judgement.done()
}
