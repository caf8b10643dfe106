//! The journal: what is acknowledged is there after any crash, what was changed is found out, and no two writers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use greenlight::switchover::deployment::{Identity, Pair, Resource};
use greenlight::switchover::history::Mark;
use greenlight::switchover::journal::{Journal, JournalError, parse, read};
use greenlight::switchover::lock::FileLock;
use greenlight::switchover::machine::{Answer, Config, Fault, Intent, State};
use greenlight::switchover::outcome::Outcome;
use greenlight::switchover::record::{Actor, FORMAT, Header, KINDS, Record};
use greenlight::switchover::resume::resume;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

pub(crate) fn actor() -> Actor {
    Actor {
        user: "ops".into(),
        host: "bastion".into(),
        pid: 7,
        principal: None,
    }
}

pub(crate) fn identity() -> Identity {
    let resource = |name: &str| Resource {
        arn: format!("arn:aws:rds:eu-central-1:123456789012:cluster:{name}"),
        resource_id: Some(format!("cluster-{name}")),
    };
    Identity {
        id: "bgd-1".into(),
        members: vec![Pair {
            blue: resource("app \"1\""),
            green: resource("app-green-x"),
        }],
    }
}

pub(crate) fn header(config: Config) -> Header {
    Header {
        format: FORMAT,
        tool: "0.1.0".into(),
        name: "app".into(),
        account: Some("123456789012".into()),
        region: "eu-central-1".into(),
        endpoint: None,
        at: at(0),
        by: actor(),
        config,
    }
}

fn intent() -> Intent {
    Intent {
        at: at(5),
        timeout: SignedDuration::from_secs(300),
        failed_before: false,
        mark: Mark::Newest(at(1)),
    }
}

/// Records of a run to the middle of a switchover.
fn records() -> Vec<Record> {
    vec![
        Record::Run {
            at: at(1),
            by: actor(),
            config: Box::new(Config::new(identity())),
        },
        Record::Locked { at: at(2) },
        Record::Intent {
            at: at(5),
            intent: intent(),
        },
        Record::Answered {
            at: at(6),
            answer: Answer::Lost {
                why: "connection reset\nby \"peer\" — ∅".into(),
            },
        },
    ]
}

fn written(folder: &Path) -> PathBuf {
    let path = folder.join("app.journal");
    let mut journal = Journal::create(&path, header(Config::new(identity())), at(0)).expect("a new journal");
    for record in records() {
        journal.append(record, at(9)).expect("it can be written");
    }
    path
}

