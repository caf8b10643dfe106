//! No extension is installed that RDS does not carry over the upgrade.

use std::{collections::{BTreeMap, BTreeSet}, sync::LazyLock};

use serde::Deserialize;

use super::{Ctx, plane::Plane};
use crate::{
    model::{Engine, PgVersion, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// What AWS's pages list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offers {
    offers: Vec<Offer>,
}

/// What an engine offers on one major.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer {
    engine: Engine,
    major: u16,
    source: String,
    read: String,
    /// On every minor of the page.
    names: BTreeSet<String>,
    /// From this minor on.
    #[serde(default)]
    since: BTreeMap<String, u16>,
    /// Up to this minor.
    #[serde(default)]
    until: BTreeMap<String, u16>,
}

impl Offer {
    fn of(engine: Engine, major: u16) -> Option<&'static Self> {
        OFFERS.iter().find(|offer| offer.engine == engine && offer.major == major)
    }

    /// Whether the extension comes with the minor; without one, with the newest.
    fn has(&self, extension: &str, minor: Option<u16>) -> bool {
        self.names.contains(extension)
            || self.since.get(extension).is_some_and(|since| minor.is_none_or(|minor| minor >= *since))
            || self.until.get(extension).is_some_and(|until| minor.is_some_and(|minor| minor <= *until))
    }

    /// Whether any minor has it.
    fn knows(&self, extension: &str) -> bool {
        self.names.contains(extension) || self.since.contains_key(extension) || self.until.contains_key(extension)
    }

    fn said_by(&self) -> String {
        format!("{} (read {})", self.source, self.read)
    }
}

static OFFERS: LazyLock<Vec<Offer>> = LazyLock::new(|| {
    let offers: Offers =
        toml::from_str(include_str!("../../data/extensions.toml")).expect("the file is compiled in and tested");
    offers.offers
});

/// What is told of an extension on the target.
enum Told {
    /// The parameter group or AWS's page lists it.
    Offered,
    /// AWS's page lists it for blue's major and not for the target.
    Gone(String),
    /// What is told lists it nowhere: one that AWS does not offer, or one that is made with `pg_tle`.
    Foreign(String),
    /// Neither tells of this target.
    Nothing,
}

/// The two sources: the service's own word, the `rds.extensions` of green's parameter group, and AWS's page. One that lists the extension
/// is enough: AWS says that the parameter may lack what a minor added.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html>
struct Target<'a> {
    group: Option<(String, BTreeSet<&'a str>)>,
    source: Option<&'static Offer>,
    page: Option<&'static Offer>,
    minor: Option<u16>,
}

impl<'a> Target<'a> {
    fn of(ctx: &'a Ctx<'_>, source: u16, target: PgVersion) -> Self {
        let group = Plane::of(ctx).ok().and_then(|plane| plane.target_parameters().ok());
        let value = group.and_then(|group| Some((group, group.parameters.get("rds.extensions")?.value.as_deref()?)));
        let group = value.filter(|(_, value)| !value.trim().is_empty()).map(|(group, value)| {
            (format!("rds.extensions of {}", group.name), value.split(',').map(str::trim).collect())
        });
        let engine = ctx.situation.engine;
        Self { group, source: Offer::of(engine, source), page: Offer::of(engine, target.major), minor: target.minor }
    }

