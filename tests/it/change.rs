//! The change record, from journals that the real driver wrote, and from one in which every text is hostile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use greenlight::output::change::{Change, ChangeFormat};
use greenlight::output::{View, json};
use greenlight::switchover::deployment::{
    Identity, Member, MemberStatus, Pair, Resource, Status, View as Seen,
};
use greenlight::switchover::history::{Mark, Proof, Told};
use greenlight::switchover::journal::{Journal, Log, parse, read};
use greenlight::switchover::machine::{Answer, Config, Consent, Evidence, Intent, Open, Readiness};
use greenlight::switchover::outage::{Attempt, Outage, Server, Tally, Writes};
use greenlight::switchover::outcome::Outcome;
use greenlight::switchover::record::{Actor, KINDS, Record};
use greenlight::switchover::remark::{Judged, Remark};
use greenlight::switchover::settle::{Lag, Sample};
use jiff::{SignedDuration, Timestamp};

use crate::driver::{End, Fake, Fate, Story, process};
use crate::journal::header;
use crate::output::{Case, HOSTILE, browser};

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("change");
    settings.add_filter(
        &format!("\\b{}\\b", env!("CARGO_PKG_VERSION").replace('.', "\\.")),
        "VERSION",
    );
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn judged(phase: &str) -> Judged {
    let case = Case::all_kinds();
    let view = View {
        report: &case.report,
        facts: &case.facts,
        exit: case.exit(),
    };
    let mut judged = Judged::of(&json::report(view));
    phase.clone_into(&mut judged.phase);
    judged
}

fn outage(end: i64) -> Outage {
    let server = |version: &str, address: &str| {
        Ok(Server {
            version: Some(version.into()),
            address: Some(address.into()),
        })
    };
    let mut attempts = vec![];
    for n in 0..40u64 {
        let began = n * 250;
        let result = match n {
            0..12 => server("12.19", "10.0.1.7"),
            12..17 => Err("57P01: terminating connection due to administrator command".into()),
            _ => server("14.10", "10.0.2.9"),
        };
        let ended = began + 4;
        attempts.push(Attempt { began, ended, result });
    }
    let sums = |attempts: &[Attempt]| {
        let mut tally = Tally::default();
        for attempt in attempts {
            tally.take(attempt.clone());
        }
        tally.finish(10_000)
    };
    let ended = Timestamp::from_second(1_700_000_000 + end).expect("in range");
    Outage {
        endpoint: "app.cluster-x.eu-central-1.rds.amazonaws.com:5432".into(),
        began: ended
            .checked_sub(SignedDuration::from_secs(10))
            .expect("in range"),
        ended,
        every_ms: 250,
        reads: sums(&attempts[..20]),
        writes: Some(Writes {
            table: "public.probe".into(),
            stream: sums(&attempts),
            acknowledged: 35,
            found: Some(35),
        }),
    }
}

fn story(fate: Fate, lag_until: i64, typing: i64, code: u8) -> Story {
    Story {
        fate,
        lag_until,
        typing,
        code,
    }
}

/// A journal as a story leaves it, and its folder.
fn told(fake: &Fake) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("app.journal");
    process(fake, &path, &[]);
    (folder, path)
}

fn change(path: &Path) -> Change {
    Change::of(&read(path).expect("it verifies"), "app.journal")
}

#[test]
fn a_switchover_with_all_that_was_seen() {
    let mut fake = Fake::new(story(Fate::Accepted(End::Completed), 40, 90, 0));
    fake.remarks = [
        vec![Remark::Judged(judged("switchover"))],
        vec![Remark::Judged(judged("verify")), Remark::Outage(outage(300))],
    ];
    let (_folder, path) = told(&fake);
    let change = change(&path);
    assert_eq!(
        (change.end.word, change.end.exit_code),
        ("switched-over", Some(0))
    );
    // Typing took longer than evidence may be old: it was checked again, and the consent carried over.
    assert_eq!(change.checks.len(), 2);
    assert!(change.checks.iter().all(|c| c.report.is_some()));
    assert_eq!(change.decisions.len(), 2);
    assert!(
        change.decisions.iter().all(|d| d.confirmed.is_some()),
        "{:?}",
        change.decisions
    );
    assert!(change.settling.iter().any(|l| l.bytes == Some(1 << 30)));
    assert_eq!(change.times.evidence, Some(change.decisions[1].evidence_at));
    snapshot("switched-markdown", &change.render(ChangeFormat::Markdown));
    snapshot("switched-html", &change.render(ChangeFormat::Html));
}