/// A journal as it stands in its file.
pub(crate) fn bytes() -> Vec<u8> {
    let here = folder();
    std::fs::read(written(here.path())).expect("a journal")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Opens a journal whose process has died. A child that another test starts holds a copy of the lock's file until it
/// becomes another program, for an instant.
pub(crate) fn taken_up(path: &std::path::Path) -> (Journal, greenlight::switchover::journal::Log) {
    for _ in 0..12_000 {
        match Journal::open(path, &actor()) {
            Ok(opened) => return opened,
            Err(JournalError::Locked(_)) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Err(other) => panic!("it can be taken up: {other}"),
        }
    }
    panic!("the lock of a process that died is never let go")
}

#[test]
fn what_was_written_is_read_back() {
    let folder = folder();
    let path = written(folder.path());
    let log = read(&path).expect("it verifies");
    assert_eq!(log.header(), &header(Config::new(identity())));
    assert_eq!(log.records().skip(1).cloned().collect::<Vec<_>>(), records());
    assert_eq!(
        log.entries.iter().map(|e| e.seq).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(log.torn, 0);
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for the owner's eyes only");
}

#[test]
fn cut_anywhere_it_gives_what_was_complete_and_goes_on_from_there() {
    let folder = folder();
    let path = written(folder.path());
    let whole = fs::read(&path).expect("readable");
    let first = whole.iter().position(|b| *b == b'\n').expect("lines") + 1;
    let cut = folder.path().join("cut.journal");
    for length in 0..=whole.len() {
        let complete = whole[..length].iter().filter(|b| **b == b'\n').count();
        if length < first {
            assert!(
                matches!(parse(&path, &whole[..length]), Err(JournalError::Empty { .. })),
                "at {length}"
            );
            continue;
        }
        let log = parse(&path, &whole[..length]).expect("a torn end is no damage");
        assert_eq!(log.entries.len(), complete, "at {length}");
        assert_eq!(log.torn > 0, whole[length - 1] != b'\n', "at {length}");
        // Writing goes on is tried near each line's end and start; it needs the disk each time.
        if length.is_multiple_of(97) || whole[length - 1] == b'\n' || whole.get(length) == Some(&b'\n') {
            fs::write(&cut, &whole[..length]).expect("writable");
            let (mut journal, log) = taken_up(&cut);
            assert_eq!(log.entries.len(), complete);
            journal
                .append(Record::Completed { at: at(20) }, at(20))
                .expect("it can be written");
            drop(journal);
            let log = read(&cut).expect("it verifies again");
            assert_eq!((log.entries.len(), log.torn), (complete + 1, 0), "at {length}");
        }
    }
}

#[test]
fn a_line_changed_dropped_doubled_or_moved_is_found_out_at_that_line() {
    let folder = folder();
    let path = written(folder.path());
    let text = fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let line_of = |text: String| match parse(&path, text.as_bytes()) {
        Err(JournalError::Corrupt { line, .. }) => line,
        other => panic!("found nothing: {other:?}"),
    };
    let join = |lines: &[&str]| lines.iter().flat_map(|l| [l, "\n"]).collect::<String>();

    for (n, line) in lines.iter().enumerate() {
        for at in (0..line.len())
            .step_by(7)
            .filter(|at| line.as_bytes()[*at].is_ascii_alphanumeric())
        {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).expect("still text");
            let mut all = lines.clone();
            all[n] = &changed;
            assert_eq!(line_of(join(&all)), n + 1, "byte {at} of line {}", n + 1);
        }
    }
    let mut dropped = lines.clone();
    dropped.remove(2);
    assert_eq!(line_of(join(&dropped)), 3);
    let mut doubled = lines.clone();
    doubled.insert(3, lines[2]);
    assert_eq!(line_of(join(&doubled)), 4);
    let mut moved = lines.clone();
    moved.swap(2, 3);
    assert_eq!(line_of(join(&moved)), 3);
    let mut headless = lines.clone();
    headless.remove(0);
    assert_eq!(line_of(join(&headless)), 1);
}

/// A line as a newer version would write it, hash and all.
fn resealed(line: &str, from: &str, to: &str) -> String {
    assert!(line.contains(from), "{from} is not in {line}");
    let body = line.replace(from, to);
    let end = body.rfind(",\"hash\":").expect("a hash");
    let body = format!("{}}}", &body[..end]);
    let hash: String = Sha256::digest(body.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{},\"hash\":\"{hash}\"}}\n", &body[..body.len() - 1])
}

#[test]
fn what_a_newer_version_wrote_is_refused_by_name() {
    let folder = folder();
    let path = written(folder.path());
    let text = fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let message = |text: &str| parse(&path, text.as_bytes()).expect_err("refused").to_string();

    let header = format!("{}\n", lines[0]);
    let kind = resealed(lines[1], "\"kind\":\"run\"", "\"kind\":\"teleport\"");
    let refused = message(&format!("{header}{kind}"));
    assert!(
        refused.contains("line 2: a record of kind \"teleport\" is not known"),
        "{refused}"
    );
    assert!(refused.contains("use greenlight 0.1.0 or newer"), "{refused}");

    let format = resealed(lines[0], "\"format\":1", "\"format\":2");
    let refused = message(&format);
    assert!(refused.contains("format 2 is not known"), "{refused}");

    let outcome = resealed(lines[4], "\"answer\":\"lost\"", "\"answer\":\"postponed\"");
    let rest: String = lines[..4].iter().flat_map(|l| [l, "\n"]).collect();
    let refused = message(&format!("{rest}{outcome}"));
    assert!(refused.contains("something in this answered record"), "{refused}");
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let folder = folder();
    let path = folder.path().join("app.journal");
    let journal = Journal::create(&path, header(Config::new(identity())), at(0)).expect("a new journal");
    let refused = Journal::open(&path, &actor()).expect_err("in use").to_string();
    assert!(refused.contains("ops@bastion (pid 7) holds"), "{refused}");
    drop(journal);
    let (journal, _) = taken_up(&path);
    let again = Journal::create(&path, header(Config::new(identity())), at(0));
    assert!(matches!(again, Err(JournalError::Locked(_))), "{again:?}");
    drop(journal);
    let again = Journal::create(&path, header(Config::new(identity())), at(0)).expect_err("exists");
    assert!(again.to_string().contains("--resume"), "{again}");
    assert!(FileLock::path_for(&path).ends_with("app.journal.lock"));
}

/// Whoever moves it away takes from the next run what this one sent.
#[test]
fn a_journal_that_was_moved_or_replaced_is_written_no_more() {
    for replaced in [false, true] {
        let folder = folder();
        let path = written(folder.path());
        let (mut journal, _) = taken_up(&path);
        journal
            .append(Record::Locked { at: at(9) }, at(9))
            .expect("it is in its place");
        fs::rename(&path, folder.path().join("moved")).expect("moved");
        if replaced {
            fs::copy(folder.path().join("moved"), &path).expect("copied");
        }
        let error = journal
            .append(Record::Locked { at: at(10) }, at(10))
            .expect_err("nobody would find it");
        assert!(matches!(error, JournalError::Io { .. }), "{error}");
        // Also when it is back: nobody knows what happened to it meanwhile.
        fs::rename(folder.path().join("moved"), &path).expect("moved back");
        let error = journal
            .append(Record::Locked { at: at(11) }, at(11))
            .expect_err("it failed before");
        assert!(matches!(error, JournalError::Broken { .. }), "{error}");
    }
}

#[test]
fn a_journal_that_is_not_there_leaves_nothing_behind() {
    let folder = folder();
    let path = folder.path().join("none.journal");
    assert!(matches!(
        Journal::open(&path, &actor()),
        Err(JournalError::Io { .. })
    ));
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn every_kind_is_known_by_the_name_it_is_written_with() {
    for record in records().into_iter().chain([
        Record::Header(Box::new(header(Config::new(identity())))),
        Record::Withdrawn { at: at(1) },
        Record::Ended {
            outcome: Outcome::Interrupted,
        },
    ]) {
        let kind = serde_json::to_value(&record).expect("plain data")["kind"].clone();
        assert!(KINDS.contains(&kind.as_str().expect("text")), "{kind}");
    }
}

#[test]
fn what_was_sent_is_never_started_over() {
    let config = Config::new(identity());
    let sent = Record::Intent {
        at: at(5),
        intent: intent(),
    };
    let state = |records: &[Record]| resume(&config, records).map(|r| r.state);
    assert_eq!(state(&[]), Ok(State::Start));
    assert!(matches!(state(std::slice::from_ref(&sent)), Ok(State::Following(f)) if !f.accepted));
    assert_eq!(
        state(&[sent.clone(), Record::Withdrawn { at: at(6) }]),
        Ok(State::Start)
    );
    let answered = |answer| Record::Answered { at: at(6), answer };
    let accepted = answered(Answer::Accepted {
        request_id: Some("r-1".into()),
    });
    assert!(matches!(state(&[sent.clone(), accepted.clone()]), Ok(State::Following(f)) if f.accepted));
    let fault = Fault {
        code: "AccessDenied".into(),
        message: "no".into(),
    };
    let rejected = answered(Answer::Rejected { fault: fault.clone() });
    assert_eq!(state(&[sent.clone(), rejected]), Ok(State::Rejected { fault }));
    let done = Record::Completed { at: at(7) };
    assert_eq!(
        state(&[sent.clone(), accepted.clone(), done]),
        Ok(State::Verifying { interrupted: false })
    );
    // Contradictions are for a person.
    assert!(state(&[sent.clone(), sent.clone()]).is_err());
    assert!(state(std::slice::from_ref(&accepted)).is_err());
    assert!(state(&[sent, accepted, Record::Withdrawn { at: at(8) }]).is_err());
}
