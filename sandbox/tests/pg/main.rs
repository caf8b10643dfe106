//! Real servers of every major: how they start, stop and disappear, and what is built on them.

mod copying;
mod endpoint;
mod rds_roles;
mod replicating;
mod servers;
