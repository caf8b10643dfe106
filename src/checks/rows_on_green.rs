//! The rows of the tables that were named are the same on green.

use super::Ctx;
use crate::{
    facts::{
        Fact,
        contents::{Compared, Difference, How},
    },
    model::Side,
    verdict::{Finding, Judgement, Verdict, subject},
};

/// Differing rows that a finding's evidence lists.
const SHOWN: usize = 20;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let Some(contents) = &ctx.facts.contents else {
        return Verdict::skip("no rows were compared: --compare-rows TABLE,… names tables");
    };
    let mut judgement = Judgement::new();
    for pattern in &contents.unmatched {
        judgement.unseen(pattern, "no table of blue that can be seen is named so");
    }
    let (mut tables, mut rows) = (0_u64, 0);
    for (database, listed) in &contents.databases {
        let listed = match listed {
            Fact::Known(listed) => listed,
            Fact::Unknown { why, detail } => {
                judgement.unseen(crate::model::quote_ident(database), format!("{why}: {detail}"));
                continue;
            }
        };
        for table in listed {
            let name = subject(Some(database), &table.table);
            let compared = match &table.compared {
                Fact::Known(compared) => compared,
                Fact::Unknown { why, detail } => {
                    judgement.unseen(name, format!("{why}: {detail}"));
                    continue;
                }
            };
            if compared.differing > 0 {
                judgement.find(finding(&table.table, compared).in_database(Some(database)));
            }
            if compared.unsettled > 0 {
                let why = format!(
                    "{} changed on blue at every look, so that nothing can be said of them: look again in a quiet hour",
                    counted(compared.unsettled, false)
                );
                judgement.unseen(name.as_str(), why);
            }
            if !compared.left_out.is_empty() {
                let why = format!(
                    "not compared, since their text differs between the majors: {}",
                    compared.left_out.join(", ")
                );
                judgement.unseen(name, why);
            }
            tables += 1;
            rows += compared.rows;
        }
    }
    judgement.done_with(format!("{tables} tables with {rows} rows are equal"))
}

fn finding(table: &str, compared: &Compared) -> Finding {
    let how = |how: How| compared.examples.iter().filter(|e| e.how == how).count();
    let message = if compared.key.is_empty() {
        format!("{table} holds other rows on green than on blue")
    } else {
        format!("{} of {table} differ on green", counted(compared.differing, compared.more))
    };
    let finding = Finding::new(table, message)
        .on(Side::Green)
        .fix("delete the deployment with its green side, and create it anew")
        .evidence("compared", compared.rows)
        .evidence("after", compared.lsn.to_string());
    if compared.key.is_empty() {
        return finding;
    }
    let rows: Vec<String> = compared.examples.iter().take(SHOWN).map(|e| row(&compared.key, e)).collect();
    finding
        .evidence("rows", rows)
        .evidence("missing", how(How::Missing))
        .evidence("extra", how(How::Extra))
        .evidence("changed", how(How::Changed))
}

/// `id = 5 is missing on green`.
fn row(key: &[String], difference: &Difference) -> String {
    let key: Vec<String> = key.iter().zip(&difference.key).map(|(k, v)| format!("{k} = {v}")).collect();
    let how = match difference.how {
        How::Missing => "is missing on green",
        How::Extra => "is on green only",
        How::Changed => "has other values on green",
    };
    format!("{} {how}", key.join(", "))
}

fn counted(rows: u64, more: bool) -> String {
    match (rows, more) {
        (rows, true) => format!("{rows} or more rows"),
        (1, false) => "1 row".to_owned(),
        (rows, false) => format!("{rows} rows"),
    }
}
