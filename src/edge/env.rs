//! The process's environment, as a value.
//!
//! Whatever looks at a variable or at the home folder takes an [`Env`], so that a test can hand in its own and none needs
//! to change the process's.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// Environment variables and the home folder.
#[derive(Clone, Default)]
pub struct Env {
    vars: BTreeMap<String, String>,
}

impl Env {
    /// The real environment. Variables that are not UTF-8 are left out.
    pub fn from_process() -> Self {
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { vars }
    }

    /// An environment with nothing in it.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The same environment with one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// A variable's value; an empty one counts as unset, as in libpq.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Every variable, for handing on to a child process.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The home folder.
    pub fn home(&self) -> Option<&Path> {
        self.get("HOME").map(Path::new)
    }

    /// The user of the operating system, the default for a database user.
    pub fn os_user(&self) -> Option<&str> {
        self.get("USER").or_else(|| self.get("LOGNAME"))
    }

    /// `path` with a leading `~/` replaced.
    pub fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_only() {
        let env = Env::empty().with("PGPASSWORD", "hunter2").with("EMPTY", "");
        assert_eq!(format!("{env:?}"), r#"{"EMPTY", "PGPASSWORD"}"#);
        assert_eq!(env.get("EMPTY"), None);
    }
}
