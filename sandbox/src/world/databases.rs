//! The real servers behind the account: one for each cluster and each instance on its own, and the endpoints in front.
//!
//! Servers belong to resource IDs, endpoints to names, as in RDS: a switchover moves names, and
//! [`World::open_endpoints`] then points every endpoint at the server that its name stands for. Aurora's readers and
//! RDS's read replicas are the same server as their writer behind an endpoint of their own: what is tested here is the
//! service, not PostgreSQL's physical replication.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use super::{
    World,
    account::{Account, Address, LogFile},
    catalogue::{Catalogue, Engine, GroupKind, Version},
    lock,
};
use crate::{
    pg::{self, Certificate, Server, ServerOptions, Settings},
    proxy::{Mode, Proxy},
    replicate::{self, Replication},
    roles::Roles,
};

/// What an endpoint is the address of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    /// The writer endpoint of a cluster.
    Writer(String),
    /// The reader endpoint of a cluster.
    Reader(String),
    /// The endpoint of an instance.
    Instance(String),
}

/// The servers and endpoints of a world.
#[derive(Debug)]
pub(crate) struct Databases {
    pub(crate) roles: Roles,
    certificate: Option<Certificate>,
    servers: Mutex<BTreeMap<String, Server>>,
    endpoints: Mutex<BTreeMap<Endpoint, Proxy>>,
    /// What feeds green, by deployment.
    links: Mutex<BTreeMap<String, Arc<Link>>>,
    /// The slots on blue through which green standbys stream, by deployment.
    slots: Mutex<BTreeMap<String, String>>,
}

/// Replication of a deployment, and blue's catalogue as it was when replication began.
#[derive(Debug)]
pub struct Link {
    /// Lag, and pausing and resuming of apply.
    pub replication: Replication,
    /// A digest of the catalogue of each of blue's databases.
    pub fingerprint: BTreeMap<String, String>,
}

impl Databases {
    pub(crate) fn new(certificate: Option<Certificate>) -> pg::Result<Self> {
        Ok(Self {
            roles: Roles::random()?,
            certificate,
            servers: Mutex::default(),
            endpoints: Mutex::default(),
            links: Mutex::default(),
            slots: Mutex::default(),
        })
    }

    /// The server of a resource.
    pub(crate) fn server(&self, resource_id: &str) -> Option<Server> {
        lock(&self.servers).get(resource_id).cloned()
    }

    /// The proxy in front of a name.
    pub(crate) fn endpoint(&self, endpoint: &Endpoint) -> Option<Proxy> {
        lock(&self.endpoints).get(endpoint).cloned()
    }

    /// Starts the server of a resource, still without any role of RDS.
    pub(crate) async fn start(
        &self,
        resource_id: &str,
        major: u32,
        settings: Settings,
    ) -> pg::Result<Server> {
        let mut options = ServerOptions::new(major);
        options.settings = settings;
        options.ssl.clone_from(&self.certificate);
        let server = Server::start(options).await?;
        lock(&self.servers).insert(resource_id.to_owned(), server.clone());
        Ok(server)
    }

    /// Remembers what feeds green.
    pub(crate) fn connect(&self, deployment: &str, link: Link) {
        lock(&self.links).insert(deployment.to_owned(), Arc::new(link));
    }

    /// Starts a physical standby of blue as the server of green.
    pub(crate) async fn start_standby(
        &self,
        deployment: &str,
        blue: &Server,
        green: &str,
        settings: Settings,
    ) -> pg::Result<Server> {
        let slot = format!("rds_{}", deployment.replace('-', "_"));
        let server = blue.standby(&self.roles.replication, &slot, settings).await?;
        lock(&self.servers).insert(green.to_owned(), server.clone());
        lock(&self.slots).insert(deployment.to_owned(), slot);
        Ok(server)
    }

    /// The slot through which a green standby streams.
    pub(crate) fn standby_slot(&self, deployment: &str) -> Option<String> {
        lock(&self.slots).get(deployment).cloned()
    }

