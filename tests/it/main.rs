//! The one integration-test binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

mod capacity;
mod catalogue;
mod cli;
mod contents;
mod drift;
mod driver;
mod facts_scenarios;
mod journal;
mod laws;
mod machine;
mod oracle;
mod output;
mod plan;
mod rds_collect;
mod readme;
mod recipes;
mod reference;
mod scenarios;
mod settle;
mod support;
mod tls;
