//! A local RDS: the RDS Query API over HTTP in front of real PostgreSQL servers.

pub mod copy;
pub mod pg;
pub mod proxy;
pub mod replicate;
pub mod roles;
