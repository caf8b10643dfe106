//! Nobody changes the schema of blue while green lives.

use super::{Ctx, room, shared::Session};
use crate::{
    model::Side,
    verdict::{Judgement, Level, Verdict},
};

/// Commands that hold strong locks but leave the schema as it is.
const MAINTENANCE: [&str; 3] = ["reindex", "cluster", "vacuum"];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let (sessions, more) = match Session::of(ctx, Side::Blue) {
        Ok(sessions) => sessions,
        Err(unseen) => return room::blind(unseen),
    };
    let mut judgement = Judgement::new();
    judgement.more(more);
    for session in &sessions {
        let Some(ddl) = session.ddl.as_deref() else { continue };
        let words: Vec<&str> = ddl.split(|c: char| !c.is_ascii_lowercase()).filter(|w| !w.is_empty()).collect();
        let (level, effect) = match words.as_slice() {
            // Replicated as any change of rows is.
            ["truncate", ..] => continue,
            ["create", "temp" | "temporary" | "local" | "global", ..] => continue,
            ["vacuum", second, ..] if *second != "full" => continue,
            ["vacuum"] => continue,
            [first, ..] if MAINTENANCE.contains(first) => (Level::Warning, "it holds strong locks"),
            _ => (Level::Blocker, "it does not reach green, and the deployment is degraded"),
        };
        let message = format!("{} runs {}: {effect}", session.words(), words.join(" "));
        judgement.find(session.finding(Side::Blue, message).at(level));
    }
    judgement.done()
}
