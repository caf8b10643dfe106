//! What RDS offers: engine versions and their upgrade targets, instance classes, parameters of every family.
//!
//! All of it comes from the files in `data/`, which name their sources and dates. Nothing here depends on an account.

use std::{cmp::Ordering, collections::BTreeMap, sync::OnceLock};

use jiff::civil::Date;
use serde::Deserialize;

/// A version as RDS writes it: `14.10`, or `14` for a major.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// `14` of `14.10`.
    pub major: u32,
    /// `10` of `14.10`.
    pub minor: u32,
}

impl Version {
    /// Reads `14.10`, and `14` as `14.0`. Suffixes such as `-R1` are not versions of the sandbox.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

/// Which of the two PostgreSQL engines of RDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// `aurora-postgresql`
    Aurora,
    /// `postgres`
    Postgres,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Aurora, Self::Postgres];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aurora => "aurora-postgresql",
            Self::Postgres => "postgres",
        }
    }

    /// The engine of that name, unless it is another database altogether.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// The parameter group family of a major: `aurora-postgresql14`.
    pub fn family(self, major: u32) -> String {
        format!("{}{major}", self.name())
    }
}

/// Engine and major of a parameter group family.
pub(crate) fn family_parts(family: &str) -> Option<(Engine, u32)> {
    Engine::ALL.into_iter().find_map(|engine| {
        family
            .strip_prefix(engine.name())
            .and_then(|major| major.parse().ok())
            .map(|major| (engine, major))
    })
}

/// One engine version.
#[derive(Debug, Clone)]
pub(crate) struct EngineVersion {
    pub(crate) engine: Engine,
    pub(crate) text: String,
    pub(crate) version: Version,
    pub(crate) released: Date,
    pub(crate) deprecated: bool,
    pub(crate) default: bool,
}

/// Standard and extended support of a major.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Support {
    pub(crate) start: Date,
    pub(crate) standard_end: Date,
    pub(crate) extended_end: Date,
}

/// What a family of parameter groups says about one parameter.
#[derive(Debug, Clone)]
pub(crate) struct ParameterDefinition {
    pub(crate) name: String,
    pub(crate) is_static: bool,
    pub(crate) data_type: String,
    pub(crate) allowed: String,
    pub(crate) modifiable: bool,
    pub(crate) default: Option<String>,
    pub(crate) description: String,
}

/// Which kind of parameter group: Aurora has both, RDS for PostgreSQL only those of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupKind {
    /// A DB cluster parameter group.
    Cluster,
    /// A DB parameter group.
    Instance,
}

