//! The one integration-test binary.

mod driver;
mod journal;
mod machine;
mod settle;
