//! A local RDS: the RDS Query API over HTTP in front of real PostgreSQL servers.
//!
#![doc = include_str!("../README.md")]

pub mod copy;
mod load;
pub mod pg;
pub mod proxy;
mod rds;
pub mod replicate;
pub mod roles;
mod sandbox;
mod scenario;
mod world;

pub use load::{Load, LoadReport};
pub use rds::{
    calls::{Call, Calls},
    faults::{Effect, FaultRule, Faults, Resource, SwitchoverOutcome},
};
pub use sandbox::{Error, Options, Rds, Sandbox};
pub use scenario::{
    ClusterSpec, DatabaseSpec, DeploymentSpec, EndpointSpec, FleetSpec, GlobalSpec, GroupSpec, InstanceSpec,
    IntegrationSpec, LoadSpec, MaintenanceSpec, ProxySpec, RequestLimitSpec, Scenario, ScenarioError,
};
pub use world::{
    account,
    catalogue::{Catalogue, Engine, GroupKind, Version},
    databases::Link,
    pace::{Speed, Step},
};
