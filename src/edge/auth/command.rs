//! A password from a program: `--auth "command:vault read -field=password database/creds/ro"`.
//!
//! The program is started without a shell. The first line of its standard output is the password and is shown nowhere; what
//! it says on standard error is shown when it fails, with every line of its standard output blotted out should one be in there. One
//! that ends well without a password may have printed it to the wrong place: then its standard error is not shown. It finds PGHOST,
//! PGPORT and PGUSER of the connection in its environment, the real endpoint's even behind a tunnel.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
};

use super::Login;
use crate::{edge::env::Env, model::secret::Secret};

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A token is a few kilobytes.
const MOST_OUTPUT: usize = 64 * 1024;
/// Enough of an error to act on.
const MOST_ERROR: usize = 2 * 1024;

/// Why a program gave no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the password command {program:?} {why}")]
pub struct CommandError {
    /// The program, without its arguments: those may be secret.
    pub program: String,
    /// What happened and what to do.
    pub why: String,
}

/// Splits a command line: blanks part words, `'…'` and `"…"` keep them together, `\` takes the next character as it is
/// (inside `'…'` it is itself). There are no variables and no wildcards.
pub(super) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let escaped = chars.next().ok_or("command: ends with a single `\\`")?;
                word.get_or_insert_default().push(escaped);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("command: a quote is not closed".to_owned());
    }
    words.extend(word);
    match words.first().map(String::as_str) {
        None | Some("") => Err("command: needs a program, command:PROGRAM ARGUMENTS".to_owned()),
        Some(_) => Ok(words),
    }
}

/// Runs the program and takes its first line.
pub(super) async fn run(
    words: &[String],
    login: Login<'_>,
    user: &str,
    env: &Env,
) -> Result<Secret, CommandError> {
    run_for(words, login, user, env, TIMEOUT).await
}

async fn run_for(
    words: &[String],
    login: Login<'_>,
    user: &str,
    env: &Env,
    timeout: Duration,
) -> Result<Secret, CommandError> {
    let program = words.first().map(String::as_str).unwrap_or_default();
    let failed = |why: String| CommandError {
        program: program.to_owned(),
        why,
    };
    let mut child = Command::new(program)
        .args(words.iter().skip(1))
        .env_clear()
        .envs(env.vars())
        .envs([("PGHOST", login.host), ("PGUSER", user)])
        .env("PGPORT", login.port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let stdout = child.stdout.take().expect("stdout is piped above");
    let stderr = child.stderr.take().expect("stderr is piped above");
    let all = async {
        tokio::join!(
            read_start(stdout, MOST_OUTPUT),
            read_start(stderr, MOST_ERROR),
            child.wait()
        )
    };
    // On timeout the future and with it the child are dropped, which kills the program.
    let Ok((output, error, status)) = tokio::time::timeout(timeout, all).await else {
        return Err(failed(format!(
            "did not end within {} s; check that it does not ask for input",
            timeout.as_secs_f32()
        )));
    };
    let status = status.map_err(|error| failed(format!("cannot be waited for: {error}")))?;
    let first_line = output.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first_line = first_line.strip_suffix(b"\r").unwrap_or(first_line);
    let password = String::from_utf8(first_line.to_vec()).ok().map(Secret::new);
    let said = shown(&error, &output);
    if !status.success() {
        let how = status
            .code()
            .map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
        return Err(failed(format!("failed with {how}{said}")));
    }
    match password {
        None => Err(failed("printed a first line that is not UTF-8".to_owned())),
        Some(password) if password.is_empty() => Err(failed(format!(
            "printed no password on the first line of its standard output; {} bytes on standard error are not shown, since it may \
             be among them",
            error.len()
        ))),
        Some(_) if output.len() >= MOST_OUTPUT => {
            Err(failed(format!("printed more than {MOST_OUTPUT} bytes")))
        }
        Some(password) => Ok(password),
    }
}

/// The first `most` bytes; the rest is read too, so that the program does not stop with its pipe full.
async fn read_start(mut pipe: impl AsyncRead + Unpin, most: usize) -> Vec<u8> {
    let mut start = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let room = most - start.len();
        start.extend_from_slice(&buffer[..count.min(room)]);
    }
    start
}

/// Standard error as a tail for a message, in one line and without any line of standard output.
fn shown(error: &[u8], output: &[u8]) -> String {
    if output.len() >= MOST_OUTPUT {
        // The end of its last line is not known here, and may be on standard error.
        return "; it printed too much for its standard error to be shown".to_owned();
    }
    let cut = error.len() >= MOST_ERROR;
    let output = String::from_utf8_lossy(output);
    let mut lines: Vec<&str> = output.lines().map(str::trim).collect();
    // The longer one first, where one is part of another.
    lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.len()));
    let mut error = String::from_utf8_lossy(error).into_owned();
    if cut {
        // What was cut in the middle of a line is not found whole.
        error.truncate(error.trim_end_matches('\u{FFFD}').len());
        let begun = lines.iter().map(|line| begun_at_the_end(line, &error)).max();
        error.truncate(error.len() - begun.unwrap_or_default());
    }
    let text = lines
        .into_iter()
        .fold(error, |text, line| Secret::new(line).scrub(&text));
    let line: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    if line.is_empty() {
        String::new()
    } else {
        format!("; it said: {}", line.join(" "))
    }
}

