//! `greenlight prepare`: shows what the parameter groups lack, and brings it about when asked.
//!
//! No journal is kept: what is left is read from RDS itself each time. A call is sent once; where its answer is lost, the
//! state is looked at, and a reboot or a failover that left no trace is not sent again in the same run.

use std::collections::BTreeSet;

use super::{Failure, World, consent, drift, fleet, target};
use crate::{
    checks,
    cli::{PrepareArgs, PrepareFormat, TargetArgs},
    edge::{
        clock,
        rds::{self, change::Changes, look::Lookout},
        terminal,
    },
    exit::Exit,
    facts::{Fact, Facts},
    model::{PgVersion, Phase, shell::quote},
    plan,
    policy::Policy,
    prepare::{self, Action, Asked, NotKnown, Preparation, Turn},
    switchover::evidence::Answer,
};

mod reboots;

pub(super) async fn run(args: PrepareArgs, world: &World) -> Result<Exit, Failure> {
    let work = async {
        let tools = Tools::of(&args, world).await?;
        let (facts, preparation) = tools.look().await?;
        let rds = target::rds(&facts.rds)?;
        let style = terminal::style(world.color, world.verbose > 0, &world.env);
        terminal::print(&match args.format {
            PrepareFormat::Table => prepare::text(&preparation, rds, !args.apply, style),
            PrepareFormat::Json => prepare::json(&preparation, rds),
            PrepareFormat::Cli => prepare::cli(&preparation, rds),
        })?;
        if preparation.is_done() || !args.apply {
            if !preparation.is_done() && args.format == PrepareFormat::Table && preparation.unknown.is_empty()
            {
                let more = if preparation.changes() {
                    "--apply"
                } else {
                    "--apply --reboot"
                };
                terminal::say(&format!("nothing was changed; the same with {more} does it"));
            }
            return Ok(exit(&preparation));
        }
        if let Some(deployment) = rds.deployment.known().and_then(Option::as_ref) {
            return Err(Failure::with(
                Exit::Refused,
                format!(
                    "{} is in deployment {} ({}): its parameters are not changed while that lives; nothing was changed",
                    preparation.subject, deployment.name, deployment.status
                ),
            ));
        }
        tools.apply(facts, preparation).await
    };
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::with(
            Exit::Interrupted,
            "interrupted; run it again to see what is left (a reboot that was asked for goes on at RDS)",
        )),
    }
}

fn exit(preparation: &Preparation) -> Exit {
    match preparation {
        p if p.is_done() => Exit::Ready,
        p if p.changes() || !p.reboots.is_empty() => Exit::NotReady,
        _ => Exit::NotDetermined,
    }
}

/// Everything that the run needs.
struct Tools<'a> {
    args: &'a PrepareArgs,
    world: &'a World,
    lookout: Lookout,
    changes: Changes,
}

impl<'a> Tools<'a> {
    async fn of(args: &'a PrepareArgs, world: &'a World) -> Result<Self, Failure> {
        let subject = target::subject(&args.source.subject())
            .ok_or_else(|| Failure::usage("say what to look at: --cluster or --instance"))?;
        let (config, _) = target::aws_config(&args.aws, world).await?;
        let region = rds::region(&config, &subject)?;
        Ok(Self {
            args,
            world,
            lookout: Lookout::new(&config, &region),
            changes: Changes::new(&config, &region),
        })
    }

    /// Collects everything, and says what is to be done.
    async fn look(&self) -> Result<(Facts, Preparation), Failure> {
        let args = self.args;
        let mut facts = match args.api_only {
            true => self.rds_facts().await?,
            false => self.facts().await?,
        };
        self.groups(&mut facts).await?;
        let asked = Asked {
            target: args.target_version,
            target_group: args.target_parameter_group.clone(),
        };
        let policy = Policy::at(clock::now());
        let preparation = prepare::assess(&facts, &asked, &policy).map_err(|error| match &error {
            NotKnown::NotSeen { .. } => Failure::blind(error.to_string()),
            NotKnown::NoPlan(_) => Failure::with(Exit::NotReady, error.to_string()),
        })?;
        Ok((facts, preparation))
    }

    /// RDS and what the capacity checks ask of the databases.
    async fn facts(&self) -> Result<Facts, Failure> {
        let args = self.args;
        let wanted = TargetArgs {
            subject: args.source.subject(),
            target_version: args.target_version,
            target_parameter_group: args.target_parameter_group.clone(),
            ..TargetArgs::default()
        };
        let only: Vec<String> = checks::capacity_checks()
            .chain(["logical-replication-enabled", "synchronous-commit"])
            .map(str::to_owned)
            .collect();
        let read = target::Wanted {
            phase: Some(Phase::Create),
            everything: false,
            only: &only,
        };
        target::read(&wanted, &args.aws, &args.databases, read, self.world).await
    }

    /// RDS alone.
    async fn rds_facts(&self) -> Result<Facts, Failure> {
        let args = self.args;
        let subject = args.source.subject();
        let begun = clock::now();
        let group = args.target_parameter_group.clone();
        let wanted = target::rds_only(&subject, &args.aws, args.target_version, group);
        let collected = drift::asked(wanted, self.world).await?;
        Ok(fleet::api_facts(collected, begun, crate::fleet::left_out))
    }

