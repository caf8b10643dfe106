//! The password file, read as libpq reads it.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>: lines of `host:port:database:user:password`, `*` for any,
//! `\` before a `:` or `\` that is meant as itself, the first line that fits wins. A file that others can read is not used.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{env::Env, files};
use crate::model::secret::Secret;

/// Rights of group and others, none of which the file may give.
const NOT_MINE_ALONE: u32 = 0o077;

/// The host name under which connections through the default unix socket are looked up.
const LOCAL: &str = "localhost";

/// A password that a file has, and where it stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The password.
    pub password: Secret,
    /// The line, counted from 1.
    pub line: usize,
    /// Something about the line that the user should hear.
    pub warning: Option<String>,
}

/// What came of looking into the password file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The file has a line for this connection.
    Found(Found),
    /// The file is there and has no line for this connection.
    NoLine,
    /// There is no file.
    NoFile,
    /// The file is there and was not used; the text says why and what to do.
    NotUsed(String),
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The real host name, or the folder of a unix socket.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: &'a str,
    /// The user.
    pub user: &'a str,
}

/// The password file's path: `given`, else PGPASSFILE, else `~/.pgpass`.
pub fn path(given: Option<&Path>, env: &Env) -> Option<PathBuf> {
    given
        .map(Path::to_path_buf)
        .or_else(|| env.get("PGPASSFILE").map(PathBuf::from))
        .or_else(|| env.home().map(|home| home.join(".pgpass")))
}

/// Looks a connection up in a password file.
pub fn lookup(path: &Path, key: Key<'_>) -> Lookup {
    // Rights are looked at before anything is read.
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Lookup::NoFile,
        Err(error) => {
            return Lookup::NotUsed(format!(
                "password file {} cannot be read: {error}",
                path.display()
            ));
        }
    };
    if !metadata.is_file() {
        return Lookup::NotUsed(format!(
            "password file {} is not used: it is not a plain file",
            path.display()
        ));
    }
    if metadata.permissions().mode() & NOT_MINE_ALONE != 0 {
        return Lookup::NotUsed(format!(
            "password file {file} is not used: group or others have access (mode {mode:04o}); run `chmod 0600 {file}`",
            file = path.display(),
            mode = metadata.mode() & 0o7777,
        ));
    }
    match files::bytes_by_hand(path) {
        Ok(bytes) => find(&String::from_utf8_lossy(&bytes), key).map_or(Lookup::NoLine, Lookup::Found),
        Err(error) => Lookup::NotUsed(format!(
            "password file {} cannot be read: {error}",
            path.display()
        )),
    }
}

/// Finds the first line of `text` that fits.
pub fn find(text: &str, key: Key<'_>) -> Option<Found> {
    // libpq compares with "localhost" only for its own default socket folder; ours is always named, so any folder counts.
    let hosts: &[&str] = if key.host.starts_with('/') {
        &[key.host, LOCAL]
    } else {
        &[key.host]
    };
    let port = key.port.to_string();
    text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')).find_map(|(index, line)| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let after_host = hosts.iter().find_map(|host| skip_field(line, host))?;
        let after_port = skip_field(after_host, &port)?;
        let after_database = skip_field(after_port, key.database)?;
        let rest = skip_field(after_database, key.user)?;
        let (password, cut) = unescape(rest);
        let line = index + 1;
        let warning = cut.then(|| {
            format!("line {line} of the password file has a `:` in the password, which ends there; write `\\:` to mean it")
        });
        Some(Found { password: Secret::new(password), line, warning })
    })
}

/// The text after the first field and its `:`, when that field is `*` or, unescaped, `wanted`.
fn skip_field<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut wanted = wanted.chars();
    let mut line = line.chars();
    loop {
        let written = match line.next()? {
            // A `:` ends the field only where the wanted text ends too, so `::1` may stand unescaped, as in libpq.
            ':' if wanted.as_str().is_empty() => return Some(line.as_str()),
            '\\' => line.next()?,
            other => other,
        };
        if wanted.next() != Some(written) {
            return None;
        }
    }
}

