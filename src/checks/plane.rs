//! What the judges of RDS facts share: the parts of the control plane or the verdict to return, the group that green is
//! to have, and commands ready for pasting.

use super::Ctx;
use crate::{
    facts::{
        Fact, Why,
        rds::{Deployment, Instance, Parameter, ParameterGroup, RdsFacts, Topology},
    },
    model::{
        Arn, PgVersion, Phase, ResourceKind,
        aws_cli::{self, Assignment},
    },
    verdict::Verdict,
};

/// An early verdict is as good as a late one.
pub(super) fn answer(verdict: Result<Verdict, Verdict>) -> Verdict {
    verdict.unwrap_or_else(|early| early)
}

/// The control plane as a judge looks at it.
#[derive(Clone, Copy)]
pub(super) struct Plane<'a> {
    ctx: &'a Ctx<'a>,
    pub(super) rds: &'a RdsFacts,
}

/// Where the settings of the new production come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TargetGroup {
    /// Green runs with it.
    Green(String),
    /// It was named for green.
    Named(String),
    /// None was named and the major stays: green takes blue's.
    Blue(String),
    /// None was named and the major changes: green takes the default of the new family, whose name may not be known.
    Default(Option<String>),
}

impl TargetGroup {
    /// Its key among the parameter groups.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Green(key) | Self::Named(key) | Self::Blue(key) => Some(key),
            Self::Default(key) => key.as_deref(),
        }
    }

    /// Whether it is the service's own, which nobody can change.
    pub(super) fn is_default(&self) -> bool {
        matches!(self, Self::Default(_)) || self.key().is_some_and(is_default_group)
    }
}

/// Whether a group (name or key) is the service's own.
pub(crate) fn is_default_group(name: &str) -> bool {
    bare(name).starts_with("default.")
}

/// A group's name without `cluster:` or `instance:`.
pub(crate) fn bare(key: &str) -> &str {
    ResourceKind::of_group(key).1
}

impl<'a> Plane<'a> {
    /// The control plane, or the verdict to return.
    pub(super) fn of(ctx: &'a Ctx<'a>) -> Result<Self, Verdict> {
        Ok(Self { ctx, rds: ctx.rds()? })
    }

