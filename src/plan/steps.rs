//! The plan's steps, in the order in which they are safe.

use super::{Carried, Hop, Plan, Step, own_group};
use crate::{
    checks::is_default_group,
    facts::rds::{Instance, Topology},
    model::{Replication, shell::quote},
};

/// Assignments of one `modify-db-…-parameter-group` call: RDS takes at most twenty.
const AT_ONCE: usize = 20;

pub(super) fn steps(plan: &Plan, blue: &Topology) -> Vec<Step> {
    let mut steps = Vec::new();
    let id = quote(&plan.subject);
    let (thing, flag) = match plan.groups.kind {
        "cluster" => ("db-cluster", "--db-cluster-identifier"),
        _ => ("db-instance", "--db-instance-identifier"),
    };
    let kind_flag = if plan.groups.kind == "cluster" {
        "--cluster"
    } else {
        "--instance"
    };
    let step = |title: String, why: &str, commands: Vec<String>| Step {
        title,
        why: why.to_owned(),
        commands,
        tool: None,
    };
    for hop in plan.hops.iter().filter(|hop| !hop.blue_green) {
        steps.push(step(
            format!("raise {} from {} to {} in place", plan.subject, hop.from, hop.to),
            "an outage: the database restarts; take a snapshot first",
            in_place(plan, hop),
        ));
    }
    let groups = &plan.groups;
    if !groups.needed.is_empty() {
        let custom = !is_default_group(&groups.source);
        let family = groups.source.trim_start_matches("default.");
        let own = if custom {
            groups.source.clone()
        } else {
            own_group(&plan.subject, family)
        };
        let mut commands = Vec::new();
        if !custom {
            commands.push(make_group(groups.kind, &own, family, "for blue/green"));
        }
        let values: Vec<(String, String)> = groups
            .needed
            .iter()
            .map(|need| (need.parameter.clone(), need.value.clone()))
            .collect();
        commands.extend(set_values(groups.kind, &own, &values));
        if !custom {
            let flag_group = if groups.kind == "cluster" {
                "--db-cluster-parameter-group-name"
            } else {
                "--db-parameter-group-name"
            };
            // Replicas that share the default group go along, as with `greenlight prepare`.
            let shares = |i: &&Instance| {
                blue.cluster.is_none() && i.parameter_groups.iter().any(|g| g.name == groups.source)
            };
            let others = blue.instances.iter().filter(shares).map(|i| i.id.as_str());
            let subject = std::iter::once(plan.subject.as_str());
            for id in subject.chain(others.filter(|id| *id != plan.subject)) {
                commands.push(format!(
                    "aws rds modify-{thing} {flag} {} {flag_group} {} --apply-immediately",
                    quote(id),
                    quote(&own)
                ));
            }
        }
        commands.extend(plan.reboots.iter().flat_map(|id| {
            let id = quote(id);
            [
                format!("aws rds reboot-db-instance --db-instance-identifier {id}"),
                format!("aws rds wait db-instance-available --db-instance-identifier {id}"),
            ]
        }));
        steps.push(Step {
            tool: Some(format!(
                "greenlight prepare {kind_flag} {id} --target-version {} --apply --reboot",
                plan.target()
            )),
            ..step(
                "let blue publish".to_owned(),
                "an outage: static parameters need a reboot, readers first, the writer last",
                commands,
            )
        });
    }
    if groups.make {
        let set = groups
            .values
            .iter()
            .filter(|v| matches!(v.carried, Carried::Set | Carried::Unknown));
        let values: Vec<(String, String)> = set.map(|v| (v.name.clone(), v.value.clone())).collect();
        let mut commands = vec![make_group(
            groups.kind,
            &groups.target,
            &groups.family,
            "for the upgrade",
        )];
        commands.extend(set_values(groups.kind, &groups.target, &values));
        steps.push(Step {
            tool: Some(format!(
                "greenlight prepare {kind_flag} {id} --target-version {} --target-parameter-group {} --apply",
                plan.target(),
                quote(&groups.target)
            )),
            ..step(
                format!("make the parameter group {} for {}", groups.target, groups.family),
                "without it green gets the default group, and blue's values are lost",
                commands,
            )
        });
    }
    for hop in plan.hops.iter().filter(|hop| hop.blue_green) {
        deployment(plan, blue, hop, &mut steps);
    }
    let kind = if groups.kind == "cluster" {
        "cluster"
    } else {
        "instance"
    };
    steps.push(step(
        "bring the infrastructure code along".to_owned(),
        "an unchanged stack wants the old version back",
        vec![format!(
            "greenlight drift --{kind} {id} --template cdk.out/STACK.template.json"
        )],
    ));
    steps
}

