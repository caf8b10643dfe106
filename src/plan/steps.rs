//! The plan's steps, in the order in which they are safe.

use super::{Carried, Hop, Plan, Step, own_group};
use crate::{
    checks::is_default_group,
    facts::rds::{Instance, Topology},
    model::{
        Replication, ResourceKind,
        aws_cli::{self, Assignment, PARAMETERS_AT_ONCE},
        shell::quote,
    },
};

pub(super) fn steps(plan: &Plan, blue: &Topology) -> Vec<Step> {
    let mut steps = Vec::new();
    for hop in plan.hops.iter().filter(|hop| !hop.blue_green) {
        steps.push(in_place(plan, hop));
    }
    if !plan.groups.needed.is_empty() {
        steps.push(let_blue_publish(plan, blue));
    }
    if plan.groups.make {
        steps.push(greens_group(plan));
    }
    for hop in plan.hops.iter().filter(|hop| hop.blue_green) {
        steps.extend(Deployment::of(plan, blue, hop).steps());
    }
    steps.push(code_along(plan));
    steps
}

fn step(title: impl Into<String>, why: &str, commands: Vec<String>) -> Step {
    Step {
        title: title.into(),
        why: why.to_owned(),
        commands,
        tool: None,
    }
}

/// The flag of greenlight's own commands that names what the plan is about.
fn subject(plan: &Plan) -> String {
    format!("--{} {}", plan.groups.kind.name(), quote(&plan.subject))
}

/// A minor upgrade of blue: snapshot, upgrade, and wait until RDS shows the version.
fn in_place(plan: &Plan, hop: &Hop) -> Step {
    let id = quote(&plan.subject);
    let kind = plan.groups.kind;
    let thing = kind.thing();
    let shown = match kind {
        ResourceKind::Cluster => "DBClusters",
        ResourceKind::Instance => "DBInstances",
    };
    let before = format!("{}-before-{}", plan.subject, dashed(hop));
    let mut commands = snapshot(kind, &plan.subject, &before);
    commands.extend([
        format!(
            "aws rds modify-{thing} --{thing}-identifier {id} --engine-version {} --apply-immediately",
            hop.to
        ),
        format!(
            "until [ \"$(aws rds describe-{thing}s --{thing}-identifier {id} --query '{shown}[0].EngineVersion' --output text)\" = {} ]; \
             do sleep 30; done",
            hop.to
        ),
        format!("aws rds wait {thing}-available --{thing}-identifier {id}"),
    ]);
    step(
        format!("raise {} from {} to {} in place", plan.subject, hop.from, hop.to),
        "an outage: the database restarts; take a snapshot first",
        commands,
    )
}

/// What blue's group needs for logical replication, set in a group of its own, and the reboots that bring it into force.
fn let_blue_publish(plan: &Plan, blue: &Topology) -> Step {
    let groups = &plan.groups;
    let family = groups.source.trim_start_matches("default.");
    let default = is_default_group(&groups.source);
    let own = match default {
        true => own_group(&plan.subject, family),
        false => groups.source.clone(),
    };
    let needed = groups
        .needed
        .iter()
        .map(|need| (need.parameter.as_str(), need.value.as_str()));
    let mut commands = Vec::new();
    if default {
        commands.push(make_group(groups.kind, &own, family, "for blue/green"));
    }
    commands.extend(set_values(groups.kind, &own, needed));
    if default {
        // Replicas that share the default group go along, as with `greenlight prepare`.
        let shares = |i: &&Instance| {
            blue.cluster.is_none() && i.parameter_groups.iter().any(|g| g.name == groups.source)
        };
        let others = blue.instances.iter().filter(shares).map(|i| i.id.as_str());
        let others = others.filter(|id| *id != plan.subject);
        let all = std::iter::once(plan.subject.as_str()).chain(others);
        commands.extend(all.map(|id| aws(aws_cli::attach_group(groups.kind, id, &own))));
    }
    for id in &plan.reboots {
        commands.push(aws(aws_cli::reboot(id)));
        commands.push(aws(format!(
            "wait db-instance-available --db-instance-identifier {}",
            quote(id)
        )));
    }
    Step {
        tool: Some(format!(
            "greenlight prepare {} --target-version {} --apply --reboot",
            subject(plan),
            plan.target()
        )),
        ..step(
            "let blue publish",
            "an outage: static parameters need a reboot, readers first, the writer last",
            commands,
        )
    }
}