    /// Forgets that slot.
    pub(crate) fn take_standby_slot(&self, deployment: &str) -> Option<String> {
        lock(&self.slots).remove(deployment)
    }

    /// What feeds the green side of a deployment.
    pub(crate) fn link(&self, deployment: &str) -> Option<Arc<Link>> {
        lock(&self.links).get(deployment).cloned()
    }

    /// Forgets what fed green.
    pub(crate) fn disconnect(&self, deployment: &str) -> Option<Arc<Link>> {
        lock(&self.links).remove(deployment)
    }

    /// Lets go of the servers of all resources that are gone.
    fn keep(&self, resources: &BTreeSet<String>) {
        lock(&self.servers).retain(|resource, _| resources.contains(resource));
    }

    /// Endpoints of names that no resource has any more.
    fn close_endpoints(&self, wanted: &BTreeMap<Endpoint, SocketAddr>) {
        lock(&self.endpoints).retain(|endpoint, _| wanted.contains_key(endpoint));
    }

    /// All endpoints that lead to the server of a resource.
    pub(crate) fn endpoints_of(&self, account: &Account, resource_id: &str) -> Vec<Proxy> {
        let names = names_of(account, resource_id);
        let endpoints = lock(&self.endpoints);
        names
            .iter()
            .filter_map(|name| endpoints.get(name).cloned())
            .collect()
    }

    /// Ends every server and endpoint.
    pub(crate) fn stop(&self) {
        lock(&self.endpoints).clear();
        lock(&self.links).clear();
        lock(&self.servers).clear();
    }
}

/// Every name of an account, with the resource that it stands for.
fn names(account: &Account) -> Vec<(Endpoint, String)> {
    let mut names = Vec::new();
    for cluster in account.clusters.values() {
        names.push((Endpoint::Writer(cluster.id.clone()), cluster.resource_id.clone()));
        names.push((Endpoint::Reader(cluster.id.clone()), cluster.resource_id.clone()));
    }
    for instance in account.instances.values() {
        let resource = match (&instance.cluster, &instance.replica_source) {
            (Some(cluster), _) => account.clusters.get(cluster).map(|found| &found.resource_id),
            (None, Some(primary)) => account.instances.get(primary).map(|found| &found.resource_id),
            (None, None) => Some(&instance.resource_id),
        };
        if let Some(resource) = resource {
            names.push((Endpoint::Instance(instance.id.clone()), resource.clone()));
        }
    }
    names
}

fn names_of(account: &Account, resource_id: &str) -> Vec<Endpoint> {
    names(account)
        .into_iter()
        .filter(|(_, resource)| resource == resource_id)
        .map(|(name, _)| name)
        .collect()
}

/// Settings that a real server takes from what the account says is in effect.
///
/// Formulas of RDS are left to the server's defaults, libraries that no build of PostgreSQL carries are left out, and
/// `rds.logical_replication` becomes `wal_level`, as on RDS. The names with a dot stand in the server as they are.
pub(crate) fn server_settings(in_effect: &BTreeMap<String, String>, engine: Engine, major: u32) -> Settings {
    const LEFT_OUT: [&str; 6] = [
        "wal_level",
        "shared_buffers",
        "ssl",
        "archive_mode",
        "port",
        "huge_pages",
    ];
    const LIBRARIES: [&str; 4] = [
        "pg_stat_statements",
        "auto_explain",
        "pg_prewarm",
        "passwordcheck",
    ];
    let definitions = Catalogue::get().parameters(engine, major, GroupKind::Cluster);
    let boolean = |name: &str| {
        definitions
            .iter()
            .any(|known| known.name == name && known.data_type == "boolean")
    };
    let mut settings = Settings::new();
    for (name, value) in in_effect {
        if LEFT_OUT.contains(&name.as_str()) || value.contains('{') || value.contains('(') {
            continue;
        }
        let value = match (name.as_str(), value.as_str()) {
            ("shared_preload_libraries", libraries) => libraries
                .split(',')
                .map(str::trim)
                .filter(|library| LIBRARIES.contains(library))
                .collect::<Vec<_>>()
                .join(","),
            (name, "1") if boolean(name) => "on".to_owned(),
            (name, "0") if boolean(name) => "off".to_owned(),
            (_, value) => value.to_owned(),
        };
        settings.insert(name.clone(), value);
    }
    let logical = in_effect
        .get("rds.logical_replication")
        .is_some_and(|value| value == "1");
    settings.insert(
        "wal_level".to_owned(),
        if logical { "logical" } else { "replica" }.to_owned(),
    );
    settings
}

