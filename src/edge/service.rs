//! The connection service file: named sets of connection settings.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgservice.html>. Looked for in PGSERVICEFILE, else `~/.pg_service.conf`;
//! a service that is not there is looked for in `$PGSYSCONFDIR/pg_service.conf`. Unlike libpq no system folder is compiled in.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::{env::Env, files};

/// One setting as written, with its place. `Debug` leaves the value out.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The keyword.
    pub key: String,
    /// The value; may be a password.
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=… in line {}", self.key, self.line)
    }
}

/// A service's settings and the file they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The file.
    pub file: PathBuf,
    /// The settings, in order.
    pub entries: Vec<Entry>,
}

/// Why a service cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No file has such a section.
    #[error(
        "no service {name:?} in {places}; add a [{name}] section, or set PGSERVICEFILE to the file that has it"
    )]
    NotFound {
        /// The name asked for.
        name: String,
        /// The files that were looked into.
        places: String,
    },
    /// A file cannot be read.
    #[error("cannot read the service file {file}: {error}", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is neither a section, a comment nor `key=value`.
    #[error("{file}:{line}: {why}", file = file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong; never the line's text, which may be a password.
        why: String,
    },
}

/// Finds a service by name.
///
/// # Errors
/// When no file has it, or a file on the way cannot be read or understood.
pub fn find(name: &str, env: &Env) -> Result<Service, ServiceError> {
    let own = env
        .get("PGSERVICEFILE")
        .map(|file| env.expand(file))
        .or_else(|| env.home().map(|home| home.join(".pg_service.conf")));
    let system = env
        .get("PGSYSCONFDIR")
        .map(|folder| Path::new(folder).join("pg_service.conf"));
    let files: Vec<PathBuf> = own.into_iter().chain(system).collect();
    for file in &files {
        let text = match files::bytes_by_hand(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(ServiceError::Read {
                    file: file.clone(),
                    error,
                });
            }
        };
        if let Some(entries) = section(&text, name).map_err(|(line, why)| ServiceError::Line {
            file: file.clone(),
            line,
            why: why.to_owned(),
        })? {
            return Ok(Service {
                file: file.clone(),
                entries,
            });
        }
    }
    let places = match files.as_slice() {
        [] => "any file (neither PGSERVICEFILE nor HOME is set)".to_owned(),
        files => files
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(" or "),
    };
    Err(ServiceError::NotFound {
        name: name.to_owned(),
        places,
    })
}

/// The settings of one section; only that section's lines are judged, as in libpq.
fn section(text: &str, name: &str) -> Result<Option<Vec<Entry>>, (usize, &'static str)> {
    let mut entries: Option<Vec<Entry>> = None;
    for (line, content) in text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
    {
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(header) = content.strip_prefix('[') {
            if entries.is_some() {
                break;
            }
            if header.strip_suffix(']') == Some(name) {
                entries = Some(Vec::new());
            }
            continue;
        }
        let Some(entries) = entries.as_mut() else { continue };
        if content.starts_with("ldap") {
            return Err((
                line,
                "services kept in LDAP are not supported; write the settings here",
            ));
        }
        let (key, value) = content.split_once('=').ok_or((line, "not a `key=value` line"))?;
        if key == "service" {
            return Err((line, "a service cannot name another service"));
        }
        entries.push(Entry {
            key: key.to_owned(),
            value: value.to_owned(),
            line,
        });
    }
    Ok(entries)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use std::fs;

    use super::*;

    const TEXT: &str = "# all of them\n[other]\nhost=wrong\nthis line is odd\n\n[blue]\n# the old one\n  host=blue.example\nport=5433\n\
                        password= p=w \n[blue]\nhost=second\n";

    fn service_file(text: &str) -> (tempfile::TempDir, Env) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(".pg_service.conf"), text).expect("written");
        let env = Env::empty().with("HOME", folder.path().display().to_string());
        (folder, env)
    }

    #[test]
    fn reads_its_own_section_only() {
        let (_folder, env) = service_file(TEXT);
        let service = find("blue", &env).expect("is there");
        let pairs: Vec<_> = service
            .entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.value.as_str(), entry.line))
            .collect();
        assert_eq!(
            pairs,
            [
                ("host", "blue.example", 8),
                ("port", "5433", 9),
                ("password", " p=w", 10)
            ],
            "only the line's own ends are trimmed, and the first section of a name wins"
        );
    }

    #[test]
    fn errors_name_file_and_line_and_no_value() {
        let (folder, env) = service_file(TEXT);
        let message = find("other", &env).expect_err("an odd line").to_string();
        assert!(
            message.ends_with(".pg_service.conf:4: not a `key=value` line"),
            "{message}"
        );
        let message = find("none", &env).expect_err("not there").to_string();
        assert!(
            message.starts_with("no service \"none\" in ") && message.contains("PGSERVICEFILE"),
            "{message}"
        );
        drop(folder);
        assert!(
            matches!(find("blue", &env), Err(ServiceError::NotFound { .. })),
            "a missing file is no service"
        );
        assert!(
            find("blue", &Env::empty())
                .expect_err("nowhere")
                .to_string()
                .contains("neither PGSERVICEFILE")
        );
    }

    #[test]
    fn falls_back_to_the_system_folder() {
        let (_own, env) = service_file("[mine]\nhost=a\n");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("pg_service.conf"), "[shared]\nhost=b\n").expect("written");
        let env = env.with("PGSYSCONFDIR", folder.path().display().to_string());
        assert_eq!(
            find("shared", &env).expect("in the system folder").entries[0].value,
            "b"
        );
        let file = folder.path().join("pg_service.conf").display().to_string();
        let env = env.with("PGSERVICEFILE", file);
        assert!(
            find("mine", &env).is_err(),
            "PGSERVICEFILE replaces the file in the home folder"
        );
    }

    #[test]
    fn nesting_and_ldap_are_refused() {
        for (text, said) in [
            ("[a]\nservice=b\n", "another service"),
            ("[a]\nldap://x\n", "LDAP"),
        ] {
            let (_folder, env) = service_file(text);
            let message = find("a", &env).expect_err("refused").to_string();
            assert!(message.contains(said) && message.contains(":2:"), "{message}");
        }
    }
}
