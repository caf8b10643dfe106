//! Reads check pages: the header, the queries, the scenarios. The format is described in `checks/README.md`.
//!
//! Pages are compiled into the binary, so a page that cannot be read is a defect of greenlight and a failing test, never
//! a user's error.

mod conditions;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use conditions::{CONDITIONS, Condition, conditions};

use crate::{
    facts::EVIDENCE_ROWS,
    model::{PgVersion, Phase, Replication, Requirement, Side},
    verdict::Level,
};

/// Where a check's probes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Once a server.
    Server,
    /// In every database.
    Database,
    /// Nowhere: the check looks at RDS facts or at shared probes.
    ControlPlane,
}

/// When a check applies, as data.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applies {
    /// Only with this kind of replication.
    pub replication: Option<Replication>,
    /// Only on this engine: `aurora` or `rds`; `any-rds` for both, not for plain PostgreSQL.
    pub engine: Option<EngineRule>,
    /// Blue's version.
    pub source: Option<Requirement>,
    /// The target's version.
    pub target: Option<Requirement>,
    /// The upgrade steps over this major: source < N <= target.
    pub crosses: Option<u16>,
    /// Only for a change of major.
    pub upgrade: Option<Upgrade>,
}

/// The `engine` key of [`Applies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineRule {
    /// Aurora PostgreSQL.
    Aurora,
    /// RDS for PostgreSQL.
    Rds,
    /// Either of them.
    AnyRds,
}

/// The `upgrade` key of [`Applies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upgrade {
    /// The target's major is higher.
    Major,
}

/// The header of a page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The good state in words.
    pub title: String,
    /// How bad a finding is, unless the finding says otherwise.
    pub level: Level,
    /// The questions it belongs to.
    pub phases: Vec<Phase>,
    /// Where its probes run.
    pub sides: Vec<Side>,
    /// How often they run.
    pub scope: Scope,
    /// Whether its probes run in template databases too: those of the engine upgrade do, which goes through them.
    #[serde(default)]
    pub templates: bool,
    /// When it applies.
    #[serde(default)]
    pub applies: Applies,
    /// Shared probes and parts of the RDS facts (`rds.…`).
    #[serde(default)]
    pub needs: Vec<String>,
    /// What happens when nothing is done; shown with its findings.
    pub effect: String,
    /// Template of a finding's message, for checks without a judge.
    pub message: Option<String>,
    /// Template of a finding's fix.
    pub fix: Option<String>,
    /// Where the rule comes from.
    pub sources: Vec<String>,
    /// First release that had it.
    pub since: String,
    /// Former ids.
    #[serde(default)]
    pub aliases: Vec<String>,
}

impl Header {
    /// Whether it asks of blue what will matter on green, and so of green as soon as that is there: what was mended or spoilt
    /// there alone counts.
    pub fn moves_to_green(&self) -> bool {
        self.phases.contains(&Phase::Create)
            && [Side::Blue, Side::Green]
                .iter()
                .all(|side| self.sides.contains(side))
    }
}

/// One query of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The probe's name among the facts.
    pub probe: String,
    /// Server versions on which it may be sent.
    pub when: Option<Requirement>,
    /// Rows that travel; `None` for all.
    pub limit: Option<u64>,
    /// Any of which must hold for there to be rows; empty where it is always asked.
    pub only_if: Vec<&'static Condition>,
    /// A shorter way to the same rows where none of them holds; without one there are none.
    pub otherwise: Option<String>,
    /// A `select` without a final semicolon.
    pub sql: String,
}

impl Query {
    /// Whether it may be sent to a server of this version.
    pub fn runs_on(&self, version: PgVersion) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(version))
    }
}

/// One scenario of a page, as written.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its heading.
    pub name: String,
    /// Its fenced blocks in order: the info string's words, and the content.
    pub blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The info string, for example `sql probe=tables`.
    pub info: String,
    /// The content.
    pub text: String,
}

impl Block {
    /// Whether the info string starts with these words.
    pub fn is(&self, words: &str) -> bool {
        let mut own = self.info.split_whitespace();
        words.split_whitespace().all(|word| own.next() == Some(word))
    }

    /// The value of `key=value` in the info string; quotes around it are taken off.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let start = self.info.find(&format!("{key}="))? + key.len() + 1;
        let rest = &self.info[start..];
        match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => rest.split_whitespace().next(),
        }
    }
}

/// A check's page.
#[derive(Clone, Debug)]
pub struct Page {
    /// File name without `.md`.
    pub id: String,
    /// The folder it lives in.
    pub group: String,
    /// The header.
    pub header: Header,
    /// Everything after the header, for `explain`.
    pub body: String,
    /// Its queries.
    pub queries: Vec<Query>,
    /// Its scenarios.
    pub scenarios: Vec<Scenario>,
}

