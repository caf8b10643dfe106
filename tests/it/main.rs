//! The one integration-test binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]

mod capacity;
mod catalogue;
mod cli;
mod drift;
mod driver;
mod facts_scenarios;
mod journal;
mod laws;
mod machine;
mod output;
mod plan;
mod rds_collect;
mod readme;
mod scenarios;
mod settle;
mod support;
mod tls;
