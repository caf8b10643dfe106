//! The two written forms. Follows `conninfo_uri_parse_options` and `conninfo_parse` of libpq's `fe-connect.c`.

use super::{ConnInfo, ConnInfoError, keywords::STRAY_AT};

fn form(what: &str) -> ConnInfoError {
    ConnInfoError::Form(what.to_owned())
}

/// A URL without its scheme: `[user[:password]@][host][:port][/database][?key=value[&…]]`.
pub(super) fn url(rest: &str) -> Result<ConnInfo, ConnInfoError> {
    let mut info = ConnInfo::default();
    let (before_query, query) = rest
        .split_once('?')
        .map_or((rest, None), |(before, query)| (before, Some(query)));
    // As in libpq, the login ends at the first `@`, provided that no `/` comes before it. A `?` in it counts as itself.
    let (login, place) = match rest.find(['@', '/']).filter(|at| rest[*at..].starts_with('@')) {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    };
    let (place, query) = match login {
        Some(_) => place
            .split_once('?')
            .map_or((place, None), |(place, query)| (place, Some(query))),
        None => (before_query, query),
    };
    if let Some(login) = login {
        let (user, password) = login
            .split_once(':')
            .map_or((login, None), |(user, word)| (user, Some(word)));
        info.set("user", &decode(user, "the user name")?)?;
        if let Some(password) = password {
            info.set("password", &decode(password, "the password")?)?;
        }
    }
    let (server, database) = place
        .split_once('/')
        .map_or((place, None), |(server, name)| (server, Some(name)));
    if server.contains('@') || database.is_some_and(|name| name.contains('@')) {
        return Err(ConnInfoError::Form(format!(
            "the part after the login {STRAY_AT}"
        )));
    }
    if server.contains(',') {
        return Err(ConnInfoError::Refused {
            key: "host".to_owned(),
            why: "several hosts; greenlight judges one server, name that one".to_owned(),
        });
    }
    let (host, port) = host_and_port(server)?;
    info.set("host", &decode(host, "the host")?)?;
    if let Some(port) = port {
        info.set("port", &decode(port, "the port")?)?;
    }
    if let Some(database) = database {
        info.set("dbname", &decode(database, "the database name")?)?;
    }
    for parameter in query
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty())
    {
        let (key, value) = parameter
            .split_once('=')
            .ok_or_else(|| form("a URL parameter has no `=`"))?;
        if value.contains('=') {
            return Err(form(
                "a URL parameter has more than one `=`; write a `=` in its value as %3D",
            ));
        }
        info.set(
            &decode(key, "a parameter's name")?,
            &decode(value, "a parameter's value")?,
        )?;
    }
    Ok(info)
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, `:port` or nothing.
fn host_and_port(server: &str) -> Result<(&str, Option<&str>), ConnInfoError> {
    if let Some(inner) = server.strip_prefix('[') {
        let (address, after) = inner
            .split_once(']')
            .ok_or_else(|| form("an IPv6 address in the URL has no closing `]`"))?;
        if address.is_empty() {
            return Err(form("an IPv6 address in the URL is empty"));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if after.is_empty() => Ok((address, None)),
            None => Err(form(
                "only a `:` and a port may follow the `]` of an IPv6 address",
            )),
        };
    }
    match server.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(form(
            "more than one `:` after the host; an IPv6 address is written in brackets, [::1]",
        )),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((server, None)),
    }
}

/// Undoes percent-encoding; a `+` stays a `+`.
fn decode(text: &str, what: &str) -> Result<String, ConnInfoError> {
    let bad = || {
        ConnInfoError::Form(format!(
            "{what} has a `%` that is not followed by two hexadecimal digits; write `%` as %25"
        ))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            rest.next()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or_else(bad)
        };
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).expect("two hexadecimal digits fit a byte"));
    }
    if bytes.contains(&0) {
        return Err(ConnInfoError::Form(format!("{what} has a zero byte")));
    }
    String::from_utf8(bytes).map_err(|_| ConnInfoError::Form(format!("{what} is not UTF-8 once decoded")))
}

/// `key = value` pairs with blanks between them; values may be in single quotes; `\` takes the next character as it is.
pub(super) fn key_values(text: &str) -> Result<ConnInfo, ConnInfoError> {
    let mut info = ConnInfo::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(after) = after.trim_start().strip_prefix('=') else {
            // The word may be the rest of a password with a blank in it, so it is not repeated.
            return Err(form(
                "a word without `=`; a connection string is a postgres:// URL or a list of key=value (values with blanks in single quotes)",
            ));
        };
        let (value, after) = value(after.trim_start())?;
        info.set(key, &value)?;
        rest = after.trim_start();
    }
    Ok(info)
}

fn value(text: &str) -> Result<(String, &str), ConnInfoError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        Err(form("a quoted value has no closing quote"))
    } else {
        Ok((value, ""))
    }
}
