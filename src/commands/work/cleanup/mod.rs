//! `greenlight cleanup`: what is left after a switchover, or a deployment that is not wanted.
//!
//! Production is never named in a deletion: the deployment goes without `DeleteTarget` once it was switched over, and what
//! is deleted beside it is held by its resource id, which names do not carry along.

mod alone;
mod card;
mod old;

use card::{after, card};
use old::{Old, idle, is_old, no_replicas, old_of};

use super::{
    Events, Real, Run, config, failed, head, journal_path, judged, place, read, started, take_up, tasks_of,
    unused,
};
use crate::{
    cli::{CleanupArgs, TargetArgs},
    commands::{Failure, World, check, consent, show, switchover::signals::Signals, target},
    edge::{
        clock, old_side,
        terminal::{self, Progress},
    },
    exit::Exit,
    facts::{
        Facts,
        rds::{Deployment, Topology},
    },
    model::{DeploymentStatus, Phase, quote_literal},
    output::text::wrap,
    switchover::driver::Interrupts as _,
    work::{
        events::Event,
        machine::End,
        record::{Record, Task},
    },
};

pub(in crate::commands) async fn run(args: CleanupArgs, world: &World) -> Result<Exit, Failure> {
    let events = Events::of(&args.output);
    let outcome = whole(args, world, events).await;
    events.end(&outcome);
    outcome
}

async fn whole(args: CleanupArgs, world: &World, events: Events) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let (mut run, tasks, blue) = tokio::select! {
        biased;
        () = signals.next() => return Err(Failure::interrupted()),
        set_up = set_up(&args, world) => match set_up? {
            Ok(ready) => ready,
            Err(exit) => return Ok(exit),
        },
    };
    let journal = run.journal.path().to_owned();
    events.emit(&Event::Begun {
        tasks: &tasks,
        journal: journal.display().to_string(),
    });
    let mut looked = false;
    for task in &tasks {
        if done(&run, task) {
            continue;
        }
        // Once the deployment is gone the old side may take writes again: it is looked at anew before it is deleted.
        if let (false, Some(old)) = (looked, old_of(task, &tasks)) {
            let idle = idle(&args, world, &run.real, &old);
            tokio::select! {
                biased;
                () = signals.next() => return Err(Failure::with(Exit::Interrupted, format!(
                    "interrupted; the rest is taken up with --resume ({})", journal.display()
                ))),
                idle = idle => idle?,
            }
            looked = true;
        }
        match run.task(task, &mut signals).await {
            End::Done { what } => terminal::say(&wrap(&format!("done: {task} ({what})"), 80, 2)),
            end => return Err(failed(task, &end, &journal)),
        }
    }
    terminal::say(&wrap(&after(&tasks), 80, 6));
    if args.unwanted
        && let Some(blue) = blue
    {
        leftovers(&args, world, &blue).await;
    }
    Ok(Exit::Ready)
}

/// Whether an earlier run ended a task as it should.
fn done(run: &Run, task: &Task) -> bool {
    let records = run.log.iter().flat_map(|log| log.records());
    records
        .filter_map(|record| match record {
            Record::Ended { work, end, .. } if work == task => Some(end),
            _ => None,
        })
        .any(|end| matches!(end, End::Done { .. }))
}

type Ready = (Run, Vec<Task>, Option<TargetArgs>);

/// What is to be cleaned up, as it was given: a name or an ARN.
fn given(args: &CleanupArgs) -> &str {
    let given = [&args.deployment, &args.cluster, &args.instance];
    given.into_iter().flatten().next().map_or("", String::as_str)
}

/// The name, which an ARN ends with.
fn name(given: &str) -> &str {
    given.rsplit(':').next().unwrap_or_default()
}

