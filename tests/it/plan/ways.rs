//! The way to a version, over all the versions and upgrades that the local RDS lists (AWS's own tables), against an oracle that
//! counts hops otherwise: a matrix of distances, relaxed until nothing changes, and a table of minimums of its own.

use std::collections::{BTreeMap, BTreeSet};

use greenlight::{
    facts::rds::{EngineVersion, UpgradeTarget},
    model::{Engine, PgVersion},
    plan::{NoWay, Wanted, shortest},
};

type Upgrades = BTreeMap<PgVersion, BTreeSet<PgVersion>>;

/// What RDS lists for an engine.
async fn listed(sandbox: &sandbox::Sandbox, engine: &str) -> Vec<EngineVersion> {
    let client = crate::rds_collect::client(sandbox).await;
    let pages = client
        .describe_db_engine_versions()
        .engine(engine)
        .include_all(true)
        .into_paginator()
        .items()
        .send();
    let found: Result<Vec<_>, _> = pages.collect().await;
    let found = found.expect("listed").into_iter();
    found
        .map(|version| EngineVersion {
            version: version.engine_version().unwrap_or_default().to_owned(),
            family: None,
            status: None,
            upgrade_targets: version
                .valid_upgrade_target()
                .iter()
                .map(|to| UpgradeTarget {
                    version: to.engine_version().unwrap_or_default().to_owned(),
                    major: to.is_major_version_upgrade().unwrap_or_default(),
                    auto: false,
                })
                .collect(),
        })
        .collect()
}

/// The lowest source of a blue/green deployment, as AWS's pages list it:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.Aurora_Fea_Regions_DB-eng.Feature.BlueGreenDeployments.html>
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-replication-type.html>
fn may_be_blue(engine: Engine, from: PgVersion, to: PgVersion) -> bool {
    let minor = from.minor.unwrap_or_default();
    let lowest = match (engine, from.major) {
        // Physical within a major.
        (Engine::Rds, 11) if to.major == 11 => 1,
        (Engine::Rds, major) if to.major == major => 0,
        (_, 11) => 21,
        (_, 12) => 16,
        (_, 13) => 12,
        (_, 14) => 9,
        (_, 15) => 4,
        (_, 16) => 1,
        (Engine::Aurora, 17) => 4,
        (_, major) if major > 16 => 0,
        _ => return false,
    };
    minor >= lowest
}

/// Hops between any two versions, with minor upgrades in place and upgrades by blue/green.
fn distances(engine: Engine, upgrades: &Upgrades) -> BTreeMap<(PgVersion, PgVersion), usize> {
    let mut all = BTreeMap::new();
    for (&from, targets) in upgrades {
        all.insert((from, from), 0);
        for &to in targets {
            if from.major == to.major || may_be_blue(engine, from, to) {
                all.insert((from, to), 1);
            }
        }
    }
    loop {
        let mut shorter = Vec::new();
        for (&(from, over), &first) in &all {
            let Some(targets) = upgrades.get(&over) else {
                continue;
            };
            for &to in targets {
                let Some(1) = all.get(&(over, to)) else { continue };
                if all.get(&(from, to)).is_none_or(|known| *known > first + 1) {
                    shorter.push(((from, to), first + 1));
                }
            }
        }
        if shorter.is_empty() {
            return all;
        }
        for (pair, hops) in shorter {
            let known = all.entry(pair).or_insert(hops);
            *known = hops.min(*known);
        }
    }
}

/// The fewest hops to a version with a blue/green deployment at the end.
fn fewest(
    engine: Engine,
    upgrades: &Upgrades,
    distances: &BTreeMap<(PgVersion, PgVersion), usize>,
    source: PgVersion,
    target: PgVersion,
) -> Option<usize> {
    let last = upgrades
        .iter()
        .filter(|(from, to)| to.contains(&target) && may_be_blue(engine, **from, target));
    last.filter_map(|(from, _)| Some(distances.get(&(source, *from))? + 1))
        .min()
}

#[test]
fn every_way_over_what_rds_lists_is_the_shortest_one() {
    sandbox::pg::block_on(async {
        let sandbox = sandbox::Sandbox::start(sandbox::Scenario::default()).await;
        let sandbox = sandbox.expect("a local RDS");
        let mut in_place_first = 0;
        for (engine, name) in [(Engine::Aurora, "aurora-postgresql"), (Engine::Rds, "postgres")] {
            let versions = listed(&sandbox, name).await;
            assert!(versions.len() > 40, "{name}: {}", versions.len());
            let parse = |text: &str| text.parse::<PgVersion>().expect("a version");
            let upgrades: Upgrades = versions
                .iter()
                .map(|v| {
                    let to = v.upgrade_targets.iter().map(|t| parse(&t.version));
                    (parse(&v.version), to.collect())
                })
                .collect();
            let distances = distances(engine, &upgrades);
            let all: BTreeSet<PgVersion> = upgrades
                .iter()
                .flat_map(|(from, to)| to.iter().chain([from]))
                .copied()
                .collect();
            let majors: BTreeSet<u16> = all.iter().map(|v| v.major).collect();
            let wishes: Vec<Wanted> = all
                .iter()
                .map(|v| Wanted::Version(*v))
                .chain(majors.into_iter().map(|m| Wanted::Version(PgVersion::major(m))))
                .chain([Wanted::Latest])
                .collect();
            for &source in upgrades.keys() {
                let reach: BTreeMap<PgVersion, usize> = all
                    .iter()
                    .filter(|to| **to != source)
                    .filter_map(|to| Some((*to, fewest(engine, &upgrades, &distances, source, *to)?)))
                    .collect();
                for &wanted in &wishes {
                    let fits = |to: &PgVersion| match wanted {
                        Wanted::Latest => true,
                        Wanted::Version(v) if v.minor.is_none() => v.major == to.major,
                        Wanted::Version(v) => v == *to,
                    };
                    let best = reach.iter().rev().find(|(to, _)| fits(to));
                    match (shortest(&versions, engine, source, wanted), best) {
                        (Ok(way), Some((end, hops))) => {
                            let said = format!("{name} {source} {wanted:?}: {way:?}");
                            assert_eq!(way.last().map(|hop| hop.to), Some(*end), "{said}");
                            assert_eq!(way.len(), *hops, "{said}");
                            assert!(way.last().is_some_and(|hop| hop.blue_green), "{said}");
                            for hop in &way {
                                assert!(upgrades[&hop.from].contains(&hop.to), "{said}");
                                let minor = hop.from.major == hop.to.major;
                                assert!(minor || may_be_blue(engine, hop.from, hop.to), "{said}");
                                assert!(!hop.blue_green || may_be_blue(engine, hop.from, hop.to), "{said}");
                            }
                            in_place_first += usize::from(!way[0].blue_green);
                        }
                        (Err(NoWay::Already(v)), _) => assert_eq!(v, source),
                        (Err(_), None) => {}
                        (way, best) => panic!("{name} {source} {wanted:?}: {way:?}, but {best:?}"),
                    }
                }
            }
        }
        assert!(in_place_first > 50, "{in_place_first} ways begin in place");
    });
}
