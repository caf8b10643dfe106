//! Everything about two sides that are known: what is asked for them, all at once, each answer a fact of its own.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::SourceType;
use futures_util::future::join_all;

use super::{
    Collected, Endpoint, RdsRequest, Sides,
    error::Failed,
    read::{Reader, fact, not_asked},
};
use crate::{
    facts::{
        Fact, Request,
        rds::{Deployment, EngineVersion, Event, GlobalCluster, ParameterGroup, Proxy, RdsFacts, Topology},
    },
    model::{Engine, PgVersion},
};

/// Host, port and database of a side.
fn endpoint(side: &Topology) -> Option<Endpoint> {
    let (host, port, database) = match &side.cluster {
        Some(cluster) => (&cluster.endpoint, cluster.port, &cluster.database_name),
        None => {
            let instance = side.instances.first()?;
            (&instance.endpoint, instance.port, &instance.database_name)
        }
    };
    Some(Endpoint {
        host: host.clone()?,
        port: port.unwrap_or(5432),
        database: database.clone(),
    })
}

/// Everything about the two sides.
pub(super) async fn gather(reader: &Reader, request: &RdsRequest, region: String, sides: Sides) -> Collected {
    let Sides {
        engine,
        account,
        name,
        deployment,
        blue,
        green,
    } = sides;
    let api = engine.api_name().unwrap_or("postgres");
    let (b, g) = (blue.known(), green.known().and_then(Option::as_ref));
    let both: Vec<&Topology> = b.into_iter().chain(g).collect();
    let source = b.and_then(Topology::engine_version);
    let target = request.target_version.or(g.and_then(Topology::engine_version));
    let family = |version: PgVersion| format!("{api}{}", version.major);
    let kind = if engine == Engine::Aurora {
        "cluster"
    } else {
        "instance"
    };
    let target_group = request.target_parameter_group.clone().or_else(|| {
        let key = RdsFacts::group_key(g?)?;
        key.split_once(':').map(|(_, name)| name.to_owned())
    });

    // Groups in use, the one that green is to have, and the default that it gets when none was named.
    let mut groups: BTreeSet<String> = both.iter().flat_map(|side| group_keys(side)).collect();
    if let Some(name) = &target_group {
        groups.insert(format!("{kind}:{name}"));
    } else if let (Some(source), Some(target)) = (source, target)
        && target.major > source.major
    {
        groups.insert(format!("{kind}:default.{}", family(target)));
    }

    let classes: BTreeSet<&str> = b
        .into_iter()
        .flat_map(|t| &t.instances)
        .map(|i| i.class.as_str())
        .collect();
    let arns: Vec<String> = both.iter().flat_map(|side| arns(side)).collect();
    let cluster = b.and_then(|t| t.cluster.as_ref());

    let versions = async {
        let minors = match source {
            Some(source) => fact(reader.engine_versions(api, Some(&family(source)), None).await),
            None => not_asked("blue's version is not known"),
        };
        let own = b.map(version_text).unwrap_or_default();
        (of_version(&minors, &own), minors)
    };
    let target_version = async {
        match target {
            Some(target) => fact(target_version(reader, api, &family(target), target).await),
            None => not_asked("no target version: give --target-version"),
        }
    };
    let parameter_groups = async {
        let read = groups
            .iter()
            .map(|key| async { (key.clone(), fact(reader.parameter_group(key).await)) });
        join_all(read)
            .await
            .into_iter()
            .collect::<BTreeMap<String, Fact<Option<ParameterGroup>>>>()
    };
    let major = async {
        match source {
            Some(source) => fact(reader.major_version(api, source.major).await),
            None => not_asked("blue's version is not known"),
        }
    };
    let on_source = async {
        match (engine, b) {
            (Engine::Rds, Some(side)) => orderable(reader, api, &version_text(side), &classes).await,
            _ => BTreeMap::new(),
        }
    };
    let proxies = async { fact(reader.proxies().await.map(|all| of_sides(all, &both))) };
    let global = async {
        match cluster.filter(|_| engine == Engine::Aurora) {
            Some(cluster) => fact(reader.global_cluster(cluster.arn.as_str()).await).map(|found| {
                found.map(|(id, blue_is_writer, others)| GlobalCluster {
                    id,
                    blue_is_writer,
                    others,
                })
            }),
            None if blue.known().is_some() => Fact::Known(None),
            None => not_asked("blue is not known"),
        }
    };
    let endpoints = async {
        match cluster.filter(|_| engine == Engine::Aurora) {
            Some(cluster) => fact(reader.cluster_endpoints(&cluster.id).await),
            None if blue.known().is_some() => Fact::Known(Vec::new()),
            None => not_asked("blue is not known"),
        }
    };
    let clones = async {
        match cluster.and_then(|c| c.clone_group_id.as_deref()) {
            Some(group) => fact(reader.clones(group).await.map(Some)),
            None if blue.known().is_some() => Fact::Known(None),
            None => not_asked("blue is not known"),
        }
    };
    let maintenance = async {
        let found = fact(reader.pending_maintenance().await);
        found.map(|all| {
            all.into_iter()
                .filter(|m| arns.iter().any(|arn| arn == m.resource.as_str()))
                .collect()
        })
    };
    let integrations = async { fact(reader.integrations(&arns).await) };
    let joined = deployment.known().and_then(Option::as_ref);
    let events = async {
        // Over a fleet they would be most of the calls, and only a deployment's are judged.
        match (reader.shared(), joined) {
            (Some(_), None) => not_asked("in a fleet events are read where there is a deployment"),
            _ => fact(events(reader, joined, &both).await),
        }
    };
    let quotas = async { fact(reader.quotas().await) };

    let (
        (source_version, minor_versions),
        target_version,
        parameter_groups,
        major_version,
        orderable_on_source,
        proxies,
        global_cluster,
        cluster_endpoints,
        clones,
        pending_maintenance,
        integrations,
        events,
        quotas,
    ) = tokio::join!(
        versions,
        target_version,
        parameter_groups,
        major,
        on_source,
        proxies,
        global,
        endpoints,
        clones,
        maintenance,
        integrations,
        events,
        quotas
    );
    // The text that RDS knows the target by: of a major alone, its newest minor.
    let orderable_on_target = match (target, target_version.known().and_then(Option::as_ref)) {
        (_, Some(version)) => orderable(reader, api, &version.version, &classes).await,
        (Some(target), None) => orderable(reader, api, &target.to_string(), &classes).await,
        (None, None) => BTreeMap::new(),
    };
    let (blue_endpoint, green_endpoint) = (b.and_then(endpoint), g.and_then(endpoint));
    Collected {
        engine,
        request: Request {
            subject: Some(name),
            target_version: target,
            target_parameter_group: target_group,
        },
        blue: blue_endpoint,
        green: green_endpoint,
        facts: RdsFacts {
            account,
            region,
            endpoint_url: request.endpoint_url.clone(),
            deployment,
            parameter_groups,
            source_version,
            minor_versions,
            target_version,
            major_version,
            orderable_on_target,
            orderable_on_source,
            pending_maintenance,
            events,
            proxies,
            global_cluster,
            integrations,
            cluster_endpoints,
            clones,
            quotas,
            blue,
            green,
        },
    }
}

