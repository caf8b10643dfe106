//! One server process on its data folder: start it and wait until it takes connections, signal it, wait for its end.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Account, Binaries, Error, Result};

/// A machine that runs many tests at once is slow; a server that cannot start says so long before.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(4);

/// What hindered a start.
pub(super) enum Hindrance {
    /// Another process has the port.
    PortTaken,
    /// Processes of a server that was killed have not all gone yet.
    OldProcesses,
    /// Anything else.
    Fatal(Error),
}

/// A running `postgres`.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Returns once the server takes connections.
    pub(super) fn start(
        binaries: &Binaries,
        account: &Account,
        data: &Path,
        log: &Path,
    ) -> Result<Self, Hindrance> {
        let io = |action| {
            move |source| {
                Hindrance::Fatal(Error::Io {
                    action,
                    path: log.to_owned(),
                    source,
                })
            }
        };
        let before = fs::metadata(log).map_or(0, |meta| meta.len());
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(io("open"))?;
        let err = out.try_clone().map_err(io("open"))?;
        let child = account
            .command(&binaries.program("postgres"))
            .current_dir(data)
            .arg("-D")
            .arg(data)
            .stdout(out)
            .stderr(err)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| {
                Hindrance::Fatal(Error::Program {
                    program: "postgres",
                    output: error.to_string(),
                })
            })?;
        let mut process = Self { child };
        let began = Instant::now();
        loop {
            if process.is_ready(data) {
                return Ok(process);
            }
            let ended = process.child.try_wait().ok().flatten();
            if ended.is_none() && began.elapsed() < START_TIMEOUT {
                std::thread::sleep(POLL);
                continue;
            }
            let text = log_text(log);
            let fresh = text.get(usize::try_from(before).unwrap_or(0)..).unwrap_or(&text);
            if ended.is_some() && fresh.contains("could not bind") {
                return Err(Hindrance::PortTaken);
            }
            if ended.is_some() && fresh.contains("pre-existing shared memory block") {
                return Err(Hindrance::OldProcesses);
            }
            let reason = match ended {
                Some(status) => status.to_string(),
                None => {
                    process.kill(data);
                    format!("not ready after {} s", START_TIMEOUT.as_secs())
                }
            };
            let log = super::binaries::tail(fresh.as_bytes(), 15);
            return Err(Hindrance::Fatal(Error::NotStarted {
                major: binaries.major,
                reason,
                log,
            }));
        }
    }

    /// The eighth line of `postmaster.pid` tells the state, the first whose it is.
    /// <https://www.postgresql.org/docs/current/storage-file-layout.html>
    fn is_ready(&self, data: &Path) -> bool {
        let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
            return false;
        };
        let mut lines = text.lines();
        lines
            .next()
            .is_some_and(|pid| pid.trim() == self.child.id().to_string())
            && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself, and then it is waited for all the same.
            let _ = kill_process(pid, signal);
        }
    }

    /// Whether it ended within `limit`.
    pub(super) fn wait(&mut self, limit: Duration) -> bool {
        let began = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) | Err(_) => return true,
                Ok(None) if began.elapsed() >= limit => return false,
                Ok(None) => std::thread::sleep(POLL),
            }
        }
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL to the server and all its processes, as when the machine fails.
    pub(super) fn kill(&mut self, data: &Path) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Without their parent the others end by themselves, but some only after a minute. They work in the data
        // folder, which /proc tells; elsewhere it must be waited for.
        let Ok(processes) = fs::read_dir("/proc") else {
            return;
        };
        for process in processes.flatten() {
            let pid = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
                .and_then(Pid::from_raw);
            if let Some(pid) = pid
                && fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == data)
            {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The whole log, whatever bytes are in it.
pub(super) fn log_text(log: &Path) -> String {
    fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
