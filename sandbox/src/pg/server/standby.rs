//! Physical replication: a standby of a running server, and its promotion.
//!
//! npm's packages carry no `pg_basebackup`, so the base backup is taken by hand: the low-level interface of
//! <https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP>, with a slot that
//! holds the log back from before the copy on.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::account::Account;
use super::super::port::Port;
use super::super::watchdog::Watchdog;
use super::super::{Error, Result, Settings, literal};
use super::{Inner, Server, State, blocking, query};
use crate::roles::Login;

/// What a base backup leaves out, but for the folders themselves.
const EMPTY: [&str; 9] = [
    "pg_wal",
    "pg_replslot",
    "pg_dynshmem",
    "pg_notify",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
    "archive_status",
];

/// How long a promotion may take.
const PROMOTION: Duration = Duration::from_secs(30);

impl Server {
    /// Starts a standby of this server, which streams through `slot` as `login`, a role with REPLICATION.
    ///
    /// # Errors
    /// When the slot cannot be made, the data cannot be copied, or the standby does not come up.
    pub async fn standby(&self, login: &Login, slot: &str, settings: Settings) -> Result<Self> {
        let modern = self.major() >= 15;
        let client = self.connect("postgres").await?;
        let name = literal(slot);
        query(
            &client,
            "postgres",
            &format!("select pg_create_physical_replication_slot({name}, true)"),
        )
        .await?;
        let start = match modern {
            true => "select pg_backup_start('standby', true)",
            false => "select pg_start_backup('standby', true, false)",
        };
        query(&client, "postgres", start).await?;
        let primary = Arc::clone(&self.inner);
        let copied = blocking(move || copy(&primary, settings)).await;
        let stop = match modern {
            true => "select labelfile from pg_backup_stop(false)",
            false => "select labelfile from pg_stop_backup(false, false)",
        };
        let label = query(&client, "postgres", stop).await?;
        let label = label.into_iter().flatten().flatten().next().unwrap_or_default();
        let inner = copied?;
        let conninfo = self.conninfo("postgres", &login.name, &login.password);
        let slot = slot.to_owned();
        let major = self.major();
        blocking(move || {
            let account = Account::current()?;
            let source = format!(
                "primary_conninfo = {}\nprimary_slot_name = {}\n",
                literal(&conninfo),
                literal(&slot)
            );
            let write = |name: &str, text: &str| {
                let file = inner.data.join(name);
                fs::write(&file, text).map_err(Error::io("write", &file))?;
                account.own(&file)
            };
            write("backup_label", &label)?;
            if major >= 12 {
                let auto = inner.data.join("postgresql.auto.conf");
                let before = fs::read_to_string(&auto).map_err(Error::io("read", &auto))?;
                write("postgresql.auto.conf", &(before + &source))?;
                write("standby.signal", "")?;
            } else {
                write("recovery.conf", &format!("standby_mode = on\n{source}"))?;
            }
            inner.start(true)?;
            Ok(Self {
                inner: Arc::new(inner),
            })
        })
        .await
    }

    /// Makes a standby a server of its own.
    ///
    /// # Errors
    /// When it is no standby, or still is one after half a minute.
    pub async fn promote(&self) -> Result<()> {
        if self.major() >= 12 {
            self.query("postgres", "select pg_promote(false)").await?;
        } else {
            let account = Account::current()?;
            let trigger = self.inner.data.join("promote");
            fs::write(&trigger, "").map_err(Error::io("write", &trigger))?;
            account.own(&trigger)?;
            let mut state = self.inner.lock();
            self.inner
                .running(&mut state)?
                .signal(rustix::process::Signal::USR1);
        }
        let began = Instant::now();
        while self
            .value("postgres", "select pg_is_in_recovery()")
            .await?
            .as_deref()
            != Some("f")
        {
            if began.elapsed() > PROMOTION {
                return Err(Error::Timeout {
                    what: "the standby to be promoted".to_owned(),
                    seconds: PROMOTION.as_secs(),
                    state: "it is in recovery still".to_owned(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// A copy of the data folder, not started yet.
fn copy(primary: &Inner, settings: Settings) -> Result<Inner> {
    let account = Account::current()?;
    let parent = primary.base.parent().unwrap_or(Path::new("/tmp"));
    let base = tempfile::Builder::new()
        .prefix("greenlight-pg-")
        .tempdir_in(parent)
        .map_err(Error::io("create a folder in", parent))?;
    let watchdog = Watchdog::over(base.path())?;
    let base = base.keep();
    account.own(&base)?;
    let data = base.join("data");
    copy_live(&primary.data, &data, account)?;
    Ok(Inner {
        binaries: primary.binaries.clone(),
        log: base.join("log"),
        base,
        data,
        superuser_password: primary.superuser_password.clone(),
        defaults: primary.defaults.clone(),
        state: Mutex::new(State {
            process: None,
            settings,
            port: Port::reserve()?,
            watchdog,
        }),
    })
}

/// Copies what a base backup holds, from under a running server: files may go while it is read.
fn copy_live(from: &Path, to: &Path, account: &Account) -> Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    fs::create_dir(to).map_err(Error::io("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let entry = entry.map_err(Error::io("list", from))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let (source, copy) = (entry.path(), to.join(name.as_ref()));
        if name.starts_with("postmaster.") || name.starts_with("pgsql_tmp") || name == "standby.signal" {
            continue;
        }
        if entry.file_type().map_err(Error::io("look at", &source))?.is_dir() {
            if EMPTY.contains(&name.as_ref()) {
                copy_empty(&source, &copy, account)?;
            } else {
                copy_live(&source, &copy, account)?;
            }
            continue;
        }
        match fs::copy(&source, &copy) {
            Ok(_) => account.own(&copy)?,
            Err(error) if gone(&error) => {}
            Err(error) => return Err(Error::io("copy", &source)(error)),
        }
    }
    like(from, to, account)
}

/// A folder with its subfolders and nothing in them, but for those of slots.
fn copy_empty(from: &Path, to: &Path, account: &Account) -> Result<()> {
    fs::create_dir(to).map_err(Error::io("create", to))?;
    let archive = from.join("archive_status");
    if archive.is_dir() {
        copy_empty(&archive, &to.join("archive_status"), account)?;
    }
    like(from, to, account)
}

fn like(from: &Path, to: &Path, account: &Account) -> Result<()> {
    let mode = fs::metadata(from)
        .map_err(Error::io("look at", from))?
        .permissions();
    fs::set_permissions(to, mode).map_err(Error::io("set the mode of", to))?;
    account.own(to)
}
