//! From flags to a run: whom it is about, what it is held to, who runs it, and its journal. Nothing here changes anything but the
//! journal, which is opened last.

use std::path::{Path, PathBuf};

use super::{
    super::{Failure, World, check, show, target},
    confirm,
    display::Display,
    flags, journal, probe,
    world::{self, Parts, Real, Servers},
};
use crate::{
    attest::{self, Attestation},
    cli::{SwitchoverArgs, TargetArgs},
    edge::{
        aws, clock, files, host,
        rds::{change::Changes, watch::Watch},
        terminal::Progress,
    },
    facts::{
        Fact,
        rds::{RdsFacts, Topology},
    },
    output::Format,
    policy::Policy,
    switchover::{
        deployment::{Identity, Look, Status},
        journal::{Journal, Log},
        machine::State,
        outcome::{Outcome, Refusal},
        record::{Actor, FORMAT, Header},
        resume::Resumed,
    },
};

/// Everything that a run needs besides its world.
pub(super) struct Ready {
    pub(super) journal: Journal,
    pub(super) state: State,
    pub(super) by: Actor,
}

pub(super) enum Setup<'a> {
    Ready(Box<(Real<'a>, Ready)>),
    /// There is nothing to run.
    Over(Box<Real<'a>>, Outcome, PathBuf),
}

/// Sets a run up.
///
/// # Errors
/// Where it cannot be: nothing was asked then that changes anything.
pub(super) async fn set_up<'a>(args: &'a SwitchoverArgs, process: &'a World) -> Result<Setup<'a>, Failure> {
    let policy = flags_are_good(args)?;
    let display = Display::new(args.output.format == Some(Format::Json), &process.env);
    let attestation = Held::read(args)?;

    let (sdk, endpoint_url) = target::aws_config(&args.aws, process).await?;
    let taken_up = match args.guards.resume {
        true => Some(journal::read(args)?),
        false => None,
    };
    let Subject { id, region, servers } = match &taken_up {
        Some(log) => subject_again(args, log, process, &display).await?,
        None => subject(args, process, &display).await?,
    };
    let watch = Watch::new(&sdk, &region, &id);
    let (identity, refusal) = match &taken_up {
        Some(log) => (log.header().config.identity.clone(), None),
        None => identity(&watch, &id).await?,
    };
    let (attestation, unattested) = match attestation.map(|held| held.up(taken_up.is_some())).transpose() {
        Ok(attestation) => (attestation, None),
        Err(refusal) => (None, Some(refusal)),
    };
    let refusal = refusal.or(unattested);
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
        format: FORMAT,
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
    let opened = match refusal {
        Some(refusal) => Err(journal::Trouble::Refused(refusal)),
        None if taken_up.is_some() => journal::take_up(&path, &by, &real.config),
        None => journal::begin(&path, header, &by, &real.config),
    };
    let (journal, resumed) = match opened {
        Ok(opened) => opened,
        Err(journal::Trouble::Refused(refusal)) => {
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
fn announce(real: &Real<'_>, region: &str, by: &Actor, journal: &Path, resumed: &Resumed) {
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

/// The attestation that was given, as it was read.
struct Held<'a> {
    path: &'a Path,
    read: Result<Attestation, attest::Refused>,
}

impl<'a> Held<'a> {
    fn read(args: &'a SwitchoverArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.guards.attestation else {
            return Ok(None);
        };
        let read = Attestation::parse(&files::read(path)?);
        Ok(Some(Self { path, read }))
    }

    /// The attestation, if it is good now. A run that is taken up may have sent its request: that is followed, however old the
    /// attestation has become; before a request it is held up again.
    fn up(self, taken_up: bool) -> Result<Attestation, Refusal> {
        let good = self.read.and_then(|attestation| {
            if !taken_up {
                attestation.good_at(clock::now())?;
            }
            Ok(attestation)
        });
        good.map_err(|why| Refusal::NotAttested {
            why: format!("{}: {why}", self.path.display()),
        })
    }
}

/// The deployment that a run is about.
struct Subject {
    id: String,
    region: String,
    /// None where they could not be had, on `--resume`.
    servers: Option<Servers>,
}

/// The deployment that the flags name.
async fn subject(args: &SwitchoverArgs, process: &World, display: &Display) -> Result<Subject, Failure> {
    let servers = find(args, &args.deployment, process, display).await?;
    let deployment =
        world::deployment(&servers.rds).ok_or_else(|| Failure::blind("the deployment is not known"))?;
    Ok(Subject {
        id: deployment.id.clone(),
        region: servers.rds.region.clone(),
        servers: Some(servers),
    })
}

/// The deployment that a journal is about. What was sent is followed even where the deployment, or the way to its servers, is gone.
async fn subject_again(
    args: &SwitchoverArgs,
    log: &Log,
    process: &World,
    display: &Display,
) -> Result<Subject, Failure> {
    let header = log.header();
    let id = header.config.identity.id.clone();
    Ok(match find(args, &id, process, display).await {
        Ok(servers) => Subject {
            id,
            region: servers.rds.region.clone(),
            servers: Some(servers),
        },
        Err(failure) => {
            display.say(&format!("cannot look at the servers: {}", failure.message));
            Subject {
                id,
                region: header.region.clone(),
                servers: None,
            }
        }
    })
}

/// The servers of a deployment, and what the control plane says of it.
async fn find(
    args: &SwitchoverArgs,
    deployment: &str,
    process: &World,
    display: &Display,
) -> Result<Servers, Failure> {
    let subject = TargetArgs::of_deployment(deployment);
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
