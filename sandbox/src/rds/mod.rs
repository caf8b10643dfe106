//! The RDS Query API over HTTP: a form in, XML out, as every AWS SDK and the `aws` command speak it.
//!
//! One endpoint answers RDS (version 2014-10-31) and `GetCallerIdentity` of STS (2011-06-15). Signatures are read for
//! the access key and the Region but not verified. Reads answer from a copy of the account; changes go to the
//! [world](crate::world), which carries them out.

pub(crate) mod actions;
pub(crate) mod calls;
mod control;
pub(crate) mod fault;
pub(crate) mod faults;
mod page;
pub(crate) mod params;
mod server;
pub(crate) mod shapes;
mod xml;

pub(crate) use server::{Api, bind, serve};
