//! The `greenlight` binary: parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    greenlight::commands::run().into()
}
