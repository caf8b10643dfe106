//! `greenlight switchover`: sets the run up, drives it, and says how it ended.
//!
//! Until the journal is there nothing was asked that changes anything, and every error is an ordinary one. From then on
//! the machine in [`crate::switchover`] decides; this command only gives it a world, a journal and Ctrl-C.

mod confirm;
pub(super) mod display;
mod end;
mod evidence;
pub(super) mod flags;
mod journal;
mod probe;
pub(super) mod signals;
mod world;

use super::{Failure, World, block_on_to_the_end, check, show, target};
use crate::{
    attest::Attestation,
    cli::{SwitchoverArgs, TargetArgs},
    edge::{
        aws, clock, files, host,
        rds::{change::Changes, watch::Watch},
        terminal::{self, Progress},
    },
    exit::Exit,
    facts::{
        Fact,
        rds::{RdsFacts, Topology},
    },
    output::Format,
    policy::Policy,
    switchover::{
        deployment::{Identity, Look, Status},
        driver::{Interrupts as _, Run},
        machine::State,
        outcome::{Outcome, Refusal},
        record::{Actor, Header},
        resume::Resumed,
    },
};
use display::Display;
use signals::Signals;
use world::{Parts, Real, Servers};

/// Runs the command.
pub(super) fn run(args: SwitchoverArgs, world: &World) -> Result<Exit, Failure> {
    block_on_to_the_end(async {
        let mut signals = Signals::listen()?;
        let set_up = tokio::select! {
            biased;
            () = signals.next() => return Err(Failure::interrupted()),
            set_up = set_up(&args, world) => set_up?,
        };
        let (real, run) = match set_up {
            Setup::Ready(ready) => *ready,
            Setup::Over(real, outcome, journal) => return over(&real, &outcome, &journal).await,
        };
        drive(real, run, &mut signals).await
    })
}

/// Everything that a run needs besides its world.
struct Ready {
    journal: crate::switchover::journal::Journal,
    state: State,
    by: Actor,
}

