//! The one integration-test binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]

mod capacity;
mod catalogue;
mod cli;
mod facts_scenarios;
mod laws;
mod machine;
mod rds_collect;
mod scenarios;
mod support;
mod tls;
