//! No fault of the engine that is known, and mended elsewhere, loses rows of the deployment or stops it.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Engine, PgVersion, Phase, Side},
    verdict::{Finding, Judgement, Level, Unseen, Verdict},
};

/// What vendors' notes tell.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<Fault>,
}

/// A fault, and where it is mended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    id: String,
    engine: Engine,
    /// Whose engine has it.
    side: Side,
    phases: Vec<Phase>,
    level: Level,
    what: String,
    /// What to do before there is a deployment.
    before: String,
    /// And what when there is one.
    after: String,
    source: String,
    read: String,
    /// The first minor of a major that has it; without one, as far back as sources go.
    #[serde(default)]
    since: Vec<Release>,
    /// The first good patch of each line; the last of a major is where it is mended for good.
    mended: Vec<Release>,
    /// Majors that ended with it.
    #[serde(default)]
    never: Vec<u16>,
}

static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    let faults: Faults =
        toml::from_str(include_str!("../../data/engine-faults.toml")).expect("the file is compiled in and tested");
    faults.faults
});

/// `major.minor.patch`, as Aurora counts; the patch may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Release {
    version: PgVersion,
    patch: Option<u16>,
}

impl TryFrom<String> for Release {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no version of Aurora"))
    }
}

impl Release {
    fn parse(text: &str) -> Option<Self> {
        let version: PgVersion = text.parse().ok()?;
        version.minor?;
        let patch = match text.split('.').nth(2) {
            Some(patch) => Some(patch.parse().ok()?),
            None => None,
        };
        Some(Self { version, patch })
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.patch {
            Some(patch) if patch > 0 => write!(f, "{}.{patch}", self.version),
            _ => write!(f, "{}", self.version),
        }
    }
}

/// Whether a release has a fault.
#[derive(Debug, PartialEq)]
enum Has {
    Yes,
    No,
    /// That depends on the patch, or on the minor.
    Depends,
}

impl Fault {
    fn is_in(&self, release: Release) -> Has {
        let PgVersion { major, minor } = release.version;
        if self.never.contains(&major) {
            return Has::Yes;
        }
        let of_major = |list: &[Release]| list.iter().filter(|r| r.version.major == major).copied().collect::<Vec<_>>();
        let mended = of_major(&self.mended);
        let Some(last) = mended.last() else { return Has::No };
        if minor.is_none() {
            return Has::Depends;
        }
        if of_major(&self.since).first().is_some_and(|since| release.version < since.version) || release.version > last.version {
            return Has::No;
        }
        match mended.iter().find(|r| r.version == release.version).map(|r| r.patch.unwrap_or(0)) {
            Some(0) => Has::No,
            Some(good) => match release.patch {
                Some(patch) if patch >= good => Has::No,
                Some(_) => Has::Yes,
                None => Has::Depends,
            },
            None => Has::Yes,
        }
    }

    /// The first good patch of the release's minor, else the next minor that is good.
    fn mended_in(&self, release: Release) -> Option<Release> {
        self.mended
            .iter()
            .find(|r| r.version.major == release.version.major && r.version >= release.version)
            .copied()
    }

    fn finding(&self, release: Release, side: Side, engine: Engine, create: bool) -> Finding {
        let fix = if create { &self.before } else { &self.after };
        let mended = match self.mended_in(release) {
            Some(mended) => format!("mended in {mended}"),
            None => "never mended in this major".to_owned(),
        };
        Finding::new(&self.id, format!("{engine} {release}: {} ({mended})", self.what))
            .on(side)
            .at(self.level)
            .fix(format!("-- {fix}"))
            .evidence("version", release.to_string())
            .evidence("source", format!("{} (read {})", self.source, self.read))
    }
}

/// A row of the probe `engine-version`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    version: Option<String>,
}

