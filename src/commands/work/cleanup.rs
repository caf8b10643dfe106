//! `greenlight cleanup`: what is left after a switchover, or a deployment that is not wanted.
//!
//! Production is never named in a deletion: the deployment goes without `DeleteTarget` once it was switched over, and what
//! is deleted beside it is held by its resource id, which names do not carry along.

use std::fmt::Write as _;

use super::{
    Real, Run, begin, config, failed, head, journal_path, place, read, show_report, take_up, tasks_of,
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
    gate,
    model::{DeploymentStatus, Phase, quote_literal},
    output::{View, text::wrap},
    report::Report,
    situation::Situation,
    switchover::{
        driver::Interrupts as _,
        evidence::{Consent, Readiness},
    },
    work::{
        machine::End,
        record::{Record, Task},
    },
};

pub(in crate::commands) async fn run(args: CleanupArgs, world: &World) -> Result<Exit, Failure> {
    let mut signals =
        Signals::listen().map_err(|e| Failure::with(Exit::Fault, format!("cannot listen to Ctrl-C: {e}")))?;
    let (mut run, tasks, blue) = tokio::select! {
        biased;
        () = signals.next() => return Err(Failure::interrupted()),
        set_up = set_up(&args, world) => match set_up? {
            Ok(ready) => ready,
            Err(exit) => return Ok(exit),
        },
    };
    let journal = run.journal.path().to_owned();
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
            End::Done { what } => terminal::say(&format!("done: {task} ({what})")),
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

/// The cluster or instance that is deleted last, where this task begins to delete it.
fn old_of(task: &Task, tasks: &[Task]) -> Option<Old> {
    if !matches!(task, Task::DeleteInstance { .. } | Task::DeleteCluster { .. }) {
        return None;
    }
    match tasks.last()? {
        Task::DeleteCluster { id, .. } => Some(Old {
            id: id.clone(),
            cluster: true,
        }),
        Task::DeleteInstance { id, .. } => Some(Old {
            id: id.clone(),
            cluster: false,
        }),
        _ => None,
    }
}

struct Old {
    id: String,
    cluster: bool,
}

impl Old {
    fn target(&self) -> TargetArgs {
        let mut target = TargetArgs::default();
        let named = match self.cluster {
            true => &mut target.subject.cluster,
            false => &mut target.subject.instance,
        };
        *named = Some(self.id.clone());
        target
    }
}

/// Refuses while anything uses the old side.
async fn idle(args: &CleanupArgs, world: &World, real: &Real, old: &Old) -> Result<(), Failure> {
    // A run before may have deleted its instances already, and then there is nothing to connect to.
    if old.cluster {
        let cluster = real
            .lookout
            .cluster(&old.id)
            .await
            .map_err(|e| Failure::blind(e.to_string()))?;
        if cluster.is_none_or(|c| c.members.is_empty()) {
            return Ok(());
        }
    } else {
        let instance = real
            .lookout
            .instance(&old.id)
            .await
            .map_err(|e| Failure::blind(e.to_string()))?;
        if instance.is_none_or(|i| i.status == "deleting") {
            return Ok(());
        }
    }
    let progress = Progress::start();
    progress.waiting(&format!("looking whether anything uses {}", old.id));
    let found = target::find(&old.target(), &args.aws, &args.databases, world, &progress).await;
    let users = match found {
        Ok(found) => users(&found, !args.databases.connect.is_empty()).await,
        Err(failure) => Err(failure.message),
    };
    progress.finish();
    let users = users.map_err(|why| {
        let text = format!(
            "whether anything uses {} cannot be seen ({why}): it is not deleted",
            old.id
        );
        Failure::with(Exit::NotDetermined, text)
    })?;
    if users.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} is still in use, and is not deleted:", old.id);
    for user in users {
        let _ = write!(text, "\n  {user}");
    }
    text.push_str("\nend what uses it, and run it again");
    Err(Failure::with(Exit::NotReady, text))
}

