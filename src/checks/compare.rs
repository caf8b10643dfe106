//! Pairing blue's rows with green's, database by database.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::Ctx;
use crate::{facts::DbName, model::Side, verdict::Judgement};

/// One row on each side, under one name.
pub(super) struct Pair<T> {
    pub(super) database: DbName,
    pub(super) name: String,
    pub(super) blue: Option<T>,
    pub(super) green: Option<T>,
}

/// Every name of a probe that is on either side of a database in which both sides answered it. What could not be asked becomes a
/// blind spot, never a difference; a database that is on one side only is left to `databases-on-green`.
pub(super) fn pairs<T: DeserializeOwned>(
    ctx: &Ctx<'_>,
    judgement: &mut Judgement,
    probe: &str,
    name: impl Fn(&T) -> String,
) -> Vec<Pair<T>> {
    let [mut blue, mut green] = SIDES.map(|side| by_database(ctx, judgement, side, probe, &name));
    let asked = SIDES.map(|side| databases(ctx, side, &ctx.probe_name(probe)));
    asked[0]
        .intersection(&asked[1])
        .flat_map(|database| {
            let blue = blue.remove(database).unwrap_or_default();
            let green = green.remove(database).unwrap_or_default();
            zip(database, blue, green)
        })
        .collect()
}

/// The same for a probe that is asked once a server; the pairs' database is empty.
pub(super) fn server_pairs<T: DeserializeOwned>(
    ctx: &Ctx<'_>,
    judgement: &mut Judgement,
    probe: &str,
    name: impl Fn(&T) -> String,
) -> Vec<Pair<T>> {
    let probe_name = ctx.probe_name(probe);
    let [mut blue, mut green] = SIDES.map(|side| by_database(ctx, judgement, side, probe, &name));
    let answered = |side| {
        ctx.server(side)
            .is_ok_and(|s| s.probes.get(&probe_name).is_some_and(|f| f.known().is_some()))
    };
    if !SIDES.into_iter().all(answered) {
        return Vec::new();
    }
    let all = String::new();
    zip(
        &all,
        blue.remove(&all).unwrap_or_default(),
        green.remove(&all).unwrap_or_default(),
    )
}

const SIDES: [Side; 2] = [Side::Blue, Side::Green];

fn by_database<T: DeserializeOwned>(
    ctx: &Ctx<'_>,
    judgement: &mut Judgement,
    side: Side,
    probe: &str,
    name: impl Fn(&T) -> String,
) -> BTreeMap<DbName, BTreeMap<String, T>> {
    let gathered = ctx.rows::<T>(side, probe);
    if gathered.more > 0 {
        judgement.unseen(
            format!("{side}:{probe}"),
            format!("{} rows did not travel", gathered.more),
        );
    }
    judgement.blind(gathered.unseen);
    let mut out: BTreeMap<DbName, BTreeMap<String, T>> = BTreeMap::new();
    for (database, row) in gathered.rows {
        out.entry(database.unwrap_or_default())
            .or_default()
            .insert(name(&row), row);
    }
    out
}

fn zip<T>(database: &DbName, mut blue: BTreeMap<String, T>, mut green: BTreeMap<String, T>) -> Vec<Pair<T>> {
    let names: BTreeSet<String> = blue.keys().chain(green.keys()).cloned().collect();
    names
        .into_iter()
        .map(|name| Pair {
            database: database.clone(),
            blue: blue.remove(&name),
            green: green.remove(&name),
            name,
        })
        .collect()
}

/// Databases of a side in which the probe was answered.
fn databases(ctx: &Ctx<'_>, side: Side, probe: &str) -> BTreeSet<DbName> {
    let server = ctx.server(side).ok();
    server
        .into_iter()
        .flat_map(|s| &s.databases)
        .filter(|(_, facts)| {
            facts
                .known()
                .and_then(|probes| probes.get(probe))
                .is_some_and(|f| f.known().is_some())
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// The first names of a list, and how many more there are.
pub(super) fn some(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a session on green says first, since its transactions are read-only unless it says otherwise. Neither roles nor grants
/// travel by replication, so that changing them there harms nothing.
pub(super) const WRITABLE: &str = "set default_transaction_read_only = off; -- in this session on green";

/// Whether two texts of the catalogs mean the same. Majors differ in the parentheses and casts that they write into expressions, and in
/// nothing else that was seen (11 to 18); a cast alone that changed is therefore not told.
pub(super) fn same_text(one: &str, other: &str) -> bool {
    one == other || spelled(one) != spelled(other) || essence(one) == essence(other)
}

/// Whether a text has one of SQL's own spellings. From 14 on these are kept; before, `extract(year from d)` is stored and written as
/// `date_part('year', d)`. An upgrade keeps the old form, so that only a schema that was loaded twice differs in it: that is not compared.
fn spelled(text: &str) -> bool {
    [
        "EXTRACT(",
        "SUBSTRING(",
        "POSITION(",
        "OVERLAY(",
        "TRIM(",
        " AT TIME ZONE ",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// A text without parentheses, blanks, quotes around names, and casts.
fn essence(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(c) = rest.chars().next() {
        if let Some(cast) = rest.strip_prefix("::") {
            // Names of types are words with blanks and quotes, perhaps with a size and brackets behind.
            let end = cast
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ' ' | '"' | '.')))
                .unwrap_or(cast.len());
            let (name, after) = cast.split_at(end);
            // What stands behind the type's blanks belongs to the expression again.
            let words = name.trim_end();
            let operator = [
                " and ", " or ", " is ", " then ", " else ", " end", " when ", " at ",
            ];
            let lower = words.to_lowercase();
            let cut = operator.iter().filter_map(|word| lower.find(word)).min();
            match cut {
                Some(cut) => rest = &cast[cut..],
                None => rest = size_and_brackets(after),
            }
            continue;
        }
        if !matches!(c, '(' | ')' | '"') && !c.is_whitespace() {
            out.extend(c.to_lowercase());
        }
        rest = &rest[c.len_utf8()..];
    }
    // 16 and later write it where nothing else was meant before.
    out.replace("noindent", "")
}

/// What follows a type's `(10,2)` and `[]`.
fn size_and_brackets(text: &str) -> &str {
    let sized = text
        .strip_prefix('(')
        .and_then(|inner| inner.split_once(')'))
        .filter(|(size, _)| size.chars().all(|c| c.is_ascii_digit() || c == ','))
        .map_or(text, |(_, after)| after);
    sized.strip_prefix("[]").unwrap_or(sized)
}

#[cfg(test)]
mod tests {
    use super::same_text;

    #[test]
    fn what_majors_write_differently_is_the_same() {
        for (one, other) in [
            ("(v > 0)", "v > 0"),
            ("((t)::text = 'a'::text)", "(t = 'a'::text)"),
            ("(n)::numeric(10,2) > (1)::numeric", "n > 1"),
            ("('{}'::text[])::character varying[]", "'{}'::character varying[]"),
            ("(a)::timestamp with time zone and b", "a and b"),
            ("date_part('year'::text, d) > 1", "EXTRACT(year FROM d) > 1"),
        ] {
            assert!(same_text(one, other), "{one} | {other}");
        }
    }

    #[test]
    fn what_means_something_else_differs() {
        for (one, other) in [
            ("v > 0", "v > 1"),
            ("(a)::int and b", "(a)::int or b"),
            ("integer not null", "integer"),
            ("now()", "clock_timestamp()"),
        ] {
            assert!(!same_text(one, other), "{one} | {other}");
        }
    }
}
