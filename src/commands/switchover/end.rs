//! The end of a run: the report that goes with it, one sentence about what became of production, why, and what to do next.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::world::{Real, Seen};
use crate::model::{shell::quote, shown::in_line};
use crate::{
    commands::{Failure, show},
    edge::terminal,
    exit::Exit,
    facts::rds::Topology,
    gate,
    model::{Arn, Phase},
    output::{self, Format, View},
    switchover::{
        explain::{Explanation, explain, fix_fault},
        outage::Outage,
        outcome::{Outcome, Refusal, Verified},
    },
};

/// Longest time for the check that looks for the cause of a failure.
const FRESH_WITHIN: Duration = Duration::from_secs(60);

/// Where the journal is, and what vouches for it.
pub(super) struct Kept<'a> {
    pub(super) path: &'a Path,
    /// The hash of its last record.
    pub(super) head: &'a str,
}

/// The documented exit code of an outcome.
pub(super) fn exit(outcome: &Outcome) -> Exit {
    let code = outcome.exit_code();
    let found = Exit::ALL
        .iter()
        .map(|(exit, _)| *exit)
        .find(|exit| exit.code() == code);
    found.unwrap_or(Exit::Fault)
}

/// Shows the end.
///
/// # Errors
/// Where a file or stdout cannot be written; what was done stays done, and stderr says so.
pub(super) async fn show(world: &Real<'_>, outcome: &Outcome, kept: Kept<'_>) -> Result<Exit, Failure> {
    world.display.pause();
    let exit = exit(outcome);
    let (explanations, fresh) = why(world, outcome).await;
    let seen = match outcome {
        Outcome::RolledBack { .. }
        | Outcome::Refused {
            refusal: Refusal::ByRds { .. },
        } => fresh,
        Outcome::Switched {
            verified: Verified::Clean | Verified::Problems { .. },
        }
        | Outcome::NotReady { .. }
        | Outcome::NotDetermined { .. }
        | Outcome::DryRun => world.seen(),
        _ => None,
    };
    let text = Text {
        sentence: sentence(world, outcome),
        explanations: &explanations,
        said: if explains(outcome) {
            world.texts()
        } else {
            Vec::new()
        },
        next: next(world, outcome, seen.as_ref(), &kept),
        outage: world.outage(),
        kept,
    };
    let files = show::files(&world.args.output)?;
    let json = world.args.output.format == Some(Format::Json);
    let mut outcome_of_writing = Ok(());
    if let Some(seen) = &seen {
        let view = View {
            report: &seen.report,
            facts: &seen.facts,
            exit: gate::exit(&seen.report),
        };
        outcome_of_writing = if json {
            show::write(view, &files)
        } else {
            show::emit(view, &world.args.output, &files, world.process)
        };
    }
    if json {
        let report = seen.as_ref().map(|seen| {
            output::json::report(View {
                report: &seen.report,
                facts: &seen.facts,
                exit: gate::exit(&seen.report),
            })
        });
        world.display.event(
            "end",
            json!({
                "outcome": outcome,
                "exit": exit.code(),
                "sentence": text.sentence,
                "explanations": explanations.iter().map(|e| json!({
                    "guardrail": e.guardrail.id, "title": e.guardrail.title, "fix": e.guardrail.fix, "text": e.text,
                })).collect::<Vec<_>>(),
                "said": text.said,
                "outage": text.outage,
                "next": text.next,
                "journal": text.kept.path.display().to_string(),
                "journal_head": text.kept.head,
                "report": report,
            }),
        );
        if !terminal::stdout_is_terminal() {
            terminal::say(&text.sentence);
        }
    } else if matches!(world.args.output.format, None | Some(Format::Table)) {
        terminal::print(&text.render())?;
    } else {
        terminal::say(&text.render());
    }
    outcome_of_writing?;
    Ok(exit)
}

fn explains(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::RolledBack { .. }
            | Outcome::Unknown { .. }
            | Outcome::Refused {
                refusal: Refusal::ByRds { .. }
            }
    )
}

