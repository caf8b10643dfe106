//! Green has blue's extensions, at the version that green offers.

use serde::Deserialize;

use super::{Ctx, compare::pairs};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    name: String,
    installed: String,
    offered: Option<String>,
    outdated: bool,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let mut good = 0;
    for pair in pairs(ctx, &mut judgement, "", |x: &Extension| x.name.clone()) {
        let Some(blue) = pair.blue else { continue };
        let name = &pair.name;
        let find = |message: String, fix: String| {
            Finding::new(name, message)
                .in_database(Some(&pair.database))
                .on(Side::Green)
                .fix(fix)
                .evidence("on blue", blue.installed.clone())
        };
        match &pair.green {
            None => judgement.find(find(
                format!("extension {name} ({}) is on blue only", blue.installed),
                "delete the deployment with its green side, and create it anew".to_owned(),
            )),
            Some(green) if green.outdated => {
                let offered = green.offered.as_deref().unwrap_or("a newer version");
                let fix =
                    format!("alter extension {name} update; -- on the new production, after the switchover");
                let message = format!(
                    "extension {name} is at {} on green, which offers {offered}",
                    green.installed
                );
                judgement.find(
                    find(message, fix)
                        .evidence("on green", green.installed.clone())
                        .evidence("offered", offered),
                );
            }
            Some(_) => good += 1,
        }
    }
    judgement.done_with(format!("{good} extensions"))
}
