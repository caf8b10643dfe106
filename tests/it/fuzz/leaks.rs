//! What must not come out of what greenlight reads: a password that a program prints, a name in a facts file that is shared, a
//! formula or a tag in the record of a fleet.

use std::{cell::Cell, collections::BTreeSet};

use greenlight::{
    edge::{
        auth::{Authenticator, Login, Method},
        env::Env,
    },
    facts::Facts,
    fleet::{self, Fleet},
    output::Style,
    redact,
};
use serde_json::Value;

use super::{FACTS, fuzz};

/// Where a connection goes.
pub(super) const LOGIN: Login<'static> = Login {
    host: "db.abc123.eu-west-1.rds.amazonaws.com",
    port: 5432,
    tunnel: None,
    database: "app",
};

/// What a program prints for `--auth command:` and repeats on standard error, as `set -x` would: never a part of a message.
#[test]
fn output_of_a_password_command() {
    let here = tempfile::tempdir().expect("a folder");
    let (out, err) = (here.path().join("out"), here.path().join("err"));
    let script = format!("cat {}; cat {} >&2; exit \"$1\"", out.display(), err.display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let seeds: [&[u8]; 3] = [
        b"pLaNt-printed-1a2b\nmore\n",
        b"pLaNt-printed-1a2b\r\n\npLaNt-printed-1a2b said no\n",
        b"\xff\xfe\n",
    ];
    fuzz("command", &seeds, |bytes| {
        std::fs::write(&out, bytes).expect("written");
        let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        let told = [
            b"+ echo ".as_slice(),
            lines[bytes.len() % lines.len()],
            b" told\n",
        ];
        std::fs::write(&err, told.concat()).expect("written");
        let code = (bytes.len() % 3).to_string();
        let words = ["/bin/sh", "-c", &script, "sh", &code]
            .map(str::to_owned)
            .to_vec();
        let env = Env::empty().with("PATH", "/usr/bin:/bin");
        let auth = Authenticator::new(Method::Command(words), env).with_user("me");
        match runtime.block_on(auth.credentials(LOGIN)) {
            Ok(found) => assert!(!format!("{found:?}").contains("pLaNt")),
            Err(error) => {
                let message = error.to_string();
                assert!(!message.contains("pLaNt-printed-1a2b"), "{message}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
            }
        }
    });
}

/// Texts of a document that `redact` leaves as they are, by the key that they stand behind: words of AWS and PostgreSQL, of which none
/// is anybody's choice. (A group of which the name begins with `default.` is AWS's own.)
const KEPT: &[&str] = &[
    "activity_stream",
    "apply_method",
    "apply_type",
    "at",
    "boot_val",
    "ca_certificate",
    "class",
    "collected_at",
    "confirmed_flush_lsn",
    "created_at",
    "current_lsn",
    "encoding",
    "engine",
    "engine_mode",
    "engine_version",
    "family",
    "greenlight",
    "identity",
    "kind",
    "latest_end_lsn",
    "lc_collate",
    "lc_ctype",
    "lifecycle_support",
    "log_exports",
    "lsn",
    "parameter_group_status",
    "persistence",
    "plugin",
    "provider",
    "received_lsn",
    "region",
    "restart_lsn",
    "scalability_type",
    "schema",
    "setting",
    "source",
    "source_type",
    "state",
    "status",
    "storage_status",
    "storage_type",
    "target_parameter_group",
    "target_version",
    "unit",
    "vartype",
    "version",
    "wal_status",
    "why",
];

/// The places of all texts of a document.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(all) => all
            .iter()
            .enumerate()
            .for_each(|(n, value)| texts(value, &format!("{at}/{n}"), found)),
        Value::Object(all) => all.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            texts(value, &format!("{at}/{key}"), found);
        }),
        _ => {}
    }
}

