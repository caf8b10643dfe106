//! What `create` and `cleanup` share: the real world of their tasks, the journal, and how an end reads.

pub(super) mod cleanup;
pub(super) mod create;
mod events;

use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};

use events::Events;

use super::{Failure, World, show, switchover::signals::Signals, target};
use crate::{
    cli::{AwsArgs, OutputArgs},
    edge::{
        aws, clock, host,
        rds::{
            alter::Creation,
            change::Changes,
            look::{Blind, Lookout},
        },
        terminal,
    },
    exit::Exit,
    facts::{Facts, rds::Deployment},
    gate,
    model::{DeploymentStatus, Phase},
    output::{
        self, Format, View,
        text::{clip, one_line, wrap},
    },
    policy::Policy,
    report::Report,
    situation::Situation,
    switchover::{
        evidence::{Answer, Consent, Fault, Readiness},
        journal::{self, Journal, Log},
        record::{Actor, FORMAT},
    },
    work::{
        driver::{self, World as _},
        events::Event,
        machine::{Config, End, Notice, Sight, State, resume},
        record::{Head, Record, Task},
    },
};

/// Tasks on RDS.
struct Real {
    lookout: Lookout,
    changes: Changes,
    events: Events,
}

impl Real {
    fn new(config: &SdkConfig, region: &str, events: Events) -> Self {
        Self {
            events,
            lookout: Lookout::new(config, region),
            changes: Changes::new(config, region),
        }
    }

    async fn sight(&self, task: &Task) -> Result<Sight, Blind> {
        match task {
            Task::Create { name, source, .. } => self.creation(name, source).await,
            Task::DeleteDeployment { id, target } => {
                let found = self
                    .lookout
                    .deployments("blue-green-deployment-identifier", id)
                    .await?;
                Ok(match found.into_iter().next() {
                    None => gone(format!("deployment {id}")),
                    Some(found) => deletion(&found, *target),
                })
            }
            Task::Snapshot { name, of, of_cluster } => {
                Ok(match self.lookout.snapshot(name, *of_cluster).await? {
                    None => Sight::Nothing,
                    Some(found) if found.of != *of => Sight::Foreign {
                        why: format!("a snapshot {name} of {} exists", found.of),
                    },
                    Some(found) => match found.status.as_str() {
                        "available" => Sight::Done {
                            what: format!("snapshot {name} is available"),
                        },
                        "creating" => Sight::Going {
                            what: format!("snapshot {name}: {} %", found.percent.unwrap_or_default()),
                        },
                        status => Sight::Failed {
                            why: format!("snapshot {name} is {status}"),
                        },
                    },
                })
            }
            Task::DeleteInstance { id, resource_id, .. } => {
                let found = self.lookout.instance(id).await?;
                Ok(resource(
                    id,
                    found.map(|i| (i.resource_id, i.status)),
                    resource_id,
                ))
            }
            Task::DeleteCluster { id, resource_id, .. } => {
                let found = self.lookout.cluster(id).await?;
                Ok(resource(
                    id,
                    found.map(|c| (c.resource_id, c.status)),
                    resource_id,
                ))
            }
        }
    }

    async fn creation(&self, name: &str, source: &str) -> Result<Sight, Blind> {
        let named = self
            .lookout
            .deployments("blue-green-deployment-name", name)
            .await?;
        let Some(found) = named.into_iter().find(|d| d.deleted_at.is_none()) else {
            let mut others = self.lookout.deployments("source", source).await?;
            others.retain(|d| d.deleted_at.is_none());
            return Ok(others.first().map_or(Sight::Nothing, |other| Sight::Foreign {
                why: format!("{source} is in deployment {} ({})", other.name, other.id),
            }));
        };
        if found.source.as_str() != source {
            return Ok(Sight::Foreign {
                why: format!("deployment {name} ({}) is of {}", found.id, found.source),
            });
        }
        Ok(match &found.status {
            DeploymentStatus::Available => Sight::Done {
                what: found.id.clone(),
            },
            DeploymentStatus::InvalidConfiguration | DeploymentStatus::Deleting => Sight::Failed {
                why: self.causes(&found).await,
            },
            DeploymentStatus::SwitchoverInProgress
            | DeploymentStatus::SwitchoverCompleted
            | DeploymentStatus::SwitchoverFailed => Sight::Foreign {
                why: format!("deployment {name} ({}) is {}", found.id, found.status),
            },
            DeploymentStatus::Provisioning | DeploymentStatus::Other(_) => {
                Sight::Going { what: tasks(&found) }
            }
        })
    }

