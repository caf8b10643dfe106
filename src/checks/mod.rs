//! The registry of checks, and what their judges may see.
//!
//! A line `rows "folder/id"` registers a page whose every row is a finding; `judge "folder/id" => module` one with a
//! judge in `src/checks/module.rs`. The page is compiled in, so a missing file does not build; a test holds that no page
//! is left out.

mod compare;
mod ctx;
mod plane;

use std::sync::LazyLock;

use crate::{
    catalogue::{Page, SharedProbe},
    facts::Facts,
    policy::Policy,
    situation::{Applicability, Situation},
    verdict::{Unseen, Verdict},
};

pub use ctx::{Ctx, Gathered, Setting, Settings};
pub(crate) use minimum_version::minimum as blue_green_minimum;

macro_rules! checks {
    (@judge rows) => { None };
    (@judge judge $module:ident) => { Some($module::judge as Judge) };
    ($($kind:ident $path:literal $(=> $module:ident)?;)*) => {
        $($(mod $module;)?)*

        /// Path, page and judge of every check, in the order of the report.
        const REGISTERED: &[(&str, &str, Option<Judge>)] = &[
            $(($path, include_str!(concat!("../../checks/", $path, ".md")), checks!(@judge $kind $($module)?)),)*
        ];
    };
}

macro_rules! shared_probes {
    ($($name:literal),* $(,)?) => {
        const SHARED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../checks/_probes/", $name, ".md"))),)*];
    };
}

// The order is the order of the report.
checks! {
    judge "schema/replica-identity" => replica_identity;
    rows "schema/unlogged-tables";
    judge "rds/deployment-status" => deployment_status;
    judge "rds/deployment-members" => deployment_members;
    judge "rds/deployment-tasks" => deployment_tasks;
    judge "rds/source-available" => source_available;
    judge "rds/target-available" => target_available;
    judge "rds/existing-deployment" => existing_deployment;
    judge "rds/source-kind" => source_kind;
    judge "rds/minimum-version" => minimum_version;
    judge "rds/upgrade-path" => upgrade_path;
    judge "rds/target-parameter-group" => target_parameter_group;
    judge "rds/logical-replication-parameter" => logical_replication_parameter;
    judge "rds/source-parameter-groups-in-sync" => source_parameter_groups_in_sync;
    judge "rds/target-parameter-groups-in-sync" => target_parameter_groups_in_sync;
    judge "rds/target-group-default" => target_group_default;
    judge "rds/target-logical-replication" => target_logical_replication;
    judge "rds/parameters-kept" => parameters_kept;
    judge "rds/parameter-values" => parameter_values;
    judge "rds/force-ssl-default" => force_ssl_default;
    judge "rds/conflicting-libraries" => conflicting_libraries;
    judge "rds/cron-off-on-green" => cron_off_on_green;
    judge "rds/pgaudit-kept" => pgaudit_kept;
    judge "rds/plan-capture-on-green" => plan_capture_on_green;
    judge "rds/babelfish" => babelfish;
    judge "rds/global-rpo" => global_rpo;
    judge "rds/managed-password" => managed_password;
    judge "rds/zero-etl" => zero_etl;
    judge "rds/cross-region-replicas" => cross_region_replicas;
    judge "rds/cascading-replicas" => cascading_replicas;
    judge "rds/delayed-replicas" => delayed_replicas;
    judge "rds/dedicated-log-volume" => dedicated_log_volume;
    judge "rds/backups-on" => backups_on;
    judge "rds/global-database" => global_database;
    judge "rds/proxies" => proxies;
    judge "rds/quotas" => quotas;
    judge "rds/class-orderable" => class_orderable;
    judge "rds/clones" => clones;
    judge "rds/identifier-length" => identifier_length;
    judge "rds/replica-health" => replica_health;
    judge "rds/blue-not-ahead" => blue_not_ahead;
    judge "rds/pending-upgrade" => pending_upgrade;
    judge "rds/pending-maintenance" => pending_maintenance;
    judge "rds/green-at-target-version" => green_at_target_version;
    judge "rds/properties-kept" => properties_kept;
    judge "rds/roles-on-green" => roles_on_green;
    judge "rds/iam-authentication" => iam_authentication;
    judge "rds/ca-certificates" => ca_certificates;
    judge "rds/custom-endpoints" => custom_endpoints;
    judge "rds/autoscaled-readers" => autoscaled_readers;
    judge "rds/activity-stream" => activity_stream;
    judge "rds/encryption-kept" => encryption_kept;
    judge "rds/tags-on-green" => tags_on_green;
    judge "rds/stack-managed" => stack_managed;
    judge "rds/failure-events" => failure_events;
    judge "rds/commit-hold-back" => commit_hold_back;
    judge "rds/support-end" => support_end;
    judge "rds/production-names" => production_names;
    judge "rds/old-side-removed" => old_side_removed;
    judge "compare/databases-on-green" => databases_on_green;
    judge "compare/tables-on-green" => tables_on_green;
    judge "compare/objects-on-green" => objects_on_green;
}

