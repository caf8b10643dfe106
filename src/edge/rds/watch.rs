//! A deployment seen again and again: before the request, right before it, and while the switchover runs.
//!
//! Every look is bounded in time and says so when it failed. Resource ids are read only at rest: while RDS renames, the
//! resource behind an ARN may be another one by the time it is asked for.

use std::{collections::BTreeMap, time::Duration};

use aws_config::{Region, SdkConfig};
use aws_sdk_rds::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    types::SourceType,
};
use futures_util::future::join_all;

use super::{error::Failed, read::Reader};
use crate::{
    facts::rds::Deployment,
    model::Arn,
    switchover::{
        deployment::{Identity, Look, Member, MemberStatus, Resource, Status, View},
        history::{Message, Source},
    },
};

/// Longest time for one look with its retries.
const LOOK_WITHIN: Duration = Duration::from_secs(20);

/// Looks at one deployment.
pub struct Watch {
    reader: Reader,
    /// `bgd-…`
    id: String,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({})", self.id)
    }
}

impl Watch {
    /// Of one Region and deployment, less patient than [`super::collect`]: what fails is asked again soon enough.
    #[must_use]
    pub fn new(config: &SdkConfig, region: &str, id: &str) -> Self {
        let config = aws_sdk_rds::config::Builder::from(config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .operation_timeout(LOOK_WITHIN)
                    .build(),
            )
            .build();
        Self {
            reader: Reader::new(Client::from_conf(config)),
            id: id.to_owned(),
        }
    }

    /// What RDS shows now.
    pub async fn look(&self) -> Look {
        match tokio::time::timeout(LOOK_WITHIN, self.view()).await {
            Ok(Ok(Some(view))) => Look::Found(view),
            Ok(Ok(None)) => Look::Gone,
            Ok(Err(failed)) => Look::Failed(words(&failed)),
            Err(_) => Look::Failed(format!("no answer within {} s", LOOK_WITHIN.as_secs())),
        }
    }

    /// The deployment alone, with its tasks: one call. None where it is gone.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn deployment(&self) -> Result<Option<Deployment>, String> {
        let by = Some(("blue-green-deployment-identifier", self.id.as_str()));
        let mut found = match tokio::time::timeout(LOOK_WITHIN, self.reader.deployments(by)).await {
            Ok(found) => found.map_err(|failed| words(&failed))?,
            Err(_) => return Err(format!("no answer within {} s", LOOK_WITHIN.as_secs())),
        };
        found.retain(|d| d.id.eq_ignore_ascii_case(&self.id) && d.deleted_at.is_none());
        Ok(found.pop())
    }

    /// What RDS shows now of a deployment that is known. A difference is looked at twice: the resources of a view are
    /// read after it, and RDS may have renamed them in between.
    pub async fn look_for(&self, identity: &Identity) -> Look {
        match self.look().await {
            Look::Found(view) if identity.difference(&view).is_some() => self.look().await,
            look => look,
        }
    }

    /// Every event of the deployment that RDS still has.
    ///
    /// # Errors
    /// Why they could not be read.
    pub async fn messages(&self) -> Result<Vec<Message>, String> {
        let asked = self.reader.events(SourceType::BlueGreenDeployment, &self.id);
        let events = match tokio::time::timeout(LOOK_WITHIN, asked).await {
            Ok(Ok(events)) => events,
            Ok(Err(failed)) => return Err(words(&failed)),
            Err(_) => return Err(format!("no answer within {} s", LOOK_WITHIN.as_secs())),
        };
        let messages = events.into_iter().filter_map(|event| {
            Some(Message {
                at: event.at?,
                source: Source::Deployment,
                text: event.message,
            })
        });
        Ok(messages.collect())
    }

    async fn view(&self) -> Result<Option<View>, Failed> {
        let by = Some(("blue-green-deployment-identifier", self.id.as_str()));
        let mut found = self.reader.deployments(by).await?;
        // Not every stand-in for RDS filters.
        found.retain(|d| d.id.eq_ignore_ascii_case(&self.id));
        let Some(deployment) = found.pop() else {
            return Ok(None);
        };
        let view = bare(&deployment);
        let moving = view.status == Status::SwitchoverInProgress
            || view
                .members
                .iter()
                .any(|m| m.status == MemberStatus::SwitchoverInProgress);
        if moving {
            return Ok(Some(view));
        }
        let ids = self.resource_ids(&deployment).await?;
        Ok(Some(with_ids(view, &ids)))
    }

    /// The resource ids behind the members' ARNs, as far as the resources are there.
    async fn resource_ids(&self, deployment: &Deployment) -> Result<BTreeMap<String, String>, Failed> {
        let arns = deployment
            .members
            .iter()
            .flat_map(|m| [&m.source, &m.target])
            .flatten();
        let asked = arns.map(async |arn: &Arn| {
            let id = match arn.kind() {
                "cluster" => self.reader.cluster(arn.name()).await?.map(|c| c.resource_id),
                _ => self.reader.instance(arn.name()).await?.map(|i| i.resource_id),
            };
            Ok(id.map(|id| (arn.to_string(), id)))
        });
        let found: Result<Vec<_>, Failed> = join_all(asked).await.into_iter().collect();
        Ok(found?
            .into_iter()
            .flatten()
            .filter(|(_, id)| !id.is_empty())
            .collect())
    }
}

fn words(failed: &Failed) -> String {
    match failed.fact::<()>() {
        crate::facts::Fact::Unknown { detail, .. } => detail,
        crate::facts::Fact::Known(()) => unreachable!("a failure is no fact"),
    }
}

/// The view without resource ids.
fn bare(deployment: &Deployment) -> View {
    let resource = |arn: &Arn| Resource {
        arn: arn.to_string(),
        resource_id: None,
    };
    let members = deployment.members.iter().map(|member| Member {
        source: member.source.as_ref().map_or_else(
            || Resource {
                arn: String::new(),
                resource_id: None,
            },
            resource,
        ),
        target: member.target.as_ref().map(resource),
        status: member
            .status
            .clone()
            .unwrap_or_else(|| MemberStatus::Other(String::new())),
    });
    View {
        id: deployment.id.clone(),
        status: deployment.status.clone(),
        details: deployment.status_details.clone(),
        members: members.collect(),
    }
}

fn with_ids(mut view: View, ids: &BTreeMap<String, String>) -> View {
    for member in &mut view.members {
        for resource in [Some(&mut member.source), member.target.as_mut()]
            .into_iter()
            .flatten()
        {
            resource.resource_id = ids.get(&resource.arn).cloned();
        }
    }
    view
}
