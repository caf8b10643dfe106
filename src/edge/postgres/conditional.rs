//! A probe that the server neither plans nor runs where a condition says that it has no rows.
//!
//! Most of what a probe costs in a small database is its planning, and a second trip to learn first what is there would cost
//! every database more than it saves. So the probe travels as a text inside a statement that looks at the condition:
//! `query_to_xml` plans and runs it where the condition holds, in the same snapshot, with the same rights and the same time
//! limit (<https://www.postgresql.org/docs/current/functions-xml.html#FUNCTIONS-XML-MAPPING>). It is the one function of the
//! server that runs a text and returns what it yields; it needs no XML library there.

use tokio_postgres::error::SqlState;

/// The statement; its only value is null where the condition does not hold.
pub(super) fn statement(condition: &str, query: &str) -> String {
    // A tag that the query does not contain.
    let mut tag = "probe".to_owned();
    while query.contains(&tag_of(&tag)) {
        tag.push('_');
    }
    let tag = tag_of(&tag);
    format!(
        "select case when {condition}\nthen pg_catalog.query_to_xml({tag}{query}{tag}, true, true, '')::text end"
    )
}

fn tag_of(name: &str) -> String {
    format!("${name}$")
}

/// Whether an error may be about `query_to_xml` itself, which somebody took away from the role.
pub(super) fn refuses(code: &SqlState) -> bool {
    [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_FUNCTION].contains(code)
}

/// The value inside `<row …><answer>…</answer></row>`.
pub(super) fn answer(xml: &str) -> String {
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

    #[test]
    fn a_query_cannot_end_its_own_quotes() {
        let sql = statement("true", "select '$probe$', '$probe_$'");
        assert!(
            sql.contains("$probe__$select '$probe$', '$probe_$'$probe__$"),
            "{sql}"
        );
    }
}
