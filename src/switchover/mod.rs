//! The guarded switchover: a pure machine that decides, a driver that acts, and a journal that remembers.
//!
//! - [`machine`] is `step(config, state, event) -> (state, effects)`: total, without I/O and without a clock.
//!   [`follow`] is its second half, from the submitted request to the end; [`options`], [`evidence`] and [`terms`]
//!   hold its vocabulary, and [`outcome`] its ends with their exit codes.
//! - [`driver`] carries out effects in a [`driver::World`] and feeds back what happened.
//! - [`journal`] keeps every decision on disk *before* the effect that it allows; [`resume`] reads it back.
//! - [`remark`] is what the journal keeps for the change record alone, with the sums of [`outage`].
//! - [`moment`] judges what moves by the second: lag, and the checks of sessions, slots and workers.
//! - [`lock`] keeps a second operator out, [`settle`] does the sums over replication lag, [`history`] reads RDS
//!   events, and [`explain`] names the guardrail behind a switchover that RDS cancelled.

pub mod deployment;
pub mod driver;
pub mod evidence;
pub mod explain;
pub mod follow;
pub mod history;
pub mod journal;
pub mod lock;
pub mod machine;
pub mod moment;
pub mod options;
pub mod outage;
pub mod outcome;
pub mod record;
pub mod remark;
pub mod resume;
pub mod settle;
pub mod terms;
