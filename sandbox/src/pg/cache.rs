//! The folder in which binaries and initialised data folders are kept between runs, and the locks that make it safe
//! for several processes and threads at once: whatever appears under its final name is complete.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Account, Error};

/// A folder of things that are costly to make.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// `GREENLIGHT_PG_CACHE`, else `postgres/` in cargo's target folder, else a folder under the system's temporary
    /// one. The last is also taken where the servers' account cannot enter the target folder.
    pub(super) fn open(account: &Account) -> Result<Self, Error> {
        if let Some(dir) = std::env::var_os("GREENLIGHT_PG_CACHE").filter(|dir| !dir.is_empty()) {
            let cache = Self::at(PathBuf::from(dir))?;
            if !account.reaches(&cache.dir) {
                return Err(Error::Unreachable {
                    user: account.name.clone(),
                    path: cache.dir,
                });
            }
            return Ok(cache);
        }
        if let Some(target) = target_folder() {
            let cache = Self::at(target.join("postgres"))?;
            if account.reaches(&cache.dir) {
                return Ok(cache);
            }
        }
        let user = rustix::process::geteuid().as_raw();
        let cache = Self::at(temp_folder(account)?.join(format!("greenlight-postgres-{user}")))?;
        // The name can be guessed: what another user put there must not be run.
        let meta = fs::symlink_metadata(&cache.dir).map_err(Error::io("look at", &cache.dir))?;
        if !meta.is_dir() || meta.uid() != user || meta.mode() & 0o022 != 0 {
            return Err(Error::ForeignCache { path: cache.dir });
        }
        Ok(cache)
    }

    fn at(dir: PathBuf) -> Result<Self, Error> {
        if !dir.is_dir() {
            fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
            open_to_all(&dir)?;
        }
        let dir = dir.canonicalize().map_err(Error::io("find", &dir))?;
        Ok(Self { dir })
    }

    /// The folder `name`, made by `make` if it is not there yet. `make` gets a fresh folder to fill.
    pub(super) fn folder(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let done = self.dir.join(name);
        if done.is_dir() {
            return Ok(done);
        }
        let lock_path = self.dir.join(format!("{name}.lock"));
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        if done.is_dir() {
            return Ok(done);
        }
        let prefix = format!(".{name}-");
        self.remove_drafts(&prefix);
        let draft = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&self.dir)
            .map_err(Error::io("create a folder in", &self.dir))?;
        open_to_all(draft.path())?;
        make(draft.path())?;
        fs::rename(draft.path(), &done).map_err(Error::io("rename a folder to", &done))?;
        // Under its final name it is no longer ours to remove.
        let _moved = draft.keep();
        Ok(done)
    }
}

impl Cache {
    /// What a process left that was killed at this work. Whoever holds the lock is the only one at it.
    fn remove_drafts(&self, prefix: &str) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                // It is in nobody's way if it cannot be removed.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// What must be free in memory for data folders to be put there; a fresh one takes 40 MB.
const ROOMY: u64 = 2 << 30;

/// Where the data folder of a server that need not last is made: in memory where Linux offers enough of it, because
/// several copies at once keep a disk busy. `TMPDIR` overrides that.
pub(super) fn scratch_folder(account: &Account) -> Result<PathBuf, Error> {
    let memory = Path::new("/dev/shm");
    let roomy =
        || rustix::fs::statvfs(memory).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOMY);
    if cfg!(target_os = "linux") && std::env::var_os("TMPDIR").is_none() && account.reaches(memory) && roomy()
    {
        return Ok(memory.to_path_buf());
    }
    temp_folder(account)
}

/// The system's temporary folder, or `/tmp` where that one is closed to the account that servers run as.
pub(super) fn temp_folder(account: &Account) -> Result<PathBuf, Error> {
    let own = std::env::temp_dir();
    [own.clone(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
        .into_iter()
        .filter(|dir| account.reaches(dir))
        .find_map(|dir| dir.canonicalize().ok())
        .ok_or(Error::Unreachable {
            user: account.name.clone(),
            path: own,
        })
}

/// Cargo's target folder: as the environment says, else the tagged folder that this executable lies in, else the one
/// beside the workspace's lock file.
fn target_folder() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        return Some(PathBuf::from(dir));
    }
    let beside_executable = std::env::current_exe().ok().and_then(|exe| {
        exe.ancestors()
            .skip(1)
            .find(|dir| dir.join("CACHEDIR.TAG").is_file())
            .map(Path::to_path_buf)
    });
    beside_executable.or_else(|| {
        let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
        manifest
            .ancestors()
            .find(|dir| dir.join("Cargo.lock").is_file())
            .map(|dir| dir.join("target"))
    })
}

fn open_to_all(dir: &Path) -> Result<(), Error> {
    fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(Error::io("open up", dir))
}

/// Copies a folder with its modes. The copy belongs to `account`. File contents are shared with the original on file
/// systems that can do that.
pub(super) fn copy_folder(from: &Path, to: &Path, account: &Account) -> Result<(), Error> {
    fs::create_dir(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Error::io("look at", &source))?;
        if kind.is_dir() {
            copy_folder(&source, &copy, account)?;
        } else if kind.is_symlink() {
            let goal = fs::read_link(&source).map_err(Error::io("read", &source))?;
            std::os::unix::fs::symlink(goal, &copy).map_err(Error::io("link", &copy))?;
        } else {
            fs::copy(&source, &copy).map_err(Error::io("copy", &source))?;
            account.own(&copy)?;
        }
    }
    let mode = fs::metadata(from)
        .map_err(Error::io("look at", from))?
        .permissions();
    fs::set_permissions(to, mode).map_err(Error::io("set the mode of", to))?;
    account.own(to)
}
