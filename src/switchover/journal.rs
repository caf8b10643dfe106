//! The journal: one JSON record a line, on disk before the effect that it allows. What a record can be is up to the work
//! ([`Kinds`]): a switchover's here, those of creating and cleaning up in [`crate::work`].
//!
//! A line is `{"seq":…,"at":…,"prev":…,"record":…,"hash":…}`; `hash` is SHA-256 over the line as written without it, and
//! `prev` is the hash of the line before. Whoever changes, drops or reorders a line is found out at that line; whoever
//! rewrites the whole file, or cuts whole lines off its end, is found out by the head hash that a run prints.
//!
//! A last line without its line end was never acknowledged, so nothing was done on the strength of it: it is cut off.
//! Anything else that does not fit is refused, for a lost intent could mean a second request.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::lock::{FileLock, LockError, private};
use super::record::{Actor, FORMAT, Header, KINDS, Record};
use crate::{bounded, model::hex};

/// What the first record has for `prev`.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes of a journal: days of progress, and the evidence of each decision.
const LONGEST: u64 = 64 << 20;
/// `,"hash":"` + 64 digits + `"}`
const HASH_LENGTH: usize = 9 + 64 + 2;

/// What the records of a journal can be.
pub trait Kinds: Serialize + DeserializeOwned {
    /// The kind of the first record, which tells one work's journal from another's. It has `format` and `tool`.
    const FIRST: &'static str;
    /// Every kind, as it is spelled in the file.
    const KINDS: &'static [&'static str];
    /// What the work is called.
    const WORK: &'static str;
}

impl Kinds for Record {
    const FIRST: &'static str = "header";
    const KINDS: &'static [&'static str] = KINDS;
    const WORK: &'static str = "a switchover";
}

/// One line of a journal, without its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<R = Record> {
    /// From 1, without gaps.
    pub seq: u64,
    /// When it was written, by the clock of the machine.
    pub at: Timestamp,
    /// The hash of the entry before.
    pub prev: String,
    /// What it says.
    pub record: R,
}

/// A journal that was read and verified.
#[derive(Clone, Debug)]
pub struct Log<R = Record> {
    /// Every complete entry; the first is the header.
    pub entries: Vec<Entry<R>>,
    /// The hash of the last entry: with it the whole file can be vouched for.
    pub head: String,
    /// Bytes of a last line that was never finished, if any.
    pub torn: usize,
    /// Bytes of complete lines.
    length: u64,
}

impl Log {
    /// What the journal is about.
    #[must_use]
    pub fn header(&self) -> &Header {
        match self.entries.first() {
            Some(Entry {
                record: Record::Header(header),
                ..
            }) => header,
            _ => unreachable!("a log is only made of entries that begin with a header"),
        }
    }
}

impl<R> Log<R> {
    /// The records, in order.
    pub fn records(&self) -> impl Iterator<Item = &R> {
        self.entries.iter().map(|e| &e.record)
    }
}

/// A journal open for writing, with its lock.
#[derive(Debug)]
pub struct Journal<R = Record> {
    path: PathBuf,
    file: File,
    next: u64,
    head: String,
    broken: bool,
    _lock: FileLock,
    _kind: PhantomData<fn(R)>,
}

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is one already.
    #[error("{path} exists already; take it up with --resume, or give --journal another path")]
    Exists {
        /// The journal.
        path: PathBuf,
    },
    /// It is in use.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// Reading or writing failed.
    #[error("journal {path}: {source}")]
    Io {
        /// The journal.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Nothing was ever written in full.
    #[error(
        "journal {path} has no complete first record, so nothing was ever sent with it; remove it and start anew"
    )]
    Empty {
        /// The journal.
        path: PathBuf,
    },
    /// It is not what greenlight wrote.
    #[error("journal {path}, line {line}: {why}; do not trust it, look at the deployment itself")]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What does not fit.
        why: String,
    },
    /// It is about other work.
    #[error("journal {path} is not the journal of {work}; give --journal the right one")]
    Other {
        /// The journal.
        path: PathBuf,
        /// What was looked for.
        work: &'static str,
    },
    /// A newer version wrote it.
    #[error(
        "journal {path}, line {line}: {what} is not known to this version; use greenlight {tool} or newer"
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is not known.
        what: String,
        /// The version that wrote the header.
        tool: String,
    },
    /// A write failed before, and what is on disk since is not known.
    #[error("journal {path} failed before and is not written any more")]
    Broken {
        /// The journal.
        path: PathBuf,
    },
}

