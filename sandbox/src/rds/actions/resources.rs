//! Describe calls over clusters, instances, deployments, endpoints, snapshots' sources and what hangs on them.

use super::Reply;
use crate::{
    rds::{fault::Fault, page::page, params::Params, shapes, xml::Xml},
    world::account::Account,
};

pub(super) fn db_clusters(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&[
        "clone-group-id",
        "db-cluster-id",
        "db-cluster-resource-id",
        "domain",
        "engine",
    ])?;
    let mut found = Vec::new();
    match params.get("DBClusterIdentifier") {
        Some(id) => found.push(account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?),
        None => found.extend(account.clusters.values()),
    }
    found.retain(|cluster| {
        filters.allows("db-cluster-id", &[&cluster.id, &account.cluster_arn(&cluster.id)])
            && filters.allows("db-cluster-resource-id", &[&cluster.resource_id])
            && filters.allows("engine", &[&cluster.engine])
            && filters.allows(
                "clone-group-id",
                &[cluster.clone_group.as_deref().unwrap_or_default()],
            )
            && filters.allows("domain", &[])
    });
    let (found, marker) = page(found, params, 100)?;
    Ok(Xml::new("")
        .list(
            "DBClusters",
            found.into_iter().map(|cluster| shapes::cluster(account, cluster)),
        )
        .maybe("Marker", marker))
}

pub(super) fn db_instances(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&[
        "db-cluster-id",
        "db-instance-id",
        "dbi-resource-id",
        "domain",
        "engine",
    ])?;
    let mut found = Vec::new();
    match params.get("DBInstanceIdentifier") {
        Some(id) => found.push(
            account
                .instance(id)
                .ok_or_else(|| Fault::instance_not_found(id))?,
        ),
        None => found.extend(account.instances.values()),
    }
    found.retain(|instance| {
        let cluster = instance.cluster.as_deref().unwrap_or_default();
        filters.allows("db-cluster-id", &[cluster, &account.cluster_arn(cluster)])
            && filters.allows(
                "db-instance-id",
                &[&instance.id, &account.instance_arn(&instance.id)],
            )
            && filters.allows("dbi-resource-id", &[&instance.resource_id])
            && filters.allows("engine", &[&instance.engine])
            && filters.allows("domain", &[])
    });
    let (found, marker) = page(found, params, 100)?;
    Ok(Xml::new("")
        .list(
            "DBInstances",
            found
                .into_iter()
                .map(|instance| shapes::instance(account, instance)),
        )
        .maybe("Marker", marker))
}

pub(super) fn deployments(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&[
        "blue-green-deployment-identifier",
        "blue-green-deployment-name",
        "source",
        "target",
    ])?;
    let mut found = Vec::new();
    match params.get("BlueGreenDeploymentIdentifier") {
        Some(id) => found.push(
            account
                .deployments
                .get(&id.to_ascii_lowercase())
                .ok_or_else(|| Fault::deployment_not_found(id))?,
        ),
        None => found.extend(account.deployments.values()),
    }
    found.retain(|deployment| {
        filters.allows("blue-green-deployment-identifier", &[&deployment.id])
            && filters.allows("blue-green-deployment-name", &[&deployment.name])
            && filters.allows("source", &[&deployment.source])
            && filters.allows("target", &[deployment.target.as_deref().unwrap_or_default()])
    });
    let (found, marker) = page(found, params, 100)?;
    let members = found
        .into_iter()
        .map(|deployment| shapes::deployment(deployment).named("member"));
    Ok(Xml::new("")
        .list("BlueGreenDeployments", members)
        .maybe("Marker", marker))
}

