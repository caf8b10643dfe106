//! Weighing a limit of the server against what the deployment needs of it.

use super::{Ctx, shared};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Unseen, Verdict},
};

/// A limit and what is asked of it.
#[derive(Debug)]
pub(super) struct Room {
    /// The setting.
    pub(super) setting: &'static str,
    /// The side that it is set on.
    pub(super) side: Side,
    /// Below this it does not work.
    pub(super) needed: i64,
    /// Below this it may not work.
    pub(super) wanted: i64,
    /// Below this nothing is left for anything else.
    pub(super) comfortable: i64,
    /// The value to set.
    pub(super) advised: i64,
    /// How `needed` comes about: `3 databases + 1 slot in use = 4`.
    pub(super) arithmetic: String,
    /// What goes wrong below `needed`.
    pub(super) otherwise: &'static str,
}

impl Room {
    /// The verdict on the setting's value in force.
    pub(super) fn verdict(self, ctx: &Ctx<'_>) -> Verdict {
        let settings = ctx.settings(self.side);
        let value = match settings.number(self.setting) {
            Ok(value) => value,
            Err(unseen) => return blind(vec![unseen]),
        };
        let name = self.setting;
        let sum = &self.arithmetic;
        let (level, message) = if value < self.needed {
            let message = format!(
                "{name} is {value}, but {} are needed ({sum}): {}",
                self.needed, self.otherwise
            );
            (Level::Blocker, message)
        } else if value < self.wanted {
            let message = format!("{name} is {value}, {} may be needed ({sum})", self.wanted);
            (Level::Warning, message)
        } else if value < self.comfortable {
            let message = format!("{name} is {value}: enough ({sum}), but without head-room");
            (Level::Warning, message)
        } else {
            return Verdict::Pass {
                note: Some(format!("{name} {value}, needed {} ({sum})", self.needed)),
            };
        };
        let waiting = matches!(settings.get(name), Ok(Some(s)) if s.pending_restart);
        let message = if waiting {
            format!("{message}; a changed value waits for a restart")
        } else {
            message
        };
        let mut judgement = Judgement::new();
        judgement.find(
            Finding::new(name, message)
                .on(self.side)
                .at(level)
                .fix(shared::set_parameter(
                    ctx,
                    self.side,
                    name,
                    &self.advised.to_string(),
                ))
                .evidence("value", value)
                .evidence("needed", self.needed),
        );
        judgement.done()
    }
}

/// Weighs a limit, or says what could not be looked at.
pub(super) fn judge(ctx: &Ctx<'_>, room: Result<Room, Vec<Unseen>>) -> Verdict {
    match room {
        Ok(room) => room.verdict(ctx),
        Err(unseen) => blind(unseen),
    }
}

/// Nothing can be said.
pub(super) fn blind(unseen: Vec<Unseen>) -> Verdict {
    let mut judgement = Judgement::new();
    judgement.blind(unseen);
    judgement.done()
}

/// A number for arithmetic on settings.
pub(super) fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
