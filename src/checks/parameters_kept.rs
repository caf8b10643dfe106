//! What was set for blue is set for green.

use std::collections::BTreeSet;

use super::{
    Ctx,
    plane::{Plane, TargetGroup, answer, bare, counterpart, is_default_group, is_set, same_value},
};
use crate::{
    facts::rds::ParameterGroup,
    model::{Phase, ResourceKind, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Parameters that a major removed: name, that major, what to do instead. From "Migration" and "Server configuration" of
/// the release notes, <https://www.postgresql.org/docs/release/>.
const REMOVED: [(&str, u16, &str); 13] = [
    ("replacement_sort_tuples", 11, "it has no successor"),
    ("default_with_oids", 12, "tables with OIDs are gone"),
    ("wal_keep_segments", 13, "use wal_keep_size, in MB: segments × 16"),
    ("operator_precedence_warning", 14, "it has no successor"),
    ("vacuum_cleanup_index_scale_factor", 14, "it has no successor and is not needed any more"),
    ("stats_temp_directory", 15, "statistics are kept in shared memory"),
    ("force_parallel_mode", 16, "its successor for tests is debug_parallel_query"),
    ("promote_trigger_file", 16, "it has no successor"),
    ("vacuum_defer_cleanup_age", 16, "use hot_standby_feedback or replication slots"),
    ("old_snapshot_threshold", 17, "it has no successor"),
    ("db_user_namespace", 17, "it has no successor"),
    ("trace_recovery_messages", 17, "it has no successor"),
    ("ssl_ecdh_curve", 18, "its successor is ssl_groups"),
];

/// Parameters of the service that have another name from a major on: name, that major, the other.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html>
const RENAMED: [(&str, u16, &str); 3] = [
    ("multixact_offsets_cache_size", 17, "multixact_offset_buffers"),
    ("multixact_members_cache_size", 17, "multixact_member_buffers"),
    ("rds.rds_superuser_reserved_connections", 16, "reserved_connections"),
];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let target = plane.target_group()?;
    let mut judgement = Judgement::new();
    match &target {
        TargetGroup::Blue(_) => {}
        _ => {
            let key = target.key().ok_or_else(|| {
                Verdict::unknown("rds.target_version", "the family of green's parameter group is not known")
            })?;
            let green = match plane.group(key)? {
                Some(green) => green,
                None => return Ok(Verdict::unknown(key, "there is no such parameter group")),
            };
            if *key != plane.blue_group_key()? {
                compare(&plane, &mut judgement, "", plane.blue_group()?, key, green);
            }
        }
    }
    if ctx.situation.phase != Phase::Create && blue.cluster.is_some() {
        let (deployment, green) = (plane.deployment()?, plane.green()?);
        let mut seen = BTreeSet::new();
        for instance in &blue.instances {
            let Some(other) = counterpart(deployment, instance, green) else {
                continue; // deployment-members says so
            };
            let (Some(own), Some(others)) = (instance.parameter_groups.first(), other.parameter_groups.first()) else {
                judgement.unseen(&instance.id, "its parameter group is not known");
                continue;
            };
            let key = |group: &str| ResourceKind::Instance.group_key(group);
            let keys = (key(&own.name), key(&others.name));
            if keys.0 != keys.1 && seen.insert(keys.clone()) {
                let (from, to) = (plane.existing_group(&keys.0)?, plane.existing_group(&keys.1)?);
                compare(&plane, &mut judgement, "instance/", from, &keys.1, to);
            }
        }
    }
    Ok(judgement.done())
}

fn compare(
    plane: &Plane<'_>,
    judgement: &mut Judgement,
    prefix: &str,
    blue: &ParameterGroup,
    green_key: &str,
    green: &ParameterGroup,
) {
    for (name, ours) in blue.parameters.iter().filter(|(_, p)| is_set(p)) {
        let value = ours.value.as_deref().unwrap_or_default();
        let subject = format!("{prefix}{name}");
        let finding = match green.parameters.get(name) {
            None if RENAMED.iter().any(|(old, ..)| old == name) => match renamed(plane, subject, name, value, green_key, green) {
                Some(finding) => finding,
                None => continue,
            },
            None => {
                let message = match REMOVED.iter().find(|(removed, ..)| removed == name) {
                    Some((_, major, advice)) => format!("{name} is set for blue, PostgreSQL {major} removed it: {advice}"),
                    None => format!("{name} is set for blue, and green's family does not know it"),
                };
                Finding::new(subject, message).at(Level::Notice)
            }
            Some(theirs) if same_value(theirs.value.as_deref().unwrap_or_default(), value) => continue,
            Some(theirs) => {
                let now = theirs.value.as_deref().unwrap_or("the engine's default");
                let (level, message) = match is_set(theirs) {
                    true => (Level::Notice, format!("{name} is {value} for blue and {now} for green")),
                    false => (
                        Level::Warning,
                        format!("{name} is set to {value} for blue and not for green, which would have {now}"),
                    ),
                };
                let mut finding = Finding::new(subject, message).at(level).evidence("green", now);
                if theirs.modifiable && !is_default_group(green_key) {
                    let apply = match theirs.apply_type.as_deref() {
                        Some("dynamic") => "immediate",
                        _ => "pending-reboot",
                    };
                    finding = finding.fix(plane.set_parameter(green_key, name, value, apply));
                }
                finding
            }
        };
        judgement.find(
            finding
                .on(Side::Rds)
                .evidence("blue", value)
                .evidence("blue's group", blue.name.as_str())
                .evidence("green's group", bare(green_key)),
        );
    }
}

/// What is to be said of a parameter that green knows by another name; nothing where green has the value by that one.
fn renamed(
    plane: &Plane<'_>,
    subject: String,
    name: &str,
    value: &str,
    green_key: &str,
    green: &ParameterGroup,
) -> Option<Finding> {
    let (_, major, new) = RENAMED.iter().find(|(old, ..)| *old == name)?;
    let theirs = green.parameters.get(*new);
    if theirs.is_some_and(|theirs| same_value(theirs.value.as_deref().unwrap_or_default(), value)) {
        return None;
    }
    let message = format!("{name} is set to {value} for blue, and from {major} on it is called {new}");
    let mut finding = Finding::new(subject, message).at(Level::Notice);
    if theirs.is_some_and(|theirs| theirs.modifiable && !is_set(theirs)) && !is_default_group(green_key) {
        finding = finding.fix(plane.set_parameter(green_key, new, value, "pending-reboot"));
    }
    Some(finding)
}
