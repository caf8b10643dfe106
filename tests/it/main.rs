//! The one integration-test binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]

mod catalogue;
mod cli;
mod drift;
mod facts_scenarios;
mod laws;
mod machine;
mod plan;
mod scenarios;
mod support;
mod tls;
