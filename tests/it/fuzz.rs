//! Readers of what others write, under bytes that nobody meant: each ends in a value or an error, soon, and never in a panic.
//!
//! Every target starts from a seed that is right and changes it, byte by byte and piece by piece, with pieces of other seeds.
//! A run is short and the same each time; `FUZZ_SECONDS=300 cargo test --test it fuzz::` goes on for longer, each time
//! elsewhere. What was found is kept as named tests.

mod answers;
mod leaks;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use greenlight::{
    attest::Attestation,
    baseline, catalogue, config, drift,
    edge::{conninfo::ConnInfo, env::Env, pgpass, service},
    exit::Exit,
    facts::{Fact, Facts},
    model::{Phase, masking},
    output::{self, Format, Style, View},
    plan,
    policy::Policy,
    redact,
    report::Report,
    situation::Situation,
    switchover::journal,
};

/// Whatever a single input may take: it is a debug build on a busy machine.
const SLOWEST: Duration = Duration::from_secs(10);

/// xorshift, so that a short run is the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).expect("small")).expect("below a usize")
    }
}

/// Bytes that formats trip over.
const AWKWARD: [&str; 30] = [
    "",
    "\0",
    "\u{feff}",
    "\r\n",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "'",
    "`",
    "<",
    "&",
    "%s",
    "{",
    "}",
    "[",
    "]",
    "[[",
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    "NaN",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "\u{202e}",
    "::",
    "${",
    "*",
    "+++\n",
];

fn mutate(seed: &[u8], others: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => {
                let piece = AWKWARD[random.below(AWKWARD.len())].as_bytes();
                bytes.splice(at..at, piece.iter().copied());
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                // A piece again, often many times: nesting and repetition.
                let end = (at + random.below(40)).min(bytes.len());
                let piece = bytes[at..end].repeat(1 << random.below(8));
                if bytes.len() + piece.len() < 400_000 {
                    bytes.splice(at..at, piece);
                }
            }
            5 => {
                let other = others[random.below(others.len())];
                let from = random.below(other.len());
                let to = (from + random.below(300)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            6 => {
                // One number for another.
                let digit = bytes[at..].iter().position(u8::is_ascii_digit);
                if let Some(found) = digit {
                    let number = AWKWARD[18 + random.below(5)].as_bytes();
                    bytes.splice(at + found..=at + found, number.iter().copied());
                }
            }
            7 => {
                // One line for another.
                let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
                let (a, b) = (random.below(lines.len()), random.below(lines.len()));
                let mut lines: Vec<Vec<u8>> = lines.into_iter().map(<[u8]>::to_vec).collect();
                lines.swap(a, b);
                bytes = lines.join(&b'\n');
            }
            _ => bytes.insert(at, u8::try_from(random.next() & 0xff).expect("a byte")),
        }
    }
    bytes
}

/// Inputs of a short run. A slow machine sees the first of them in its two seconds, and none sees others.
const SHORT: u64 = 1000;

