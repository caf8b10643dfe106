//! What kind of PostgreSQL this is, and how its deployment replicates.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{PgVersion, ResourceKind};

/// The engine behind the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Aurora PostgreSQL (`aurora-postgresql`).
    Aurora,
    /// RDS for PostgreSQL (`postgres`).
    Rds,
    /// No control plane was asked: any PostgreSQL.
    Postgres,
}

impl Engine {
    /// From the API's `Engine` string; none for MySQL and the rest.
    pub fn from_api(engine: &str) -> Option<Self> {
        match engine {
            "aurora-postgresql" => Some(Self::Aurora),
            "postgres" => Some(Self::Rds),
            _ => None,
        }
    }

    /// The API's name of the engine; plain servers have none.
    pub fn api_name(self) -> Option<&'static str> {
        match self {
            Self::Aurora => Some("aurora-postgresql"),
            Self::Rds => Some("postgres"),
            Self::Postgres => None,
        }
    }

    /// What parameter groups and settings are of: Aurora's clusters, everything else's instances.
    pub fn resource_kind(self) -> ResourceKind {
        match self {
            Self::Aurora => ResourceKind::Cluster,
            Self::Rds | Self::Postgres => ResourceKind::Instance,
        }
    }

    /// The parameter group family of a major version, from 10 on: `aurora-postgresql16`, `postgres16`.
    pub fn family(self, major: u16) -> String {
        format!("{}{major}", self.api_name().unwrap_or("postgres"))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aurora => "Aurora PostgreSQL",
            Self::Rds => "RDS for PostgreSQL",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// How blue's changes reach green.
///
/// Aurora always replicates logically; RDS does for a major upgrade and uses a physical replica otherwise:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-replication-type.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replication {
    /// One publication, slot and subscription per database.
    Logical,
    /// A physical read replica of the same major.
    Physical,
}

impl Replication {
    /// Of a deployment of this engine from one version to another that does not lie below it.
    pub fn of(engine: Engine, from: PgVersion, to: PgVersion) -> Self {
        match engine {
            Engine::Rds if from.major == to.major => Self::Physical,
            _ => Self::Logical,
        }
    }
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logical => "logical",
            Self::Physical => "physical",
        })
    }
}
