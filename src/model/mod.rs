//! The vocabulary of the rest of the program.

pub mod secret;
