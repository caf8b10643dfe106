//! A small process beside every server that outlives its parent by a moment. It waits at a pipe whose other end only
//! the parent holds, so that it wakes however the parent ends, by SIGKILL too; then it stops the server and removes
//! the folder.

use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Error;

/// `$1` is the server's folder. A line on standard input says that everything is cleaned up already. A process is
/// taken for the server only if its command line names the folder, because process ids are used again. A server that
/// was killed leaves the seventh line of `postmaster.pid`: key and id of a piece of System V shared memory; and some of
/// its processes take a minute to notice, which on Linux are found by their working folder.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
if read -r word; then exit 0; fi
base=$1
pidfile=$base/data/postmaster.pid
server() {
    [ -s "$pidfile" ] || return 1
    read -r pid <"$pidfile" || return 1
    kill -0 "$pid" 2>/dev/null || return 1
    if [ -r "/proc/$pid/cmdline" ]; then
        line=$(tr '\0' ' ' <"/proc/$pid/cmdline")
    else
        line=$(ps -o args= -p "$pid")
    fi
    case $line in *"$base"*) return 0 ;; *) return 1 ;; esac
}
round=0
while [ -e "$base" ] && [ "$round" -lt 150 ]; do
    if server; then
        if [ "$round" -lt 50 ]; then kill -QUIT "$pid"; else kill -KILL "$pid"; fi
    else
        for process in /proc/[0-9]*; do
            if [ "$(readlink "$process/cwd")" = "$base/data" ]; then kill -KILL "${process#/proc/}"; fi
        done
        if [ -s "$pidfile" ]; then ipcrm -m "$(awk 'NR == 7 { print $2 }' "$pidfile")"; fi
        rm -rf "$base"
    fi
    [ -e "$base" ] && sleep 0.1
    round=$((round + 1))
done
"#;

/// The running process; dropping it without [`Watchdog::dismiss`] sets it to work.
#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
}

impl Watchdog {
    pub(super) fn over(folder: &Path) -> Result<Self, Error> {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "greenlight-sandbox-watchdog"])
            .arg(folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Error::Program {
                program: "sh",
                output: error.to_string(),
            })?;
        Ok(Self { child })
    }

    /// There is nothing left to guard.
    pub(super) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.child.wait();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
