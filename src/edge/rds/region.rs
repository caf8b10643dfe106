//! A Region of an account, read once for all that is in it.
//!
//! A fleet asks the same things for every member. Whatever RDS lists in bulk is listed once here, each distinct parameter
//! group, version and class is asked for once, and [`Reader`]s over it answer from that. A question that failed has failed
//! for all: they say so, each in its own report.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use aws_config::{Region as RegionName, SdkConfig, retry::RetryConfig};
use aws_sdk_rds::Client;
use tokio::sync::OnceCell;

use super::{
    Collected, RdsError, RdsRequest, Subject, convert,
    error::Failed,
    gather,
    limiter::{Count, Limiter},
    offers::Global,
    read::Reader,
    sides, subject,
};
use crate::{
    edge::aws,
    facts::rds::{
        Cluster, ClusterEndpoint, Deployment, EngineVersion, Instance, Integration, MajorVersion,
        ParameterGroup, PendingMaintenance, Proxy, Quota,
    },
    model::{Arn, DeploymentStatus, Engine, ResourceKind},
};

/// Something that is read once.
type Once<T> = OnceCell<Result<T, Failed>>;

/// Things that are read once by key.
struct Memo<K, T>(Mutex<HashMap<K, Arc<Once<Arc<T>>>>>);

impl<K, T> Default for Memo<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T> Memo<K, T> {
    async fn get(&self, key: K, read: impl Future<Output = Result<T, Failed>>) -> Result<Arc<T>, Failed> {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        let read = Box::pin(read);
        cell.get_or_init(async || read.await.map(Arc::new)).await.clone()
    }
}

/// A Region of an account.
pub struct Region {
    name: String,
    endpoint_url: Option<String>,
    reader: Reader,
    limiter: Arc<Limiter>,
    clusters: Once<Vec<Cluster>>,
    instances: Once<Vec<Instance>>,
    deployments: Once<Vec<Deployment>>,
    maintenance: Once<Vec<PendingMaintenance>>,
    proxies: Once<Vec<Proxy>>,
    globals: Once<Vec<Global>>,
    integrations: Once<Vec<Integration>>,
    endpoints: Once<Vec<(String, ClusterEndpoint)>>,
    quotas: Once<BTreeMap<String, Quota>>,
    families: Memo<ResourceKind, HashMap<String, String>>,
    versions: Memo<String, Vec<EngineVersion>>,
    majors: Memo<String, Vec<MajorVersion>>,
    classes: Memo<(String, String), BTreeSet<String>>,
    groups: Memo<String, Option<ParameterGroup>>,
    /// How many clusters and instances use a group.
    uses: OnceCell<HashMap<String, usize>>,
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A database that an upgrade can be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// By its name.
    pub subject: Subject,
    /// Its ARN.
    pub arn: Arn,
    /// `EngineVersion`.
    pub version: String,
    /// The engine.
    pub engine: Engine,
    /// It is in a deployment, before or after its switchover.
    pub in_deployment: bool,
}

/// What is in a Region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// What can be upgraded, by name.
    pub found: Vec<Member>,
    /// What was passed over, and how many: other engines by their names, `read replica`, `green side` …
    pub passed_over: BTreeMap<String, u64>,
}

