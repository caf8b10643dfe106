//! Files: read whole, written whole, never without an end. What may hold names of databases is readable by its owner alone.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::bounded;

/// Bytes of a file that is read whole: the facts of hundreds of thousands of tables.
const LONGEST: u64 = 256 << 20;
/// The same for what people write by hand, such as password files.
const LONGEST_BY_HAND: u64 = 4 << 20;
/// Said of what is longer.
const NOT_READ: &str = "greenlight does not read";

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
    let bytes = if path == Path::new("-") {
        bounded::read(io::stdin().lock(), LONGEST, NOT_READ)
    } else {
        std::fs::File::open(path).and_then(|file| bounded::read(file, LONGEST, NOT_READ))
    };
    let text = bytes.and_then(|bytes| {
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
    });
    text.map_err(|source| FileError {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a file that somebody has written by hand, in whatever encoding.
///
/// # Errors
/// Where it cannot be read, or is longer than anybody writes.
#[expect(clippy::disallowed_methods, reason = "this is the place that may")]
pub fn bytes_by_hand(path: &Path) -> io::Result<Vec<u8>> {
    bounded::read(std::fs::File::open(path)?, LONGEST_BY_HAND, NOT_READ)
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

/// Adds to the end of somebody's file as it is, such as a runner's summary; it is made, for its owner alone, where there is none.
///
/// # Errors
/// Where it cannot be written.
pub fn append(path: &Path, text: &str) -> Result<(), FileError> {
    let file = at_the_end(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| FileError {
            action: "write",
            path: path.to_owned(),
            source,
        })
}

/// The same for a file of our own: readable by its owner alone from now on, and no link to somebody else's.
///
/// # Errors
/// Where it cannot be written, or is a link.
pub fn append_to_own(path: &Path, text: &str) -> Result<(), FileError> {
    let written = at_the_end(path).and_then(|mut file| {
        is_itself(path, &file)?;
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        file.write_all(text.as_bytes())
    });
    written.map_err(|source| FileError {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

fn at_the_end(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// What was opened is what stands there, and not what a link leads to. Asked after opening, so that nothing can come in between.
fn is_itself(path: &Path, file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (named, opened) = (std::fs::symlink_metadata(path)?, file.metadata()?);
    if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) {
        Ok(())
    } else {
        Err(io::Error::other("it is a link to another file; remove it"))
    }
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
