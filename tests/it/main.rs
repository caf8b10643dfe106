//! The one integration-test binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]

mod catalogue;
mod cli;
mod facts_scenarios;
mod laws;
mod machine;
mod output;
mod recipes;
mod reference;
mod scenarios;
mod support;
mod tls;
