//! `greenlight switchover`, the shipped binary, on a local RDS with real servers: what it does, what it never does, and
//! what it says. Patience is short here, and the order of things the same.

mod happy;
mod killed;
mod moto;
mod record;
mod refused;
pub(crate) mod stage;
mod stories;
mod terminal;
mod trouble;
