//! `greenlight create`: the checks first, then one request, then green until it is there and has caught up.

use std::time::{Duration, Instant};

use super::{
    Events, Run, config, failed, head, journal_path, judged, place, read, started, take_up, tasks_of, unused,
};
use crate::{
    cli::{CreateArgs, TargetArgs},
    commands::{Failure, World, check, consent, show, switchover::signals::Signals, target},
    edge::{
        clock,
        terminal::{self, Progress},
    },
    exit::Exit,
    facts::Facts,
    gate,
    model::{Phase, Replication},
    output::text::wrap,
    report::{Outcome, Report},
    situation::Situation,
    switchover::driver::Interrupts as _,
    work::{
        events::Event,
        machine::End,
        record::{Record, Task},
    },
};

/// What must hold until green counts as caught up.
const CAUGHT_UP: &[&str] = &[
    "deployment-status",
    "subscription-health",
    "tables-synchronised",
    "slot-health",
    "replication-lag",
    "replica-health",
];

/// The name of a deployment where none was given.
pub(in crate::commands) fn usual_name(subject: &str, version: &str) -> String {
    let name = format!("{subject}-to-{}", version.replace('.', "-"));
    // At most sixty characters, and no hyphen at the end.
    name.chars()
        .take(60)
        .collect::<String>()
        .trim_end_matches('-')
        .to_owned()
}

fn usual_journal(name: &str) -> String {
    format!("greenlight-create-{name}.journal")
}

/// `BlueGreenDeploymentName`: 1 to 60 characters, `[a-zA-Z](?:-?[a-zA-Z0-9]+)*`.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateBlueGreenDeployment.html>
fn valid(name: &str) -> bool {
    name.len() <= 60
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.contains("--")
        && !name.ends_with('-')
}

pub(in crate::commands) async fn run(args: CreateArgs, world: &World) -> Result<Exit, Failure> {
    let events = Events::of(&args.output);
    let outcome = whole(args, world, events).await;
    events.end(&outcome);
    outcome
}

async fn whole(args: CreateArgs, world: &World, events: Events) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let (mut run, task) = tokio::select! {
        biased;
        () = signals.next() => return Err(Failure::interrupted()),
        set_up = set_up(&args, world) => match set_up? {
            Ok(ready) => ready,
            Err(exit) => return Ok(exit),
        },
    };
    let journal = run.journal.path().to_owned();
    events.emit(&Event::Begun {
        tasks: std::slice::from_ref(&task),
        journal: journal.display().to_string(),
    });
    let end = run.task(&task, &mut signals).await;
    let End::Done { what: id } = end else {
        let mut failure = failed(&task, &end, &journal);
        if let (End::Failed { .. }, Task::Create { name, .. }) = (&end, &task) {
            failure.message.push_str(&format!(
                "\nWhat it left is removed by: greenlight cleanup --deployment {name} --unwanted --delete-target"
            ));
        }
        return Err(failure);
    };
    let Task::Create { name, .. } = &task else {
        return Ok(Exit::Ready);
    };
    events.emit(&Event::Available {
        deployment: name,
        id: &id,
    });
    terminal::say(&wrap(
        &format!("green is AVAILABLE; waiting until it follows closely: deployment {name} ({id})"),
        80,
        2,
    ));
    tokio::select! {
        biased;
        () = signals.next() => Err(Failure::with(
            Exit::Interrupted,
            format!("interrupted; deployment {name} is made, `greenlight check --deployment {name}` says how far green is"),
        )),
        exit = caught_up(&args, world, &id, name) => exit,
    }
}

