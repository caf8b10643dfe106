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
        rds::{
            Cluster, ClusterEndpoint, Deployment, EngineVersion, Event, GlobalCluster, MajorVersion,
            ParameterGroup, PendingMaintenance, Proxy, RdsFacts, Topology,
        },
    },
    model::{Engine, PgVersion, ResourceKind},
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

/// What is asked about: both sides as far as they are known, and what follows from them.
struct Subject<'a> {
    reader: &'a Reader,
    engine: Engine,
    /// The engine's name in the API.
    api: &'static str,
    blue: Option<&'a Topology>,
    both: Vec<&'a Topology>,
    deployment: Option<&'a Deployment>,
    source: Option<PgVersion>,
    target: Option<PgVersion>,
    /// The group that green is to have, or has.
    target_group: Option<String>,
    classes: BTreeSet<&'a str>,
    arns: Vec<String>,
}

impl<'a> Subject<'a> {
    fn new(reader: &'a Reader, request: &RdsRequest, sides: &'a Sides) -> Self {
        let (blue, green) = (sides.blue.known(), sides.green.known().and_then(Option::as_ref));
        let both: Vec<&Topology> = blue.into_iter().chain(green).collect();
        let of_green = || {
            let key = RdsFacts::group_key(green?)?;
            Some(ResourceKind::of_group(&key).1.to_owned())
        };
        Self {
            reader,
            engine: sides.engine,
            api: sides.engine.api_name().unwrap_or("postgres"),
            blue,
            deployment: sides.deployment.known().and_then(Option::as_ref),
            source: blue.and_then(Topology::engine_version),
            target: request
                .target_version
                .or(green.and_then(Topology::engine_version)),
            target_group: request.target_parameter_group.clone().or_else(of_green),
            classes: blue
                .into_iter()
                .flat_map(|t| &t.instances)
                .map(|i| i.class.as_str())
                .collect(),
            arns: both.iter().flat_map(|side| arns(side)).collect(),
            both,
        }
    }

    fn family(&self, version: PgVersion) -> String {
        self.engine.family(version.major)
    }