fn deployment(plan: &Plan, blue: &Topology, hop: &Hop, steps: &mut Vec<Step>) {
    let groups = &plan.groups;
    let id = quote(&plan.subject);
    let name = format!("{}-to-{}", plan.subject, hop.to.to_string().replace('.', "-"));
    let name = quote(&name);
    let last = hop.to == plan.target();
    let kind = if groups.kind == "cluster" {
        "cluster"
    } else {
        "instance"
    };
    let (check, create) = match (last, groups.kind) {
        (false, _) => (String::new(), String::new()),
        (true, "cluster") => (
            format!(" --target-parameter-group {}", quote(&groups.target)),
            format!(
                " --target-db-cluster-parameter-group-name {}",
                quote(&groups.target)
            ),
        ),
        (true, _) => (
            format!(" --target-parameter-group {}", quote(&groups.target)),
            format!(" --target-db-parameter-group-name {}", quote(&groups.target)),
        ),
    };
    let arn = match &blue.cluster {
        Some(cluster) => cluster.arn.to_string(),
        None => blue
            .instances
            .first()
            .map(|i| i.arn.to_string())
            .unwrap_or_default(),
    };
    let arn = quote(&arn);
    let step = |title: String, why: &str, tool: String, commands: Vec<String>| Step {
        title,
        why: why.to_owned(),
        commands,
        tool: Some(tool),
    };
    let meanwhile = match hop.replication(plan.engine) {
        Replication::Logical => "no outage; blue keeps serving, and its schema must not change from here on",
        Replication::Physical => {
            "no outage; blue keeps serving, and green follows as its read replica, changes of the schema included"
        }
    };
    steps.push(step(
        format!("create green on {}", hop.to),
        meanwhile,
        format!("greenlight create --{kind} {id} --target-version {}{check} --name {name}", hop.to),
        vec![
            format!("greenlight check --{kind} {id} --target-version {}{check} --phase create", hop.to),
            format!(
                "aws rds create-blue-green-deployment --blue-green-deployment-name {name} --source {arn} --target-engine-version {}{create}",
                hop.to
            ),
            format!("greenlight watch --deployment {name} --until ready"),
        ],
    ));
    // RDS knows a deployment by its identifier alone, which it gives out when it is made.
    let found = format!(
        "BGD_ID=$(aws rds describe-blue-green-deployments --filters Name=blue-green-deployment-name,Values={name} \
         --query 'BlueGreenDeployments[0].BlueGreenDeploymentIdentifier' --output text)"
    );
    steps.push(step(
        format!("switch over to {}", hop.to),
        "an outage, usually under a minute: connections are cut, names move to green",
        format!("greenlight switchover --deployment {name}"),
        vec![
            format!("greenlight check --deployment {name} --phase switchover"),
            found.clone(),
            "aws rds switchover-blue-green-deployment --switchover-timeout 300 --blue-green-deployment-identifier \"$BGD_ID\""
                .to_owned(),
            format!("greenlight watch --deployment {name} --until switched"),
            format!("greenlight check --deployment {name} --phase verify"),
        ],
    ));
    let old = quote(&format!("{}-old1", plan.subject));
    let mut commands = snapshot(
        groups.kind,
        &format!("{}-old1", plan.subject),
        &format!("{}-old1-final", plan.subject),
    );
    commands.extend([
        found,
        // Without --delete-target: after the switchover the target is production.
        "aws rds delete-blue-green-deployment --blue-green-deployment-identifier \"$BGD_ID\"".to_owned(),
        format!("greenlight watch --deployment {name} --until gone"),
    ]);
    commands.extend(delete_old(groups.kind, &old, blue));
    steps.push(step(
        "remove the deployment and the old side".to_owned(),
        "no outage; until then both are paid for, and the old side is the way to look back",
        format!(
            "greenlight cleanup --deployment {name} --delete-old --final-snapshot {}",
            quote(&format!("{}-old1-final", plan.subject))
        ),
        commands,
    ));
}

