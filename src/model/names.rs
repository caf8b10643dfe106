//! Names of things: SQL identifiers and ARNs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Quotes an SQL identifier where it needs quotes, so that it can be pasted.
///
/// Keywords are not known here; a name that is one is quoted by the server's `format('%I')` in the queries.
pub fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A text as an SQL literal, for sessions with `standard_conforming_strings` on, as is usual.
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An Amazon resource name: `arn:partition:service:region:account:resource`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn(String);

/// A text that is no ARN.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an ARN like arn:aws:rds:eu-west-1:123456789012:cluster:main")]
pub struct BadArn(String);

impl Arn {
    fn part(&self, n: usize) -> &str {
        self.0.splitn(6, ':').nth(n).unwrap_or_default()
    }

    /// The region, for example `eu-west-1`.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The twelve-digit account id.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// The kind of resource: `cluster`, `db`, `deployment` …
    pub fn kind(&self) -> &str {
        self.part(5).split(':').next().unwrap_or_default()
    }

    /// The resource's own name: `main` of `…:cluster:main`.
    pub fn name(&self) -> &str {
        self.part(5).split_once(':').map_or("", |(_, name)| name)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Arn {
    type Err = BadArn;

    fn from_str(text: &str) -> Result<Self, BadArn> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, service, _, _, resource]
                if !partition.is_empty() && !service.is_empty() && !resource.is_empty() =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(BadArn(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Arn {
    type Error = BadArn;

    fn try_from(text: String) -> Result<Self, BadArn> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(quote_ident("orders_1"), "orders_1");
        assert_eq!(quote_ident("Weird \"Schema\""), "\"Weird \"\"Schema\"\"\"");
        assert_eq!(quote_ident("a.b"), "\"a.b\"");
        assert_eq!(quote_ident("1st"), "\"1st\"");
        assert_eq!(quote_ident(""), "\"\"");
        assert_eq!(quote_literal("O'Brien"), "'O''Brien'");
    }

    #[test]
    fn takes_arns_apart() {
        let arn: Arn = "arn:aws:rds:eu-west-1:123456789012:cluster:main"
            .parse()
            .expect("an ARN");
        assert_eq!(
            (arn.region(), arn.account(), arn.kind(), arn.name()),
            ("eu-west-1", "123456789012", "cluster", "main")
        );
        assert!("arn:aws:rds".parse::<Arn>().is_err());
        assert!("main".parse::<Arn>().is_err());
    }
}