/// The release of a side: its version with the patch, where Aurora tells one. What kept it from view comes with it.
fn release(ctx: &Ctx<'_>, side: Side, version: PgVersion) -> (Release, Vec<Unseen>) {
    let bare = Release { version, patch: None };
    // RDS's own revisions (R2) are not PostgreSQL's, and no fault of RDS depends on them.
    if ctx.situation.engine != Engine::Aurora {
        return (bare, Vec::new());
    }
    let rows = ctx.rows::<Row>(side, "engine-version");
    let told = rows.rows.iter().find_map(|(_, row)| Release::parse(row.version.as_deref()?));
    match told {
        // Up to 13.2 Aurora counted by itself: 4.2.2.
        Some(release) if release.version.major == version.major => (release, Vec::new()),
        _ if rows.unseen.is_empty() => {
            let why = "aurora_version() tells no patch of it".to_owned();
            (bare, vec![Unseen { subject: format!("{side}:engine-version"), why }])
        }
        _ => (bare, rows.unseen),
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let Some(source) = ctx.situation.source else {
        return Verdict::unknown("blue", "its version is not known");
    };
    let mut judgement = Judgement::new();
    let note = weigh(ctx, &mut judgement, Side::Blue, source);
    // Which patch green will get is RDS's to choose; what depends on it is judged on green itself.
    if let (Phase::Create, Some(target)) = (ctx.situation.phase, ctx.situation.target) {
        let target = Release { version: target, patch: None };
        for fault in known(ctx, Side::Green).filter(|fault| fault.is_in(target) == Has::Yes) {
            judgement.find(fault.finding(target, Side::Rds, ctx.situation.engine, true));
        }
    }
    judgement.done_with(note)
}

/// Judges a server that is there; what is said of one without faults.
pub(super) fn weigh(ctx: &Ctx<'_>, judgement: &mut Judgement, side: Side, version: PgVersion) -> String {
    let (release, unseen) = release(ctx, side, version);
    for fault in known(ctx, side) {
        match fault.is_in(release) {
            Has::Yes => judgement.find(fault.finding(release, side, ctx.situation.engine, ctx.situation.phase == Phase::Create)),
            Has::No => {}
            Has::Depends if unseen.is_empty() => judgement.unseen(side.to_string(), format!("its version is only known as {version}")),
            Has::Depends => judgement.blind(unseen.iter().cloned()),
        }
    }
    format!("{side} runs {release}")
}

/// The faults of the engine at hand that matter on a side in this phase.
fn known<'a>(ctx: &'a Ctx<'_>, side: Side) -> impl Iterator<Item = &'static Fault> + use<'a> {
    let (engine, phase) = (ctx.situation.engine, ctx.situation.phase);
    FAULTS.iter().filter(move |fault| fault.engine == engine && fault.side == side && fault.phases.contains(&phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(id: &str, engine: Engine) -> &'static Fault {
        FAULTS.iter().find(|f| f.id == id && f.engine == engine).expect("listed")
    }

    fn has(id: &str, release: &str) -> Has {
        fault(id, Engine::Aurora).is_in(Release::parse(release).expect("a release"))
    }

    #[test]
    fn the_list_is_in_order() {
        for fault in FAULTS.iter() {
            let sorted = |list: &[Release]| list.is_sorted_by_key(|r| (r.version, r.patch));
            assert!(sorted(&fault.mended) && sorted(&fault.since), "{}", fault.id);
            assert!(fault.mended.iter().all(|r| r.patch.is_some()), "{}", fault.id);
            assert!(fault.source.starts_with("https://") && fault.read.len() == 10 && !fault.before.is_empty());
            assert_eq!(fault.after.is_empty(), fault.phases == [Phase::Create], "{}", fault.id);
            for last in fault.mended.chunk_by(|a, b| a.version.major == b.version.major).filter_map(<[_]>::last) {
                let ends = fault.mended.iter().filter(|r| r.version.major == last.version.major).count() == 1 || last.version.major == 11;
                assert!(ends || last.patch == Some(0), "{}: {last} is not the end of its major", fault.id);
            }
        }
    }

    #[test]
    fn patches_decide_within_a_minor() {
        assert_eq!(has("partial-transactions", "14.9.4"), Has::Yes);
        assert_eq!(has("partial-transactions", "14.9.5"), Has::No);
        assert_eq!(has("partial-transactions", "14.9"), Has::Depends);
        assert_eq!(has("partial-transactions", "14.10.1"), Has::Yes);
        assert_eq!(has("partial-transactions", "14.11"), Has::No);
        assert_eq!(has("partial-transactions", "14.23.0"), Has::No);
        assert_eq!(has("partial-transactions", "14.8.5"), Has::Yes);
        assert_eq!(has("partial-transactions", "17.4.0"), Has::No);
        assert_eq!(has("skipped-after-crash", "14.18.5"), Has::Yes);
        assert_eq!(has("skipped-after-crash", "14.19"), Has::No);
        assert_eq!(has("skipped-after-crash", "12.22.3"), Has::No);
        assert_eq!(has("replication-not-resumed", "14.17.4"), Has::No);
        assert_eq!(has("replication-not-resumed", "14.18.1"), Has::Yes);
        assert_eq!(has("replication-not-resumed", "14.19.0"), Has::No);
        assert_eq!(has("shutdown-fails-upgrade", "15.10.5"), Has::No);
        assert_eq!(has("shutdown-fails-upgrade", "15.15.0"), Has::No);
    }

    #[test]
    fn a_major_that_ended_with_it_has_it() {
        let fault = fault("partial-transactions", Engine::Rds);
        let is_in = |version: &str| fault.is_in(Release::parse(version).expect("a release"));
        assert_eq!(is_in("11.22"), Has::Yes);
        assert_eq!(is_in("15.7"), Has::Yes);
        assert_eq!(is_in("15.8"), Has::No);
        assert_eq!(is_in("17.1"), Has::No);
        assert_eq!(fault.is_in(Release { version: PgVersion::major(15), patch: None }), Has::Depends);
    }
}
