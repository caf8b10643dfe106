//! The database as it will be after the upgrade, as far as that can be told before it.

use super::live;
use crate::{
    facts::rds::{AppliedGroup, Instance, RdsFacts, Topology},
    model::PgVersion,
};

/// The upgrade to look ahead to; what is not given is taken from the deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// `--target-version`.
    pub version: Option<PgVersion>,
    /// `--target-parameter-group`.
    pub group: Option<String>,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CannotSay {
    /// The facts have no production.
    #[error("the facts do not show the database: collect them again with --cluster or --instance")]
    NotThere,
    /// Nothing tells the target.
    #[error(
        "--before needs to know the target: give --target-version, for example 14.10, or look at a deployment"
    )]
    NoTarget,
    /// The target lies below.
    #[error("--target-version {target} is not above {source_version}, which the database runs")]
    NotUpwards {
        /// Wanted.
        target: PgVersion,
        /// Running.
        source_version: String,
    },
}

/// Production after the switchover: its names, with green's version, groups and classes.
pub(super) fn predict(facts: &RdsFacts, now: &Topology, ahead: &Ahead) -> Result<Topology, CannotSay> {
    let source = now.engine_version();
    let green = facts
        .green
        .known()
        .and_then(Option::as_ref)
        .filter(|green| green.id() != now.id());
    if let (Some(green), None, None) = (green, ahead.version, &ahead.group) {
        return Ok(from_green(now, green));
    }
    let known = facts.target_version.known().and_then(Option::as_ref);
    let target = ahead
        .version
        .or_else(|| known.and_then(|v| v.version.parse().ok()))
        .ok_or(CannotSay::NoTarget)?;
    if source.is_some_and(|source| target < source) {
        return Err(CannotSay::NotUpwards {
            target,
            source_version: source.map(|s| s.to_string()).unwrap_or_default(),
        });
    }
    // Of a major alone, what RDS lists as its newest.
    let text = known
        .filter(|v| v.version.parse() == Ok(target) || target.minor.is_none())
        .map_or_else(|| target.to_string(), |v| v.version.clone());
    let mut then = now.clone();
    let majors_differ = source.is_none_or(|source| source.major != target.major);
    let default = |engine: &str| format!("default.{engine}{}", target.major);
    if let Some(cluster) = &mut then.cluster {
        cluster.engine_version.clone_from(&text);
        cluster.parameter_group = match &ahead.group {
            Some(group) => group.clone(),
            None if majors_differ => default(&cluster.engine),
            None => cluster.parameter_group.clone(),
        };
        // Roles do not come along: they are added to green by hand.
        cluster.associated_roles.clear();
    }
    let alone = then.cluster.is_none();
    for instance in &mut then.instances {
        instance.engine_version.clone_from(&text);
        let given = ahead.group.as_ref().filter(|_| alone);
        if let Some(group) = given {
            applied(instance, group.clone());
        } else if majors_differ {
            let group = default(&instance.engine);
            applied(instance, group);
        }
        if alone {
            instance.associated_roles.clear();
        }
    }
    Ok(then)
}

fn applied(instance: &mut Instance, name: String) {
    instance.parameter_groups = vec![AppliedGroup {
        name,
        status: "in-sync".to_owned(),
    }];
}

/// Green under blue's names.
fn from_green(now: &Topology, green: &Topology) -> Topology {
    let mut then = green.clone();
    if let (Some(then), Some(now)) = (&mut then.cluster, &now.cluster) {
        then.id.clone_from(&now.id);
        then.arn = now.arn.clone();
        // Blue's tags win at the switchover.
        then.tags = now.tags.clone();
    }
    for (then, now) in then.instances.iter_mut().zip(&now.instances) {
        then.id.clone_from(&now.id);
        then.arn = now.arn.clone();
        then.tags = now.tags.clone();
        then.cluster_id.clone_from(&now.cluster_id);
    }
    then
}

/// The upgrade in words.
pub(super) fn words(now: &Topology, then: &Topology) -> String {
    let version = |t: &Topology| {
        t.engine_version()
            .map_or_else(|| "?".to_owned(), |v| v.to_string())
    };
    let group = |t: &Topology| match &t.cluster {
        Some(cluster) => cluster.parameter_group.clone(),
        None => t
            .instances
            .first()
            .and_then(|i| i.parameter_groups.first())
            .map(|g| g.name.clone())
            .unwrap_or_default(),
    };
    format!(
        "from {} to {} with the parameter group {}",
        version(now),
        version(then),
        group(then)
    )
}

/// What the prediction says about leftovers: nothing is left over yet.
pub(super) fn note(facts: &RdsFacts) -> Option<String> {
    let stack = live::production(facts)
        .and_then(live::tags)?
        .get("aws:cloudformation:stack-name")?;
    Some(format!(
        "do not deploy the stack {stack} between the creation of green and the edits above: it would change blue under the \
         deployment"
    ))
}
