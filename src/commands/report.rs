//! `greenlight report`: a journal as a change record, of a switchover or of a creation or clean-up.

use super::{Failure, show};
use crate::{
    cli::ReportArgs,
    edge::{files, terminal},
    exit::Exit,
    output::change::{Change, ChangeFormat, WorkChange},
    switchover::journal,
    work,
};

/// Either kind.
enum Told {
    Switchover(Box<Change>),
    Work(Box<WorkChange>),
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let files = show::outputs::<ChangeFormat>(&args.output)?;
    if files.iter().any(|(_, path)| *path == args.journal) {
        return Err(Failure::usage(format!(
            "-o names the journal {} itself, which is the record; write somewhere else",
            args.journal.display()
        )));
    }
    let told = read(args)?;
    let render = |format| match &told {
        Told::Switchover(change) => change.render(format),
        Told::Work(change) => change.render(format),
    };
    for (format, path) in &files {
        files::write(path, &render(*format))?;
    }
    terminal::print(&render(args.format))?;
    Ok(Exit::Ready)
}

fn read(args: &ReportArgs) -> Result<Told, Failure> {
    let path = &args.journal;
    let name = path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let refused = match journal::read(path) {
        Ok(log) => return Ok(Told::Switchover(Box::new(Change::of(&log, &name)))),
        Err(refused) => refused,
    };
    // Where it is neither, what does not fit with a switchover's is said.
    let other = journal::read_as::<work::record::Record>(path).ok();
    other
        .and_then(|log| WorkChange::of(&log, &name))
        .map(|change| Told::Work(Box::new(change)))
        .ok_or_else(|| Failure::usage(refused.to_string()))
}
