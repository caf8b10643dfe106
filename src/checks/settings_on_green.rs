//! Settings that change results or limits are the same on green.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Ctx, Setting, shared::of_a_new_session};
use crate::{
    model::{Side, quote_ident},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// What a difference means.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// Another value, other results.
    Same,
    /// Green must not have less.
    AtLeast,
    /// Green must have the members of blue's list.
    Members,
    /// Another value, another speed or cost.
    Tuning,
}

/// Of what greenlight's own session sets (time zone, date style, timeouts …) the value that a new session would have is compared.
const RULES: &[(&str, Rule, &str)] = &[
    (
        "TimeZone",
        Rule::Same,
        "times are shown and read in another zone",
    ),
    ("DateStyle", Rule::Same, "dates are shown and read in another form"),
    ("IntervalStyle", Rule::Same, "intervals are shown in another form"),
    ("bytea_output", Rule::Same, "bytea is shown in another form"),
    (
        "standard_conforming_strings",
        Rule::Same,
        "backslashes in literals mean something else",
    ),
    (
        "extra_float_digits",
        Rule::Same,
        "floating-point numbers are shown with other digits",
    ),
    (
        "row_security",
        Rule::Same,
        "queries under row security return fewer rows or fail",
    ),
    ("search_path", Rule::Same, "names without a schema mean others"),
    (
        "statement_timeout",
        Rule::Same,
        "statements are cancelled sooner or later",
    ),
    ("lock_timeout", Rule::Same, "waits for locks end sooner or later"),
    (
        "idle_in_transaction_session_timeout",
        Rule::Same,
        "idle transactions are ended sooner or later",
    ),
    (
        "client_min_messages",
        Rule::Tuning,
        "clients get more or fewer messages",
    ),
    (
        "max_parallel_workers_per_gather",
        Rule::Tuning,
        "queries use more or fewer processes",
    ),
    (
        "timezone_abbreviations",
        Rule::Same,
        "abbreviations of zones mean others",
    ),
    (
        "backslash_quote",
        Rule::Same,
        "literals with \\' are taken or refused",
    ),
    (
        "default_transaction_isolation",
        Rule::Same,
        "transactions see other states and fail for other reasons",
    ),
    (
        "default_transaction_deferrable",
        Rule::Same,
        "serializable transactions wait or do not",
    ),
    ("transform_null_equals", Rule::Same, "= NULL gives another result"),
    (
        "array_nulls",
        Rule::Same,
        "NULL in array literals means something else",
    ),
    ("xmlbinary", Rule::Same, "binary values in XML have another form"),
    ("xmloption", Rule::Same, "XML values are read as something else"),
    (
        "session_replication_role",
        Rule::Same,
        "triggers and foreign keys fire or do not",
    ),
    (
        "default_text_search_config",
        Rule::Same,
        "text search uses another configuration",
    ),
    ("default_tablespace", Rule::Same, "new tables lie elsewhere"),
    (
        "default_table_access_method",
        Rule::Same,
        "new tables are stored in another way",
    ),
    (
        "lc_messages",
        Rule::Tuning,
        "messages come in another language, which log filters may not know",
    ),
    (
        "lc_monetary",
        Rule::Same,
        "money is shown and read in another form",
    ),
    ("lc_numeric", Rule::Same, "to_char and to_number use other signs"),
    (
        "lc_time",
        Rule::Same,
        "to_char gives other names of days and months",
    ),
    (
        "server_encoding",
        Rule::Same,
        "texts are stored in another encoding",
    ),
    ("fsync", Rule::Same, "a crash may lose data"),
    ("full_page_writes", Rule::Same, "a crash may lose data"),
    (
        "synchronous_commit",
        Rule::Same,
        "a crash may lose commits, or commits take longer",
    ),
    (
        "autovacuum",
        Rule::Same,
        "tables are not vacuumed and analyzed by themselves",
    ),
    ("track_counts", Rule::Same, "autovacuum does not work"),
    (
        "wal_level",
        Rule::Tuning,
        "logical replication and change data capture are possible or not",
    ),
    ("max_connections", Rule::AtLeast, "clients are refused"),
    (
        "max_locks_per_transaction",
        Rule::AtLeast,
        "transactions that touch many tables fail (\"out of shared memory\")",
    ),
    (
        "max_pred_locks_per_transaction",
        Rule::AtLeast,
        "serializable transactions fail more often",
    ),
    (
        "max_prepared_transactions",
        Rule::AtLeast,
        "PREPARE TRANSACTION fails",
    ),
    ("max_replication_slots", Rule::AtLeast, "consumers find no slot"),
    (
        "max_wal_senders",
        Rule::AtLeast,
        "replicas and consumers are refused",
    ),
    (
        "max_worker_processes",
        Rule::AtLeast,
        "background workers do not start",
    ),
    (
        "shared_preload_libraries",
        Rule::Members,
        "the library's functions, workers and settings are missing",
    ),
    (
        "session_preload_libraries",
        Rule::Members,
        "the library is not loaded",
    ),
    (
        "jit",
        Rule::Tuning,
        "plans may be compiled, which costs short queries time",
    ),
    (
        "password_encryption",
        Rule::Tuning,
        "new passwords are stored in another way, which old drivers may not understand",
    ),
    (
        "log_statement",
        Rule::Tuning,
        "the log lacks statements that an audit may want",
    ),
];

/// Sources that say nothing about the server, but about the session or the role that looks.
const OWN: &[&str] = &["client", "session", "user", "database", "database user"];