/// Bytes at the end of `text` with which `line` begins.
fn begun_at_the_end(line: &str, text: &str) -> usize {
    let mut ends = line.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
    ends.find(|end| text.ends_with(&line[..*end])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> = Login {
        host: "real.example",
        port: 6543,
        tunnel: Some(("127.0.0.1", 1)),
        database: "app",
    };

    async fn sh(script: &str) -> Result<String, String> {
        let words = ["/bin/sh", "-c", script].map(ToOwned::to_owned);
        let env = Env::empty()
            .with("PATH", "/usr/bin:/bin")
            .with("MINE", "kept")
            .with("PGHOST", "other");
        run_for(&words, LOGIN, "me", &env, Duration::from_secs(5))
            .await
            .map(|secret| secret.expose().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn splits_as_a_shell_would() {
        let split = |line| words(line).expect("splits");
        assert_eq!(
            split("vault read  -field=pw x"),
            ["vault", "read", "-field=pw", "x"]
        );
        assert_eq!(
            split(r#"p 'a b' "c 'd'" e\ f "" g"h"i "\"" '\'"#),
            ["p", "a b", "c 'd'", "e f", "", "ghi", "\"", "\\"]
        );
        for line in ["", "   ", "''", "p 'open", "p \"open", "p \\"] {
            assert!(words(line).is_err(), "{line:?}");
        }
    }

    #[tokio::test]
    async fn takes_the_first_line() {
        assert_eq!(sh("printf 'first \\nsecond\\n'").await.as_deref(), Ok("first "));
        assert_eq!(sh("printf 'dos\\r\\n'").await.as_deref(), Ok("dos"));
        assert_eq!(sh("printf unended").await.as_deref(), Ok("unended"));
        assert_eq!(
            sh("head -c 3000 /dev/zero | tr '\\0' k").await,
            Ok("k".repeat(3000)),
            "a long token"
        );
    }

    #[tokio::test]
    async fn knows_the_real_endpoint() {
        assert_eq!(
            sh("echo $PGUSER@$PGHOST:$PGPORT $MINE").await.as_deref(),
            Ok("me@real.example:6543 kept")
        );
    }

    #[tokio::test]
    async fn failures_show_stderr_and_code_and_never_stdout() {
        let message = sh("echo planted; echo planted >&2; echo 'bad \u{1b}[31mluck' >&2; exit 7")
            .await
            .expect_err("fails");
        assert_eq!(
            message,
            "the password command \"/bin/sh\" failed with exit code 7; it said: *** bad [31mluck"
        );
        let message = sh("echo first; echo planted; echo planted >&2; exit 7")
            .await
            .expect_err("fails");
        assert!(message.ends_with("; it said: ***"), "{message}");
        let message = sh("echo planted >&2").await.expect_err("the wrong place");
        assert!(
            message.contains("8 bytes on standard error are not shown") && !message.contains("planted"),
            "{message}"
        );
        let message = sh("echo; echo planted").await.expect_err("an empty first line");
        assert!(
            message.contains("printed no password") && !message.contains("planted"),
            "{message}"
        );
        let message = sh("printf '\\377planted\\n'").await.expect_err("not UTF-8");
        assert!(
            message.contains("not UTF-8") && !message.contains("planted"),
            "{message}"
        );
        // Cut in the middle, where 2 KiB of standard error end.
        let long =
            "echo planted-long; head -c 2041 /dev/zero | tr '\\0' x >&2; echo planted-long >&2; exit 7";
        let message = sh(long).await.expect_err("fails");
        assert!(message.ends_with("xxx"), "{message}");
        let message = sh("yes planted | head -c 70000; echo planted >&2; exit 7")
            .await
            .expect_err("fails");
        assert!(
            message.ends_with("too much for its standard error to be shown"),
            "{message}"
        );
        let message = sh("kill -9 $$").await.expect_err("killed");
        assert!(message.contains("signal"), "{message}");
        assert!(
            sh("head -c 99999 /dev/zero")
                .await
                .expect_err("too much")
                .contains("more than")
        );
    }

    #[tokio::test]
    async fn a_missing_program_and_a_slow_one_are_named() {
        let missing = run(&["/no/such/program".to_owned()], LOGIN, "me", &Env::empty())
            .await
            .expect_err("missing");
        assert!(
            missing
                .to_string()
                .contains("/no/such/program\" cannot be started"),
            "{missing}"
        );
        let words = ["/bin/sh", "-c", "exec sleep 60"].map(ToOwned::to_owned);
        let slow = run_for(&words, LOGIN, "me", &Env::empty(), Duration::from_millis(100))
            .await
            .expect_err("slow");
        assert!(slow.to_string().contains("did not end within 0.1 s"), "{slow}");
    }
}