impl Journal<Record> {
    /// Begins a switchover's journal, see [`Journal::begin`].
    ///
    /// # Errors
    /// If it exists, is locked, or cannot be written.
    pub fn create(path: &Path, header: Header, at: Timestamp) -> Result<Self, JournalError> {
        let by = header.by.clone();
        Self::begin(path, Record::Header(Box::new(header)), &by, at)
    }

    /// Takes a switchover's journal up again, see [`Journal::take_up`].
    ///
    /// # Errors
    /// If it is locked, cannot be read, or does not verify.
    pub fn open(path: &Path, by: &Actor) -> Result<(Self, Log), JournalError> {
        Self::take_up(path, by)
    }
}

impl<R: Kinds> Journal<R> {
    /// Begins a journal: takes its lock, makes the file for the owner's eyes only, and has header and directory entry
    /// on disk before it returns.
    ///
    /// # Errors
    /// If it exists, is locked, or cannot be written.
    pub fn begin(path: &Path, first: R, by: &Actor, at: Timestamp) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: path.into(),
            source,
        };
        let lock = FileLock::take(path, by)?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        private(&mut options);
        let file = options.open(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Exists { path: path.into() },
            _ => io(source),
        })?;
        let mut journal = Self {
            path: path.into(),
            file,
            next: 1,
            head: GENESIS.into(),
            broken: false,
            _lock: lock,
            _kind: PhantomData,
        };
        journal.append(first, at)?;
        sync_directory(path).map_err(io)?;
        Ok(journal)
    }

    /// Takes a journal up again: locks it, verifies it, and cuts a torn last line off ([`Log::torn`] says so).
    ///
    /// # Errors
    /// If it is locked, cannot be read, or does not verify.
    pub fn take_up(path: &Path, by: &Actor) -> Result<(Self, Log<R>), JournalError> {
        let io = |source| JournalError::Io {
            path: path.into(),
            source,
        };
        // Before the lock: taking that would leave a lock file beside a journal that does not exist.
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(io)?;
        let lock = FileLock::take(path, by)?;
        let bytes = all(&file).map_err(io)?;
        let log = parse_as(path, &bytes)?;
        if log.torn > 0 {
            file.set_len(log.length).map_err(io)?;
        }
        // Also when nothing was torn: the last line may be there without having reached the disk yet.
        file.sync_all().map_err(io)?;
        let next = log.entries.len() as u64 + 1;
        let head = log.head.clone();
        Ok((
            Self {
                path: path.into(),
                file,
                next,
                head,
                broken: false,
                _lock: lock,
                _kind: PhantomData,
            },
            log,
        ))
    }

    /// Appends one record and returns when it is on disk.
    ///
    /// # Errors
    /// If it could not be written. What is on disk is then not known (a failed fsync may have dropped the pages), so
    /// that every later append fails as well.
    pub fn append(&mut self, record: R, at: Timestamp) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken {
                path: self.path.clone(),
            });
        }
        let entry = Entry {
            seq: self.next,
            at,
            prev: self.head.clone(),
            record,
        };
        let mut line = serde_json::to_string(&entry).expect("an entry is plain data");
        let hash = hash(&line);
        line.pop();
        line.push_str(&format!(",\"hash\":\"{hash}\"}}\n"));
        self.broken = true;
        self.in_place()
            .and_then(|()| self.file.write_all(line.as_bytes()))
            .and_then(|()| self.file.sync_data())
            .map_err(|source| JournalError::Io {
                path: self.path.clone(),
                source,
            })?;
        self.broken = false;
        self.next += 1;
        self.head = hash;
        Ok(())
    }

    /// Whether the path still leads to the file that is written: one that was moved or replaced would be found by nobody who takes
    /// this run up.
    fn in_place(&self) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let (named, open) = (std::fs::metadata(&self.path)?, self.file.metadata()?);
            if (named.dev(), named.ino()) != (open.dev(), open.ino()) {
                return Err(io::Error::other("it was replaced while it was written"));
            }
        }
        Ok(())
    }

    /// The hash of the last entry.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads and verifies a journal without locking or changing it, for a report.
///
/// # Errors
/// If it cannot be read or does not verify.
pub fn read(path: &Path) -> Result<Log, JournalError> {
    read_as(path)
}

/// The same for the journal of any work.
///
/// # Errors
/// If it cannot be read or does not verify.
pub fn read_as<R: Kinds>(path: &Path) -> Result<Log<R>, JournalError> {
    #[expect(clippy::disallowed_methods, reason = "the journal is a file of its own kind")]
    let bytes = File::open(path).and_then(all);
    let bytes = bytes.map_err(|source| JournalError::Io {
        path: path.into(),
        source,
    })?;
    parse_as(path, &bytes)
}