/// The password at the end of a line, and whether an unescaped `:` cut it short.
fn unescape(field: &str) -> (String, bool) {
    let mut password = String::new();
    let mut field = field.chars();
    while let Some(written) = field.next() {
        match written {
            ':' => return (password, true),
            '\\' => password.push(field.next().unwrap_or('\\')),
            other => password.push(other),
        }
    }
    (password, false)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use std::fs::Permissions;

    use super::*;

    const KEY: Key<'static> = Key {
        host: "db.example",
        port: 5432,
        database: "app",
        user: "me",
    };

    fn password(text: &str, key: Key<'_>) -> Option<String> {
        find(text, key).map(|found| found.password.expose().to_owned())
    }

    #[test]
    fn first_line_that_fits_wins() {
        let text = "# db.example:5432:app:me:comment\nother:5432:app:me:no\ndb.example:5433:app:me:no\ndb.example:5432:app:you:no\n\
                    db.example:5432:app:me:yes\n*:*:*:*:late\n";
        let found = find(text, KEY).expect("line 5 fits");
        assert_eq!(
            (found.password.expose(), found.line, found.warning),
            ("yes", 5, None)
        );
        assert_eq!(
            password(text, Key { user: "you2", ..KEY }).as_deref(),
            Some("late")
        );
    }

    #[test]
    fn wildcards_stand_for_whole_fields_only() {
        assert_eq!(password("*:*:*:me:pw", KEY).as_deref(), Some("pw"));
        assert_eq!(password("*.example:*:*:*:pw", KEY), None);
        assert_eq!(password("db*:*:*:*:pw", KEY), None);
        assert_eq!(
            password("\\*:*:*:*:pw", Key { host: "*", ..KEY }).as_deref(),
            Some("pw")
        );
    }

    #[test]
    fn escapes_work_in_every_field() {
        let key = Key {
            host: "fe80::1",
            port: 5432,
            database: r"a\b",
            user: "m:e",
        };
        assert_eq!(
            password(r"fe80\:\:1:5432:a\\b:m\:e:p\:w\\d\x", key).as_deref(),
            Some(r"p:w\dx"),
            "a backslash before anything else is dropped, as in libpq"
        );
    }

    #[test]
    fn colons_of_the_wanted_text_need_no_escape() {
        let key = Key {
            host: "::1",
            user: "a:b",
            ..KEY
        };
        assert_eq!(password("::1:5432:app:a:b:pw", key).as_deref(), Some("pw"));
        assert_eq!(password(r"\:\:1:5432:app:a\:b:pw", key).as_deref(), Some("pw"));
        assert_eq!(password("::1:5432:app:a:pw", key), None);
    }

    #[test]
    fn hostile_passwords_survive() {
        for wanted in [
            "it's",
            "\"quoted\"",
            "two words",
            " edges ",
            "100%",
            "päss😀",
            "#hash",
            &"k".repeat(2000),
        ] {
            assert_eq!(
                password(&format!("*:*:*:*:{wanted}\n"), KEY).as_deref(),
                Some(wanted)
            );
        }
        assert_eq!(password("*:*:*:*:trailing\\", KEY).as_deref(), Some("trailing\\"));
        assert_eq!(password("*:*:*:*:dos\r\n", KEY).as_deref(), Some("dos"));
        assert_eq!(password("*:*:*:*:", KEY).as_deref(), Some(""));
    }

    #[test]
    fn a_bare_colon_cuts_the_password_and_is_told() {
        let found = find("*:*:*:*:ab:cd", KEY).expect("fits");
        assert_eq!(found.password.expose(), "ab");
        let warning = found.warning.expect("warned");
        assert!(warning.contains("line 1") && !warning.contains("ab"), "{warning}");
    }

    #[test]
    fn short_lines_do_not_fit() {
        for text in [
            "",
            ":",
            "db.example",
            "db.example:5432:app:me",
            "*:*:*",
            "*",
            "db.example:5432:app:me\\",
        ] {
            assert_eq!(password(text, KEY), None, "{text:?}");
        }
    }

    #[test]
    fn sockets_are_found_by_folder_or_localhost() {
        let key = Key {
            host: "/tmp/pg",
            ..KEY
        };
        assert_eq!(password("/tmp/pg:*:*:*:one", key).as_deref(), Some("one"));
        assert_eq!(password("localhost:*:*:*:two", key).as_deref(), Some("two"));
        assert_eq!(password("localhost:*:*:*:two", KEY), None);
    }

    #[test]
    fn files_others_can_read_are_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pass");
        assert_eq!(lookup(&file, KEY), Lookup::NoFile);
        fs::write(&file, "*:*:*:*:planted\n").expect("written");
        for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("chmod");
            let Lookup::NotUsed(why) = lookup(&file, KEY) else {
                panic!("mode {mode:o} must not be used")
            };
            assert!(
                why.contains(&format!("{mode:04o}")) && why.contains("chmod 0600"),
                "{why}"
            );
            assert!(!why.contains("planted"));
        }
        for mode in [0o600, 0o400, 0o700] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("chmod");
            assert!(
                matches!(lookup(&file, KEY), Lookup::Found(_)),
                "mode {mode:o} is fine"
            );
        }
        assert_eq!(lookup(&file, Key { host: "x", ..KEY }), lookup(&file, KEY));
        assert!(
            matches!(lookup(folder.path(), KEY), Lookup::NotUsed(why) if why.contains("not a plain file"))
        );
        fs::write(&file, "other:*:*:*:planted\n").expect("written");
        assert_eq!(lookup(&file, KEY), Lookup::NoLine);
    }

    #[test]
    fn the_path_follows_libpqs_order() {
        let env = Env::empty().with("HOME", "/home/me");
        assert_eq!(path(None, &env), Some(PathBuf::from("/home/me/.pgpass")));
        let env = env.with("PGPASSFILE", "/etc/pass");
        assert_eq!(path(None, &env), Some(PathBuf::from("/etc/pass")));
        assert_eq!(path(Some(Path::new("mine")), &env), Some(PathBuf::from("mine")));
        assert_eq!(path(None, &Env::empty()), None);
    }
}
