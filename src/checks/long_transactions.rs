//! No transaction on blue has been writing for long.

use super::{Ctx, room, shared::Session};
use crate::{
    model::{Phase, Side},
    verdict::{Judgement, Level, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let (sessions, more) = match Session::of(ctx, Side::Blue) {
        Ok(sessions) => sessions,
        Err(unseen) => return room::blind(unseen),
    };
    let thresholds = &ctx.policy.thresholds;
    #[expect(clippy::cast_precision_loss, reason = "a timeout has few digits")]
    let timeout = thresholds.switchover_timeout_seconds as f64;
    let mut judgement = Judgement::new();
    judgement.more(more);
    for session in sessions.iter().filter(|s| s.writes) {
        let seconds = session.transaction_seconds.unwrap_or(0.0);
        if seconds < thresholds.long_transaction_seconds {
            continue;
        }
        let (level, effect) = match ctx.situation.phase {
            Phase::Create => (Level::Warning, "slots cannot be made until it ends"),
            _ if seconds >= timeout => (Level::Blocker, "the switchover's timeout would not be enough for it"),
            _ => (Level::Warning, "the switchover may be refused"),
        };
        let message = format!("{} has been writing for {seconds:.0} s: {effect}", session.words());
        judgement.find(session.finding(Side::Blue, message).at(level));
    }
    let writing = sessions.iter().filter(|s| s.writes).count();
    judgement.done_with(format!("{} open transactions, {writing} of them writing", sessions.len()))
}
