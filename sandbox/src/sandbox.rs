//! A running sandbox: server, account, clock and faults, and their end.

use std::{collections::BTreeMap, net::SocketAddr, ops::Deref, sync::Arc, time::Duration};

use crate::{
    load::Load,
    pg::{self, Certificate, Server},
    proxy::Proxy,
    rds::{
        Api, bind,
        calls::Calls,
        faults::{Effect, FaultRule, Faults, SwitchoverOutcome},
        params::Params,
        serve,
    },
    roles::{Login, Roles},
    scenario::{DeploymentSpec, Scenario, ScenarioError},
    world::{
        World,
        account::{Account, Deployment},
        checks,
        databases::{Databases, Endpoint, Link},
        pace::{Pace, Speed},
    },
};

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// No port on the loopback interface.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port")]
    Listen {
        /// The port that was asked for; 0 is any.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// A server of the scenario did not start, or a statement of the scenario failed.
    #[error(transparent)]
    Postgres(#[from] pg::Error),
    /// A deployment of the scenario was refused.
    #[error("the scenario's deployment {name} was refused: {why}")]
    Deployment {
        /// Its name.
        name: String,
        /// The fault.
        why: String,
    },
}

/// How a sandbox runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API's port; 0 is a free one.
    pub port: u16,
    /// How long transitions take.
    pub speed: Speed,
    /// How long one second of `SwitchoverTimeout` takes.
    pub timeout_second: Duration,
    /// From when on a write or DDL on blue is long-running for the guardrails. AWS does not publish its own threshold.
    pub long_running: Duration,
    /// Switches TLS on at every server, with this certificate. The names that clients connect to are `127.0.0.1`, and
    /// `127.0.0.2` for reader endpoints.
    pub certificate: Option<Certificate>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            speed: Speed::Instant,
            timeout_second: Duration::from_secs(1),
            long_running: Duration::from_secs(10),
            certificate: None,
        }
    }
}

/// A local RDS. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    world: Running,
    faults: Arc<Faults>,
    calls: Arc<Calls>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    loads: BTreeMap<String, Load>,
}

impl Sandbox {
    /// Starts a scenario at full speed.
    ///
    /// # Errors
    /// When the scenario cannot be built.
    pub async fn start(scenario: Scenario) -> Result<Self, Error> {
        Self::start_with(scenario, Options::default()).await
    }

    /// Starts a scenario for code that is not async, such as a test that runs a program against it. The sandbox lives
    /// on a runtime of its own.
    ///
    /// # Errors
    /// As [`Sandbox::start_with`].
    ///
    /// # Panics
    /// When called from async code.
    pub fn start_blocking(scenario: Scenario, options: Options) -> Result<Self, Error> {
        pg::block_on(Self::start_with(scenario, options))
    }

    /// Starts a scenario.
    ///
    /// The sandbox's tasks run on the current runtime: a program that talks to it must not block that runtime's only
    /// thread.
    ///
    /// # Errors
    /// When the scenario cannot be built, a server does not start, a statement of the scenario fails, or the port is
    /// taken.
    pub async fn start_with(scenario: Scenario, options: Options) -> Result<Self, Error> {
        let faults = Arc::new(Faults::default());
        let calls = Arc::new(Calls::default());
        let pace = Pace::new(options.speed, options.timeout_second, options.long_running);
        let databases = scenario
            .servers
            .then(|| Databases::new(options.certificate.clone()))
            .transpose()?;
        if let Some(limit) = scenario.request_limit {
            faults.limit_requests(limit.burst, limit.per_second);
        }
        let elsewhere: Result<Vec<Account>, ScenarioError> =
            scenario.elsewhere.iter().map(Scenario::account).collect();
        let world = World::new(scenario.account()?, pace, Arc::clone(&faults), databases);
        let world = world.with_elsewhere(elsewhere?);
        let world = Running(Arc::new(world));
        let listen = |source| Error::Listen {
            port: options.port,
            source,
        };
        world.start_servers(&scenario).await?;
        world.open_endpoints().await.map_err(listen)?;
        let loads = loads(&world, &scenario);
        for spec in &scenario.deployment {
            make_deployment(&world, spec).await?;
        }
        let (listener, address) = bind(options.port).await.map_err(listen)?;
        let api = Arc::new(Api {
            world: Arc::clone(&world.0),
            faults: Arc::clone(&faults),
            calls: Arc::clone(&calls),
        });
        Ok(Self {
            address,
            world,
            faults,
            calls,
            server: tokio::spawn(serve(listener, api)),
            loads,
        })
    }