async fn set_up(args: &CleanupArgs, world: &World) -> Result<Result<Ready, Exit>, Failure> {
    let path = journal_path(
        args.journal.as_ref(),
        format!("greenlight-cleanup-{}.journal", name(given(args))),
    );
    if args.resume {
        return resumed(args, world, &path).await.map(Ok);
    }
    unused(&path)?;
    if args.delete_old && args.final_snapshot.is_none() && !args.no_final_snapshot {
        return Err(Failure::usage(
            "--delete-old: say --final-snapshot NAME or --no-final-snapshot",
        ));
    }
    let Some(deployment) = &args.deployment else {
        return alone::set_up(args, world, &path).await.map(Ok);
    };
    let policy = check::policy(&args.policy)?;
    let files = show::files(&args.output)?;
    let wanted = TargetArgs::of_deployment(deployment);
    let progress = Progress::start();
    let begun = clock::now();
    let found = target::find(&wanted, &args.aws, &args.databases, world, &progress).await;
    progress.finish();
    let found = found?;
    let rds = target::rds(&found.rds)?.clone();
    let deployment = rds.deployment.known().cloned().flatten();
    let deployment = deployment.ok_or_else(|| Failure::blind("the deployment is not known"))?;
    let blue = rds
        .blue
        .get()
        .map_err(|(_, why)| Failure::blind(why.to_owned()))?
        .clone();
    let green = rds.green.known().cloned().flatten();
    state(args, &deployment)?;
    if !args.unwanted {
        let read = target::Wanted {
            phase: Some(Phase::Verify),
            everything: false,
            only: &policy.only,
        };
        let facts: Facts = target::facts(found, &args.databases, read, begun, &progress).await?;
        progress.finish();
        let exit = judged(&facts, Phase::Verify, &policy, &args.output, &files, world)?;
        if exit != Exit::Ready {
            terminal::say("nothing was deleted");
            return Ok(Err(exit));
        }
    }
    if args.delete_old && !is_old(blue.id()) {
        return Err(Failure::with(
            Exit::Refused,
            format!(
                "{} is not called …-old1, as RDS calls the old side after a switchover: greenlight deletes nothing else; \
                 nothing was deleted",
                blue.id()
            ),
        ));
    }
    protection(args, &blue, green.as_ref())?;
    let (sdk, endpoint, by) = place(&args.aws, world).await?;
    let real = Real::new(&sdk, &rds.region, Events::of(&args.output));
    let old = Old {
        id: blue.id().to_owned(),
        cluster: blue.cluster.is_some(),
    };
    if args.delete_old {
        no_replicas(&blue)?;
        idle(args, world, &real, &old).await?;
    }
    free(args, &real, old.cluster).await?;
    let tasks = tasks(args, Some(&deployment), &blue);
    terminal::say(&card(args, Some(&deployment), &blue, green.as_ref(), &path));
    consent::to("To delete what is listed", &deployment.name, args.yes).await?;
    let head = head(
        &rds.region,
        rds.account.known().cloned(),
        endpoint,
        &by,
        tasks.clone(),
    );
    let config = config(args.wait, args.poll, args.reconcile_for);
    let checked = (!args.unwanted).then_some(begun);
    let run = started(real, config, &path, head, checked, args.yes)?;
    Ok(Ok((run, tasks, Some(old.target()))))
}

/// Refuses where the final snapshot's name is taken.
async fn free(args: &CleanupArgs, real: &Real, cluster: bool) -> Result<(), Failure> {
    let Some(name) = &args.final_snapshot else {
        return Ok(());
    };
    let taken = real.lookout.snapshot(name, cluster).await;
    if taken.map_err(|e| Failure::blind(e.to_string()))?.is_some() {
        return Err(Failure::usage(format!(
            "a snapshot {name} exists already: give --final-snapshot another name"
        )));
    }
    Ok(())
}

async fn resumed(args: &CleanupArgs, world: &World, path: &std::path::Path) -> Result<Ready, Failure> {
    let region = tasks_of(&read(path)?)?.region.clone();
    let (sdk, _, by) = place(&args.aws, world).await?;
    let (journal, log) = take_up(path, &by)?;
    let tasks = tasks_of(&log)?.tasks.clone();
    if tasks.iter().any(|task| matches!(task, Task::Create { .. })) {
        return Err(Failure::usage(format!(
            "{} is not about a clean-up",
            path.display()
        )));
    }
    let mut run = Run {
        real: Real::new(&sdk, &region, Events::of(&args.output)),
        config: config(args.wait, args.poll, args.reconcile_for),
        journal,
        log: Some(log),
    };
    run.record(Record::Run { at: clock::now(), by })?;
    terminal::say(&format!("taking up {}", path.display()));
    Ok((run, tasks, None))
}

