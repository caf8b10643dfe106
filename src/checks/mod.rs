//! The registry of checks, and what their judges may see.
//!
//! A line `rows "folder/id"` registers a page whose every row is a finding; `judge "folder/id" => module` one with a
//! judge in `src/checks/module.rs`; `again "folder/id" => module` another page of the same judge. The page is compiled in,
//! so a missing file does not build; a test holds that no page is left out.

mod capacity;
mod compare;
mod ctx;
mod in_force;
mod jobs;
mod plane;
mod room;
mod shared;

use std::sync::LazyLock;

use crate::{
    catalogue::{Page, SharedProbe},
    facts::Facts,
    policy::Policy,
    situation::{Applicability, Situation},
    verdict::{Unseen, Verdict},
};

pub use capacity::{Capacity, capacity, capacity_checks, fixed};
pub use ctx::{Ctx, Gathered, Setting, Settings};
pub(crate) use minimum_version::minimum as blue_green_minimum;
pub(crate) use plane::{entries, is_default_group, is_on, is_set, is_usable, same_value};
pub(crate) use replication_lag::{SILENCE_SECONDS, undecided as lag_undecided};
pub(crate) use shared::is_replication_worker;
pub(crate) use source_parameter_groups_in_sync::out_of_sync;

macro_rules! checks {
    (@judge rows) => { None };
    (@judge judge $module:ident) => { Some($module::judge as Judge) };
    (@judge again $module:ident) => { Some($module::judge as Judge) };
    (@module judge $module:ident) => { mod $module; };
    (@module again $module:ident) => {};
    ($($kind:ident $path:literal $(=> $module:ident)?;)*) => {
        $($(checks!(@module $kind $module);)?)*

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
    judge "upgrade/reg-columns" => stored_types;
    again "upgrade/system-row-columns" => stored_types;
    again "upgrade/abstime-columns" => stored_types;
    again "upgrade/sql-identifier-columns" => stored_types;
    again "upgrade/aclitem-columns" => stored_types;
    rows "upgrade/with-oids";
    judge "upgrade/encoding-conversions" => by_step;
    rows "upgrade/postfix-operators";
    rows "upgrade/polymorphic-functions";
    rows "upgrade/operator-partners";
    rows "upgrade/not-null-inheritance";
    again "upgrade/not-null-names" => by_step;
    rows "upgrade/partition-identity";
    rows "upgrade/generated-inheritance";
    rows "upgrade/foreign-key-collations";
    rows "upgrade/multirange-names";
    rows "upgrade/prepared-transactions";
    again "upgrade/removed-objects" => by_step;
    again "upgrade/columns-by-place" => by_step;
    rows "upgrade/dependency-loops";
    rows "upgrade/char-with-text";
    rows "upgrade/interval-text";
    again "upgrade/removed-settings" => by_step;
    again "upgrade/removed-function-settings" => by_step;
    again "upgrade/parameter-grants" => by_step;
    again "upgrade/system-grants" => by_step;
    rows "upgrade/system-schema-objects";
    again "upgrade/built-in-casts" => by_step;
    again "upgrade/internal-functions" => by_step;
    again "upgrade/removed-extensions" => by_step;
    again "upgrade/c-functions" => by_step;
    rows "upgrade/role-names";
    rows "upgrade/global-encoding";
    rows "upgrade/closed-databases";
    rows "upgrade/invalid-databases";
    rows "upgrade/template-databases";
    rows "upgrade/many-large-objects";
    rows "upgrade/dump-locks";
    rows "upgrade/extension-updates";
    rows "upgrade/extension-views";
    again "upgrade/inlined-functions" => by_step;
    rows "upgrade/dangling-roles";
    rows "upgrade/lost-schemas";
    again "upgrade/function-bodies" => by_step;
    again "upgrade/reserved-names" => by_step;

    judge "capacity/max-replication-slots" => max_replication_slots;
    judge "capacity/max-wal-senders" => max_wal_senders;
    judge "capacity/max-logical-replication-workers" => max_logical_replication_workers;
    judge "capacity/max-worker-processes" => max_worker_processes;
    judge "capacity/green-replication-capacity" => green_replication_capacity;
    judge "capacity/many-databases" => many_databases;
    judge "replication/logical-replication-enabled" => logical_replication_enabled;
    judge "replication/pending-restart" => pending_restart;
    judge "replication/synchronous-commit" => synchronous_commit;
    judge "replication/external-logical-slots" => external_logical_slots;
    judge "replication/external-subscriptions" => external_subscriptions;
    judge "replication/replication-extensions" => replication_extensions;
    rows "replication/publications";
    rows "replication/physical-slots";
    judge "replication/output-plugins" => output_plugins;
    judge "replication/slot-retention" => slot_retention;
    judge "replication/replication-timeouts" => replication_timeouts;
    judge "replication/replication-keepalive" => replication_keepalive;
    judge "replication/session-replication-role" => session_replication_role;
    rows "replication/read-only-overrides";
    judge "replication/enhanced-logical-replication" => enhanced_logical_replication;
    rows "replication/dms-leftovers";
    judge "replication/engine-faults" => engine_faults;
    judge "replication/engine-faults-on-green" => engine_faults_on_green;
    judge "replication/slot-health" => slot_health;
    judge "replication/subscription-health" => subscription_health;
    rows "replication/changes-without-rows";
    rows "replication/tables-synchronised";
    judge "replication/replication-lag" => replication_lag;

    judge "upgrade/target-version" => target_version;
    judge "upgrade/rds-extensions" => rds_extensions;
    judge "upgrade/database-names" => database_names;
    rows "upgrade/extensions-on-green";
    rows "upgrade/text-search-indexes";
    rows "upgrade/unicode-update";
    rows "upgrade/collation-versions";
    rows "upgrade/createrole-powers";
    rows "upgrade/public-schema";
    judge "schema/replica-identity" => replica_identity;

    judge "activity/long-transactions" => long_transactions;
    judge "activity/idle-in-transaction" => idle_in_transaction;
    judge "activity/running-ddl" => running_ddl;
    judge "activity/writes-on-green" => writes_on_green;
    rows "schema/generated-identity";
    rows "schema/large-full-identity";
    judge "schema/hash-lookups" => hash_lookups;
    judge "schema/unlogged-tables" => unlogged_tables;
    judge "schema/large-objects" => large_objects;
    rows "schema/unqualified-functions";
    judge "schema/forced-row-security" => owner_applies;
    rows "schema/session-constraints";
    again "schema/owner-rights" => owner_applies;
    judge "schema/float-digits" => float_digits;
    rows "schema/value-formats";
    judge "schema/zone-names" => zone_names;
    rows "schema/always-triggers";
    rows "schema/event-triggers";
    judge "schema/sequences" => sequences;
    judge "schema/materialized-views" => materialized_views;
    judge "schema/temporary-tables" => temporary_tables;
    rows "schema/partitioned-tables";
    judge "schema/partition-maintenance" => partition_maintenance;
    judge "schema/scheduled-jobs" => scheduled_jobs;
    judge "schema/cron-jobs-on-green" => cron_jobs_on_green;
    judge "schema/pgaudit-loaded" => pgaudit_loaded;
    judge "schema/run-time-ddl" => run_time_ddl;
    rows "schema/migration-tools";
    rows "schema/access-provisioning";
    rows "schema/foreign-servers";
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
    judge "rds/changed-defaults" => changed_defaults;
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
    judge "compare/published-tables" => published_tables;
    judge "compare/published-changes" => published_changes;
    judge "compare/identities-on-green" => identities_on_green;
    judge "compare/replaced-tables" => replaced_tables;
    judge "compare/extensions-kept" => extensions_kept;
    judge "compare/sequences-on-green" => sequences_on_green;
    judge "compare/database-roles-on-green" => database_roles_on_green;
    judge "compare/grants-on-green" => grants_on_green;
    judge "compare/settings-on-green" => settings_on_green;
    judge "compare/green-read-only" => green_read_only;
    judge "compare/collations-on-green" => collations_on_green;
    judge "compare/statistics-on-green" => statistics_on_green;
    rows "compare/invalid-indexes-on-green";
    judge "compare/row-estimates" => row_estimates;
    judge "compare/rows-on-green" => rows_on_green;
    judge "verify/version-in-force" => version_in_force;
    judge "verify/production-writable" => production_writable;
    judge "verify/sequences-ahead" => sequences_ahead;
    judge "verify/replication-leftovers" => replication_leftovers;
    judge "verify/old-side-idle" => old_side_idle;
    judge "verify/old-side-written" => old_side_written;
    rows "verify/views-to-refresh";
}

shared_probes![
    "apply",
    "columns-by-type",
    "databases",
    "engine-version",
    "extensions",
    "jobs",
    "lag",
    "objects",
    "overrides",
    "relations",
    "senders",
    "sessions",
    "settings",
    "slots",
    "workers",
];

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

/// SHA-256 over greenlight's version and every page and shared probe: what two runs judged by is the same where this is.
pub fn fingerprint() -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    let pages = REGISTERED.iter().map(|(path, text, _)| (*path, *text));
    let whole = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("_conditions", crate::catalogue::CONDITIONS),
    ];
    for (name, text) in whole.into_iter().chain(pages).chain(SHARED.iter().copied()) {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    crate::model::hex(&hash.finalize())
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
