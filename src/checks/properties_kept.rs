//! Green is equipped as blue is.

use super::{
    Ctx,
    plane::{Plane, answer, counterpart},
};
use crate::{
    facts::rds::Instance,
    model::{Phase, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

fn shown(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "not given".to_owned())
}

fn none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

fn lacking<'a>(wanted: &'a [String], there: &[String]) -> Vec<&'a str> {
    wanted
        .iter()
        .filter(|log| !there.contains(log))
        .map(String::as_str)
        .collect()
}

fn exports(missing: &[&str]) -> String {
    let list: Vec<String> = missing.iter().map(|log| format!("\"{log}\"")).collect();
    format!("--cloudwatch-logs-export-configuration '{{\"EnableLogTypes\":[{}]}}'", list.join(","))
}

/// What watches an instance.
fn monitoring(b: &Instance, g: &Instance, lost: &mut impl FnMut(&str, &str, Level, String, String, String)) {
    if b.performance_insights && !g.performance_insights {
        let option = "--enable-performance-insights".to_owned();
        lost(&g.id, "Performance Insights", Level::Notice, "on".to_owned(), "off".to_owned(), option);
    }
    let seconds = |interval: Option<i32>| interval.unwrap_or(0);
    let (before, now) = (seconds(b.monitoring_interval_seconds), seconds(g.monitoring_interval_seconds));
    if before > 0 && now == 0 {
        let before = format!("every {before} s");
        lost(&g.id, "enhanced monitoring", Level::Notice, before, "off".to_owned(), String::new());
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let (blue, green) = (plane.blue()?, plane.green()?);
    let deployment = plane.deployment()?;
    if blue.instances.is_empty() {
        return Ok(Verdict::skip("the old side is gone"));
    }
    let verify = ctx.situation.phase == Phase::Verify;
    let mut judgement = Judgement::new();
    let mut lost = |id: &str, what: &str, level, ours: String, theirs: String, option: String| {
        let message = format!("{what} of {id} is {theirs}, blue has {ours}");
        let call = match &green.cluster {
            Some(cluster) if cluster.id == id => format!("modify-db-cluster --db-cluster-identifier {id}"),
            _ => format!("modify-db-instance --db-instance-identifier {id}"),
        };
        let mut finding = Finding::new(format!("{id}/{what}"), message)
            .on(Side::Rds)
            .at(level)
            .evidence("blue", ours)
            .evidence("green", theirs);
        if !option.is_empty() {
            finding = finding.fix(plane.aws(format!("{call} {option} --apply-immediately")));
        }
        judgement.find(finding);
    };
    let days = |days: Option<i32>| days.unwrap_or(0);
    if let (Some(b), Some(g)) = (&blue.cluster, &green.cluster) {
        let (kept, now) = (days(b.backup_retention_days), days(g.backup_retention_days));
        if now < kept {
            let option = format!("--backup-retention-period {kept}");
            lost(&g.id, "backup retention", Level::Warning, format!("{kept} days"), format!("{now} days"), option);
        }
        if verify && b.deletion_protection && !g.deletion_protection {
            let option = "--deletion-protection".to_owned();
            lost(&g.id, "deletion protection", Level::Warning, "on".to_owned(), "off".to_owned(), option);
        }
        if b.storage_type != g.storage_type {
            let (b_type, g_type) = (shown(&b.storage_type), shown(&g.storage_type));
            lost(&g.id, "storage type", Level::Notice, b_type, g_type, String::new());
        }
        let missing = lacking(&b.log_exports, &g.log_exports);
        if !missing.is_empty() {
            let (all, there) = (b.log_exports.join(","), g.log_exports.join(","));
            lost(&g.id, "log exports", Level::Notice, all, none(there), exports(&missing));
        }
    }
    for b in &blue.instances {
        // After the switchover names match, before it the deployment pairs them.
        let Some(g) = counterpart(deployment, b, green) else { continue };
        let single = blue.cluster.is_none();
        let (kept, now) = (days(b.backup_retention_days), days(g.backup_retention_days));
        if single && now < kept {
            let option = format!("--backup-retention-period {kept}");
            lost(&g.id, "backup retention", Level::Warning, format!("{kept} days"), format!("{now} days"), option);
        }
        if single && b.multi_az && !g.multi_az {
            lost(&g.id, "Multi-AZ", Level::Warning, "on".to_owned(), "off".to_owned(), "--multi-az".to_owned());
        }
        if verify && single && b.deletion_protection && !g.deletion_protection {
            let option = "--deletion-protection".to_owned();
            lost(&g.id, "deletion protection", Level::Warning, "on".to_owned(), "off".to_owned(), option);
        }
        if b.class != g.class {
            lost(&g.id, "class", Level::Notice, b.class.clone(), g.class.clone(), String::new());
        }
        if single && b.storage_type != g.storage_type {
            let (b_type, g_type) = (shown(&b.storage_type), shown(&g.storage_type));
            lost(&g.id, "storage type", Level::Notice, b_type, g_type, String::new());
        }
        let missing = lacking(&b.log_exports, &g.log_exports);
        if single && !missing.is_empty() {
            let (all, there) = (b.log_exports.join(","), g.log_exports.join(","));
            lost(&g.id, "log exports", Level::Notice, all, none(there), exports(&missing));
        }
        monitoring(b, g, &mut lost);
    }
    Ok(judgement.done())
}
