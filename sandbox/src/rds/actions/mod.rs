//! The calls of the API: reads, which look at a copy of the account, and changes, which go to the world.

mod changes;
mod deletions;
mod history;
mod offers;
mod parameters;
mod resources;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{fault::Fault, params::Params, xml::Xml};
use crate::world::{World, account::Account};

/// The content of the result element.
pub(crate) type Reply = Result<Xml, Fault>;

type Read = fn(&Account, &Params) -> Reply;
type Write = fn(Arc<World>, Params) -> BoxFuture<'static, Result<Option<Xml>, Fault>>;

/// What carries out an action.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Read(Read),
    Write(Write),
}

macro_rules! write {
    ($function:path) => {
        Handler::Write(|world, params| Box::pin($function(world, params)))
    };
}

/// The action of that name.
pub(crate) fn find(action: &str) -> Option<Handler> {
    use Handler::Read;
    Some(match action {
        "DescribeAccountAttributes" => Read(history::account_attributes),
        "DescribeBlueGreenDeployments" => Read(resources::deployments),
        "DescribeCertificates" => Read(offers::certificates),
        "DescribeDBClusterEndpoints" => Read(resources::cluster_endpoints),
        "DescribeDBClusterParameterGroups" => Read(parameters::cluster_groups),
        "DescribeDBClusterParameters" => Read(parameters::cluster_parameters),
        "DescribeDBClusterSnapshots" => Read(history::cluster_snapshots),
        "DescribeDBClusters" => Read(resources::db_clusters),
        "DescribeDBEngineVersions" => Read(offers::engine_versions),
        "DescribeDBInstances" => Read(resources::db_instances),
        "DescribeDBLogFiles" => Read(history::log_files),
        "DescribeDBMajorEngineVersions" => Read(offers::major_versions),
        "DescribeDBParameterGroups" => Read(parameters::instance_groups),
        "DescribeDBParameters" => Read(parameters::instance_parameters),
        "DescribeDBProxies" => Read(resources::proxies),
        "DescribeDBProxyTargets" => Read(resources::proxy_targets),
        "DescribeDBSnapshots" => Read(history::instance_snapshots),
        "DescribeEngineDefaultClusterParameters" => Read(parameters::default_cluster_parameters),
        "DescribeEngineDefaultParameters" => Read(parameters::default_instance_parameters),
        "DescribeEvents" => Read(history::events),
        "DescribeGlobalClusters" => Read(resources::global_clusters),
        "DescribeIntegrations" => Read(resources::integrations),
        "DescribeOrderableDBInstanceOptions" => Read(offers::orderable),
        "DescribePendingMaintenanceActions" => Read(history::pending_maintenance),
        "DownloadDBLogFilePortion" => Read(history::log_portion),
        "ListTagsForResource" => Read(history::tags),
        "AddTagsToResource" => write!(changes::add_tags),
        "CreateBlueGreenDeployment" => write!(changes::create_deployment),
        "CreateDBClusterParameterGroup" => write!(changes::create_cluster_group),
        "CreateDBClusterSnapshot" => write!(deletions::snapshot_cluster),
        "CreateDBParameterGroup" => write!(changes::create_instance_group),
        "CreateDBSnapshot" => write!(deletions::snapshot_instance),
        "DeleteBlueGreenDeployment" => write!(deletions::deployment),
        "DeleteDBCluster" => write!(deletions::cluster),
        "DeleteDBInstance" => write!(deletions::instance),
        "FailoverDBCluster" => write!(changes::failover),
        "ModifyDBCluster" => write!(changes::modify_cluster),
        "ModifyDBClusterParameterGroup" => write!(changes::modify_cluster_group),
        "ModifyDBInstance" => write!(changes::modify_instance),
        "ModifyDBParameterGroup" => write!(changes::modify_instance_group),
        "RebootDBInstance" => write!(changes::reboot),
        "SwitchoverBlueGreenDeployment" => write!(changes::switchover),
        _ => return None,
    })
}