    /// Blue's resources.
    pub(super) fn blue(self) -> Result<&'a Topology, Verdict> {
        self.ctx.known("blue", &self.rds.blue)
    }

    /// Green's resources; skipped where there is no green.
    pub(super) fn green(self) -> Result<&'a Topology, Verdict> {
        self.green_if_any()?
            .ok_or_else(|| Verdict::skip("there is no green environment"))
    }

    /// Green's resources, where there is a green.
    pub(super) fn green_if_any(self) -> Result<Option<&'a Topology>, Verdict> {
        Ok(self.ctx.known("green", &self.rds.green)?.as_ref())
    }

    /// The deployment; skipped where there is none.
    pub(super) fn deployment(self) -> Result<&'a Deployment, Verdict> {
        self.ctx
            .known("deployment", &self.rds.deployment)?
            .as_ref()
            .ok_or_else(|| Verdict::skip("there is no blue/green deployment"))
    }

    /// Any other part.
    pub(super) fn known<T>(self, name: &str, fact: &'a Fact<T>) -> Result<&'a T, Verdict> {
        self.ctx.known(name, fact)
    }

    /// A parameter group by its key; `Ok(None)` where there is no such group.
    pub(super) fn group(self, key: &str) -> Result<Option<&'a ParameterGroup>, Verdict> {
        let subject = format!("rds.parameter_groups.{key}");
        match self.rds.parameter_groups.get(key).map(Fact::get) {
            Some(Ok(group)) => Ok(group.as_ref()),
            Some(Err((why, detail))) => Err(Verdict::unknown(subject, format!("{why}: {detail}"))),
            None => Err(Verdict::unknown(
                subject,
                format!("{}: not collected", Why::NotAsked),
            )),
        }
    }

    /// A parameter group that must be there.
    pub(super) fn existing_group(self, key: &str) -> Result<&'a ParameterGroup, Verdict> {
        self.group(key)?.ok_or_else(|| {
            Verdict::unknown(
                format!("rds.parameter_groups.{key}"),
                "there is no such parameter group",
            )
        })
    }

    /// The group with blue's settings: the cluster's or the instance's.
    pub(super) fn blue_group(self) -> Result<&'a ParameterGroup, Verdict> {
        self.existing_group(&self.blue_group_key()?)
    }

    /// Its key.
    pub(super) fn blue_group_key(self) -> Result<String, Verdict> {
        RdsFacts::group_key(self.blue()?)
            .ok_or_else(|| Verdict::unknown("rds.blue", "its parameter group is not known"))
    }

    /// The kind of group that holds the settings.
    pub(super) fn group_kind(self) -> ResourceKind {
        self.ctx.situation.engine.resource_kind()
    }

    /// Whether the major version changes; the verdict to return where the target is not known.
    pub(super) fn major_upgrade(self) -> Result<bool, Verdict> {
        let source = self.source()?;
        Ok(self.target()?.major > source.major)
    }

    /// Blue's version.
    pub(super) fn source(self) -> Result<PgVersion, Verdict> {
        self.ctx
            .situation
            .source
            .ok_or_else(|| Verdict::unknown("rds.blue", "blue's version is not known"))
    }

    /// The version to upgrade to.
    pub(super) fn target(self) -> Result<PgVersion, Verdict> {
        self.ctx
            .situation
            .target
            .ok_or_else(|| Verdict::unknown("target version", "it was not given: use --target-version"))
    }

    /// The group that green has or is to have.
    pub(super) fn target_group(self) -> Result<TargetGroup, Verdict> {
        if self.ctx.situation.phase != Phase::Create
            && let Some(green) = self.green_if_any()?
        {
            return RdsFacts::group_key(green)
                .map(TargetGroup::Green)
                .ok_or_else(|| Verdict::unknown("rds.green", "its parameter group is not known"));
        }
        if let Some(name) = &self.ctx.facts.request.target_parameter_group {
            return Ok(TargetGroup::Named(self.group_kind().group_key(name)));
        }
        if !self.major_upgrade()? {
            return Ok(TargetGroup::Blue(self.blue_group_key()?));
        }
        let family = self.target_family()?;
        Ok(TargetGroup::Default(family.map(|family| {
            self.group_kind().group_key(&format!("default.{family}"))
        })))
    }

    /// The parameters that green has or is to have; the verdict to return where they are not known.
    pub(super) fn target_parameters(self) -> Result<&'a ParameterGroup, Verdict> {
        let group = self.target_group()?;
        let key = group.key().ok_or_else(|| {
            Verdict::unknown("rds.target_version", "its parameter group family is not known")
        })?;
        self.existing_group(key)
    }

    /// The parameter group family of the target version; none where the API does not list that version.
    pub(super) fn target_family(self) -> Result<Option<&'a str>, Verdict> {
        Ok(self
            .known("target_version", &self.rds.target_version)?
            .as_ref()
            .and_then(|v| v.family.as_deref()))
    }

    /// An `aws rds …` command for this region (and endpoint).
    pub(super) fn aws(self, command: impl std::fmt::Display) -> String {
        let endpoint = match &self.rds.endpoint_url {
            Some(url) => format!(" --endpoint-url {url}"),
            None => String::new(),
        };
        format!("aws rds {command} --region {}{endpoint}", self.rds.region)
    }

    /// The command that sets one parameter of a group. `pending-reboot` goes with static parameters.
    pub(super) fn set_parameter(self, key: &str, name: &str, value: &str, apply: &str) -> String {
        let (kind, group) = ResourceKind::of_group(key);
        let waits = apply == "pending-reboot";
        self.aws(aws_cli::set_values(
            kind,
            group,
            [Assignment { name, value, waits }],
        ))
    }

    /// The command that changes a cluster or, on RDS, an instance.
    pub(super) fn modify(self, topology: &Topology, options: &str) -> String {
        let thing = topology.kind().thing();
        self.aws(format!(
            "modify-{thing} --{thing}-identifier {} {options}",
            topology.id()
        ))
    }

    /// The command that restarts an instance.
    pub(super) fn reboot(self, instance: &str) -> String {
        self.aws(aws_cli::reboot(instance))
    }

    /// The events of a resource of the last fourteen days, which tell why it is as it is.
    pub(super) fn events_of(self, kind: ResourceKind, id: &str) -> String {
        self.aws(format!(
            "describe-events --source-type {} --source-identifier {id} --duration 20160",
            kind.thing()
        ))
    }

    /// The command that deletes the deployment with its green side, so that it can be made again.
    pub(super) fn start_over(self, deployment: &Deployment) -> String {
        self.aws(format!(
            "delete-blue-green-deployment --blue-green-deployment-identifier {} --delete-target",
            deployment.id
        ))
    }
}

