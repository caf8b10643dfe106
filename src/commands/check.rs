//! `greenlight check`: collect (or read), judge, show, gate.

use std::path::Path;

use super::{Failure, World, show, target};
use crate::{
    attest::Attestation,
    baseline, checks,
    cli::{CheckArgs, PolicyArgs},
    config,
    edge::{clock, files, terminal},
    exit::Exit,
    facts::Facts,
    gate,
    model::Phase,
    output::{self, View},
    policy::Policy,
    report::Report,
    situation::Situation,
};

pub(super) async fn run(args: CheckArgs, world: &World) -> Result<Exit, Failure> {
    // Flags and files are checked before anything is asked: a typo must not cost a minute.
    let policy = policy(&args.policy)?;
    let files = show::files(&args.output)?;
    if let Some(path) = &args.attest {
        if files.iter().any(|(_, other)| other == path) {
            return Err(Failure::usage(format!("{} is written twice", path.display())));
        }
        if args.phase.is_some_and(|phase| phase != Phase::Switchover) {
            return Err(Failure::usage(
                "--attest is for a switchover; leave --phase out, or say --phase switchover",
            ));
        }
        for (flag, ids) in [("--only", &policy.only), ("--skip", &policy.skip)] {
            if !ids.is_empty() {
                return Err(Failure::usage(format!(
                    "--attest: an attestation is for the whole catalogue; leave out {flag}"
                )));
            }
        }
    }
    let before = match &args.baseline {
        Some(path) => {
            let report = baseline::read(&files::read(path)?);
            let report = report.map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            Some((path.display().to_string(), report))
        }
        None => None,
    };
    let mut facts = match &args.facts {
        Some(path) => {
            let text = files::read(path)?;
            let mut facts =
                Facts::from_json(&text).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
            if args.target.target_version.is_some() {
                facts.request.target_version = args.target.target_version;
            }
            facts
        }
        None => {
            target::read(
                &args.target,
                &args.aws,
                &args.databases,
                target::Wanted {
                    phase: args.phase,
                    everything: false,
                    only: &policy.only,
                },
                world,
            )
            .await?
        }
    };
    let situation = Situation::of(&facts, args.phase);
    let mut report = Report::make(&facts, situation, &policy);
    let exit = gate::exit(&report);
    if args.attest.is_none() {
        facts.forget_rows();
    }
    if let Some((name, before)) = &before {
        let view = View {
            report: &report,
            facts: &facts,
            exit,
        };
        let (earlier, now) = (
            baseline::about(before),
            baseline::about(&output::json::report(view)),
        );
        if earlier != now {
            terminal::say(&format!(
                "note: {name} is about {earlier}, this report about {now}"
            ));
        }
        report.compare(name, before);
    }
    let view = View {
        report: &report,
        facts: &facts,
        exit,
    };
    show::emit(view, &args.output, &files, world)?;
    if let Some(path) = &args.attest {
        let attestation = Attestation::of(&facts, &report, &policy, args.attest_for, clock::now())
            .map_err(|e| Failure::usage(format!("--attest: {e}")))?;
        files::write(path, &attestation.to_text())?;
        terminal::say(&format!(
            "attested in {} until {}",
            path.display(),
            attestation.expires_at
        ));
    }
    Ok(exit)
}

/// The policy: defaults, then the file, then the flags.
pub(super) fn policy(args: &PolicyArgs) -> Result<Policy, Failure> {
    let mut policy = Policy::at(clock::now());
    let usual = Path::new("greenlight.toml");
    let (path, text) = match &args.config {
        Some(path) => (path.as_path(), Some(files::read(path)?)),
        None => (usual, files::read_if_there(usual)?),
    };
    if let Some(text) = text {
        config::apply(&mut policy, path, &text).map_err(|e| Failure::usage(e.to_string()))?;
    }
    for (flag, ids) in [("--only", &args.only), ("--skip", &args.skip)] {
        for id in ids {
            let group = checks::all().iter().any(|c| c.page.group == *id);
            if !group && checks::find(id).is_none() {
                return Err(Failure::usage(config::unknown_check(flag, id)));
            }
        }
    }
    policy.only.clone_from(&args.only);
    policy.skip.clone_from(&args.skip);
    if let Some(level) = args.fail_on {
        policy.fail_on = level;
    }
    Ok(policy)
}