impl Account {
    /// Engine, version and settings in effect of the resource that has a server.
    pub(crate) fn running(&self, resource_id: &str) -> Option<(Engine, Version, &BTreeMap<String, String>)> {
        if let Some(cluster) = self.cluster_by_resource(resource_id) {
            let (engine, version) = cluster.postgres()?;
            return Some((engine, version, &cluster.in_effect));
        }
        let mut instances = self.instances.values();
        let instance = instances.find(|found| found.resource_id == resource_id)?;
        let (engine, version) = instance.postgres()?;
        Some((engine, version, &instance.in_effect))
    }

    /// Whether the user's parameters make an instance on its own writable that is no side of a deployment's switchover.
    fn wants_writes(&self, resource_id: &str) -> bool {
        let mut instances = self.instances.values();
        let alone = instances.find(|found| found.resource_id == resource_id && found.cluster.is_none());
        let set = alone.and_then(|found| {
            let group = self.group(GroupKind::Instance, &found.parameter_group)?;
            let set = group.overrides.get("default_transaction_read_only")?;
            Some(set.value.clone())
        });
        let green = self.deployments.values().any(|found| {
            found.target_resource.as_deref() == Some(resource_id) && found.status != "SWITCHOVER_COMPLETED"
        });
        !green && matches!(set.as_deref(), Some("0" | "off"))
    }

    /// The resource whose server an instance runs on.
    pub(crate) fn server_of(&self, instance: &str) -> Option<String> {
        let id = self.local_id("db", instance);
        let all = names(self).into_iter();
        all.filter(|(name, _)| *name == Endpoint::Instance(id.clone()))
            .map(|(_, resource)| resource)
            .next()
    }
}

impl World {
    /// Settings for the server of a resource, as the account has them in effect.
    pub(crate) fn settings_of(&self, resource_id: &str) -> Option<(u32, Settings)> {
        self.read(|account| {
            let (engine, version, in_effect) = account.running(resource_id)?;
            Some((version.major, server_settings(in_effect, engine, version.major)))
        })
    }

    /// Restarts the server of a resource on what the account has in effect. True without servers.
    pub(crate) async fn restart_server(&self, resource_id: &str) -> pg::Result<()> {
        let Some(server) = self.server(resource_id) else {
            return Ok(());
        };
        if let Some((_, settings)) = self.settings_of(resource_id) {
            server.replace_settings(settings)?;
        }
        server.restart::<String, String>([]).await?;
        // Old blue of RDS for PostgreSQL is read-only only by this parameter: set to 0, a reboot makes it writable.
        let writable = self.read(|account| account.wants_writes(resource_id));
        if writable {
            replicate::resume_writes(&server).await?;
        }
        Ok(())
    }

    /// Lets the server of a resource take over what changed dynamically.
    pub(crate) fn reload_server(&self, resource_id: &str) -> pg::Result<()> {
        let Some(server) = self.server(resource_id) else {
            return Ok(());
        };
        if let Some((_, settings)) = self.settings_of(resource_id) {
            server.replace_settings(settings)?;
        }
        server.reload()
    }

    /// Puts the servers' logs where the API shows them: all instances of a cluster show that of its server.
    pub(crate) fn collect_logs(&self) {
        let Some(databases) = self.databases() else {
            return;
        };
        self.edit(|account| {
            for (name, resource) in names(account) {
                let (Endpoint::Instance(id), Some(server)) = (name, databases.server(&resource)) else {
                    continue;
                };
                let log = LogFile {
                    written: jiff::Timestamp::now(),
                    text: server.log(),
                };
                if let Some(instance) = account.instances.get_mut(&id) {
                    instance.logs.insert("error/postgresql.log".to_owned(), log);
                }
            }
        });
    }

