//! The one integration-test binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

mod attest;
mod bad_input;
mod capacity;
mod catalogue;
mod change;
mod cli;
mod conditions;
mod contents;
mod deadline;
mod drift;
mod driver;
mod engine_version;
mod facts_scenarios;
mod fleet;
mod fuzz;
mod harmless;
mod journal;
mod laws;
mod limits;
mod machine;
mod moto;
mod oracle;
mod output;
mod plan;
mod probe;
mod rds_change;
mod rds_collect;
mod readme;
mod recipes;
mod redact;
mod reference;
mod rights;
mod scenarios;
mod secrets;
mod security;
mod settle;
mod support;
mod switchover;
mod tls;
mod watch;
mod whole;
mod work;