    /// Reads the groups that an earlier run may have made, and the default of the target's family.
    async fn groups(&self, facts: &mut Facts) -> Result<(), Failure> {
        let target = self.args.target_version;
        let engine = facts.engine;
        let Fact::Known(rds) = &mut facts.rds else {
            return Ok(());
        };
        let Some(blue) = rds.blue.known() else {
            return Ok(());
        };
        let kind = blue.kind();
        let family = |version: PgVersion| engine.family(version.major);
        let own = blue
            .engine_version()
            .map(|v| plan::own_group(blue.id(), &family(v)));
        let target_group = target.map(|v| plan::target_group(blue.id(), v));
        let default = target.map(|v| format!("default.{}", family(v)));
        for name in [own, target_group, default].into_iter().flatten() {
            let key = kind.group_key(&name);
            if let std::collections::btree_map::Entry::Vacant(place) = rds.parameter_groups.entry(key.clone())
            {
                let group = self
                    .lookout
                    .parameter_group(&key)
                    .await
                    .map_err(|e| Failure::blind(e.to_string()))?;
                place.insert(Fact::Known(group));
            }
        }
        Ok(())
    }

    async fn apply(&self, facts: Facts, preparation: Preparation) -> Result<Exit, Failure> {
        let actions = prepare::commands(&preparation);
        let reboots = self.args.reboot && !preparation.reboots.is_empty();
        if actions.is_empty() && !reboots {
            terminal::say("the groups are as they should be; --reboot brings them into force");
            return Ok(exit(&preparation));
        }
        self.agreed(&preparation, reboots).await?;
        for action in &actions {
            let answer = self.changes.act(action).await;
            taken(action, &answer)?;
            terminal::say(&format!("done: {}", action.title()));
        }
        let rds = target::rds(&facts.rds)?;
        let arn = target::blue_arn(rds)?;
        if reboots {
            let forced: BTreeSet<String> = preparation.forced.iter().cloned().collect();
            let expected: BTreeSet<&str> = match actions.is_empty() {
                true => BTreeSet::new(),
                false => {
                    let turns = preparation.reboots.iter().filter_map(instance);
                    turns.filter(|id| !forced.contains(*id)).collect()
                }
            };
            self.until_shown(&arn, &expected).await?;
            self.reboot(&arn, &forced).await?;
        }
        // The proof is another look at everything, the database included.
        let (_, after) = self.look().await?;
        if after.is_done() {
            terminal::say(&format!(
                "DONE  {} has what a deployment needs, and it is in force",
                after.subject
            ));
            if let Some(next) = self.next(&after) {
                terminal::say(&format!("next: {next}"));
            }
            return Ok(Exit::Ready);
        }
        if !after.changes() && after.reboots.is_empty() {
            let unknown = after.unknown.join("; ");
            return Err(Failure::with(
                Exit::NotDetermined,
                format!("what could be seen is done; not known: {unknown}"),
            ));
        }
        if reboots || after.changes() {
            let style = terminal::style(self.world.color, false, &self.world.env);
            terminal::say(&prepare::text(&after, rds, false, style));
            return Err(Failure::with(
                Exit::RolledBack,
                "it is not in force as it should be: see above",
            ));
        }
        terminal::say(
            "the groups are done; what is left is to reboot: the same with --apply --reboot does it",
        );
        Ok(exit(&after))
    }

    /// The command that makes use of what was prepared.
    fn next(&self, after: &Preparation) -> Option<String> {
        let version = after.target_version?;
        let kind = if self.args.source.cluster.is_some() {
            "cluster"
        } else {
            "instance"
        };
        let group = after.target.as_ref().map_or_else(String::new, |target| {
            format!(
                " \\\n        --target-parameter-group {}",
                quote(&target.work.name)
            )
        });
        let subject = quote(&after.subject);
        Some(format!(
            "greenlight create --{kind} {subject} --target-version {version}{group}"
        ))
    }

    async fn agreed(&self, preparation: &Preparation, reboots: bool) -> Result<(), Failure> {
        let outage = if reboots { " and reboot it as above" } else { "" };
        let question = format!("To change {}{outage}", preparation.subject);
        consent::to(&question, &preparation.subject, self.args.yes).await
    }
}

/// The instance of a turn; none for a failover.
fn instance(turn: &Turn) -> Option<&str> {
    match turn {
        Turn::Reader { id } | Turn::Writer { id, .. } => Some(id),
        Turn::Failover { .. } => None,
    }
}

/// A change that was not taken ends the run: what came before it stays, and the next run does the rest.
fn taken(action: &Action, answer: &Answer) -> Result<(), Failure> {
    let title = action.title();
    let denied = matches!(answer, Answer::Rejected { fault } if fault.code.starts_with("AccessDenied"));
    let rights = match denied {
        true => " (`greenlight iam-policy --for prepare` prints the rights)",
        false => "",
    };
    match answer {
        Answer::Accepted { .. } => Ok(()),
        Answer::Rejected { fault } => Err(Failure::with(
            Exit::Refused,
            format!(
                "RDS refused to {title}: {fault}{rights}; put it right and run it again, it does what is left"
            ),
        )),
        Answer::Lost { why } => Err(Failure::with(
            Exit::OutcomeUnknown,
            format!(
                "whether RDS did {title} is not known ({why}); run it again, it looks first and does what is left"
            ),
        )),
    }
}