#[test]
fn one_that_rds_rolled_back() {
    let (_folder, path) = told(&Fake::new(story(Fate::Accepted(End::FailedMember), 5, 0, 21)));
    let change = change(&path);
    assert_eq!((change.end.word, change.end.exit_code), ("rolled-back", Some(21)));
    snapshot("rolled-back-markdown", &change.render(ChangeFormat::Markdown));
    snapshot("rolled-back-json", &change.render(ChangeFormat::Json));
}

#[test]
fn one_that_was_killed_after_the_request_and_taken_up_again() {
    let fate = Fate::AnswerLost(End::Completed);
    let whole = Fake::new(story(fate, 0, 0, 0));
    told(&whole);
    // The first point at which the journal has an intent and no answer.
    for fuse in 1..whole.points.get() {
        let fake = Fake::new(story(fate, 0, 0, 0));
        fake.fuse.set(fuse);
        let (_folder, path) = told(&fake);
        let Ok(log) = read(&path) else { continue };
        if !matches!(log.records().last(), Some(Record::Intent { .. })) {
            continue;
        }
        let killed = change(&path);
        assert_eq!(killed.end.word, "no-end");
        assert!(
            killed.end.text.contains("had been about to leave"),
            "{}",
            killed.end.text
        );
        fake.fuse.set(usize::MAX);
        fake.clock.set(fake.clock.get() + 7);
        // Sent just before it died, so that RDS has it.
        fake.begin_at_rds();
        process(&fake, &path, &[]);
        let change = change(&path);
        assert_eq!(change.runs.len(), 2);
        assert_eq!(change.runs[0].outcome, None);
        assert_eq!(change.end.word, "switched-over");
        snapshot("resumed-markdown", &change.render(ChangeFormat::Markdown));
        return;
    }
    panic!("no point between intent and answer");
}

#[test]
fn wherever_it_was_killed_the_record_says_whether_a_request_had_left() {
    let whole = Fake::new(story(Fate::Accepted(End::Completed), 5, 3, 0));
    told(&whole);
    let mut seen = [0, 0];
    for fuse in 1..=whole.points.get() {
        let fake = Fake::new(story(Fate::Accepted(End::Completed), 5, 3, 0));
        fake.fuse.set(fuse);
        let (_folder, path) = told(&fake);
        let Ok(log) = read(&path) else { continue };
        let change = Change::of(&log, "app.journal");
        let sent = log.records().any(|r| matches!(r, Record::Intent { .. }));
        if log.records().any(|r| matches!(r, Record::Ended { .. })) {
            assert_eq!(change.end.word, "switched-over");
            continue;
        }
        assert_eq!(change.end.word, "no-end", "killed at {fuse}");
        assert_eq!(
            change.end.text.contains("had been about to leave"),
            sent,
            "killed at {fuse}"
        );
        seen[usize::from(sent)] += 1;
        for format in [ChangeFormat::Markdown, ChangeFormat::Html, ChangeFormat::Json] {
            assert!(change.render(format).contains(&log.head), "killed at {fuse}");
        }
    }
    assert!(seen.iter().all(|n| *n > 5), "{seen:?}");
}

#[test]
fn one_that_never_settled_says_that_no_request_was_made() {
    let (_folder, path) = told(&Fake::new(story(Fate::Accepted(End::Completed), 10_000, 0, 20)));
    let text = change(&path).render(ChangeFormat::Markdown);
    assert!(text.contains("Not switched over"), "{text}");
    assert!(text.contains("No request was made"), "{text}");
    assert!(text.contains("1.0 GiB"), "the lag that was in the way: {text}");
}

