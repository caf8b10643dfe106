//! Conditions that queries name with `only-if`: what must be in a database for them to find anything.
//!
//! They are written down once, in `checks/_conditions.md`, which is compiled in.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{Block, sections};

/// The page that they are written on.
pub const CONDITIONS: &str = include_str!("../../checks/_conditions.md");

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its name, of lower-case letters and hyphens.
    pub name: String,
    /// The catalog of which one row `x` must be so; with none, `sql` stands for itself.
    pub over: Option<String>,
    /// A boolean expression in SQL.
    pub sql: String,
}

impl Condition {
    fn read(name: &str, block: &Block) -> Self {
        Self {
            name: name.to_owned(),
            over: block.attribute("over").map(str::to_owned),
            sql: block.text.trim().to_owned(),
        }
    }

    /// Whether it holds, as a boolean expression that needs nothing else.
    pub fn expression(&self) -> String {
        match &self.over {
            Some(catalog) => format!("exists (select from pg_catalog.{catalog} x where {})", self.sql),
            None => self.sql.clone(),
        }
    }
}

/// Every condition by its name.
pub fn conditions() -> &'static BTreeMap<String, Condition> {
    static ALL: LazyLock<BTreeMap<String, Condition>> = LazyLock::new(|| {
        let named = |(heading, blocks): (String, Vec<Block>)| {
            let name = heading.strip_prefix("## ")?.to_owned();
            let block = blocks.into_iter().find(|b| b.is("sql"))?;
            Some((name.clone(), Condition::read(&name, &block)))
        };
        sections(CONDITIONS).into_iter().filter_map(named).collect()
    });
    &ALL
}

/// The conditions of a list of names.
pub(super) fn named(names: &str) -> Result<Vec<&'static Condition>, String> {
    let known = conditions();
    let parts = names.split(',').map(str::trim).map(|name| {
        known
            .get(name)
            .ok_or_else(|| format!("only-if: there is no condition {name:?} in checks/_conditions.md"))
    });
    parts.collect()
}
