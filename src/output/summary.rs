//! What every format for people says first: the answer, the upgrade, how far the look went, what was found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    View,
    text::{bytes, clip, count, one_line, printable},
};
use crate::{
    baseline::Since,
    model::{DeploymentStatus, Phase},
    report::{CheckReport, Headline, Outcome, Report, ReportedFinding, ReportedUnseen},
    verdict::Level,
};

/// The answer in a word or two.
pub(super) fn word(headline: Headline) -> &'static str {
    match headline {
        Headline::Ready => "READY",
        Headline::NotReady => "NOT READY",
        Headline::NotDetermined => "NOT DETERMINED",
    }
}

/// What the answer is about: follows the word.
pub(super) fn question(report: &Report) -> String {
    let question = match report.situation.phase {
        Phase::Create => "to create a blue/green deployment",
        Phase::Switchover => "to switch over",
        Phase::Verify => "after the switchover",
    };
    let only = if report.situation.databases_only {
        ", as far as the databases can tell"
    } else {
        ""
    };
    format!("{question}{only}")
}

/// How a check came out, in one word.
pub(super) fn outcome(check: &CheckReport) -> &'static str {
    match check.outcome {
        Outcome::Passed { .. } => "passed",
        Outcome::Failed if check.open(Level::Notice) == 0 => "waived",
        Outcome::Failed => "failed",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Unknown => "not determined",
    }
}

/// Open findings by level, and waived ones: `2 blockers, 1 warning, 1 waived`.
pub(super) fn found(report: &Report) -> String {
    let mut found: Vec<String> = Level::ALL
        .into_iter()
        .map(|level| (report.count(level), level))
        .filter(|(n, _)| *n > 0)
        .map(|(n, level)| count(n, &level.to_string()))
        .collect();
    if report.waived() > 0 {
        found.push(format!("{} waived", report.waived()));
    }
    if found.is_empty() {
        "nothing".to_owned()
    } else {
        found.join(", ")
    }
}

/// The findings of a check that a report shows: open ones, and with a baseline only what is new or worse.
pub(super) fn shown(check: &CheckReport) -> Vec<&ReportedFinding> {
    let open = |f: &&ReportedFinding| f.waived.is_none() && f.since != Some(Since::Known);
    check.findings.iter().filter(open).collect()
}

/// The blind spots of a check that a report shows, likewise.
pub(super) fn shown_unseen(check: &CheckReport) -> Vec<&ReportedUnseen> {
    let open = |u: &&ReportedUnseen| u.waived.is_none() && u.since != Some(Since::Known);
    check.unseen.iter().filter(open).collect()
}

/// A reason why something could not be judged, with everything that it blinds.
pub(super) struct Blind {
    /// The reason, with the waiver that accepts it.
    pub(super) why: String,
    /// What could not be looked at.
    pub(super) places: Vec<String>,
    /// The checks that it leaves undetermined.
    pub(super) checks: Vec<&'static str>,
}

impl Blind {
    /// The first places, and how many more there are.
    pub(super) fn few_places(&self, most: usize) -> String {
        let few = self
            .places
            .iter()
            .take(most)
            .map(|p| clip(p, 200))
            .collect::<Vec<_>>()
            .join(", ");
        match self.places.len().saturating_sub(most) {
            0 => few,
            more => format!("{few} and {more} more"),
        }
    }
}

/// How many findings are in which database, the fullest first, where they are in more than one: `: 18 in travis, 4 in main`. Without it whoever
/// sees only the first findings takes the other databases for sound.
pub(super) fn spread(findings: &[&ReportedFinding]) -> String {
    const MOST: usize = 5;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for database in findings.iter().filter_map(|f| f.database.as_deref()) {
        *counts.entry(database).or_default() += 1;
    }
    if counts.len() < 2 {
        return String::new();
    }
    let mut fullest: Vec<_> = counts.into_iter().collect();
    fullest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let named: Vec<String> = fullest
        .iter()
        .take(MOST)
        .map(|(database, count)| format!("{count} in {}", clip(&one_line(database), 63)))
        .collect();
    let others = match fullest.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and others in {}", count(more, "more database")),
    };
    format!(": {}{others}", named.join(", "))
}