/// Green's group, with what carries over from blue's.
fn greens_group(plan: &Plan) -> Step {
    let groups = &plan.groups;
    let set = groups
        .values
        .iter()
        .filter(|v| matches!(v.carried, Carried::Set | Carried::Unknown))
        .map(|v| (v.name.as_str(), v.value.as_str()));
    let mut commands = vec![make_group(
        groups.kind,
        &groups.target,
        &groups.family,
        "for the upgrade",
    )];
    commands.extend(set_values(groups.kind, &groups.target, set));
    Step {
        tool: Some(format!(
            "greenlight prepare {} --target-version {} --target-parameter-group {} --apply",
            subject(plan),
            plan.target(),
            quote(&groups.target)
        )),
        ..step(
            format!("make the parameter group {} for {}", groups.target, groups.family),
            "without it green gets the default group, and blue's values are lost",
            commands,
        )
    }
}

fn code_along(plan: &Plan) -> Step {
    step(
        "bring the infrastructure code along",
        "an unchanged stack wants the old version back",
        vec![format!(
            "greenlight drift {} --template cdk.out/STACK.template.json",
            subject(plan)
        )],
    )
}

/// One blue/green deployment of the way.
struct Deployment<'a> {
    plan: &'a Plan,
    blue: &'a Topology,
    hop: &'a Hop,
    /// Its name, as a word of a shell.
    name: String,
    /// Leaves the deployment's identifier in `BGD_ID`: RDS knows a deployment by it alone, and gives it out when it is made.
    find: String,
}

impl<'a> Deployment<'a> {
    fn of(plan: &'a Plan, blue: &'a Topology, hop: &'a Hop) -> Self {
        let name = quote(&format!("{}-to-{}", plan.subject, dashed(hop)));
        let find = format!(
            "BGD_ID=$(aws rds describe-blue-green-deployments --filters Name=blue-green-deployment-name,Values={name} \
             --query 'BlueGreenDeployments[0].BlueGreenDeploymentIdentifier' --output text)"
        );
        Self {
            plan,
            blue,
            hop,
            name,
            find,
        }
    }

    fn steps(&self) -> [Step; 3] {
        [self.create(), self.switch_over(), self.clean_up()]
    }

    fn create(&self) -> Step {
        let Self { plan, hop, name, .. } = self;
        let subject = subject(plan);
        // The group that was planned is that of the last version.
        let (group, aws_group) = if hop.to == plan.target() {
            let group = quote(&plan.groups.target);
            (
                format!(" --target-parameter-group {group}"),
                format!(" --target-{}-name {group}", plan.groups.kind.group()),
            )
        } else {
            Default::default()
        };
        let arn = self.blue.arn().map(ToString::to_string).unwrap_or_default();
        let meanwhile = match hop.replication(plan.engine) {
            Replication::Logical => {
                "no outage; blue keeps serving, and its schema must not change from here on"
            }
            Replication::Physical => {
                "no outage; blue keeps serving, and green follows as its read replica, changes of the schema included"
            }
        };
        Step {
            tool: Some(format!(
                "greenlight create {subject} --target-version {}{group} --name {name}",
                hop.to
            )),
            ..step(
                format!("create green on {}", hop.to),
                meanwhile,
                vec![
                    format!(
                        "greenlight check {subject} --target-version {}{group} --phase create",
                        hop.to
                    ),
                    format!(
                        "aws rds create-blue-green-deployment --blue-green-deployment-name {name} --source {} \
                         --target-engine-version {}{aws_group}",
                        quote(&arn),
                        hop.to
                    ),
                    format!("greenlight watch --deployment {name} --until ready"),
                ],
            )
        }
    }

