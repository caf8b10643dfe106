//! The vocabulary: versions, LSNs, sides, statuses, names. Pure, small, and used everywhere.

pub(crate) mod aws_cli;
mod count;
mod encoding;
mod engine;
mod lsn;
pub mod masking;
mod names;
mod resource;
pub mod secret;
pub(crate) mod shell;
pub mod shown;
mod side;
mod size;
mod status;
mod version;

pub use count::count;
pub use encoding::{hex, percent_encoded};
pub use engine::{Engine, Replication};
pub use lsn::Lsn;
pub use names::{Arn, BadArn, quote_ident, quote_literal};
pub use resource::ResourceKind;
pub use side::{Phase, Side};
pub use size::size;
pub use status::{DeploymentStatus, MemberStatus};
pub use version::{BadVersion, Newest, Oldest, PgVersion, Requirement};
