//! No extension is installed that RDS does not carry over the upgrade.

use std::{collections::{BTreeMap, BTreeSet}, sync::LazyLock};

use serde::Deserialize;

use super::{Ctx, plane::Plane};
use crate::{
    model::{Engine, PgVersion, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// What AWS's pages list, where they are known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offers {
    offers: Vec<Offer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer {
    engine: Engine,
    major: u16,
    source: String,
    read: String,
    names: Vec<String>,
}

static OFFERS: LazyLock<Vec<Offer>> = LazyLock::new(|| {
    let offers: Offers =
        toml::from_str(include_str!("../../data/extensions.toml")).expect("the file is compiled in and tested");
    offers.offers
});

/// What the target offers, and who says so.
struct Offered {
    names: BTreeSet<String>,
    said_by: String,
}

/// The service's own word, the `rds.extensions` of green's parameter group, else AWS's page; none where neither tells.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html>
fn offered(ctx: &Ctx<'_>, target: PgVersion) -> Option<Offered> {
    let plane = Plane::of(ctx).ok();
    let group = plane.and_then(|plane| plane.target_parameters().ok());
    let value = group.and_then(|group| Some((group, group.parameters.get("rds.extensions")?.value.as_deref()?)));
    if let Some((group, value)) = value.filter(|(_, value)| !value.trim().is_empty()) {
        return Some(Offered {
            names: value.split(',').map(|name| name.trim().to_owned()).collect(),
            said_by: format!("rds.extensions of {}", group.name),
        });
    }
    let offer = OFFERS
        .iter()
        .find(|offer| offer.engine == ctx.situation.engine && offer.major == target.major)?;
    Some(Offered {
        names: offer.names.iter().cloned().collect(),
        said_by: format!("{} (read {})", offer.source, offer.read),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    name: String,
    extension: String,
    version: String,
}

/// Why the extension does not come along, where it does not.
fn refusal(extension: &Extension, engine: Engine, source: u16, target: PgVersion) -> Option<String> {
    let rds = engine == Engine::Rds;
    match extension.name.as_str() {
        "pg_repack" => Some("is bound to its version: drop it, and create it anew on the new major".to_owned()),
        "rdkit" if rds && source <= 16 && target.major >= 17 && at_most(&extension.version, &[4, 6, 0]) => {
            Some("up to 4.6.0 does not get to 17 from an earlier major directly".to_owned())
        }
        "plrust" if rds && target.major >= 18 => Some("is not offered by RDS from 18 on".to_owned()),
        "postgis_topology" if rds && target.major == 18 && target.minor.is_some_and(|minor| minor <= 2) => {
            Some(format!("is not offered by RDS in {target}"))
        }
        _ => None,
    }
}

/// Whether a dotted version is at most another; what is no number counts as 0.
fn at_most(version: &str, limit: &[u32]) -> bool {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    parts.as_slice() <= limit
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let extensions = ctx.rows::<Extension>(Side::Blue, "");
    judgement.more(extensions.more);
    judgement.blind(extensions.unseen);
    // Without a target the engine turns what is found into "unknown"; the newest major shows the most.
    let target = ctx.situation.target.unwrap_or(PgVersion::major(crate::model::Newest::MAJOR));
    let source = ctx.situation.source.map_or(0, |source| source.major);
    let offered = offered(ctx, target);
    let mut others: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (database, extension) in extensions.rows {
        let finding = |level: Level, why: String| {
            Finding::new(&extension.extension, format!("extension {} {why}", extension.extension))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .at(level)
                .fix(format!("drop extension {};", extension.extension))
                .evidence("installed", extension.version.as_str())
        };
        if let Some(why) = refusal(&extension, ctx.situation.engine, source, target) {
            judgement.find(finding(Level::Blocker, why));
            continue;
        }
        match &offered {
            Some(offered) if !offered.names.contains(&extension.name) => {
                let why = format!(
                    "is not among those that {} lists: the upgrade is refused where its library is missing on {target}",
                    offered.said_by
                );
                judgement.find(finding(Level::Warning, why));
            }
            Some(_) => {}
            // Part of PostgreSQL itself.
            None if extension.name == "plpgsql" => {}
            None => {
                others.entry(extension.extension.clone()).or_default().insert(extension.version.clone());
            }
        }
    }
    for (extension, versions) in others {
        let engine = ctx.situation.engine;
        let message = format!(
            "whether {engine} {target} offers extension {extension} is told neither by green's parameter group nor by \
             greenlight's lists"
        );
        let versions: Vec<String> = versions.into_iter().collect();
        judgement.find(
            Finding::new(extension, message)
                .on(Side::Blue)
                .at(Level::Notice)
                .fix(format!("look it up: {}", page(engine)))
                .evidence("installed", versions.join(", ")),
        );
    }
    judgement.done()
}

/// AWS's table of extensions and their versions, by engine version.
fn page(engine: Engine) -> &'static str {
    match engine {
        Engine::Aurora => {
            "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Extensions.html"
        }
        _ => "https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(extension: &str, version: &str, engine: Engine, target: &str) -> bool {
        let extension = Extension {
            name: extension.to_owned(),
            extension: extension.to_owned(),
            version: version.to_owned(),
        };
        refusal(&extension, engine, 15, target.parse().expect("a version")).is_some()
    }

    #[test]
    fn lists_are_whole() {
        for offer in OFFERS.iter() {
            let names: BTreeSet<&String> = offer.names.iter().collect();
            assert_eq!(names.len(), offer.names.len(), "{:?} {}", offer.engine, offer.major);
            assert!(names.len() > 60 && offer.names.iter().any(|n| n == "plpgsql"));
            assert!(offer.source.starts_with("https://docs.aws.amazon.com/") && offer.read.len() == 10);
        }
    }

    #[test]
    fn knows_what_each_target_lacks() {
        assert!(refused("rdkit", "4.6.0", Engine::Rds, "17.2") && !refused("rdkit", "4.6.1", Engine::Rds, "17.2"));
        assert!(!refused("rdkit", "4.2", Engine::Rds, "16.9") && !refused("rdkit", "4.2", Engine::Aurora, "17.2"));
        assert!(refused("postgis_topology", "3.4.3", Engine::Rds, "18.2"));
        assert!(!refused("postgis_topology", "3.4.3", Engine::Rds, "18.3"));
        assert!(refused("plrust", "1.2", Engine::Rds, "18.1") && !refused("plrust", "1.2", Engine::Rds, "17.5"));
    }
}