/// A minor upgrade of blue: snapshot, upgrade, and wait until RDS shows the version.
fn in_place(plan: &Plan, hop: &Hop) -> Vec<String> {
    let id = quote(&plan.subject);
    let kind = plan.groups.kind;
    let (thing, shown) = match kind {
        "cluster" => ("db-cluster", "DBClusters"),
        _ => ("db-instance", "DBInstances"),
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
    commands
}

/// A snapshot, taken and waited for.
fn snapshot(kind: &str, of: &str, name: &str) -> Vec<String> {
    let (thing, taken) = match kind {
        "cluster" => ("db-cluster", "db-cluster-snapshot"),
        _ => ("db-instance", "db-snapshot"),
    };
    let (of, name) = (quote(of), quote(name));
    vec![
        format!("aws rds create-{taken} --{thing}-identifier {of} --{taken}-identifier {name}"),
        format!("aws rds wait {taken}-available --{taken}-identifier {name}"),
    ]
}

/// The old side, readers and replicas first: RDS gives each the suffix `-old1`.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
fn delete_old(kind: &str, old: &str, blue: &Topology) -> Vec<String> {
    let member = kind == "cluster";
    let mut commands: Vec<String> = blue
        .instances
        .iter()
        .rev()
        .map(|instance| {
            let id = quote(&format!("{}-old1", instance.id));
            let skip = if member { "" } else { " --skip-final-snapshot" };
            format!("aws rds delete-db-instance --db-instance-identifier {id}{skip}")
        })
        .collect();
    if member {
        commands.push(format!(
            "aws rds delete-db-cluster --db-cluster-identifier {old} --skip-final-snapshot"
        ));
    }
    commands
}

fn dashed(hop: &Hop) -> String {
    hop.to.to_string().replace('.', "-")
}

fn make_group(kind: &str, name: &str, family: &str, why: &str) -> String {
    let (name, family) = (quote(name), quote(family));
    match kind {
        "cluster" => format!(
            "aws rds create-db-cluster-parameter-group --db-cluster-parameter-group-name {name} --db-parameter-group-family {family} --description '{why}'"
        ),
        _ => format!(
            "aws rds create-db-parameter-group --db-parameter-group-name {name} --db-parameter-group-family {family} --description '{why}'"
        ),
    }
}

fn set_values(kind: &str, name: &str, values: &[(String, String)]) -> Vec<String> {
    let call = match kind {
        "cluster" => "modify-db-cluster-parameter-group --db-cluster-parameter-group-name",
        _ => "modify-db-parameter-group --db-parameter-group-name",
    };
    let one = |(name, value): &(String, String)| {
        // JSON, because the short form knows no way to write a comma in a value.
        let json = serde_json::json!({ "ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot" });
        json.to_string()
    };
    let chunks = values.chunks(AT_ONCE);
    chunks
        .map(|chunk| {
            let list: Vec<String> = chunk.iter().map(one).collect();
            format!(
                "aws rds {call} {} --parameters {}",
                quote(name),
                quote(&format!("[{}]", list.join(",")))
            )
        })
        .collect()
}