#[derive(Deserialize)]
struct Database {
    name: String,
    is_template: bool,
    encoding: String,
    lc_collate: String,
    lc_ctype: String,
}

/// A value as it is compared.
fn canonical(name: &str, value: &str) -> String {
    let plain = value.to_lowercase().replace([' ', '"'], "");
    match (name, plain.as_str()) {
        // The old spelling of md5, <https://www.postgresql.org/docs/13/runtime-config-connection.html>.
        ("password_encryption", "on" | "true") => "md5".to_owned(),
        ("lc_collate" | "lc_ctype" | "lc_monetary" | "lc_numeric" | "lc_time" | "lc_messages", locale) => {
            locale.replace("utf-8", "utf8")
        }
        _ => plain,
    }
}

fn members(value: &str) -> BTreeSet<String> {
    let parts = value
        .split(',')
        .map(|part| part.trim().trim_matches('"').to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

/// How the sides differ, and whether only the built-in default did.
fn difference(name: &str, rule: Rule, blue: &Setting, green: &Setting) -> Option<String> {
    let [b, g] = [blue, green].map(|s| s.setting.as_deref().unwrap_or_default());
    match rule {
        Rule::Same | Rule::Tuning => (canonical(name, b) != canonical(name, g))
            .then(|| format!("{name} is {b} on blue and {g} on green")),
        Rule::AtLeast => match (b.parse::<i64>(), g.parse::<i64>()) {
            (Ok(more), Ok(less)) if less < more => {
                Some(format!("{name} is {b} on blue and only {g} on green"))
            }
            _ => None,
        },
        Rule::Members => {
            let (blue, green) = (members(b), members(g));
            // The service's own libraries come and go with the engine.
            let lacking: Vec<&str> = blue
                .difference(&green)
                .map(String::as_str)
                .filter(|l| !l.starts_with("rds") && !l.starts_with("aurora"))
                .collect();
            (!lacking.is_empty()).then(|| format!("{name} of green lacks {}", lacking.join(", ")))
        }
    }
}

fn server_wide(ctx: &Ctx<'_>, judgement: &mut Judgement) -> usize {
    let [blue, green] = [Side::Blue, Side::Green].map(|side| ctx.settings(side));
    let mut same = 0;
    for (name, rule, effect) in RULES {
        let (b, g) = match (blue.get(name), green.get(name)) {
            (Ok(b), Ok(g)) => (b, g),
            (Err(unseen), _) | (_, Err(unseen)) => {
                judgement.blind([unseen]);
                continue;
            }
        };
        let (b, g) = match (b, g) {
            (Some(b), Some(g)) => (b, g),
            // Hidden from roles without pg_read_all_settings; other names may be new or gone.
            (None, _) | (_, None) if *name == "shared_preload_libraries" => {
                judgement.unseen(
                    format!("setting {name}"),
                    "no privilege: grant pg_monitor to the checking role",
                );
                continue;
            }
            _ => continue,
        };
        let (b, g) = (of_a_new_session(b), of_a_new_session(g));
        if [&b, &g].iter().any(|s| OWN.contains(&s.source.as_str())) {
            continue;
        }
        let Some(difference) = difference(name, *rule, &b, &g) else {
            same += 1;
            continue;
        };
        let built_in = b.source == "default" && g.source == "default" && b.boot_val != g.boot_val;
        let level = if built_in || *rule == Rule::Tuning {
            Level::Notice
        } else {
            Level::Warning
        };
        let why = if built_in {
            " (the built-in default has changed)"
        } else {
            ""
        };
        let value = b.setting.as_deref().unwrap_or_default();
        judgement.find(
            Finding::new(*name, format!("{difference}{why}: {effect}"))
                .on(Side::Green)
                .at(level)
                .fix(format!("set {name} to {value} in green's parameter group; restart green where its apply type is static"))
                .evidence("blue", b.setting.clone())
                .evidence("green", g.setting.clone())
                .evidence("source on blue", b.source.clone())
                .evidence("source on green", g.source.clone()),
        );
    }
    same
}

fn databases(ctx: &Ctx<'_>, judgement: &mut Judgement) {
    let [blue, green] = [Side::Blue, Side::Green].map(|side| {
        let gathered = ctx.rows::<Database>(side, "databases");
        judgement.blind(gathered.unseen);
        let rows = gathered
            .rows
            .into_iter()
            .filter(|(_, d)| !d.is_template && d.name != "rdsadmin");
        rows.map(|(_, d)| (d.name.clone(), d)).collect::<BTreeMap<_, _>>()
    });
    for (name, b) in &blue {
        let Some(g) = green.get(name) else { continue };
        let parts = [
            ("server_encoding", &b.encoding, &g.encoding),
            ("lc_collate", &b.lc_collate, &g.lc_collate),
            ("lc_ctype", &b.lc_ctype, &g.lc_ctype),
        ];
        let differing: Vec<String> = parts
            .into_iter()
            .filter(|(what, b, g)| canonical(what, b) != canonical(what, g))
            .map(|(what, b, g)| format!("{what} {b} on blue and {g} on green"))
            .collect();
        if !differing.is_empty() {
            let message = format!(
                "database {} has {}: texts sort and compare differently",
                quote_ident(name),
                differing.join(", ")
            );
            judgement.find(
                Finding::new(quote_ident(name), message)
                    .on(Side::Green)
                    .fix("delete the deployment with its green side, and create it anew"),
            );
        }
    }
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let same = server_wide(ctx, &mut judgement);
    databases(ctx, &mut judgement);
    judgement.done_with(format!("{same} settings agree"))
}
