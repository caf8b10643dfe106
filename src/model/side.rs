//! The two sides of a deployment, and the moments at which greenlight is asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Blue is production before the switchover, green what it will become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Production, the source of the deployment.
    Blue,
    /// The staging copy on the target version.
    Green,
    /// The RDS control plane: no SQL is asked.
    Rds,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blue => "blue",
            Self::Green => "green",
            Self::Rds => "rds",
        })
    }
}

/// The question that a report answers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// May a deployment be created, and will green keep up?
    Create,
    /// May it be switched over now?
    Switchover,
    /// Did the switchover do what it should?
    Verify,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Switchover => "switchover",
            Self::Verify => "verify",
        })
    }
}