/// Why checks could not be judged. The same reason often blinds many of them in many places: it is said once.
pub(super) fn blind(report: &Report) -> Vec<Blind> {
    let mut reasons: BTreeMap<String, (BTreeSet<String>, Vec<&'static str>)> = BTreeMap::new();
    for check in report.checks.iter().filter(|c| c.outcome == Outcome::Unknown) {
        for unseen in check.unseen.iter().filter(|u| u.since != Some(Since::Known)) {
            let waived = unseen.waived.as_ref().map_or(String::new(), |w| {
                format!(" (waived until {}: {})", w.until, one_line(&w.reason))
            });
            let why = format!("{}{waived}", clip(&one_line(&unseen.why), 600));
            let (places, checks) = reasons.entry(why).or_default();
            places.insert(one_line(&unseen.subject));
            if checks.last() != Some(&check.id) {
                checks.push(check.id);
            }
        }
    }
    let reasons = reasons.into_iter();
    reasons
        .map(|(why, (places, checks))| Blind {
            why,
            places: places.into_iter().collect(),
            checks,
        })
        .collect()
}

/// The subject as a waiver names it, with its side where it lies on one: `main/public.orders on blue`.
pub(super) fn place(finding: &ReportedFinding) -> String {
    let side = finding.side.map_or(String::new(), |s| format!(" on {s}"));
    format!("{}{side}", one_line(&finding.subject))
}

/// The fixes of findings, each once, under the database that they are for; none where the report is about a single one. Advice
/// of which nothing is pasted holds for all of them and is said once as well.
pub(super) fn fixes(report: &Report, findings: &[&ReportedFinding]) -> Vec<(Option<String>, Vec<String>)> {
    let commands = || {
        findings
            .iter()
            .filter_map(|f| f.fix.as_deref())
            .flat_map(str::lines)
    };
    let only_advice = commands().all(|line| line.trim().is_empty() || line.starts_with("--"));
    let named = !only_advice && report.coverage.names > 1;
    let mut by_database: Vec<(Option<String>, Vec<String>)> = Vec::new();
    let mut seen = BTreeSet::new();
    for finding in findings {
        let Some(fix) = finding.fix.as_deref().map(str::trim_end) else {
            continue;
        };
        let database = finding.database.as_ref().filter(|_| named);
        if !seen.insert((database, fix)) {
            continue;
        }
        match by_database.iter_mut().find(|(d, _)| d.as_ref() == database) {
            Some((_, fixes)) => fixes.push(printable(fix)),
            None => by_database.push((database.cloned(), vec![printable(fix)])),
        }
    }
    by_database
}

/// Evidence as people read it: what a server left empty says nothing to them (the JSON report has it).
pub(super) fn evidence(finding: &ReportedFinding) -> Vec<(String, String)> {
    finding
        .evidence
        .iter()
        .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
        .map(|(key, value)| (one_line(&key.replace('_', " ")), one_line(&human(key, value))))
        .collect()
}

fn human(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => match (n.as_u64(), n.as_f64()) {
            (Some(whole), _) if key.contains("bytes") => bytes(whole),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a size, shown with one digit"
            )]
            (None, Some(size)) if key.contains("bytes") && size >= 0.0 => bytes(size as u64),
            (None, Some(real)) if n.is_f64() => format!("{real:.1}"),
            _ => n.to_string(),
        },
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        // Statements are among them, which are set out over several lines.
        Value::Array(values) => {
            let texts = values.iter().map(|v| human(key, v));
            texts
                .map(|t| t.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
                .join("; ")
        }
        other => other.to_string(),
    }
}

