//! Texts sort on green as they do on blue.

use serde::Deserialize;

use super::{
    Ctx,
    compare::{pairs, some},
};
use crate::{
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

/// Indexes that a finding's fix names.
const NAMED: usize = 100;

/// A collation that indexes use.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Collation {
    name: String,
    /// `c` libc, `i` ICU, `b` built in.
    provider: String,
    locale: String,
    /// The version that the catalog has recorded.
    stored: Option<String>,
    /// The version that the server's library has.
    actual: Option<String>,
    indexes: usize,
    names: Vec<String>,
}

impl Collation {
    /// Whether the order never changes: bytes or code points.
    fn fixed(&self) -> bool {
        let locale = self.locale.to_lowercase();
        self.provider == "c" && (["c", "posix"].contains(&locale.as_str()) || locale.starts_with("c."))
    }

    /// What is wrong with green's indexes.
    fn wrong(&self, blue: Option<&Self>) -> Option<String> {
        let actual = self.actual.as_deref()?;
        if let Some(stored) = self.stored.as_deref().filter(|stored| *stored != actual) {
            return Some(format!(
                "was recorded with version {stored} on green, whose library has {actual}"
            ));
        }
        let before = blue?.actual.as_deref()?;
        (before != actual).then(|| format!("has version {before} on blue and {actual} on green"))
    }

    fn fix(&self, database: &str) -> String {
        let mut lines: Vec<String> = self
            .names
            .iter()
            .take(NAMED)
            .map(|name| format!("reindex index concurrently {name};"))
            .collect();
        if self.indexes > lines.len() {
            lines.push(format!("-- and {} more", self.indexes - lines.len()));
        }
        lines.push(if self.name == "default" {
            format!(
                "alter database {} refresh collation version;",
                quote_ident(database)
            )
        } else {
            format!("alter collation {} refresh version;", self.name)
        });
        lines.join("\n")
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut good = 0;
    for pair in pairs(ctx, &mut judgement, "", |c: &Collation| c.name.clone()) {
        let Some(green) = pair.green.as_ref().filter(|c| !c.fixed()) else {
            continue;
        };
        let what = if pair.name == "default" {
            "the database's own collation".to_owned()
        } else {
            format!("collation {}", pair.name)
        };
        match green.wrong(pair.blue.as_ref()) {
            Some(wrong) => judgement.find(
                Finding::new(
                    &pair.name,
                    format!(
                        "{what} {wrong}: {} to rebuild ({})",
                        count(green.indexes, "index"),
                        some(&green.names, 5)
                    ),
                )
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix(green.fix(&pair.database))
                .evidence("recorded on green", green.stored.clone())
                .evidence("on green", green.actual.clone())
                .evidence("on blue", pair.blue.as_ref().and_then(|b| b.actual.clone()))
                .evidence("indexes", green.names.clone()),
            ),
            None => match &pair.blue {
                Some(blue) if blue.actual.is_none() || green.actual.is_none() => {
                    let side = if blue.actual.is_none() {
                        Side::Blue
                    } else {
                        Side::Green
                    };
                    judgement.unseen(
                        crate::verdict::subject(Some(&pair.database), &pair.name),
                        format!(
                            "{side} does not tell the version of {what} ({}): check indexes with amcheck",
                            green.locale
                        ),
                    );
                }
                _ => good += 1,
            },
        }
    }
    judgement.done_with(match good {
        0 => "no collation in use on green could change".to_owned(),
        _ => format!("{} in use that could change: the same version on green", count(good, "collation")),
    })
}