/// What uses any instance of the old side, each a server of its own. Through a tunnel only the writer can be asked.
async fn users(old: &target::Target, tunnel: bool) -> Result<Vec<String>, String> {
    let mut found = old_side::users(&old.blue, true).await?;
    if tunnel {
        terminal::say(
            "note: only the writer of the old side is asked, through the tunnel; its readers are not",
        );
        return Ok(found);
    }
    let blue = old.rds.known().and_then(|rds| rds.blue.known());
    let writer = blue.and_then(Topology::writer).map(|w| w.id.clone());
    let readers = blue.into_iter().flat_map(|b| &b.instances);
    for reader in readers.filter(|i| Some(&i.id) != writer.as_ref()) {
        let Some(host) = &reader.endpoint else { continue };
        let spec = old.blue.at(host, reader.port.unwrap_or(5432));
        let users = old_side::users(&spec, false)
            .await
            .map_err(|why| format!("{}: {why}", reader.id))?;
        found.extend(users.into_iter().map(|user| format!("{}: {user}", reader.id)));
    }
    Ok(found)
}

type Ready = (Run, Vec<Task>, Option<TargetArgs>);

async fn set_up(args: &CleanupArgs, world: &World) -> Result<Result<Ready, Exit>, Failure> {
    let path = journal_path(
        args.journal.as_ref(),
        format!("greenlight-cleanup-{}.journal", args.deployment),
    );
    if args.resume {
        return resumed(args, world, &path).await.map(Ok);
    }
    if path.exists() {
        return Err(Failure::usage(format!(
            "{} exists already; take it up with --resume, or give --journal another path",
            path.display()
        )));
    }
    if args.delete_old && args.final_snapshot.is_none() && !args.no_final_snapshot {
        return Err(Failure::usage(
            "--delete-old: say --final-snapshot NAME or --no-final-snapshot",
        ));
    }
    let policy = check::policy(&args.policy)?;
    let files = show::files(&args.output)?;
    let wanted = TargetArgs::of_deployment(&args.deployment);
    let progress = Progress::start();
    let begun = clock::now();
    let found = target::find(&wanted, &args.aws, &args.databases, world, &progress).await;
    progress.finish();
    let found = found?;
    let rds = found
        .rds
        .known()
        .cloned()
        .ok_or_else(|| Failure::blind("RDS was not asked"))?;
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
        let report = Report::make(&facts, Situation::of(&facts, Some(Phase::Verify)), &policy);
        let exit = gate::exit(&report);
        let view = View {
            report: &report,
            facts: &facts,
            exit,
        };
        show_report(view, &args.output, &files, world)?;
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
    let real = Real::new(&sdk, &rds.region);
    let old = Old {
        id: blue.id().to_owned(),
        cluster: blue.cluster.is_some(),
    };
    if args.delete_old {
        idle(args, world, &real, &old).await?;
    }
    if let Some(name) = &args.final_snapshot {
        let taken = real.lookout.snapshot(name, old.cluster).await;
        if taken.map_err(|e| Failure::blind(e.to_string()))?.is_some() {
            return Err(Failure::usage(format!(
                "a snapshot {name} exists already: give --final-snapshot another name"
            )));
        }
    }
    let tasks = tasks(args, &deployment, &blue);
    terminal::say(&card(args, &deployment, &blue, green.as_ref(), &path));
    consent::to("To delete what is listed", &deployment.name, args.yes).await?;
    let head = head(
        &rds.region,
        rds.account.known().cloned(),
        endpoint,
        &by,
        tasks.clone(),
    );
    let journal = begin(&path, head, &by)?;
    let mut run = Run {
        real,
        config: config(args.wait, args.poll, args.reconcile_for),
        journal,
        log: None,
    };
    let at = clock::now();
    run.record(Record::Run { at, by })?;
    if !args.unwanted {
        run.record(Record::Checked {
            at: begun,
            readiness: Readiness::Ready,
        })?;
    }
    let how = if args.yes { Consent::Flag } else { Consent::Typed };
    run.record(Record::Confirmed { at, how })?;
    Ok(Ok((run, tasks, Some(old.target()))))
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
        real: Real::new(&sdk, &region),
        config: config(args.wait, args.poll, args.reconcile_for),
        journal,
        log: Some(log),
    };
    run.record(Record::Run { at: clock::now(), by })?;
    terminal::say(&format!("taking up {}", path.display()));
    Ok((run, tasks, None))
}

