//! Reads the control plane into [`RdsFacts`].
//!
//! Without the subject itself there is nothing to judge: that is an error. Everything else that cannot be had costs one
//! fact, with the IAM action that is missing where one is. Blue is always the deployment's source and green its target:
//! after the switchover the source is `…-old1` and the target production.

pub mod alter;
pub mod change;
mod convert;
mod error;
mod gather;
mod limiter;
pub mod look;
mod offers;
mod read;
mod region;
mod subject;
pub mod watch;

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use futures_util::future::join_all;

pub use error::RdsError;
pub use limiter::Count;
pub use region::{Member, Members, Region};
pub use subject::Subject;

use super::aws;
use crate::{
    facts::{
        Fact, Request, Why,
        rds::{Deployment, Instance, ParameterGroup, RdsFacts, Topology},
    },
    model::{Arn, DeploymentStatus, Engine, PgVersion, ResourceKind},
};
use error::Failed;
use read::{Reader, fact};
use subject::Found;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdsRequest {
    /// Cluster, instance or deployment.
    pub subject: Subject,
    /// `--target-version`; else the deployment's own.
    pub target_version: Option<PgVersion>,
    /// `--target-parameter-group`; else the deployment's own.
    pub target_parameter_group: Option<String>,
    /// The API's endpoint where it is not AWS's own, as [`aws::endpoint_url`] tells it.
    pub endpoint_url: Option<String>,
}

/// Where one side's databases are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The writer's host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database that was made with the server.
    pub database: Option<String>,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// The control plane's facts.
    pub facts: RdsFacts,
    /// The engine.
    pub engine: Engine,
    /// The request, completed by what the deployment says.
    pub request: Request,
    /// Where blue is; none where it is not there (yet, or any more).
    pub blue: Option<Endpoint>,
    /// Where green is; none without a deployment.
    pub green: Option<Endpoint>,
}

/// Reads everything that checks look at.
///
/// # Errors
/// [`RdsError`] where the subject cannot be found or looked at.
pub async fn collect(config: &SdkConfig, request: &RdsRequest) -> Result<Collected, RdsError> {
    let region = region(config, &request.subject)?;
    aws::credentials(config).await?;
    let reader = Reader::new(client(config, &region));
    let place = match &request.endpoint_url {
        Some(url) => format!("{region} ({url})"),
        None => region.clone(),
    };
    let found = Box::pin(subject::find(&reader, &request.subject, &place)).await?;
    // Boxed, as all that waits for many things at once is a large future otherwise.
    let sides = Box::pin(sides(&reader, found, &place)).await?;
    Ok(Box::pin(gather::gather(&reader, request, region, sides)).await)
}

/// All instance classes that can be ordered with a version.
///
/// # Errors
/// Why that is not known, in words.
pub async fn orderable_classes(
    config: &SdkConfig,
    region: &str,
    engine: &str,
    version: &str,
) -> Result<BTreeSet<String>, String> {
    let reader = Reader::new(client(config, region));
    match fact(reader.list_classes(engine, version).await) {
        Fact::Known(classes) => Ok(classes),
        Fact::Unknown { detail, .. } => Err(detail),
    }
}

/// The parameters of a family as its default group has them.
///
/// # Errors
/// Why they are not known, in words.
pub async fn family_defaults(
    config: &SdkConfig,
    region: &str,
    family: &str,
    kind: ResourceKind,
) -> Result<ParameterGroup, String> {
    let reader = Reader::new(client(config, region));
    match fact(reader.family_defaults(family, kind).await) {
        Fact::Known(values) => Ok(convert::parameter_group(
            format!("default.{family}"),
            Some(family.to_owned()),
            values,
        )),
        Fact::Unknown { detail, .. } => Err(detail),
    }
}

/// A client of one Region, with the SDK's own retries.
fn client(config: &SdkConfig, region: &str) -> Client {
    let config = aws_sdk_rds::config::Builder::from(config);
    Client::from_conf(config.region(aws_config::Region::new(region.to_owned())).build())
}

/// The Region to ask: the configuration's, which must be the ARN's where one was given.
///
/// # Errors
/// [`RdsError`] where there is none, or the two differ.
pub fn region(config: &SdkConfig, subject: &Subject) -> Result<String, RdsError> {
    let here = config.region().map(|region| region.as_ref().to_owned());
    match (subject.arn()?, here) {
        (Some(arn), Some(here)) if arn.region() != here => Err(RdsError::WrongRegion {
            arn: arn.to_string(),
            there: arn.region().to_owned(),
            here,
        }),
        (_, Some(here)) => Ok(here),
        (Some(arn), None) => Ok(arn.region().to_owned()),
        (None, None) => Err(aws::AwsError::NoRegion.into()),
    }
}

/// Both sides, and the deployment that joins them.
struct Sides {
    engine: Engine,
    account: Fact<String>,
    /// The name to show.
    name: String,
    deployment: Fact<Option<Deployment>>,
    blue: Fact<Topology>,
    green: Fact<Option<Topology>>,
}

