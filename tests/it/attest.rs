//! The attestation: whatever was edited in it, and whatever has changed since, is noticed and named.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use greenlight::attest::{Attestation, Attested, NoSubject, Refused, Subject};
use greenlight::facts::{Fact, Facts};
use greenlight::model::{PgVersion, Phase};
use greenlight::policy::Policy;
use greenlight::report::{Headline, Report};
use greenlight::situation::Situation;
use greenlight::switchover::deployment::{Member, MemberStatus, Resource, Status, View};
use greenlight::verdict::Level;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::output::waiver;

const FACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/aurora.json");

struct Case {
    facts: Facts,
    policy: Policy,
    report: Report,
}

/// Facts after a change, and what is judged of them.
fn case(change: impl FnOnce(&mut Facts, &mut Policy)) -> Case {
    let text = fs::read_to_string(FACTS).expect("the facts");
    let mut facts = Facts::from_json(&text).expect("facts");
    let mut policy = Policy::at(facts.collected_at);
    policy.waivers = vec![waiver("replica-identity", "main/audit.*", "2099-03-01")];
    change(&mut facts, &mut policy);
    let situation = Situation::of(&facts, Some(Phase::Switchover));
    let mut report = Report::make(&facts, situation, &policy);
    report.headline = Headline::Ready;
    Case {
        facts,
        policy,
        report,
    }
}

fn same() -> Case {
    case(|_, _| {})
}

fn attest(case: &Case, minutes: u16) -> Result<Attestation, NoSubject> {
    let now = case.facts.collected_at;
    Attestation::of(&case.facts, &case.report, &case.policy, minutes, now)
}

pub(crate) fn good() -> Attestation {
    attest(&same(), 60).expect("it can be attested")
}

fn later(case: &Case, seconds: i64) -> Timestamp {
    let at = case
        .facts
        .collected_at
        .checked_add(SignedDuration::from_secs(seconds));
    at.expect("in range")
}

/// What is said when an attestation is held against a case, some seconds after it was made.
fn held(attestation: &Attestation, case: &Case, seconds: i64) -> Result<(), Refused> {
    let now = later(&same(), seconds);
    attestation.matches(&case.facts, &case.report, &case.policy, now)
}

#[test]
fn what_has_not_changed_matches_until_it_expires() {
    let attestation = good();
    let read = Attestation::parse(&attestation.to_text()).expect("it is as it was written");
    assert_eq!(read, attestation);
    assert_eq!(held(&read, &same(), 0), Ok(()));
    assert_eq!(held(&read, &same(), 3599), Ok(()));
    assert!(matches!(held(&read, &same(), 3600), Err(Refused::Expired(_))));
    // Layout is not content.
    let compact = serde_json::to_string(&attestation).expect("JSON");
    assert_eq!(Attestation::parse(&compact), Ok(attestation));
}

/// The view that a last look has of the case.
fn view(attestation: &Attestation) -> View {
    let resource = |arn: &str, id: &Option<String>| Resource {
        arn: arn.to_owned(),
        resource_id: id.clone(),
    };
    let members = attestation.subject.members.iter().map(|pair| Member {
        source: resource(&pair.blue, &pair.blue_resource_id),
        target: Some(resource(&pair.green, &pair.green_resource_id)),
        status: MemberStatus::Available,
    });
    View {
        id: attestation.subject.deployment.clone(),
        status: Status::Available,
        details: None,
        members: members.collect(),
    }
}

#[test]
fn a_last_look_that_sees_another_member_or_version_or_comes_too_late_is_refused() {
    let attestation = good();
    let look = |change: &dyn Fn(&mut View), green: Option<PgVersion>, seconds| {
        let mut view = view(&attestation);
        change(&mut view);
        attestation.still(&view, None, green, later(&same(), seconds))
    };
    let green: PgVersion = attestation.subject.target_version.parse().expect("a version");
    assert_eq!(look(&|_| {}, None, 3599), Ok(()));
    assert_eq!(look(&|_| {}, Some(green), 3599), Ok(()));
    assert!(matches!(look(&|_| {}, None, 3600), Err(Refused::Expired(_))));
    let others: [&dyn Fn(&mut View); 4] = [
        &|view| view.id.push('x'),
        &|view| view.members[0].source.arn.push('x'),
        &|view| view.members[0].source.resource_id = Some("another".into()),
        &|view| view.members.clear(),
    ];
    for other in others {
        assert!(matches!(look(other, None, 0), Err(Refused::Differs { .. })));
    }
    assert!(matches!(
        look(&|_| {}, Some(PgVersion::major(9)), 0),
        Err(Refused::Differs { .. })
    ));
}

