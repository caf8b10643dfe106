//! `--probe` and `--probe-write`: begun with the last look before the request, ended after the end is on record.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;

use super::{display::Display, world::Servers};
use crate::{
    cli::SwitchoverArgs,
    commands::Failure,
    edge::{
        clock,
        probe::{Kind, News, Probe, Running},
    },
    switchover::{outage::Outage, outcome::Outcome},
};

/// How long the probe goes on for service to come back, where a switchover may have taken it away.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last look waits for the probe's first answer.
const WARM: Duration = Duration::from_secs(2);

/// Makes the probe ready, and looks at the table for writes, before anything else is done.
///
/// # Errors
/// Where the table is not fit for it, on either side.
pub(super) async fn prepare(
    args: &SwitchoverArgs,
    servers: &Servers,
    id: &str,
    display: &Display,
) -> Result<Option<Probe>, Failure> {
    let guards = &args.guards;
    if !guards.probe && guards.probe_write.is_none() {
        return Ok(None);
    }
    let mut probe = Probe::new(&servers.blue);
    if let Some(table) = &guards.probe_write {
        let run = format!("{id}-{}", clock::now().as_millisecond());
        probe = probe
            .with_writes(table, servers.green.as_ref(), &run)
            .await
            .map_err(|e| Failure::usage(e.to_string()))?;
        display.say(&format!(
            "the probe will insert rows into {table}, four a second, with run = '{run}'; they stay there"
        ));
    }
    Ok(Some(probe))
}

/// The probe of a run.
#[derive(Debug, Default)]
pub(super) struct Probing {
    ready: RefCell<Option<Probe>>,
    running: RefCell<Option<Running>>,
    outage: RefCell<Option<Outage>>,
    news: Arc<Mutex<Vec<(Timestamp, News)>>>,
}

impl Probing {
    pub(super) fn new(probe: Option<Probe>) -> Self {
        Self {
            ready: RefCell::new(probe),
            ..Self::default()
        }
    }

    /// Begins, the first time, and waits for a first answer to compare with.
    pub(super) async fn start(&self) {
        let Some(probe) = self.ready.take() else { return };
        let news = Arc::clone(&self.news);
        let mut running = probe.start(Arc::new(move |new| {
            news.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((clock::now(), new));
        }));
        running.warm(WARM).await;
        self.running.replace(Some(running));
    }

    /// Ends it, if it was begun.
    pub(super) async fn end(&self, outcome: &Outcome) -> Option<Outage> {
        let running = self.running.take()?;
        let patience = match outcome {
            Outcome::Switched { .. } | Outcome::RolledBack { .. } => PATIENCE,
            _ => Duration::ZERO,
        };
        let outage = running.stop(patience).await;
        self.outage.replace(Some(outage.clone()));
        Some(outage)
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        self.outage.borrow().clone()
    }

    /// Tells what has come up since the last time.
    pub(super) fn show(&self, display: &Display) {
        let news = std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
        for (seen_at, new) in news {
            let name = |kind| match kind {
                Kind::Read => "reads",
                Kind::Write => "writes",
            };
            match new {
                News::Out { kind, error } => {
                    display.say(&format!("probe: {} are out: {error}", name(kind)));
                    display.event(
                        "probe",
                        json!({ "probe": name(kind), "out": true, "seen_at": seen_at, "error": error }),
                    );
                }
                News::Back { kind, out_ms, server } => {
                    let version = server.version.as_deref().unwrap_or("an unknown version");
                    display.say(&format!(
                        "probe: {} are back after {out_ms} ms, on {version}",
                        name(kind)
                    ));
                    display.event(
                        "probe",
                        json!({ "probe": name(kind), "out": false, "seen_at": seen_at, "out_ms": out_ms, "server": server }),
                    );
                }
            }
        }
    }
}
