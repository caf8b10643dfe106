//! The `aws` command and moto, as independent judges of the API: installed from PyPI once, into the build folder.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

const PACKAGES: [&str; 2] = ["awscli==1.46.3", "moto[server]==5.2.5"];

/// Where the packages are, or `None` with a loud word where there is no Python.
///
/// # Panics
/// When `GREENLIGHT_REQUIRE_PYTHON=1` and the packages cannot be had.
pub(crate) fn packages() -> Option<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(install) {
        Ok(folder) => Some(folder),
        Err(why) => {
            assert!(
                std::env::var("GREENLIGHT_REQUIRE_PYTHON").as_deref() != Ok("1"),
                "GREENLIGHT_REQUIRE_PYTHON=1, but {why}"
            );
            let mut words = std::io::stderr();
            let _ = std::io::Write::write_all(
                &mut words,
                format!("SKIPPED: no independent client to hold the API against: {why}\n").as_bytes(),
            );
            None
        }
    }
}

fn install() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-awscli-1.46.3-moto-5.2.5");
    if folder.exists() {
        return Ok(folder);
    }
    let unfinished = folder.with_extension(format!("{}", std::process::id()));
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            "--target",
        ])
        .arg(&unfinished)
        .args(PACKAGES)
        .output()
        .map_err(|error| format!("python3 cannot be run: {error}"))?;
    if !output.status.success() {
        let _ = std::fs::remove_dir_all(&unfinished);
        return Err(format!("pip failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    // Two test runs may have done this at once: the first to rename wins, the other's is the same.
    if std::fs::rename(&unfinished, &folder).is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    Ok(folder)
}

fn python(packages: &Path, env: &[(&'static str, String)]) -> Command {
    let mut command = Command::new("python3");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("AWS_PAGER", "")
        .env("AWS_MAX_ATTEMPTS", "1")
        .envs(env.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs `aws …` against a sandbox.
pub(crate) fn aws(packages: &Path, env: &[(&'static str, String)], args: &[&str]) -> Output {
    python(packages, env)
        .args(["-m", "awscli"])
        .args(args)
        .output()
        .expect("python3 ran for pip")
}

/// Runs one of the scripts in `tests/python`.
pub(crate) fn script(packages: &Path, env: &[(&'static str, String)], name: &str, args: &[&str]) -> Output {
    python(packages, env)
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/python")
                .join(name),
        )
        .args(args)
        .output()
        .expect("python3 ran for pip")
}