shared_probes!["databases", "objects", "relations", "settings"];

/// A judge: pure, no I/O, no clock.
pub type Judge = fn(&Ctx<'_>) -> Verdict;

/// A registered check.
#[derive(Debug)]
pub struct Check {
    /// Its page.
    pub page: Page,
    /// Its judge; none where any row is a finding.
    judge: Option<Judge>,
}

/// Every check, in the order of the report.
pub fn all() -> &'static [Check] {
    static ALL: LazyLock<Vec<Check>> = LazyLock::new(|| {
        REGISTERED
            .iter()
            .map(|(path, text, judge)| Check {
                page: Page::parse(path, text).expect("pages are compiled in and tested"),
                judge: *judge,
            })
            .collect()
    });
    &ALL
}

/// Every shared probe.
pub fn shared_probes() -> &'static [SharedProbe] {
    static ALL: LazyLock<Vec<SharedProbe>> = LazyLock::new(|| {
        SHARED
            .iter()
            .map(|(name, text)| SharedProbe::parse(name, text).expect("probes are compiled in and tested"))
            .collect()
    });
    &ALL
}

/// A check by its id or a former id.
pub fn find(id: &str) -> Option<&'static Check> {
    all()
        .iter()
        .find(|c| c.page.id == id || c.page.header.aliases.iter().any(|a| a == id))
}

impl Check {
    /// Whether any row of its query is a finding.
    pub fn is_rows(&self) -> bool {
        self.judge.is_none()
    }

    /// Judges the facts. Whether the check applies is settled here, once for all checks.
    pub fn judge(&self, facts: &Facts, situation: &Situation, policy: &Policy) -> Verdict {
        let undetermined = match situation.applies(&self.page.header) {
            Applicability::Yes => None,
            Applicability::No(why) => return Verdict::Skip { why },
            Applicability::Undetermined(why) => Some(why),
        };
        let ctx = Ctx {
            facts,
            policy,
            situation,
            page: &self.page,
        };
        let verdict = match self.judge {
            Some(judge) => judge(&ctx),
            None => ctx::rows_are_findings(&ctx),
        };
        match (verdict, undetermined) {
            // What is found may not matter here, and that cannot be told: unknown, with what was found.
            (
                Verdict::Fail {
                    findings,
                    more,
                    mut unseen,
                },
                Some(why),
            ) => {
                unseen.extend(findings.iter().map(|f| Unseen {
                    subject: f.subject(),
                    why: format!("{} ({why})", f.message),
                }));
                if more > 0 {
                    unseen.push(Unseen {
                        subject: "more".to_owned(),
                        why: format!("{more} more ({why})"),
                    });
                }
                Verdict::Unknown { unseen }
            }
            (verdict, _) => verdict,
        }
    }
}
