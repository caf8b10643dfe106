//! Connection strings in both of libpq's forms, for names and passwords of any characters.

use std::fmt::Write as _;

/// `postgres://user:password@host:port/database`.
pub(super) fn url(host: &str, port: u16, database: &str, user: &str, password: &str) -> String {
    format!(
        "postgres://{}:{}@{host}:{port}/{}",
        percent(user),
        percent(password),
        percent(database)
    )
}

/// `host='…' port='…' …`, the form that `CREATE SUBSCRIPTION` takes.
pub(super) fn conninfo(host: &str, port: u16, database: &str, user: &str, password: &str) -> String {
    let value = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    format!(
        "host={} port={} dbname={} user={} password={}",
        value(host),
        value(&port.to_string()),
        value(database),
        value(user),
        value(password)
    )
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_parts_survive_in_a_url() {
        let (name, password) = ("a/b?c#d@e:f ü", "p%41 '\"\\&=");
        let url = url("127.0.0.1", 5432, name, name, password);
        let config: tokio_postgres::Config = url.parse().expect("the url is valid");
        assert_eq!(config.get_user(), Some(name));
        assert_eq!(config.get_dbname(), Some(name));
        assert_eq!(config.get_password(), Some(password.as_bytes()));
    }

    #[test]
    fn hostile_parts_survive_in_a_conninfo_string() {
        let (name, password) = ("it's = \\ \"x\"", "' \\' \\\\");
        let text = conninfo("127.0.0.1", 5432, name, name, password);
        let config: tokio_postgres::Config = text.parse().expect("the string is valid");
        assert_eq!(config.get_user(), Some(name));
        assert_eq!(config.get_password(), Some(password.as_bytes()));
    }
}