/// Checks, asks, and begins or takes up the journal. The inner error is the end of a run that sends nothing.
async fn set_up(args: &CreateArgs, world: &World) -> Result<Result<(Run, Task), Exit>, Failure> {
    if args.resume {
        return resumed(args, world).await.map(Ok);
    }
    if args.source.named().is_none() {
        return Err(Failure::usage("say what to upgrade: --cluster or --instance"));
    }
    let version = args
        .target_version
        .ok_or_else(|| Failure::usage("say where to: --target-version 14.15"))?;
    if let Some(name) = &args.name {
        unused(&journal_path(args.journal.as_ref(), usual_journal(name)))?;
    }
    let policy = check::policy(&args.policy)?;
    let files = show::files(&args.output)?;
    let wanted = TargetArgs {
        subject: args.source.subject(),
        target_version: Some(version),
        target_parameter_group: args.target_parameter_group.clone(),
        ..TargetArgs::default()
    };
    let read = target::Wanted {
        phase: Some(Phase::Create),
        everything: false,
        only: &policy.only,
    };
    let facts = target::read(&wanted, &args.aws, &args.databases, read, world).await?;
    let exit = judged(&facts, Phase::Create, &policy, &args.output, &files, world)?;
    if exit != Exit::Ready {
        terminal::say("nothing was created");
        return Ok(Err(exit));
    }
    let rds = target::rds(&facts.rds)?;
    let source = target::blue_arn(rds)?;
    // The text that RDS knows the version by: of a major alone, its newest minor.
    let listed = rds
        .target_version
        .known()
        .and_then(Option::as_ref)
        .map(|v| v.version.clone());
    let target_version = listed.unwrap_or_else(|| version.to_string());
    let subject = source.name().to_owned();
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| usual_name(&subject, &target_version));
    if !valid(&name) {
        return Err(Failure::usage(format!(
            "--name {name:?}: 1 to 60 letters, digits and single hyphens, beginning with a letter and not ending with a hyphen"
        )));
    }
    let path = journal_path(args.journal.as_ref(), usual_journal(&name));
    unused(&path)?;
    let task = Task::Create {
        name: name.clone(),
        source: source.to_string(),
        target_version: target_version.clone(),
        parameter_group: args.target_parameter_group.clone(),
    };
    terminal::say(&card(&facts, &task, &path));
    consent::to(&format!("To create deployment {name}"), &subject, args.yes).await?;
    let (config_aws, endpoint, by) = place(&args.aws, world).await?;
    let head = head(
        &rds.region,
        rds.account.known().cloned(),
        endpoint,
        &by,
        vec![task.clone()],
    );
    let real = super::Real::new(&config_aws, &rds.region, Events::of(&args.output));
    let config = config(args.wait, args.poll, args.reconcile_for);
    let run = started(real, config, &path, head, Some(facts.collected_at), args.yes)?;
    Ok(Ok((run, task)))
}

async fn resumed(args: &CreateArgs, world: &World) -> Result<(Run, Task), Failure> {
    let path = match (&args.journal, &args.name, args.target_version) {
        (Some(path), ..) => path.clone(),
        (None, Some(name), _) => usual_journal(name).into(),
        (None, None, Some(version)) => {
            let given = args.source.named().unwrap_or_default();
            let name = given.rsplit(':').next().unwrap_or_default();
            usual_journal(&usual_name(name, &version.to_string())).into()
        }
        _ => {
            return Err(Failure::usage(
                "say what to take up: --journal FILE, or --name NAME of the deployment",
            ));
        }
    };
    let region = tasks_of(&read(&path)?)?.region.clone();
    let (config_aws, _, by) = place(&args.aws, world).await?;
    let (journal, log) = take_up(&path, &by)?;
    let task = tasks_of(&log)?.tasks.first().cloned();
    let task = task.filter(|task| matches!(task, Task::Create { .. }));
    let task = task.ok_or_else(|| Failure::usage(format!("{} is not about a creation", path.display())))?;
    let mut run = Run {
        real: super::Real::new(&config_aws, &region, Events::of(&args.output)),
        config: config(args.wait, args.poll, args.reconcile_for),
        journal,
        log: Some(log),
    };
    run.record(Record::Run { at: clock::now(), by })?;
    terminal::say(&format!("taking up {}: {task}", path.display()));
    Ok((run, task))
}

/// What is about to be made.
fn card(facts: &Facts, task: &Task, journal: &std::path::Path) -> String {
    let Task::Create {
        name,
        source,
        target_version,
        parameter_group,
    } = task
    else {
        return String::new();
    };
    let blue = facts.rds.known().and_then(|rds| rds.blue.known());
    let members: Vec<&str> = blue
        .into_iter()
        .flat_map(|b| &b.instances)
        .map(|i| i.id.as_str())
        .collect();
    let runs = blue
        .and_then(|b| b.engine_version())
        .map(|v| v.to_string())
        .unwrap_or_default();
    let group = match parameter_group {
        Some(group) => group.clone(),
        None => "none named: RDS takes blue's within a major, else the default of the new one".to_owned(),
    };
    let mut card = String::from(
        "\nAbout to create a deployment. Production keeps serving, and green costs\nuntil it is deleted.\n\n",
    );
    for (label, value) in [
        ("deployment", name.clone()),
        ("of", source.clone()),
        ("from", runs),
        ("to", target_version.clone()),
        ("parameters", group),
        ("members", members.join(", ")),
        ("journal", journal.display().to_string()),
    ] {
        card.push_str(&format!("  {label:<11} {}\n", wrap(&value, 80, 14)));
    }
    let target = target_version.parse().ok();
    let replication = blue
        .and_then(|b| b.engine_version())
        .zip(target)
        .map(|(from, to)| Replication::of(facts.engine, from, to));
    card.push_str(match replication {
        Some(Replication::Physical) => {
            "\nUntil the switchover green follows as a read replica: it takes no writes of its own.\n"
        }
        _ => {
            "\nFrom then until the switchover no DDL on production: it is not replicated, and\ngreen would have to be made again.\n"
        }
    });
    card
}