fn all(file: impl Read) -> io::Result<Vec<u8>> {
    bounded::read(file, LONGEST, "no journal is")
}

/// Verifies the bytes of a journal. `path` is for messages only.
///
/// # Errors
/// If they do not verify: see [`JournalError`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Log, JournalError> {
    parse_as(path, bytes)
}

/// The same for the journal of any work.
///
/// # Errors
/// If they do not verify: see [`JournalError`].
pub fn parse_as<R: Kinds>(path: &Path, bytes: &[u8]) -> Result<Log<R>, JournalError> {
    let complete = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let (lines, torn) = bytes.split_at(complete);
    let mut log = Log {
        entries: vec![],
        head: GENESIS.into(),
        torn: torn.len(),
        length: complete as u64,
    };
    let mut tool = String::from("(unknown)");
    for (index, bytes) in lines.split_inclusive(|b| *b == b'\n').enumerate() {
        let line = index + 1;
        let corrupt = |why: &str| JournalError::Corrupt {
            path: path.into(),
            line,
            why: why.into(),
        };
        let newer = |what: String, tool: &str| JournalError::Newer {
            path: path.into(),
            line,
            what,
            tool: tool.into(),
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|_| corrupt("it is not text"))?
            .trim_end_matches('\n');
        let (body, stated) = split(text).ok_or_else(|| corrupt("it does not end in a hash"))?;
        if hash(&body) != stated {
            return Err(corrupt("its hash does not match: it was changed"));
        }
        // The hash is right, so greenlight wrote it: what cannot be read now is newer, not broken.
        let value: serde_json::Value = serde_json::from_str(&body).map_err(|_| corrupt("it is not JSON"))?;
        let record = &value["record"];
        let kind = record["kind"].as_str().unwrap_or_default();
        if index == 0 {
            tool = record["tool"].as_str().unwrap_or("(unknown)").to_owned();
            if kind != R::FIRST && matches!(kind, "header" | "work") {
                return Err(JournalError::Other {
                    path: path.into(),
                    work: R::WORK,
                });
            }
            if kind != R::FIRST {
                return Err(corrupt("the first record is not the header"));
            }
            match record["format"].as_u64() {
                Some(format) if format == u64::from(FORMAT) => {}
                Some(format) => return Err(newer(format!("format {format}"), &tool)),
                None => return Err(corrupt("the header has no format")),
            }
        } else if kind == R::FIRST {
            return Err(corrupt("a second header"));
        }
        if !R::KINDS.contains(&kind) {
            return Err(newer(format!("a record of kind {kind:?}"), &tool));
        }
        let entry: Entry<R> = serde_json::from_str(&body)
            .map_err(|e| newer(format!("something in this {kind} record ({e})"), &tool))?;
        if entry.seq != line as u64 {
            return Err(corrupt(&format!(
                "it is number {}: lines are missing, doubled or out of order",
                entry.seq
            )));
        }
        if entry.prev != log.head {
            return Err(corrupt("it does not follow the line before"));
        }
        log.head = stated.to_owned();
        log.entries.push(entry);
    }
    if log.entries.is_empty() {
        return Err(JournalError::Empty { path: path.into() });
    }
    Ok(log)
}

/// A line without its hash, and the hash.
fn split(line: &str) -> Option<(String, &str)> {
    let at = line.len().checked_sub(HASH_LENGTH)?;
    let (body, tail) = line.split_at_checked(at)?;
    let hash = tail.strip_prefix(",\"hash\":\"")?.strip_suffix("\"}")?;
    Some((format!("{body}}}"), hash))
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Makes the file's name survive a crash of the machine.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let parent = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        #[expect(clippy::disallowed_methods, reason = "a folder is synced through a handle")]
        File::open(parent)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_write_nothing_more_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("app.journal");
        let by = Actor {
            user: "ops".into(),
            host: "bastion".into(),
            pid: 1,
            principal: None,
        };
        // A device that is always full stands in for the disk; the journal's path leads to it.
        std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
        let file = OpenOptions::new().append(true).open(&path).expect("Linux has it");
        let lock = FileLock::take(&path, &by).expect("nobody has it");
        let head = GENESIS.to_owned();
        let mut journal = Journal::<Record> {
            path,
            file,
            next: 1,
            head,
            broken: false,
            _lock: lock,
            _kind: PhantomData,
        };
        let at = Timestamp::UNIX_EPOCH;
        let full = journal.append(Record::Locked { at }, at).expect_err("it is full");
        assert!(full.to_string().contains("No space left"), "{full}");
        let broken = journal.append(Record::Locked { at }, at);
        assert!(matches!(broken, Err(JournalError::Broken { .. })), "{broken:?}");
    }
}
