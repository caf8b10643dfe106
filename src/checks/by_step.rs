//! Rows that matter from one major on: a finding where the upgrade steps over it.
//!
//! The rows are those of a check without a judge, with one more column: `step`, the major that brings the change. The
//! query itself leaves out steps that lie behind the server; what the target does not reach is left out here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Ctx, ctx};
use crate::verdict::Verdict;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let target = ctx.situation.target.map(|target| u64::from(target.major));
    let reached = |row: &BTreeMap<String, Value>| {
        let step = row.get("step").and_then(Value::as_u64);
        step.is_none_or(|step| target.is_none_or(|target| step <= target))
    };
    ctx::rows_where(ctx, reached)
}