pub(super) fn cluster_endpoints(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&[
        "db-cluster-endpoint-custom-type",
        "db-cluster-endpoint-id",
        "db-cluster-endpoint-status",
        "db-cluster-endpoint-type",
    ])?;
    let clusters: Vec<_> = match params.get("DBClusterIdentifier") {
        Some(id) => vec![account.cluster(id).ok_or_else(|| Fault::cluster_not_found(id))?],
        None => account.clusters.values().collect(),
    };
    let mut rows = Vec::new();
    for cluster in clusters {
        let base = |kind: &str, endpoint: &str| {
            Xml::new("DBClusterEndpointList")
                .text("DBClusterIdentifier", &cluster.id)
                .text("Endpoint", endpoint)
                .text("Status", "available")
                .text("EndpointType", kind)
        };
        if let Some(endpoint) = &cluster.endpoint
            && filters.allows("db-cluster-endpoint-type", &["writer"])
        {
            rows.push(base("WRITER", &endpoint.host));
        }
        if let Some(endpoint) = &cluster.reader_endpoint
            && filters.allows("db-cluster-endpoint-type", &["reader"])
        {
            rows.push(base("READER", endpoint));
        }
        for endpoint in account
            .endpoints
            .values()
            .filter(|found| found.cluster == cluster.id)
        {
            if !filters.allows("db-cluster-endpoint-type", &["custom"])
                || !filters.allows("db-cluster-endpoint-custom-type", &[&endpoint.custom_type])
                || !filters.allows("db-cluster-endpoint-id", &[&endpoint.id])
            {
                continue;
            }
            rows.push(
                base("CUSTOM", &shapes::custom_host(account, &endpoint.id))
                    .text("DBClusterEndpointIdentifier", &endpoint.id)
                    .text("CustomEndpointType", &endpoint.custom_type)
                    .texts("StaticMembers", "member", &endpoint.static_members)
                    .texts("ExcludedMembers", "member", &endpoint.excluded_members)
                    .text(
                        "DBClusterEndpointArn",
                        account.arn("cluster-endpoint", &endpoint.id),
                    ),
            );
        }
    }
    let (rows, marker) = page(rows, params, 100)?;
    Ok(Xml::new("")
        .list("DBClusterEndpoints", rows)
        .maybe("Marker", marker))
}

pub(super) fn proxies(account: &Account, params: &Params) -> Reply {
    params.filters(&[])?;
    let mut found = Vec::new();
    match params.get("DBProxyName") {
        Some(name) => found.push(account.proxies.get(name).ok_or_else(|| proxy_not_found(name))?),
        None => found.extend(account.proxies.values()),
    }
    let (found, marker) = page(found, params, 100)?;
    let members = found.into_iter().map(|proxy| {
        Xml::new("member")
            .text("DBProxyName", &proxy.name)
            .text(
                "DBProxyArn",
                account.arn("db-proxy", &format!("prx-{}", proxy.name)),
            )
            .text("Status", &proxy.status)
            .text("EngineFamily", &proxy.engine_family)
            .text("VpcId", "vpc-0a1b2c3d4e5f60718")
            .list("VpcSecurityGroupIds", [])
            .list("VpcSubnetIds", [])
            .list("Auth", [])
            .text("RoleArn", format!("arn:aws:iam::{}:role/rds-proxy", account.id))
            .text("Endpoint", &proxy.endpoint)
            .text("RequireTLS", proxy.require_tls)
            .text("IdleClientTimeout", 1800)
            .text("DebugLogging", false)
            .text("CreatedDate", shapes::time(proxy.created))
            .text("UpdatedDate", shapes::time(proxy.created))
    });
    Ok(Xml::new("").list("DBProxies", members).maybe("Marker", marker))
}

fn proxy_not_found(name: &str) -> Fault {
    Fault::new(
        404,
        "DBProxyNotFoundFault",
        format!("The specified proxy {name} was not found."),
    )
}