/// The engine version as RDS writes it, which may have a suffix.
fn version_text(side: &Topology) -> String {
    let cluster = side.cluster.as_ref().map(|c| &c.engine_version);
    let instance = side.instances.first().map(|i| &i.engine_version);
    cluster.or(instance).cloned().unwrap_or_default()
}

fn of_version(minors: &Fact<Vec<EngineVersion>>, own: &str) -> Fact<Option<EngineVersion>> {
    minors
        .clone()
        .map(|all| all.into_iter().find(|v| v.version == own))
}

/// The target as RDS lists it; of a major alone, its newest minor.
async fn target_version(
    reader: &Reader,
    engine: &str,
    family: &str,
    target: PgVersion,
) -> Result<Option<EngineVersion>, Failed> {
    if target.minor.is_some() {
        let text = target.to_string();
        let found = reader.engine_versions(engine, None, Some(&text)).await?;
        return Ok(found.into_iter().find(|v| v.version == text));
    }
    let found = reader.engine_versions(engine, Some(family), None).await?;
    Ok(found
        .into_iter()
        .max_by_key(|v| v.version.parse::<PgVersion>().ok()))
}

fn group_keys(side: &Topology) -> Vec<String> {
    let cluster = side
        .cluster
        .iter()
        .map(|c| format!("cluster:{}", c.parameter_group));
    let instances = side.instances.iter().flat_map(|i| &i.parameter_groups);
    cluster
        .chain(instances.map(|g| format!("instance:{}", g.name)))
        .collect()
}

fn arns(side: &Topology) -> Vec<String> {
    let cluster = side.cluster.iter().map(|c| c.arn.to_string());
    cluster
        .chain(side.instances.iter().map(|i| i.arn.to_string()))
        .collect()
}

async fn orderable(
    reader: &Reader,
    engine: &str,
    version: &str,
    classes: &BTreeSet<&str>,
) -> BTreeMap<String, Fact<bool>> {
    let asked = classes.iter().map(async |class| {
        let answer = fact(reader.orderable(engine, version, class).await);
        ((*class).to_owned(), answer)
    });
    join_all(asked).await.into_iter().collect()
}

/// Proxies that have one of these as their target, or whose targets are not known.
fn of_sides(proxies: Vec<Proxy>, sides: &[&Topology]) -> Vec<Proxy> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for side in sides {
        names.extend(
            side.cluster
                .iter()
                .flat_map(|c| [c.id.as_str(), c.resource_id.as_str()]),
        );
        names.extend(
            side.instances
                .iter()
                .flat_map(|i| [i.id.as_str(), i.resource_id.as_str()]),
        );
    }
    let is_one = |name: &Option<String>| name.as_deref().is_some_and(|name| names.contains(name));
    let concerns = |proxy: &Proxy| match &proxy.targets {
        Fact::Known(targets) => targets
            .iter()
            .any(|t| is_one(&t.cluster_id) || is_one(&t.resource)),
        Fact::Unknown { .. } => true,
    };
    proxies.into_iter().filter(concerns).collect()
}

/// Events of the deployment and of every resource of both sides, newest first.
async fn events(
    reader: &Reader,
    deployment: Option<&Deployment>,
    sides: &[&Topology],
) -> Result<Vec<Event>, Failed> {
    let deployment = deployment.map(|d| (SourceType::BlueGreenDeployment, d.id.as_str()));
    let clusters = sides
        .iter()
        .flat_map(|s| &s.cluster)
        .map(|c| (SourceType::DbCluster, c.id.as_str()));
    let instances = sides
        .iter()
        .flat_map(|s| &s.instances)
        .map(|i| (SourceType::DbInstance, i.id.as_str()));
    let sources = deployment.into_iter().chain(clusters).chain(instances);
    let read = join_all(sources.map(|(kind, id)| reader.events(kind, id))).await;
    let mut all: Vec<Event> = Vec::new();
    for found in read {
        all.extend(found?);
    }
    all.sort_by_key(|event| std::cmp::Reverse(event.at));
    Ok(all)
}
