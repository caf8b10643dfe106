//! Many databases in one picture: who is ready for what, what stands in the way most, whose support ends when.
//!
//! Pure: one [`Row`] is taken from each full report, and [`Fleet`] orders and counts them. The structs here are also the
//! JSON format, version 1: within it fields and values are only added. What could not be looked at is a row of its own,
//! never a missing one.

mod pages;
mod row;
mod table;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{exit::Exit, verdict::Level};

pub use pages::{csv, html, markdown};
pub use row::{Row, State, Support, blind, left_out, there};
pub use table::table;

/// The version of the JSON format, and of the progress file's lines.
pub const SCHEMA: u32 = 1;

/// A summary over many databases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "greenlight fleet summary")]
pub struct Fleet {
    /// Version of this format: 1.
    pub schema: u32,
    /// The greenlight that wrote it.
    pub greenlight: String,
    /// When looking began (RFC 3339).
    pub collected_at: String,
    /// The version to upgrade to, where one was given.
    pub target_version: Option<String>,
    /// `full`, or `api-only` where no database was looked at: nothing is ready then, at best nothing stands against it.
    pub scope: Scope,
    /// The lowest level that gates.
    pub fail_on: Level,
    /// The policy file that was in force.
    pub policy_file: Option<String>,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// Databases by state.
    pub counts: Counts,
    /// Where was looked.
    pub places: Vec<Place>,
    /// What was found and passed over, and how many: other engines by their names, `read replica`, `green side`, `old side`.
    pub passed_over: BTreeMap<String, u64>,
    /// Checks that stand in the way, the most frequent first.
    pub blocking: Vec<Blocking>,
    /// Majors that run, with the end of their support, the soonest first.
    pub majors: Vec<Major>,
    /// The databases, worst first.
    pub databases: Vec<Row>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The RDS API and the databases.
    Full,
    /// The RDS API alone.
    ApiOnly,
}

/// Databases by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All of them.
    pub databases: usize,
    /// Something gates.
    pub not_ready: usize,
    /// They could not be looked at.
    pub not_looked_at: usize,
    /// Something that gates could not be judged.
    pub not_determined: usize,
    /// Nothing gates as far as the RDS API tells; the databases were not looked at.
    pub nothing_against: usize,
    /// Ready.
    pub ready: usize,
    /// They run the target version or a newer one.
    pub there: usize,
}

/// A Region of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Account, where anything told it.
    pub account: Option<String>,
    /// The role that was assumed.
    pub role: Option<String>,
    /// Region.
    pub region: String,
    /// Databases that matched.
    pub databases: usize,
    /// Why it could not be looked at.
    pub error: Option<String>,
    /// Calls to the RDS API.
    pub calls: u64,
    /// Those that RDS throttled.
    pub throttled: u64,
    /// The most calls within a second.
    pub peak_per_second: u32,
}

/// A check that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocking {
    /// Its id.
    pub check: String,
    /// Of how many databases.
    pub databases: usize,
}

/// A major that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Major {
    /// `Aurora PostgreSQL 12`.
    pub name: String,
    /// Databases on it.
    pub databases: usize,
    /// When its support ends.
    pub support: Option<Support>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// When looking began.
    pub at: Timestamp,
    /// The version to upgrade to.
    pub target: Option<String>,
    /// What was looked at.
    pub scope: Scope,
    /// The lowest level that gates.
    pub fail_on: Level,
    /// The policy file.
    pub policy_file: Option<String>,
}