/// Label and text of each line under the answer.
pub(super) fn rows(view: View<'_>) -> Vec<(&'static str, String)> {
    let report = view.report;
    let mut rows = subject(view);
    rows.push(("because", report.because.clone()));
    let coverage = &report.coverage;
    rows.push((
        "looked at",
        format!(
            "{} of {}; {} judged, {} not determined, {} skipped",
            coverage.databases_seen,
            count(coverage.databases, "database"),
            count(coverage.judged, "check"),
            coverage.unknown,
            coverage.skipped
        ),
    ));
    rows.push(("found", found(report)));
    if let Some(baseline) = &report.baseline {
        rows.push((
            "since",
            format!(
                "{} of {}: {} known and not shown, {} gone; the verdict counts all",
                baseline.file, baseline.collected_at, baseline.known, baseline.gone
            ),
        ));
    }
    if report.situation.databases_only {
        rows.push((
            "not asked",
            "RDS: status, versions, parameter groups and limits were not looked at".to_owned(),
        ));
    }
    let policy = match (&report.policy_file, report.fail_on) {
        (None, Level::Blocker) => None,
        (Some(file), level) => Some(format!("{file}, fails on {level}")),
        (None, level) => Some(format!("fails on {level}")),
    };
    rows.extend(policy.map(|policy| ("policy", policy)));
    rows.into_iter()
        .map(|(label, text)| (label, one_line(&text)))
        .collect()
}

/// What was asked about, in which Region and account, through which endpoint: a look at the wrong place must be seen. None
/// where only databases were asked.
pub(super) fn whereabouts(view: View<'_>) -> Option<String> {
    let name = view.facts.request.subject.as_ref()?;
    let place = view.facts.rds.known().map_or(String::new(), |r| {
        let account = r
            .account
            .known()
            .map_or(String::new(), |a| format!(", account {a}"));
        let url = r
            .endpoint_url
            .as_ref()
            .map_or(String::new(), |u| format!(", through {u}"));
        format!(" in {}{account}{url}", r.region)
    });
    Some(format!("{name}{place}"))
}

fn subject(view: View<'_>) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let situation = &view.report.situation;
    let mut what = situation.engine.to_string();
    if let Some(source) = situation.source {
        what.push_str(&format!(" {source}"));
    }
    match situation.target {
        Some(target) => what.push_str(&format!(" to {target}")),
        None => what.push_str(", target not given"),
    }
    if let Some(replication) = situation.replication {
        what.push_str(&format!(", {replication} replication"));
    }
    if let Some(place) = whereabouts(view) {
        rows.push(("subject", place));
    }
    rows.push(("upgrade", what));
    for (label, server) in [
        ("blue", Some(&view.facts.blue)),
        ("green", view.facts.green.as_ref()),
    ] {
        if let Some(server) = server {
            let text = match server.get() {
                Ok(server) => format!(
                    "{} as {}, PostgreSQL {}",
                    server.endpoint, server.role, server.version
                ),
                Err((why, detail)) => format!("{why}: {detail}"),
            };
            rows.push((label, text));
        }
    }
    let rds = view.facts.rds.known();
    let deployment = rds.and_then(|r| r.deployment.known()).and_then(Option::as_ref);
    if let Some(deployment) = deployment {
        let details = deployment
            .status_details
            .as_ref()
            .map_or(String::new(), |d| format!(" ({d})"));
        rows.push((
            "deployment",
            format!(
                "{} {}, {}{details}",
                deployment.name, deployment.id, deployment.status
            ),
        ));
        if deployment.status != DeploymentStatus::Available {
            for task in deployment.tasks.iter().filter(|t| t.status != "COMPLETED") {
                rows.push(("", format!("task {} {}", task.name, task.status)));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Evidence;

    fn found(database: Option<&str>) -> ReportedFinding {
        ReportedFinding {
            subject: String::new(),
            object: String::new(),
            database: database.map(str::to_owned),
            side: None,
            level: Level::Blocker,
            message: String::new(),
            fix: None,
            evidence: Evidence::default(),
            waived: None,
            since: None,
        }
    }

    fn said(databases: &[Option<&str>]) -> String {
        let findings: Vec<_> = databases.iter().map(|database| found(*database)).collect();
        spread(&findings.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_shown_is_counted_by_database() {
        assert_eq!(said(&[Some("a"), Some("b"), Some("b")]), ": 2 in b, 1 in a");
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "f"]
            .into_iter()
            .map(Some)
            .collect();
        assert_eq!(
            said(&many),
            ": 2 in f, 1 in a, 1 in b, 1 in c, 1 in d and others in 2 more databases"
        );
    }

    #[test]
    fn one_database_and_servers_need_no_count() {
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[Some("a"), Some("a")]), "");
        assert_eq!(said(&[None, None]), "");
    }
}
