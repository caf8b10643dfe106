//! Secrets in other people's words: a password in a statement, in a connection string, in a setting.
//!
//! What servers and services say is kept in facts and shown in reports. Before it gets there, literals are taken out of
//! statements, and passwords out of whatever looks like a connection string. What is taken out is `***` or `'…'`.

use serde_json::Value;

use super::secret::REDACTED;

/// Fields of probes in which somebody's SQL stands.
const STATEMENTS: [&str; 2] = ["query", "command"];

/// Parts of setting names whose values are secrets or hold some. `password_encryption` is none.
const SECRET_SETTINGS: [&str; 11] = [
    "conninfo",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "credential",
    "_command",
];

/// Takes secrets out of a probe's row.
pub fn row(row: &mut Value) {
    let Value::Object(fields) = row else {
        text_in(row);
        return;
    };
    let name = fields
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    // A role's or a database's own setting, as the statement that sets it and as its value.
    let own_secret = fields.get("kind").and_then(Value::as_str) == Some("setting") && is_secret(&name);
    for (key, value) in fields.iter_mut() {
        if own_secret && key != "name" && key != "kind" {
            withhold(value);
            continue;
        }
        match value {
            Value::String(text) if STATEMENTS.contains(&key.as_str()) => *text = statement(text),
            Value::String(text) if ["setting", "boot_val", "value"].contains(&key.as_str()) => {
                *text = setting(&name, text);
            }
            Value::Object(_) => self::row(value),
            other => text_in(other),
        }
    }
}