    /// The server of a resource, in a world that has servers.
    pub(crate) fn server(&self, resource_id: &str) -> Option<Server> {
        self.databases()?.server(resource_id)
    }

    /// Points every endpoint at the server that its name stands for, opens those that are missing, closes those whose
    /// names are gone, and writes the addresses into the account.
    pub(crate) async fn open_endpoints(&self) -> std::io::Result<()> {
        let Some(databases) = self.databases() else {
            self.edit(Account::name_endpoints);
            return Ok(());
        };
        let wanted: BTreeMap<Endpoint, SocketAddr> = self.read(|account| {
            names(account)
                .into_iter()
                .filter_map(|(name, resource)| Some((name, databases.server(&resource)?.address())))
                .collect()
        });
        databases.close_endpoints(&wanted);
        for (name, target) in &wanted {
            let existing = databases.endpoint(name);
            match existing {
                Some(proxy) => proxy.set_target(*target),
                None => {
                    let proxy = open(databases, name, *target).await?;
                    lock(&databases.endpoints).insert(name.clone(), proxy);
                }
            }
        }
        let addresses: BTreeMap<Endpoint, SocketAddr> = lock(&databases.endpoints)
            .iter()
            .map(|(name, proxy)| (name.clone(), proxy.addr()))
            .collect();
        self.edit(|account| {
            for cluster in account.clusters.values_mut() {
                let writer = addresses.get(&Endpoint::Writer(cluster.id.clone()));
                cluster.endpoint = writer.map(address);
                let reader = addresses.get(&Endpoint::Reader(cluster.id.clone()));
                cluster.reader_endpoint = reader.map(|reader| reader.ip().to_string());
            }
            for instance in account.instances.values_mut() {
                let found = addresses.get(&Endpoint::Instance(instance.id.clone()));
                instance.endpoint = found.map(address);
            }
        });
        Ok(())
    }

    /// Ends servers and endpoints of resources and names that are gone.
    pub(crate) async fn clear_away(&self) {
        if let Some(databases) = self.databases() {
            let resources = self.read(|account| {
                let clusters = account.clusters.values().map(|found| found.resource_id.clone());
                let instances = account.instances.values().map(|found| found.resource_id.clone());
                clusters.chain(instances).collect()
            });
            databases.keep(&resources);
        }
        if let Err(error) = self.open_endpoints().await {
            tracing::warn!(%error, "an endpoint could not be opened");
        }
    }

    /// What passes the endpoints of a resource.
    pub(crate) async fn set_mode(&self, resource_id: &str, mode: Mode) {
        let Some(databases) = self.databases() else {
            return;
        };
        let proxies = self.read(|account| databases.endpoints_of(account, resource_id));
        for proxy in proxies {
            proxy.set_mode(mode).await;
        }
    }

    /// Cuts what is open at the endpoints of a resource.
    pub(crate) fn cut_connections(&self, resource_id: &str) {
        let Some(databases) = self.databases() else {
            return;
        };
        for proxy in self.read(|account| databases.endpoints_of(account, resource_id)) {
            proxy.drop_connections();
        }
    }
}

fn address(at: &SocketAddr) -> Address {
    Address {
        host: at.ip().to_string(),
        port: at.port(),
    }
}

/// A cluster has one port for both of its endpoints, so its reader endpoint needs an address of its own: 127.0.0.2,
/// where the system has it, as Linux does. Elsewhere the reader endpoint is the writer's.
async fn open(databases: &Databases, name: &Endpoint, target: SocketAddr) -> std::io::Result<Proxy> {
    if let Endpoint::Reader(id) = name
        && let Some(writer) = databases.endpoint(&Endpoint::Writer(id.clone()))
    {
        let port = writer.addr().port();
        let second = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), port);
        return match Proxy::start_at(second, target).await {
            Ok(proxy) => Ok(proxy),
            Err(_) => Ok(writer),
        };
    }
    Proxy::start(target).await
}
