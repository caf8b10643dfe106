//! What really happens, against what the checks say about the same database.

mod extensions;
mod replication;
mod upgrade;
mod zones;
