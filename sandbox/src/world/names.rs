//! What a switchover does to the account: who takes part, what the events tell, how the names move, and how they stay.

use super::{
    account::{Account, Deployment, Tags},
    provision::set_status,
    switchover::Stopped,
};

/// Kind and identifier of everything in a deployment, blue and green.
pub(super) fn parties(account: &Account, deployment: &Deployment) -> Vec<(&'static str, String)> {
    deployment
        .members
        .iter()
        .flat_map(|pair| std::iter::once(&pair.source).chain(&pair.target))
        .map(|arn| kind_and_id(account, arn))
        .collect()
}

/// `cluster` or `db`, and the identifier, of an ARN of this account.
pub(super) fn kind_and_id(account: &Account, arn: &str) -> (&'static str, String) {
    match arn.strip_prefix(&account.cluster_arn("")) {
        Some(id) => ("cluster", id.to_owned()),
        None => ("db", account.local_id("db", arn)),
    }
}

/// What the events tell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    Started,
    Sequences,
    SequencesDone,
    SequencesFailed,
    Completed,
}

/// Events of the deployment and of each of its pairs.
/// Source of the numbers: <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html>
pub(super) fn announce(account: &mut Account, id: &str, phase: Phase) {
    let Some(deployment) = account.deployments.get(id).cloned() else {
        return;
    };
    let target = deployment.target.clone().unwrap_or_default();
    let source = deployment.source.clone();
    match phase {
        Phase::Started => account.event(
            "RDS-EVENT-0247",
            "blue-green-deployment",
            id,
            "notification",
            format!("Switchover from {source} to {target} started."),
        ),
        Phase::Completed => account.event(
            "RDS-EVENT-0248",
            "blue-green-deployment",
            id,
            "notification",
            "Switchover completed on blue/green deployment.",
        ),
        Phase::Sequences | Phase::SequencesDone | Phase::SequencesFailed => {}
    }
    for pair in deployment.members {
        let Some(target) = pair.target else {
            continue;
        };
        let (kind, blue) = kind_and_id(account, &pair.source);
        let (_, green) = kind_and_id(account, &target);
        let cluster = kind == "cluster";
        let source_type = if cluster { "db-cluster" } else { "db-instance" };
        // Only the writing side has sequences: the cluster, or the instance on its own.
        let writes = cluster
            || account
                .instance(&blue)
                .is_some_and(|found| found.cluster.is_none());
        let (event, message) = match (phase, cluster) {
            (Phase::Started, true) => (
                "RDS-EVENT-0259",
                format!("Switchover from DB cluster {blue} to {green} started."),
            ),
            (Phase::Started, false) => (
                "RDS-EVENT-0250",
                format!("Switchover from DB instance {blue} to {green} started."),
            ),
            (Phase::Completed, true) => (
                "RDS-EVENT-0260",
                format!(
                    "Switchover from DB cluster {blue} to {green} completed and the clusters were renamed."
                ),
            ),
            (Phase::Completed, false) => (
                "RDS-EVENT-0251",
                format!(
                    "Switchover from DB instance {blue} to {green} completed and the instances were renamed."
                ),
            ),
            (Phase::Sequences, _) if writes => (
                if cluster {
                    "RDS-EVENT-0311"
                } else {
                    "RDS-EVENT-0307"
                },
                format!(
                    "Sequence sync for switchover of {blue} to {green} has initiated. It may lead to extended downtime."
                ),
            ),
            (Phase::SequencesDone, _) if writes => (
                if cluster {
                    "RDS-EVENT-0312"
                } else {
                    "RDS-EVENT-0308"
                },
                format!("Sequence sync for switchover of {blue} to {green} has completed."),
            ),
            (Phase::SequencesFailed, _) if writes => (
                if cluster {
                    "RDS-EVENT-0314"
                } else {
                    "RDS-EVENT-0310"
                },
                format!(
                    "Sequence sync for switchover of {blue} to {green} was cancelled because sequences failed to sync."
                ),
            ),
            _ => continue,
        };
        let category = match phase {
            Phase::SequencesFailed => "failure",
            _ => "notification",
        };
        let source = if matches!(phase, Phase::Completed) {
            &green
        } else {
            &blue
        };
        account.event(event, source_type, source, category, message);
    }
}