/// Whether a name is that of an old side: `…-oldN`.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>
fn is_old(name: &str) -> bool {
    name.rsplit_once("-old")
        .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
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

fn tasks(args: &CleanupArgs, deployment: &Deployment, blue: &Topology) -> Vec<Task> {
    let mut tasks = Vec::new();
    let id = deployment.id.clone();
    if args.unwanted {
        return vec![Task::DeleteDeployment {
            id,
            target: Some(args.delete_target),
        }];
    }
    if let Some(name) = &args.final_snapshot {
        tasks.push(Task::Snapshot {
            name: name.clone(),
            of: blue.id().to_owned(),
            of_cluster: blue.cluster.is_some(),
        });
    }
    tasks.push(Task::DeleteDeployment { id, target: None });
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

/// What will be deleted, and what stays.
fn card(
    args: &CleanupArgs,
    deployment: &Deployment,
    blue: &Topology,
    green: Option<&Topology>,
    journal: &std::path::Path,
) -> String {
    let mut card = String::from("\nAbout to delete:\n\n");
    let mut line = |text: &str| {
        let _ = writeln!(card, "  {}", wrap(text, 80, 4));
    };
    line(&format!(
        "deployment {} ({}), {}",
        deployment.name, deployment.id, deployment.status
    ));
    let of = |side: &Topology| {
        let mut lines = Vec::new();
        if let Some(cluster) = &side.cluster {
            lines.push(format!("cluster {} ({})", cluster.arn, cluster.engine_version));
        }
        for instance in &side.instances {
            let storage = match (&side.cluster, instance.allocated_storage_gib) {
                (None, Some(gib)) => format!(", {gib} GiB"),
                _ => String::new(),
            };
            lines.push(format!("instance {} ({}{storage})", instance.arn, instance.class));
        }
        lines
    };
    let deleted = match (args.delete_old, args.delete_target, green) {
        (true, ..) => of(blue),
        (_, true, Some(green)) => of(green),
        _ => Vec::new(),
    };
    deleted.iter().for_each(|text| line(text));
    match (
        &args.final_snapshot,
        args.no_final_snapshot,
        args.keep_automated_backups,
    ) {
        (Some(name), _, _) => line(&format!("after snapshot {name} is taken and available")),
        (None, true, _) => line("without a snapshot: its data cannot be had again"),
        _ => {}
    }
    if args.delete_old && !args.keep_automated_backups {
        line("with its automated backups: no point in time before green was made can be restored");
    }
    let _ = writeln!(card, "\nStays:\n");
    let stays: Vec<&Topology> = match (args.unwanted, args.delete_old, args.delete_target) {
        (true, _, true) => vec![blue],
        (true, ..) => std::iter::once(blue).chain(green).collect(),
        (false, true, _) => green.into_iter().collect(),
        (false, false, _) => green.into_iter().chain([blue]).collect(),
    };
    for (n, side) in stays.into_iter().enumerate() {
        let role = if n == 0 {
            "production"
        } else {
            "no longer replicated to, and paid for"
        };
        let version = side.engine_version().map(|v| v.to_string()).unwrap_or_default();
        let _ = writeln!(card, "  {} {version}, {role}", side.id());
    }
    if !args.unwanted && !args.delete_old {
        let keep = "The old side can be deleted by greenlight only together with its deployment (--delete-old). As long as it \
                    may be needed as a way back, keep the deployment: without it the old side may be written to.";
        let _ = writeln!(card, "\n{}", wrap(keep, 80, 0));
    }
    let _ = writeln!(card, "\n  journal {}", journal.display());
    card
}

/// What there is to know afterwards.
fn after(tasks: &[Task]) -> String {
    let target = tasks.iter().find_map(|task| match task {
        Task::DeleteDeployment { target, .. } => Some(*target),
        _ => None,
    });
    let whole = tasks
        .iter()
        .any(|task| matches!(task, Task::DeleteInstance { .. }));
    match (whole, target.flatten()) {
        (true, _) => "DONE  the deployment and the old side are deleted",
        (_, Some(true)) => "DONE  the deployment and green are deleted; production was not touched",
        (_, Some(false)) => {
            "DONE  the deployment is deleted; green is a database of its own now, and costs until it is deleted"
        }
        (_, None) => {
            "DONE  the deployment is deleted. The old side stays and costs; nothing keeps it from being written to any more, \
             so that a client with an old address writes where nobody reads. Delete it when it is not needed as a way back"
        }
    }
    .to_owned()
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
        Err(why) => terminal::say(&format!(
            "whether slots are left on production could not be seen: {why}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn only_old_sides_are_called_so() {
        assert!(is_old("main-old1") && is_old("main-old12") && is_old("main-old1-old2"));
        assert!(
            !is_old("main")
                && !is_old("main-old")
                && !is_old("main-older1")
                && !is_old("main-old1-green-abcdef")
        );
    }
}