/// Why RDS gave it up, as far as its words and a fresh check tell.
async fn why(world: &Real<'_>, outcome: &Outcome) -> (Vec<Explanation>, Option<Seen>) {
    if !explains(outcome) {
        return (Vec::new(), None);
    }
    let mut texts = world.texts();
    match outcome {
        Outcome::RolledBack { why } => texts.push(why.clone()),
        Outcome::Refused {
            refusal: Refusal::ByRds { fault, .. },
        } => texts.push(fault.message.clone()),
        _ => {}
    }
    let explanations = explain(texts.iter().map(String::as_str));
    if matches!(outcome, Outcome::Unknown { .. }) {
        return (explanations, None);
    }
    world.display.say("looking for the cause: a fresh check");
    let fresh = tokio::time::timeout(FRESH_WITHIN, world.collect(Phase::Switchover)).await;
    (explanations, fresh.ok().and_then(Result::ok))
}

fn sentence(world: &Real<'_>, outcome: &Outcome) -> String {
    let card = &world.card;
    let head = match outcome {
        Outcome::Switched { .. } => "SWITCHED OVER",
        Outcome::DryRun => "DRY RUN",
        Outcome::NotReady { .. } => "NOT READY",
        Outcome::NotDetermined { .. } => "NOT DETERMINED",
        Outcome::Refused { .. } => "REFUSED",
        Outcome::RolledBack { .. } => "ROLLED BACK",
        Outcome::Unknown { .. } => "OUTCOME UNKNOWN",
        Outcome::Interrupted => "INTERRUPTED",
    };
    let versions = match outcome {
        _ if card.green.version.is_empty() => String::new(),
        Outcome::Switched {
            verified: Verified::Clean,
        } => format!(
            "; production {} runs {} (was {})",
            card.blue.name, card.green.version, card.blue.version
        ),
        // What the checks did not confirm is not claimed.
        Outcome::Switched { .. } => format!(
            "; production {} is to run {} (was {})",
            card.blue.name, card.green.version, card.blue.version
        ),
        _ => String::new(),
    };
    let name = if card.name.is_empty() {
        &card.id
    } else {
        &card.name
    };
    // The head says it already.
    let words = in_line(&outcome.to_string());
    let said = [
        "switched over and ",
        "switched over, but ",
        "switched over; ",
        "dry run: ",
        "not ready; ",
        "refused: ",
        "outcome unknown, a person is needed: ",
        "interrupted ",
    ];
    let mut shorter = said.iter().filter_map(|prefix| words.strip_prefix(prefix));
    format!("{head} {name}: {}{versions}", shorter.next().unwrap_or(&words))
}

/// The end in words.
struct Text<'a> {
    sentence: String,
    explanations: &'a [Explanation],
    said: Vec<String>,
    outage: Option<Outage>,
    next: Vec<String>,
    kept: Kept<'a>,
}