/// Blue's names become `-oldN`, green takes blue's, and the deployment's ARNs follow, as the real API shows them.
pub(super) fn swap_names(account: &mut Account, id: &str) {
    let Some(mut deployment) = account.deployments.get(id).cloned() else {
        return;
    };
    for pair in &mut deployment.members {
        let Some(target) = pair.target.clone() else {
            continue;
        };
        if matches!(pair.status.as_deref(), Some("MISSING_SOURCE" | "MISSING_TARGET")) {
            continue;
        }
        let (kind, blue) = kind_and_id(account, &pair.source);
        let (_, green) = kind_and_id(account, &target);
        let old = account.old_name(kind, &blue);
        let is_first = pair.source == deployment.source;
        if kind == "cluster" {
            account.rename_cluster(&blue, &old);
            account.rename_cluster(&green, &blue);
            swap_cluster(account, &old, &blue);
        } else {
            account.rename_instance(&blue, &old);
            account.rename_instance(&green, &blue);
            swap_instance(account, &old, &blue);
        }
        pair.source = account.arn(if kind == "cluster" { "cluster" } else { "db" }, &old);
        pair.target = Some(account.arn(if kind == "cluster" { "cluster" } else { "db" }, &blue));
        pair.status = Some("SWITCHOVER_COMPLETED".to_owned());
        if is_first {
            deployment.source.clone_from(&pair.source);
            deployment.target.clone_from(&pair.target);
        }
    }
    account.deployments.insert(deployment.id.clone(), deployment);
}

/// Endpoints move with the names, blue's tags replace all of green's, old blue stays read-only.
fn swap_cluster(account: &mut Account, old: &str, new: &str) {
    let mut taken: Option<(_, _, Tags)> = None;
    if let Some(blue) = account.clusters.get_mut(old) {
        taken = Some((
            blue.endpoint.take(),
            blue.reader_endpoint.take(),
            blue.tags.clone(),
        ));
        blue.read_only = true;
        blue.in_effect
            .insert("default_transaction_read_only".to_owned(), "1".to_owned());
    }
    if let (Some(green), Some((endpoint, reader, tags))) = (account.clusters.get_mut(new), taken) {
        green.endpoint = endpoint;
        green.reader_endpoint = reader;
        green.tags = tags;
    }
    // Custom endpoints belong to the name.
    for endpoint in account
        .endpoints
        .values_mut()
        .filter(|endpoint| endpoint.cluster == old)
    {
        new.clone_into(&mut endpoint.cluster);
    }
    for proxy in account
        .proxies
        .values_mut()
        .filter(|proxy| proxy.target.as_deref() == Some(old))
    {
        proxy.target = Some(new.to_owned());
    }
}

fn swap_instance(account: &mut Account, old: &str, new: &str) {
    let mut taken = None;
    if let Some(blue) = account.instances.get_mut(old) {
        taken = Some((blue.endpoint.take(), blue.tags.clone()));
    }
    if let (Some(green), Some((endpoint, tags))) = (account.instances.get_mut(new), taken) {
        green.endpoint = endpoint;
        green.tags = tags;
    }
}

/// Tells why it stopped, and leaves everything as it was.
pub(super) fn put_back(account: &mut Account, id: &str, stopped: &Stopped) {
    let (reason, status, members) = match stopped {
        Stopped::Refused(reason) => (reason, "AVAILABLE", "AVAILABLE"),
        Stopped::RolledBack(reason, status) => (reason, status.as_str(), "SWITCHOVER_FAILED"),
    };
    set_status(
        account,
        id,
        status,
        Some(format!("Switchover was canceled: {reason}")),
    );
    let Some(deployment) = account.deployments.get_mut(id) else {
        return;
    };
    for pair in &mut deployment.members {
        if pair.status.as_deref() == Some("SWITCHOVER_IN_PROGRESS") {
            pair.status = Some(members.to_owned());
        }
    }
    let deployment = deployment.clone();
    account.event(
        "RDS-EVENT-0249",
        "blue-green-deployment",
        id,
        "failure",
        format!("Switchover canceled on blue/green deployment due to {reason}."),
    );
    for pair in deployment.members {
        let Some(target) = pair.target else {
            continue;
        };
        let (kind, blue) = kind_and_id(account, &pair.source);
        let (_, green) = kind_and_id(account, &target);
        let (event, source_type, what) = match kind {
            "cluster" => ("RDS-EVENT-0261", "db-cluster", "DB cluster"),
            _ => ("RDS-EVENT-0252", "db-instance", "DB instance"),
        };
        account.event(
            event,
            source_type,
            &blue,
            "failure",
            format!("Switchover from {what} {blue} to {green} was canceled due to {reason}."),
        );
    }
}
