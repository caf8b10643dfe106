//! From findings, blind spots, waivers and policy to an exit code: every combination.

use greenlight::{
    exit::Exit,
    gate,
    model::Phase,
    policy::{Policy, WAIVERS, Waiver},
    report::{Headline, Judged, Report},
    situation::Situation,
    verdict::{Finding, Judgement, Level, Verdict},
};

use super::{judged, waiver};

fn policy(fail_on: Level, waivers: Vec<Waiver>) -> Policy {
    let mut policy = Policy::at("2025-02-03T09:00:00Z".parse().expect("a time"));
    policy.fail_on = fail_on;
    policy.waivers = waivers;
    policy
}

fn report(judged: Vec<Judged>, policy: &Policy, phase: Phase) -> Report {
    let facts = super::facts();
    let situation = Situation::of(&facts, Some(phase));
    Report::of(&facts, situation, policy, judged)
}

/// The exit code of one finding or blind spot at a level.
pub(crate) fn of_one(level: Level, unknown: bool, fail_on: Level) -> Exit {
    let verdict = if unknown {
        Verdict::unknown("blue:main", "timed out")
    } else {
        finding("public.t")
    };
    let judged = vec![judged("one", "schema", level, verdict)];
    gate::exit(&report(judged, &policy(fail_on, Vec::new()), Phase::Create))
}

fn finding(object: &str) -> Verdict {
    let mut judgement = Judgement::new();
    judgement.find(Finding::new(object, "wrong").in_database(Some("main")));
    judgement.done()
}

/// What a waiver says about a finding `main/public.t` of the check `found`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Accepts {
    NoWaiver,
    ByName,
    ByPattern,
    Everything,
    Ended,
    LastDay,
    AnotherSubject,
    AnotherCheck,
}

impl Accepts {
    const ALL: [Self; 8] = [
        Self::NoWaiver,
        Self::ByName,
        Self::ByPattern,
        Self::Everything,
        Self::Ended,
        Self::LastDay,
        Self::AnotherSubject,
        Self::AnotherCheck,
    ];

    fn waiver(self) -> Option<Waiver> {
        let (check, subject, until) = match self {
            Self::NoWaiver => return None,
            Self::ByName => ("found", "main/public.t", "2025-12-31"),
            Self::ByPattern => ("found", "main/*", "2025-12-31"),
            Self::Everything => ("found", "*/*", "2025-12-31"),
            Self::Ended => ("found", "main/public.t", "2025-02-02"),
            Self::LastDay => ("found", "main/public.t", "2025-02-03"),
            Self::AnotherSubject => ("found", "main/public.u", "2025-12-31"),
            Self::AnotherCheck => ("fine", "main/public.t", "2025-12-31"),
        };
        Some(waiver(check, subject, until))
    }

    /// Whether the finding is accepted, and the level of the waiver's own problem.
    fn meaning(self, there: bool) -> (bool, Option<Level>) {
        match self {
            Self::NoWaiver => (false, None),
            Self::ByName | Self::ByPattern | Self::LastDay if there => (true, None),
            Self::Everything => (there, Some(Level::Warning)),
            Self::Ended => (false, Some(Level::Warning)),
            // Accepts nothing.
            _ => (false, Some(Level::Notice)),
        }
    }
}

/// What a waiver says about the blind spot `blue:main` of the check `dark`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum AcceptsUnknown {
    NoWaiver,
    ByName,
    ByNameButNotUnknown,
    ByPattern,
    Ended,
}

impl AcceptsUnknown {
    const ALL: [Self; 5] = [
        Self::NoWaiver,
        Self::ByName,
        Self::ByNameButNotUnknown,
        Self::ByPattern,
        Self::Ended,
    ];

    fn waiver(self) -> Option<Waiver> {
        let (subject, until, allow_unknown) = match self {
            Self::NoWaiver => return None,
            Self::ByName => ("blue:main", "2025-12-31", true),
            Self::ByNameButNotUnknown => ("blue:main", "2025-12-31", false),
            // The policy file refuses this one; the report must not accept it either.
            Self::ByPattern => ("blue:*", "2025-12-31", true),
            Self::Ended => ("blue:main", "2025-02-02", true),
        };
        Some(Waiver {
            allow_unknown,
            ..waiver("dark", subject, until)
        })
    }
}

