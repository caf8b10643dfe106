//! No other replication is built into blue.

use super::{Ctx, jobs, shared::Extension};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

const NAMES: [&str; 3] = ["pglogical", "pgactive", "bdr"];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    for name in NAMES {
        match jobs::preloaded(ctx, Side::Blue, name) {
            Ok(true) => judgement.find(
                Finding::new(name, format!("{name} is loaded by shared_preload_libraries"))
                    .on(Side::Blue)
                    .fix(format!(
                        "-- drop its nodes and slots, take {name} out of shared_preload_libraries, and reboot blue before the creation"
                    )),
            ),
            Ok(false) => {}
            Err(unseen) => judgement.blind([unseen]),
        }
    }
    let extensions = ctx.rows::<Extension>(Side::Blue, "extensions");
    judgement.blind(extensions.unseen);
    for (database, extension) in extensions.rows.iter().filter(|(_, e)| NAMES.contains(&e.name.as_str())) {
        let name = &extension.name;
        judgement.find(
            Finding::new(format!("extension {name}"), format!("the extension {name} is installed"))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(Level::Warning)
                .fix(format!("drop extension {name};"))
                .evidence("version", extension.version.as_str()),
        );
    }
    judgement.done()
}