    /// Why a creation failed: RDS's words, the tasks that failed, and the events that speak of it.
    async fn causes(&self, deployment: &Deployment) -> String {
        let mut causes = vec![format!("{} is {}", deployment.id, deployment.status)];
        causes.extend(deployment.status_details.clone().filter(|d| !d.trim().is_empty()));
        let failed = deployment.tasks.iter().filter(|t| t.status == "FAILED");
        causes.extend(failed.map(|t| format!("task {} failed", t.name)));
        match self.lookout.deployment_events(&deployment.id).await {
            Ok(events) => {
                let told = events.into_iter().map(|e| e.message);
                let told =
                    told.filter(|m| m.contains("fail") || m.contains("cancel") || m.contains("because"));
                causes.extend(told.take(3));
            }
            Err(blind) => causes.push(format!("its events could not be read: {blind}")),
        }
        let mut known: Vec<String> = Vec::new();
        for cause in causes {
            if !known.iter().any(|k| k.contains(cause.trim())) {
                known.push(cause.trim().to_owned());
            }
        }
        known.join("\n")
    }
}

fn gone(what: String) -> Sight {
    Sight::Done {
        what: format!("{what} is gone"),
    }
}

/// How far green is: `2 of 4 tasks; CREATE_DB_INSTANCES_FOR_CLUSTER is IN_PROGRESS`.
fn tasks(deployment: &Deployment) -> String {
    let done = deployment
        .tasks
        .iter()
        .filter(|t| t.status == "COMPLETED")
        .count();
    let now = deployment
        .tasks
        .iter()
        .find(|t| t.status != "COMPLETED" && t.status != "PENDING");
    let now = now.map_or_else(String::new, |t| format!("; {} is {}", t.name, t.status));
    format!(
        "{}: {done} of {} tasks done{now}",
        deployment.status,
        deployment.tasks.len()
    )
}

fn deletion(found: &Deployment, target: Option<bool>) -> Sight {
    match (&found.status, target) {
        (DeploymentStatus::Deleting, _) => Sight::Going {
            what: format!("{} is {}", found.id, found.status),
        },
        _ if found.deleted_at.is_some() => gone(format!("deployment {}", found.id)),
        (DeploymentStatus::SwitchoverCompleted, None) => Sight::Nothing,
        (DeploymentStatus::SwitchoverCompleted | DeploymentStatus::SwitchoverInProgress, Some(_)) => {
            Sight::Foreign {
                why: format!("{} is {}: it is wanted after all", found.id, found.status),
            }
        }
        (status, None) => Sight::Foreign {
            why: format!("{} is {status}, not switched over", found.id),
        },
        (_, Some(_)) => Sight::Nothing,
    }
}

fn resource(id: &str, found: Option<(String, String)>, resource_id: &str) -> Sight {
    match found {
        None => gone(id.to_owned()),
        Some((is, _)) if is != resource_id => Sight::Foreign {
            why: format!("{id} is another one now ({is} instead of {resource_id})"),
        },
        Some((_, status)) if status == "deleting" => Sight::Going {
            what: format!("{id} is {status}"),
        },
        Some(_) => Sight::Nothing,
    }
}

impl driver::World for Real {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn sleep(&self, time: SignedDuration) {
        tokio::time::sleep(time.unsigned_abs()).await;
    }

    async fn look(&self, task: &Task) -> Sight {
        self.sight(task)
            .await
            .unwrap_or_else(|blind| Sight::Blind { why: blind.0 })
    }

    async fn send(&self, task: &Task) -> Answer {
        let changes = &self.changes;
        match task {
            Task::Create {
                name,
                source,
                target_version,
                parameter_group,
            } => {
                let wanted = Creation {
                    name: name.clone(),
                    source: source.clone(),
                    target_version: target_version.clone(),
                    parameter_group: parameter_group.clone(),
                };
                changes.create(&wanted).await
            }
            Task::DeleteDeployment { id, target } => changes.delete_deployment(id, *target).await,
            Task::Snapshot { name, of, of_cluster } => changes.snapshot(name, of, *of_cluster).await,
            Task::DeleteInstance { id, keep_backups, .. } => changes.delete_instance(id, *keep_backups).await,
            Task::DeleteCluster { id, keep_backups, .. } => changes.delete_cluster(id, *keep_backups).await,
        }
    }

