//! Conditions that queries name with `only-if`: what must be in a database for them to find anything.
//!
//! They are written down once, in `checks/_conditions.md`, which is compiled in.

use std::{collections::BTreeMap, sync::LazyLock};

use super::sections;

/// The page that they are written on.
pub const CONDITIONS: &str = include_str!("../../checks/_conditions.md");

/// Every condition by its name, as a boolean expression in SQL.
pub fn conditions() -> &'static BTreeMap<String, String> {
    static ALL: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        let named = |(heading, blocks): (String, Vec<super::Block>)| {
            let name = heading.strip_prefix("## ")?.to_owned();
            let sql = blocks.into_iter().find(|b| b.is("sql"))?.text.trim().to_owned();
            Some((name, sql))
        };
        sections(CONDITIONS).into_iter().filter_map(named).collect()
    });
    &ALL
}

/// The expression behind a list of names: any of them.
pub(super) fn any_of(names: &str) -> Result<String, String> {
    let known = conditions();
    let parts: Result<Vec<&str>, String> = names
        .split(',')
        .map(str::trim)
        .map(|name| {
            let sql = known.get(name).map(String::as_str);
            sql.ok_or_else(|| format!("only-if: there is no condition {name:?} in checks/_conditions.md"))
        })
        .collect();
    Ok(parts?.join("\nor "))
}
