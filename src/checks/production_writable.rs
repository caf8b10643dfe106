//! Production takes writes.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Ctx;
use crate::{
    facts::Why,
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Something that keeps writes off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Obstacle {
    kind: String,
    name: Option<String>,
}

/// What production's parameter groups set `default_transaction_read_only` to, by group.
fn groups(ctx: &Ctx<'_>, judgement: &mut Judgement) {
    let rds = match ctx.facts.rds.get() {
        Ok(rds) => rds,
        Err((Why::NotAsked, _)) => return,
        Err((why, detail)) => return judgement.unseen("rds", format!("{why}: {detail}")),
    };
    let green = match rds.green.get() {
        Ok(Some(green)) => green,
        Ok(None) => return,
        Err((why, detail)) => return judgement.unseen("rds.green", format!("{why}: {detail}")),
    };
    let keys: BTreeSet<String> = green.group_keys().collect();
    for key in keys {
        match rds.parameter_groups.get(&key).map(|fact| fact.get()) {
            Some(Ok(Some(group))) => {
                let value = group
                    .parameters
                    .get("default_transaction_read_only")
                    .and_then(|p| p.value.as_deref());
                if value.is_some_and(|v| ["1", "on", "true", "yes"].contains(&v.to_lowercase().as_str())) {
                    judgement.find(
                        Finding::new(&key, format!("parameter group {key} sets default_transaction_read_only: production takes no writes"))
                            .fix("set default_transaction_read_only to 0 in it, or reset it"),
                    );
                }
            }
            Some(Err((why, detail))) => {
                judgement.unseen(format!("rds.parameter_groups.{key}"), format!("{why}: {detail}"))
            }
            Some(Ok(None)) | None => {}
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let gathered = ctx.rows::<Obstacle>(Side::Green, "");
    judgement.blind(gathered.unseen);
    for (_, obstacle) in gathered.rows {
        let name = obstacle.name.unwrap_or_default();
        let finding = match obstacle.kind.as_str() {
            "recovery" => Finding::new("recovery", "the server that is production is in recovery: it takes no writes")
                .fix("look at which instance the writer endpoint names"),
            "database" => Finding::new(format!("database {name}"), format!("database {name} is set to read-only transactions"))
                .at(Level::Warning)
                .fix(format!("set default_transaction_read_only = off;\nalter database {name} reset default_transaction_read_only;")),
            _ => Finding::new(name, "all roles are set to read-only transactions")
                .fix("set default_transaction_read_only = off;\nalter role all reset default_transaction_read_only;"),
        };
        judgement.find(finding.on(Side::Green));
    }
    groups(ctx, &mut judgement);
    judgement.done()
}
