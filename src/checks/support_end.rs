//! Blue's major is within standard support.

use jiff::Timestamp;

use super::{
    Ctx,
    plane::{Plane, answer},
};
use crate::{
    facts::rds::MajorVersion,
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

fn end(major: &MajorVersion, name: &str) -> Option<Timestamp> {
    major.lifecycles.iter().find(|l| l.name == name)?.end
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let blue = plane.blue()?;
    let Some(major) = plane.known("major_version", &plane.rds.major_version)? else {
        return Ok(Verdict::unknown("rds.major_version", "RDS does not list blue's major"));
    };
    let Some(standard) = end(major, "open-source-rds-standard-support") else {
        return Ok(Verdict::unknown("rds.major_version", "RDS gives no end of standard support"));
    };
    let now = ctx.facts.collected_at;
    let lifecycle = match &blue.cluster {
        Some(cluster) => cluster.lifecycle_support.as_deref(),
        None => blue.instances.first().and_then(|i| i.lifecycle_support.as_deref()),
    };
    let enrolled = match lifecycle {
        Some("open-source-rds-extended-support") => Some(true),
        Some("open-source-rds-extended-support-disabled") => Some(false),
        _ => None,
    };
    let day = |at: Timestamp| jiff::tz::Offset::UTC.to_datetime(at).date();
    let in_days = |at: Timestamp, days: i64| now + jiff::SignedDuration::from_hours(24 * days) > at;
    let extended = end(major, "open-source-rds-extended-support");
    let (level, message) = match extended {
        Some(last) if in_days(last, 90) && enrolled != Some(false) => (
            Level::Warning,
            format!("Extended Support of {} ends on {}, then RDS upgrades it by itself", major.version, day(last)),
        ),
        _ if now > standard && enrolled == Some(false) => (
            Level::Warning,
            format!(
                "standard support of {} ended on {}, and {} is not enrolled in Extended Support: RDS upgrades it by itself",
                major.version,
                day(standard),
                blue.id()
            ),
        ),
        _ if now > standard && enrolled.is_none() => {
            return Ok(Verdict::unknown(
                format!("{}/EngineLifecycleSupport", blue.id()),
                format!(
                    "standard support of {} ended on {}, and RDS does not tell whether {} is enrolled in Extended Support ({})",
                    major.version,
                    day(standard),
                    blue.id(),
                    lifecycle.unwrap_or("no value")
                ),
            ));
        }
        _ if now > standard => (
            Level::Notice,
            format!("{} is billed for Extended Support of {} since {}", blue.id(), major.version, day(standard)),
        ),
        _ if in_days(standard, 183) => (
            Level::Notice,
            format!("standard support of {} ends on {}", major.version, day(standard)),
        ),
        _ => return Ok(Judgement::new().done_with(format!("standard support ends on {}", day(standard)))),
    };
    let mut judgement = Judgement::new();
    judgement.find(
        Finding::new(&major.version, message)
            .on(Side::Rds)
            .at(level)
            .evidence("standard support ends", day(standard).to_string())
            .evidence("extended support ends", extended.map(|at| day(at).to_string()))
            .evidence("lifecycle", lifecycle),
    );
    Ok(judgement.done())
}
