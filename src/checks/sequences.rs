//! Few enough sequences to move at the switchover.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// From here on AWS says that the switchover may time out: "several hundred thousand", so with a margin.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-considerations.html>
const MAY_TIME_OUT: u64 = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    sequences: u64,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let counts = ctx.rows::<Count>(Side::Blue, "");
    let mut judgement = Judgement::new();
    judgement.blind(counts.unseen);
    let total: u64 = counts.rows.iter().map(|(_, c)| c.sequences).sum();
    if total > ctx.policy.thresholds.many_sequences {
        let level = if total >= MAY_TIME_OUT { Level::Warning } else { Level::Notice };
        let mut finding = Finding::new(
            "sequences",
            format!("{total} sequences have to be moved while nobody can write: the outage gets longer"),
        )
        .on(Side::Blue)
        .at(level)
        .fix("-- drop what nobody uses, allow a longer --timeout, and rehearse the switchover")
        .evidence("threshold", ctx.policy.thresholds.many_sequences);
        for (database, count) in counts.rows {
            finding = finding.evidence(database.as_deref().unwrap_or_default(), count.sequences);
        }
        judgement.find(finding);
    }
    judgement.done_with(format!("{total} sequences"))
}