    fn tell(&self, task: &Task, notice: &Notice) {
        match notice {
            Notice::Answered(answer) => self.events.emit(&Event::Answered { task, answer }),
            Notice::Sight(sight) => self.events.emit(&Event::Seen { task, sight }),
            Notice::WaitingForAnswer | Notice::JournalLost(_) => {}
        }
        let text = match notice {
            Notice::Answered(Answer::Accepted { request_id }) => {
                let id = request_id.as_deref().unwrap_or("not told");
                format!("{task}: RDS took the request (request id {id})")
            }
            Notice::Answered(Answer::Lost { why }) => {
                format!("{task}: no answer ({why}); looking whether RDS took it, it is not sent again")
            }
            Notice::Sight(Sight::Going { what }) => format!("{task}: {what}"),
            Notice::WaitingForAnswer => format!("{task}: interrupted; waiting for the answer first"),
            Notice::JournalLost(why) => format!("{task}: {why}; going on without it"),
            Notice::Answered(Answer::Rejected { .. }) | Notice::Sight(_) => return,
        };
        terminal::say(&wrap(&one_line(&text), 80, 2));
    }
}

/// A run with its journal.
struct Run {
    real: Real,
    config: Config,
    journal: Journal<Record>,
    log: Option<Log<Record>>,
}

impl Run {
    fn record(&mut self, record: Record) -> Result<(), Failure> {
        let at = self.real.now();
        self.journal
            .append(record, at)
            .map_err(|e| Failure::with(Exit::Refused, format!("{e}; nothing was changed")))
    }

    /// One task to its end.
    async fn task(&mut self, task: &Task, signals: &mut Signals) -> End {
        let state = match &self.log {
            Some(log) => resume(&self.config, log.records(), task),
            None => State::Start,
        };
        let end = driver::drive(&self.config, task, state, &self.real, &mut self.journal, signals).await;
        self.real.events.emit(&Event::Ended { task, end: &end });
        end
    }
}

/// Judges the facts, shows the report, and says what it comes to.
fn judged(
    facts: &Facts,
    phase: Phase,
    policy: &Policy,
    args: &OutputArgs,
    files: &[(Format, PathBuf)],
    world: &World,
) -> Result<Exit, Failure> {
    let report = Report::make(facts, Situation::of(facts, Some(phase)), policy);
    let exit = gate::exit(&report);
    let view = View {
        report: &report,
        facts,
        exit,
    };
    show_report(view, args, files, world)?;
    Ok(exit)
}

/// Shows the report on stdout, and where it is ready only what is open: the rest is asked for with `-v`.
fn show_report(
    view: View<'_>,
    args: &OutputArgs,
    files: &[(Format, PathBuf)],
    world: &World,
) -> Result<(), Failure> {
    let events = Events::of(args);
    if events.are_wanted() {
        let report = Box::new(output::json::report(view));
        events.emit(&Event::Checked { report });
        return show::write(view, files);
    }
    let table = args.format.is_none_or(|format| format == Format::Table);
    if view.exit != Exit::Ready || !table || world.verbose > 0 {
        return show::emit(view, args, files, world);
    }
    show::write(view, files)?;
    let style = terminal::style(world.color, false, &world.env);
    let whole = output::render(Format::Table, view, style);
    let open = |line: &&str| line.starts_with(' ') || !line.contains("PASSED (");
    let mut text: String = whole
        .lines()
        .take_while(open)
        .map(|line| format!("{line}\n"))
        .collect();
    text.push_str("-v lists what passed\n");
    terminal::print(&text)?;
    Ok(())
}

/// Where the commands work, and who runs them.
async fn place(aws_args: &AwsArgs, world: &World) -> Result<(SdkConfig, Option<String>, Actor), Failure> {
    let (config, endpoint) = target::aws_config(aws_args, world).await?;
    let principal = aws::principal(&config).await;
    let by = Actor {
        user: world.env.os_user().map_or_else(host::uid, str::to_owned),
        host: host::name(),
        pid: std::process::id(),
        principal,
    };
    Ok((config, endpoint, by))
}

fn head(
    region: &str,
    account: Option<String>,
    endpoint: Option<String>,
    by: &Actor,
    tasks: Vec<Task>,
) -> Head {
    Head {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        account,
        region: region.to_owned(),
        endpoint,
        at: clock::now(),
        by: by.clone(),
        tasks,
    }
}

