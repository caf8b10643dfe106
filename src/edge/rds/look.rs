//! Looks at single resources while something is being done: one question, one answer, retried by the SDK.

use aws_config::SdkConfig;
use aws_sdk_rds::types::SourceType;

use super::{Start, client, error::Failed, read::Reader};
use crate::{
    facts::rds::{Cluster, Deployment, Event, Instance, ParameterGroup, Topology},
    model::Arn,
};

/// A look that failed: nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Blind(pub String);

impl From<Failed> for Blind {
    fn from(failed: Failed) -> Self {
        Self(format!("{}: {} {}", failed.action, failed.code, failed.message))
    }
}

/// A snapshot, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `Status`: `creating`, `available`, `failed`.
    pub status: String,
    /// The cluster or instance that it is of.
    pub of: String,
    /// `PercentProgress`.
    pub percent: Option<i32>,
}

/// Looks at one Region.
pub struct Lookout {
    reader: Reader,
}

impl std::fmt::Debug for Lookout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookout")
    }
}

impl Lookout {
    /// For one Region.
    #[must_use]
    pub fn new(config: &SdkConfig, region: &str) -> Self {
        Self {
            reader: Reader::new(client(config, region)),
        }
    }

    /// The cluster with its instances, or the instance with its replicas; none where it is gone.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn topology(
        &self,
        arn: &Arn,
        deployment: Option<&Deployment>,
    ) -> Result<Option<Topology>, Blind> {
        match Start::at(&self.reader, arn).await? {
            Some(start) => Ok(Some(start.topology(&self.reader, deployment).await?)),
            None => Ok(None),
        }
    }

    /// One cluster; none where it is gone.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn cluster(&self, id: &str) -> Result<Option<Cluster>, Blind> {
        Ok(self.reader.cluster(id).await?)
    }

    /// One instance; none where it is gone.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, Blind> {
        Ok(self.reader.instance(id).await?)
    }

    /// Deployments by `blue-green-deployment-name`, `blue-green-deployment-identifier`, `source` or `target`. Those that are listed
    /// as deleted are left out.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn deployments(&self, by: &str, value: &str) -> Result<Vec<Deployment>, Blind> {
        let mut found = self.reader.deployments(Some((by, value))).await?;
        // Not every stand-in for RDS filters.
        found.retain(|d| match by {
            "blue-green-deployment-name" => d.name == value,
            "blue-green-deployment-identifier" => d.id.eq_ignore_ascii_case(value),
            "source" => d.source.as_str() == value,
            "target" => d.target.as_ref().is_some_and(|target| target.as_str() == value),
            _ => true,
        });
        Ok(found)
    }

    /// A parameter group by its key; none where it is not there.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn parameter_group(&self, key: &str) -> Result<Option<ParameterGroup>, Blind> {
        Ok(self.reader.parameter_group(key).await?)
    }

    /// Events of a deployment, newest first.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn deployment_events(&self, id: &str) -> Result<Vec<Event>, Blind> {
        let mut events = self.reader.events(SourceType::BlueGreenDeployment, id).await?;
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        Ok(events)
    }

    /// A snapshot of a cluster, or of an instance; none where there is none of that name.
    ///
    /// # Errors
    /// [`Blind`].
    pub async fn snapshot(&self, name: &str, of_cluster: bool) -> Result<Option<Snapshot>, Blind> {
        Ok(self.reader.snapshot(name, of_cluster).await?)
    }
}
