//! What `--compare-rows` found: the contents of chosen tables, blue against green.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DbName, Fact};
use crate::model::Lsn;

/// Differences that travel for each table; the number always does.
pub const EXAMPLES: usize = 100;

/// Contents of the tables that were named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// What was named.
    pub patterns: Vec<String>,
    /// Patterns that no table of any database fits.
    pub unmatched: Vec<String>,
    /// The tables of each database; the whole is unknown where they could not be listed.
    pub databases: BTreeMap<DbName, Fact<Vec<TableContents>>>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableContents {
    /// Its name, ready for pasting.
    pub table: String,
    /// What was found, or why it could not be compared.
    pub compared: Fact<Compared>,
}

/// A table that was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// Rows of blue that were read.
    pub rows: u64,
    /// Blue's position that green had applied before the first look.
    pub lsn: Lsn,
    /// The key by which rows were told apart; empty where the table was compared as a whole.
    pub key: Vec<String>,
    /// Columns that were not compared, since the text of their type differs between the two majors.
    pub left_out: Vec<String>,
    /// Rows that stayed different, look after look.
    pub differing: u64,
    /// Whether there may be more: comparing stops at a thousand.
    pub more: bool,
    /// Rows that changed on blue at every look, so that nothing can be said about them.
    pub unsettled: u64,
    /// The first of those that differ.
    pub examples: Vec<Difference>,
}

/// A row that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Its key's values, as text.
    pub key: Vec<String>,
    /// In which way.
    pub how: How,
}

/// The way in which a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It is on blue only.
    Missing,
    /// It is on green only.
    Extra,
    /// It is on both, with other values.
    Changed,
}