/// The value in force by this group alone; none where neither a user nor the engine's defaults give one. An empty text gives none.
pub(crate) fn value<'g>(group: &'g ParameterGroup, name: &str) -> Option<&'g str> {
    let value = group.parameters.get(name)?.value.as_deref()?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// Whether somebody set it, rather than the engine.
pub(crate) fn is_set(parameter: &Parameter) -> bool {
    parameter.source.as_deref() == Some("user") && parameter.value.is_some()
}

/// Whether a boolean parameter is on: the API writes `1`, `on` and `true`.
pub(crate) fn is_on(value: Option<&str>) -> bool {
    value.and_then(switched) == Some(true)
}

/// What a value says where it is read as a boolean; none where it is none.
/// <https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES>
fn switched(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "1" | "on" | "true" | "yes" => Some(true),
        "0" | "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// Whether two values mean the same: the same text but for letters' case, or the same boolean, which people and the API write in
/// several ways.
pub(crate) fn same_value(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a.eq_ignore_ascii_case(b) || switched(a).is_some_and(|is| switched(b) == Some(is))
}

/// The green instance that replaces a blue one, by the deployment's pairs.
pub(super) fn counterpart<'t>(
    deployment: &Deployment,
    blue: &Instance,
    green: &'t Topology,
) -> Option<&'t Instance> {
    let pair = deployment
        .members
        .iter()
        .find(|m| m.source.as_ref() == Some(&blue.arn))?;
    green
        .instances
        .iter()
        .find(|i| Some(&i.arn) == pair.target.as_ref())
}

/// Whether a cluster or an instance of this status stays as it is until somebody does something: it was not made, its upgrade failed,
/// or what it needs is not there. <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html>
pub(super) fn is_stuck(status: &str) -> bool {
    let status = status.to_ascii_lowercase();
    status.starts_with("incompatible-")
        || matches!(
            status.as_str(),
            "failed"
                | "upgrade-failed"
                | "cloning-failed"
                | "insufficient-capacity"
                | "restore-error"
                | "inaccessible-encryption-credentials"
                | "inaccessible-encryption-credentials-recoverable"
        )
}

/// Whether a cluster or an instance of this status can be worked with: `available`, or on RDS slower than usual while
/// its storage is being loaded or optimised.
pub(crate) fn is_usable(status: &str) -> bool {
    // AWS's page of Aurora writes them with a capital, its API without.
    matches!(
        status.to_ascii_lowercase().as_str(),
        "available" | "storage-optimization" | "storage-initialization"
    )
}

