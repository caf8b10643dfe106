//! Creating and deleting at RDS: one request for each task, never a second one while it is unknown what became of it.
//!
//! The guarded switchover's way in small: [`machine`] is a pure `step(state, event) -> (state, effects)`, [`driver`] carries
//! effects out, and the journal ([`record`], in the switchover's format) has the intent on disk before the request leaves.
//! None of these calls knows an idempotency token, so a lost answer is settled by looking for what the request would have
//! made or taken away.

pub mod driver;
pub mod events;
pub mod machine;
pub mod record;