impl Fleet {
    /// Orders and counts.
    pub fn of(
        question: &Question,
        places: Vec<Place>,
        passed_over: BTreeMap<String, u64>,
        mut databases: Vec<Row>,
    ) -> Self {
        databases.sort_by_key(|a| a.order());
        let mut counts = Counts {
            databases: databases.len(),
            ..Counts::default()
        };
        for row in &databases {
            *match row.state {
                State::NotReady => &mut counts.not_ready,
                State::NotLookedAt => &mut counts.not_looked_at,
                State::NotDetermined => &mut counts.not_determined,
                State::NothingAgainst => &mut counts.nothing_against,
                State::Ready => &mut counts.ready,
                State::There => &mut counts.there,
            } += 1;
        }
        let unseen = places.iter().any(|p| p.error.is_some());
        Self {
            schema: SCHEMA,
            greenlight: env!("CARGO_PKG_VERSION").to_owned(),
            collected_at: question.at.to_string(),
            target_version: question.target.clone(),
            scope: question.scope,
            fail_on: question.fail_on,
            policy_file: question.policy_file.clone(),
            exit_code: exit(&counts, unseen).code(),
            counts,
            blocking: blocking(&databases),
            majors: majors(&databases),
            places,
            passed_over,
            databases,
        }
    }

    /// The summary for programs.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("texts and lists are JSON");
        text.push('\n');
        text
    }

    /// The JSON schema.
    pub fn schema() -> String {
        let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Self)).expect("a schema is JSON");
        text.push('\n');
        text
    }
}

/// The worst of all: 10 where anything is not ready; else 11 where anything is not known, which includes all that only the
/// API was asked about; else 0. Where nothing at all could be looked at it is 3.
pub fn exit(counts: &Counts, unseen_place: bool) -> Exit {
    let unknown = counts.not_determined + counts.nothing_against + counts.not_looked_at;
    match (counts.not_ready, unknown) {
        (0, _) if counts.databases == counts.not_looked_at && (unseen_place || counts.databases > 0) => {
            Exit::CouldNotLook
        }
        (0, 0) if !unseen_place => Exit::Ready,
        (0, _) => Exit::NotDetermined,
        _ => Exit::NotReady,
    }
}

fn blocking(rows: &[Row]) -> Vec<Blocking> {
    let mut by_check: BTreeMap<&str, usize> = BTreeMap::new();
    for check in rows.iter().flat_map(|row| &row.blocking) {
        *by_check.entry(check).or_default() += 1;
    }
    let mut all: Vec<Blocking> = by_check
        .into_iter()
        .map(|(check, databases)| Blocking {
            check: check.to_owned(),
            databases,
        })
        .collect();
    all.sort_by(|a, b| b.databases.cmp(&a.databases).then_with(|| a.check.cmp(&b.check)));
    all
}

fn majors(rows: &[Row]) -> Vec<Major> {
    let mut by_name: BTreeMap<String, Major> = BTreeMap::new();
    for row in rows {
        let major = row.version.split('.').next().unwrap_or_default();
        let name = format!("{} {major}", row.engine);
        let entry = by_name.entry(name.clone()).or_insert_with(|| Major {
            name,
            databases: 0,
            support: None,
        });
        entry.databases += 1;
        if entry.support.is_none() {
            entry.support.clone_from(&row.support);
        }
    }
    let mut all: Vec<Major> = by_name.into_values().collect();
    let end = |m: &Major| m.support.as_ref().and_then(|s| s.standard_until.clone());
    all.sort_by_key(|m| (end(m).is_none(), end(m), m.name.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(
        not_ready: usize,
        not_determined: usize,
        nothing: usize,
        ready: usize,
        unseen: usize,
    ) -> Counts {
        Counts {
            databases: not_ready + not_determined + nothing + ready + unseen,
            not_ready,
            not_looked_at: unseen,
            not_determined,
            nothing_against: nothing,
            ready,
            there: 0,
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst() {
        for (counts, place, wanted) in [
            (counts(0, 0, 0, 3, 0), false, Exit::Ready),
            (counts(1, 1, 1, 1, 1), true, Exit::NotReady),
            (counts(0, 1, 0, 1, 0), false, Exit::NotDetermined),
            (counts(0, 0, 1, 0, 0), false, Exit::NotDetermined),
            (counts(0, 0, 0, 1, 1), false, Exit::NotDetermined),
            (counts(0, 0, 0, 1, 0), true, Exit::NotDetermined),
            (counts(0, 0, 0, 0, 2), false, Exit::CouldNotLook),
            (counts(0, 0, 0, 0, 0), true, Exit::CouldNotLook),
        ] {
            assert_eq!(exit(&counts, place), wanted, "{counts:?} {place}");
        }
    }
}