    fn tells(&self, extension: &str) -> Told {
        if self.group.as_ref().is_some_and(|(_, names)| names.contains(extension))
            || self.page.is_some_and(|page| page.has(extension, self.minor))
        {
            return Told::Offered;
        }
        match (self.page, &self.group) {
            (Some(page), _) if page.knows(extension) || self.source.is_some_and(|source| source.knows(extension)) => {
                Told::Gone(page.said_by())
            }
            (_, Some((group, _))) => Told::Foreign(group.clone()),
            (Some(page), None) => Told::Foreign(page.said_by()),
            (None, None) => Told::Nothing,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    name: String,
    extension: String,
    version: String,
    /// Whether it has functions in C.
    has_library: bool,
}

/// What Aurora 16 wants at least: below, the upgrade is not possible.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/AuroraPostgreSQL.Updates.html>
const FOR_AURORA_16: [(&str, &[u32]); 3] = [("postgis", &[3, 1]), ("pgrouting", &[3, 0, 5]), ("rdkit", &[4, 2])];

/// What AWS's pages disagree on: the guide to major upgrades has it from this minor on, the release notes only from the other.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.Process.html>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html>
const DISPUTED: [(Engine, &str, PgVersion, PgVersion); 1] =
    [(Engine::Rds, "postgis_topology", PgVersion::new(18, 3), PgVersion::new(18, 4))];

/// The minor from which on all pages have the extension, where the target lies before it and some have it there too.
fn disputed(extension: &str, engine: Engine, target: PgVersion) -> Option<PgVersion> {
    let found = DISPUTED.iter().find(|(of, name, from, _)| *of == engine && *name == extension && target >= *from)?;
    Some(found.3).filter(|agreed| target < *agreed)
}

/// The version that an extension must be updated to first, where the target is Aurora 16.
fn wanted_first(extension: &Extension, engine: Engine, source: u16, target: PgVersion) -> Option<String> {
    let (_, least) = FOR_AURORA_16.iter().find(|(name, _)| *name == extension.name)?;
    let concerns = engine == Engine::Aurora && source < 16 && target.major == 16;
    let below = numbers(&extension.version).as_slice() < *least;
    (concerns && below).then(|| least.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

/// Why the extension does not come along, where it does not.
fn refusal(extension: &Extension, engine: Engine, source: u16, target: PgVersion) -> Option<String> {
    let rds = engine == Engine::Rds;
    match extension.name.as_str() {
        "pg_repack" => Some("is bound to its version: drop it, and create it anew on the new major".to_owned()),
        "rdkit" if rds && source <= 16 && target.major >= 17 && numbers(&extension.version).as_slice() <= [4, 6, 0].as_slice() => {
            Some("up to 4.6.0 does not get to 17 from an earlier major directly".to_owned())
        }
        _ => None,
    }
}

/// The parts of a dotted version; what is no number counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let extensions = ctx.rows::<Extension>(Side::Blue, "");
    judgement.more(extensions.more);
    judgement.blind(extensions.unseen);
    // Without a target the engine turns what is found into "unknown"; the newest major shows the most.
    let target = ctx.situation.target.unwrap_or(PgVersion::major(crate::model::Newest::MAJOR));
    let source = ctx.situation.source.map_or(0, |source| source.major);
    let told = Target::of(ctx, source, target);
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
        if let Some(least) = wanted_first(&extension, ctx.situation.engine, source, target) {
            let why = format!("must be updated to {least} or later first: below, there is no upgrade to Aurora 16");
            let fix = format!("alter extension {} update;", extension.extension);
            judgement.find(finding(Level::Blocker, why).fix(fix));
            continue;
        }
        match told.tells(&extension.name) {
            Told::Offered => {
                let listed = told.group.as_ref().is_some_and(|(_, names)| names.contains(extension.name.as_str()));
                if let Some(agreed) = disputed(&extension.name, ctx.situation.engine, target).filter(|_| !listed) {
                    let why = format!("is on {target} by one of AWS's pages, and only from {agreed} on by another");
                    judgement.find(finding(Level::Warning, why).fix(format!("-- choose {agreed} or later as the target")));
                }
            }
            // Part of PostgreSQL itself; and Babelfish's own, which AWS lists nowhere and upgrades.
            _ if extension.name == "plpgsql" || extension.name.starts_with("babelfishpg") => {}
            Told::Gone(page) => {
                judgement.find(finding(Level::Blocker, format!("is not offered on {target}, says {page}: the precheck refuses it")));
            }
            // Its functions are in SQL, and the upgrade carries them: what pg_tle makes, as a rule.
            Told::Foreign(list) if !extension.has_library => {
                let why = format!("is not among those that {list} lists: it needs no library, and RDS upgrades it where pg_tle made it");
                judgement.find(finding(Level::Notice, why));
            }
            Told::Foreign(list) => {
                let why =
                    format!("is not among those that {list} lists: the upgrade is refused where its library is missing on {target}");
                judgement.find(finding(Level::Warning, why));
            }
            Told::Nothing => {
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
            has_library: true,
        };
        refusal(&extension, engine, 15, target.parse().expect("a version")).is_some()
    }

    fn offered(extension: &str, engine: Engine, target: &str) -> bool {
        let target: PgVersion = target.parse().expect("a version");
        Offer::of(engine, target.major).expect("a page").has(extension, target.minor)
    }

    #[test]
    fn lists_are_whole() {
        for engine in [Engine::Aurora, Engine::Rds] {
            for major in 12..=18 {
                let offer = Offer::of(engine, major).expect("every major has a list");
                assert!(offer.names.len() > 60 && offer.names.contains("plpgsql"), "{engine} {major}");
                assert!(offer.source.starts_with("https://docs.aws.amazon.com/") && offer.read.len() == 10);
                let once = offer.since.keys().chain(offer.until.keys()).all(|name| !offer.names.contains(name));
                assert!(once, "{engine} {major}");
            }
        }
    }

    #[test]
    fn knows_what_each_target_lacks() {
        assert!(refused("rdkit", "4.6.0", Engine::Rds, "17.2") && !refused("rdkit", "4.6.1", Engine::Rds, "17.2"));
        assert!(!refused("rdkit", "4.2", Engine::Rds, "16.9") && !refused("rdkit", "4.2", Engine::Aurora, "17.2"));
        assert!(!offered("postgis_topology", Engine::Rds, "18.2") && offered("postgis_topology", Engine::Rds, "18.3"));
        assert!(!offered("plrust", Engine::Rds, "18.1") && offered("plrust", Engine::Rds, "17.5"));
        assert!(offered("vector", Engine::Aurora, "14.8") && !offered("vector", Engine::Aurora, "14.7"));
        assert!(offered("vector", Engine::Aurora, "14"));
    }

    #[test]
    fn knows_where_pages_disagree() {
        let agreed = |engine, target: &str| disputed("postgis_topology", engine, target.parse().expect("a version"));
        assert_eq!(agreed(Engine::Rds, "18.3"), Some(PgVersion::new(18, 4)));
        assert!(agreed(Engine::Rds, "18.4").is_none() && agreed(Engine::Rds, "18.2").is_none());
        assert!(agreed(Engine::Aurora, "18.3").is_none() && disputed("postgis", Engine::Rds, PgVersion::new(18, 3)).is_none());
    }

    #[test]
    fn knows_what_aurora_16_wants_first() {
        let wanted = |version: &str, source, target: &str| {
            let extension = Extension {
                name: "postgis".to_owned(),
                extension: "postgis".to_owned(),
                version: version.to_owned(),
                has_library: true,
            };
            wanted_first(&extension, Engine::Aurora, source, target.parse().expect("a version")).is_some()
        };
        assert!(wanted("3.0.3", 13, "16.4") && wanted("2.5.2", 12, "16"));
        assert!(!wanted("3.1.0", 13, "16.4") && !wanted("3.1", 13, "16") && !wanted("3.0.3", 13, "15.4"));
    }
}
