//! Everything that touches the world outside: files, the environment, the network, the clock.

pub mod conninfo;
pub mod env;
pub mod pgpass;
pub mod service;

pub mod auth;
pub mod connect;
pub mod tls;
