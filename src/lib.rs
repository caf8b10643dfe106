//! greenlight answers one question about an Amazon RDS or Aurora PostgreSQL database: may this blue/green upgrade go
//! ahead, now?
//!
//! The way of the data: [`edge`] reads the RDS API and both databases into one [`facts::Facts`] document; the judges in
//! [`checks`] turn it into verdicts; [`report`] applies policy and waivers; [`gate`] makes an exit code of it; `output`
//! renders it. Only `edge` asks anybody and reads or writes what people give; the one file kept elsewhere is the journal of
//! [`switchover`] and [`work`]. Everything between facts and report is pure, so that a saved document is judged the same way
//! again.
//!
//! The library is documented for those who read the code; it is no stable interface. Stable are the command line, the
//! exit codes, check ids, the configuration and the JSON formats.

pub mod attest;
pub mod baseline;
mod bounded;
pub mod catalogue;
pub mod checks;
pub mod cli;
pub mod commands;
pub mod config;
pub mod drift;
pub mod edge;
pub mod exit;
pub mod facts;
pub mod fleet;
pub mod gate;
pub mod model;
pub mod output;
pub mod permissions;
pub mod plan;
pub mod policy;
pub mod prepare;
pub mod redact;
pub mod report;
pub mod situation;
pub mod switchover;
pub mod verdict;
pub mod watch;
pub mod work;