pub(super) fn proxy_targets(account: &Account, params: &Params) -> Reply {
    let name = params.required("DBProxyName")?;
    let proxy = account.proxies.get(name).ok_or_else(|| proxy_not_found(name))?;
    let mut rows = Vec::new();
    let health = || Xml::new("TargetHealth").text("State", &proxy.health);
    if let Some(cluster) = proxy.target.as_deref().and_then(|target| account.cluster(target)) {
        rows.push(
            Xml::new("member")
                .text("RdsResourceId", &cluster.id)
                .text("Port", 5432)
                .text("Type", "TRACKED_CLUSTER"),
        );
        for member in &cluster.members {
            let endpoint = account
                .instance(&member.id)
                .and_then(|instance| instance.endpoint.as_ref());
            rows.push(
                Xml::new("member")
                    .maybe("Endpoint", endpoint.map(|endpoint| &endpoint.host))
                    .text("TrackedClusterId", &cluster.id)
                    .text("RdsResourceId", &member.id)
                    .text("Port", 5432)
                    .text("Type", "RDS_INSTANCE")
                    .text("Role", if member.writer { "READ_WRITE" } else { "READ_ONLY" })
                    .child(health()),
            );
        }
    } else if let Some(instance) = proxy
        .target
        .as_deref()
        .and_then(|target| account.instance(target))
    {
        rows.push(
            Xml::new("member")
                .maybe(
                    "Endpoint",
                    instance.endpoint.as_ref().map(|endpoint| &endpoint.host),
                )
                .text("RdsResourceId", &instance.id)
                .text("Port", 5432)
                .text("Type", "RDS_INSTANCE")
                .text("Role", "READ_WRITE")
                .child(health()),
        );
    }
    let (rows, marker) = page(rows, params, 100)?;
    Ok(Xml::new("").list("Targets", rows).maybe("Marker", marker))
}

pub(super) fn global_clusters(account: &Account, params: &Params) -> Reply {
    params.filters(&["db-cluster-id", "region"])?;
    let mut found = Vec::new();
    match params.get("GlobalClusterIdentifier") {
        Some(id) => found.push(
            account
                .global_clusters
                .get(&id.to_ascii_lowercase())
                .ok_or_else(|| {
                    Fault::new(
                        404,
                        "GlobalClusterNotFoundFault",
                        format!("Global cluster {id} not found"),
                    )
                })?,
        ),
        None => found.extend(account.global_clusters.values()),
    }
    let (found, marker) = page(found, params, 100)?;
    let members = found.into_iter().map(|global| {
        let clusters = global.members.iter().map(|(arn, writer)| {
            let readers = global
                .members
                .iter()
                .filter(|(_, other_writer)| *writer && !other_writer)
                .map(|(arn, _)| arn);
            Xml::new("GlobalClusterMember")
                .text("DBClusterArn", arn)
                .texts("Readers", "member", readers)
                .text("IsWriter", writer)
                .text("SynchronizationStatus", "connected")
        });
        // The list's members have the same name as the inner list's: so it is in the model.
        Xml::new("GlobalClusterMember")
            .text("GlobalClusterIdentifier", &global.id)
            .text("GlobalClusterResourceId", format!("cluster-{}", global.id))
            .text(
                "GlobalClusterArn",
                format!("arn:aws:rds::{}:global-cluster:{}", account.id, global.id),
            )
            .text("Status", &global.status)
            .text("Engine", &global.engine)
            .text("EngineVersion", &global.engine_version)
            .text("StorageEncrypted", true)
            .text("DeletionProtection", false)
            .list("GlobalClusterMembers", clusters)
    });
    Ok(Xml::new("")
        .list("GlobalClusters", members)
        .maybe("Marker", marker))
}

pub(super) fn integrations(account: &Account, params: &Params) -> Reply {
    let filters = params.filters(&["integration-arn", "integration-name", "source-arn", "status"])?;
    let mut found = Vec::new();
    match params.get("IntegrationIdentifier") {
        Some(id) => {
            let name = account.local_id("integration", id);
            found.push(account.integrations.get(&name).ok_or_else(|| {
                Fault::new(
                    404,
                    "IntegrationNotFoundFault",
                    format!("Integration {id} not found."),
                )
            })?);
        }
        None => found.extend(account.integrations.values()),
    }
    found.retain(|integration| {
        filters.allows("source-arn", &[&integration.source])
            && filters.allows("integration-name", &[&integration.name])
            && filters.allows("status", &[&integration.status])
            && filters.allows(
                "integration-arn",
                &[&account.arn("integration", &integration.name)],
            )
    });
    let (found, marker) = page(found, params, 100)?;
    let members = found.into_iter().map(|integration| {
        Xml::new("Integration")
            .text("SourceArn", &integration.source)
            .text("TargetArn", &integration.target)
            .text("IntegrationName", &integration.name)
            .text("IntegrationArn", account.arn("integration", &integration.name))
            .text("Status", &integration.status)
            .text("CreateTime", shapes::time(integration.created))
            .list("Tags", [])
    });
    Ok(Xml::new("").list("Integrations", members).maybe("Marker", marker))
}
