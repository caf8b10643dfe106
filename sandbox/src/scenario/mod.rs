//! Scenarios: the state that a sandbox starts in, as a TOML file or built in code.
//!
//! A file names resources as RDS would show them; everything left out has a usual value. The files in `scenarios/` are
//! built into the crate and found by name.

mod build;
mod fleet;
mod spec;

use std::path::Path;

use serde::Deserialize;

pub use fleet::FleetSpec;
pub use spec::{
    ClusterSpec, DatabaseSpec, DeploymentSpec, EndpointSpec, GlobalSpec, GroupSpec, InstanceSpec,
    IntegrationSpec, LoadSpec, MaintenanceSpec, ProxySpec, RequestLimitSpec,
};

/// What a sandbox starts with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// One line for `sandbox list`.
    pub about: String,
    /// The account ID, 12 digits.
    pub account: String,
    /// The one Region that has resources.
    pub region: String,
    /// Whether databases run; without them only the API answers, and endpoints are names that do not resolve.
    pub servers: bool,
    /// Custom parameter groups.
    pub parameter_group: Vec<GroupSpec>,
    /// Aurora clusters.
    pub cluster: Vec<ClusterSpec>,
    /// RDS for PostgreSQL instances.
    pub instance: Vec<InstanceSpec>,
    /// Deployments to be made before the sandbox is ready.
    pub deployment: Vec<DeploymentSpec>,
    /// RDS proxies.
    pub proxy: Vec<ProxySpec>,
    /// Global databases.
    pub global_cluster: Vec<GlobalSpec>,
    /// Zero-ETL integrations.
    pub integration: Vec<IntegrationSpec>,
    /// Custom cluster endpoints.
    pub endpoint: Vec<EndpointSpec>,
    /// Pending maintenance.
    pub maintenance: Vec<MaintenanceSpec>,
    /// The quota of instances.
    pub max_instances: usize,
    /// The API's limit on requests, from the start.
    pub request_limit: Option<RequestLimitSpec>,
    /// Many clusters and instances besides those that are named.
    pub fleet: Option<FleetSpec>,
    /// Other accounts and Regions, each with its own resources, which are only described: no servers, no changes, no
    /// deployments. Roles of their accounts can be assumed.
    pub elsewhere: Vec<Scenario>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            about: String::new(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            servers: false,
            parameter_group: Vec::new(),
            cluster: Vec::new(),
            instance: Vec::new(),
            deployment: Vec::new(),
            proxy: Vec::new(),
            global_cluster: Vec::new(),
            integration: Vec::new(),
            endpoint: Vec::new(),
            maintenance: Vec::new(),
            max_instances: 40,
            request_limit: None,
            fleet: None,
            elsewhere: Vec::new(),
        }
    }
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no such file, and no built-in scenario of that name.
    #[error("there is no scenario {name}: give the path of a TOML file or one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not a scenario.
    #[error("the scenario {name} is not valid: {source}")]
    Parse {
        /// The scenario.
        name: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The resources contradict each other.
    #[error("the scenario cannot be built: {0}")]
    Contradiction(String),
}

const BUILT_IN: [(&str, &str); 5] = [
    ("empty", include_str!("../../scenarios/empty.toml")),
    ("fleet", include_str!("../../scenarios/fleet.toml")),
    ("guide", include_str!("../../scenarios/guide.toml")),
    ("guide-ready", include_str!("../../scenarios/guide-ready.toml")),
    ("rds-instance", include_str!("../../scenarios/rds-instance.toml")),
];

impl Scenario {
    /// The scenarios that are built in: name and description.
    pub fn list() -> Vec<(&'static str, String)> {
        BUILT_IN
            .iter()
            .map(|(name, text)| {
                let scenario = Self::parse(name, text).expect("the built-in scenarios are valid");
                (*name, scenario.about)
            })
            .collect()
    }

    /// A scenario by name, or from a file.
    ///
    /// # Errors
    /// When there is none, or it is not valid.
    pub fn load(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(name, text);
        }
        if !Path::new(name).exists() {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(ScenarioError::Unknown {
                name: name.to_owned(),
                known: names.join(", "),
            });
        }
        let text = std::fs::read_to_string(name).map_err(|source| ScenarioError::Read {
            path: name.to_owned(),
            source,
        })?;
        Self::parse(name, &text)
    }

    /// A scenario from TOML text.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(|source| ScenarioError::Parse {
            name: name.to_owned(),
            source: Box::new(source),
        })
    }
}
