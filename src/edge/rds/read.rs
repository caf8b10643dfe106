//! One method a question: every page of it, within the bound on calls at the same time.
//!
//! A single look is retried by the SDK. A reader of a whole [`Region`] takes turns of the account's [`Limiter`], retries
//! by it, and answers from what was read once for all.

use std::{collections::BTreeSet, error::Error, fmt::Debug, sync::Arc};

use aws_sdk_rds::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{Filter, Parameter},
};
use tokio::sync::Semaphore;

use super::{
    convert,
    error::{Failed, Kind},
    limiter::{Limiter, Tries},
    look::Snapshot,
    region::Region,
};
use crate::{
    edge::{answers, deadline},
    facts::{
        Fact, Why,
        rds::{Cluster, Deployment, Instance, ParameterGroup},
    },
    model::ResourceKind,
};

/// One page of a question: sends the call that was built so far, and takes the field with the records.
macro_rules! page {
    ($call:expr, $records:ident) => {
        async |marker| {
            let page = $call.set_marker(marker).send().await?;
            Ok((page.$records, page.marker))
        }
    };
}
pub(super) use page;

/// RDS throttles an account's Describe calls together: a checking tool must not starve the rest.
const AT_ONCE: usize = 6;
/// Pages of one question, of 100 records each: far more than the largest account has.
const MOST_PAGES: usize = 1000;

/// Asks one Region.
pub(super) struct Reader {
    pub(super) client: Client,
    permits: Semaphore,
    /// Paces and retries, where the SDK does not.
    limiter: Option<Arc<Limiter>>,
    /// What was read once for all.
    region: Option<Arc<Region>>,
}

pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

pub(super) fn unusable(action: &'static str, what: String) -> Failed {
    Failed {
        action,
        kind: Kind::Fault,
        code: "unusable answer".to_owned(),
        message: what,
    }
}

/// What was read, or why not.
pub(super) fn fact<T>(answer: Result<T, Failed>) -> Fact<T> {
    match answer {
        Ok(value) => Fact::Known(value),
        Err(failed) => failed.fact(),
    }
}

