//! What RDS has twice: for clusters, and for instances that are no members of one.

use serde::Serialize;

/// A cluster or an instance, or what belongs to one: a parameter group, a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// A DB cluster.
    Cluster,
    /// A DB instance.
    Instance,
}

impl ResourceKind {
    /// greenlight's own word for it, in its flags and in the keys of groups.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Instance => "instance",
        }
    }

    /// The key of a parameter group of this kind among the facts, `cluster:NAME` or `instance:NAME`.
    pub fn group_key(self, name: &str) -> String {
        format!("{}:{name}", self.name())
    }

    /// Kind and name of the parameter group with this key. What has no kind in front is an instance's.
    pub fn of_group(key: &str) -> (Self, &str) {
        match key.split_once(':') {
            Some(("cluster", name)) => (Self::Cluster, name),
            Some((_, name)) => (Self::Instance, name),
            None => (Self::Instance, key),
        }
    }
}