/// Runs a target over changed seeds; a panic or a slow input fails with the input.
fn fuzz(name: &str, seeds: &[&[u8]], target: impl Fn(&[u8])) {
    let longer: Option<u64> = std::env::var("FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let limit = Duration::from_secs(longer.unwrap_or(2));
    let most = if longer.is_some() { u64::MAX } else { SHORT };
    let seed = match longer {
        // Elsewhere each time.
        Some(_) => u64::from(std::process::id()) << 20 | u64::try_from(name.len()).expect("short"),
        None => 0x9e37_79b9_7f4a_7c15,
    };
    let mut random = Random(seed | 1);
    let begun = Instant::now();
    let mut inputs = 0_u64;
    while begun.elapsed() < limit && inputs < most {
        let seed = seeds[random.below(seeds.len())];
        let input = if inputs < u64::try_from(seeds.len()).expect("few") {
            seeds[usize::try_from(inputs).expect("few")].to_vec()
        } else {
            mutate(seed, seeds, &mut random)
        };
        inputs += 1;
        let at = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = at.elapsed();
        if outcome.is_err() || took > SLOWEST {
            let file = std::env::temp_dir().join(format!("fuzz-{name}-{}", std::process::id()));
            std::fs::write(&file, &input).expect("the input is kept");
            panic!("{name}: input {inputs} took {took:?}, see {}", file.display());
        }
    }
    if longer.is_some() {
        eprintln!("{name}: {inputs} inputs");
    }
}

const FACTS: [&str; 4] = [
    include_str!("../facts/aurora-create.json"),
    include_str!("../facts/rds-minor.json"),
    include_str!("../facts/report-aurora.json"),
    include_str!("../facts/aurora-verify.json"),
];

const FORMATS: [Format; 8] = [
    Format::Table,
    Format::Json,
    Format::Markdown,
    Format::Html,
    Format::Junit,
    Format::Sarif,
    Format::Github,
    Format::Gitlab,
];

/// Reads a document, and where it is one: judges, renders and redacts it.
fn judge(bytes: &[u8]) {
    let Ok(facts) = Facts::from_json(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    let phase = [Phase::Create, Phase::Switchover, Phase::Verify][bytes.len() % 3];
    let policy = Policy::at(facts.collected_at);
    let report = Report::make(&facts, Situation::of(&facts, Some(phase)), &policy);
    let view = View {
        report: &report,
        facts: &facts,
        exit: Exit::Ready,
    };
    let style = Style {
        color: bytes.len().is_multiple_of(2),
        width: 40 + bytes.len() % 80,
        verbose: true,
    };
    let text = output::render(FORMATS[bytes.len() % FORMATS.len()], view, style);
    assert!(!text.is_empty());
    redact::redact(&facts, b"key").expect("what can be read can be redacted");
    if let Fact::Known(rds) = &facts.rds {
        let _surroundings = drift::surroundings(rds);
        for wanted in [
            plan::Wanted::Latest,
            plan::Wanted::Version(greenlight::model::PgVersion::major(17)),
        ] {
            let order = plan::Order {
                wanted,
                group: None,
                limits: None,
                at: Some(facts.collected_at),
            };
            let _plan = plan::make(rds, facts.engine, &order);
        }
    }
}

#[test]
fn facts_files() {
    let seeds: Vec<&[u8]> = FACTS.iter().map(|text| text.as_bytes()).collect();
    fuzz("facts", &seeds, judge);
}

const CONFIG: &str = "fail-on = \"warning\"\n\n[thresholds]\nmax-lag-bytes = 16777216\nlong-transaction-seconds = 60\n\n\
    [levels]\nunlogged-tables = \"notice\"\n\n[[waivers]]\ncheck = \"replica-identity\"\nsubject = \"app/audit.*\"\n\
    reason = \"insert-only\"\nuntil = 2026-12-31\napproved-by = \"dba@example.org\"\n";

#[test]
fn policy_files() {
    let facts = Facts::from_json(FACTS[2]).expect("a document");
    fuzz(
        "config",
        &[CONFIG.as_bytes(), b"fail-on=\"blocker\"\n[levels]\n"],
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let mut policy = Policy::at(facts.collected_at);
            if config::apply(&mut policy, Path::new("greenlight.toml"), &text).is_ok()
                && bytes.len() % 16 == 0
            {
                // A policy that can be read can be judged with.
                let _report = Report::make(&facts, Situation::of(&facts, None), &policy);
            }
        },
    );
}

#[test]
fn check_pages() {
    let pages = [
        include_str!("../../checks/schema/replica-identity.md"),
        include_str!("../../checks/rds/production-names.md"),
        include_str!("../../checks/_probes/sessions.md"),
    ];
    let seeds: Vec<&[u8]> = pages.iter().map(|page| page.as_bytes()).collect();
    fuzz("page", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _page = catalogue::Page::parse("schema/it.md", &text);
        let _probe = catalogue::SharedProbe::parse("it", &text);
    });
}

#[test]
fn journals() {
    let lines = crate::journal::bytes();
    fuzz("journal", &[&lines, b"{\"seq\":1}\n"], |bytes| {
        if let Ok(log) = journal::parse(Path::new("it"), bytes) {
            let _header = log.header();
        }
    });
}

