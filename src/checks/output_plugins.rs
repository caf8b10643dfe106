//! Blue lets `pgoutput` decode.

use super::{Ctx, room, shared};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

const NAME: &str = "output_plugin_libraries";

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let settings = ctx.settings(Side::Blue);
    let setting = match settings.get(NAME) {
        Ok(Some(setting)) => setting,
        Ok(None) => {
            return Verdict::Pass {
                note: Some(format!("this version has no {NAME}: every plugin may be used")),
            };
        }
        Err(unseen) => return room::blind(vec![unseen]),
    };
    let value = setting.setting.as_deref().unwrap_or_default();
    let mut judgement = Judgement::new();
    if !names(value, "pgoutput") {
        let with = if value.trim().is_empty() {
            "pgoutput".to_owned()
        } else {
            format!("pgoutput, {value}")
        };
        judgement.find(
            Finding::new(NAME, format!("{NAME} ({value}) does not name pgoutput: no slot for green can be made"))
                .on(Side::Blue)
                .fix(shared::set_parameter(ctx, Side::Blue, NAME, &with))
                .evidence("value", value),
        );
    }
    judgement.done_with(format!("{NAME} is {value}"))
}

/// Whether a list of libraries names one, alone or with its folder. `*` admits all.
pub(super) fn names(list: &str, library: &str) -> bool {
    list.split(',').map(|item| item.trim().trim_matches('"')).any(|item| {
        item == "*" || item.rsplit('/').next().is_some_and(|name| name.trim_end_matches(".so") == library)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn reads_lists_of_libraries() {
        assert!(names("pgoutput, test_decoding", "pgoutput"));
        assert!(names("\"$libdir/pgoutput\"", "pgoutput"));
        assert!(names("a,pgoutput.so", "pgoutput"));
        assert!(!names("", "pgoutput") && !names("pgoutput2", "pgoutput"));
    }
}
