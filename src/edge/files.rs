//! Files: read whole, written whole. What may hold names of databases is readable by its owner alone.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {source}", path = path.display())]
pub struct FileError {
    /// `read` or `write`.
    pub action: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// Reads a text file; `-` is stdin.
///
/// # Errors
/// Where it cannot be read or is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the place that may")]
pub fn read(path: &Path) -> Result<String, FileError> {
    let text = if path == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|source| FileError {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// Reads a text file where there is one.
///
/// # Errors
/// Where it is there but cannot be read.
pub fn read_if_there(path: &Path) -> Result<Option<String>, FileError> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes a folder, with those above it, for its owner alone.
///
/// # Errors
/// Where it cannot be made.
pub fn folder(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|source| FileError {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file so that it is there whole or not at all, readable by its owner alone.
///
/// # Errors
/// Where it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), FileError> {
    write_whole(path, text).map_err(|source| FileError {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

/// Adds to the end of a file, which is made where there is none.
///
/// # Errors
/// Where it cannot be written.
pub fn append(path: &Path, text: &str) -> Result<(), FileError> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| FileError {
            action: "write",
            path: path.to_owned(),
            source,
        })
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A pipe, a terminal or /dev/stdout is written to as it is.
    if path.exists() && !path.is_file() {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        return file.write_all(text.as_bytes());
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut draft_name = std::ffi::OsString::from(".");
    draft_name.push(name);
    draft_name.push(format!(".{}.draft", std::process::id()));
    let draft = path.with_file_name(draft_name);
    let outcome = (|| {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    })();
    if outcome.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    outcome
}
