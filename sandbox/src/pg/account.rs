//! The account that servers run as. PostgreSQL refuses root, so root hands the servers to `postgres`, else `nobody`;
//! anyone else runs them as themselves.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::Error;

/// The user and group of the server processes.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
    /// Whether this process is root and changes to that account.
    switches: bool,
}

impl Account {
    /// Decided once a process.
    pub(super) fn current() -> Result<&'static Self, Error> {
        static ACCOUNT: OnceLock<Option<Account>> = OnceLock::new();
        ACCOUNT
            .get_or_init(Self::decide)
            .as_ref()
            .ok_or(Error::NoServerUser)
    }

    fn decide() -> Option<Self> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            let gid = rustix::process::getegid().as_raw();
            return Some(Self {
                name: format!("with id {uid}"),
                uid,
                gid,
                switches: false,
            });
        }
        ["postgres", "nobody"].into_iter().find_map(|name| {
            let account = Self {
                name: name.to_owned(),
                uid: id("-u", name)?,
                gid: id("-g", name)?,
                switches: true,
            };
            (account.uid != 0).then_some(account)
        })
    }

    /// A command that runs as this account, with nothing of our environment but what finding shared libraries needs,
    /// in a process group of its own so that a terminal's Ctrl-C does not reach it.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C");
        for name in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ", "TZDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null()).process_group(0);
        if self.switches {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or folder to this account.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        if self.switches {
            chown(path, Some(self.uid), Some(self.gid)).map_err(Error::io("change the owner of", path))?;
        }
        Ok(())
    }

    /// Whether every folder on the way to `path` may be entered, judged by owner, group and mode.
    pub(super) fn reaches(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        !self.switches
            || path.ancestors().skip(usize::from(!path.is_dir())).all(|folder| {
                folder.metadata().is_ok_and(|meta| {
                    let bit = if meta.uid() == self.uid {
                        0o100
                    } else if meta.gid() == self.gid {
                        0o010
                    } else {
                        0o001
                    };
                    meta.mode() & bit != 0
                })
            })
    }
}

fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("/usr/bin/id")
        .args([flag, name])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
