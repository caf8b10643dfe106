//! Initialised data folders, made once for each set of programs and `initdb` arguments and then copied: a copy takes a
//! tenth of the time.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::binaries::{fingerprint, random_hex, run};
use super::{Account, Binaries, Cache, Error};

/// The bootstrap superuser, named as on RDS.
pub(super) const SUPERUSER: &str = "rdsadmin";

/// The file that every server's own settings go to.
pub(super) const SETTINGS_FILE: &str = "sandbox.conf";

/// An initialised data folder that no server ever runs on.
pub(super) struct Template {
    pub(super) data: PathBuf,
    pub(super) superuser_password: String,
}

impl Template {
    pub(super) fn prepare(
        binaries: &Binaries,
        initdb_args: &[String],
        cache: &Cache,
        account: &Account,
    ) -> Result<Self, Error> {
        let arguments = fingerprint(initdb_args.join("\0").as_bytes());
        let name = format!("data-{}-{arguments:016x}-{}", binaries.key, account.uid);
        let dir = cache.folder(&name, |draft| {
            account.own(draft)?;
            // C.UTF-8 knows the case of letters beyond ASCII, but not every system has it.
            init(binaries, "C.UTF-8", initdb_args, draft, account)
                .or_else(|_| init(binaries, "C", initdb_args, draft, account))
        })?;
        let password = dir.join("superuser-password");
        let superuser_password = fs::read_to_string(&password).map_err(Error::io("read", &password))?;
        Ok(Self {
            data: dir.join("data"),
            superuser_password,
        })
    }
}

fn init(
    binaries: &Binaries,
    locale: &str,
    initdb_args: &[String],
    draft: &Path,
    account: &Account,
) -> Result<(), Error> {
    let data = draft.join("data");
    if data.exists() {
        fs::remove_dir_all(&data).map_err(Error::io("remove", &data))?;
    }
    let password = draft.join("superuser-password");
    fs::write(&password, random_hex(16)?).map_err(Error::io("write", &password))?;
    fs::set_permissions(&password, Permissions::from_mode(0o600))
        .map_err(Error::io("set the mode of", &password))?;
    account.own(&password)?;
    // `trust` leaves the version's own password_encryption alone; the file it is written to is replaced before any
    // server starts.
    run(
        "initdb",
        account
            .command(&binaries.program("initdb"))
            .current_dir(draft)
            .args([
                "--no-sync",
                "--encoding=UTF8",
                "--auth=trust",
                "--username",
                SUPERUSER,
            ])
            .arg(format!("--locale={locale}"))
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .args(initdb_args),
    )?;
    let conf = data.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&conf)
        .and_then(|mut file| writeln!(file, "\ninclude_if_exists = '{SETTINGS_FILE}'"))
        .map_err(Error::io("write", &conf))
}
