//! No setting of blue waits for a restart.

use super::{Ctx, Setting, room, shared};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.rows::<Setting>(Side::Blue, "settings");
    if !settings.unseen.is_empty() {
        return room::blind(settings.unseen);
    }
    // The writer's own state at RDS goes by the same file: out of sync, creation is refused.
    let level = if shared::managed(ctx) { Level::Blocker } else { Level::Warning };
    let mut judgement = Judgement::new();
    for (_, setting) in settings.rows.into_iter().filter(|(_, s)| s.pending_restart) {
        let message = format!(
            "{} was changed, and the new value waits for a restart (in force: {})",
            setting.name,
            setting.setting.as_deref().unwrap_or_default()
        );
        let writer = ctx.facts.rds.known().and_then(|rds| rds.blue.known()).and_then(|t| t.writer());
        let fix = match (writer, level) {
            (Some(writer), _) => format!("aws rds reboot-db-instance --db-instance-identifier {}", writer.id),
            (None, Level::Blocker) => "aws rds reboot-db-instance --db-instance-identifier WRITER".to_owned(),
            (None, _) => "-- restart the server".to_owned(),
        };
        judgement.find(Finding::new(setting.name, message).on(Side::Blue).at(level).fix(fix));
    }
    judgement.done()
}
