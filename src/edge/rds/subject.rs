//! Who is meant: from a name or ARN to the resource and its deployment, or a message that helps.

use super::{
    error::{Failed, RdsError},
    read::Reader,
};
use crate::{
    facts::rds::{Cluster, Deployment, Instance},
    model::{Arn, Engine},
};

/// What `--cluster`, `--instance` or `--deployment` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A cluster, by name or ARN.
    Cluster(String),
    /// An RDS instance, by name or ARN.
    Instance(String),
    /// A deployment, by name or `bgd-…` identifier.
    Deployment(String),
}

impl Subject {
    /// As it was named.
    pub fn name(&self) -> &str {
        match self {
            Self::Cluster(name) | Self::Instance(name) | Self::Deployment(name) => name,
        }
    }

    /// What kind of thing it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Instance(_) => "instance",
            Self::Deployment(_) => "blue/green deployment",
        }
    }

    /// The ARN, where one was given.
    pub(super) fn arn(&self) -> Result<Option<Arn>, RdsError> {
        let (text, wanted, says) = match self {
            Self::Cluster(text) => (
                text,
                "cluster",
                "the ARN of a cluster, arn:aws:rds:REGION:ACCOUNT:cluster:NAME",
            ),
            Self::Instance(text) => (
                text,
                "db",
                "the ARN of an instance, arn:aws:rds:REGION:ACCOUNT:db:NAME",
            ),
            Self::Deployment(text) => (text, "deployment", "a deployment's name or bgd-… identifier"),
        };
        if text.is_empty() {
            return Err(RdsError::BadSubject(text.clone(), "a name"));
        }
        if !text.starts_with("arn:") {
            return Ok(None);
        }
        let bad = || RdsError::BadSubject(text.clone(), says);
        let arn: Arn = text.parse().map_err(|_| bad())?;
        if arn.kind() != wanted || arn.name().is_empty() {
            return Err(bad());
        }
        Ok(Some(arn))
    }
}

/// What was found.
pub(super) enum Found {
    Cluster(Box<Cluster>),
    Instance(Box<Instance>),
    Deployment(Box<Deployment>),
}

/// The engine, if greenlight can judge it.
pub(super) fn engine(name: &str, engine: &str) -> Result<Engine, RdsError> {
    Engine::from_api(engine).ok_or_else(|| RdsError::NotPostgres {
        name: name.to_owned(),
        engine: engine.to_owned(),
    })
}

/// Names that resemble the wanted one; else the first few; as the end of a sentence.
fn hint(kind: &str, wanted: &str, mut names: Vec<String>) -> String {
    names.sort();
    let alike = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase()) > 0.8;
    let near: Vec<&str> = names
        .iter()
        .filter(|n| alike(n))
        .map(String::as_str)
        .take(5)
        .collect();
    match (near.is_empty(), names.len()) {
        (_, 0) => format!(" (there is no {kind} at all)"),
        (false, _) => format!("; similar: {}", near.join(", ")),
        (true, 1..=5) => format!("; there are: {}", names.join(", ")),
        (true, more) => format!("; there are {more} others, for example {}", names[..3].join(", ")),
    }
}

pub(super) async fn find(reader: &Reader, subject: &Subject, place: &str) -> Result<Found, RdsError> {
    let arn = subject.arn()?;
    let name = arn.as_ref().map_or(subject.name(), |arn| match subject {
        // A deployment is filtered by its identifier, others are taken by ARN as well.
        Subject::Deployment(_) => arn.name(),
        _ => arn.name(),
    });
    let failed = |failed: Failed| RdsError::from_call(failed, place);
    let not_found = |hint: String| RdsError::NotFound {
        kind: subject.kind(),
        name: name.to_owned(),
        place: place.to_owned(),
        hint,
    };
    match subject {
        Subject::Cluster(_) => match reader.cluster(name).await.map_err(failed)? {
            Some(cluster) => Ok(Found::Cluster(Box::new(cluster))),
            None => {
                // A failed look around must not hide the answer.
                if let Ok(Some(_)) = reader.instance(name).await {
                    return Err(not_found(
                        "; there is an instance of that name: use --instance".to_owned(),
                    ));
                }
                let names = reader.cluster_names().await;
                Err(not_found(names.map_or_else(
                    |_| String::new(),
                    |names| hint("cluster", name, names),
                )))
            }
        },
        Subject::Instance(_) => match reader.instance(name).await.map_err(failed)? {
            Some(instance) => match &instance.cluster_id {
                Some(cluster) => {
                    engine(&instance.id, &instance.engine)?;
                    Err(RdsError::IsMember {
                        instance: instance.id.clone(),
                        cluster: cluster.clone(),
                    })
                }
                None => Ok(Found::Instance(Box::new(instance))),
            },
            None => {
                if let Ok(Some(_)) = reader.cluster(name).await {
                    return Err(not_found(
                        "; there is a cluster of that name: use --cluster".to_owned(),
                    ));
                }
                let names = reader.instance_names().await;
                Err(not_found(names.map_or_else(
                    |_| String::new(),
                    |names| hint("instance", name, names),
                )))
            }
        },
        Subject::Deployment(_) => {
            let mut found = Vec::new();
            if name.starts_with("bgd-") {
                let by = Some(("blue-green-deployment-identifier", name));
                found = reader.deployments(by).await.map_err(failed)?;
            }
            if found.is_empty() {
                let by = Some(("blue-green-deployment-name", name));
                found = reader.deployments(by).await.map_err(failed)?;
            }
            // A deleted one may still be listed for a while.
            if found.len() > 1 {
                found.retain(|d| d.deleted_at.is_none());
            }
            match found.len() {
                0 => {
                    let names = reader.deployments(None).await;
                    let names = names.map(|all| all.into_iter().map(|d| d.name).collect());
                    Err(not_found(
                        names.map_or_else(|_| String::new(), |n| hint("deployment", name, n)),
                    ))
                }
                1 => Ok(Found::Deployment(Box::new(found.remove(0)))),
                count => Err(RdsError::Ambiguous {
                    name: name.to_owned(),
                    count,
                    ids: found.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(", "),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_must_be_of_the_right_kind() {
        let cluster = "arn:aws:rds:eu-west-1:123456789012:cluster:main".to_owned();
        assert_eq!(
            Subject::Cluster(cluster.clone())
                .arn()
                .expect("an ARN")
                .expect("given")
                .name(),
            "main"
        );
        assert!(Subject::Instance(cluster).arn().is_err());
        assert!(Subject::Cluster("arn:aws".to_owned()).arn().is_err());
        assert!(Subject::Cluster(String::new()).arn().is_err());
        assert_eq!(Subject::Cluster("main".to_owned()).arn().expect("a name"), None);
    }

    #[test]
    fn hints_name_what_is_near() {
        let names = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            hint("cluster", "mian", names(&["main", "billing"])),
            "; similar: main"
        );
        assert_eq!(hint("cluster", "x", names(&["b", "a"])), "; there are: a, b");
        assert_eq!(hint("cluster", "x", vec![]), " (there is no cluster at all)");
    }
}