impl Text<'_> {
    fn render(&self) -> String {
        let mut lines = vec![String::new(), self.sentence.clone()];
        for said in &self.said {
            lines.push(format!("  RDS: {}", in_line(said)));
        }
        for found in self.explanations {
            lines.push(format!("  probable cause: {}", found.guardrail.title));
            lines.push(format!("  fix: {}", found.guardrail.fix));
        }
        for line in self.outage.iter().flat_map(Outage::lines) {
            lines.push(format!("  {}", in_line(&line)));
        }
        lines.push(format!(
            "Journal: {} (head {})",
            self.kept.path.display(),
            self.kept.head
        ));
        if !self.next.is_empty() {
            lines.push("Next:".to_owned());
            lines.extend(self.next.iter().map(|step| format!("  {step}")));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn next(world: &Real<'_>, outcome: &Outcome, seen: Option<&Seen>, kept: &Kept<'_>) -> Vec<String> {
    let id = &world.identity().id;
    let place = place(world);
    let ways = format!("{place}{}", ways(world));
    let again = format!(
        "greenlight switchover --deployment {id} --journal {}{ways}",
        quote(&kept.path.display().to_string())
    );
    let describe =
        format!("aws rds describe-blue-green-deployments --blue-green-deployment-identifier {id}{place}");
    match outcome {
        Outcome::Switched { verified } => {
            let mut steps = Vec::new();
            match verified {
                Verified::Clean => {}
                Verified::Problems { .. } => {
                    steps.push("# mend what the report names, then verify again:".to_owned());
                    steps.push(format!("greenlight check --deployment {id} --phase verify{ways}"));
                }
                Verified::Not { .. } => steps.push(format!("{again} --resume")),
            }
            steps.extend(clean_up(id, &place, seen));
            steps
        }
        Outcome::DryRun => vec![again],
        Outcome::NotReady { .. } | Outcome::NotDetermined { .. } => {
            vec![
                "# mend or accept what the report names, then run it again:".to_owned(),
                again,
            ]
        }
        Outcome::Refused {
            refusal: Refusal::ByRds { fault, .. },
        } => {
            vec![format!("# {}", fix_fault(fault)), describe]
        }
        Outcome::Refused {
            refusal: Refusal::Locked { .. },
        } => {
            vec!["# one operator at a time: wait for the other, or ask them".to_owned()]
        }
        Outcome::Refused {
            refusal: Refusal::AlreadySwitched,
        } => {
            vec![format!("greenlight check --deployment {id} --phase verify{ways}")]
        }
        Outcome::Refused { .. } | Outcome::Interrupted => vec![again],
        Outcome::RolledBack { .. } => vec![
            "# production is blue, as before; mend the cause, then begin anew with another journal:"
                .to_owned(),
            format!("greenlight check --deployment {id} --phase switchover{ways}"),
        ],
        Outcome::Unknown { .. } => vec![
            "# do not submit again; look at what RDS shows, then let greenlight look once more:".to_owned(),
            describe,
            format!("{again} --resume"),
        ],
    }
}

/// How to remove the deployment and the old side, by the names that they have now.
fn clean_up(id: &str, place: &str, seen: Option<&Seen>) -> Vec<String> {
    let rds = seen.and_then(|seen| seen.facts.rds.known());
    let old: Option<&Topology> = rds.and_then(|rds| rds.blue.known());
    let name = old.and_then(|old| match &old.cluster {
        Some(cluster) => Some(cluster.id.as_str()),
        None => old.instances.first().map(|instance| instance.id.as_str()),
    });
    let snapshot = format!("{}-final", name.unwrap_or("old-side"));
    let mut steps = vec![
        "# when clients are well and nobody wants to go back: the deployment and the old side".to_owned(),
        format!("greenlight cleanup --deployment {id} --delete-old --final-snapshot {snapshot}{place}"),
    ];
    let target = rds
        .and_then(|rds| rds.deployment.known())
        .and_then(Option::as_ref)
        .and_then(|deployment| deployment.target.as_ref());
    if let Some(target) = target {
        steps.push("# and the infrastructure code has to follow:".to_owned());
        steps.push(format!(
            "greenlight drift {} --template STACK.json{place}",
            subject(target)
        ));
    }
    steps
}

fn subject(arn: &Arn) -> String {
    let flag = if arn.kind() == "cluster" {
        "--cluster"
    } else {
        "--instance"
    };
    format!("{flag} {}", arn.name())
}

/// The flags that name Region and endpoint.
fn place(world: &Real<'_>) -> String {
    let card = &world.card;
    let mut place = format!(" --region {}", card.region);
    if let Some(profile) = &world.args.aws.profile {
        place.push_str(&format!(" --profile {}", quote(profile)));
    }
    if let Some(url) = &card.endpoint_url {
        place.push_str(&format!(" --endpoint-url {}", quote(url)));
    }
    place
}

/// The flags that say how databases are reached and judged, as they were given.
fn ways(world: &Real<'_>) -> String {
    let (databases, policy) = (&world.args.databases, &world.args.policy);
    let lists = [
        ("--db-user", &databases.db_user),
        ("--auth", &databases.auth),
        ("--connect", &databases.connect),
        ("--skip", &policy.skip),
    ];
    let lists = lists
        .into_iter()
        .flat_map(|(flag, values)| values.iter().map(move |value| (flag, value.clone())));
    let path = |path: &std::path::PathBuf| path.display().to_string();
    let single = [
        ("--dbname", databases.dbname.clone()),
        ("--tls-mode", databases.tls_mode.clone()),
        ("--tls-ca", databases.tls_ca.as_ref().map(path)),
        ("--config", policy.config.as_ref().map(path)),
        ("--fail-on", policy.fail_on.map(|level| level.to_string())),
    ];
    let single = single
        .into_iter()
        .filter_map(|(flag, value)| Some((flag, value?)));
    lists
        .chain(single)
        .map(|(flag, value)| format!(" {flag} {}", quote(&value)))
        .collect()
}