/// Everything of `data/`.
#[derive(Debug)]
pub struct Catalogue {
    versions: Vec<EngineVersion>,
    majors: Vec<(Engine, String, Support)>,
    blue_green: BlueGreenMinimum,
    families: Vec<ClassFamily>,
    engine_parameters: Vec<EngineParameter>,
    rds_parameters: Vec<RdsParameter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionsFile {
    #[expect(dead_code, reason = "the date is for the reader of the file")]
    as_of: Date,
    release: Vec<Release>,
    engine: BTreeMap<String, EngineEntry>,
    blue_green: BlueGreenMinimum,
    major: Vec<MajorEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    date: Date,
    #[serde(default)]
    aurora: Vec<String>,
    #[serde(default)]
    rds: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EngineEntry {
    #[expect(dead_code, reason = "the engine's descriptions are written by the handlers")]
    description: String,
    deprecated: Vec<String>,
    default: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MajorEntry {
    version: String,
    aurora: Option<Support>,
    rds: Option<Support>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlueGreenMinimum {
    logical: Vec<String>,
    physical: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassesFile {
    family: Vec<ClassFamily>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassFamily {
    name: String,
    sizes: Vec<String>,
    #[serde(default)]
    aurora: Vec<String>,
    #[serde(default)]
    rds: Vec<String>,
}

#[derive(Debug)]
struct EngineParameter {
    name: String,
    majors: (u32, u32),
    is_static: bool,
    data_type: String,
    allowed: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RdsParametersFile {
    parameter: Vec<RdsParameter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RdsParameter {
    name: String,
    group: Group,
    #[serde(default)]
    engines: Vec<String>,
    apply: Option<String>,
    #[serde(rename = "type")]
    data_type: Option<String>,
    allowed: Option<String>,
    modifiable: Option<bool>,
    default: Option<String>,
    #[serde(default)]
    default_from: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    description: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Group {
    Cluster,
    Both,
}

impl Catalogue {
    /// The one catalogue, read once from the files built into the crate.
    pub fn get() -> &'static Self {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE.get_or_init(Self::read)
    }

    fn read() -> Self {
        let versions: VersionsFile = toml::from_str(include_str!("../../data/versions.toml"))
            .expect("versions.toml is part of the crate");
        let classes: ClassesFile = toml::from_str(include_str!("../../data/classes.toml"))
            .expect("classes.toml is part of the crate");
        let rds: RdsParametersFile = toml::from_str(include_str!("../../data/rds-parameters.toml"))
            .expect("rds-parameters.toml is part of the crate");
        let mut known = Vec::new();
        for release in &versions.release {
            for (engine, texts) in [
                (Engine::Aurora, &release.aurora),
                (Engine::Postgres, &release.rds),
            ] {
                let entry = &versions.engine[engine.name()];
                for text in texts {
                    known.push(EngineVersion {
                        engine,
                        version: Version::parse(text).expect("versions.toml holds versions"),
                        released: release.date,
                        deprecated: entry.deprecated.contains(text),
                        default: entry.default.contains(text),
                        text: text.clone(),
                    });
                }
            }
        }
        known.sort_by_key(|known| (known.engine, known.version));
        let majors = versions
            .major
            .into_iter()
            .flat_map(|major| {
                [(Engine::Aurora, major.aurora), (Engine::Postgres, major.rds)]
                    .into_iter()
                    .filter_map(move |(engine, support)| Some((engine, major.version.clone(), support?)))
            })
            .collect();
        Self {
            versions: known,
            majors,
            blue_green: versions.blue_green,
            families: classes.family,
            engine_parameters: include_str!("../../data/engine-parameters.tsv")
                .lines()
                .filter(|line| !line.starts_with('#'))
                .map(EngineParameter::parse)
                .collect(),
            rds_parameters: rds.parameter,
        }
    }

    /// All versions, oldest first within an engine.
    pub(crate) fn versions(&self) -> &[EngineVersion] {
        &self.versions
    }

    /// A version by its text.
    pub(crate) fn version(&self, engine: Engine, text: &str) -> Option<&EngineVersion> {
        self.versions
            .iter()
            .find(|known| known.engine == engine && known.text == text)
    }

    /// The default minor of a major.
    pub(crate) fn default_minor(&self, engine: Engine, major: u32) -> Option<&EngineVersion> {
        self.versions
            .iter()
            .find(|known| known.engine == engine && known.version.major == major && known.default)
    }

    /// What `source` may be upgraded to.
    pub(crate) fn targets(&self, source: &EngineVersion) -> Vec<&EngineVersion> {
        self.versions
            .iter()
            .filter(|target| target.engine == source.engine && target.released >= source.released)
            .filter(|target| match target.version.major.cmp(&source.version.major) {
                Ordering::Less => false,
                Ordering::Equal => target.version.minor > source.version.minor,
                Ordering::Greater => true,
            })
            .collect()
    }

    /// Whether `source` may be the blue side of a deployment with logical replication.
    pub(crate) fn blue_green_logical(&self, source: Version) -> bool {
        let minimums = self
            .blue_green
            .logical
            .iter()
            .filter_map(|text| Version::parse(text));
        let mut highest = 0;
        for minimum in minimums {
            if minimum.major == source.major {
                return source >= minimum;
            }
            highest = highest.max(minimum.major);
        }
        source.major > highest
    }

    /// Whether `source` may be the blue side of a deployment with physical replication (RDS, same major).
    pub(crate) fn blue_green_physical(&self, source: Version) -> bool {
        Version::parse(&self.blue_green.physical).is_some_and(|minimum| source >= minimum)
    }

    /// Support dates by engine and major.
    pub(crate) fn majors(&self) -> &[(Engine, String, Support)] {
        &self.majors
    }

    /// Instance classes that can be ordered with a version.
    pub(crate) fn classes(&self, engine: Engine, version: Version) -> Vec<String> {
        self.families
            .iter()
            .filter(|family| {
                let rules = match engine {
                    Engine::Aurora => &family.aurora,
                    Engine::Postgres => &family.rds,
                };
                rules.iter().any(|rule| class_rule(rule, version))
            })
            .flat_map(|family| match family.sizes.is_empty() {
                true => vec![format!("db.{}", family.name)],
                false => family
                    .sizes
                    .iter()
                    .map(|size| format!("db.{}.{size}", family.name))
                    .collect(),
            })
            .collect()
    }

    /// All parameters that a group of the family can name, sorted by name.
    pub(crate) fn parameters(&self, engine: Engine, major: u32, kind: GroupKind) -> Vec<ParameterDefinition> {
        let mut found: BTreeMap<String, ParameterDefinition> = BTreeMap::new();
        let overridden = |name: &str| self.rds_parameters.iter().find(|rds| rds.name == name);
        for parameter in &self.engine_parameters {
            if !(parameter.majors.0..=parameter.majors.1).contains(&major) {
                continue;
            }
            // Aurora's instance groups hold a subset; what the file does not say is taken to be in both.
            let over = overridden(&parameter.name);
            if over.is_some_and(|over| !over.applies(engine, kind)) {
                continue;
            }
            found.insert(
                parameter.name.clone(),
                ParameterDefinition {
                    name: parameter.name.clone(),
                    is_static: parameter.is_static,
                    data_type: parameter.data_type.clone(),
                    allowed: over
                        .and_then(|over| over.allowed.clone())
                        .unwrap_or_else(|| parameter.allowed.clone()),
                    modifiable: over.and_then(|over| over.modifiable).unwrap_or(true),
                    default: over.and_then(|over| over.default_for(engine, major)),
                    description: over.map(|over| over.description.clone()).unwrap_or_default(),
                },
            );
        }
        for rds in &self.rds_parameters {
            let (Some(apply), Some(data_type)) = (&rds.apply, &rds.data_type) else {
                continue;
            };
            if rds.applies(engine, kind) {
                found.insert(
                    rds.name.clone(),
                    ParameterDefinition {
                        name: rds.name.clone(),
                        is_static: apply == "static",
                        data_type: data_type.clone(),
                        allowed: rds.allowed.clone().unwrap_or_default(),
                        modifiable: rds.modifiable.unwrap_or(true),
                        default: rds.default_for(engine, major),
                        description: rds.description.clone(),
                    },
                );
            }
        }
        found.into_values().collect()
    }

    /// All families of an engine for which there are versions.
    pub(crate) fn families(&self) -> Vec<(Engine, u32)> {
        let mut families: Vec<_> = self
            .versions
            .iter()
            .map(|known| (known.engine, known.version.major))
            .collect();
        families.dedup();
        families
    }
}

impl EngineParameter {
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let (first, last) = fields[1]
            .split_once('-')
            .expect("engine-parameters.tsv gives a range of majors");
        Self {
            name: fields[0].to_owned(),
            majors: (
                first.parse().expect("a major is a number"),
                last.parse().expect("a major is a number"),
            ),
            is_static: fields[2] == "static",
            data_type: fields[3].to_owned(),
            allowed: fields[4].to_owned(),
        }
    }
}

impl RdsParameter {
    fn applies(&self, engine: Engine, kind: GroupKind) -> bool {
        let engine_fits = self.engines.is_empty() || self.engines.iter().any(|name| name == engine.name());
        let group_fits =
            engine == Engine::Postgres || self.group == Group::Both || kind == GroupKind::Cluster;
        engine_fits && group_fits
    }

    fn default_for(&self, engine: Engine, major: u32) -> Option<String> {
        self.default_from
            .get(engine.name())
            .and_then(|from| {
                from.iter()
                    .filter_map(|(first, value)| Some((first.parse::<u32>().ok()?, value)))
                    .filter(|(first, _)| *first <= major)
                    .max_by_key(|(first, _)| *first)
                    .map(|(_, value)| value.clone())
            })
            .or_else(|| self.default.clone())
    }
}

/// `*` every version, `12` a major, `13.10` from that minor on within its major, `17+` from that major on.
fn class_rule(rule: &str, version: Version) -> bool {
    if rule == "*" {
        return true;
    }
    if let Some(first) = rule.strip_suffix('+') {
        return first.parse().is_ok_and(|first: u32| version.major >= first);
    }
    Version::parse(rule).is_some_and(|first| first.major == version.major && version >= first)
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, Engine, GroupKind, Version};

    fn targets(engine: Engine, source: &str, major: u32) -> Vec<String> {
        let catalogue = Catalogue::get();
        let source = catalogue.version(engine, source).expect("a known source");
        catalogue
            .targets(source)
            .into_iter()
            .filter(|target| target.version.major == major)
            .map(|target| target.text.clone())
            .collect()
    }

    #[test]
    fn upgrade_targets_are_those_of_the_documented_rows() {
        assert_eq!(
            targets(Engine::Aurora, "12.22", 14),
            ["14.15", "14.17", "14.18", "14.19", "14.20", "14.22"]
        );
        assert_eq!(targets(Engine::Aurora, "12.22", 17)[0], "17.4");
        assert_eq!(
            targets(Engine::Aurora, "16.6", 17),
            ["17.4", "17.5", "17.6", "17.7", "17.9"]
        );
        assert!(targets(Engine::Aurora, "12.14", 14).contains(&"14.10".to_owned()));
        assert!(targets(Engine::Aurora, "12.17", 14).contains(&"14.10".to_owned()));
        assert_eq!(
            targets(Engine::Aurora, "12.17", 12),
            ["12.18", "12.19", "12.20", "12.22"]
        );
        assert!(!targets(Engine::Aurora, "12.18", 14).contains(&"14.10".to_owned()));
    }

    #[test]
    fn the_blue_green_minimum_is_per_major() {
        let catalogue = Catalogue::get();
        for (text, fits) in [
            ("12.14", false),
            ("12.16", true),
            ("14.8", false),
            ("17.4", true),
            ("10.22", false),
        ] {
            let version = Version::parse(text).expect("a version");
            assert_eq!(catalogue.blue_green_logical(version), fits, "{text}");
        }
    }

    #[test]
    fn classes_follow_the_version() {
        let classes = |text: &str| {
            let version = Version::parse(text).expect("a version");
            Catalogue::get().classes(Engine::Aurora, version)
        };
        assert!(classes("12.17").contains(&"db.r4.large".to_owned()));
        assert!(!classes("13.18").contains(&"db.r4.large".to_owned()));
        assert!(!classes("12.22").contains(&"db.r8g.large".to_owned()));
        assert!(classes("16.6").contains(&"db.r8g.large".to_owned()));
        assert!(!classes("16.1").contains(&"db.r8g.large".to_owned()));
        assert!(classes("14.10").contains(&"db.serverless".to_owned()));
    }

    #[test]
    fn parameters_follow_the_family() {
        let names = |major, kind| {
            Catalogue::get()
                .parameters(Engine::Aurora, major, kind)
                .into_iter()
                .map(|parameter| parameter.name)
                .collect::<Vec<_>>()
        };
        assert!(names(12, GroupKind::Cluster).contains(&"operator_precedence_warning".to_owned()));
        assert!(!names(14, GroupKind::Cluster).contains(&"operator_precedence_warning".to_owned()));
        assert!(names(14, GroupKind::Cluster).contains(&"rds.logical_replication".to_owned()));
        assert!(!names(14, GroupKind::Instance).contains(&"rds.logical_replication".to_owned()));
        let ssl = |major| {
            Catalogue::get()
                .parameters(Engine::Aurora, major, GroupKind::Cluster)
                .into_iter()
                .find(|parameter| parameter.name == "rds.force_ssl")
                .and_then(|parameter| parameter.default)
        };
        assert_eq!((ssl(16).as_deref(), ssl(17).as_deref()), (Some("0"), Some("1")));
    }
}