impl<'a> Plane<'a> {
    /// A parameter's value as one side has it by its groups. Aurora instances have groups of their own, which win over
    /// the cluster's where somebody set the parameter there; the writer's counts.
    pub(super) fn value_of(self, side: &'a Topology, name: &str) -> Result<Option<&'a str>, Verdict> {
        Ok(self.setting_of(side, name)?.1)
    }

    /// The same with the key of the group that gives it.
    fn setting_of(self, side: &'a Topology, name: &str) -> Result<(String, Option<&'a str>), Verdict> {
        let key = RdsFacts::group_key(side)
            .ok_or_else(|| Verdict::unknown("rds.parameter_groups", "the group's name is not known"))?;
        Ok(match self.own_setting(side, name)? {
            Some((own, value)) => (own, Some(value)),
            None => {
                let value = value(self.existing_group(&key)?, name);
                (key, value)
            }
        })
    }

    /// What somebody set in the group that the writer of an Aurora cluster has for itself, with the group's key.
    fn own_setting(self, side: &Topology, name: &str) -> Result<Option<(String, &'a str)>, Verdict> {
        if side.cluster.is_none() {
            return Ok(None);
        }
        let key = self.writers_group_key(side)?;
        let own = self.existing_group(&key)?;
        let set = own.parameters.get(name).is_some_and(is_set);
        Ok(value(own, name).filter(|_| set).map(|value| (key, value)))
    }

    /// The key of the group that the writer of an Aurora cluster has for itself. While RDS names no writer, as in the middle
    /// of a failover or of a cluster that is being made, nobody knows whose group counts.
    pub(super) fn writers_group_key(self, side: &Topology) -> Result<String, Verdict> {
        let group = side.writer().and_then(|w| w.parameter_groups.first()).ok_or_else(|| {
            Verdict::unknown(
                format!("{}/writer", side.id()),
                "RDS names no writer or not its parameter group, which may set other values than the cluster's",
            )
        })?;
        Ok(ResourceKind::Instance.group_key(&group.name))
    }

    /// The same for what green has or is to have.
    pub(super) fn target_value(self, name: &str) -> Result<Option<&'a str>, Verdict> {
        Ok(self.target_setting(name)?.1)
    }

    /// The same with the key of the group that gives it. Before green is there that is the group that it is to have; within a major
    /// the instances of an Aurora cluster keep their own groups, which win: what a request does not name stays as blue has it.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateBlueGreenDeployment.html>
    pub(super) fn target_setting(self, name: &str) -> Result<(String, Option<&'a str>), Verdict> {
        if let (Some(green), false) = (self.green_if_any()?, self.ctx.situation.phase == Phase::Create) {
            return self.setting_of(green, name);
        }
        if !self.major_upgrade()?
            && let Some((key, value)) = self.own_setting(self.blue()?, name)?
        {
            return Ok((key, Some(value)));
        }
        let group = self.target_parameters()?;
        let key = self.target_group()?.key().unwrap_or_default().to_owned();
        Ok((key, value(group, name)))
    }

    /// Whether green, which is not there yet, is to have a default group and nothing beside it.
    pub(super) fn target_sets_nothing(self) -> Result<bool, Verdict> {
        Ok(self.target_group()?.is_default()
            && self.green_if_any()?.is_none()
            && !self.carries_instance_groups()?)
    }

    /// Whether instances keep groups of their own into green, which may set what the cluster's does not.
    pub(super) fn carries_instance_groups(self) -> Result<bool, Verdict> {
        Ok(self.ctx.situation.phase == Phase::Create
            && self.blue()?.cluster.is_some()
            && !self.major_upgrade()?)
    }
}

/// The entries of a list such as `shared_preload_libraries`.
pub(crate) fn entries(list: Option<&str>) -> Vec<&str> {
    let parts = list.unwrap_or_default().split(',');
    let bare = parts.map(|entry| entry.trim().trim_matches('"').trim());
    bare.filter(|entry| !entry.is_empty()).collect()
}

/// Whether a resource is a side's cluster or one of its instances.
pub(super) fn belongs(side: &Topology, resource: &Arn) -> bool {
    side.cluster.iter().any(|c| c.arn == *resource) || side.instances.iter().any(|i| i.arn == *resource)
}
