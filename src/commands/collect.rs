//! `greenlight collect`: everything that any check could look at, in one file.

use super::{Failure, World, target};
use crate::{
    cli::CollectArgs,
    edge::{files, random, terminal},
    exit::Exit,
    redact,
};

pub(super) async fn run(args: CollectArgs, world: &World) -> Result<Exit, Failure> {
    let wanted = target::Wanted {
        phase: None,
        everything: true,
        only: &[],
    };
    let facts = target::read(&args.target, &args.aws, &args.databases, wanted, world).await?;
    let facts = if args.redact {
        let key = match &args.redact_key {
            Some(word) => word.as_bytes().to_vec(),
            None => random::bytes()
                .map_err(|e| Failure::with(Exit::Fault, e.to_string()))?
                .to_vec(),
        };
        redact::redact(&facts, &key).map_err(|e| {
            Failure::with(
                Exit::Fault,
                format!("the redacted facts cannot be read again: {e}"),
            )
        })?
    } else {
        facts
    };
    let mut text = serde_json::to_string_pretty(&facts)
        .map_err(|e| Failure::with(Exit::Fault, format!("cannot write the facts as JSON: {e}")))?;
    text.push('\n');
    match &args.output {
        Some(path) => {
            files::write(path, &text)?;
            terminal::say(&format!(
                "facts are in {}; judge them with: greenlight check --facts {0}",
                path.display()
            ));
        }
        None => terminal::print(&text)?,
    }
    Ok(Exit::Ready)
}
