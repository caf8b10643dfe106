//! The shortest way over the upgrades that RDS offers, which ends in a blue/green deployment.
//!
//! Only `ValidUpgradeTarget` counts; nothing is inferred from version numbers. Blue/green has a lowest source version, so a
//! way may begin with a minor upgrade in place. A major upgrade in place is never part of it: that is the outage that
//! blue/green avoids.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    checks::blue_green_minimum,
    facts::rds::EngineVersion,
    model::{Engine, PgVersion, Replication},
};

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This version; a major alone is its newest minor that can be reached.
    Version(PgVersion),
    /// The newest version that can be reached.
    Latest,
}

impl Wanted {
    fn is_met(self, version: PgVersion) -> bool {
        match self {
            Self::Version(wanted) if wanted.minor.is_none() => version.major == wanted.major,
            Self::Version(wanted) => version == wanted,
            Self::Latest => true,
        }
    }
}

/// One upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// From.
    pub from: PgVersion,
    /// To.
    pub to: PgVersion,
    /// By blue/green; else in place, with an outage.
    pub blue_green: bool,
}

impl Hop {
    /// How green follows blue, where it is done by blue/green.
    pub fn replication(&self, engine: Engine) -> Replication {
        Replication::of(engine, self.from, self.to)
    }
}

impl std::fmt::Display for Hop {
    /// `12.17 in place`, `14.10 by blue/green`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = if self.blue_green {
            "by blue/green"
        } else {
            "in place"
        };
        write!(f, "{} {by}", self.to)
    }
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// It is there already.
    #[error("the database runs {0} already")]
    Already(PgVersion),
    /// RDS does not list where the source may go.
    #[error("RDS lists no upgrade targets for {0}, which happens to retired versions")]
    NoTargets(PgVersion),
    /// Nothing leads there.
    #[error("no way leads from {from} to {to} that ends in a blue/green deployment; {reachable}")]
    NotReachable {
        /// From.
        from: PgVersion,
        /// What was wanted, in words.
        to: String,
        /// What can be reached instead, in words.
        reachable: String,
    },
}

/// The replication of a hop.
fn replication(engine: Engine, from: PgVersion, to: PgVersion) -> Replication {
    match engine {
        Engine::Rds if from.major == to.major => Replication::Physical,
        _ => Replication::Logical,
    }
}

/// Whether a hop can be a blue/green deployment.
pub fn by_blue_green(engine: Engine, from: PgVersion, to: PgVersion) -> bool {
    from >= blue_green_minimum(engine, replication(engine, from, to), from)
}

/// The fewest hops from the source to what is wanted, of which the last is a blue/green deployment. Among ways of the same
/// length the one over the newest versions is taken.
///
/// # Errors
/// [`NoWay`].
pub fn shortest(
    versions: &[EngineVersion],
    engine: Engine,
    source: PgVersion,
    wanted: Wanted,
) -> Result<Vec<Hop>, NoWay> {
    if wanted == Wanted::Version(source) {
        return Err(NoWay::Already(source));
    }
    let edges = edges(versions);
    if edges.get(&source).is_none_or(BTreeSet::is_empty) {
        return Err(NoWay::NoTargets(source));
    }
    // Breadth first, newest first: the first visit of a version is by a shortest way.
    let mut before: BTreeMap<PgVersion, Option<PgVersion>> = BTreeMap::from([(source, None)]);
    let mut open = VecDeque::from([source]);
    // Ends: the last hop has to begin where blue/green may, which the first visit need not.
    let mut ends: BTreeMap<PgVersion, PgVersion> = BTreeMap::new();
    while let Some(from) = open.pop_front() {
        let mut targets: Vec<PgVersion> = edges.get(&from).into_iter().flatten().copied().collect();
        targets.sort_by_key(|to| (to.major != from.major, std::cmp::Reverse(*to)));
        for to in targets {
            if by_blue_green(engine, from, to) {
                ends.entry(to).or_insert(from);
            } else if to.major != from.major {
                continue;
            }
            before.entry(to).or_insert_with(|| {
                open.push_back(to);
                Some(from)
            });
        }
    }
    let end = ends
        .keys()
        .rev()
        .copied()
        .find(|v| *v != source && wanted.is_met(*v));
    let Some(end) = end else {
        let majors: BTreeSet<u16> = ends.keys().map(|v| v.major).collect();
        let near: Vec<String> = ends
            .keys()
            .filter(|v| matches!(wanted, Wanted::Version(w) if w.major == v.major))
            .map(PgVersion::to_string)
            .collect();
        let list = |items: Vec<String>| items.join(", ");
        let reachable = match (near.is_empty(), majors.is_empty()) {
            (false, _) => format!("of that major it leads to {}", list(near)),
            (true, false) => format!(
                "it leads to the majors {}",
                list(majors.iter().map(u16::to_string).collect())
            ),
            (true, true) => "no version can be reached by blue/green".to_owned(),
        };
        let to = match wanted {
            Wanted::Version(version) => version.to_string(),
            Wanted::Latest => "any newer version".to_owned(),
        };
        return Err(NoWay::NotReachable {
            from: source,
            to,
            reachable,
        });
    };
    let mut hops = Vec::new();
    let (mut to, mut from) = (end, ends[&end]);
    loop {
        let last = hops.is_empty();
        hops.push(Hop {
            from,
            to,
            blue_green: last || from.major != to.major,
        });
        match before.get(&from).copied().flatten() {
            Some(previous) => (from, to) = (previous, from),
            None => break,
        }
    }
    hops.reverse();
    Ok(hops)
}

