//! No timeout of a database cancels what replication does in it.

use super::{
    Ctx, Setting, room,
    shared::{self, Override},
};
use crate::{
    facts::rds::RdsFacts,
    model::Side,
    verdict::{Finding, Judgement, Verdict},
};

/// The timeouts that hit replication's own sessions. `statement_timeout` and `idle_in_transaction_session_timeout` do not.
const REAL: [(&str, &str); 2] = [
    ("lock_timeout", "cancels the creation of a slot that waits for open transactions, and the apply worker of green"),
    ("transaction_timeout", "ends the apply worker in every transaction that takes longer, again and again"),
];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let overrides = ctx.rows::<Override>(Side::Blue, "overrides");
    let settings = ctx.settings(Side::Blue);
    let mut judgement = Judgement::new();
    judgement.blind(overrides.unseen);
    // What a database of blue sets is told once, though green has got it with the storage.
    let of_blue: Vec<(String, &str)> = overrides.rows.iter().map(|(_, o)| (o.subject(), o.name.as_str())).collect();
    let of_green = ctx.facts.green.is_some().then(|| ctx.rows::<Override>(Side::Green, "overrides"));
    let of_green = of_green.map_or_else(Vec::new, |gathered| {
        judgement.blind(gathered.unseen);
        gathered.rows.into_iter().map(|(_, o)| o).filter(|o| !of_blue.contains(&(o.subject(), &o.name))).collect()
    });
    for (name, effect) in REAL {
        let of_blue = overrides.rows.iter().map(|(_, o)| (Side::Blue, o));
        let all = of_blue.chain(of_green.iter().map(|o| (Side::Green, o)));
        for (side, o) in all.filter(|(_, o)| o.name == name && o.role.is_none() && is_set(&o.value)) {
            judgement.find(
                Finding::new(o.subject(), format!("{name} = {} for {} {effect}", o.value, o.whom()))
                    .on(side)
                    .fix(format!("{} reset {name};", o.alter))
                    .evidence("value", o.value.as_str()),
            );
        }
        match server_value(ctx, &settings, name) {
            Ok(Some(value)) if is_set(&value) => judgement.find(
                Finding::new(name, format!("{name} = {value} for the whole server {effect}"))
                    .on(Side::Blue)
                    .fix(shared::set_parameter(ctx, Side::Blue, name, "0"))
                    .evidence("value", value.as_str()),
            ),
            Ok(_) => {}
            Err(verdict) => return verdict,
        }
    }
    judgement.done()
}

fn is_set(value: &str) -> bool {
    value.trim().trim_end_matches(char::is_alphabetic).trim() != "0"
}

/// The server's own value: the parameter group's where it is known, since greenlight's sessions set their own
/// `lock_timeout`; else the one in force, where it is not a session's.
fn server_value(ctx: &Ctx<'_>, settings: &super::Settings, name: &str) -> Result<Option<String>, Verdict> {
    if let Some(rds) = ctx.facts.rds.known()
        && let Some(key) = rds.blue.known().and_then(RdsFacts::group_key)
        && let Some(group) = rds.parameter_groups.get(&key).and_then(|g| g.known()).and_then(Option::as_ref)
        && let Some(value) = group.parameters.get(name).and_then(|p| p.value.clone())
    {
        return Ok(Some(value));
    }
    match settings.get(name) {
        Ok(setting) => Ok(setting.filter(|s: &&Setting| !shared::is_session_value(s)).and_then(|s| s.setting.clone())),
        Err(unseen) => Err(room::blind(vec![unseen])),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn zero_is_unset_whatever_its_unit() {
        for (text, set) in [("0", false), ("0ms", false), ("0 s", false), ("10ms", true), ("5min", true)] {
            assert_eq!(super::is_set(text), set, "{text}");
        }
    }
}
