//! One method a question: every page of it, within the bound on calls at the same time, retried by the SDK.

use std::{collections::BTreeMap, error::Error, fmt::Debug};

use aws_sdk_rds::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{EngineFamily, Filter, SourceType},
};
use tokio::sync::Semaphore;

use super::{
    convert,
    error::{Failed, Kind},
    look::Snapshot,
};
use crate::{
    edge::deadline,
    facts::{
        Fact, Why,
        rds::{
            Cluster, ClusterEndpoint, Deployment, EngineVersion, Event, Instance, Integration, MajorVersion,
            ParameterGroup, PendingMaintenance, Proxy, Quota,
        },
    },
};

/// RDS throttles an account's Describe calls together: a checking tool must not starve the rest.
const AT_ONCE: usize = 6;
/// Events are kept for 14 days; in minutes.
const EVENTS_MINUTES: i32 = 14 * 24 * 60;

/// Asks one Region.
pub(super) struct Reader {
    client: Client,
    permits: Semaphore,
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn unusable(action: &'static str, what: String) -> Failed {
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
        }
    }

    async fn ask<T, E, R>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> Result<T, Failed>
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Debug + 'static,
    {
        let asked = async {
            let _permit = self.permits.acquire().await.expect("never closed");
            tracing::debug!(action, "asking RDS");
            call.await.map_err(|error| Failed::of(action, &error))
        };
        let answer = deadline::bound(asked)
            .await
            .unwrap_or_else(|passed| Err(Failed::late(action, passed)));
        if let Err(failed) = &answer {
            tracing::debug!(
                action,
                code = failed.code,
                message = failed.message,
                "RDS refused"
            );
        }
        answer
    }

    /// Clusters: one by name or ARN, those of a clone group, or all.
    async fn db_clusters(&self, id: Option<&str>, by: Option<Filter>) -> Result<Vec<Cluster>, Failed> {
        const ACTION: &str = "DescribeDBClusters";
        let call = self
            .client
            .describe_db_clusters()
            .set_db_cluster_identifier(id.map(str::to_owned))
            .set_filters(by.map(|f| vec![f]));
        let found = self
            .ask(ACTION, call.into_paginator().items().send().try_collect())
            .await?;
        let clusters = found.into_iter().map(convert::cluster).collect::<Result<_, _>>();
        clusters.map_err(|what| unusable(ACTION, what))
    }

    pub(super) async fn cluster(&self, id: &str) -> Result<Option<Cluster>, Failed> {
        absent(
            self.db_clusters(Some(id), None)
                .await
                .map(|mut found| found.pop()),
        )
    }

    pub(super) async fn cluster_names(&self) -> Result<Vec<String>, Failed> {
        let found = self.db_clusters(None, None).await?;
        Ok(found.into_iter().map(|c| c.id).collect())
    }

    /// How many clusters share a volume by cloning.
    pub(super) async fn clones(&self, group: &str) -> Result<u32, Failed> {
        let found = self
            .db_clusters(None, Some(filter("clone-group-id", group)))
            .await?;
        Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
    }

    async fn db_instances(&self, id: Option<&str>, by: Option<Filter>) -> Result<Vec<Instance>, Failed> {
        const ACTION: &str = "DescribeDBInstances";
        let call = self
            .client
            .describe_db_instances()
            .set_db_instance_identifier(id.map(str::to_owned))
            .set_filters(by.map(|f| vec![f]));
        let found = self
            .ask(ACTION, call.into_paginator().items().send().try_collect())
            .await?;
        let instances = found.into_iter().map(convert::instance).collect::<Result<_, _>>();
        instances.map_err(|what| unusable(ACTION, what))
    }

    pub(super) async fn instance(&self, id: &str) -> Result<Option<Instance>, Failed> {
        absent(
            self.db_instances(Some(id), None)
                .await
                .map(|mut found| found.pop()),
        )
    }

    pub(super) async fn instances_of(&self, cluster: &str) -> Result<Vec<Instance>, Failed> {
        self.db_instances(None, Some(filter("db-cluster-id", cluster)))
            .await
    }

    pub(super) async fn instance_names(&self) -> Result<Vec<String>, Failed> {
        let found = self.db_instances(None, None).await?;
        Ok(found.into_iter().map(|i| i.id).collect())
    }

    /// Deployments by `blue-green-deployment-identifier`, `blue-green-deployment-name`, `source` or `target`; or all.
    pub(super) async fn deployments(&self, by: Option<(&str, &str)>) -> Result<Vec<Deployment>, Failed> {
        const ACTION: &str = "DescribeBlueGreenDeployments";
        let filters = by.map(|(name, value)| vec![filter(name, value)]);
        let call = self.client.describe_blue_green_deployments().set_filters(filters);
        let found = self
            .ask(ACTION, call.into_paginator().items().send().try_collect())
            .await;
        let found = absent(found.map(Some))?.unwrap_or_default();
        let deployments = found
            .into_iter()
            .map(convert::deployment)
            .collect::<Result<_, _>>();
        deployments.map_err(|what| unusable(ACTION, what))
    }

    /// A group by its key (`cluster:NAME`, `instance:NAME`); none where it does not exist.
    pub(super) async fn parameter_group(&self, key: &str) -> Result<Option<ParameterGroup>, Failed> {
        let (kind, name) = key.split_once(':').unwrap_or(("instance", key));
        let (family, parameters) = match kind {
            "cluster" => {
                let group = self
                    .client
                    .describe_db_cluster_parameter_groups()
                    .db_cluster_parameter_group_name(name)
                    .into_paginator()
                    .items()
                    .send()
                    .try_collect();
                let values = self
                    .client
                    .describe_db_cluster_parameters()
                    .db_cluster_parameter_group_name(name)
                    .into_paginator()
                    .items()
                    .send()
                    .try_collect();
                tokio::join!(
                    async {
                        let groups = self.ask("DescribeDBClusterParameterGroups", group).await?;
                        Ok::<_, Failed>(groups.into_iter().find_map(|g| g.db_parameter_group_family))
                    },
                    self.ask("DescribeDBClusterParameters", values)
                )
            }
            _ => {
                let group = self
                    .client
                    .describe_db_parameter_groups()
                    .db_parameter_group_name(name)
                    .into_paginator()
                    .items()
                    .send()
                    .try_collect();
                let values = self
                    .client
                    .describe_db_parameters()
                    .db_parameter_group_name(name)
                    .into_paginator()
                    .items()
                    .send()
                    .try_collect();
                tokio::join!(
                    async {
                        let groups = self.ask("DescribeDBParameterGroups", group).await?;
                        Ok::<_, Failed>(groups.into_iter().find_map(|g| g.db_parameter_group_family))
                    },
                    self.ask("DescribeDBParameters", values)
                )
            }
        };
        let Some(values) = absent(parameters.map(Some))? else {
            return Ok(None);
        };
        // The values matter more: without the right to list groups only the family stays open.
        let family = family.unwrap_or_default();
        Ok(Some(convert::parameter_group(name.to_owned(), family, values)))
    }

    /// Engine versions of a family, or one version; retired ones as well.
    pub(super) async fn engine_versions(
        &self,
        engine: &str,
        family: Option<&str>,
        version: Option<&str>,
    ) -> Result<Vec<EngineVersion>, Failed> {
        let call = self
            .client
            .describe_db_engine_versions()
            .engine(engine)
            .set_db_parameter_group_family(family.map(str::to_owned))
            .set_engine_version(version.map(str::to_owned))
            .include_all(true);
        let call = call.into_paginator().items().send().try_collect();
        let found = self.ask("DescribeDBEngineVersions", call).await?;
        Ok(found.into_iter().filter_map(convert::engine_version).collect())
    }

    pub(super) async fn major_version(
        &self,
        engine: &str,
        major: u16,
    ) -> Result<Option<MajorVersion>, Failed> {
        let major = major.to_string();
        let call = self
            .client
            .describe_db_major_engine_versions()
            .engine(engine)
            .major_engine_version(&major)
            .into_paginator()
            .items()
            .send()
            .try_collect();
        let found = self.ask("DescribeDBMajorEngineVersions", call).await?;
        let mut found = found.into_iter().filter_map(convert::major_version);
        Ok(found.find(|v| v.version == major))
    }

    /// Whether an instance class can be ordered with a version.
    pub(super) async fn orderable(&self, engine: &str, version: &str, class: &str) -> Result<bool, Failed> {
        // The first page is enough, and pages are long.
        let call = self
            .client
            .describe_orderable_db_instance_options()
            .engine(engine)
            .engine_version(version)
            .db_instance_class(class)
            .send();
        let found = self.ask("DescribeOrderableDBInstanceOptions", call).await?;
        Ok(!found.orderable_db_instance_options().is_empty())
    }

    pub(super) async fn pending_maintenance(&self) -> Result<Vec<PendingMaintenance>, Failed> {
        let call = self.client.describe_pending_maintenance_actions();
        let call = call.into_paginator().items().send().try_collect();
        let found = self.ask("DescribePendingMaintenanceActions", call).await?;
        Ok(found.into_iter().flat_map(convert::pending_maintenance).collect())
    }

    /// A snapshot of a cluster or of an instance; none where there is none of that name.
    pub(super) async fn snapshot(&self, name: &str, of_cluster: bool) -> Result<Option<Snapshot>, Failed> {
        if of_cluster {
            let call = self
                .client
                .describe_db_cluster_snapshots()
                .db_cluster_snapshot_identifier(name)
                .into_paginator()
                .items()
                .send()
                .try_collect();
            let found = absent(self.ask("DescribeDBClusterSnapshots", call).await.map(Some))?;
            return Ok(found.unwrap_or_default().into_iter().next().map(|s| Snapshot {
                status: s.status.unwrap_or_default(),
                of: s.db_cluster_identifier.unwrap_or_default(),
                percent: s.percent_progress,
            }));
        }
        let call = self
            .client
            .describe_db_snapshots()
            .db_snapshot_identifier(name)
            .into_paginator()
            .items()
            .send()
            .try_collect();
        let found = absent(self.ask("DescribeDBSnapshots", call).await.map(Some))?;
        Ok(found.unwrap_or_default().into_iter().next().map(|s| Snapshot {
            status: s.status.unwrap_or_default(),
            of: s.db_instance_identifier.unwrap_or_default(),
            percent: s.percent_progress,
        }))
    }

    /// Events of one resource.
    pub(super) async fn events(&self, kind: SourceType, id: &str) -> Result<Vec<Event>, Failed> {
        let call = self
            .client
            .describe_events()
            .source_type(kind)
            .source_identifier(id)
            .duration(EVENTS_MINUTES)
            .into_paginator()
            .items()
            .send()
            .try_collect();
        let found = self.ask("DescribeEvents", call).await;
        // A resource of which nothing has been heard may be none to the events.
        let found = absent(found.map(Some))?.unwrap_or_default();
        Ok(found.into_iter().filter_map(convert::event).collect())
    }

    /// The account's proxies for PostgreSQL, with their targets.
    pub(super) async fn proxies(&self) -> Result<Vec<Proxy>, Failed> {
        let call = self
            .client
            .describe_db_proxies()
            .into_paginator()
            .items()
            .send()
            .try_collect();
        let found = self.ask("DescribeDBProxies", call).await?;
        let proxies = found
            .into_iter()
            .filter(|p| {
                p.engine_family
                    .as_deref()
                    .is_none_or(|f| f == EngineFamily::Postgresql.as_str())
            })
            .filter_map(|p| Some((p.db_proxy_name?, p.status.map(|s| s.as_str().to_owned()))));
        let all = proxies.map(async |(name, status)| {
            let call = self
                .client
                .describe_db_proxy_targets()
                .db_proxy_name(&name)
                .into_paginator()
                .items()
                .send()
                .try_collect();
            let targets = self.ask("DescribeDBProxyTargets", call).await;
            Proxy {
                targets: fact(targets.map(|found| found.into_iter().map(convert::proxy_target).collect())),
                status: status.unwrap_or_default(),
                name,
            }
        });
        Ok(futures_util::future::join_all(all).await)
    }

    /// The global cluster with this member: its name, whether the member writes, the others.
    pub(super) async fn global_cluster(
        &self,
        member: &str,
    ) -> Result<Option<(String, bool, Vec<String>)>, Failed> {
        let call = self.client.describe_global_clusters();
        let call = call.into_paginator().items().send().try_collect();
        let found = self.ask("DescribeGlobalClusters", call).await?;
        Ok(found.into_iter().find_map(|g| {
            let members = g.global_cluster_members.unwrap_or_default();
            let own = members
                .iter()
                .find(|m| m.db_cluster_arn.as_deref() == Some(member))?;
            let writes = own.is_writer.unwrap_or_default();
            let others = members.iter().filter_map(|m| m.db_cluster_arn.clone());
            let others = others.filter(|arn| arn != member).collect();
            Some((g.global_cluster_identifier.unwrap_or_default(), writes, others))
        }))
    }

    /// Zero-ETL integrations whose source is one of these ARNs.
    pub(super) async fn integrations(&self, sources: &[String]) -> Result<Vec<Integration>, Failed> {
        let call = self
            .client
            .describe_integrations()
            .into_paginator()
            .items()
            .send()
            .try_collect();
        let found = self.ask("DescribeIntegrations", call).await?;
        let mine = found.into_iter().filter_map(|i| {
            let source = i.source_arn.filter(|arn| sources.contains(arn))?;
            Some(Integration {
                name: i.integration_name.unwrap_or_default(),
                arn: i.integration_arn,
                source,
                status: i.status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
            })
        });
        Ok(mine.collect())
    }

    /// Custom endpoints of a cluster.
    pub(super) async fn cluster_endpoints(&self, cluster: &str) -> Result<Vec<ClusterEndpoint>, Failed> {
        let call = self
            .client
            .describe_db_cluster_endpoints()
            .db_cluster_identifier(cluster)
            .into_paginator()
            .items()
            .send()
            .try_collect();
        let found = self.ask("DescribeDBClusterEndpoints", call).await?;
        let custom = found
            .into_iter()
            .filter(|e| e.endpoint_type.as_deref() == Some("CUSTOM"));
        Ok(custom.filter_map(convert::cluster_endpoint).collect())
    }

    pub(super) async fn quotas(&self) -> Result<BTreeMap<String, Quota>, Failed> {
        let call = self.client.describe_account_attributes().send();
        let found = self.ask("DescribeAccountAttributes", call).await?;
        let quotas = found
            .account_quotas
            .unwrap_or_default()
            .into_iter()
            .filter_map(|q| {
                let quota = Quota {
                    used: q.used?,
                    max: q.max?,
                };
                Some((q.account_quota_name?, quota))
            });
        Ok(quotas.collect())
    }
}

/// "Not found" is an answer.
fn absent<T>(answer: Result<Option<T>, Failed>) -> Result<Option<T>, Failed> {
    match answer {
        Err(failed) if failed.kind == Kind::NotFound => Ok(None),
        answer => answer,
    }
}

/// A fact that nobody asked for.
pub(super) fn not_asked<T>(why: &str) -> Fact<T> {
    Fact::unknown(Why::NotAsked, why)
}
