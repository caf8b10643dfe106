//! Annotations of GitHub Actions: workflow commands on stdout that the run's page shows beside the change.
//!
//! GitHub shows ten annotations of each kind for a step and drops the rest, so the last one of a kind says how many
//! there are: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>. The long form is
//! the step's summary, which `greenlight check --format github` writes as Markdown to `GITHUB_STEP_SUMMARY`.

use std::fmt::Write as _;

use super::{
    View, summary,
    text::{clip, count, one_line, printable},
};
use crate::{report::Headline, verdict::Level};

/// Annotations of one kind that GitHub shows for a step.
const SHOWN: usize = 10;

/// Renders the report.
pub fn render(view: View<'_>) -> String {
    let report = view.report;
    let mut out = String::new();
    // Blind spots that gate are errors too: a run must not look green because something was not seen.
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut notices = Vec::new();
    for check in &report.checks {
        let mut push = |level: Level, title: String, text: String| {
            match level {
                _ if level >= report.fail_on => &mut errors,
                Level::Blocker | Level::Warning => &mut warnings,
                Level::Notice => &mut notices,
            }
            .push((title, text));
        };
        for finding in summary::shown(check) {
            let mut text = format!(
                "{}\n{}\nWhy it matters: {}",
                printable(&finding.message),
                summary::place(finding),
                check.effect
            );
            if let Some(fix) = &finding.fix {
                let _ = write!(text, "\nFix: {}", printable(fix));
            }
            push(finding.level, format!("{} ({})", check.id, finding.level), text);
        }
        if check.more > 0 {
            let text = format!("{} more that are not listed", check.more);
            push(check.level, format!("{} ({})", check.id, check.level), text);
        }
        for unseen in summary::shown_unseen(check) {
            let text = format!("{}: {}", one_line(&unseen.subject), printable(&unseen.why));
            push(check.level, format!("{} could not be judged", check.id), text);
        }
    }
    let file = report.policy_file.as_deref();
    for (command, list) in [("error", errors), ("warning", warnings), ("notice", notices)] {
        let total = list.len();
        let most = if total > SHOWN { SHOWN - 1 } else { SHOWN };
        for (title, text) in list.into_iter().take(most) {
            command_line(&mut out, command, file, &title, &clip(&text, 4000));
        }
        if total > SHOWN {
            let text = format!("{} more; the report has all", total - most);
            command_line(&mut out, command, file, "greenlight", &text);
        }
    }
    let kind = match report.headline {
        Headline::Ready => "ready",
        Headline::NotReady => "not ready",
        Headline::NotDetermined => "not determined",
    };
    // A line that is no command, for the log.
    let _ = writeln!(
        out,
        "greenlight: {kind} {}{}; {}; found {}; {} judged",
        summary::question(report),
        summary::whereabouts(view).map_or(String::new(), |place| format!(": {}", one_line(&place))),
        one_line(&report.because),
        summary::found(report),
        count(report.coverage.judged, "check"),
    );
    out
}

fn command_line(out: &mut String, command: &str, file: Option<&str>, title: &str, text: &str) {
    let file = file.map_or(String::new(), |f| format!("file={},", property(f)));
    let _ = writeln!(out, "::{command} {file}title={}::{}", property(title), data(text));
}

/// A command's message: what would end the line is encoded, `%` so that nothing is decoded twice, and the old form of a
/// command, which counts anywhere in a line, is broken.
fn data(text: &str) -> String {
    text.replace("##[", "# #[")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A command's property: also what would end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_start_a_command() {
        let mut out = String::new();
        command_line(
            &mut out,
            "error",
            Some("a,b"),
            "x:y\n::set-env",
            "50%\r\n::error::owned",
        );
        assert_eq!(
            out,
            "::error file=a%2Cb,title=x%3Ay%0A%3A%3Aset-env::50%25%0D%0A::error::owned\n"
        );
    }
}
