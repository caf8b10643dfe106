//! The one integration-test binary.

mod machine;
