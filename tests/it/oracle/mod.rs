//! What really happens, against what the checks say about the same database.

mod replication;
mod upgrade;
