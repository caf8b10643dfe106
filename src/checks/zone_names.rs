//! Times with a zone reach green as the moment they are on blue.

use serde::Deserialize;

use super::{Ctx, in_force::InForce};
use crate::{
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

/// Zones whose abbreviation is read as another offset or not at all.
const MISREAD: &str = include_str!("../../data/misread-zones.txt");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    tables: u64,
    such_as: String,
}

/// Whether times are written with an abbreviation of their zone: in every style but ISO.
fn abbreviates(date_style: &str) -> bool {
    let style = date_style.to_ascii_lowercase();
    ["sql", "postgres", "german"].iter().any(|word| style.contains(word))
}

fn is_misread(zone: &str) -> bool {
    MISREAD.lines().any(|name| name.eq_ignore_ascii_case(zone))
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let times = ctx.rows::<Times>(Side::Blue, "");
    judgement.blind(times.unseen);
    if times.rows.is_empty() {
        return judgement.done();
    }
    let (styles, zones) = match (InForce::of(ctx, Side::Blue, "DateStyle"), InForce::of(ctx, Side::Blue, "TimeZone")) {
        (Ok(styles), Ok(zones)) => (styles, zones),
        (Err(unseen), _) | (_, Err(unseen)) => {
            judgement.blind(unseen);
            return judgement.done();
        }
    };
    for (database, times) in times.rows {
        let name = database.as_deref().unwrap_or_default();
        let style = match styles.in_database(name) {
            Ok(style) if abbreviates(style) => style,
            Ok(_) => continue,
            Err(unseen) => {
                judgement.blind([unseen]);
                continue;
            }
        };
        match zones.in_database(name) {
            Ok(zone) if is_misread(zone) => {
                let message = format!(
                    "times with a zone of {}, as in {}, are written in the style {style} and the zone {zone}, whose abbreviation green reads as \
                     another zone or not at all",
                    count(times.tables, "table"),
                    times.such_as
                );
                judgement.find(
                    Finding::new("DateStyle", message)
                        .in_database(Some(name))
                        .on(Side::Blue)
                        .fix(format!("alter database {} set datestyle = 'ISO';", quote_ident(name)))
                        .evidence("style", style)
                        .evidence("zone", zone),
                );
            }
            Ok(_) => {}
            Err(unseen) => judgement.blind([unseen]),
        }
    }
    judgement.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_and_zones_are_known_in_any_spelling() {
        assert!(abbreviates("SQL, DMY") && abbreviates("german") && abbreviates("Postgres, MDY") && !abbreviates("ISO, DMY"));
        assert!(is_misread("asia/kolkata") && !is_misread("Europe/Berlin") && !is_misread("UTC"));
    }
}
