//! One renderer a format. Each takes the same [`View`] and returns the whole text; nothing here does I/O.

pub mod change;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod json;
pub mod junit;
pub(crate) mod live;
pub mod markdown;
pub mod page;
pub mod sarif;
mod summary;
pub mod table;
pub(crate) mod text;
pub(crate) mod words;

use crate::{exit::Exit, facts::Facts, report::Report};

/// What a report can be rendered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Format {
    /// For people at a terminal.
    Table,
    /// For programs; see `greenlight schema`.
    Json,
    /// For a pull request's comment or a ticket.
    Markdown,
    /// One self-contained page, for tickets and audits.
    Html,
    /// JUnit XML, for pipelines that show test results.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of GitHub Actions, as workflow commands.
    Github,
    /// GitLab's code quality report.
    Gitlab,
}

impl Format {
    /// How names of files in this format end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Table | Self::Github => "txt",
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Junit => "xml",
            Self::Sarif => "sarif",
            Self::Gitlab => "gitlab.json",
        }
    }
}

/// Everything that renderers may show.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The report.
    pub report: &'a Report,
    /// The facts behind it: names, versions, lag.
    pub facts: &'a Facts,
    /// The exit code that goes with it.
    pub exit: Exit,
}

/// How the terminal wants it.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Columns.
    pub width: usize,
    /// Also what passed without a note.
    pub verbose: bool,
}

/// Renders a report.
pub fn render(format: Format, view: View<'_>, style: Style) -> String {
    match format {
        Format::Table => table::render(view, style),
        Format::Json => json::render(view),
        Format::Markdown => markdown::render(view),
        Format::Html => html::render(view),
        Format::Junit => junit::render(view),
        Format::Sarif => sarif::render(view),
        Format::Github => github::render(view),
        Format::Gitlab => gitlab::render(view),
    }
}