enum Setup<'a> {
    Ready(Box<(Real<'a>, Ready)>),
    /// There is nothing to run.
    Over(Box<Real<'a>>, Outcome, std::path::PathBuf),
}

async fn drive(real: Real<'_>, ready: Ready, signals: &mut Signals) -> Result<Exit, Failure> {
    let Ready {
        mut journal,
        state,
        by,
    } = ready;
    let config = real.config.clone();
    let run = Run {
        config: &config,
        by,
        terminal: terminal::can_ask(),
    };
    let outcome = run
        .drive(state, &real, &mut journal, signals)
        .await
        .map_err(|stuck| Failure::with(Exit::Fault, stuck.to_string()))?;
    let (path, head) = (journal.path().to_owned(), journal.head().to_owned());
    // Another run may begin while this one looks for causes and prints.
    drop(journal);
    let kept = end::Kept {
        path: &path,
        head: &head,
    };
    tokio::select! {
        biased;
        shown = end::show(&real, &outcome, kept) => match shown {
            // What became of production counts, and not that a file could not be written about it.
            Err(failure) if outcome.was_sent() => {
                terminal::say(&format!("{outcome}; but {}", failure.message));
                Ok(end::exit(&outcome))
            }
            shown => shown,
        },
        () = signals.next() => {
            terminal::say(&format!("{outcome} (interrupted while the report was made)"));
            Ok(end::exit(&outcome))
        }
    }
}

/// The end of a run that never began: nothing was asked, and no journal was made.
async fn over(real: &Real<'_>, outcome: &Outcome, journal: &std::path::Path) -> Result<Exit, Failure> {
    let kept = end::Kept {
        path: journal,
        head: "none: nothing was begun",
    };
    end::show(real, outcome, kept).await
}

async fn set_up<'a>(args: &'a SwitchoverArgs, process: &'a World) -> Result<Setup<'a>, Failure> {
    let policy = flags_are_good(args)?;
    let display = Display::new(args.output.format == Some(Format::Json), &process.env);

    let attestation = match &args.guards.attestation {
        Some(path) => Some((path, Attestation::parse(&files::read(path)?))),
        None => None,
    };

    let (sdk, endpoint_url) = target::aws_config(&args.aws, process).await?;
    let taken_up = if args.guards.resume {
        Some(journal::read(args)?)
    } else {
        None
    };
    let (servers, region, id) = match &taken_up {
        None => {
            let servers = find(args, None, process, &display).await?;
            let deployment = world::deployment(&servers.rds);
            let deployment = deployment.ok_or_else(|| Failure::blind("the deployment is not known"))?;
            let (region, id) = (servers.rds.region.clone(), deployment.id.clone());
            (Some(servers), region, id)
        }
        // What was sent is followed even where the deployment, or the way to its servers, is gone.
        Some(log) => {
            let id = log.header().config.identity.id.clone();
            match find(args, Some(&id), process, &display).await {
                Ok(servers) => {
                    let region = servers.rds.region.clone();
                    (Some(servers), region, id)
                }
                Err(failure) => {
                    display.say(&format!("cannot look at the servers: {}", failure.message));
                    (None, log.header().region.clone(), id)
                }
            }
        }
    };
    let watch = Watch::new(&sdk, &region, &id);
    let (identity, refusal) = match &taken_up {
        Some(log) => (log.header().config.identity.clone(), None),
        None => identity(&watch, &id).await?,
    };
    let (attestation, refusal) = match attestation {
        None => (None, refusal),
        Some((path, read)) => {
            // What was sent is followed, whatever has become of the attestation; before a request it is held up again.
            let good = read.and_then(|a| match &taken_up {
                Some(_) => Ok(a),
                None => a.good_at(clock::now()).map(|()| a),
            });
            match good {
                Ok(attestation) => (Some(attestation), refusal),
                Err(why) => {
                    let why = format!("{}: {why}", path.display());
                    (None, Some(refusal.unwrap_or(Refusal::NotAttested { why })))
                }
            }
        }
    };
    let config = flags::config(&args.guards, identity)?;
    let probe = match &servers {
        Some(servers) if refusal.is_none() => probe::prepare(args, servers, &id, &display).await?,
        _ => None,
    };
    let principal = aws::principal(&sdk).await;
    let by = Actor {
        user: process.env.os_user().map_or_else(host::uid, str::to_owned),
        host: host::name(),
        pid: std::process::id(),
        principal: principal.clone(),
    };
    let card = card(args, &servers, &region, endpoint_url.as_deref(), principal, &id);
    let header = Header {
        format: crate::switchover::record::FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        name: card.name.clone(),
        account: Some(card.account.clone()).filter(|account| !account.is_empty()),
        region: region.clone(),
        endpoint: endpoint_url,
        at: clock::now(),
        by: by.clone(),
        config: config.clone(),
    };
    let real = Real::new(Parts {
        args,
        process,
        policy,
        config,
        display,
        watch,
        changes: Changes::new(&sdk, &region),
        servers,
        card,
        attestation,
        probe,
    });
    let path = journal::path(args, &id);
    if let Some(refusal) = refusal {
        return Ok(Setup::Over(Box::new(real), Outcome::Refused { refusal }, path));
    }
    let opened = if taken_up.is_some() {
        journal::take_up(&path, &by, &real.config)
    } else {
        journal::begin(&path, header, &by, &real.config)
    };
    let (journal, resumed) = match opened {
        Ok(opened) => opened,
        Err(journal::Trouble::Busy(holder)) => {
            let refusal = Refusal::Locked { holder };
            return Ok(Setup::Over(Box::new(real), Outcome::Refused { refusal }, path));
        }
        Err(journal::Trouble::Failure(failure)) => return Err(failure),
    };
    announce(&real, &region, &by, &path, &resumed);
    let ready = Ready {
        journal,
        state: resumed.state,
        by,
    };
    Ok(Setup::Ready(Box::new((real, ready))))
}

/// Checks flags and files before anything is asked, and reads the policy.
fn flags_are_good(args: &SwitchoverArgs) -> Result<Policy, Failure> {
    if !args.policy.only.is_empty() {
        return Err(Failure::usage(
            "--only would leave everything else unjudged, which is no ground for a switchover; use --skip ID, or a waiver",
        ));
    }
    let policy = check::policy(&args.policy)?;
    show::files(&args.output)?;
    let nobody = Identity {
        id: args.deployment.clone(),
        members: Vec::new(),
    };
    flags::config(&args.guards, nobody)?;
    Ok(policy)
}

/// Says that the run begins, and what it takes up.
fn announce(real: &Real<'_>, region: &str, by: &Actor, journal: &std::path::Path, resumed: &Resumed) {
    real.display.event(
        "begin",
        serde_json::json!({
            "deployment": { "id": real.config.identity.id, "name": real.card.name },
            "region": region,
            "account": real.card.account,
            "by": by,
            "journal": journal.display().to_string(),
            "runs_before": resumed.runs,
            "config": real.config,
        }),
    );
    if resumed.runs > 0 {
        let last = resumed
            .last
            .as_ref()
            .map_or_else(|| "has no end".to_owned(), |last| format!("ended: {last}"));
        real.display.say(&format!(
            "taking up {}: run {} {last}",
            journal.display(),
            resumed.runs
        ));
    }
}

/// The servers of the deployment, and what the control plane says of it.
async fn find(
    args: &SwitchoverArgs,
    id: Option<&str>,
    process: &World,
    display: &Display,
) -> Result<Servers, Failure> {
    let subject = TargetArgs::of_deployment(id.unwrap_or(&args.deployment));
    let progress = Progress::quiet_unless(display.is_live());
    let found = target::find(&subject, &args.aws, &args.databases, process, &progress).await;
    progress.finish();
    let found = found?;
    match found.rds {
        Fact::Known(rds) if world::deployment(&rds).is_some() => Ok(Servers {
            blue: found.blue,
            green: found.green,
            rds,
        }),
        _ => Err(Failure::blind("RDS does not show the deployment")),
    }
}

/// Whom the run is about, as RDS shows it at rest; and why there is nothing to run, where that is plain already.
async fn identity(watch: &Watch, id: &str) -> Result<(Identity, Option<Refusal>), Failure> {
    let view = match watch.look().await {
        Look::Found(view) => view,
        Look::Gone => return Err(Failure::usage(format!("there is no deployment {id} (any more)"))),
        Look::Failed(why) => return Err(Failure::blind(format!("RDS cannot be asked: {why}"))),
    };
    let refusal = match view.status {
        Status::SwitchoverCompleted => Some(Refusal::AlreadySwitched),
        Status::SwitchoverInProgress => Some(Refusal::AlreadyRunning { seen: view.summary() }),
        Status::Provisioning | Status::Deleting => Some(Refusal::NotAvailable { seen: view.summary() }),
        _ => None,
    };
    match (Identity::of(&view), refusal) {
        (Ok(identity), refusal) => Ok((identity, refusal)),
        // A deployment that is being made has no members yet.
        (Err(_), Some(refusal)) => Ok((
            Identity {
                id: view.id,
                members: Vec::new(),
            },
            Some(refusal),
        )),
        (Err(why), None) => Err(Failure::usage(why)),
    }
}

fn card(
    args: &SwitchoverArgs,
    servers: &Option<Servers>,
    region: &str,
    endpoint_url: Option<&str>,
    principal: Option<String>,
    id: &str,
) -> confirm::Card {
    let rds: Option<&RdsFacts> = servers.as_ref().map(|servers| &servers.rds);
    let side = |topology: Option<&Topology>, endpoint: Option<String>| confirm::Side {
        name: topology.map_or_else(String::new, |t| t.id().to_owned()),
        version: topology
            .and_then(Topology::engine_version)
            .map_or_else(String::new, |version| version.to_string()),
        endpoint: endpoint.unwrap_or_default(),
    };
    let blue = servers.as_ref().map(|servers| servers.blue.endpoint());
    let green = servers
        .as_ref()
        .and_then(|servers| servers.green.as_ref())
        .map(|green| green.endpoint());
    confirm::Card {
        account: rds
            .and_then(|rds| rds.account.known().cloned())
            .unwrap_or_default(),
        principal,
        region: region.to_owned(),
        endpoint_url: endpoint_url.map(str::to_owned),
        name: rds
            .and_then(world::deployment)
            .map_or_else(|| args.deployment.clone(), |deployment| deployment.name.clone()),
        id: id.to_owned(),
        blue: side(rds.and_then(|rds| rds.blue.known()), blue),
        green: side(
            rds.and_then(|rds| rds.green.known()).and_then(Option::as_ref),
            green,
        ),
    }
}
