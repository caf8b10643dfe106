//! `greenlight report`: a switchover's journal as a change record.

use super::{Failure, show};
use crate::{
    cli::ReportArgs,
    edge::{files, terminal},
    exit::Exit,
    output::change::{Change, ChangeFormat},
    switchover::journal,
};

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let files = show::outputs::<ChangeFormat>(&args.output)?;
    if files.iter().any(|(_, path)| *path == args.journal) {
        return Err(Failure::usage(format!(
            "-o names the journal {} itself, which is the record; write somewhere else",
            args.journal.display()
        )));
    }
    let log = journal::read(&args.journal).map_err(|e| Failure::usage(e.to_string()))?;
    let name = args.journal.file_name().map_or_else(
        || args.journal.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let change = Change::of(&log, &name);
    for (format, path) in &files {
        files::write(path, &change.render(*format))?;
    }
    terminal::print(&change.render(args.format))?;
    Ok(Exit::Ready)
}