    /// `http://127.0.0.1:<port>`, for `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment that points an AWS client and a PostgreSQL client at this sandbox. Credentials are made up.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let region = self.world.read(|account| account.region.clone());
        let mut env = vec![
            ("AWS_ENDPOINT_URL", self.endpoint_url()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", "AKIASANDBOXSANDBOX00".to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "sandbox-secret-that-opens-nothing".to_owned(),
            ),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        if let Some(roles) = self.roles() {
            let first = self.world.read(|account| {
                let clusters = account.clusters.values().map(|found| found.endpoint.clone());
                let instances = account.instances.values().map(|found| found.endpoint.clone());
                clusters.chain(instances).flatten().next()
            });
            if let Some(first) = first {
                env.push(("PGHOST", first.host));
                env.push(("PGPORT", first.port.to_string()));
            }
            env.push(("PGUSER", roles.checker.name.clone()));
            env.push(("PGPASSWORD", roles.checker.password.clone()));
            env.push(("PGDATABASE", "postgres".to_owned()));
        }
        env
    }

    /// Who can log in to the servers; none in a world without servers.
    pub fn roles(&self) -> Option<&Roles> {
        self.world.databases().map(|databases| &databases.roles)
    }

    /// The server that a cluster or instance of that identifier runs on now.
    pub fn server(&self, id: &str) -> Option<Server> {
        let resource = self.world.read(|account| match account.cluster(id) {
            Some(cluster) => Some(cluster.resource_id.clone()),
            None => account.server_of(id),
        })?;
        self.world.server(&resource)
    }

    /// The server of the source of the first deployment, or else of the first cluster or instance.
    pub fn blue(&self) -> Option<Server> {
        let resource = self.world.read(|account| {
            let deployment = account.deployments.values().next();
            let deployment = deployment.map(|found| found.source_resource.clone());
            let cluster = || {
                account
                    .clusters
                    .values()
                    .next()
                    .map(|found| found.resource_id.clone())
            };
            let instance = || {
                account
                    .instances
                    .values()
                    .next()
                    .map(|found| found.resource_id.clone())
            };
            deployment.or_else(cluster).or_else(instance)
        })?;
        self.world.server(&resource)
    }

    /// The server of the target of the first deployment.
    pub fn green(&self) -> Option<Server> {
        let resource = self.world.read(|account| {
            let deployment = account.deployments.values().next();
            deployment.and_then(|found| found.target_resource.clone())
        })?;
        self.world.server(&resource)
    }

    /// What feeds green: lag, and pausing and resuming of apply. By the deployment's name or identifier.
    pub fn replication(&self, deployment: &str) -> Option<Arc<Link>> {
        let id = self.rds().deployment(deployment)?.id;
        self.world.databases()?.link(&id)
    }

    /// The proxies in front of a cluster (writer, reader) or an instance.
    pub fn endpoints(&self, id: &str) -> Vec<Proxy> {
        let id = id.to_ascii_lowercase();
        let Some(databases) = self.world.databases() else {
            return Vec::new();
        };
        [
            Endpoint::Writer(id.clone()),
            Endpoint::Reader(id.clone()),
            Endpoint::Instance(id),
        ]
        .iter()
        .filter_map(|name| databases.endpoint(name))
        .collect()
    }

    /// The write load of a cluster or instance, under the identifier that it has in the scenario.
    pub fn load(&self, id: &str) -> Option<&Load> {
        self.loads.get(id)
    }

    /// The account: what Describe calls answer from.
    pub fn rds(&self) -> Rds<'_> {
        Rds { sandbox: self }
    }

    /// What goes wrong on command.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The log of all calls.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.loads.clear();
        self.server.abort();
    }
}

/// A world whose tasks and servers end with this handle, also when the sandbox did not come to life.
#[derive(Debug)]
struct Running(Arc<World>);

impl Deref for Running {
    type Target = Arc<World>;