#[test]
fn journals_of_a_clean_up() {
    let (_folder, path) = crate::change::work("main-old1");
    let lines = std::fs::read(path).expect("a journal");
    fuzz("work", &[&lines, b"{\"seq\":1}\n"], |bytes| {
        if let Ok(log) = journal::parse_as::<greenlight::work::record::Record>(Path::new("it"), bytes) {
            assert!(log.records().count() <= bytes.len());
        }
    });
}

#[test]
fn attestations() {
    let good = crate::attest::good();
    let now = good.collected_at;
    fuzz("attestation", &[good.to_text().as_bytes()], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _edited_or_not = Attestation::parse(&text);
        // Whoever edits one can also give it the digest that belongs to it.
        if let Ok(edited) = serde_json::from_str::<Attestation>(&text) {
            let sealed = edited.sealed();
            if let Ok(read) = Attestation::parse(&sealed.to_text()) {
                assert_eq!(read, sealed);
                let _good = read.good_at(now);
                let _remark = read.remark();
            }
        }
    });
}

const STATE: &str = r#"{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"aws_rds_cluster.main",
    "type":"aws_rds_cluster","name":"main","values":{"cluster_identifier":"main","engine_version":"14.10","tags":{"a":"b"}}}],
    "child_modules":[{"address":"module.x","resources":[]}]}}}"#;

#[test]
fn templates_and_states() {
    let facts = Facts::from_json(FACTS[2]).expect("a document");
    let Fact::Known(rds) = facts.rds else {
        panic!("the document knows RDS")
    };
    let around = drift::surroundings(&rds);
    let templates = [
        include_str!("../cdk/guide-before.template.json"),
        include_str!("../cdk/guide-as-written.template.json"),
        STATE,
    ];
    let seeds: Vec<&[u8]> = templates.iter().map(|text| text.as_bytes()).collect();
    fuzz("template", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let documents = [
            drift::template("it", &text, &around),
            drift::state("it", &text),
            drift::plan("it", &text),
        ];
        let documents: Vec<drift::Document> = documents.into_iter().flatten().collect();
        if let Ok(report) = drift::compare(&rds, &documents, None) {
            let _text = drift::json::render(&report);
        }
    });
}

#[test]
fn passwords_services_and_connection_strings() {
    let seeds: [&[u8]; 6] = [
        b"db.example:5432:app:me:pass\\:word\n*:*:*:*:other\n# comment\n",
        b"[it]\nhost=db.example\nport=5432\npassword=x\n\n[other]\nhost = b\n",
        b"postgres://me:p%40ss@[::1]:5432/app?sslmode=verify-full&application_name=x",
        b"host=db.example port=5432 user='it''s' password='a \\' b' options='-c x=y'",
        b"select 'a', E'b\\'c', $t$ d $t$, \"e\" from f where password = 'g'",
        b"host=a password=b postgres://u:p@h/x",
    ];
    let here = tempfile::tempdir().expect("a folder");
    let file = here.path().join("services");
    let env = Env::empty().with("PGSERVICEFILE", file.to_str().expect("UTF-8"));
    fuzz("conninfo", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let key = pgpass::Key {
            host: "db.example",
            port: 5432,
            database: "app",
            user: "me",
        };
        let _found = pgpass::find(&text, key);
        if let Ok(info) = text.parse::<ConnInfo>() {
            let _complete = info.complete(&Env::empty());
        }
        let masked = masking::statement(&text);
        assert!(masked.len() <= text.len() * 4 + 16);
        let _masked = masking::text(&text);
        if bytes.len() % 8 == 0 {
            std::fs::write(&file, bytes).expect("written");
            let _service = service::find("it", &env);
        }
    });
}