/// A probe that several checks share.
#[derive(Clone, Debug)]
pub struct SharedProbe {
    /// File name without `.md`.
    pub name: String,
    /// Once a server or in every database.
    pub scope: Scope,
    /// Its variants.
    pub queries: Vec<Query>,
}

/// A page that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("checks/{page}.md: {what}")]
pub struct BadPage {
    /// Which page.
    pub page: String,
    /// What is wrong with it.
    pub what: String,
}

/// The page's text split at its `+++` lines: header and body.
fn split<'t>(page: &str, text: &'t str) -> Result<(&'t str, &'t str), BadPage> {
    let bad = |what: &str| BadPage {
        page: page.to_owned(),
        what: what.to_owned(),
    };
    let rest = text
        .strip_prefix("+++\n")
        .ok_or_else(|| bad("the first line is not +++"))?;
    let (header, body) = rest
        .split_once("\n+++\n")
        .ok_or_else(|| bad("the header does not end with +++"))?;
    Ok((header, body))
}

/// Sections (`## …`), subsections (`### …`) and fenced blocks of a body, in order.
fn sections(body: &str) -> Vec<(String, Vec<Block>)> {
    let mut out = vec![(String::new(), Vec::new())];
    let mut open: Option<Block> = None;
    for line in body.lines() {
        if let Some(block) = &mut open {
            if line.trim_end() == "```" {
                out.last_mut().expect("never empty").1.extend(open.take());
            } else {
                block.text.push_str(line);
                block.text.push('\n');
            }
        } else if let Some(info) = line.strip_prefix("```") {
            open = Some(Block {
                info: info.trim().to_owned(),
                text: String::new(),
            });
        } else if line.starts_with("## ") || line.starts_with("### ") {
            out.push((line.to_owned(), Vec::new()));
        }
    }
    out
}

fn query(page: &str, default_name: &str, default_limit: u64, block: &Block) -> Result<Query, BadPage> {
    let bad = |what: String| BadPage {
        page: page.to_owned(),
        what,
    };
    let when = block
        .attribute("when")
        .map(|text| Requirement::try_from(text.to_owned()))
        .transpose()
        .map_err(|e| bad(format!("when: {e}")))?;
    let limit = block
        .attribute("limit")
        .map_or(Ok(default_limit), str::parse::<u64>)
        .map_err(|e| bad(format!("limit: {e}")))?;
    let only_if = block
        .attribute("only-if")
        .map(conditions::named)
        .transpose()
        .map_err(&bad)?
        .unwrap_or_default();
    let probe = match block.attribute("probe") {
        Some(name) => format!("{default_name}/{name}"),
        None => default_name.to_owned(),
    };
    let sql = block.text.trim().to_owned();
    if sql.is_empty() || sql.ends_with(';') {
        return Err(bad("a query is one select without a final semicolon".to_owned()));
    }
    Ok(Query {
        probe,
        when,
        limit: (limit > 0).then_some(limit),
        only_if,
        otherwise: None,
        sql,
    })
}

impl Page {
    /// Reads a page; `path` is `folder/id`.
    ///
    /// # Errors
    /// [`BadPage`] where the header or a block is wrong.
    pub fn parse(path: &str, text: &str) -> Result<Self, BadPage> {
        let bad = |what: String| BadPage {
            page: path.to_owned(),
            what,
        };
        let (group, id) = path
            .split_once('/')
            .ok_or_else(|| bad("not in a folder".to_owned()))?;
        let (header, body) = split(path, text)?;
        let header: Header = toml::from_str(header).map_err(|e| bad(e.to_string()))?;
        let mut queries = Vec::new();
        let mut scenarios: Vec<Scenario> = Vec::new();
        let mut section = String::new();
        for (heading, blocks) in sections(body) {
            if let Some(name) = heading.strip_prefix("## ") {
                section = name.to_owned();
            }
            match (section.as_str(), heading.strip_prefix("### ")) {
                ("Query", _) => {
                    for block in blocks.iter().filter(|b| b.is("sql")) {
                        let query = query(path, id, EVIDENCE_ROWS, block)?;
                        if !block.is("sql otherwise") {
                            queries.push(query);
                            continue;
                        }
                        match queries.last_mut().filter(|q| !q.only_if.is_empty()) {
                            Some(before) => before.otherwise = Some(query.sql),
                            None => return Err(bad("otherwise: it follows a query with only-if".to_owned())),
                        }
                    }
                }
                ("Scenarios", Some(name)) => scenarios.push(Scenario {
                    name: name.to_owned(),
                    blocks,
                }),
                _ => {}
            }
        }
        if header.scope == Scope::ControlPlane && !queries.is_empty() {
            return Err(bad("a control-plane check has no query of its own".to_owned()));
        }
        if header.scope != Scope::ControlPlane && header.sides.contains(&Side::Rds) {
            return Err(bad("side rds goes with scope control-plane".to_owned()));
        }
        if header.templates && header.scope != Scope::Database {
            return Err(bad("templates go with scope database".to_owned()));
        }
        Ok(Self {
            id: id.to_owned(),
            group: group.to_owned(),
            header,
            body: body.trim_start().to_owned(),
            queries,
            scenarios,
        })
    }

