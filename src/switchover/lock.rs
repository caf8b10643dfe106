//! Two locks keep a second operator out: a file lock next to the journal, for the same machine and file, and an advisory
//! lock in the blue database, for everybody else.
//!
//! Both are let go by the system when their holder dies, so neither needs a time-out or can be left behind. Neither
//! stops the console or another tool: the last look and RDS's own state do that.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::record::Actor;

/// The database in which the advisory lock is taken. Advisory locks are local to a database, so all operators must
/// use the same one; RDS and Aurora make this one on every server.
/// <https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>
pub const DATABASE: &str = "postgres";

/// Bytes of a lock file that are read to tell who has it; anybody may have written them.
const LONGEST_HOLDER: u64 = 4096;

/// Takes the lock. `$1` is [`AdvisoryKey::value`]. On a session of its own and straight to the writer: behind a
/// transaction-pooling proxy a session lock belongs to nobody in particular.
pub const TAKE_SQL: &str = "select pg_catalog.pg_try_advisory_lock($1::bigint)";

/// Whether *this session* holds the lock. `$1` and `$2` are [`AdvisoryKey::halves`].
pub const HELD_SQL: &str = "\
select exists (
    select 1 from pg_catalog.pg_locks
    where locktype = 'advisory' and granted and pid = pg_catalog.pg_backend_pid()
      and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and classid = $1::oid and objid = $2::oid and objsubid = 1)";

/// Who holds the lock. `$1` and `$2` are [`AdvisoryKey::halves`]. Another role's row is masked without `pg_monitor`, so
/// every column but `pid` may be null.
pub const HOLDER_SQL: &str = "\
select l.pid, a.usename::text, a.application_name, a.client_addr::text, a.backend_start::text
from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted
  and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
  and l.classid = $1::oid and l.objid = $2::oid and l.objsubid = 1";

/// The key of a deployment's advisory lock.
///
/// The first eight bytes, big-endian, of SHA-256 over `greenlight/switchover/1` , a zero byte, and the deployment's id.
/// This never changes: two versions of greenlight must exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvisoryKey(i64);

impl AdvisoryKey {
    /// The key for `bgd-…`. The API does not tell upper from lower case in it, so neither does the key.
    #[must_use]
    pub fn of(deployment_id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"greenlight/switchover/1\0");
        hash.update(deployment_id.to_ascii_lowercase().as_bytes());
        let digest = hash.finalize();
        let first = digest.first_chunk::<8>().expect("a SHA-256 digest has 32 bytes");
        Self(i64::from_be_bytes(*first))
    }

    /// For `pg_try_advisory_lock(bigint)`.
    #[must_use]
    pub fn value(self) -> i64 {
        self.0
    }

    /// How `pg_locks` shows a `bigint` key: high half in `classid`, low half in `objid`.
    /// <https://www.postgresql.org/docs/current/view-pg-locks.html>
    #[must_use]
    pub fn halves(self) -> (u32, u32) {
        let bits = self.0.cast_unsigned();
        ((bits >> 32) as u32, (bits & 0xffff_ffff) as u32)
    }
}

/// The lock file of a journal, held for as long as this lives. The file stays: taking it away would let two processes
/// hold locks on two files of one name.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// The journal's lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("another greenlight uses this journal: {holder} holds {path}; wait for it, or stop it first")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who wrote it, or that nobody knows.
        holder: String,
    },
    /// The file cannot be opened, locked or written.
    #[error("cannot lock {path}: {source}; give --journal a path on a local disk that can be written")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl FileLock {
    /// Where the lock of a journal is: its name with `.lock` at the end.
    #[must_use]
    pub fn path_for(journal: &Path) -> PathBuf {
        let mut name = journal.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// Takes the lock of `journal` and writes down who has it.
    ///
    /// # Errors
    /// [`LockError::Held`] names the holder; [`LockError::Io`] anything else.
    pub fn take(journal: &Path, by: &Actor) -> Result<Self, LockError> {
        let path = Self::path_for(journal);
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(io)?;
        own(&path, &file).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = file
                    .take(LONGEST_HOLDER)
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| serde_json::from_str::<Actor>(&text).ok())
                    .map_or_else(|| "an unknown process".into(), |actor| actor.to_string());
                return Err(LockError::Held { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let text = serde_json::to_string(by).expect("an actor is plain data");
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Refuses a file that was opened through a link: in a folder of others, somebody could have a file of ours emptied so.
fn own(path: &Path, file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (named, opened) = (std::fs::symlink_metadata(path)?, file.metadata()?);
        let same = named.file_type().is_file() && (named.dev(), named.ino()) == (opened.dev(), opened.ino());
        if !same || opened.nlink() > 1 {
            return Err(io::Error::other("it is a link to another file"));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

/// Only the owner may read what is written.
pub(crate) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_same_for_ever() {
        let key = AdvisoryKey::of("bgd-wi89nwzglccsfake");
        assert_eq!(key, AdvisoryKey::of("BGD-WI89nwzglccsfake"));
        assert_ne!(key, AdvisoryKey::of("bgd-wi89nwzglccsfakf"));
        // Computed with another SHA-256: printf 'greenlight/switchover/1\0bgd-wi89nwzglccsfake' | sha256sum
        assert_eq!(key.value(), i64::from_be_bytes(EXPECTED));
        let (high, low) = key.halves();
        assert_eq!(
            (u64::from(high) << 32 | u64::from(low)).cast_signed(),
            key.value()
        );
    }

    const EXPECTED: [u8; 8] = [0xb4, 0x70, 0x79, 0x04, 0x98, 0x8d, 0x82, 0x27];
}
