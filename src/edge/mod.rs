//! The edge: the only place that talks to networks, files, clocks and terminals. Everything else is pure.

pub mod answers;
pub mod auth;
pub mod aws;
pub mod blue_lock;
pub mod clock;
pub mod collect;
pub mod connect;
pub mod conninfo;
pub mod contents;
pub mod deadline;
pub mod env;
pub mod files;
pub mod host;
pub mod old_side;
pub mod pager;
pub mod pgpass;
pub mod postgres;
pub mod probe;
pub mod random;
pub mod rds;
pub mod sampler;
pub mod service;
pub mod terminal;
pub mod tls;
