//! Rows that matter from one major on: a finding where the upgrade steps over it.
//!
//! The rows are those of a check without a judge, with one more column: `step`, the major that brings the change. The
//! query itself leaves out steps that lie behind the server; what the target does not reach is left out here. Where a later
//! major mends it again, `until` names that one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Ctx, ctx};
use crate::verdict::Verdict;

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let target = ctx.situation.target.map(|target| u64::from(target.major));
    let reached = |row: &BTreeMap<String, Value>| {
        let major = |column: &str| row.get(column).and_then(Value::as_u64);
        target.is_none_or(|target| {
            major("step").is_none_or(|step| step <= target) && major("until").is_none_or(|until| target < until)
        })
    };
    ctx::rows_where(ctx, reached)
}
