//! Nobody writes to green but replication.

use super::{Ctx, room, shared::Session};
use crate::{
    model::Side,
    verdict::{Judgement, Verdict},
};

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let (sessions, more) = match Session::of(ctx, Side::Green) {
        Ok(sessions) => sessions,
        Err(unseen) => return room::blind(unseen),
    };
    let mut judgement = Judgement::new();
    judgement.more(more);
    let services = |s: &Session| s.user.as_deref().is_some_and(|u| u.starts_with("rds"));
    let autovacuum = |s: &Session| s.kind.as_deref().is_some_and(|k| k.starts_with("autovacuum"));
    for session in sessions.iter().filter(|s| s.writes && !services(s) && !autovacuum(s)) {
        let message = format!("{} writes on green: the switchover is refused meanwhile, and rows may collide", session.words());
        judgement.find(session.finding(Side::Green, message));
    }
    judgement.done()
}
