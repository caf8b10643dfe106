//! `greenlight watch`: looks at a deployment until something is so, and shows what is new.
//!
//! Two loops beside each other, so that a slow RDS does not hold up the lag and a lost server not the status: one call to
//! RDS every few seconds (events only now and then, and where something changed), and one look at the lag on a session a
//! server that stays open. Whatever fails is said once, and looking goes on. Nothing is ever changed.

mod screen;

use std::{cell::RefCell, time::Duration};

use aws_config::SdkConfig;
use jiff::SignedDuration;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Failure, World,
    switchover::flags::{size, time},
    target,
};
use crate::{
    cli::{ShortFormat, SubjectArgs, TargetArgs, Until, WatchArgs},
    edge::{
        clock,
        rds::{Collected, watch::Watch},
        sampler::Sampler,
        terminal::{self, Progress},
    },
    exit::Exit,
    facts::{Fact, Facts, SCHEMA, Why, rds::RdsFacts},
    model::{DeploymentStatus, Engine, Replication},
    policy::Policy,
    situation::Situation,
    switchover::{
        moment::{LAG_CHECK, Moment},
        settle::Limits,
    },
    watch::{End, Goal, News, Watched},
};
use screen::Screen;

/// Time between two looks at the events where nothing changed.
const EVENTS_EVERY: Duration = Duration::from_secs(30);
/// The longest pause between two calls while RDS throttles.
const THROTTLED: Duration = Duration::from_secs(60);
/// Time between two attempts at finding green.
const FIND_EVERY: Duration = Duration::from_secs(15);

/// The flags' numbers.
struct Terms {
    goal: Option<Goal>,
    timeout: Option<Duration>,
    limits: Limits,
    stable_for: SignedDuration,
    interval: Duration,
    api_interval: Duration,
}

impl Terms {
    fn of(args: &WatchArgs) -> Result<Self, Failure> {
        let parsed = |flag: &str, text: &str| {
            let parsed = time(text).filter(|time| time.is_positive());
            parsed.ok_or_else(|| {
                Failure::usage(format!(
                    "{flag} {text:?}: write a time like 90, 90s, 1500ms, 5m or 2h"
                ))
            })
        };
        let bytes = size(&args.max_lag).ok_or_else(|| {
            let given = &args.max_lag;
            Failure::usage(format!(
                "--max-lag {given:?}: write bytes like 4096, 64KB or 1MiB"
            ))
        })?;
        let interval = parsed("--interval", &args.interval)?;
        let goal = args.until.map(|until| match until {
            Until::Available => Goal::Available,
            Until::Ready => Goal::Ready,
            Until::Switched => Goal::Switched,
            Until::Gone => Goal::Gone,
        });
        if args.api_only && goal == Some(Goal::Ready) {
            return Err(Failure::usage(
                "--until ready needs the lag, which --api-only does not look at; wait for `available`, or leave --api-only out",
            ));
        }
        let timeout = args
            .timeout
            .as_ref()
            .map(|text| parsed("--timeout", text))
            .transpose()?;
        Ok(Self {
            goal,
            timeout: timeout.map(|time| time.unsigned_abs()),
            limits: Limits {
                bytes,
                // A gap is one that is longer than looks are apart.
                max_gap: SignedDuration::from_secs(5).max(interval * 3),
                ..Limits::default()
            },
            stable_for: parsed("--stable-for", &args.stable_for)?,
            interval: interval.unsigned_abs(),
            api_interval: parsed("--api-interval", &args.api_interval)?.unsigned_abs(),
        })
    }
}

/// What was found at the start, or as soon as green is there.
struct Found {
    rds: RdsFacts,
    engine: Engine,
    request: crate::facts::Request,
    lag: Option<(Sampler, Moment)>,
}

struct Run<'a> {
    args: &'a WatchArgs,
    world: &'a World,
    terms: Terms,
    shared: RefCell<(Watched, Screen)>,
}

pub(super) async fn run(args: WatchArgs, world: &World) -> Result<Exit, Failure> {
    let terms = Terms::of(&args)?;
    let begun = Instant::now();
    let progress = Progress::start();
    let found = find(&args, world, &progress).await;
    progress.finish();
    let found = found?;
    let deployment = found.rds.deployment.known().and_then(Option::as_ref);
    let Some(deployment) = deployment else {
        return Err(Failure::blind(format!("{} has no deployment", args.deployment)));
    };
    let title = screen::title(deployment, &found.request, found.engine);
    let (sdk, _) = sdk(&args, world).await?;
    let watch = Watch::new(&sdk, &found.rds.region, &deployment.id);
    let deadline = terms.timeout.map(|timeout| begun + timeout);
    let waiting = args.until.map(|until| {
        let until = clap::ValueEnum::to_possible_value(&until);
        until.map_or_else(String::new, |value| value.get_name().to_owned())
    });
    let json = args.format == ShortFormat::Json;
    let style = terminal::style(world.color, false, &world.env);
    let columns = terminal::live_columns(&world.env).filter(|_| terminal::stdout_is_terminal() && !json);
    let screen = Screen::new(title, waiting, deadline, json, columns, style.color);
    let run = Run {
        args: &args,
        world,
        terms,
        shared: RefCell::new((Watched::default(), screen)),
    };
    let timeout = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        end = Box::pin(run.rds(&watch)) => Some(end?),
        end = Box::pin(run.lag(found)) => Some(end?),
        () = timeout => None,
    };
    let (watched, screen) = &mut *run.shared.borrow_mut();
    let exit = match &end {
        Some(End::Reached(_)) => Exit::Ready,
        Some(End::Missed(_)) => Exit::NotReady,
        None => Exit::NotDetermined,
    };
    screen.end(watched, end.as_ref(), exit)?;
    Ok(exit)
}

