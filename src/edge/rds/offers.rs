//! The rest of the questions: what RDS offers, and what stands around a cluster or an instance.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_rds::types::{EngineFamily, SourceType};

use super::{
    convert,
    error::Failed,
    read::{Reader, absent, fact, filter, page},
};
use crate::facts::rds::{
    ClusterEndpoint, EngineVersion, Event, Integration, MajorVersion, PendingMaintenance, Proxy, Quota,
};

/// Events are kept for 14 days; in minutes.
const EVENTS_MINUTES: i32 = 14 * 24 * 60;
/// The most records of a page of orderable options.
const LONG_PAGE: i32 = 1000;

/// A global cluster: its name, and its members' ARNs with whether each writes.
#[derive(Clone, Debug)]
pub(super) struct Global {
    pub(super) id: String,
    pub(super) members: Vec<(String, bool)>,
}

impl Reader {
    /// Engine versions of a family, or one version; retired ones as well.
    pub(super) async fn engine_versions(
        &self,
        engine: &str,
        family: Option<&str>,
        version: Option<&str>,
    ) -> Result<Vec<EngineVersion>, Failed> {
        if let Some(region) = self.shared() {
            let all = region.engine_versions(engine).await?;
            let is = |v: &&EngineVersion| {
                family.is_none_or(|family| v.family.as_deref() == Some(family))
                    && version.is_none_or(|version| v.version == version)
            };
            return Ok(all.iter().filter(is).cloned().collect());
        }
        self.list_versions(engine, family, version).await
    }

    /// The same, asked of RDS.
    pub(super) async fn list_versions(
        &self,
        engine: &str,
        family: Option<&str>,
        version: Option<&str>,
    ) -> Result<Vec<EngineVersion>, Failed> {
        let call = || {
            let call = self.client.describe_db_engine_versions();
            call.engine(engine)
                .set_db_parameter_group_family(family.map(str::to_owned))
                .set_engine_version(version.map(str::to_owned))
                .include_all(true)
        };
        let found = self.pages("DescribeDBEngineVersions", page!(call(), db_engine_versions));
        let found = found.await?.into_iter();
        Ok(found.filter_map(convert::engine_version).collect())
    }

    pub(super) async fn major_version(
        &self,
        engine: &str,
        major: u16,
    ) -> Result<Option<MajorVersion>, Failed> {
        let major = major.to_string();
        if let Some(region) = self.shared() {
            let all = region.major_versions(engine).await?;
            return Ok(all.iter().find(|v| v.version == major).cloned());
        }
        let found = self.list_majors(engine, Some(&major)).await?;
        Ok(found.into_iter().find(|v| v.version == major))
    }

    /// Major versions of an engine, or one of them, with their dates of support.
    pub(super) async fn list_majors(
        &self,
        engine: &str,
        major: Option<&str>,
    ) -> Result<Vec<MajorVersion>, Failed> {
        let call = || {
            let call = self.client.describe_db_major_engine_versions();
            call.engine(engine)
                .set_major_engine_version(major.map(str::to_owned))
        };
        let found = self.pages(
            "DescribeDBMajorEngineVersions",
            page!(call(), db_major_engine_versions),
        );
        let found = found.await?.into_iter();
        Ok(found.filter_map(convert::major_version).collect())
    }

    /// Whether an instance class can be ordered with a version.
    pub(super) async fn orderable(&self, engine: &str, version: &str, class: &str) -> Result<bool, Failed> {
        if let Some(region) = self.shared() {
            return Ok(region.classes(engine, version).await?.contains(class));
        }
        // The first page is enough, and pages are long.
        let call = async || {
            let call = self.client.describe_orderable_db_instance_options();
            let call = call
                .engine(engine)
                .engine_version(version)
                .db_instance_class(class);
            call.send().await
        };
        let found = self.ask("DescribeOrderableDBInstanceOptions", call).await?;
        Ok(!found.orderable_db_instance_options().is_empty())
    }

    /// All classes that can be ordered with a version.
    pub(super) async fn list_classes(&self, engine: &str, version: &str) -> Result<BTreeSet<String>, Failed> {
        let call = || {
            let call = self.client.describe_orderable_db_instance_options();
            call.engine(engine).engine_version(version).max_records(LONG_PAGE)
        };
        let found = self.pages(
            "DescribeOrderableDBInstanceOptions",
            page!(call(), orderable_db_instance_options),
        );
        let found = found.await?.into_iter();
        Ok(found.filter_map(|option| option.db_instance_class).collect())
    }

    pub(super) async fn pending_maintenance(&self) -> Result<Vec<PendingMaintenance>, Failed> {
        if let Some(region) = self.shared() {
            return Ok(region.pending_maintenance().await?.to_vec());
        }
        self.list_pending_maintenance().await
    }

    pub(super) async fn list_pending_maintenance(&self) -> Result<Vec<PendingMaintenance>, Failed> {
        let call = || self.client.describe_pending_maintenance_actions();
        let found = self.pages(
            "DescribePendingMaintenanceActions",
            page!(call(), pending_maintenance_actions),
        );
        let found = found.await?.into_iter();
        Ok(found.flat_map(convert::pending_maintenance).collect())
    }

    /// Events of one resource.
    pub(super) async fn events(&self, kind: SourceType, id: &str) -> Result<Vec<Event>, Failed> {
        let call = || {
            let call = self.client.describe_events();
            call.source_type(kind.clone())
                .source_identifier(id)
                .duration(EVENTS_MINUTES)
        };
        let found = self.pages("DescribeEvents", page!(call(), events)).await;
        // A resource of which nothing has been heard may be none to the events.
        let found = absent(found.map(Some))?.unwrap_or_default();
        Ok(found.into_iter().filter_map(convert::event).collect())
    }