    /// Blue's cluster, of Aurora.
    fn cluster(&self) -> Option<&'a Cluster> {
        self.blue
            .and_then(|t| t.cluster.as_ref())
            .filter(|_| self.engine == Engine::Aurora)
    }

    /// What holds where blue has no cluster to ask about.
    fn without_cluster<T>(&self, nothing: T) -> Fact<T> {
        match self.blue {
            Some(_) => Fact::Known(nothing),
            None => not_asked("blue is not known"),
        }
    }

    /// Groups in use, the one that green is to have, and the default that it gets when none was named.
    fn groups(&self) -> BTreeSet<String> {
        let kind = self.engine.resource_kind();
        let mut groups: BTreeSet<String> = self.both.iter().flat_map(|side| side.group_keys()).collect();
        if let Some(name) = &self.target_group {
            groups.insert(kind.group_key(name));
        } else if let (Some(source), Some(target)) = (self.source, self.target)
            && target.major > source.major
        {
            groups.insert(kind.group_key(&format!("default.{}", self.family(target))));
        }
        groups
    }

    async fn parameter_groups(&self) -> BTreeMap<String, Fact<Option<ParameterGroup>>> {
        let read = self.groups().into_iter().map(async |key| {
            let group = fact(self.reader.parameter_group(&key).await);
            (key, group)
        });
        join_all(read).await.into_iter().collect()
    }

    /// Blue's version, and all of its major.
    async fn versions(&self) -> (Fact<Option<EngineVersion>>, Fact<Vec<EngineVersion>>) {
        let minors = match self.source {
            Some(source) => fact(
                self.reader
                    .engine_versions(self.api, Some(&self.family(source)), None)
                    .await,
            ),
            None => not_asked("blue's version is not known"),
        };
        let own = self.blue.map(version_text).unwrap_or_default();
        (of_version(&minors, &own), minors)
    }

    /// The target's version, and which of blue's classes can be had with it: that is asked by the text that RDS knows it by, which of a
    /// major alone is its newest minor's.
    async fn target_version(&self) -> (Fact<Option<EngineVersion>>, BTreeMap<String, Fact<bool>>) {
        let Some(target) = self.target else {
            return (
                not_asked("no target version: give --target-version"),
                BTreeMap::new(),
            );
        };
        let version = fact(target_version(self.reader, self.api, &self.family(target), target).await);
        let text = match version.known().and_then(Option::as_ref) {
            Some(version) => version.version.clone(),
            None => target.to_string(),
        };
        (version, self.orderable(&text).await)
    }

    async fn major_version(&self) -> Fact<Option<MajorVersion>> {
        match self.source {
            Some(source) => fact(self.reader.major_version(self.api, source.major).await),
            None => not_asked("blue's version is not known"),
        }
    }

    /// RDS makes green on blue's own version first.
    async fn orderable_on_source(&self) -> BTreeMap<String, Fact<bool>> {
        match (self.engine, self.blue) {
            (Engine::Rds, Some(side)) => self.orderable(&version_text(side)).await,
            _ => BTreeMap::new(),
        }
    }

    async fn orderable(&self, version: &str) -> BTreeMap<String, Fact<bool>> {
        let asked = self.classes.iter().map(async |class| {
            let answer = fact(self.reader.orderable(self.api, version, class).await);
            ((*class).to_owned(), answer)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn proxies(&self) -> Fact<Vec<Proxy>> {
        fact(self.reader.proxies().await.map(|all| of_sides(all, &self.both)))
    }

    async fn global_cluster(&self) -> Fact<Option<GlobalCluster>> {
        let Some(cluster) = self.cluster() else {
            return self.without_cluster(None);
        };
        let found = fact(self.reader.global_cluster(cluster.arn.as_str()).await);
        found.map(|found| {
            found.map(|(id, blue_is_writer, others)| GlobalCluster {
                id,
                blue_is_writer,
                others,
            })
        })
    }

    async fn cluster_endpoints(&self) -> Fact<Vec<ClusterEndpoint>> {
        match self.cluster() {
            Some(cluster) => fact(self.reader.cluster_endpoints(&cluster.id).await),
            None => self.without_cluster(Vec::new()),
        }
    }

    async fn clones(&self) -> Fact<Option<u32>> {
        match self.cluster().and_then(|c| c.clone_group_id.as_deref()) {
            Some(group) => fact(self.reader.clones(group).await.map(Some)),
            None => self.without_cluster(None),
        }
    }

    async fn pending_maintenance(&self) -> Fact<Vec<PendingMaintenance>> {
        let concerns = |m: &PendingMaintenance| self.arns.iter().any(|arn| arn == m.resource.as_str());
        fact(self.reader.pending_maintenance().await).map(|all| all.into_iter().filter(concerns).collect())
    }

    async fn events(&self) -> Fact<Vec<Event>> {
        // Over a fleet they would be most of the calls, and only a deployment's are judged.
        match (self.reader.shared(), self.deployment) {
            (Some(_), None) => not_asked("in a fleet events are read where there is a deployment"),
            _ => fact(events(self.reader, self.deployment, &self.both).await),
        }
    }
}

/// Everything about the two sides.
pub(super) async fn gather(reader: &Reader, request: &RdsRequest, region: String, sides: Sides) -> Collected {
    let subject = Subject::new(reader, request, &sides);
    let (
        (source_version, minor_versions),
        (target_version, orderable_on_target),
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
        subject.versions(),
        subject.target_version(),
        subject.parameter_groups(),
        subject.major_version(),
        subject.orderable_on_source(),
        subject.proxies(),
        subject.global_cluster(),
        subject.cluster_endpoints(),
        subject.clones(),
        subject.pending_maintenance(),
        async { fact(reader.integrations(&subject.arns).await) },
        subject.events(),
        async { fact(reader.quotas().await) },
    );
    let (target, target_parameter_group) = (subject.target, subject.target_group);
    let Sides {
        engine,
        account,
        name,
        deployment,
        blue,
        green,
    } = sides;
    Collected {
        engine,
        request: Request {
            subject: Some(name),
            target_version: target,
            target_parameter_group,
        },
        blue: blue.known().and_then(endpoint),
        green: green.known().and_then(Option::as_ref).and_then(endpoint),
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

fn arns(side: &Topology) -> Vec<String> {
    let cluster = side.cluster.iter().map(|c| c.arn.to_string());
    cluster
        .chain(side.instances.iter().map(|i| i.arn.to_string()))
        .collect()
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