impl Region {
    /// Prepares to ask; the first call is made when something is wanted.
    ///
    /// # Errors
    /// Where there are no credentials.
    pub async fn open(
        config: &SdkConfig,
        name: &str,
        endpoint_url: Option<String>,
    ) -> Result<Arc<Self>, RdsError> {
        aws::credentials(config).await?;
        // The limiter paces and retries; the SDK must not do it behind its back.
        let client = aws_sdk_rds::config::Builder::from(config)
            .region(RegionName::new(name.to_owned()))
            .retry_config(RetryConfig::disabled())
            .build();
        let limiter = Arc::new(Limiter::default());
        Ok(Arc::new(Self {
            name: name.to_owned(),
            endpoint_url,
            reader: Reader::paced(Client::from_conf(client), Arc::clone(&limiter)),
            limiter,
            clusters: Once::new(),
            instances: Once::new(),
            deployments: Once::new(),
            maintenance: Once::new(),
            proxies: Once::new(),
            globals: Once::new(),
            integrations: Once::new(),
            endpoints: Once::new(),
            quotas: Once::new(),
            families: Memo::default(),
            versions: Memo::default(),
            majors: Memo::default(),
            classes: Memo::default(),
            groups: Memo::default(),
            uses: OnceCell::new(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls made so far.
    pub fn count(&self) -> Count {
        self.limiter.count()
    }

    /// Everything that matches: the tags must all be there, with these values where a value is given.
    ///
    /// # Errors
    /// Where clusters or instances cannot be listed.
    pub async fn members(&self, tags: &[(String, Option<String>)]) -> Result<Members, RdsError> {
        let failed = |failed: Failed| RdsError::from_call(failed, &self.place());
        let (clusters, instances, deployments) =
            tokio::join!(self.clusters(), self.instances(), self.deployments());
        let (clusters, instances) = (clusters.map_err(failed)?, instances.map_err(failed)?);
        let deployments = deployments.unwrap_or_default();
        let joined = |arn: &Arn| {
            let mut live = deployments.iter().filter(|d| d.deleted_at.is_none());
            live.any(|d| d.source == *arn || d.target.as_ref() == Some(arn))
        };
        // Without the right to see deployments each report says so; green sides are then listed like others.
        let aside = sides_aside(deployments);
        let mut members = Members::default();
        let mut pass = |what: &str| *members.passed_over.entry(what.to_owned()).or_default() += 1;
        let fits = |of: &BTreeMap<String, String>| {
            tags.iter().all(|(key, value)| {
                let is = of.get(key);
                is.is_some_and(|is| value.as_ref().is_none_or(|value| value == is))
            })
        };
        let mut found = Vec::new();
        for cluster in clusters.iter().filter(|c| fits(&c.tags)) {
            match (Engine::from_api(&cluster.engine), aside.get(cluster.arn.as_str())) {
                (None, _) => pass(&cluster.engine),
                (_, Some(what)) => pass(what),
                (Some(engine), None) => found.push(Member {
                    subject: Subject::Cluster(cluster.id.clone()),
                    arn: cluster.arn.clone(),
                    version: cluster.engine_version.clone(),
                    engine,
                    in_deployment: joined(&cluster.arn),
                }),
            }
        }
        for instance in instances
            .iter()
            .filter(|i| fits(&i.tags) && i.cluster_id.is_none())
        {
            let replica =
                instance.replication_source.is_some() || instance.replication_source_cluster.is_some();
            match (
                Engine::from_api(&instance.engine),
                aside.get(instance.arn.as_str()),
            ) {
                (None, _) => pass(&instance.engine),
                (_, Some(what)) => pass(what),
                (Some(_), None) if replica => pass("read replica"),
                (Some(engine), None) => found.push(Member {
                    subject: Subject::Instance(instance.id.clone()),
                    arn: instance.arn.clone(),
                    version: instance.engine_version.clone(),
                    engine,
                    in_deployment: joined(&instance.arn),
                }),
            }
        }
        found.sort_by(|a, b| a.arn.as_str().cmp(b.arn.as_str()));
        members.found = found;
        Ok(members)
    }

    /// Everything that checks look at of one member, as [`super::collect`] reads it.
    ///
    /// # Errors
    /// Where it cannot be found or looked at.
    pub async fn collect(self: &Arc<Self>, mut request: RdsRequest) -> Result<Collected, RdsError> {
        request.endpoint_url.clone_from(&self.endpoint_url);
        let reader = Reader::over(Arc::clone(self));
        let place = self.place();
        let found = Box::pin(subject::find(&reader, &request.subject, &place)).await?;
        let sides = Box::pin(sides(&reader, found, &place)).await?;
        Ok(Box::pin(gather::gather(&reader, &request, self.name.clone(), sides)).await)
    }

    /// The dates of a member's major, where they can be had.
    pub async fn major_of(&self, member: &Member) -> Option<MajorVersion> {
        let major = member.version.split('.').next()?;
        let all = self.major_versions(member.engine.api_name()?).await.ok()?;
        all.iter().find(|v| v.version == major).cloned()
    }

    fn place(&self) -> String {
        match &self.endpoint_url {
            Some(url) => format!("{} ({url})", self.name),
            None => self.name.clone(),
        }
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    pub(super) async fn clusters(&self) -> Result<&[Cluster], Failed> {
        let all = self
            .clusters
            .get_or_init(|| Box::pin(self.reader.db_clusters(None, None)));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn instances(&self) -> Result<&[Instance], Failed> {
        let all = self
            .instances
            .get_or_init(|| Box::pin(self.reader.db_instances(None, None)));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn deployments(&self) -> Result<&[Deployment], Failed> {
        let all = self
            .deployments
            .get_or_init(|| Box::pin(self.reader.list_deployments(None)));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn pending_maintenance(&self) -> Result<&[PendingMaintenance], Failed> {
        let all = self
            .maintenance
            .get_or_init(|| Box::pin(self.reader.list_pending_maintenance()));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn proxies(&self) -> Result<&[Proxy], Failed> {
        let all = self.proxies.get_or_init(|| Box::pin(self.reader.list_proxies()));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn globals(&self) -> Result<&[Global], Failed> {
        let all = self.globals.get_or_init(|| Box::pin(self.reader.list_globals()));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn integrations(&self) -> Result<&[Integration], Failed> {
        let all = self
            .integrations
            .get_or_init(|| Box::pin(self.reader.list_integrations()));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn cluster_endpoints(&self) -> Result<&[(String, ClusterEndpoint)], Failed> {
        let all = self
            .endpoints
            .get_or_init(|| Box::pin(self.reader.list_endpoints(None)));
        all.await.as_deref().map_err(Failed::clone)
    }

    pub(super) async fn quotas(&self) -> Result<&BTreeMap<String, Quota>, Failed> {
        let all = self
            .quotas
            .get_or_init(|| Box::pin(self.reader.list_quotas()))
            .await;
        all.as_ref().map_err(Failed::clone)
    }

    pub(super) async fn engine_versions(&self, engine: &str) -> Result<Arc<Vec<EngineVersion>>, Failed> {
        let read = self.reader.list_versions(engine, None, None);
        self.versions.get(engine.to_owned(), read).await
    }

    pub(super) async fn major_versions(&self, engine: &str) -> Result<Arc<Vec<MajorVersion>>, Failed> {
        let read = self.reader.list_majors(engine, None);
        self.majors.get(engine.to_owned(), read).await
    }

    pub(super) async fn classes(&self, engine: &str, version: &str) -> Result<Arc<BTreeSet<String>>, Failed> {
        let key = (engine.to_owned(), version.to_owned());
        self.classes
            .get(key, self.reader.list_classes(engine, version))
            .await
    }

    /// A group. What several use is kept; what only one uses is not, so that memory does not grow with the fleet.
    pub(super) async fn parameter_group(&self, key: &str) -> Result<Option<ParameterGroup>, Failed> {
        let uses = self.uses.get_or_init(|| self.count_uses()).await;
        if is_default(key) || uses.get(key).is_some_and(|n| *n > 1) {
            let kept = self.groups.get(key.to_owned(), self.read_group(key)).await?;
            return Ok((*kept).clone());
        }
        Box::pin(self.read_group(key)).await
    }

    /// A group of its own holds what was set in it (`Source` = `user`); all else is as in the default group of its
    /// family, which is read once. That makes one short call of five.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusterParameters.html>
    async fn read_group(&self, key: &str) -> Result<Option<ParameterGroup>, Failed> {
        let (kind, name) = ResourceKind::of_group(key);
        let families = async {
            let all = self.reader.group_families(kind, None).await?;
            Ok(all.into_iter().collect())
        };
        // Without the right to list groups the family stays open, as in a single look.
        let families = self.families.get(kind, families).await.unwrap_or_default();
        let family = families.get(name);
        let whole = async |key: &str, name: &str| {
            let values = self.reader.group_values(key, None).await?;
            // A default group is named after its family, and is listed only where something uses it.
            let family = families.get(name).map(String::as_str);
            let family = family.or(name.strip_prefix("default."));
            let family = family.map(str::to_owned);
            Ok(values.map(|values| convert::parameter_group(name.to_owned(), family, values)))
        };
        let Some(family) = family.filter(|_| !is_default(key)) else {
            return whole(key, name).await;
        };
        let usual = format!("default.{family}");
        let usual_key = kind.group_key(&usual);
        let base = self.groups.get(usual_key.clone(), whole(&usual_key, &usual));
        let (base, own) = tokio::join!(base, self.reader.group_values(key, Some("user")));
        let Some(base) = base?.as_ref().clone() else {
            // A family's default group is made with its first use: without it all is asked for.
            return whole(key, name).await;
        };
        Ok(own?.map(|own| {
            let mut group = convert::parameter_group(name.to_owned(), Some(family.clone()), own);
            for (name, parameter) in base.parameters {
                group.parameters.entry(name).or_insert(parameter);
            }
            group
        }))
    }

    async fn count_uses(&self) -> HashMap<String, usize> {
        let mut uses: HashMap<String, usize> = HashMap::new();
        let mut owners: HashMap<String, BTreeSet<&str>> = HashMap::new();
        for cluster in self.clusters().await.unwrap_or_default() {
            *uses
                .entry(ResourceKind::Cluster.group_key(&cluster.parameter_group))
                .or_default() += 1;
        }
        for instance in self.instances().await.unwrap_or_default() {
            let owner = instance.cluster_id.as_deref().unwrap_or(&instance.id);
            for group in &instance.parameter_groups {
                let key = ResourceKind::Instance.group_key(&group.name);
                owners.entry(key).or_default().insert(owner);
            }
        }
        uses.extend(owners.into_iter().map(|(key, owners)| (key, owners.len())));
        uses
    }
}

fn is_default(key: &str) -> bool {
    ResourceKind::of_group(key).1.starts_with("default.")
}

/// ARNs of sides that are looked at with the other side of their deployment: green before the switchover, the old side
/// after it.
fn sides_aside(deployments: &[Deployment]) -> HashMap<&str, &'static str> {
    let live = deployments.iter().filter(|d| d.deleted_at.is_none());
    live.filter_map(|d| match d.status {
        DeploymentStatus::SwitchoverCompleted => Some((d.source.as_str(), "old side")),
        _ => Some((d.target.as_ref()?.as_str(), "green side")),
    })
    .collect()
}