    fn switch_over(&self) -> Step {
        let name = &self.name;
        Step {
            tool: Some(format!("greenlight switchover --deployment {name}")),
            ..step(
                format!("switch over to {}", self.hop.to),
                "an outage, usually under a minute: connections are cut, names move to green",
                vec![
                    format!("greenlight check --deployment {name} --phase switchover"),
                    self.find.clone(),
                    "aws rds switchover-blue-green-deployment --switchover-timeout 300 --blue-green-deployment-identifier \"$BGD_ID\""
                        .to_owned(),
                    format!("greenlight watch --deployment {name} --until switched"),
                    format!("greenlight check --deployment {name} --phase verify"),
                ],
            )
        }
    }

    fn clean_up(&self) -> Step {
        let name = &self.name;
        let kind = self.plan.groups.kind;
        let old = old(&self.plan.subject);
        let last = format!("{old}-final");
        let mut commands = snapshot(kind, &old, &last);
        commands.extend([
            self.find.clone(),
            // Without --delete-target: after the switchover the target is production.
            "aws rds delete-blue-green-deployment --blue-green-deployment-identifier \"$BGD_ID\"".to_owned(),
            format!("greenlight watch --deployment {name} --until gone"),
        ]);
        commands.extend(delete_old(kind, &old, self.blue));
        Step {
            tool: Some(format!(
                "greenlight cleanup --deployment {name} --delete-old --final-snapshot {}",
                quote(&last)
            )),
            ..step(
                "remove the deployment and the old side",
                "no outage; until then both are paid for, and the old side is the way to look back",
                commands,
            )
        }
    }
}

/// What RDS calls a cluster or an instance of blue after the switchover.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
fn old(name: &str) -> String {
    format!("{name}-old1")
}

/// The old side, readers and replicas first. Its last snapshot is there already.
fn delete_old(kind: ResourceKind, old_side: &str, blue: &Topology) -> Vec<String> {
    let skip = match kind {
        // Members have no snapshot of their own.
        ResourceKind::Cluster => "",
        ResourceKind::Instance => " --skip-final-snapshot",
    };
    let mut commands: Vec<String> = blue
        .instances
        .iter()
        .rev()
        .map(|instance| {
            let id = quote(&old(&instance.id));
            format!("aws rds delete-db-instance --db-instance-identifier {id}{skip}")
        })
        .collect();
    if kind == ResourceKind::Cluster {
        commands.push(format!(
            "aws rds delete-db-cluster --db-cluster-identifier {} --skip-final-snapshot",
            quote(old_side)
        ));
    }
    commands
}

/// A snapshot, taken and waited for.
fn snapshot(kind: ResourceKind, of: &str, name: &str) -> Vec<String> {
    let (thing, taken) = (kind.thing(), kind.snapshot());
    let (of, name) = (quote(of), quote(name));
    vec![
        format!("aws rds create-{taken} --{thing}-identifier {of} --{taken}-identifier {name}"),
        format!("aws rds wait {taken}-available --{taken}-identifier {name}"),
    ]
}

fn make_group(kind: ResourceKind, name: &str, family: &str, why: &str) -> String {
    aws(aws_cli::make_group(kind, name, family, why))
}

/// All values wait for a reboot, which static parameters need and dynamic ones bear.
fn set_values<'a>(
    kind: ResourceKind,
    name: &str,
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let values: Vec<(&str, &str)> = values.collect();
    let assignment = |&(name, value): &(&'a str, &'a str)| Assignment {
        name,
        value,
        waits: true,
    };
    values
        .chunks(PARAMETERS_AT_ONCE)
        .map(|some| aws(aws_cli::set_values(kind, name, some.iter().map(assignment))))
        .collect()
}

/// The script says once which Region and endpoint are meant.
fn aws(command: impl std::fmt::Display) -> String {
    format!("aws rds {command}")
}

fn dashed(hop: &Hop) -> String {
    hop.to.to_string().replace('.', "-")
}