fn edges(versions: &[EngineVersion]) -> BTreeMap<PgVersion, BTreeSet<PgVersion>> {
    let mut edges: BTreeMap<PgVersion, BTreeSet<PgVersion>> = BTreeMap::new();
    for version in versions {
        let Ok(from) = version.version.parse() else {
            continue;
        };
        let targets = version
            .upgrade_targets
            .iter()
            .filter_map(|t| t.version.parse::<PgVersion>().ok());
        edges
            .entry(from)
            .or_default()
            .extend(targets.filter(|to| *to > from));
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::rds::UpgradeTarget;

    fn v(text: &str) -> PgVersion {
        text.parse().expect("a version")
    }

    fn versions(list: &[(&str, &[&str])]) -> Vec<EngineVersion> {
        let target = |from: &str, to: &&str| UpgradeTarget {
            version: (*to).to_owned(),
            major: v(from).major != v(to).major,
            auto: false,
        };
        list.iter()
            .map(|(from, to)| EngineVersion {
                version: (*from).to_owned(),
                family: None,
                status: None,
                upgrade_targets: to.iter().map(|to| target(from, to)).collect(),
            })
            .collect()
    }

    fn guide() -> Vec<EngineVersion> {
        versions(&[
            (
                "12.14",
                &["12.16", "12.17", "12.22", "13.18", "14.7", "14.10", "14.15"],
            ),
            ("12.16", &["12.17", "12.22", "14.9", "14.10", "14.15"]),
            ("12.17", &["12.22", "14.10", "14.15"]),
            ("12.22", &["14.15", "16.6"]),
        ])
    }

    fn way(wanted: Wanted) -> Result<Vec<String>, NoWay> {
        let hops = shortest(&guide(), Engine::Aurora, v("12.14"), wanted)?;
        let text = |h: &Hop| format!("{} {} {}", h.from, if h.blue_green { "=>" } else { "->" }, h.to);
        Ok(hops.iter().map(text).collect())
    }

    #[test]
    fn the_guides_way_begins_with_a_minor_step() {
        assert_eq!(
            way(Wanted::Version(v("14.10"))),
            Ok(vec!["12.14 -> 12.17".into(), "12.17 => 14.10".into()])
        );
        // From 12.22 there is no 14.10 any more, but all that is newer.
        assert_eq!(
            way(Wanted::Version(v("14"))),
            Ok(vec!["12.14 -> 12.22".into(), "12.22 => 14.15".into()])
        );
        assert_eq!(
            way(Wanted::Latest),
            Ok(vec!["12.14 -> 12.22".into(), "12.22 => 16.6".into()])
        );
    }

    #[test]
    fn a_source_that_is_too_old_takes_as_many_minor_steps_as_rds_asks_for() {
        // The guide's code names 12.4, from which RDS never offered 12.16 directly.
        let listed = versions(&[
            ("12.4", &["12.6", "12.9", "13.3"]),
            ("12.6", &["12.9"]),
            ("12.9", &["12.16", "12.22", "14.10"]),
            ("12.16", &["14.10"]),
            ("12.22", &["14.15", "16.6"]),
        ]);
        let way = |wanted| {
            let hops = shortest(&listed, Engine::Aurora, v("12.4"), wanted).expect("a way");
            hops.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            way(Wanted::Version(v("14.10"))),
            ["12.9 in place", "12.16 in place", "14.10 by blue/green"]
        );
        assert_eq!(
            way(Wanted::Version(v("16"))),
            ["12.9 in place", "12.22 in place", "16.6 by blue/green"]
        );
    }

    #[test]
    fn what_cannot_be_reached_is_said_with_what_can() {
        let error = way(Wanted::Version(v("14.7")))
            .expect_err("only in place")
            .to_string();
        assert!(
            error.contains("of that major it leads to 14.9, 14.10, 14.15"),
            "{error}"
        );
        let error = way(Wanted::Version(v("17")))
            .expect_err("not offered")
            .to_string();
        assert!(error.contains("majors 12, 14, 16"), "{error}");
        assert_eq!(way(Wanted::Version(v("12.14"))), Err(NoWay::Already(v("12.14"))));
        let none = shortest(&[], Engine::Aurora, v("12.14"), Wanted::Latest);
        assert_eq!(none, Err(NoWay::NoTargets(v("12.14"))));
    }

    proptest::proptest! {
        /// Every hop is listed, the last is by blue/green, and no way is shorter.
        #[test]
        fn ways_are_listed_and_minimal(
            pairs in proptest::collection::btree_set((0usize..9, 0usize..9), 0..30),
            wanted in 0usize..9,
        ) {
            let names = ["12.14", "12.16", "12.22", "13.10", "13.18", "14.9", "14.15", "15.10", "16.6"];
            let mut list: Vec<(&str, Vec<&str>)> = names.iter().map(|n| (*n, Vec::new())).collect();
            for &(from, to) in pairs.iter().filter(|(from, to)| from < to) {
                list[from].1.push(names[to]);
            }
            let list: Vec<(&str, &[&str])> = list.iter().map(|(n, t)| (*n, t.as_slice())).collect();
            let versions = versions(&list);
            let (source, target) = (v("12.14"), v(names[wanted]));
            let allowed = |from: PgVersion, to: PgVersion| {
                from.major == to.major || by_blue_green(Engine::Aurora, from, to)
            };
            let listed: Vec<(PgVersion, PgVersion)> = pairs.iter()
                .filter(|(from, to)| from < to)
                .map(|&(from, to)| (v(names[from]), v(names[to])))
                .collect();
            // All ways by brute force: the versions from which the last hop may start, by distance.
            let mut reached = std::collections::BTreeSet::from([source]);
            let mut fewest = None;
            for hops in 1..=9 {
                if listed.iter().any(|&(from, to)| {
                    reached.contains(&from) && to == target && by_blue_green(Engine::Aurora, from, to)
                }) {
                    fewest = Some(hops);
                    break;
                }
                let next: Vec<PgVersion> = listed.iter()
                    .filter(|&&(from, to)| reached.contains(&from) && allowed(from, to))
                    .map(|&(_, to)| to)
                    .collect();
                reached.extend(next);
            }
            match shortest(&versions, Engine::Aurora, source, Wanted::Version(target)) {
                Ok(way) => {
                    proptest::prop_assert_eq!(Some(way.len()), fewest);
                    proptest::prop_assert!(way.last().is_some_and(|h| h.blue_green && h.to == target));
                    proptest::prop_assert_eq!(way[0].from, source);
                    for hop in &way {
                        proptest::prop_assert!(listed.contains(&(hop.from, hop.to)));
                        proptest::prop_assert!(hop.blue_green || hop.from.major == hop.to.major);
                    }
                    for pair in way.windows(2) {
                        proptest::prop_assert_eq!(pair[0].to, pair[1].from);
                    }
                }
                Err(_) => proptest::prop_assert_eq!(fewest.filter(|_| target != source), None),
            }
        }
    }
}
