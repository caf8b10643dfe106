//! Law: a side compared with itself shows no difference.

use greenlight::{
    checks,
    facts::{Fact, Facts},
    model::{Engine, PgVersion, Phase},
    policy::Policy,
    situation::Situation,
    verdict::Verdict,
};

use super::{Rich, Wanted, block_on, collect, rich, spec};

/// Blue's facts on both sides; one server is asked twice, so that everything that is compared is collected.
async fn itself(rich: &Rich) -> Facts {
    let both = spec(&rich.server, "greenlight");
    let wanted = Wanted {
        check: None,
        engine: Engine::Aurora,
        target: Some(PgVersion::major(18)),
        phase: Some(Phase::Switchover),
        lag_samples: 0,
        compare_rows: Vec::new(),
    };
    let mut facts = collect(&both, Some(&both), wanted).await.0;
    facts.green = Some(facts.blue.clone());
    facts
}

/// Findings of the checks that compare, in a document.
fn differences(facts: &Facts) -> Vec<String> {
    let situation = Situation::of(facts, Some(Phase::Switchover));
    let policy = Policy::at(facts.collected_at);
    let compared = checks::all().iter().filter(|c| c.page.group == "compare");
    compared
        .map(|check| (check, check.judge(facts, &situation, &policy)))
        .filter(|(_, verdict)| matches!(verdict, Verdict::Fail { .. }))
        .map(|(check, verdict)| format!("{}: {verdict:?}", check.page.id))
        .collect()
}

#[test]
fn blue_compared_with_itself_differs_in_nothing() {
    block_on(async {
        for major in [13, 17] {
            let facts = itself(&rich(major).await).await;
            let wrong = differences(&facts);
            assert!(wrong.is_empty(), "on {major}:\n{}", wrong.join("\n"));
        }
    });
}

/// The planted fault: one row of each probe is taken from green, wherever there is one.
#[test]
fn the_law_of_the_mirror_catches_what_green_lacks() {
    block_on(async {
        let mut facts = itself(&rich(15).await).await;
        let Some(Fact::Known(green)) = &mut facts.green else {
            panic!("green was read")
        };
        for probes in green.databases.values_mut() {
            let Fact::Known(probes) = probes else { continue };
            for name in ["relations", "objects"] {
                if let Some(Fact::Known(rows)) = probes.get_mut(name) {
                    rows.rows.pop();
                    rows.total = rows.rows.len() as u64;
                }
            }
        }
        let found = differences(&facts);
        for id in ["tables-on-green: ", "objects-on-green: "] {
            assert!(
                found.iter().any(|line| line.starts_with(id)),
                "{id} is not among {found:#?}"
            );
        }
    });
}

/// A probe that green did not answer is no difference, and no pass either.
#[test]
fn what_green_did_not_answer_is_neither_missing_nor_the_same() {
    block_on(async {
        let facts = itself(&rich(16).await).await;
        let probes: Vec<String> = {
            let green = facts
                .green
                .as_ref()
                .and_then(Fact::known)
                .expect("green was read");
            let inner = green
                .databases
                .values()
                .filter_map(Fact::known)
                .flat_map(|probes| probes.keys().cloned());
            inner.chain(green.probes.keys().cloned()).collect()
        };
        for name in probes {
            let mut less = facts.clone();
            let Some(Fact::Known(green)) = &mut less.green else {
                panic!("green was read")
            };
            let gone = || Fact::unknown(greenlight::facts::Why::Timeout, "taken away");
            if green.probes.contains_key(&name) {
                green.probes.insert(name.clone(), gone());
            }
            for probes in green.databases.values_mut() {
                if let Fact::Known(probes) = probes
                    && probes.contains_key(&name)
                {
                    probes.insert(name.clone(), gone());
                }
            }
            let wrong = differences(&less);
            assert!(wrong.is_empty(), "without {name} on green:\n{}", wrong.join("\n"));
            let situation = Situation::of(&less, Some(Phase::Switchover));
            if let Some(check) = checks::all()
                .iter()
                .find(|c| c.page.group == "compare" && (c.page.id == name))
            {
                let verdict = check.judge(&less, &situation, &Policy::at(less.collected_at));
                assert!(!matches!(verdict, Verdict::Pass { .. }), "{name}: {verdict:?}");
            }
        }
    });
}