#[test]
fn a_clock_that_was_set_back_is_noticed() {
    assert_eq!(held(&good(), &same(), -4), Ok(()), "clocks differ a little");
    let refused = held(&good(), &same(), -6).expect_err("refused");
    assert!(matches!(refused, Refused::Clock { .. }), "{refused}");
    assert!(
        refused.to_string().contains("one of the clocks is wrong"),
        "{refused}"
    );
}

/// Every value in the document, by its path.
fn leaves(path: String, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves(
                    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")),
                    value,
                    out,
                );
            }
        }
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                leaves(format!("{path}/{n}"), value, out);
            }
        }
        _ => out.push(path),
    }
}

#[test]
fn every_single_field_that_was_edited_is_noticed() {
    let whole: Value = serde_json::to_value(good()).expect("JSON");
    let mut paths = vec![];
    leaves(String::new(), &whole, &mut paths);
    assert!(paths.len() > 25, "{paths:?}");
    for path in &paths {
        let mut edited = whole.clone();
        let value = edited.pointer_mut(path).expect("it is there");
        *value = match &*value {
            Value::String(text) => match text.parse::<Timestamp>() {
                // The time a little later, which is still a time.
                Ok(at) => at
                    .checked_add(SignedDuration::from_mins(1))
                    .expect("in range")
                    .to_string()
                    .into(),
                Err(_) => match text.as_str() {
                    "ready" => "not-ready".into(),
                    "blocker" => "warning".into(),
                    "2099-03-01" => "2099-03-02".into(),
                    _ => format!("{text}x").into(),
                },
            },
            Value::Number(n) => (n.as_f64().expect("a number") as u64 + 1).into(),
            Value::Bool(b) => (!b).into(),
            Value::Null => "x".into(),
            other => panic!("{other} is no leaf"),
        };
        match Attestation::parse(&edited.to_string()) {
            Err(Refused::Edited) => {}
            Err(Refused::Format(_)) if path == "/format" => {}
            other => panic!("{path} was edited: {other:?}"),
        }
    }
    // Taking something away, doubling it or adding something is an edit as well.
    for path in ["/subject/members", "/subject/policy/waivers"] {
        let mut edited = whole.clone();
        edited
            .pointer_mut(path)
            .and_then(Value::as_array_mut)
            .expect("a list")
            .pop();
        assert_eq!(
            Attestation::parse(&edited.to_string()),
            Err(Refused::Edited),
            "{path}"
        );
    }
    for (field, _) in whole.as_object().expect("an object") {
        let mut edited = whole.clone();
        edited.as_object_mut().expect("an object").remove(field);
        assert!(
            matches!(
                Attestation::parse(&edited.to_string()),
                Err(Refused::Unreadable(_))
            ),
            "{field}"
        );
        let twice = format!("{{{:?}: {}, {}", field, whole[field], &whole.to_string()[1..]);
        assert!(
            matches!(Attestation::parse(&twice), Err(Refused::Unreadable(_))),
            "{field} twice"
        );
    }
    let mut edited = whole.clone();
    edited["note"] = "approved".into();
    assert!(matches!(
        Attestation::parse(&edited.to_string()),
        Err(Refused::Unreadable(_))
    ));
    let text = good().to_text();
    for length in 0..text.trim_end().len() {
        if text.is_char_boundary(length) {
            assert!(
                Attestation::parse(&text[..length]).is_err(),
                "cut off at {length}"
            );
        }
    }
}

