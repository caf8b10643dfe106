//! Temporary tables do not degrade the deployment.

use serde::Deserialize;

use super::{Ctx, shared::since};
use crate::{
    model::{Engine, Side},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Temporary {
    tables: i64,
    functions: Option<String>,
}

/// First minors in which creating or changing temporary objects no longer counts as DDL. The notes name two in a row for
/// Aurora; the later one is certain.
const AURORA: &[(u16, u16)] = &[(13, 21), (14, 18), (15, 13), (16, 9), (17, 5)];
const RDS: &[(u16, u16)] = &[(13, 19), (14, 16), (15, 11), (16, 7), (17, 3)];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let Some(version) = ctx.situation.source else {
        return Verdict::unknown("blue", "its version is not known");
    };
    let list = if ctx.situation.engine == Engine::Aurora { AURORA } else { RDS };
    let mut judgement = Judgement::new();
    let tables = ctx.rows::<Temporary>(Side::Blue, "");
    judgement.blind(tables.unseen);
    if since(version, list) {
        return judgement.done_with(format!("temporary objects do not count as DDL on {version}"));
    }
    for (database, row) in tables.rows.into_iter().filter(|(_, r)| r.tables > 0 || r.functions.is_some()) {
        let seen = match &row.functions {
            Some(functions) => format!("functions make some ({functions})"),
            None => format!("{} exist right now", row.tables),
        };
        judgement.find(
            Finding::new("temporary tables", format!("temporary tables count as DDL on {version}, and {seen}"))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .fix("-- update blue to a later minor version first, or keep the application from making temporary tables while green lives")
                .evidence("temporary tables now", row.tables)
                .evidence("functions", row.functions),
        );
    }
    // None at this moment and none in functions says nothing of what sessions make by themselves.
    if judgement.clean() {
        return Verdict::skip(format!(
            "temporary tables count as DDL on {version}, and nothing tells whether the application makes some: none exists right now, and no \
             function makes one"
        ));
    }
    judgement.done()
}