/// Statements without their literals, everything else altogether.
fn withhold(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(" set ") => *text = statement(text),
        Value::String(text) => *text = REDACTED.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(withhold),
        Value::Object(fields) => fields.values_mut().for_each(withhold),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn text_in(value: &mut Value) {
    match value {
        Value::String(text) => *text = self::text(text),
        Value::Array(items) => items.iter_mut().for_each(row),
        Value::Object(_) => row(value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A setting's value: `***` where its name says that it is a secret.
pub fn setting(name: &str, value: &str) -> String {
    if is_secret(name) && !value.is_empty() {
        REDACTED.to_owned()
    } else {
        text(value)
    }
}

fn is_secret(setting: &str) -> bool {
    let name = setting.to_ascii_lowercase();
    !name.starts_with("password_encryption") && SECRET_SETTINGS.iter().any(|part| name.contains(part))
}

/// A statement without its literals: quoted, escaped, dollar-quoted, and what stands behind a password's name without quotes.
pub fn statement(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                out.push_str("'…'");
                quoted(rest, ends_in_escape(&out))
            }
            '$' => match dollar(rest) {
                Some(length) => {
                    out.push_str("$$…$$");
                    length
                }
                None => {
                    out.push('$');
                    1
                }
            },
            // A quoted identifier is a name, and may hold a quote.
            '"' => {
                let length = rest[1..].find('"').map_or(rest.len(), |at| at + 2);
                out.push_str(&rest[..length]);
                length
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    text(&out)
}

/// Whether the literal that begins after `before` (which ends in its mask) is one with backslashes: `E'…'`.
fn ends_in_escape(before: &str) -> bool {
    let before = before.trim_end_matches("'…'");
    let mut last = before.chars().rev();
    let escape = last.next().is_some_and(|c| c == 'e' || c == 'E');
    escape && !last.next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// How long the literal is that a text begins with; to the end where it is cut off.
fn quoted(text: &str, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if escapes => {
                chars.next();
            }
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
            }
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// How long the dollar-quoted literal is that a text begins with, if one does.
fn dollar(text: &str) -> Option<usize> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let inner = &tag[1..end - 1];
    let name = inner.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !inner.starts_with(|c: char| c.is_ascii_digit());
    name.then(|| {
        text[end..]
            .find(tag)
            .map_or(text.len(), |at| end + at + tag.len())
    })
}

/// Any text, without what stands behind `password=` and its like, and without the password of a URL.
pub fn text(text: &str) -> String {
    in_urls(&behind_keys(text))
}

/// What may be a password in a connection string, however it is mistyped: what stands between a `:` and the last `@`, and behind
/// `password=`.
pub fn passwords(text: &str) -> impl Iterator<Item = &str> {
    let user = text.rsplit_once('@').map_or("", |(user, _)| user);
    let in_url = user.match_indices(':').filter_map(|(at, _)| {
        let found = &user[at + 1..];
        let behind_scheme = found.trim_start_matches('/');
        // Behind a scheme comes a user first.
        (found == behind_scheme || behind_scheme.contains(':')).then_some(behind_scheme)
    });
    let behind = text.match_indices("password=").map(|(at, key)| {
        let value = &text[at + key.len()..];
        match value.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next().unwrap_or_default(),
            None => value.split([' ', '&', '\'']).next().unwrap_or_default(),
        }
    });
    // A blank in it means that it is something else.
    in_url.filter(|found| !found.contains(' ')).chain(behind)
}

fn behind_keys(text: &str) -> String {
    const KEYS: [&str; 6] = [
        "password",
        "passwd",
        "passfile",
        "sslpassword",
        "secret_access_key",
        "session_token",
    ];
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let key = KEYS.iter().find(|key| lower[at..].starts_with(**key));
        let value = key.and_then(|key| {
            let behind = &text[at + key.len()..];
            let gap = behind.len() - behind.trim_start_matches([' ', '\t', '"']).len();
            let value = behind[gap..].strip_prefix(['=', ':'])?;
            let value = value.trim_start_matches([' ', '\t']);
            Some(text.len() - value.len())
        });
        match value {
            Some(from) => {
                out.push_str(&text[at..from]);
                let value = &text[from..];
                let length = match value.chars().next() {
                    Some('\'') => quoted(value, true),
                    Some('"') => value[1..].find('"').map_or(value.len(), |end| end + 2),
                    _ => value
                        .find(|c: char| {
                            c.is_whitespace() || matches!(c, ',' | ';' | '&' | ')' | '}' | '\'' | '"')
                        })
                        .unwrap_or(value.len()),
                };
                // What is masked already, and nothing at all, stay.
                if length > 0 && !value.starts_with("'…'") && !value.starts_with(REDACTED) {
                    out.push_str(REDACTED);
                } else {
                    out.push_str(&value[..length]);
                }
                at = from + length;
            }
            None => {
                let next = text[at..].chars().next().map_or(1, char::len_utf8);
                out.push_str(&text[at..at + next]);
                at += next;
            }
        }
    }
    out
}

fn in_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '\'' | '"'))
            .unwrap_or(tail.len());
        let authority = &tail[..end];
        match authority
            .rsplit_once('@')
            .and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
        {
            Some((user, host)) => {
                out.push_str(user);
                out.push(':');
                out.push_str(REDACTED);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_in_what_was_meant_for_a_connection_string() {
        for (text, found) in [
            ("postgres://me:pw@h/x", vec!["me:pw", "pw"]),
            ("postgres://me@h/x", vec![]),
            ("postgres:/me:p@w@h", vec!["me:p@w", "p@w"]),
            ("host=h password=pw x", vec!["pw"]),
            ("host=h password='p w' x", vec!["p w"]),
            ("postgres://h/x?user=me&password=pw&x=y", vec!["pw"]),
            ("command:tool me@h x@y", vec![]),
            ("main-cluster", vec![]),
        ] {
            assert_eq!(passwords(text).collect::<Vec<_>>(), found, "{text}");
        }
    }

    #[test]
    fn literals_are_taken_out_of_statements() {
        for (sql, wanted) in [
            ("alter role a password 'hunter2'", "alter role a password '…'"),
            ("select 'it''s' || E'a\\'b' || x", "select '…' || E'…' || x"),
            ("do $$begin x; end$$; select $a$ $$ $a$", "do $$…$$; select $$…$$"),
            (
                "select $1 from t where a = 'cut off",
                "select $1 from t where a = '…'",
            ),
            ("select \"it's\" from \"t\"", "select \"it's\" from \"t\""),
            (
                "select case when a = 'x' then 'y' end",
                "select case when a = '…' then '…' end",
            ),
            ("", ""),
            ("$", "$"),
            ("'", "'…'"),
        ] {
            assert_eq!(statement(sql), wanted, "{sql}");
        }
    }

    #[test]
    fn passwords_are_taken_out_of_texts() {
        for (given, wanted) in [
            ("host=a password=hunter2 user=b", "host=a password=*** user=b"),
            (
                "host=a password = 'hun ter2' user=b",
                "host=a password = *** user=b",
            ),
            ("PASSWORD=x", "PASSWORD=***"),
            ("{\"password\": \"x\", \"a\": 1}", "{\"password\": ***, \"a\": 1}"),
            ("postgres://me:hunter2@db/app?x=1", "postgres://me:***@db/app?x=1"),
            ("postgres://me:a:b@c@db/app", "postgres://me:***@db/app"),
            (
                "http://host:80/ and https://a@b",
                "http://host:80/ and https://a@b",
            ),
            ("password authentication failed", "password authentication failed"),
            ("password=", "password="),
            ("no secret", "no secret"),
        ] {
            assert_eq!(text(given), wanted, "{given}");
        }
    }

    #[test]
    fn settings_are_told_by_their_names() {
        assert_eq!(setting("primary_conninfo", "host=a"), "***");
        assert_eq!(setting("app.Secret", "x"), "***");
        assert_eq!(setting("ssl_passphrase_command", ""), "");
        assert_eq!(setting("password_encryption", "scram-sha-256"), "scram-sha-256");
        assert_eq!(setting("my.url", "postgres://a:b@c"), "postgres://a:***@c");
        let mut row = serde_json::json!({
            "kind": "setting", "name": "app.token of role x", "attributes": ["s"], "sql": "alter role x set app.token = 's';"
        });
        super::row(&mut row);
        assert_eq!(
            row,
            serde_json::json!({
                "kind": "setting", "name": "app.token of role x", "attributes": ["***"], "sql": "alter role x set app.token = '…';"
            })
        );
        let mut row = serde_json::json!({
            "name": "x.token", "setting": "s", "query": "select 'a'", "columns": {"a": "password=b"}, "n": 1
        });
        super::row(&mut row);
        assert_eq!(
            row,
            serde_json::json!({
                "name": "x.token", "setting": "***", "query": "select '…'", "columns": {"a": "password=***"}, "n": 1
            })
        );
    }
}