#[test]
fn earlier_reports() {
    let facts = Facts::from_json(FACTS[2]).expect("a document");
    let report = Report::make(
        &facts,
        Situation::of(&facts, None),
        &Policy::at(facts.collected_at),
    );
    let view = View {
        report: &report,
        facts: &facts,
        exit: Exit::Ready,
    };
    let style = Style {
        color: false,
        width: 80,
        verbose: false,
    };
    let text = output::render(Format::Json, view, style);
    fuzz("baseline", &[text.as_bytes()], |bytes| {
        if let Ok(before) = baseline::read(&String::from_utf8_lossy(bytes)) {
            let now = output::json::report(view);
            let _diff = baseline::diff(&before, &now, greenlight::verdict::Level::Warning);
        }
    });
}

/// What a server of PostgreSQL says, through the login and the answer to a probe.
mod messages {
    use std::{
        io::{Read as _, Write as _},
        net::{Shutdown, TcpListener},
        sync::{Arc, Mutex},
        time::Duration,
    };

    use greenlight::{
        catalogue::Query,
        edge::{
            auth::{Authenticator, Method},
            connect::{ConnectSpec, Timeouts, connect},
            conninfo::GivenIn,
            env::Env,
            postgres::probe,
            tls::{Roots, TlsMode, TlsSettings},
        },
        model::secret::Secret,
    };

    use super::fuzz;
    use crate::limits::{before_rows, hello, message};

    /// A login without a password, and one row with the rows of a probe.
    fn good() -> Vec<u8> {
        let text = br#"{"total":1,"rows":[{"name":"a","n":1}]}"#;
        let mut row = b"\0\x01".to_vec();
        row.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
        row.extend(text);
        let answer = [
            before_rows(),
            message(b'N', b"SNOTICE\0C00000\0Mtold\0\0"),
            message(b'D', &row),
            message(b'C', b"SELECT 1\0"),
            message(b'Z', b"I"),
        ];
        let error = message(b'E', b"SERROR\0C42501\0Mpermission denied\0\0");
        [hello(), answer.concat(), error].concat()
    }

    #[test]
    fn messages_of_a_database() {
        let current = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let said = Arc::clone(&current);
        let login = hello().len();
        std::thread::spawn(move || {
            // What is right is first, and is not answered before it is asked, however long that takes.
            let mut patience = Duration::from_secs(2);
            for mut stream in listener.incoming().flatten() {
                let bytes: Vec<u8> = said.lock().expect("not poisoned").clone();
                let (first, then) = bytes.split_at(login.min(bytes.len()));
                let mut heard = [0; 8192];
                // One who hangs up is as good as one who answers.
                let _startup = stream.read(&mut heard);
                let _sent = stream.write_all(first);
                let _waits = stream.set_read_timeout(Some(patience));
                patience = Duration::from_millis(5);
                let _question = stream.read(&mut heard);
                let _sent = stream.write_all(then);
                let _ends = stream.shutdown(Shutdown::Write);
            }
        });
        let auth = Authenticator::new(Method::Password, Env::empty())
            .with_user("me")
            .with_password(Secret::new("planted-in-a-login"), GivenIn::ConnectionString);
        let tls = TlsSettings::new(TlsMode::Disable, Arc::new(Roots::bundled()));
        let mut spec = ConnectSpec::new("127.0.0.1", address.port(), "app", Arc::new(auth), tls);
        spec.timeouts = Timeouts::within(Duration::from_secs(2));
        spec.server_version = Some(150_001);
        let query = Query {
            probe: "it".to_owned(),
            when: None,
            limit: None,
            only_if: Vec::new(),
            otherwise: None,
            sql: "select 1".to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let good = good();
        let known = std::cell::Cell::new(false);
        fuzz("messages", &[&good], |bytes| {
            *current.lock().expect("not poisoned") = bytes.to_vec();
            runtime.block_on(async {
                match connect(&spec).await {
                    Ok(session) => {
                        let asked =
                            tokio::time::timeout(Duration::from_secs(2), probe(&session, &query, 10)).await;
                        known.set(known.get() || asked.is_ok_and(|fact| fact.known().is_some()));
                    }
                    Err(error) => assert!(!error.to_string().contains("planted"), "{error}"),
                }
            });
        });
        assert!(known.get(), "what is right is read");
    }
}
