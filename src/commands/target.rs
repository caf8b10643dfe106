//! From flags to servers: which, as whom, through what.

use std::{sync::Arc, time::Duration};

use super::{Failure, World};
use crate::{
    cli::{DatabaseArgs, TargetArgs},
    edge::{
        auth::{Method, PerSide},
        collect::{self, Order},
        connect::{ConnectSpec, Timeouts},
        postgres::Manners,
        terminal::Progress,
        tls::{Roots, TlsMode, TlsSettings},
    },
    facts::{Fact, Facts, Request, Why},
    model::{Engine, Phase},
};

/// Reads everything that the flags ask for.
///
/// # Errors
/// Where the flags are wrong, or where nothing could be looked at.
pub(super) async fn read(
    target: &TargetArgs,
    databases: &DatabaseArgs,
    phase: Option<Phase>,
    everything: bool,
    only: &[String],
    world: &World,
) -> Result<Facts, Failure> {
    let progress = Progress::start();
    let method = PerSide::from_flags("--auth", &databases.auth, Method::Password, str::parse)
        .map_err(Failure::usage)?;
    let (blue, green) = match &target.blue_url {
        Some(blue) => {
            let blue = from_url("--blue-url", blue, method.blue, databases, world)?;
            let green = target.green_url.as_ref();
            let green = green.map(|url| from_url("--green-url", url, method.green, databases, world));
            (blue, green.transpose()?)
        }
        None => {
            return Err(Failure::usage(
                "say what to look at: --cluster, --instance, --deployment, --blue-url or --facts",
            ));
        }
    };
    let order = Order {
        request: Request {
            subject: None,
            target_version: target.target_version,
            target_parameter_group: target.target_parameter_group.clone(),
        },
        engine: Engine::Postgres,
        rds: Fact::unknown(Why::NotAsked, "only the databases were asked (--blue-url)"),
        phase,
        everything,
        lag_samples: databases.lag_samples,
        lag_interval: Duration::from_secs(1),
        manners: Manners {
            connections: databases.connections.max(1),
            evidence_rows: databases.evidence.max(1),
            ..Manners::default()
        },
        only: only.to_vec(),
    };
    progress.waiting(&format!("connecting to {}", blue.endpoint()));
    let told = |side, done, total| progress.databases(side, done, total);
    let facts = collect::collect(order, &blue, green.as_ref(), crate::edge::clock::now(), &told).await;
    progress.finish();
    facts.map_err(|e| Failure::blind(e.to_string()))
}

/// A server that a connection string names, with the flags that go over it.
fn from_url(
    flag: &str,
    url: &str,
    method: Method,
    databases: &DatabaseArgs,
    world: &World,
) -> Result<ConnectSpec, Failure> {
    let mut spec = ConnectSpec::from_conninfo(url, method, &world.env, None)
        .map_err(|e| Failure::usage(format!("{flag}: {e}")))?;
    if let Some(mode) = &databases.tls_mode {
        let mode: TlsMode = mode
            .parse()
            .map_err(|e| Failure::usage(format!("--tls-mode: {e}")))?;
        spec.tls = TlsSettings::new(mode, roots(databases)?);
    } else if databases.tls_ca.is_some() {
        spec.tls = TlsSettings::new(TlsMode::VerifyFull, roots(databases)?);
    }
    if let Some(seconds) = databases.timeout_connect {
        spec.timeouts = Timeouts::within(Duration::from_secs(seconds.max(1)));
    }
    Ok(spec)
}

fn roots(databases: &DatabaseArgs) -> Result<Arc<Roots>, Failure> {
    match &databases.tls_ca {
        Some(file) => Roots::from_file(file)
            .map(Arc::new)
            .map_err(|e| Failure::usage(format!("--tls-ca: {e}"))),
        None => Ok(Arc::new(Roots::bundled())),
    }
}
