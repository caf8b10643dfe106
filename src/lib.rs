//! greenlight answers one question about an Amazon RDS or Aurora PostgreSQL database: may this blue/green upgrade go
//! ahead, now?

pub mod switchover;
