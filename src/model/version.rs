//! PostgreSQL and RDS engine versions, and requirements on them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The newest PostgreSQL major that this greenlight knows the rules of.
pub struct Newest;

impl Newest {
    /// PostgreSQL 18, as of this release.
    pub const MAJOR: u16 = 18;
}

/// The oldest PostgreSQL major that this greenlight knows the way up from.
pub struct Oldest;

impl Oldest {
    /// PostgreSQL 11, the first that RDS takes as the source of a blue/green deployment.
    pub const MAJOR: u16 = 11;
}

/// A PostgreSQL version, `major.minor`, from 10 on; `14` alone stands for "some 14" and sorts before every minor.
///
/// RDS engine versions (`14.10`, `16.1-R2`) and `server_version` (`17.10 (Debian …)`) are read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PgVersion {
    /// The major version: 14 of 14.10.
    pub major: u16,
    /// The minor version: 10 of 14.10; none when only the major is known.
    pub minor: Option<u16>,
}

/// A text that is no PostgreSQL version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a PostgreSQL version like 14 or 14.10")]
pub struct BadVersion(pub String);

impl PgVersion {
    /// A version with its minor.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self {
            major,
            minor: Some(minor),
        }
    }

    /// "Some minor of this major".
    pub const fn major(major: u16) -> Self {
        Self { major, minor: None }
    }

    /// From `server_version_num`, for example 140010 for 14.10.
    pub fn from_num(num: u32) -> Self {
        Self {
            major: (num / 10_000) as u16,
            minor: Some((num % 10_000) as u16),
        }
    }

    /// Whether this lies below the other: a lower major, or a lower minor where one is given. "Some 14" does not lie below 14.10.
    pub fn is_below(self, other: Self) -> bool {
        self.major < other.major || self.minor.is_some() && self < other
    }

    fn semver(self) -> semver::Version {
        semver::Version::new(self.major.into(), self.minor.unwrap_or(0).into(), 0)
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{}", self.major, minor),
            None => write!(f, "{}", self.major),
        }
    }
}

impl FromStr for PgVersion {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.to_owned());
        let head = text.trim().split([' ', '-']).next().unwrap_or_default();
        // "19beta1" and "18rc1" name a version before its first minor.
        let head = head
            .split_once(|c: char| c.is_ascii_alphabetic())
            .map_or(head, |(digits, _)| digits);
        let mut parts = head.split('.');
        let major: u16 = parts.next().unwrap_or_default().parse().map_err(|_| bad())?;
        let minor = parts.next().map(str::parse).transpose().map_err(|_| bad())?;
        if major == 0 || parts.next().is_some_and(|p| p.parse::<u16>().is_err()) {
            return Err(bad());
        }
        Ok(Self { major, minor })
    }
}

impl TryFrom<String> for PgVersion {
    type Error = BadVersion;

    fn try_from(text: String) -> Result<Self, BadVersion> {
        text.parse()
    }
}

impl From<PgVersion> for String {
    fn from(version: PgVersion) -> Self {
        version.to_string()
    }
}

/// A requirement such as `>=13`, `>=15.2, <17`, as check pages write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Requirement(semver::VersionReq);

impl Requirement {
    /// Whether the version meets it. A version without a minor counts as its `.0`.
    pub fn holds(&self, version: PgVersion) -> bool {
        self.0.matches(&version.semver())
    }

    /// In words: `from 15 and before 18`.
    pub fn words(&self) -> String {
        let text = self.0.to_string();
        let part = |part: &str| match (part.strip_prefix(">="), part.strip_prefix('<')) {
            (Some(from), _) => format!("from {from}"),
            (None, Some(before)) if !before.starts_with('=') => format!("before {before}"),
            _ => part.to_owned(),
        };
        text.split(", ").map(part).collect::<Vec<_>>().join(" and ")
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Requirement {
    type Error = semver::Error;

    fn try_from(text: String) -> Result<Self, semver::Error> {
        text.parse().map(Self)
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        requirement.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> PgVersion {
        text.parse().expect("a version")
    }

    #[test]
    fn reads_what_rds_and_servers_write() {
        assert_eq!(v("14.10"), PgVersion::new(14, 10));
        assert_eq!(v("14"), PgVersion::major(14));
        assert_eq!(v("17.10 (Debian 17.10-1)"), PgVersion::new(17, 10));
        assert_eq!(v("16.1-R2"), PgVersion::new(16, 1));
        assert_eq!(v("19beta1"), PgVersion::major(19));
        assert_eq!(PgVersion::from_num(140_010), PgVersion::new(14, 10));
        for bad in ["", "x", "14.x", "0", "14.", "fourteen"] {
            assert_eq!(bad.parse::<PgVersion>(), Err(BadVersion(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn sorts_and_requires_by_number_not_by_text() {
        assert!(v("14.9") < v("14.10"));
        assert!(v("14") < v("14.0"));
        let requirement = Requirement::try_from(">=15.2, <17".to_owned()).expect("a requirement");
        assert_eq!(requirement.words(), "from 15.2 and before 17");
        assert!(requirement.holds(v("15.10")) && requirement.holds(v("16")));
        assert!(!requirement.holds(v("15.1")) && !requirement.holds(v("17.0")));
    }
}
