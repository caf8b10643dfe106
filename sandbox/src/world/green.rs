//! Green in the account: the deployment as it begins, green's cluster and instances, and how they become available.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    account::{Account, Cluster, Deployment, Instance, Member, MemberSwitch, Task},
    catalogue::{GroupKind, Version},
    checks::{Plan, Source},
    ids,
    provision::{BACKUPS, INSTANCES, READ_REPLICA, TOPOLOGY, UPGRADE},
};

pub(super) fn draft(account: &Account, plan: &Plan) -> Deployment {
    let pair = |source: String| MemberSwitch {
        source,
        target: None,
        status: Some("PROVISIONING".to_owned()),
    };
    let (source, resource, members, current) = match &plan.source {
        Source::Cluster(id) => {
            let cluster = account.cluster(id).expect("the plan was made from it");
            let arn = account.cluster_arn(id);
            let members = std::iter::once(arn.clone())
                .chain(
                    cluster
                        .members
                        .iter()
                        .map(|member| account.instance_arn(&member.id)),
                )
                .map(pair)
                .collect();
            (arn, &cluster.resource_id, members, &cluster.engine_version)
        }
        Source::Instance(id) => {
            let instance = account.instance(id).expect("the plan was made from it");
            let arn = account.instance_arn(id);
            let members = std::iter::once(arn.clone())
                .chain(
                    instance
                        .replicas
                        .iter()
                        .map(|replica| account.instance_arn(replica)),
                )
                .map(pair)
                .collect();
            (arn, &instance.resource_id, members, &instance.engine_version)
        }
    };
    let mut names = vec![READ_REPLICA];
    if *current != plan.target_version {
        names.push(UPGRADE);
    }
    match &plan.source {
        Source::Cluster(_) => names.push(INSTANCES),
        Source::Instance(id)
            if account
                .instance(id)
                .is_some_and(|found| !found.replicas.is_empty()) =>
        {
            names.push(TOPOLOGY);
        }
        Source::Instance(_) => {}
    }
    names.push(BACKUPS);
    Deployment {
        id: ids::deployment(),
        name: plan.name.clone(),
        source,
        target: None,
        source_resource: resource.clone(),
        target_resource: None,
        status: "PROVISIONING".to_owned(),
        status_details: None,
        tasks: names
            .into_iter()
            .map(|name| Task {
                name: name.to_owned(),
                status: "PENDING".to_owned(),
            })
            .collect(),
        members,
        created: Timestamp::now(),
        deleted: None,
        tags: plan.tags.clone(),
        replication: plan.replication,
        target_version: plan.target_version.clone(),
        degraded: None,
    }
}

/// The identifiers of green.
pub(super) struct Green {
    id: String,
    pub(super) cluster: bool,
    /// Blue member and green member, in blue's order.
    members: Vec<(String, String)>,
    pub(super) replicas: usize,
}

fn target_major(plan: &Plan) -> u32 {
    Version::parse(&plan.target_version).map_or(0, |version| version.major)
}

fn default_group(account: &mut Account, kind: GroupKind, plan: &Plan) -> String {
    let family = plan.engine.family(target_major(plan));
    account.default_groups.insert((kind, family.clone()));
    format!("default.{family}")
}

/// Green's cluster or primary, still without members, `creating`.
pub(super) fn make_green(account: &mut Account, id: &str, plan: &Plan) -> Green {
    let green = match &plan.source {
        Source::Cluster(blue_id) => {
            // Green is a clone, and a cluster joins a group when it is first cloned.
            if let Some(blue) = account.cluster_mut(blue_id) {
                blue.clone_group.get_or_insert_with(ids::request);
            }
            let blue = account
                .cluster(blue_id)
                .expect("the plan was made from it")
                .clone();
            let green_id = ids::green(&blue.id);
            // Without a group of its own green takes blue's, which a new major cannot.
            let group = match &plan.cluster_group {
                Some(group) => group.clone(),
                None if plan.is_major() => default_group(account, GroupKind::Cluster, plan),
                None => blue.parameter_group.clone(),
            };
            let members = blue
                .members
                .iter()
                .map(|member| (member.id.clone(), ids::green(&member.id)))
                .collect();
            let green = Cluster {
                id: green_id.clone(),
                resource_id: ids::resource("cluster"),
                engine_version: plan.target_version.clone(),
                status: "creating".to_owned(),
                in_effect: account.effective(GroupKind::Cluster, &group),
                parameter_group: group,
                members: Vec::new(),
                endpoint: None,
                reader_endpoint: None,
                created: Timestamp::now(),
                // Roles are not copied: they must be associated with green by hand.
                roles: Vec::new(),
                read_replicas: Vec::new(),
                pending_version: None,
                ..blue
            };
            let resource = green.resource_id.clone();
            account.clusters.insert(green_id.clone(), green);
            link(account, id, account.cluster_arn(&green_id), resource);
            Green {
                id: green_id,
                cluster: true,
                members,
                replicas: 0,
            }
        }
        Source::Instance(blue_id) => {
            let blue = account
                .instance(blue_id)
                .expect("the plan was made from it")
                .clone();
            let green_id = ids::green(&blue.id);
            let replicas: Vec<_> = blue
                .replicas
                .iter()
                .map(|replica| (replica.clone(), ids::green(replica)))
                .collect();
            let green = green_instance(account, &blue, &green_id, None, plan);
            let resource = green.resource_id.clone();
            account.instances.insert(green_id.clone(), green);
            link(account, id, account.instance_arn(&green_id), resource);
            Green {
                id: green_id,
                cluster: false,
                replicas: replicas.len(),
                members: replicas,
            }
        }
    };
    account.event(
        "RDS-EVENT-0170",
        if green.cluster {
            "db-cluster"
        } else {
            "db-instance"
        },
        &green.id,
        "creation",
        "Created as the green environment of a blue/green deployment",
    );
    green
}