    fn deref(&self) -> &Arc<World> {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The account of a sandbox, to look at and to change behind RDS's back.
#[derive(Debug, Clone, Copy)]
pub struct Rds<'a> {
    sandbox: &'a Sandbox,
}

impl Rds<'_> {
    /// The state now.
    pub fn account(self) -> Arc<Account> {
        self.sandbox.world.snapshot()
    }

    /// Changes the state, in ways that no call could.
    pub fn edit<T>(self, change: impl FnOnce(&mut Account) -> T) -> T {
        self.sandbox.world.edit(change)
    }

    /// The only deployment, or the one with that name or identifier.
    pub fn deployment(self, name: &str) -> Option<Deployment> {
        let account = self.account();
        let mut all = account.deployments.values();
        all.find(|found| found.name == name || found.id == name).cloned()
    }

    /// Lets so many steps go on, at [`Speed::Manual`].
    pub fn advance(self, steps: usize) {
        self.sandbox.world.pace().advance(steps);
    }

    /// Arms a fault.
    pub fn arm(self, rule: FaultRule) {
        self.sandbox
            .world
            .read(|account| self.sandbox.faults.arm(rule, account));
    }

    /// From now on, the next `times` calls of an action meet an effect.
    pub fn fail_next(self, action: &str, times: u32, effect: Effect) {
        self.arm(FaultRule::next(action, times, effect));
    }

    /// Decides how the next switchover ends.
    pub fn next_switchover(self, outcome: SwitchoverOutcome) {
        self.sandbox.faults.next_switchover(outcome);
    }

    /// Waits until something is so, or the time is over; returns whether it is.
    pub async fn until(self, most: Duration, so: impl Fn(&Account) -> bool) -> bool {
        let start = std::time::Instant::now();
        loop {
            if so(&self.account()) {
                return true;
            }
            if start.elapsed() > most {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The write loads of a scenario, through the writer endpoints.
fn loads(world: &World, scenario: &Scenario) -> BTreeMap<String, Load> {
    let Some(databases) = world.databases() else {
        return BTreeMap::new();
    };
    let clusters = scenario.cluster.iter().map(|spec| {
        let endpoint = Endpoint::Writer(spec.id.to_ascii_lowercase());
        (&spec.id, &spec.master_username, &spec.load, endpoint)
    });
    let instances = scenario.instance.iter().map(|spec| {
        let endpoint = Endpoint::Instance(spec.id.to_ascii_lowercase());
        (&spec.id, &spec.master_username, &spec.load, endpoint)
    });
    clusters
        .chain(instances)
        .filter_map(|(id, user, load, endpoint)| {
            let address = databases.endpoint(&endpoint)?.addr();
            let login = Login::new(user.clone(), databases.roles.master.password.clone());
            Some((id.clone(), Load::start(address, login, load.as_ref()?)))
        })
        .collect()
}

/// Makes a deployment of the scenario by the API's own way and waits until it is there.
async fn make_deployment(world: &Arc<World>, spec: &DeploymentSpec) -> Result<(), Error> {
    let refused = |why: String| Error::Deployment {
        name: spec.name.clone(),
        why,
    };
    let source = world.read(|account| match account.cluster(&spec.source) {
        Some(cluster) => account.cluster_arn(&cluster.id),
        None => account.instance_arn(&account.local_id("db", &spec.source)),
    });
    let optional = [
        ("TargetEngineVersion", &spec.target_version),
        (
            "TargetDBClusterParameterGroupName",
            &spec.target_cluster_parameter_group,
        ),
        ("TargetDBParameterGroupName", &spec.target_parameter_group),
    ];
    let fields = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .chain([
            ("BlueGreenDeploymentName".to_owned(), spec.name.clone()),
            ("Source".to_owned(), source),
        ]);
    let params = Params::new(fields);
    let plan = world
        .read(|account| checks::create(account, &params))
        .map_err(|fault| refused(fault.message))?;
    let id = world.begin_deployment(plan).id;
    loop {
        let status = world.read(|account| {
            let found = account.deployments.get(&id);
            found.map(|found| (found.status.clone(), found.status_details.clone()))
        });
        match status {
            Some((status, _)) if status == "PROVISIONING" => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            Some((status, _)) if status == "AVAILABLE" => return Ok(()),
            Some((status, details)) => {
                return Err(refused(format!("{status}: {}", details.unwrap_or_default())));
            }
            None => return Err(refused("it is gone".to_owned())),
        }
    }
}