    /// The account's proxies for PostgreSQL, with their targets.
    pub(super) async fn proxies(&self) -> Result<Vec<Proxy>, Failed> {
        if let Some(region) = self.shared() {
            return Ok(region.proxies().await?.to_vec());
        }
        self.list_proxies().await
    }

    pub(super) async fn list_proxies(&self) -> Result<Vec<Proxy>, Failed> {
        let call = || self.client.describe_db_proxies();
        let found = self.pages("DescribeDBProxies", page!(call(), db_proxies)).await?;
        let proxies = found
            .into_iter()
            .filter(|p| {
                p.engine_family
                    .as_deref()
                    .is_none_or(|f| f == EngineFamily::Postgresql.as_str())
            })
            .filter_map(|p| Some((p.db_proxy_name?, p.status.map(|s| s.as_str().to_owned()))));
        let all = proxies.map(async |(name, status)| {
            let call = || self.client.describe_db_proxy_targets().db_proxy_name(&name);
            let targets = self.pages("DescribeDBProxyTargets", page!(call(), targets)).await;
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
        let of_member = |all: &[Global]| {
            all.iter().find_map(|global| {
                let (_, writes) = global.members.iter().find(|(arn, _)| arn == member)?;
                let others = global.members.iter().map(|(arn, _)| arn);
                let others = others.filter(|arn| *arn != member).cloned().collect();
                Some((global.id.clone(), *writes, others))
            })
        };
        match self.shared() {
            Some(region) => Ok(of_member(region.globals().await?)),
            None => Ok(of_member(&self.list_globals().await?)),
        }
    }

    /// All global clusters.
    pub(super) async fn list_globals(&self) -> Result<Vec<Global>, Failed> {
        let call = || self.client.describe_global_clusters();
        let found = self
            .pages("DescribeGlobalClusters", page!(call(), global_clusters))
            .await?;
        let global = |g: aws_sdk_rds::types::GlobalCluster| {
            let members = g.global_cluster_members.unwrap_or_default().into_iter();
            Global {
                id: g.global_cluster_identifier.unwrap_or_default(),
                members: members
                    .filter_map(|m| Some((m.db_cluster_arn?, m.is_writer.unwrap_or_default())))
                    .collect(),
            }
        };
        Ok(found.into_iter().map(global).collect())
    }

    /// Zero-ETL integrations whose source is one of these ARNs.
    pub(super) async fn integrations(&self, sources: &[String]) -> Result<Vec<Integration>, Failed> {
        let mine = |i: &Integration| sources.contains(&i.source);
        match self.shared() {
            Some(region) => Ok(region
                .integrations()
                .await?
                .iter()
                .filter(|i| mine(i))
                .cloned()
                .collect()),
            None => Ok(self.list_integrations().await?.into_iter().filter(mine).collect()),
        }
    }

    /// All zero-ETL integrations.
    pub(super) async fn list_integrations(&self) -> Result<Vec<Integration>, Failed> {
        let call = || self.client.describe_integrations();
        let found = self
            .pages("DescribeIntegrations", page!(call(), integrations))
            .await?;
        let one = |i: aws_sdk_rds::types::Integration| {
            Some(Integration {
                name: i.integration_name.unwrap_or_default(),
                arn: i.integration_arn,
                source: i.source_arn?,
                status: i.status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
            })
        };
        Ok(found.into_iter().filter_map(one).collect())
    }

    /// Custom endpoints of a cluster.
    pub(super) async fn cluster_endpoints(&self, cluster: &str) -> Result<Vec<ClusterEndpoint>, Failed> {
        let found = match self.shared() {
            Some(region) => {
                let all = region.cluster_endpoints().await?.iter();
                let of_cluster = all.filter(|(of, _)| of == cluster);
                return Ok(of_cluster.map(|(_, endpoint)| endpoint.clone()).collect());
            }
            None => self.list_endpoints(Some(cluster)).await?,
        };
        Ok(found.into_iter().map(|(_, endpoint)| endpoint).collect())
    }

    /// Custom endpoints with their clusters, of one cluster or of all.
    pub(super) async fn list_endpoints(
        &self,
        cluster: Option<&str>,
    ) -> Result<Vec<(String, ClusterEndpoint)>, Failed> {
        let call = || {
            let call = self.client.describe_db_cluster_endpoints();
            // Each cluster has two that are not custom: over all of them only the custom ones are wanted.
            let by = cluster
                .is_none()
                .then(|| vec![filter("db-cluster-endpoint-type", "CUSTOM")]);
            call.set_db_cluster_identifier(cluster.map(str::to_owned))
                .set_filters(by)
        };
        let found = self
            .pages("DescribeDBClusterEndpoints", page!(call(), db_cluster_endpoints))
            .await?;
        let custom = found
            .into_iter()
            .filter(|e| e.endpoint_type.as_deref() == Some("CUSTOM"));
        let with_cluster = custom.filter_map(|e| {
            let cluster = e.db_cluster_identifier.clone().unwrap_or_default();
            Some((cluster, convert::cluster_endpoint(e)?))
        });
        Ok(with_cluster.collect())
    }

    pub(super) async fn quotas(&self) -> Result<BTreeMap<String, Quota>, Failed> {
        if let Some(region) = self.shared() {
            return Ok(region.quotas().await?.clone());
        }
        self.list_quotas().await
    }

    pub(super) async fn list_quotas(&self) -> Result<BTreeMap<String, Quota>, Failed> {
        let call = async || self.client.describe_account_attributes().send().await;
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