/// 4 findings × 4 blind spots × 8 waivers × 5 waivers of blind spots × 3 levels × 3 phases, against the rules in words.
#[test]
fn every_combination() {
    let levels = [
        None,
        Some(Level::Notice),
        Some(Level::Warning),
        Some(Level::Blocker),
    ];
    let mut seen = std::collections::BTreeMap::new();
    for found in levels {
        for blind in levels {
            for accepts in Accepts::ALL {
                for accepts_unknown in AcceptsUnknown::ALL {
                    for fail_on in Level::ALL {
                        for phase in [Phase::Create, Phase::Switchover, Phase::Verify] {
                            let pass = Verdict::Pass { note: None };
                            let checks = vec![
                                judged("fine", "schema", Level::Blocker, pass.clone()),
                                judged(
                                    "found",
                                    "schema",
                                    found.unwrap_or(Level::Blocker),
                                    found.map_or(pass.clone(), |_| finding("public.t")),
                                ),
                                judged(
                                    "dark",
                                    "schema",
                                    blind.unwrap_or(Level::Blocker),
                                    blind.map_or(pass, |_| Verdict::unknown("blue:main", "timed out")),
                                ),
                            ];
                            let waivers = accepts
                                .waiver()
                                .into_iter()
                                .chain(accepts_unknown.waiver())
                                .collect();
                            let report = report(checks, &policy(fail_on, waivers), phase);

                            let (accepted, mut problem) = accepts.meaning(found.is_some());
                            match accepts_unknown {
                                AcceptsUnknown::Ended => problem = problem.max(Some(Level::Warning)),
                                // There is nothing to accept, and that is certain.
                                AcceptsUnknown::NoWaiver => {}
                                _ if blind.is_none() => problem = problem.max(Some(Level::Notice)),
                                _ => {}
                            }
                            let open = if accepted { None } else { found };
                            let fails = open.max(problem) >= Some(fail_on);
                            let unseen = if accepts_unknown == AcceptsUnknown::ByName {
                                None
                            } else {
                                blind
                            };
                            let wanted = if fails && phase == Phase::Verify {
                                Exit::VerifyFailed
                            } else if fails {
                                Exit::NotReady
                            } else if unseen >= Some(fail_on) {
                                Exit::NotDetermined
                            } else {
                                Exit::Ready
                            };
                            let case = format!(
                                "{found:?} {blind:?} {accepts:?} {accepts_unknown:?} fail on {fail_on} in {phase}"
                            );
                            assert_eq!(gate::exit(&report), wanted, "{case}: {}", report.because);
                            // Whatever is accepted can still be seen.
                            assert_eq!(report.waived(), usize::from(accepted), "{case}");
                            let problems = report.waiver_problems.iter().map(|p| p.level).max();
                            assert_eq!(problems, problem, "{case}");
                            *seen.entry(wanted.code()).or_insert(0) += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen.values().sum::<i32>(), 4 * 4 * 8 * 5 * 3 * 3);
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 10, 11, 23]);
}

/// What was found but not collected can not be accepted, since nobody has seen its name.
#[test]
fn unlisted_findings_are_never_waived() {
    let mut judgement = Judgement::new();
    judgement.find(Finding::new("public.t", "wrong"));
    judgement.more(1);
    let checks = vec![judged("found", "schema", Level::Blocker, judgement.done())];
    let report = report(
        checks,
        &policy(Level::Blocker, vec![waiver("found", "*", "2025-12-31")]),
        Phase::Create,
    );
    assert_eq!((report.count(Level::Blocker), report.waived()), (1, 1));
    assert_eq!(report.headline, Headline::NotReady);
}

/// A waiver is called unused only where that is certain.
#[test]
fn unused_is_said_only_where_it_is_certain() {
    let mut partly = Judgement::new();
    partly.find(Finding::new("public.t", "wrong"));
    partly.unseen("blue:other", "no privilege");
    let mut cut = Judgement::new();
    cut.find(Finding::new("public.t", "wrong"));
    cut.more(3);
    for (verdict, unused) in [
        (Verdict::Pass { note: None }, true),
        (finding("public.t"), true),
        (Verdict::skip("left out by --only"), false),
        (Verdict::unknown("blue:main", "timed out"), false),
        (partly.done(), false),
        (cut.done(), false),
    ] {
        let said = format!("{verdict:?}");
        let checks = vec![judged("found", "schema", Level::Notice, verdict)];
        let policy = policy(Level::Blocker, vec![waiver("found", "nothing", "2025-12-31")]);
        let report = report(checks, &policy, Phase::Create);
        assert_eq!(report.waiver_problems.len(), usize::from(unused), "{said}");
    }
}

/// Problems of waivers are findings of a check that no waiver reaches, at a level that policy may set.
#[test]
fn problems_of_waivers_are_findings() {
    let waivers = vec![
        waiver("found", "main/public.t", "2025-02-02"),
        waiver(WAIVERS, "*", "2025-12-31"),
        waiver("nowhere", "x", "2025-12-31"),
    ];
    let mut policy = policy(Level::Blocker, waivers);
    let checks = || vec![judged("found", "schema", Level::Notice, finding("public.t"))];
    let made = report(checks(), &policy, Phase::Create);
    assert_eq!(made.headline, Headline::Ready);
    let own = made.checks.iter().find(|c| c.id == WAIVERS).expect("the check");
    let subjects: Vec<&str> = own.findings.iter().map(|f| f.subject.as_str()).collect();
    assert_eq!(subjects, ["found main/public.t", "waivers *", "nowhere x"]);
    assert!(
        own.findings
            .iter()
            .all(|f| f.waived.is_none() && f.level == Level::Warning)
    );
    policy.levels.insert(WAIVERS.to_owned(), Level::Blocker);
    assert_eq!(
        report(checks(), &policy, Phase::Create).headline,
        Headline::NotReady
    );
}