#[test]
fn whatever_has_changed_since_is_named() {
    type Change = fn(&mut Facts, &mut Policy);
    fn rds(facts: &mut Facts) -> &mut greenlight::facts::rds::RdsFacts {
        match &mut facts.rds {
            Fact::Known(rds) => rds,
            Fact::Unknown { .. } => panic!("the facts have RDS"),
        }
    }
    fn deployment(facts: &mut Facts) -> &mut greenlight::facts::rds::Deployment {
        match &mut rds(facts).deployment {
            Fact::Known(Some(deployment)) => deployment,
            _ => panic!("the facts have a deployment"),
        }
    }
    let changes: [(&str, Change); 16] = [
        ("the deployment is", |f, _| {
            deployment(f).id = "bgd-another".into()
        }),
        ("the deployment's name is", |f, _| {
            deployment(f).name = "another".into()
        }),
        ("the account is", |f, _| {
            rds(f).account = Fact::Known("999999999999".into())
        }),
        ("the region is", |f, _| rds(f).region = "us-east-1".into()),
        ("the RDS endpoint is", |f, _| {
            rds(f).endpoint_url = Some("http://localhost:1".into())
        }),
        ("the pair of members is", |f, _| {
            deployment(f).members.pop();
        }),
        ("the pair of members is", |f, _| {
            let arn = "arn:aws:rds:eu-west-1:123456789012:db:other"
                .parse()
                .expect("an ARN");
            deployment(f).members[0].target = Some(arn);
        }),
        ("the pair of members is", |f, _| {
            // Deleted and made again under the same name.
            let Fact::Known(blue) = &mut rds(f).blue else {
                panic!("blue")
            };
            let cluster = blue.cluster.as_mut().expect("a cluster");
            cluster.resource_id = "cluster-MADEAGAIN".into();
        }),
        ("blue's version is", |f, _| {
            let Fact::Known(server) = &mut f.blue else {
                panic!("blue")
            };
            server.version = "12.99".parse().expect("a version");
        }),
        ("green's version is", |f, _| {
            let Some(Fact::Known(server)) = &mut f.green else {
                panic!("green")
            };
            server.version = "14.99".parse().expect("a version");
        }),
        ("--fail-on is", |_, p| p.fail_on = Level::Warning),
        ("the list of thresholds is", |_, p| {
            p.thresholds.max_lag_bytes += 1
        }),
        ("the list of levels is", |_, p| {
            p.levels.insert("replica-identity".into(), Level::Notice);
        }),
        ("the list of waivers is", |_, p| {
            p.waivers
                .push(waiver("unlogged-tables", "main/public.x", "2099-01-01"));
        }),
        ("the list of waivers is", |_, p| p.waivers.clear()),
        ("the list of waivers is", |_, p| p.waivers[0].allow_unknown = true),
    ];
    for (says, change) in changes {
        let refused = held(&good(), &case(change), 60).expect_err(says).to_string();
        assert!(refused.contains(says), "{says}: {refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
        assert!(refused.contains("check again with --attest"), "{refused}");
    }
    // Where a line stands in the policy file is no difference.
    assert_eq!(
        held(&good(), &case(|_, p| p.waivers[0].line = Some(99)), 60),
        Ok(())
    );
}

/// Another catalogue cannot be had here, so the attestation is the one that differs: with a digest that fits.
fn forged(change: impl FnOnce(&mut Value)) -> Attestation {
    let mut value = serde_json::to_value(good()).expect("JSON");
    change(&mut value);
    let forged: Attestation = serde_json::from_value(value).expect("the format");
    let forged = forged.sealed();
    assert_eq!(
        Attestation::parse(&forged.to_text()),
        Ok(forged.clone()),
        "a digest is no signature"
    );
    forged
}

#[test]
fn another_catalogue_and_another_verdict_are_refused() {
    let other = forged(|v| v["subject"]["catalogue"] = "0123".into());
    let refused = held(&other, &same(), 60).expect_err("refused").to_string();
    assert!(
        refused.contains("greenlight's catalogue is") && refused.contains("was 0123"),
        "{refused}"
    );
    for (headline, attested, says) in [
        (
            Headline::NotReady,
            Attested::NotReady,
            "it attests that the deployment was not ready",
        ),
        (
            Headline::NotDetermined,
            Attested::NotDetermined,
            "was not determined",
        ),
    ] {
        let mut case = same();
        case.report.headline = headline;
        let attestation = attest(&case, 60).expect("it is attested as it is");
        assert_eq!(attestation.verdict, attested);
        let refused = held(&attestation, &same(), 60).expect_err("refused").to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn what_cannot_be_attested_is_said() {
    let of = |case: &Case| {
        Subject::of(&case.facts, &case.report, &case.policy)
            .expect_err("it cannot")
            .to_string()
    };
    assert!(of(&case(|_, p| p.skip = vec!["schema".into()])).contains("leave out --skip"));
    assert!(of(&case(|_, p| p.only = vec!["schema".into()])).contains("leave out --only"));
    let blind = of(&case(|f, _| {
        f.rds = Fact::unknown(greenlight::facts::Why::Privilege, "AccessDenied: no");
    }));
    assert!(
        blind.contains("RDS could not be asked (AccessDenied: no)"),
        "{blind}"
    );
    let blind = of(&case(|f, _| {
        f.green = Some(Fact::unknown(greenlight::facts::Why::Unreachable, "refused"));
    }));
    assert!(blind.contains("that of green could not be read"), "{blind}");
    let mut verify = same();
    verify.report.situation.phase = Phase::Verify;
    assert!(of(&verify).contains("about phase verify"), "{}", of(&verify));
    // A switchover for which it cannot be told refuses as well.
    let unseen = case(|f, _| f.green = None);
    assert!(matches!(held(&good(), &unseen, 60), Err(Refused::NotSeen(_))));
    // Old facts do not become young by being attested.
    let case = same();
    let refused = Attestation::of(&case.facts, &case.report, &case.policy, 60, later(&case, 3601));
    assert!(matches!(refused, Err(NoSubject::Old { .. })), "{refused:?}");
}

#[test]
fn the_fingerprint_is_stable_within_a_build() {
    let print = greenlight::checks::fingerprint();
    assert_eq!((print.len(), &print), (64, &greenlight::checks::fingerprint()));
}

#[test]
fn check_writes_one_for_the_owners_eyes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Facts of now, so that they have not expired.
    let mut facts: Value =
        serde_json::from_str(&fs::read_to_string(FACTS).expect("the facts")).expect("JSON");
    let now = Timestamp::now();
    facts["collected_at"] = now.to_string().into();
    let path = folder.path().join("facts.json");
    fs::write(&path, facts.to_string()).expect("writable");
    let file = folder.path().join("app.attestation");
    let run = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_greenlight"))
            .args([
                "check",
                "--facts",
                path.to_str().expect("text"),
                "--attest",
                file.to_str().expect("text"),
            ])
            .args(more)
            .current_dir(folder.path())
            .output()
            .expect("it starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        (output.status.code().expect("a code"), stderr)
    };
    let (code, stderr) = run(&["--attest-for", "30"]);
    assert!([0, 10, 11].contains(&code), "{code}: {stderr}");
    assert!(stderr.contains("attested in"), "{stderr}");
    let mode = fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = Attestation::parse(&fs::read_to_string(&file).expect("text")).expect("it is one");
    assert_eq!(
        read.expires_at.duration_since(read.collected_at),
        SignedDuration::from_mins(30)
    );
    assert_eq!(read.verdict == Attested::Ready, code == 0);

    fs::remove_file(&file).expect("it is there");
    for (more, says) in [
        (vec!["--skip", "schema"], "leave out --skip"),
        (vec!["--phase", "create"], "--attest is for a switchover"),
        (vec!["--attest-for", "0"], "0 is not in 1..=1440"),
        (vec!["--attest-for", "1441"], "1441 is not in 1..=1440"),
    ] {
        let (code, stderr) = run(&more);
        assert_eq!(code, 2, "{more:?}: {stderr}");
        assert!(stderr.contains(says), "{more:?}: {stderr}");
        assert!(!file.exists(), "{more:?}");
    }
}
