//! Every format over one report that has all kinds of verdicts and hostile names.
//!
//! The report is made of fixed verdicts, not of the catalogue's: a new check changes no snapshot here.

pub(crate) mod browser;
mod commands;
mod compare;
pub(crate) mod gate;
mod golden;
mod schemas;

use greenlight::{
    exit::Exit,
    facts::Facts,
    model::Side,
    output::{Format, Style, View},
    policy::{Policy, Waiver},
    report::{Judged, Report},
    situation::Situation,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// Hostile in HTML, Markdown, XML, SQL, workflow commands and on terminals.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\"|`$(id)` [a](javascript:b) ]]> ::error::owned\n::error::owned \u{1b}[31m\u{202e}@admin";

pub(crate) fn facts() -> Facts {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/facts/report-aurora.json");
    let text = std::fs::read_to_string(path).expect("the facts");
    Facts::from_json(&text).expect("facts")
}

pub(crate) fn judged(id: &'static str, group: &'static str, level: Level, verdict: Verdict) -> Judged {
    Judged {
        id,
        aliases: &[],
        group,
        title: "what should be is so",
        effect: "what should not happen happens at the worst moment",
        level,
        verdict,
    }
}

pub(crate) fn waiver(check: &str, subject: &str, until: &str) -> Waiver {
    Waiver {
        check: check.to_owned(),
        subject: subject.to_owned(),
        reason: "append only <b>& frozen</b> for the window".to_owned(),
        until: until.parse().expect("a date"),
        approved_by: Some("dba@example.org".to_owned()),
        allow_unknown: false,
        line: Some(7),
    }
}

fn table(object: &str, database: &str) -> Finding {
    Finding::new(
        object,
        format!("table {object} has no primary key and no other replica identity"),
    )
    .in_database(Some(database))
    .on(Side::Blue)
    .fix(format!("alter table {object} replica identity full;"))
    .evidence("estimated_rows", 1_200_000)
    .evidence("total_bytes", 73_400_320)
}

/// All kinds of verdicts: passed with and without a note, failed at every level, with unlisted findings and blind spots,
/// skipped, not determined, waived, waived though unseen, and with an expired waiver.
pub(crate) fn all_kinds() -> Vec<Judged> {
    let mut identity = Judgement::new();
    identity.find(table("public.orders", "main"));
    identity.find(table("public.order_lines", "main"));
    identity.find(table("audit.entries", "main"));
    identity.find(table(
        &format!("public.{}", greenlight::model::quote_ident(HOSTILE)),
        "shop \"2\" | `x`",
    ));
    identity.more(7);
    identity.unseen(
        "blue:reports",
        "no privilege: role greenlight has no CONNECT on database reports",
    );
    let mut memory = Judgement::new();
    memory.find(
        Finding::new(
            "max_replication_slots",
            "max_replication_slots is 5, the deployment needs 9",
        )
        .on(Side::Blue)
        .fix("set max_replication_slots to 9 in the cluster parameter group main-pg14 and reboot")
        .evidence("needs", 9)
        .evidence("has", 5),
    );
    memory.find(
        Finding::new("max_wal_senders", "max_wal_senders is 10, which leaves no room")
            .on(Side::Blue)
            .at(Level::Notice),
    );
    let mut sequences = Judgement::new();
    sequences.find(Finding::new("sequences", "1 sequence is not owned by a column").at(Level::Notice));
    let mut old = Judgement::new();
    old.find(Finding::new("public.old", "table public.old is unlogged").in_database(Some("main")));
    let mut one = Judgement::new();
    one.find(Finding::new("public.scratch", "table public.scratch is unlogged").in_database(Some("main")));
    let passed = |note: Option<&str>| Verdict::Pass {
        note: note.map(str::to_owned),
    };
    vec![
        judged("replica-identity", "schema", Level::Blocker, identity.done()),
        judged("unlogged-tables", "schema", Level::Blocker, old.done()),
        judged("scratch-tables", "schema", Level::Blocker, one.done()),
        judged("slots-fit", "capacity", Level::Warning, memory.done()),
        judged("sequences-owned", "schema", Level::Notice, sequences.done()),
        judged(
            "lag-is-small",
            "replication",
            Level::Blocker,
            passed(Some("0.5 MiB behind, 16.0 MiB allowed")),
        ),
        judged("quiet", "replication", Level::Warning, passed(None)),
        judged(
            "not-here",
            "engine",
            Level::Warning,
            Verdict::skip("not asked in phase switchover"),
        ),
        judged(
            "nor-here",
            "engine",
            Level::Blocker,
            Verdict::skip("there is no green server yet"),
        ),
        judged(
            "dark",
            "replication",
            Level::Blocker,
            Verdict::unknown("blue:main", format!("timed out: {HOSTILE}")),
        ),
        judged(
            "dark-and-accepted",
            "replication",
            Level::Blocker,
            Verdict::unknown("green", "not reachable: connection refused"),
        ),
        judged(
            "dim",
            "replication",
            Level::Notice,
            Verdict::unknown("rds.events", "no privilege"),
        ),
    ]
}

pub(crate) fn policy() -> Policy {
    let mut policy = Policy::at("2025-02-03T09:00:00Z".parse().expect("a time"));
    policy.file = Some("greenlight.toml".to_owned());
    policy.waivers = vec![
        waiver("replica-identity", "main/audit.*", "2025-03-01"),
        waiver("unlogged-tables", "main/public.old", "2025-01-31"),
        waiver("scratch-tables", "*", "2025-12-31"),
        waiver("quiet", "nothing", "2025-12-31"),
        Waiver {
            allow_unknown: true,
            ..waiver("dark-and-accepted", "green", "2025-03-01")
        },
    ];
    for (n, waiver) in policy.waivers.iter_mut().enumerate() {
        waiver.line = Some(4 + 7 * n);
    }
    policy
}

/// A report with its facts, made once.
pub(crate) struct Case {
    pub(crate) report: Report,
    pub(crate) facts: Facts,
}

impl Case {
    pub(crate) fn of(facts: Facts, judged: Vec<Judged>, policy: &Policy) -> Self {
        let situation = Situation::of(&facts, None);
        let report = Report::of(&facts, situation, policy, judged);
        Self { report, facts }
    }

    pub(crate) fn all_kinds() -> Self {
        Self::of(facts(), all_kinds(), &policy())
    }

    pub(crate) fn exit(&self) -> Exit {
        greenlight::gate::exit(&self.report)
    }

    pub(crate) fn render(&self, format: Format, color: bool) -> String {
        let view = View {
            report: &self.report,
            facts: &self.facts,
            exit: self.exit(),
        };
        let style = Style {
            color,
            width: 80,
            verbose: false,
        };
        greenlight::output::render(format, view, style)
    }
}