/// Waits until green follows blue closely: subscriptions ready, lag calm.
async fn caught_up(args: &CreateArgs, world: &World, id: &str, name: &str) -> Result<Exit, Failure> {
    let policy = check::policy(&args.policy)?;
    let wanted = TargetArgs::of_deployment(id);
    let only: Vec<String> = CAUGHT_UP.iter().map(|id| (*id).to_owned()).collect();
    let begun = Instant::now();
    let most = Duration::from_secs(args.wait);
    let mut target = None;
    let mut told = String::new();
    loop {
        let progress = Progress::start();
        let looked = async {
            let found: target::Target = match target.take() {
                Some(found) => found,
                None => target::find(&wanted, &args.aws, &args.databases, world, &progress).await?,
            };
            target = Some(found.clone());
            let read = target::Wanted {
                phase: Some(Phase::Switchover),
                everything: false,
                only: &only,
            };
            target::facts(found, &args.databases, read, clock::now(), &progress).await
        };
        let looked = looked.await;
        progress.finish();
        let (exit, open) = match looked {
            Ok(facts) => {
                let mut policy = policy.clone();
                policy.only.clone_from(&only);
                let report = Report::make(&facts, Situation::of(&facts, Some(Phase::Switchover)), &policy);
                (gate::exit(&report), open(&report))
            }
            Err(failure) => (failure.exit, failure.message),
        };
        if exit == Exit::Ready {
            let done = format!("DONE  green is AVAILABLE and has caught up: deployment {name} ({id})");
            terminal::say(&wrap(&done, 80, 6));
            terminal::say(&format!(
                "next: greenlight check --deployment {name} --phase switchover\n      \
                 greenlight switchover --deployment {name} --dry-run"
            ));
            return Ok(Exit::Ready);
        }
        if begun.elapsed() >= most {
            let exit = match exit {
                Exit::NotReady => Exit::NotReady,
                _ => Exit::NotDetermined,
            };
            let text = format!(
                "deployment {name} ({id}) is AVAILABLE, but green has not caught up within the longest wait: {open}; \
                 `greenlight check --deployment {name}` says more"
            );
            return Err(Failure::with(exit, wrap(&text, 80, 0)));
        }
        if open != told {
            terminal::say(&wrap(&format!("not yet: {open}"), 80, 9));
            Events::of(&args.output).emit(&Event::Waiting { open: &open });
            told = open;
        }
        tokio::time::sleep(Duration::from_secs(args.poll.max(1))).await;
    }
}

/// The first thing that is open.
fn open(report: &Report) -> String {
    let failed = report.checks.iter().find(|c| c.outcome == Outcome::Failed);
    let finding = failed.and_then(|c| c.findings.first().map(|f| format!("{} ({})", f.message, c.id)));
    let unseen = || {
        let check = report.checks.iter().find(|c| c.open_unseen())?;
        let unseen = check.unseen.first()?;
        Some(format!("{}: {} ({})", unseen.subject, unseen.why, check.id))
    };
    finding
        .or_else(unseen)
        .unwrap_or_else(|| "not determined".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{usual_name, valid};

    #[test]
    fn names_are_what_rds_takes() {
        assert_eq!(usual_name("main", "14.15"), "main-to-14-15");
        let long = usual_name(&"x".repeat(63), "14.15");
        assert!(valid(&long) && long.len() == 60);
        let cut = usual_name(&"x".repeat(56), "14.15");
        assert!(valid(&cut), "{cut}");
        assert!(!valid("1x") && !valid("a--b") && !valid("a-") && !valid("ü") && !valid("") && valid("a-1"));
    }
}