fn link(account: &mut Account, deployment: &str, target: String, resource: String) {
    if let Some(deployment) = account.deployments.get_mut(deployment) {
        if let Some(first) = deployment.members.first_mut() {
            first.target = Some(target.clone());
        }
        deployment.target = Some(target);
        deployment.target_resource = Some(resource);
    }
}

fn green_instance(
    account: &mut Account,
    blue: &Instance,
    id: &str,
    cluster: Option<&str>,
    plan: &Plan,
) -> Instance {
    let group = match &plan.instance_group {
        Some(group) => group.clone(),
        None if plan.is_major() => default_group(account, GroupKind::Instance, plan),
        None => blue.parameter_group.clone(),
    };
    Instance {
        id: id.to_owned(),
        resource_id: ids::resource("db"),
        cluster: cluster.map(str::to_owned),
        class: plan.class.clone().unwrap_or_else(|| blue.class.clone()),
        engine_version: plan.target_version.clone(),
        status: "creating".to_owned(),
        in_effect: account.effective(GroupKind::Instance, &group),
        parameter_group: group,
        parameter_status: "in-sync".to_owned(),
        endpoint: None,
        created: Timestamp::now(),
        replica_source: None,
        replicas: Vec::new(),
        roles: Vec::new(),
        pending_version: None,
        pending_class: None,
        logs: BTreeMap::new(),
        ..blue.clone()
    }
}

impl Green {
    /// Green's instances that are not there yet, one for each of blue's, `creating`.
    pub(super) fn make_members(
        &self,
        account: &mut Account,
        deployment: &str,
        plan: &Plan,
        only_writer: bool,
    ) {
        for (blue_id, green_id) in &self.members {
            let Some(blue) = account.instance(blue_id).cloned() else {
                continue;
            };
            if account.instances.contains_key(green_id) || (only_writer && !account.is_writer(blue_id)) {
                continue;
            }
            let owner = self.cluster.then_some(self.id.as_str());
            let mut made = green_instance(account, &blue, green_id, owner, plan);
            if !self.cluster {
                made.replica_source = Some(self.id.clone());
                if let Some(primary) = account.instances.get_mut(&self.id) {
                    primary.replicas.push(green_id.clone());
                }
            }
            account.instances.insert(green_id.clone(), made);
            let blue_member = blue
                .cluster
                .as_deref()
                .and_then(|cluster| account.cluster(cluster))
                .and_then(|cluster| {
                    cluster
                        .members
                        .iter()
                        .find(|member| member.id == *blue_id)
                        .cloned()
                });
            if let (Some(cluster), Some(blue_member)) = (account.clusters.get_mut(&self.id), blue_member) {
                cluster.members.push(Member {
                    id: green_id.clone(),
                    parameter_status: "in-sync".to_owned(),
                    ..blue_member
                });
            }
            let (source, target) = (account.instance_arn(blue_id), account.instance_arn(green_id));
            if let Some(deployment) = account.deployments.get_mut(deployment) {
                for pair in deployment.members.iter_mut().filter(|pair| pair.source == source) {
                    pair.target = Some(target.clone());
                }
            }
        }
        let values = account.cluster_parameters(&self.id);
        if let Some(cluster) = account.clusters.get_mut(&self.id) {
            cluster.in_effect = values;
        }
    }

    /// Everything `available`.
    pub(super) fn finish(&self, account: &mut Account, deployment: &str) {
        let available = |status: &mut String| "available".clone_into(status);
        if let Some(cluster) = account.clusters.get_mut(&self.id) {
            available(&mut cluster.status);
        }
        for id in std::iter::once(&self.id).chain(self.members.iter().map(|(_, green)| green)) {
            if let Some(instance) = account.instances.get_mut(id) {
                available(&mut instance.status);
            }
        }
        if let Some(deployment) = account.deployments.get_mut(deployment) {
            for pair in &mut deployment.members {
                pair.status = Some("AVAILABLE".to_owned());
            }
        }
    }
}
