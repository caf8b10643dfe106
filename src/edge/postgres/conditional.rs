//! Probes that the server neither plans nor runs where a condition says that they have no rows.
//!
//! Most of what a probe costs in a small database is its planning, and a second trip to learn first what is there would cost
//! every database more than it saves. So a [`Look`] goes first on the way: one statement sees which conditions hold, in one pass over each large
//! catalog, and leaves their names in a setting of the session. Each probe then travels as a parameter of a statement that reads the
//! setting, the same one for all: `query_to_xml` plans and runs it where a condition holds, with the same rights and the same time
//! limit (<https://www.postgresql.org/docs/current/functions-xml.html#FUNCTIONS-XML-MAPPING>). It is the one function of the
//! server that runs a text and returns what it yields; it needs no XML library there. Of the others the server does not even read the words.
//!
//! A pooler may give each statement another session of the server, where an earlier run left what it saw. So a look signs with a word of its
//! own, and a probe that does not find it is run.

use std::{collections::BTreeMap, fmt::Write as _};

use tokio_postgres::{Client, Error, error::SqlState, types::Type};

use crate::{catalogue::Condition, edge::random, model::hex};

/// The setting that holds the word and the names. Any role may set one with a prefix that no extension claims
/// (<https://www.postgresql.org/docs/current/runtime-config-custom.html>).
const SETTING: &str = "greenlight.conditions";

/// A statement that sees which conditions hold.
pub(super) struct Look {
    word: String,
    sql: String,
}

impl Look {
    /// At these conditions. None where there are none, or where this machine gives no word that is new.
    pub(super) fn at<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Option<Self> {
        let all: BTreeMap<&str, &Condition> = conditions.map(|c| (c.name.as_str(), c)).collect();
        if all.is_empty() {
            return None;
        }
        let word = hex(&random::bytes().ok()?[..12]);
        let sql = look_sql(&word, all.into_values());
        Some(Self { word, sql })
    }

    /// The statement. What it yields is of no use.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// Asks the query where one of the conditions holds, or where nobody looked. Where none does, it asks `otherwise`, and without that
    /// the only value is null.
    pub(super) async fn ask(
        &self,
        client: &Client,
        conditions: &[&Condition],
        query: &str,
        otherwise: Option<&str>,
    ) -> Result<Option<String>, Error> {
        // Strict: of no text the result is null.
        let sql = format!(
            "select case when s.seen like $1 and s.seen not like all ($2) then pg_catalog.query_to_xml($4, true, true, '') \
             else pg_catalog.query_to_xml($3, true, true, '') end::text \
             from (values (pg_catalog.current_setting('{SETTING}', true))) s(seen)"
        );
        let looked = format!("{} %", self.word);
        let any: Vec<String> = conditions.iter().map(|c| format!("% {} %", c.name)).collect();
        let parameters = [
            (&looked as _, Type::TEXT),
            (&any as _, Type::TEXT_ARRAY),
            (&query as _, Type::TEXT),
            (&otherwise as _, Type::TEXT),
        ];
        let xml = super::ask(client, &sql, &parameters).await?;
        Ok(xml.map(|xml| answer(&xml)))
    }
}

/// The names of the conditions that hold, with blanks around each. What is asked of one catalog shares a pass over it, in which a row that
/// is like none of them costs no more than these comparisons.
fn look_sql<'a>(word: &str, conditions: impl Iterator<Item = &'a Condition>) -> String {
    let mut passes: BTreeMap<&str, Vec<&Condition>> = BTreeMap::new();
    let mut names = String::new();
    for condition in conditions {
        let holds = match &condition.over {
            Some(catalog) => {
                passes.entry(catalog).or_default().push(condition);
                format!("{catalog}.\"{}\"", condition.name)
            }
            None => condition.sql.clone(),
        };
        let _infallible = write!(names, ", case when {holds} then '{} ' end", condition.name);
    }
    let from: Vec<String> = passes
        .into_iter()
        .map(|(catalog, conditions)| {
            let any: Vec<String> = conditions.iter().map(|c| format!("({})", c.sql)).collect();
            let each: Vec<String> = conditions
                .iter()
                .map(|c| format!("pg_catalog.bool_or({}) as \"{}\"", c.sql, c.name))
                .collect();
            format!(
                "(select {} from pg_catalog.{catalog} x where {}) {catalog}",
                each.join(", "),
                any.join(" or ")
            )
        })
        .collect();
    let from = if from.is_empty() {
        String::new()
    } else {
        format!(" from {}", from.join(" cross join "))
    };
    format!("select pg_catalog.set_config('{SETTING}', pg_catalog.concat('{word} '{names}), false){from}")
}

/// Whether an error may be about `query_to_xml` itself, which somebody took away from the role.
pub(super) fn refuses(code: &SqlState) -> bool {
    [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_FUNCTION].contains(code)
}

/// The value inside `<row …><answer>…</answer></row>`.
fn answer(xml: &str) -> String {
    let inside = xml.find("<answer>").zip(xml.rfind("</answer>"));
    let text = inside.and_then(|(start, end)| xml.get(start + "<answer>".len()..end));
    unescaped(text.unwrap_or_default())
}

/// What the server escapes: <https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/xml.c>, `escape_xml`.
fn unescaped(text: &str) -> String {
    const ESCAPES: [(&str, char); 4] = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&#x0d;", '\r')];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (skip, meant) = ESCAPES
            .iter()
            .find(|(escape, _)| from.starts_with(escape))
            .map_or((1, '&'), |(escape, meant)| (escape.len(), *meant));
        out.push(meant);
        rest = &from[skip..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_out_as_they_went_in() {
        let xml = "<row xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n  \
                   <answer>{\"a\":\"&lt;/answer&gt; &amp;lt; x &amp;&amp; y&#x0d;\"}</answer>\n</row>\n\n";
        assert_eq!(answer(xml), "{\"a\":\"</answer> &lt; x && y\r\"}");
        assert_eq!(answer("<row/>"), "", "which is no JSON, so the fact is unknown");
    }

    fn condition(name: &str, over: Option<&str>, sql: &str) -> Condition {
        Condition {
            name: name.to_owned(),
            over: over.map(str::to_owned),
            sql: sql.to_owned(),
        }
    }

    #[test]
    fn what_is_asked_of_one_catalog_shares_a_pass() {
        let conditions = [
            condition("a", Some("pg_class"), "x.a"),
            condition("b", None, "exists (b)"),
            condition("c", Some("pg_class"), "x.c"),
            condition("a", Some("pg_class"), "x.a"),
        ];
        assert_eq!(
            look_sql("w", [&conditions[0], &conditions[1], &conditions[2]].into_iter()),
            "select pg_catalog.set_config('greenlight.conditions', pg_catalog.concat('w ', case when pg_class.\"a\" then 'a ' end, \
             case when exists (b) then 'b ' end, case when pg_class.\"c\" then 'c ' end), false) from (select \
             pg_catalog.bool_or(x.a) as \"a\", pg_catalog.bool_or(x.c) as \"c\" from pg_catalog.pg_class x where (x.a) or (x.c)) pg_class"
        );
        let twice = Look::at(conditions.iter()).expect("a look");
        assert_eq!(twice.sql().matches("bool_or(x.a)").count(), 1);
        assert_ne!(twice.word, Look::at(conditions.iter()).expect("a look").word);
        assert!(Look::at(std::iter::empty()).is_none());
    }
}
