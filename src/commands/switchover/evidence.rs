//! From a report to what the machine decides on, and what a person agrees to.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::world::Seen;
use crate::{
    cli::DatabaseArgs,
    model::hex,
    policy::Policy,
    report::{Headline, Outcome, Report},
    switchover::{
        deployment::Identity,
        evidence::{Evidence, Open, Readiness},
        moment::{FAST, LAG_CHECK},
        outcome::Verified,
    },
    verdict::Level,
};

/// What the full check said, for the machine and the journal.
pub(super) fn of(seen: &Seen, at: Timestamp, identity: &Identity, policy: &Policy) -> Evidence {
    let report = &seen.report;
    let readiness = match report.headline {
        Headline::Ready => Readiness::Ready,
        Headline::NotReady => Readiness::NotReady,
        Headline::NotDetermined => Readiness::NotDetermined {
            why: report.because.clone(),
        },
    };
    Evidence {
        at,
        digest: digest(report, identity, policy),
        open: open(report),
        readiness,
    }
}

/// What is open all the same: warnings and worse, what was waived, and what could not be seen and was waived.
pub(super) fn open(report: &Report) -> Vec<Open> {
    let mut open = Vec::new();
    for check in &report.checks {
        let entry = |subject: &str, level: String, message: &str| Open {
            check: check.id.to_owned(),
            subject: subject.to_owned(),
            level,
            message: message.to_owned(),
        };
        for finding in check.findings.iter().filter(|f| f.level >= Level::Warning) {
            let level = match &finding.waived {
                Some(_) => format!("{} (waived)", finding.level),
                None => finding.level.to_string(),
            };
            open.push(entry(&finding.subject, level, &finding.message));
        }
        if check.more > 0 && check.level >= Level::Warning {
            open.push(entry(
                "more",
                check.level.to_string(),
                &format!("{} more findings", check.more),
            ));
        }
        for unseen in check.unseen.iter().filter(|_| check.level >= Level::Warning) {
            let level = match &unseen.waived {
                Some(_) => format!("{} not seen (waived)", check.level),
                None => format!("{} not seen", check.level),
            };
            open.push(entry(&unseen.subject, level, &unseen.why));
        }
    }
    open
}

/// A digest over what a person agrees to: which deployment, which versions, which findings at warning or above, which of
/// them are accepted, by which thresholds. What moves by itself is left out: lag, and the checks that are made again in
/// the last second.
fn digest(report: &Report, identity: &Identity, policy: &Policy) -> String {
    let mut text = vec![
        "greenlight/switchover/evidence/1".to_owned(),
        serde_json::to_string(identity).expect("an identity is plain data"),
        format!("{:?} {:?}", report.situation.source, report.situation.target),
        serde_json::to_string(&policy.thresholds).expect("thresholds are plain data"),
        format!("{:?} {:?}", report.headline, report.fail_on),
        format!("skipped {:?}", policy.skip),
    ];
    let moving = |id: &str| FAST.contains(&id) || id == LAG_CHECK;
    for check in report.checks.iter().filter(|check| !moving(check.id)) {
        for finding in check.findings.iter().filter(|f| f.level >= Level::Warning) {
            let waived = finding.waived.is_some();
            text.push(format!(
                "{:?} {:?} {} {waived}",
                check.id, finding.subject, finding.level
            ));
        }
        for unseen in check.unseen.iter().filter(|_| check.level >= Level::Warning) {
            text.push(format!(
                "{:?} {:?} unseen {}",
                check.id,
                unseen.subject,
                unseen.waived.is_some()
            ));
        }
    }
    let mut hash = Sha256::new();
    for line in text {
        hash.update(line.as_bytes());
        hash.update(b"\0");
    }
    hex(&hash.finalize())
}

/// What the checks after the switchover said.
pub(super) fn verified(report: &Report) -> Verified {
    if report.headline == Headline::Ready {
        return Verified::Clean;
    }
    let count = |wanted: &dyn Fn(&crate::report::CheckReport) -> bool| {
        u32::try_from(report.checks.iter().filter(|check| wanted(check)).count()).unwrap_or(u32::MAX)
    };
    Verified::Problems {
        failed: count(&|check| check.open(report.fail_on) > 0),
        unknown: count(&|check| {
            check.level >= report.fail_on
                && check.open_unseen()
                && matches!(check.outcome, Outcome::Unknown | Outcome::Failed)
        }),
    }
}

/// The ways to the databases once the names have moved: the tunnel to blue led to production's name, which is green's
/// server now; what led to green's own name leads nowhere.
pub(super) fn after_switchover(databases: &DatabaseArgs, production: Option<&str>) -> DatabaseArgs {
    let mut after = databases.clone();
    after.connect = databases
        .connect
        .iter()
        .filter_map(|tunnel| {
            let (name, to) = tunnel.split_once('=')?;
            match name {
                "blue" => Some(format!("green={to}")),
                name if Some(name) == production => Some(tunnel.clone()),
                _ => None,
            }
        })
        .collect();
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tunnel_to_production_leads_to_the_new_side_afterwards() {
        let databases = DatabaseArgs {
            connect: [
                "blue=127.0.0.1:1",
                "green=127.0.0.1:2",
                "main.rds=127.0.0.1:3",
                "green.rds=127.0.0.1:4",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..DatabaseArgs::default()
        };
        let after = after_switchover(&databases, Some("main.rds"));
        assert_eq!(after.connect, ["green=127.0.0.1:1", "main.rds=127.0.0.1:3"]);
    }
}