/// A journal in which everything that came from outside is hostile, with every kind of record.
fn hostile() -> Log {
    let at = |n: i64| Timestamp::from_second(1_700_000_000 + n).expect("in range");
    let h = || HOSTILE.to_owned();
    let resource = |n: &str| Resource {
        arn: format!("arn:{HOSTILE}:{n}"),
        resource_id: Some(format!("{HOSTILE}{n}")),
    };
    let by = Actor {
        user: h(),
        host: h(),
        pid: 7,
        principal: Some(h()),
    };
    let config = Config::new(Identity {
        id: h(),
        members: vec![Pair {
            blue: resource("blue"),
            green: resource("green"),
        }],
    });
    let mut head = header(config.clone());
    (head.name, head.account, head.region, head.endpoint) = (h(), Some(h()), h(), Some(h()));
    head.by = by.clone();
    let sample = |lag| Sample {
        lag,
        obstacles: vec![h(), h()],
        lock: Ok(()),
    };
    let worst = Lag::Worst {
        database: h(),
        bytes: 7,
        time: Some(SignedDuration::from_millis(20)),
    };
    let evidence = |readiness| Evidence {
        at: at(2),
        readiness,
        digest: h(),
        open: vec![Open {
            check: h(),
            subject: h(),
            level: h(),
            message: h(),
        }],
    };
    let seen = Seen {
        id: h(),
        status: Status::Other(h()),
        details: Some(h()),
        members: vec![Member {
            source: resource("blue"),
            target: Some(resource("green")),
            status: MemberStatus::Other(h()),
        }],
    };
    let intent = |second| Intent {
        at: at(second),
        timeout: SignedDuration::from_secs(300),
        failed_before: true,
        mark: Mark::Newest(at(1)),
    };
    let mut pain = outage(30);
    pain.endpoint = h();
    for gap in &mut pain.reads.kept {
        gap.first_error = Some(h());
        gap.after = Some(Server {
            version: Some(h()),
            address: Some(h()),
        });
    }
    pain.reads.last = Some(Server {
        version: Some(h()),
        address: None,
    });
    let remark = |remark| Record::Remark {
        at: at(3),
        remark: Box::new(remark),
    };
    let mut report = judged("switchover");
    (report.because, report.blue, report.source_version) = (h(), Some(h()), Some(h()));
    let mut verify = report.clone();
    verify.phase = "verify".into();
    let mut tape = greenlight::switchover::remark::Tape::default();
    tape.push(at(3), &sample(worst.clone()));
    tape.push(at(4), &sample(Lag::Unknown { why: h() }));
    tape.push(at(5), &sample(worst.clone()));
    let records = vec![
        Record::Run {
            at: at(1),
            by,
            config: Box::new(config),
        },
        Record::Locked { at: at(2) },
        Record::Checked {
            at: at(3),
            evidence: evidence(Readiness::NotDetermined { why: h() }),
        },
        remark(Remark::Judged(report)),
        Record::Checked {
            at: at(3),
            evidence: evidence(Readiness::Ready),
        },
        remark(tape.take().expect("looks")),
        Record::Settled {
            at: at(4),
            held: SignedDuration::from_secs(15),
            sample: sample(worst),
        },
        Record::Decided {
            at: at(5),
            digest: h(),
            evidence_at: at(2),
            dry_run: false,
        },
        Record::Confirmed {
            at: at(6),
            how: Consent::Typed,
            digest: h(),
        },
        Record::Intent {
            at: at(7),
            intent: intent(6),
        },
        Record::Withdrawn { at: at(8) },
        Record::Intent {
            at: at(9),
            intent: intent(8),
        },
        Record::Answered {
            at: at(10),
            answer: Answer::Accepted {
                request_id: Some(h()),
            },
        },
        Record::Progress {
            at: at(11),
            view: seen,
        },
        Record::Events {
            at: at(12),
            proof: Proof::Last {
                told: Told::Cancelled(h()),
                at: at(11),
            },
        },
        Record::Interrupted { at: at(12) },
        Record::Completed { at: at(13) },
        remark(Remark::Judged(verify)),
        remark(Remark::Outage(pain)),
        Record::Ended {
            outcome: Outcome::RolledBack {
                why: format!("{HOSTILE} replica lag"),
            },
        },
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("app.journal");
    let mut journal = Journal::create(&path, head, at(0)).expect("a new journal");
    for record in records {
        journal.append(record, at(14)).expect("it can be written");
    }
    let log = read(&path).expect("it verifies");
    let kinds: Vec<String> = log
        .records()
        .map(|r| {
            serde_json::to_value(r).expect("plain data")["kind"]
                .as_str()
                .expect("a kind")
                .to_owned()
        })
        .collect();
    for kind in KINDS {
        assert!(
            kinds.iter().any(|k| k == kind),
            "no {kind} record in the hostile journal"
        );
    }
    log
}

/// Markdown in which every text is hostile: nothing of it became anything but text.
fn held(markdown: &str, least: usize) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let mut rows = 0;
    let mut text = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let own = [
                    "<code>",
                    "</code>",
                    "<br>",
                    "<sub>",
                    "</sub>",
                    "<details>",
                    "</details>",
                ];
                let html = html.trim();
                let summary = html.starts_with("<details><summary>") && html.ends_with("</summary>");
                assert!(
                    own.contains(&html) || summary,
                    "an element that is not ours: {html}"
                );
            }
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)) => {
                panic!("a name became a link or a block")
            }
            Event::Start(Tag::TableRow) => rows += 1,
            Event::Text(t) | Event::Code(t) => text.push_str(&t),
            _ => {}
        }
    }
    assert!(rows > least, "{rows} rows");
    assert!(
        text.contains("<script>alert('x')</script>"),
        "it is shown as it is"
    );
    assert!(!markdown.contains("@admin") && !markdown.contains('\u{1b}') && !markdown.contains('\u{202e}'));
    assert!(!markdown.lines().any(|line| line.trim_start().starts_with("::")));
}