/// Whether the deployment is in the state that the flags are for.
fn state(args: &CleanupArgs, deployment: &Deployment) -> Result<(), Failure> {
    let Deployment { name, status, .. } = deployment;
    let refused = |text: String| {
        Err(Failure::with(
            Exit::Refused,
            format!("{text}; nothing was deleted"),
        ))
    };
    match (args.unwanted, status) {
        (_, DeploymentStatus::SwitchoverInProgress) => refused(format!(
            "{name} is being switched over: `greenlight switchover --resume` follows it"
        )),
        (_, DeploymentStatus::Deleting) => refused(format!("{name} is being deleted already")),
        (true, DeploymentStatus::SwitchoverCompleted) => refused(format!(
            "{name} was switched over: its green is production, and its deployment is cleaned up without --unwanted"
        )),
        (false, DeploymentStatus::SwitchoverCompleted) | (true, _) => Ok(()),
        (false, status) => refused(format!(
            "{name} is {status}, not switched over; one that is not wanted is removed with --unwanted"
        )),
    }
}

/// Deletion protection is respected: it is for the operator to turn it off.
fn protection(args: &CleanupArgs, blue: &Topology, green: Option<&Topology>) -> Result<(), Failure> {
    let side = match (args.delete_old, args.delete_target, green) {
        (true, ..) => blue,
        (_, true, Some(green)) => green,
        _ => return Ok(()),
    };
    let by_hand = match &side.cluster {
        Some(cluster) if cluster.deletion_protection => {
            format!(
                "aws rds modify-db-cluster --db-cluster-identifier {} --no-deletion-protection --apply-immediately",
                cluster.id
            )
        }
        Some(_) => return Ok(()),
        None => match side.instances.iter().find(|i| i.deletion_protection) {
            Some(instance) => format!(
                "aws rds modify-db-instance --db-instance-identifier {} --no-deletion-protection --apply-immediately",
                instance.id
            ),
            None => return Ok(()),
        },
    };
    Err(Failure::with(
        Exit::Refused,
        format!(
            "{} has deletion protection, which greenlight does not turn off; nothing was deleted. To do it yourself:\n  {by_hand}",
            side.id()
        ),
    ))
}

fn tasks(args: &CleanupArgs, deployment: Option<&Deployment>, blue: &Topology) -> Vec<Task> {
    let mut tasks = Vec::new();
    let delete = |target| {
        deployment.map(|d| Task::DeleteDeployment {
            id: d.id.clone(),
            target,
        })
    };
    if args.unwanted {
        return delete(Some(args.delete_target)).into_iter().collect();
    }
    if let Some(name) = &args.final_snapshot {
        tasks.push(Task::Snapshot {
            name: name.clone(),
            of: blue.id().to_owned(),
            of_cluster: blue.cluster.is_some(),
        });
    }
    tasks.extend(delete(None));
    if !args.delete_old {
        return tasks;
    }
    // Readers and replicas first, the writer or primary last.
    let member = blue.cluster.is_some();
    tasks.extend(blue.instances.iter().rev().map(|instance| Task::DeleteInstance {
        id: instance.id.clone(),
        resource_id: instance.resource_id.clone(),
        // Members have no backups of their own, and replicas none that a primary has not.
        keep_backups:
            (!member && instance.replication_source.is_none()).then_some(args.keep_automated_backups),
    }));
    if let Some(cluster) = &blue.cluster {
        tasks.push(Task::DeleteCluster {
            id: cluster.id.clone(),
            resource_id: cluster.resource_id.clone(),
            keep_backups: args.keep_automated_backups,
        });
    }
    tasks
}

/// Slots that hold back WAL on blue when nobody reads them any more.
async fn leftovers(args: &CleanupArgs, world: &World, blue: &TargetArgs) {
    let progress = Progress::start();
    let found = target::find(blue, &args.aws, &args.databases, world, &progress).await;
    let slots = match found {
        Ok(found) => old_side::leftover_slots(&found.blue).await,
        Err(failure) => Err(failure.message),
    };
    progress.finish();
    match slots {
        Ok(slots) if slots.is_empty() => terminal::say("no logical slot is left on production"),
        Ok(slots) => {
            terminal::say(
                "these logical slots are left on production and are not read; they hold back WAL. Drop those that are \
                           nobody's, as a role with rds_replication:",
            );
            for slot in slots {
                let slot = quote_literal(&slot);
                terminal::say(&format!("  select pg_catalog.pg_drop_replication_slot({slot});"));
            }
        }
        Err(why) => terminal::say(&wrap(
            &format!("whether slots are left on production could not be seen: {why}"),
            80,
            2,
        )),
    }
}
