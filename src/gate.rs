//! From a report to an exit code: a total function.

use crate::{
    exit::Exit,
    model::Phase,
    report::{Headline, Report},
};

/// The exit code of a report. In phase `verify` a failure means that a switchover went through with problems.
pub fn exit(report: &Report) -> Exit {
    match (report.headline, report.situation.phase) {
        (Headline::Ready, _) => Exit::Ready,
        (Headline::NotReady, Phase::Verify) => Exit::VerifyFailed,
        (Headline::NotReady, _) => Exit::NotReady,
        (Headline::NotDetermined, _) => Exit::NotDetermined,
    }
}
