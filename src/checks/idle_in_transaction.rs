//! No session of blue is idle in a transaction for long.

use super::{Ctx, room, shared::Session};
use crate::{
    model::Side,
    verdict::{Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let (sessions, more) = match Session::of(ctx, Side::Blue) {
        Ok(sessions) => sessions,
        Err(unseen) => return room::blind(unseen),
    };
    let mut judgement = Judgement::new();
    judgement.more(more);
    for session in &sessions {
        let idle = session.state.as_deref().is_some_and(|s| s.starts_with("idle in transaction"));
        let seconds = session.state_seconds.unwrap_or(0.0);
        // Those that write are the business of `long-transactions`.
        if idle && !session.writes && seconds >= ctx.policy.thresholds.long_transaction_seconds {
            let message = format!("{} has been idle in a transaction for {seconds:.0} s", session.words());
            judgement.find(session.finding(Side::Blue, message));
        }
    }
    judgement.done()
}
