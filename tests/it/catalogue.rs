//! Laws of the catalogue that need no server.

use std::{collections::BTreeSet, fs, path::Path};

use greenlight::{
    catalogue::Scope,
    checks,
    model::{PgVersion, Side},
};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/checks"))
}

/// Every page and shared probe in the folder is registered, and the other way round.
#[test]
fn every_page_is_registered() {
    let mut pages = BTreeSet::new();
    let mut probes = BTreeSet::new();
    for group in fs::read_dir(folder()).expect("the catalogue") {
        let group = group.expect("an entry").path();
        if !group.is_dir() {
            continue;
        }
        for page in fs::read_dir(&group).expect("a folder") {
            let page = page.expect("an entry").path();
            let name = page.file_name().expect("a name").to_string_lossy().into_owned();
            let Some(id) = name.strip_suffix(".md").filter(|id| !id.contains('.')) else {
                continue;
            };
            match group.file_name().expect("a name").to_str().expect("a plain name") {
                "_probes" => probes.insert(id.to_owned()),
                group => pages.insert(format!("{group}/{id}")),
            };
        }
    }
    let registered: BTreeSet<String> = checks::all()
        .iter()
        .map(|c| format!("{}/{}", c.page.group, c.page.id))
        .collect();
    assert_eq!(registered, pages);
    let shared: BTreeSet<String> = checks::shared_probes().iter().map(|p| p.name.clone()).collect();
    assert_eq!(shared, probes);
}

#[test]
fn ids_and_aliases_are_unique() {
    let mut seen = BTreeSet::new();
    for check in checks::all() {
        for id in std::iter::once(&check.page.id).chain(&check.page.header.aliases) {
            assert!(seen.insert(id), "{id} is used twice");
        }
    }
}

/// What a page must have to be worth reading.
#[test]
fn pages_are_whole() {
    for check in checks::all() {
        let page = &check.page;
        let id = &page.id;
        let header = &page.header;
        assert!(
            !header.phases.is_empty() && !header.sides.is_empty(),
            "{id}: phases and sides"
        );
        assert!(!header.sources.is_empty(), "{id}: a fact without a source");
        assert!(
            header.sources.iter().all(|s| s.starts_with("https://")),
            "{id}: a source is a URL"
        );
        for section in ["Fix", "Cannot tell", "Scenarios"] {
            assert!(
                page.section(section).is_some_and(|s| !s.is_empty()),
                "{id}: no section {section}"
            );
        }
        assert!(
            header.scope == Scope::ControlPlane || !page.queries.is_empty() || !header.needs.is_empty(),
            "{id}: looks at nothing"
        );
        if check.is_rows() {
            assert!(
                header.message.is_some() || page.queries.iter().all(|q| q.sql.contains("message")),
                "{id}: no message"
            );
        }
        for need in &header.needs {
            let known = need.starts_with("rds.") || checks::shared_probes().iter().any(|p| p.name == *need);
            assert!(known, "{id}: needs {need}, which is no shared probe");
        }
        let text = format!("{} {}", header.title, header.effect);
        assert!(!text.ends_with('.'), "{id}: title and effect are fragments");
    }
}

/// Exactly one variant of a probe fits each server it may be sent to.
#[test]
fn variants_of_a_probe_are_disjoint() {
    for check in checks::all() {
        for major in 10..=19 {
            let version = PgVersion::new(major, 99);
            let mut seen = BTreeSet::new();
            for query in check.page.queries.iter().filter(|q| q.runs_on(version)) {
                assert!(
                    seen.insert(&query.probe),
                    "{}: two variants of {} on {major}",
                    check.page.id,
                    query.probe
                );
            }
        }
    }
}

/// Every check shows a failure and a pass.
#[test]
fn every_check_has_a_failing_and_a_passing_scenario() {
    for check in checks::all() {
        let expectations: Vec<&str> = check
            .page
            .scenarios
            .iter()
            .flat_map(|s| &s.blocks)
            .filter(|b| b.is("toml expect"))
            .map(|b| b.text.as_str())
            .collect();
        for verdict in ["fail", "pass"] {
            let needle = format!("verdict = \"{verdict}\"");
            assert!(
                expectations.iter().any(|e| e.contains(&needle)),
                "{}: no scenario with {needle}",
                check.page.id
            );
        }
    }
}

/// A probe is one qualified select: what a session's search path would add is not needed.
#[test]
fn probes_qualify_what_they_read() {
    let words = |sql: &str| {
        sql.to_lowercase()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for check in checks::all()
        .iter()
        .filter(|c| !c.page.header.sides.contains(&Side::Rds))
    {
        for query in &check.page.queries {
            for pair in words(&query.sql).windows(2) {
                if ["from", "join"].contains(&pair[0].as_str()) && pair[1].starts_with("pg_") {
                    assert!(
                        pair[1].starts_with("pg_catalog."),
                        "{}: {} is not qualified",
                        check.page.id,
                        pair[1]
                    );
                }
            }
        }
    }
}

/// A database in `LATIN1` refuses a statement with a character that it does not have, comments included.
#[test]
fn probes_are_ascii() {
    let pages = checks::all()
        .iter()
        .flat_map(|c| c.page.queries.iter().map(|q| (&c.page.id, q)));
    let shared = checks::shared_probes()
        .iter()
        .flat_map(|p| p.queries.iter().map(|q| (&p.name, q)));
    for (name, query) in pages.chain(shared) {
        let odd: String = query.sql.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{name} sends {odd}");
    }
}

/// `checks/COVERAGE.md`: every row says something, every check that it names exists, and every check is named.
#[test]
fn coverage_names_every_check_and_no_other() {
    let text = fs::read_to_string(folder().join("COVERAGE.md")).expect("the coverage");
    let ids: BTreeSet<&str> = checks::all().iter().map(|c| c.page.id.as_str()).collect();
    let mut named = BTreeSet::new();
    let mut rows = 0;
    for line in text
        .lines()
        .filter(|l| l.starts_with('|') && !l.starts_with("| ---"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(
            cells.len() >= 2 && cells.iter().all(|cell| !cell.is_empty()),
            "an empty cell: {line}"
        );
        rows += 1;
        for word in cells[cells.len() - 1].split('`').skip(1).step_by(2) {
            let kebab = word.contains('-')
                && !word.starts_with('-')
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            assert!(!kebab || ids.contains(word), "there is no check {word}: {line}");
            named.insert(word.to_owned());
        }
    }
    assert!(rows > 100, "{rows} rows");
    let missing: Vec<&&str> = ids.iter().filter(|id| !named.contains(**id)).collect();
    assert!(missing.is_empty(), "no row names {missing:?}");
}