/// The journal of a clean-up with every kind of record.
pub(crate) fn work(h: &str) -> (tempfile::TempDir, PathBuf) {
    use greenlight::work::machine::{End as Ending, Sight};
    use greenlight::work::record::{Head, Record as Work, Task};
    let at = |n: i64| Timestamp::from_second(1_700_000_000 + n).expect("in range");
    let h = || h.to_owned();
    let by = Actor {
        user: h(),
        host: "bastion".into(),
        pid: 7,
        principal: Some(h()),
    };
    let tasks = vec![
        Task::DeleteDeployment {
            id: h(),
            target: None,
        },
        Task::Snapshot {
            name: h(),
            of: h(),
            of_cluster: true,
        },
        Task::DeleteCluster {
            id: h(),
            resource_id: h(),
            keep_backups: false,
        },
    ];
    let head = Head {
        format: greenlight::switchover::record::FORMAT,
        tool: "0.1.0".into(),
        account: Some("123456789012".into()),
        region: h(),
        endpoint: Some(h()),
        at: at(0),
        by: by.clone(),
        tasks: tasks.clone(),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clean-up.journal");
    let mut journal = Journal::begin(&path, Work::Work(Box::new(head)), &by, at(0)).expect("a new journal");
    let accepted = Answer::Accepted {
        request_id: Some(h()),
    };
    let records = [
        Work::Run { at: at(1), by },
        Work::Checked {
            at: at(2),
            readiness: Readiness::NotDetermined { why: h() },
        },
        Work::Confirmed {
            at: at(3),
            how: Consent::Typed,
        },
        Work::Intent {
            at: at(4),
            work: tasks[0].clone(),
        },
        Work::Withdrawn { at: at(5) },
        Work::Intent {
            at: at(6),
            work: tasks[0].clone(),
        },
        Work::Answered {
            at: at(7),
            answer: accepted,
        },
        Work::Seen {
            at: at(8),
            sight: Sight::Going { what: h() },
        },
        Work::Ended {
            at: at(9),
            work: tasks[0].clone(),
            end: Ending::Done { what: h() },
        },
        Work::Ended {
            at: at(10),
            work: tasks[1].clone(),
            end: Ending::Unknown { why: h() },
        },
    ];
    for record in records {
        journal.append(record, at(11)).expect("it can be written");
    }
    (folder, path)
}

#[test]
fn a_clean_up_is_told_as_well() {
    let (_folder, path) = work("main-old1");
    let name = path.to_str().expect("text");
    let (code, markdown, stderr) = run(&["report", "--journal", name]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    snapshot("clean-up-markdown", &markdown);
    let (_folder, path) = work(HOSTILE);
    let name = path.to_str().expect("text");
    held(&run(&["report", "--journal", name]).1, 20);
    let (code, html, _) = run(&["report", "--journal", name, "--format", "html"]);
    assert_eq!(code, 0);
    assert!(!html.contains("<script") && !html.contains('\u{1b}') && !html.contains('\u{202e}'));
    let (_, json, _) = run(&["report", "--journal", name, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["word"], "unknown");
    assert_eq!(json["ends"][2], serde_json::Value::Null);
}

#[test]
fn hostile_names_stay_text() {
    let log = hostile();
    let change = Change::of(&log, HOSTILE);
    held(&change.render(ChangeFormat::Markdown), 40);

    let html = change.render(ChangeFormat::Html);
    assert!(!html.contains("<script") && !html.contains('\u{1b}') && !html.contains('\u{202e}'));
    assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"));

    let json: serde_json::Value = serde_json::from_str(&change.render(ChangeFormat::Json)).expect("JSON");
    assert_eq!(json["header"]["name"], HOSTILE);
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(chromium) = browser::browser() else {
        return;
    };
    let log = hostile();
    let html = Change::of(&log, HOSTILE).render(ChangeFormat::Html);
    let seen = browser::look(chromium, "change-hostile", &html, false);
    assert_eq!(seen["console"], serde_json::json!([]), "errors on the console");
    assert_eq!(
        seen["requests"],
        serde_json::json!([]),
        "the page loads something"
    );
    assert_eq!(
        (&seen["dialogs"], &seen["scripts"], &seen["events"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(seen["wide"], serde_json::json!([]), "the page scrolls sideways");
    let looks = seen["violations"].as_object().expect("looks");
    assert_eq!(looks.len(), 3);
    for (look, violations) in looks {
        let violations = violations.as_array().expect("violations");
        let bad: Vec<_> = violations
            .iter()
            .filter(|v| v["impact"] == "serious" || v["impact"] == "critical")
            .collect();
        assert!(bad.is_empty(), "{look}: {bad:#?}");
    }
}

/// The shipped command: exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_greenlight"))
        .args(arguments)
        .output()
        .expect("it starts");
    (
        output.status.code().expect("a code"),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}

#[test]
fn the_command_renders_and_refuses() {
    let (folder, path) = told(&Fake::new(story(Fate::Accepted(End::Completed), 0, 3, 0)));
    let name = path.to_str().expect("text");
    let (code, markdown, stderr) = run(&["report", "--journal", name]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(markdown.starts_with("# ✅ Switched over: app\n"), "{markdown}");

    let page = folder.path().join("change.html");
    let output = format!("html={}", page.display());
    let (code, json, _) = run(&["report", "--journal", name, "--format", "json", "-o", &output]);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["schema"], &json["end"]["exit_code"]),
        (&1.into(), &0.into())
    );
    assert!(
        fs::read_to_string(&page)
            .expect("the page")
            .starts_with("<!doctype html>")
    );

    // The record itself is never overwritten.
    let whole = fs::read(&path).expect("readable");
    let (code, _, stderr) = run(&["report", "--journal", name, "-o", &format!("json={name}")]);
    assert_eq!((code, fs::read(&path).expect("readable")), (2, whole.clone()));
    assert!(stderr.contains("the journal"), "{stderr}");

    let torn = [whole.as_slice(), b"{\"seq\":99,\"at\":\"20"].concat();
    let lines = whole.split(|b| *b == b'\n').count() - 1;
    let mut edited = whole.clone();
    let at = whole
        .windows(4)
        .position(|w| w == b"\"ops")
        .expect("the user's name")
        + 1;
    edited[at] = b'0';
    let newer = String::from_utf8(whole.clone())
        .expect("text")
        .replacen("\"format\":1", "\"format\":2", 1);
    for (name, bytes, code, says) in [
        ("torn", torn, 0, "torn last line"),
        (
            "edited",
            edited,
            2,
            "line 1: its hash does not match: it was changed",
        ),
        ("newer", newer.into_bytes(), 2, "line 1: its hash does not match"),
        (
            "garbage",
            b"not a journal\nat all\n".to_vec(),
            2,
            "line 1: it does not end in a hash",
        ),
        ("binary", vec![0xff, 0xfe, b'\n'], 2, "line 1: it is not text"),
        ("empty", vec![], 2, "has no complete first record"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, &bytes).expect("writable");
        let (seen, stdout, stderr) = run(&["report", "--journal", file.to_str().expect("text")]);
        assert_eq!(seen, code, "{name}: {stderr}");
        let text = if code == 0 { &stdout } else { &stderr };
        assert!(text.contains(says), "{name}: {text}");
        if code != 0 {
            assert_eq!(
                (stderr.lines().count(), stdout.as_str()),
                (1, ""),
                "{name}: one message: {stderr}"
            );
        }
        assert_eq!(
            fs::read(&file).expect("readable"),
            bytes,
            "{name}: it is only read"
        );
    }
    let log = parse(&path, &whole).expect("it verifies");
    assert_eq!(log.entries.len(), lines);
    let (code, _, stderr) = run(&["report", "--journal", "/nowhere/app.journal"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("/nowhere/app.journal"), "{stderr}");
}
