//! Every database has a name that RDS's precheck takes.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
};

#[derive(Deserialize)]
struct Database {
    name: String,
}

/// How bad the name is, and the characters that make it so.
fn verdict(name: &str) -> Option<(Level, String)> {
    let odd = |refused: fn(char) -> bool| -> String {
        let mut seen: Vec<char> = name.chars().filter(|c| refused(*c)).collect();
        seen.sort_unstable();
        seen.dedup();
        let shown = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
        seen.into_iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    let refused = odd(|c| matches!(c, '"' | '$'));
    if !refused.is_empty() {
        return Some((Level::Blocker, refused));
    }
    let doubtful = odd(|c| c.is_ascii_control() || matches!(c, '\'' | '\\' | '`' | '/' | ';' | '=' | '&' | '|' | '<' | '>' | '!' | '*' | '?'));
    (!doubtful.is_empty()).then_some((Level::Warning, doubtful))
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let databases = ctx.rows::<Database>(Side::Blue, "databases");
    judgement.blind(databases.unseen);
    for (_, database) in databases.rows {
        let Some((level, characters)) = verdict(&database.name) else {
            continue;
        };
        let name = quote_ident(&database.name);
        let plain: String = database
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
            .collect();
        judgement.find(
            Finding::new(&name, format!("the name of database {name} holds {characters}"))
                .on(Side::Blue)
                .at(level)
                .fix(format!("alter database {name} rename to {};", quote_ident(&plain))),
        );
    }
    judgement.done()
}