    /// The text of a section such as `Fix`, without its heading.
    pub fn section(&self, name: &str) -> Option<&str> {
        let start = self.body.find(&format!("\n## {name}\n"))? + name.len() + 5;
        let rest = &self.body[start..];
        Some(rest.find("\n## ").map_or(rest, |end| &rest[..end]).trim())
    }
}

impl SharedProbe {
    /// Reads a shared probe's file.
    ///
    /// # Errors
    /// [`BadPage`] where the header or a block is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, BadPage> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct ProbeHeader {
            scope: Scope,
            #[serde(default = "evidence_rows")]
            limit: u64,
        }
        fn evidence_rows() -> u64 {
            EVIDENCE_ROWS
        }
        let page = format!("_probes/{name}");
        let (header, body) = split(&page, text)?;
        let header: ProbeHeader = toml::from_str(header).map_err(|e| BadPage {
            page: page.clone(),
            what: e.to_string(),
        })?;
        let blocks = sections(body).into_iter().flat_map(|(_, blocks)| blocks);
        let queries = blocks
            .filter(|b| b.is("sql"))
            .map(|block| query(&page, name, header.limit, &block))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            scope: header.scope,
            queries,
        })
    }
}

/// Fills `{column}` in a template from a row. A column that is not there stays as written, so that a test sees it.
pub fn fill(template: &str, row: &BTreeMap<String, serde_json::Value>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((head, tail)) = rest.split_once('{') {
        out.push_str(head);
        match tail.split_once('}') {
            Some((key, after)) if row.contains_key(key) => {
                match &row[key] {
                    serde_json::Value::String(text) => out.push_str(text),
                    serde_json::Value::Null => out.push('-'),
                    other => out.push_str(&other.to_string()),
                }
                rest = after;
            }
            _ => {
                out.push('{');
                rest = tail;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"+++
title = "a"
level = "blocker"
phases = ["create"]
sides = ["blue"]
scope = "database"
applies = { replication = "logical", source = ">=11", crosses = 14 }
effect = "e"
sources = ["https://example.org"]
since = "0.1.0"
+++
Prose.

## Query

```sql probe=old when="<13" limit=0
select 1
```

```sql probe=new when=">=13" only-if="functions, triggers"
select 2
```

## Fix

Do it.

## Scenarios

### one fails

```toml expect
verdict = "fail"
```
"#;

    #[test]
    fn reads_header_queries_and_scenarios() {
        let page = Page::parse("schema/thing", PAGE).expect("a page");
        assert_eq!((page.id.as_str(), page.group.as_str()), ("thing", "schema"));
        assert_eq!(page.header.applies.crosses, Some(14));
        assert_eq!(page.queries.len(), 2);
        assert_eq!(
            (page.queries[0].probe.as_str(), page.queries[0].limit),
            ("thing/old", None)
        );
        assert!(
            page.queries[0].runs_on(PgVersion::new(12, 22))
                && !page.queries[1].runs_on(PgVersion::new(12, 22))
        );
        assert_eq!(page.queries[1].limit, Some(EVIDENCE_ROWS));
        assert_eq!(page.queries[0].only_if, Vec::<&Condition>::new());
        let names: Vec<&str> = page.queries[1].only_if.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["functions", "triggers"]);
        assert_eq!(page.section("Fix"), Some("Do it."));
        assert_eq!(page.scenarios.len(), 1);
        assert!(page.scenarios[0].blocks[0].is("toml expect"));
    }

    #[test]
    fn refuses_what_is_misspelt() {
        let wrong = PAGE.replace("level =", "levle =");
        assert!(
            Page::parse("schema/thing", &wrong)
                .expect_err("a typo")
                .to_string()
                .contains("levle")
        );
        assert!(Page::parse("schema/thing", &PAGE.replace("select 2", "select 2;")).is_err());
        let after = |info: &str| Page::parse("schema/thing", &PAGE.replace(info, "sql otherwise"));
        assert!(
            after("sql probe=old when=\"<13\" limit=0").is_err(),
            "there is no condition"
        );
        let page = after("sql probe=new when=\">=13\" only-if=\"functions, triggers\"");
        assert!(page.is_err(), "the query before it has none");
        let unheard = Page::parse("schema/thing", &PAGE.replace("triggers", "trigers")).expect_err("a typo");
        assert!(unheard.to_string().contains("trigers"));
        assert!(Page::parse("schema/thing", PAGE.strip_prefix("+++\n").expect("a header")).is_err());
    }

    #[test]
    fn fills_templates() {
        let row = BTreeMap::from([("t".to_owned(), "x.y".into()), ("n".to_owned(), 3.into())]);
        assert_eq!(
            fill("table {t} has {n} rows, {nope}", &row),
            "table x.y has 3 rows, {nope}"
        );
    }
}
