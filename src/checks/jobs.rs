//! The jobs of pg_cron, and what kind of work they do.

use serde::Deserialize;

use super::{Ctx, shared};
use crate::{
    model::Side,
    verdict::{Judgement, Unseen},
};

/// A job.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    pub(super) id: i64,
    pub(super) schedule: String,
    pub(super) command: String,
    pub(super) database: String,
    pub(super) active: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    readable: bool,
    complete: bool,
    jobs: Option<Vec<Job>>,
}

/// What a job does to a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Makes or drops partitions.
    Partitions,
    /// Refreshes materialized views.
    Refresh,
    /// Changes the schema.
    Schema,
    /// Changes rows, or cannot be told.
    Rows,
}

impl Job {
    /// Judged by its command's words.
    pub(super) fn work(&self) -> Work {
        let command = self.command.to_lowercase();
        let words: Vec<&str> = command
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|w| !w.is_empty())
            .collect();
        let pair =
            |first: &str, second: &[&str]| words.windows(2).any(|w| w[0] == first && second.contains(&w[1]));
        let objects = [
            "table",
            "index",
            "view",
            "materialized",
            "function",
            "procedure",
            "schema",
            "type",
            "sequence",
            "trigger",
            "extension",
            "unlogged",
            "unique",
            "role",
            "user",
            "domain",
            "policy",
        ];
        if words
            .iter()
            .any(|w| w.contains("run_maintenance") || w.contains("partman") || w.contains("partition"))
        {
            Work::Partitions
        } else if pair("refresh", &["materialized"]) {
            Work::Refresh
        } else if ["create", "alter", "drop"]
            .iter()
            .any(|verb| pair(verb, &objects))
        {
            Work::Schema
        } else {
            Work::Rows
        }
    }
}

/// The active jobs of a side; what of them is hidden becomes a blind spot.
pub(super) fn active(ctx: &Ctx<'_>, side: Side, judgement: &mut Judgement) -> Vec<(Option<String>, Job)> {
    let found = ctx.rows::<Jobs>(side, "jobs");
    judgement.blind(found.unseen);
    let mut active = Vec::new();
    for (database, jobs) in found.rows {
        if !jobs.complete {
            let name = database.as_deref().unwrap_or_default();
            let why = if jobs.readable {
                "pg_cron shows a role only its own jobs: look as the role that owns them".to_owned()
            } else {
                "pg_cron's jobs may not be read: grant usage on schema cron and select on cron.job to the checking role".to_owned()
            };
            judgement.blind([Unseen {
                subject: format!("{side}:{}", crate::verdict::subject(Some(name), "cron.job")),
                why,
            }]);
        }
        active.extend(
            jobs.jobs
                .into_iter()
                .flatten()
                .filter(|j| j.active)
                .map(|j| (database.clone(), j)),
        );
    }
    active
}

/// Whether a library is preloaded on a side.
///
/// # Errors
/// Where the setting could not be read.
pub(super) fn preloaded(ctx: &Ctx<'_>, side: Side, library: &str) -> Result<bool, Unseen> {
    let settings = ctx.settings(side);
    let value = settings
        .get("shared_preload_libraries")?
        .and_then(|s| s.setting.clone())
        .unwrap_or_default();
    Ok(shared::listed(&value, library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        let work = |command: &str| {
            let job = Job {
                id: 1,
                schedule: "@daily".to_owned(),
                command: command.to_owned(),
                database: "app".to_owned(),
                active: true,
            };
            job.work()
        };
        assert_eq!(work("CALL partman.run_maintenance_proc()"), Work::Partitions);
        assert_eq!(work("select make_partitions('log')"), Work::Partitions);
        assert_eq!(
            work("REFRESH  MATERIALIZED VIEW CONCURRENTLY sales"),
            Work::Refresh
        );
        assert_eq!(
            work("drop table if exists staging; create table staging (v int)"),
            Work::Schema
        );
        assert_eq!(
            work("delete from sessions where created < now() - interval '1 day'"),
            Work::Rows
        );
        assert_eq!(work("insert into log select 'create'"), Work::Rows);
        assert_eq!(work("vacuum analyze orders"), Work::Rows);
    }
}
