//! A running sandbox: server, account, clock and faults, and their end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    rds::{
        Api, bind,
        calls::Calls,
        faults::{Effect, FaultRule, Faults, SwitchoverOutcome},
        params::Params,
        serve,
    },
    scenario::{DeploymentSpec, Scenario, ScenarioError},
    world::{
        World,
        account::{Account, Deployment},
        checks,
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            speed: Speed::Instant,
            timeout_second: Duration::from_secs(1),
        }
    }
}

/// A local RDS. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    world: Arc<World>,
    faults: Arc<Faults>,
    calls: Arc<Calls>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Sandbox {
    /// Starts a scenario at full speed.
    ///
    /// # Errors
    /// When the scenario cannot be built.
    pub async fn start(scenario: Scenario) -> Result<Self, Error> {
        Self::start_with(scenario, Options::default()).await
    }

    /// Starts a scenario.
    ///
    /// # Errors
    /// When the scenario cannot be built, or the port is taken.
    pub async fn start_with(scenario: Scenario, options: Options) -> Result<Self, Error> {
        let faults = Arc::new(Faults::default());
        let calls = Arc::new(Calls::default());
        let pace = Pace::new(options.speed, options.timeout_second);
        let world = Arc::new(World::new(scenario.account()?, pace, Arc::clone(&faults)));
        for spec in &scenario.deployment {
            make_deployment(&world, spec).await?;
        }
        let (listener, address) = bind(options.port).await.map_err(|source| Error::Listen {
            port: options.port,
            source,
        })?;
        let api = Arc::new(Api {
            world: Arc::clone(&world),
            faults: Arc::clone(&faults),
            calls: Arc::clone(&calls),
        });
        Ok(Self {
            address,
            world,
            faults,
            calls,
            server: tokio::spawn(serve(listener, api)),
        })
    }

    /// `http://127.0.0.1:<port>`, for `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment that points an AWS client and a PostgreSQL client at this sandbox. Credentials are made up.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let region = self.world.read(|account| account.region.clone());
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint_url()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", "AKIASANDBOXSANDBOX00".to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "sandbox-secret-that-opens-nothing".to_owned(),
            ),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
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
        self.server.abort();
        self.world.stop();
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
