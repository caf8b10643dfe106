//! What a check says, and how bad it is.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{facts::DbName, model::Side};

/// How bad a finding is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Notice,
    /// Needs work, or may fail.
    Warning,
    /// Creation, replication or switchover fails, or data is lost.
    Blocker,
}

impl Level {
    /// All levels, worst first.
    pub const ALL: [Self; 3] = [Self::Blocker, Self::Warning, Self::Notice];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Blocker => "blocker",
        })
    }
}

/// What was seen of one finding, by its name in the order of names. There are few of them and many findings: a list takes a fifth of
/// what a tree does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence(Vec<(Box<str>, Value)>);

impl Evidence {
    /// Adds one, or replaces it.
    pub fn insert(&mut self, key: &str, value: Value) {
        match self.0.binary_search_by(|(own, _)| (**own).cmp(key)) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (key.into(), value));
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, Value>> for Evidence {
    fn from(map: BTreeMap<String, Value>) -> Self {
        let entries = map.into_iter().map(|(key, value)| (key.into_boxed_str(), value));
        Self(entries.collect())
    }
}

impl Serialize for Evidence {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// One thing that is wrong. `(check id, subject)` is stable: waivers name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The object, quoted as SQL would quote it, without its database: `public.orders`, `max_wal_senders`.
    pub object: String,
    /// The database, where it lies in one.
    pub database: Option<DbName>,
    /// The side it was found on.
    pub side: Option<Side>,
    /// A level other than the check's own.
    pub level: Option<Level>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to run or change, ready for pasting.
    pub fix: Option<String>,
    /// What was seen.
    pub evidence: Evidence,
}

impl Finding {
    /// A finding about an object.
    pub fn new(object: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            database: None,
            side: None,
            level: None,
            message: message.into(),
            fix: None,
            evidence: Evidence::default(),
        }
    }

    /// In this database.
    #[must_use]
    pub fn in_database(mut self, database: Option<&str>) -> Self {
        self.database = database.map(str::to_owned);
        self
    }

    /// On this side.
    #[must_use]
    pub fn on(mut self, side: Side) -> Self {
        self.side = Some(side);
        self
    }

    /// With another level than the check's.
    #[must_use]
    pub fn at(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// With a fix.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// With a piece of evidence.
    #[must_use]
    pub fn evidence(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(key, value.into());
        self
    }

    /// The stable name that waivers use: `database/object`, or the object alone.
    pub fn subject(&self) -> String {
        subject(self.database.as_deref(), &self.object)
    }
}

/// `database/object`; the database is quoted where its name needs it.
pub fn subject(database: Option<&str>, object: &str) -> String {
    match database {
        Some(database) => format!("{}/{object}", crate::model::quote_ident(database)),
        None => object.to_owned(),
    }
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unseen {
    /// What: a database, a probe, a part of the RDS facts.
    pub subject: String,
    /// Why, with the grant or action that is missing where one is.
    pub why: String,
}

/// A check's answer. [`Verdict::Unknown`] is never a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All was seen and nothing is wrong.
    Pass {
        /// The arithmetic or the values behind it, where that is of use.
        note: Option<String>,
    },
    /// Something is wrong.
    Fail {
        /// What, worst first.
        findings: Vec<Finding>,
        /// How many more there are than `findings` lists.
        more: u64,
        /// What else could not be looked at.
        unseen: Vec<Unseen>,
    },
    /// It does not apply here.
    Skip {
        /// Why not.
        why: String,
    },
    /// It could not be told.
    Unknown {
        /// What could not be looked at; never empty.
        unseen: Vec<Unseen>,
    },
}

impl Verdict {
    /// Not applicable.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::Skip { why: why.into() }
    }

    /// One thing could not be looked at, and so nothing can be said.
    pub fn unknown(subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Unknown {
            unseen: vec![Unseen {
                subject: subject.into(),
                why: why.into(),
            }],
        }
    }
}

/// Collects findings and blind spots into a verdict.
#[derive(Debug, Default)]
pub struct Judgement {
    findings: Vec<Finding>,
    more: u64,
    unseen: Vec<Unseen>,
}

impl Judgement {
    /// Nothing found so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something is wrong.
    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// There are this many more than were listed.
    pub fn more(&mut self, count: u64) {
        self.more += count;
    }

    /// Something could not be looked at.
    pub fn unseen(&mut self, subject: impl Into<String>, why: impl Into<String>) {
        self.unseen.push(Unseen {
            subject: subject.into(),
            why: why.into(),
        });
    }

    /// Takes over blind spots.
    pub fn blind(&mut self, unseen: impl IntoIterator<Item = Unseen>) {
        self.unseen.extend(unseen);
    }

    /// Whether nothing is wrong so far.
    pub fn clean(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    /// The verdict: findings fail, blind spots alone leave it unknown, and only what was seen whole passes.
    pub fn done(self) -> Verdict {
        self.done_with(None)
    }

    /// The same; a pass carries the note.
    pub fn done_with(mut self, note: impl Into<Option<String>>) -> Verdict {
        self.unseen.sort();
        self.unseen.dedup();
        // Rows that did not travel are findings too, even where none of the listed ones is.
        if !self.findings.is_empty() || self.more > 0 {
            Verdict::Fail {
                findings: self.findings,
                more: self.more,
                unseen: self.unseen,
            }
        } else if self.unseen.is_empty() {
            Verdict::Pass { note: note.into() }
        } else {
            Verdict::Unknown { unseen: self.unseen }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blind_spot_is_never_a_pass() {
        let mut judgement = Judgement::new();
        judgement.unseen("app", "no CONNECT");
        assert!(matches!(judgement.done(), Verdict::Unknown { .. }));
        assert!(matches!(Judgement::new().done(), Verdict::Pass { note: None }));
        let mut judgement = Judgement::new();
        judgement.unseen("app", "no CONNECT");
        judgement.find(Finding::new("x", "wrong"));
        assert!(matches!(judgement.done(), Verdict::Fail { unseen, .. } if unseen.len() == 1));
    }

    #[test]
    fn subjects_are_unambiguous() {
        assert_eq!(
            Finding::new("a.b", "").in_database(Some("My DB")).subject(),
            "\"My DB\"/a.b"
        );
        assert_eq!(Finding::new("wal_level", "").subject(), "wal_level");
    }
}