async fn sides(reader: &Reader, found: Found, place: &str) -> Result<Sides, RdsError> {
    let (arn, name, known) = match found {
        Found::Cluster(cluster) => (
            cluster.arn.clone(),
            cluster.id.clone(),
            Ok(Start::Cluster(cluster)),
        ),
        Found::Instance(instance) => (
            instance.arn.clone(),
            instance.id.clone(),
            Ok(Start::Instance(instance)),
        ),
        Found::Deployment(deployment) => (
            deployment.source.clone(),
            deployment.name.clone(),
            Err(deployment),
        ),
    };
    let account = match arn.account() {
        "" => Fact::unknown(Why::Error, format!("{arn} names no account")),
        account => Fact::Known(account.to_owned()),
    };
    let deployment = match &known {
        Err(deployment) => Fact::Known(Some((**deployment).clone())),
        Ok(_) => fact(deployment_of(reader, &arn).await),
    };
    // Where the deployment's source is not the subject (a completed one found by its target), its sides count.
    let joined = deployment.known().and_then(Option::as_ref);
    let source = joined.map_or(&arn, |d| &d.source);
    let start = match known {
        Ok(start) if *source == arn => Some(start),
        _ => Start::at(reader, source)
            .await
            .map_err(|failed| RdsError::from_call(failed, place))?,
    };
    let (engine, blue) = match start {
        Some(start) => {
            let engine = subject::engine(start.id(), start.engine())?;
            (Some(engine), fact(start.topology(reader, joined).await))
        }
        // The old side is deleted sooner or later.
        None if joined.is_some_and(|d| d.status == DeploymentStatus::SwitchoverCompleted) => {
            let nothing = Topology {
                cluster: None,
                instances: Vec::new(),
            };
            (None, Fact::Known(nothing))
        }
        None => (
            None,
            Fact::unknown(
                Why::Error,
                format!("there is no {source}, the deployment's source"),
            ),
        ),
    };
    let (engine, green) = match (joined, joined.and_then(|d| d.target.as_ref())) {
        (Some(_), Some(target)) => match Start::at(reader, target).await {
            Ok(Some(start)) => {
                let own = subject::engine(start.id(), start.engine())?;
                (
                    engine.or(Some(own)),
                    fact(start.topology(reader, None).await.map(Some)),
                )
            }
            Ok(None) => (engine, Fact::Known(None)),
            Err(failed) => (engine, failed.fact()),
        },
        _ => (
            engine,
            match &deployment {
                Fact::Known(_) => Fact::Known(None),
                Fact::Unknown { why, detail } => Fact::unknown(*why, detail.clone()),
            },
        ),
    };
    // With both sides gone only the kind of ARN is left to tell clusters of Aurora from instances of RDS.
    let engine = engine.unwrap_or(match source.kind() {
        "cluster" => Engine::Aurora,
        _ => Engine::Rds,
    });
    Ok(Sides {
        engine,
        account,
        name,
        deployment,
        blue,
        green,
    })
}

/// The deployment that a resource is source or target of.
async fn deployment_of(reader: &Reader, arn: &Arn) -> Result<Option<Deployment>, Failed> {
    for side in ["source", "target"] {
        let mut found = reader.deployments(Some((side, arn.as_str()))).await?;
        // Not every stand-in for RDS filters, and a deleted deployment may still be listed.
        found.retain(|d| {
            let own = if side == "source" {
                Some(&d.source)
            } else {
                d.target.as_ref()
            };
            own == Some(arn) && d.deleted_at.is_none()
        });
        found.sort_by_key(|d| d.created_at);
        if let Some(newest) = found.pop() {
            return Ok(Some(newest));
        }
    }
    Ok(None)
}

/// Where a side begins: its cluster, or its primary instance.
enum Start {
    Cluster(Box<crate::facts::rds::Cluster>),
    Instance(Box<Instance>),
}

impl Start {
    /// The resource behind an ARN; none where it is gone.
    async fn at(reader: &Reader, arn: &Arn) -> Result<Option<Self>, Failed> {
        Ok(match arn.kind() {
            "cluster" => reader
                .cluster(arn.name())
                .await?
                .map(|c| Self::Cluster(Box::new(c))),
            _ => reader
                .instance(arn.name())
                .await?
                .map(|i| Self::Instance(Box::new(i))),
        })
    }

    fn id(&self) -> &str {
        match self {
            Self::Cluster(cluster) => &cluster.id,
            Self::Instance(instance) => &instance.id,
        }
    }

    fn engine(&self) -> &str {
        match self {
            Self::Cluster(cluster) => &cluster.engine,
            Self::Instance(instance) => &instance.engine,
        }
    }

    /// With its instances, the writer first. Green's instances are no replicas of blue, although RDS makes them so.
    async fn topology(self, reader: &Reader, deployment: Option<&Deployment>) -> Result<Topology, Failed> {
        match self {
            Self::Cluster(cluster) => {
                let mut instances = reader.instances_of(&cluster.id).await?;
                let place = |i: &Instance| {
                    let members = &cluster.members;
                    let at = members.iter().position(|m| m.instance_id == i.id);
                    let writer = at.is_some_and(|at| members[at].writer);
                    (!writer, at.unwrap_or(usize::MAX))
                };
                instances.retain(|i| i.cluster_id.as_deref() == Some(cluster.id.as_str()));
                instances.sort_by_key(place);
                Ok(Topology {
                    cluster: Some(*cluster),
                    instances,
                })
            }
            Self::Instance(primary) => {
                let green: BTreeSet<&str> = deployment
                    .into_iter()
                    .flat_map(|d| {
                        d.members
                            .iter()
                            .filter_map(|m| m.target.as_ref())
                            .chain(&d.target)
                    })
                    .map(Arn::name)
                    .collect();
                let region = primary.arn.region().to_owned();
                let here = primary
                    .read_replicas
                    .iter()
                    .filter_map(|id| match id.parse::<Arn>() {
                        Ok(arn) => (arn.region() == region).then(|| arn.name().to_owned()),
                        Err(_) => Some(id.clone()),
                    });
                let here: Vec<String> = here.filter(|id| !green.contains(id.as_str())).collect();
                let replicas = join_all(here.iter().map(|id| reader.instance(id))).await;
                let mut instances = vec![*primary];
                for replica in replicas {
                    instances.extend(replica?);
                }
                Ok(Topology {
                    cluster: None,
                    instances,
                })
            }
        }
    }
}