/// What the journal that is taken up is about.
fn tasks_of(log: &Log<Record>) -> Result<&Head, Failure> {
    match log.records().next() {
        Some(Record::Work(head)) => Ok(head),
        _ => Err(Failure::usage("the journal has no header")),
    }
}

fn begin(path: &Path, head: Head, by: &Actor) -> Result<Journal<Record>, Failure> {
    let at = head.at;
    Ok(Journal::begin(path, Record::Work(Box::new(head)), by, at)?)
}

/// Refuses where a journal is there already: it may know of a request that was sent.
fn unused(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::usage(format!(
            "{} exists already; take it up with --resume, or give --journal another path",
            path.display()
        )));
    }
    Ok(())
}

/// Begins a run, and its journal with what was agreed to. `checked` is when that was collected which was judged to be ready; none where
/// nothing was judged.
fn started(
    real: Real,
    config: Config,
    path: &Path,
    head: Head,
    checked: Option<Timestamp>,
    yes: bool,
) -> Result<Run, Failure> {
    let by = head.by.clone();
    let journal = begin(path, head, &by)?;
    let mut run = Run {
        real,
        config,
        journal,
        log: None,
    };
    let at = clock::now();
    run.record(Record::Run { at, by })?;
    if let Some(at) = checked {
        let readiness = Readiness::Ready;
        run.record(Record::Checked { at, readiness })?;
    }
    let how = if yes { Consent::Flag } else { Consent::Typed };
    run.record(Record::Confirmed { at, how })?;
    Ok(run)
}

fn read(path: &Path) -> Result<Log<Record>, Failure> {
    Ok(journal::read_as(path)?)
}

fn take_up(path: &Path, by: &Actor) -> Result<(Journal<Record>, Log<Record>), Failure> {
    Ok(Journal::take_up(path, by)?)
}

/// `--journal`, or a name in the current folder.
fn journal_path(given: Option<&PathBuf>, usual: String) -> PathBuf {
    given.cloned().unwrap_or_else(|| PathBuf::from(usual))
}

/// A task that did not end as it should, in words and as an exit code.
fn failed(task: &Task, end: &End, journal: &Path) -> Failure {
    let again = format!("the same with --resume takes it up ({})", journal.display());
    let (exit, text) = match end {
        End::Done { .. } => (Exit::Ready, String::new()),
        End::Refused { fault } => (
            Exit::Refused,
            format!(
                "RDS refused to {task}: {fault}{}; put it right, and {again}",
                rights(task, fault)
            ),
        ),
        End::Foreign { why } => (
            Exit::Refused,
            format!("cannot {task}: {why}; nothing was sent for it"),
        ),
        End::Failed { why } => (Exit::RolledBack, format!("could not {task}:\n{why}")),
        End::Unknown { why } => (
            Exit::OutcomeUnknown,
            format!(
                "whether RDS took the request to {task} is not known: {why}. It is not sent again by itself: look at RDS \
                 (CloudTrail has the request if it arrived), and {again}. Only if it certainly never arrived, remove the \
                 journal and start anew"
            ),
        ),
        End::Going { what } => (
            Exit::NotReady,
            format!("still not done with it after the longest wait: {what}; it goes on at RDS, and {again}"),
        ),
        End::Blind { why } => (
            Exit::CouldNotLook,
            format!("cannot {task}: {why}; nothing was sent for it"),
        ),
        End::Interrupted => (
            Exit::Interrupted,
            format!("interrupted before the request to {task}; {again}"),
        ),
        End::Left => (
            Exit::Interrupted,
            format!("interrupted; RDS took the request to {task} and goes on; {again}"),
        ),
    };
    // `error: ` comes before it.
    Failure::with(exit, wrap(&clip(&text, 4000), 73, 0))
}

/// Where the rights are that are missing.
fn rights(task: &Task, fault: &Fault) -> &'static str {
    match (fault.code.starts_with("AccessDenied"), task) {
        (false, _) => "",
        (true, Task::Create { .. }) => " (`greenlight iam-policy --for create` prints the rights)",
        (true, _) => " (`greenlight iam-policy --for cleanup` prints the rights)",
    }
}

/// Time limits of the machine.
fn config(wait: u64, poll: u64, silent: u64) -> Config {
    let seconds = |n: u64| SignedDuration::from_secs(i64::try_from(n).unwrap_or(i64::MAX));
    Config {
        poll: seconds(poll),
        patience: seconds(wait),
        silent_for: seconds(silent),
    }
}
