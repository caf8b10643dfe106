//! The edge: the only place that talks to networks, files, clocks and terminals. Everything else is pure.

pub mod clock;
pub mod collect;
pub mod postgres;