/// A name that stands in any text of a facts file, alone or among others' words, is not in what is shared.
#[test]
fn a_name_anywhere_in_the_facts_is_not_shared() {
    let documents: Vec<(Value, Vec<String>)> = FACTS
        .iter()
        .map(|text| {
            let document: Value = serde_json::from_str(text).expect("JSON");
            let mut places = Vec::new();
            texts(&document, "", &mut places);
            (document, places)
        })
        .collect();
    let seen = Cell::new(0_u32);
    let survived = std::cell::RefCell::new(BTreeSet::new());
    fuzz("redact", &[b"abcdefgh", b"12345678901234567890"], |bytes| {
        let number = bytes.iter().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        let (document, places) = &documents[number % documents.len()];
        let place = &places[(number / documents.len()) % places.len()];
        let mut document = document.clone();
        let text = document.pointer_mut(place).expect("it is there");
        let was = text.as_str().unwrap_or_default();
        *text = Value::String(match number % 3 {
            0 => "zquokka".to_owned(),
            1 => format!("{was}-zquokka"),
            _ => format!("{was} zquokka.zquokka"),
        });
        let Ok(facts) = Facts::from_json(&document.to_string()) else {
            return; // A word that has to be one of a few.
        };
        let shared = redact::redact(&facts, b"key").expect("what can be read can be redacted");
        seen.set(seen.get() + 1);
        if serde_json::to_string(&shared).expect("JSON").contains("zquokka") {
            // The key, and not a number of a list.
            let mut keys = place.rsplit('/');
            let key = keys.find(|key| key.parse::<u32>().is_err()).unwrap_or_default();
            // Names and values of settings and parameters, and names of default groups, lifecycles and tasks, are AWS's and PostgreSQL's
            // own or decided one by one: `nothing_planted_is_in_the_shared_file` and the unit tests of the rules hold those.
            let decided = [
                "/settings/",
                "/parameters/",
                "/parameter_groups/",
                "/lifecycles/",
                "/tasks/",
            ];
            let one_by_one = matches!(key, "name" | "value") && decided.iter().any(|of| place.contains(of));
            let kept = KEPT.contains(&key) || one_by_one;
            if !kept {
                survived.borrow_mut().insert(format!("{key} at {place}"));
            }
        }
    });
    assert!(survived.borrow().is_empty(), "{:#?}", survived.borrow());
    assert!(seen.get() > 0, "none of the documents could be read");
}

const FLEET: &str = r#"{"schema":1,"greenlight":"0.1.0","collected_at":"2026-01-01T00:00:00Z","target_version":"16.6",
    "scope":"full","fail_on":"blocker","policy_file":null,"exit_code":10,"counts":{"databases":1,"not_ready":1,
    "not_looked_at":0,"not_determined":0,"nothing_against":0,"ready":0,"there":0},"places":[{"account":"123456789012",
    "role":null,"region":"eu-west-1","databases":1,"error":"=cmd()","calls":3,"throttled":0,"peak_per_second":2}],
    "passed_over":{"mysql":2},"blocking":[{"check":"replica-identity","databases":1}],
    "majors":[{"name":"Aurora PostgreSQL 12","databases":1,"support":null}],"databases":[{"name":"@SUM(1)","kind":"cluster",
    "arn":"arn:aws:rds:eu-west-1:123456789012:cluster:main","account":"123456789012","region":"eu-west-1",
    "engine":"Aurora PostgreSQL","version":"12.14","way":["14.10 by blue/green"],"phase":"create","state":"not-ready",
    "because":"<script>alert(1)</script>,\"=1+1\"","blockers":1,"warnings":0,"notices":0,"blocking":["replica-identity"],
    "not_determined":[],"deployment":"-1+1","support":{"standard_until":"2025-02-28","extended_until":null,"over":true},
    "reports":["../../x.html"],"read_at":"2026-01-01T00:00:00Z"}]}"#;

/// Cells of a CSV file as a spreadsheet takes them.
fn cells(csv: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = csv.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => {
                cells.last_mut().expect("one at least").push('"')
            }
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => cells.push(String::new()),
            '\r' if !quoted => {}
            c => cells.last_mut().expect("one at least").push(c),
        }
    }
    cells
}

/// A fleet as `fleet --reports` keeps it and takes it up again, in every form: no formula, no tag, no fault.
#[test]
fn records_of_a_fleet() {
    let plain = Style {
        color: false,
        width: 100,
        verbose: true,
    };
    let read = Cell::new(0_u32);
    fuzz(
        "fleet",
        &[FLEET.as_bytes(), "=1\t+2\r@\u{202e}<b>".as_bytes()],
        |bytes| {
            let Ok(mut fleet) = serde_json::from_slice::<Fleet>(bytes) else {
                return;
            };
            // Rows are taken up, and places are RDS's; these are greenlight's own.
            fleet.collected_at = "2026-01-01T00:00:00Z".to_owned();
            fleet.greenlight = "0.1.0".to_owned();
            fleet.target_version = None;
            read.set(read.get() + 1);
            let csv = fleet::csv(&fleet);
            for cell in cells(&csv) {
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{cell:?} of {csv}"
                );
            }
            let html = fleet::html(&fleet);
            assert!(!html.contains("<script>alert"), "{html}");
            let markdown = fleet::markdown(&fleet);
            for text in [&csv.replace("\r\n", "\n"), &html, &markdown] {
                assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            }
            let _other = fleet::table(&fleet, plain);
        },
    );
    assert!(read.get() > 0, "what is right is read");
}
