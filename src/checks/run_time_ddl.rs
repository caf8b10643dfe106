//! The application does not change the schema while it runs.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Side, count},
    verdict::{Finding, Judgement, Level, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    loaded: bool,
    sees_all: bool,
    statements: Option<Vec<Statement>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    query: String,
    calls: i64,
}

/// So often no person types a statement.
const REPEATED: i64 = 10;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let seen = ctx.rows::<Seen>(Side::Blue, "");
    judgement.blind(seen.unseen);
    let mut looked = 0;
    for (database, seen) in seen.rows {
        if !seen.loaded {
            continue;
        }
        looked += 1;
        if !seen.sees_all {
            judgement.unseen(
                format!("blue:{}", crate::verdict::subject(database.as_deref(), "pg_stat_statements")),
                "others' statements are hidden: grant pg_monitor to the checking role",
            );
        }
        let statements = seen.statements.unwrap_or_default();
        let Some(most) = statements.iter().max_by_key(|s| s.calls) else { continue };
        let examples: Vec<String> = statements.iter().take(5).map(|s| format!("{} × {}", s.calls, s.query)).collect();
        let (level, message) = if most.calls >= REPEATED {
            (Level::Warning, format!("schema changes happen at run time: {} calls of {:?}", most.calls, most.query))
        } else {
            (Level::Notice, format!("schema changes since the statistics were reset: {}", statements.len()))
        };
        judgement.find(
            Finding::new("pg_stat_statements", message)
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(level)
                .fix("-- stop what issues them before the deployment is created: see the page for the usual sources")
                .evidence("examples", examples),
        );
    }
    // Without a witness there is nothing to judge by, and no pass either.
    if looked == 0 && judgement.clean() {
        return Verdict::skip("pg_stat_statements is in no database: nothing tells what the application runs");
    }
    judgement.done_with(format!("no schema change among the statements of {}", count(looked, "database")))
}