impl Reader {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            permits: Semaphore::new(AT_ONCE),
            limiter: None,
            region: None,
        }
    }

    /// A reader whose client does not retry: the limiter does.
    pub(super) fn paced(client: Client, limiter: Arc<Limiter>) -> Self {
        Self {
            limiter: Some(limiter),
            ..Self::new(client)
        }
    }

    /// A reader that answers from what was read once, where that is enough.
    pub(super) fn over(region: Arc<Region>) -> Self {
        Self {
            limiter: Some(Arc::clone(region.limiter())),
            region: Some(Arc::clone(&region)),
            ..Self::new(region.reader().client.clone())
        }
    }

    /// What was read once for all, where this reads for many subjects.
    pub(super) fn shared(&self) -> Option<&Region> {
        self.region.as_deref()
    }

    pub(super) async fn ask<T, E, R>(
        &self,
        action: &'static str,
        call: impl AsyncFn() -> Result<T, SdkError<E, R>>,
    ) -> Result<T, Failed>
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Debug + 'static,
    {
        let mut tries = Tries::default();
        loop {
            let asked = async {
                if let Some(limiter) = &self.limiter {
                    limiter.turn().await;
                }
                let _permit = self.permits.acquire().await.expect("never closed");
                tracing::debug!(action, "asking RDS");
                call().await.map_err(|error| Failed::of(action, &error))
            };
            let answer = match deadline::bound(asked).await {
                Ok(answer) => answer,
                Err(passed) => return Err(Failed::late(action, passed)),
            };
            let failed = match answer {
                Ok(found) => {
                    if let Some(limiter) = &self.limiter {
                        limiter.went_well();
                    }
                    return Ok(found);
                }
                Err(failed) => failed,
            };
            tracing::debug!(
                action,
                code = failed.code,
                message = failed.message,
                "RDS refused"
            );
            let again = self.limiter.as_ref().and_then(|l| l.again(&failed, &mut tries));
            let Some(pause) = again else { return Err(failed) };
            if deadline::bound(tokio::time::sleep(pause)).await.is_err() {
                return Err(failed);
            }
        }
    }

    /// All pages of a question, each a call of its own.
    pub(super) async fn pages<T, E, R>(
        &self,
        action: &'static str,
        page: impl AsyncFn(Option<String>) -> Result<(Option<Vec<T>>, Option<String>), SdkError<E, R>>,
    ) -> Result<Vec<T>, Failed>
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Debug + 'static,
    {
        answers::of_one_question(async {
            let mut all = Vec::new();
            let mut seen: BTreeSet<String> = BTreeSet::new();
            let mut marker: Option<String> = None;
            loop {
                let call = Box::pin(self.ask(action, async || page(marker.clone()).await));
                let (found, next) = call.await?;
                all.extend(found.unwrap_or_default());
                let Some(next) = next.filter(|next| !next.is_empty()) else {
                    return Ok(all);
                };
                if !seen.insert(next.clone()) {
                    return Err(unusable(action, "the same page again and again".to_owned()));
                }
                if seen.len() >= MOST_PAGES {
                    return Err(unusable(
                        action,
                        format!("more than {MOST_PAGES} pages, without an end"),
                    ));
                }
                marker = Some(next);
            }
        })
        .await
    }

    /// Clusters: one by name or ARN, those of a clone group, or all.
    pub(super) async fn db_clusters(
        &self,
        id: Option<&str>,
        by: Option<Filter>,
    ) -> Result<Vec<Cluster>, Failed> {
        const ACTION: &str = "DescribeDBClusters";
        let call = || {
            let call = self.client.describe_db_clusters();
            call.set_db_cluster_identifier(id.map(str::to_owned))
                .set_filters(by.clone().map(|f| vec![f]))
        };
        let found = self.pages(ACTION, page!(call(), db_clusters)).await?;
        let clusters = found.into_iter().map(convert::cluster).collect::<Result<_, _>>();
        clusters.map_err(|what| unusable(ACTION, what))
    }

    pub(super) async fn cluster(&self, id: &str) -> Result<Option<Cluster>, Failed> {
        if let Some(region) = self.shared() {
            let all = region.clusters().await?;
            return Ok(all.iter().find(|c| c.id == id || c.arn.as_str() == id).cloned());
        }
        let found = self.db_clusters(Some(id), None).await;
        absent(found.map(|mut found| found.pop()))
    }

    pub(super) async fn cluster_names(&self) -> Result<Vec<String>, Failed> {
        let found = self.db_clusters(None, None).await?;
        Ok(found.into_iter().map(|c| c.id).collect())
    }

    /// How many clusters share a volume by cloning.
    pub(super) async fn clones(&self, group: &str) -> Result<u32, Failed> {
        let found = match self.shared() {
            Some(region) => {
                let all = region.clusters().await?;
                let of_group = |c: &&Cluster| c.clone_group_id.as_deref() == Some(group);
                all.iter().filter(of_group).count()
            }
            None => {
                let by = Some(filter("clone-group-id", group));
                self.db_clusters(None, by).await?.len()
            }
        };
        Ok(u32::try_from(found).unwrap_or(u32::MAX))
    }

    pub(super) async fn db_instances(
        &self,
        id: Option<&str>,
        by: Option<Filter>,
    ) -> Result<Vec<Instance>, Failed> {
        const ACTION: &str = "DescribeDBInstances";
        let call = || {
            let call = self.client.describe_db_instances();
            call.set_db_instance_identifier(id.map(str::to_owned))
                .set_filters(by.clone().map(|f| vec![f]))
        };
        let found = self.pages(ACTION, page!(call(), db_instances)).await?;
        let instances = found.into_iter().map(convert::instance).collect::<Result<_, _>>();
        instances.map_err(|what| unusable(ACTION, what))
    }

    pub(super) async fn instance(&self, id: &str) -> Result<Option<Instance>, Failed> {
        if let Some(region) = self.shared() {
            let all = region.instances().await?;
            return Ok(all.iter().find(|i| i.id == id || i.arn.as_str() == id).cloned());
        }
        let found = self.db_instances(Some(id), None).await;
        absent(found.map(|mut found| found.pop()))
    }

    pub(super) async fn instances_of(&self, cluster: &str) -> Result<Vec<Instance>, Failed> {
        if let Some(region) = self.shared() {
            let all = region.instances().await?;
            let of_cluster = |i: &&Instance| i.cluster_id.as_deref() == Some(cluster);
            return Ok(all.iter().filter(of_cluster).cloned().collect());
        }
        self.db_instances(None, Some(filter("db-cluster-id", cluster)))
            .await
    }

    pub(super) async fn instance_names(&self) -> Result<Vec<String>, Failed> {
        let found = self.db_instances(None, None).await?;
        Ok(found.into_iter().map(|i| i.id).collect())
    }

    /// Deployments by `blue-green-deployment-identifier`, `blue-green-deployment-name`, `source` or `target`; or all.
    pub(super) async fn deployments(&self, by: Option<(&str, &str)>) -> Result<Vec<Deployment>, Failed> {
        if let (Some(region), Some((name, value))) = (self.shared(), by) {
            let all = region.deployments().await?;
            let is = |d: &&Deployment| match name {
                "source" => d.source.as_str() == value,
                "target" => d.target.as_ref().is_some_and(|arn| arn.as_str() == value),
                "blue-green-deployment-name" => d.name == value,
                _ => d.id == value,
            };
            return Ok(all.iter().filter(is).cloned().collect());
        }
        self.list_deployments(by).await
    }

    /// The same, asked of RDS.
    pub(super) async fn list_deployments(&self, by: Option<(&str, &str)>) -> Result<Vec<Deployment>, Failed> {
        const ACTION: &str = "DescribeBlueGreenDeployments";
        let call = || {
            let filters = by.map(|(name, value)| vec![filter(name, value)]);
            self.client.describe_blue_green_deployments().set_filters(filters)
        };
        let found = self.pages(ACTION, page!(call(), blue_green_deployments)).await;
        let found = absent(found.map(Some))?.unwrap_or_default();
        let deployments = found
            .into_iter()
            .map(convert::deployment)
            .collect::<Result<_, _>>();
        deployments.map_err(|what| unusable(ACTION, what))
    }

    /// A snapshot of a cluster or of an instance; none where there is none of that name.
    pub(super) async fn snapshot(&self, name: &str, of_cluster: bool) -> Result<Option<Snapshot>, Failed> {
        if of_cluster {
            let call = || {
                let call = self.client.describe_db_cluster_snapshots();
                call.db_cluster_snapshot_identifier(name)
            };
            let found = self.pages("DescribeDBClusterSnapshots", page!(call(), db_cluster_snapshots));
            let found = absent(found.await.map(Some))?.unwrap_or_default();
            return Ok(found.into_iter().next().map(|s| Snapshot {
                status: s.status.unwrap_or_default(),
                of: s.db_cluster_identifier.unwrap_or_default(),
                percent: s.percent_progress,
            }));
        }
        let call = || self.client.describe_db_snapshots().db_snapshot_identifier(name);
        let found = self.pages("DescribeDBSnapshots", page!(call(), db_snapshots));
        let found = absent(found.await.map(Some))?.unwrap_or_default();
        Ok(found.into_iter().next().map(|s| Snapshot {
            status: s.status.unwrap_or_default(),
            of: s.db_instance_identifier.unwrap_or_default(),
            percent: s.percent_progress,
        }))
    }

    /// A group by its key (`cluster:NAME`, `instance:NAME`); none where it does not exist.
    pub(super) async fn parameter_group(&self, key: &str) -> Result<Option<ParameterGroup>, Failed> {
        match self.shared() {
            Some(region) => region.parameter_group(key).await,
            None => {
                let (kind, name) = ResourceKind::of_group(key);
                let families = self.group_families(kind, Some(name));
                let (families, values) = tokio::join!(families, self.group_values(key, None));
                // The values matter more: without the right to list groups only the family stays open.
                let family = families.unwrap_or_default().pop().map(|(_, family)| family);
                Ok(values?.map(|values| convert::parameter_group(name.to_owned(), family, values)))
            }
        }
    }

    /// Names and families of the groups of a kind, or of the one with this name.
    pub(super) async fn group_families(
        &self,
        kind: ResourceKind,
        name: Option<&str>,
    ) -> Result<Vec<(String, String)>, Failed> {
        let name = name.map(str::to_owned);
        let both = |name: Option<String>, family: Option<String>| Some((name?, family?));
        Ok(match kind {
            ResourceKind::Cluster => {
                let call = || {
                    let call = self.client.describe_db_cluster_parameter_groups();
                    call.set_db_cluster_parameter_group_name(name.clone())
                };
                let found = self.pages(
                    "DescribeDBClusterParameterGroups",
                    page!(call(), db_cluster_parameter_groups),
                );
                let found = found.await?.into_iter();
                found
                    .filter_map(|g| both(g.db_cluster_parameter_group_name, g.db_parameter_group_family))
                    .collect()
            }
            ResourceKind::Instance => {
                let call = || {
                    let call = self.client.describe_db_parameter_groups();
                    call.set_db_parameter_group_name(name.clone())
                };
                let found = self.pages("DescribeDBParameterGroups", page!(call(), db_parameter_groups));
                let found = found.await?.into_iter();
                found
                    .filter_map(|g| both(g.db_parameter_group_name, g.db_parameter_group_family))
                    .collect()
            }
        })
    }

    /// The parameters of a group, all or those of one source (`user`); none where there is no such group.
    pub(super) async fn group_values(
        &self,
        key: &str,
        source: Option<&str>,
    ) -> Result<Option<Vec<Parameter>>, Failed> {
        let (kind, name) = ResourceKind::of_group(key);
        let found = match kind {
            ResourceKind::Cluster => {
                let call = || {
                    let call = self.client.describe_db_cluster_parameters();
                    call.db_cluster_parameter_group_name(name)
                        .set_source(source.map(str::to_owned))
                };
                self.pages("DescribeDBClusterParameters", page!(call(), parameters))
                    .await
            }
            ResourceKind::Instance => {
                let call = || {
                    let call = self.client.describe_db_parameters();
                    call.db_parameter_group_name(name)
                        .set_source(source.map(str::to_owned))
                };
                self.pages("DescribeDBParameters", page!(call(), parameters))
                    .await
            }
        };
        absent(found.map(Some))
    }

    /// The parameters of a family, without any group.
    pub(super) async fn family_defaults(
        &self,
        family: &str,
        kind: ResourceKind,
    ) -> Result<Vec<Parameter>, Failed> {
        match kind {
            ResourceKind::Cluster => {
                let page = async |marker| {
                    let call = self.client.describe_engine_default_cluster_parameters();
                    let call = call.db_parameter_group_family(family).set_marker(marker);
                    let defaults = call.send().await?.engine_defaults;
                    Ok(defaults.map_or((None, None), |d| (d.parameters, d.marker)))
                };
                self.pages("DescribeEngineDefaultClusterParameters", page).await
            }
            ResourceKind::Instance => {
                let page = async |marker| {
                    let call = self.client.describe_engine_default_parameters();
                    let call = call.db_parameter_group_family(family).set_marker(marker);
                    let defaults = call.send().await?.engine_defaults;
                    Ok(defaults.map_or((None, None), |d| (d.parameters, d.marker)))
                };
                self.pages("DescribeEngineDefaultParameters", page).await
            }
        }
    }
}

/// "Not found" is an answer.
pub(super) fn absent<T>(answer: Result<Option<T>, Failed>) -> Result<Option<T>, Failed> {
    match answer {
        Err(failed) if failed.kind == Kind::NotFound => Ok(None),
        answer => answer,
    }
}

/// A fact that nobody asked for.
pub(super) fn not_asked<T>(why: &str) -> Fact<T> {
    Fact::unknown(Why::NotAsked, why)
}