impl Run<'_> {
    /// Takes in what was seen, shows it, and tells whether the wait is over.
    fn take(&self, see: impl FnOnce(&mut Watched) -> Vec<News>) -> Result<(bool, Option<End>), Failure> {
        let (watched, screen) = &mut *self.shared.borrow_mut();
        let news = see(watched);
        let changed = news.iter().any(|n| !matches!(n, News::Event(..)));
        screen.show(watched, &news, self.terms.stable_for, self.terms.limits.bytes)?;
        Ok((changed, watched.end(self.terms.goal, self.terms.stable_for)))
    }

    async fn rds(&self, watch: &Watch) -> Result<End, Failure> {
        let mut pause = self.terms.api_interval;
        let mut heard_at: Option<Instant> = None;
        loop {
            let look = watch.deployment().await;
            let throttled =
                matches!(&look, Err(why) if why.contains("Throttling") || why.contains("Rate exceeded"));
            let (changed, mut end) = self.take(|watched| watched.described(look))?;
            let due = heard_at.is_none_or(|at| at.elapsed() >= EVENTS_EVERY);
            if (changed || due) && !throttled {
                heard_at = Some(Instant::now());
                // Events explain; without them all else is still shown.
                if let Ok(messages) = watch.messages().await {
                    let events = messages.into_iter().map(|m| (m.at, m.text)).collect();
                    end = self.take(|watched| watched.heard(events))?.1.or(end);
                }
            }
            if let Some(end) = end {
                return Ok(end);
            }
            pause = match throttled {
                true => (pause * 2).min(THROTTLED.max(self.terms.api_interval)),
                false => self.terms.api_interval,
            };
            sleep(pause).await;
        }
    }

    async fn lag(&self, found: Found) -> Result<End, Failure> {
        let Found { mut lag, .. } = found;
        if self.args.api_only {
            return std::future::pending().await;
        }
        if let Some((sampler, _)) = &lag {
            sampler.warm().await;
        }
        let mut tick = tokio::time::interval(self.terms.interval);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let status = self
                .shared
                .borrow()
                .0
                .deployment
                .as_ref()
                .map(|d| d.status.clone());
            match status {
                None => continue,
                Some(DeploymentStatus::SwitchoverCompleted | DeploymentStatus::Deleting) => {
                    // There is no lag any more.
                    self.shared.borrow_mut().0.lag.clear();
                    lag = None;
                    continue;
                }
                Some(_) => {}
            }
            let Some((sampler, moment)) = &mut lag else {
                if status == Some(DeploymentStatus::Available) {
                    let quiet = Progress::quiet_unless(false);
                    match find(self.args, self.world, &quiet).await {
                        Ok(found) => lag = found.lag,
                        Err(failure) => tracing::info!("green is not found yet: {failure}"),
                    }
                    if lag.is_none() {
                        sleep(FIND_EVERY).await;
                    }
                }
                continue;
            };
            let answers = sampler.look().await;
            let limits = &self.terms.limits;
            let worst = moment.lag(&answers, limits);
            let (lines, silent, at) = (moment.lines(limits), moment.silent(&answers), answers.at);
            let (_, end) = self.take(|watched| watched.sampled(at, &worst, lines, silent, limits))?;
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }
}

async fn sdk(args: &WatchArgs, world: &World) -> Result<(SdkConfig, Option<String>), Failure> {
    target::aws_config(&args.aws, world).await
}

/// The deployment and, where both are there, its servers.
async fn find(args: &WatchArgs, world: &World, progress: &Progress) -> Result<Found, Failure> {
    let subject = SubjectArgs::of_deployment(&args.deployment);
    let wanted = target::rds_only(&subject, &args.aws, None, None);
    let seen = target::in_time(&args.databases, target::control_plane(wanted, world, progress)).await?;
    let both = seen.blue.is_some() && seen.green.is_some();
    if args.api_only || !both {
        let Collected {
            facts,
            engine,
            request,
            ..
        } = seen;
        return Ok(Found {
            rds: facts,
            engine,
            request,
            lag: None,
        });
    }
    let wanted = TargetArgs::of_deployment(&args.deployment);
    let servers = target::servers(&wanted, seen, &args.aws, &args.databases, world).await?;
    let Fact::Known(rds) = servers.rds else {
        return Err(Failure::blind("the RDS API was not asked"));
    };
    let facts = Facts {
        schema: SCHEMA,
        greenlight: env!("CARGO_PKG_VERSION").to_owned(),
        collected_at: clock::now(),
        request: servers.request,
        engine: servers.engine,
        rds: Fact::Known(rds.clone()),
        blue: Fact::unknown(Why::NotAsked, "only the lag is watched"),
        green: Some(Fact::unknown(Why::NotAsked, "only the lag is watched")),
        lag: Vec::new(),
        contents: None,
    };
    let situation = Situation::of(&facts, None);
    let physical = situation.replication == Some(Replication::Physical);
    let only_lag = |check: &crate::checks::Check| check.page.id == LAG_CHECK;
    let sampler = Sampler::new(&servers.blue, servers.green.as_ref(), only_lag, physical);
    let moment = Moment::on(&facts, situation, &Policy::at(facts.collected_at), None);
    Ok(Found {
        rds,
        engine: servers.engine,
        request: facts.request,
        lag: Some((sampler, moment)),
    })
}
