//! Where reports go: stdout, the files of `-o`, and the summary of a GitHub step.

use std::path::{Path, PathBuf};

use super::{Failure, World};
use crate::{
    cli::OutputArgs,
    edge::{files, terminal},
    output::{self, Format, Style, View},
};

/// The files of `-o FORMAT=FILE`.
///
/// # Errors
/// Where a format does not exist, or a file is missing or named twice.
pub(super) fn files(args: &OutputArgs) -> Result<Vec<(Format, PathBuf)>, Failure> {
    outputs(&args.output)
}

/// The same for any set of formats.
///
/// # Errors
/// Where a format does not exist, or a file is missing or named twice.
pub(super) fn outputs<F: clap::ValueEnum>(texts: &[String]) -> Result<Vec<(F, PathBuf)>, Failure> {
    let mut files: Vec<(F, PathBuf)> = Vec::new();
    for text in texts {
        let (format, path) = text
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or_else(|| {
                Failure::usage(format!(
                    "-o {text:?}: write FORMAT=FILE, for example json=report.json"
                ))
            })?;
        let format = F::from_str(format, true).map_err(|_| {
            let names = F::value_variants().iter();
            let names: Vec<String> = names
                .filter_map(clap::ValueEnum::to_possible_value)
                .map(|value| value.get_name().to_owned())
                .collect();
            Failure::usage(format!(
                "-o {text:?}: there is no format {format:?}{} (formats: {})",
                crate::config::nearest(format, names.iter().map(String::as_str)),
                names.join(", ")
            ))
        })?;
        let path = PathBuf::from(path);
        if files.iter().any(|(_, other)| *other == path) {
            return Err(Failure::usage(format!(
                "-o {text:?}: {} is written twice",
                path.display()
            )));
        }
        files.push((format, path));
    }
    Ok(files)
}

/// Writes the report into the files of `-o`.
///
/// # Errors
/// Where one cannot be written.
pub(super) fn write(view: View<'_>, files: &[(Format, PathBuf)]) -> Result<(), Failure> {
    let plain = Style {
        color: false,
        width: 100,
        verbose: true,
    };
    for (format, path) in files {
        files::write(path, &output::render(*format, view, plain))?;
    }
    Ok(())
}

/// Writes the report everywhere it was asked for.
///
/// # Errors
/// Where a file or stdout cannot be written.
pub(super) fn emit(
    view: View<'_>,
    args: &OutputArgs,
    files: &[(Format, PathBuf)],
    world: &World,
) -> Result<(), Failure> {
    write(view, files)?;
    let format = args.format.unwrap_or(Format::Table);
    let style = terminal::style(world.color, world.verbose > 0, &world.env);
    match format {
        Format::Json => terminal::stream(|out| output::json::write(view, out))?,
        other => terminal::print(&output::render(other, view, style))?,
    }
    let github = format == Format::Github || files.iter().any(|(f, _)| *f == Format::Github);
    if let Some(summary) = world.env.get("GITHUB_STEP_SUMMARY").filter(|_| github) {
        files::append(Path::new(summary), &output::markdown::render(view))?;
    }
    Ok(())
}
