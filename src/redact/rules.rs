//! What stands where in a facts document: machine words, names, types, texts, statements.
//!
//! Whatever is not named here is a name. A new probe's texts are so replaced until somebody decides otherwise.

use serde_json::{Map, Value};

/// What a text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Machine words: a status, a version, a setting's name. Kept.
    Keep,
    /// Names of the owner's.
    Name,
    /// A type: PostgreSQL's own are kept, whatever else is called so.
    Type,
    /// Names among words of SQL or of messages.
    Text,
    /// Somebody's SQL.
    Statement,
}

/// Where in the document something stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) class: Class,
    /// The key, and those round it from the inside out.
    keys: [&'a str; 4],
}

/// Fields that hold machine words wherever they are.
const KEEP: &[&str] = &[
    "schema",
    "greenlight",
    "collected_at",
    "target_version",
    "engine",
    "version",
    "at",
    "region",
    "why",
    "resource_kind",
    "engine_version",
    "engine_mode",
    "status",
    "parameter_group_status",
    "kms_key_kind",
    "feature",
    "activity_stream",
    "global_write_forwarding",
    "lifecycle_support",
    "scalability_type",
    "storage_type",
    "storage_status",
    "created_at",
    "deleted_at",
    "pending_engine_version",
    "class",
    "ca_certificate",
    "certificate_valid_till",
    "pending_changes",
    "log_exports",
    "family",
    "apply_type",
    "apply_method",
    "allowed",
    "action",
    "apply_at",
    "auto_applied_after",
    "forced_at",
    "source_type",
    "health",
    "start",
    "end",
    // Rows of probes.
    "kind",
    "state",
    "wal_status",
    "plugin",
    "vartype",
    "unit",
    "boot_val",
    "persistence",
    "identity",
    "provider",
    "encoding",
    "lc_collate",
    "lc_ctype",
    "invalidation",
    "installed",
    "schedule",
    "level",
    "ddl",
    "since",
    "confirmed_flush_lsn",
    "restart_lsn",
    "current_lsn",
    "received_lsn",
    "latest_end_lsn",
    "lsn",
    "how",
    "extension",
    "setting",
    "language",
    "privilege",
    "check_id",
    "step",
    "locale",
    "stored",
    "actual",
    // Where a sequence and its column are: a redacted number would turn the verdict round.
    "next",
    "reached",
];

const TYPES: &[&str] = &["type", "base", "columns", "column_type"];
const TEXTS: &[&str] = &[
    "message",
    "description",
    "status_details",
    "fix",
    "definition",
    "attributes",
    "sql",
    "alter",
    "head",
    "grants",
    "target",
    "remedy",
    "statement",
    "why_not",
];
const STATEMENTS: &[&str] = &["query", "command"];
/// Objects whose keys are names.
const NAMED: &[&str] = &["databases", "templates", "columns", "tags", "parameter_groups"];

/// Settings of type string whose values are the same for everyone.
const SETTINGS: &[&str] = &[
    "shared_preload_libraries",
    "session_preload_libraries",
    "local_preload_libraries",
    "output_plugin_libraries",
    "server_version",
    "server_version_num",
    "server_encoding",
    "client_encoding",
    "lc_collate",
    "lc_ctype",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "TimeZone",
    "timezone",
    "log_timezone",
    "DateStyle",
    "datestyle",
    "default_text_search_config",
    "default_table_access_method",
    "timezone_abbreviations",
    "synchronous_standby_names_kind",
    "wal_level",
    "password_encryption",
    "track_functions",
    "rds.extensions",
    "rds.logical_replication",
    "rds.custom_dns_resolution",
    "ssl_ecdh_curve",
    "session_replication_role",
];

impl<'a> Place<'a> {
    pub(super) fn top() -> Self {
        Self {
            class: Class::Keep,
            keys: [""; 4],
        }
    }

    /// The field `key` of the object `fields`.
    pub(super) fn inside(&self, key: &'a str, fields: &'a Map<String, Value>) -> Self {
        let keys = [key, self.keys[0], self.keys[1], self.keys[2]];
        let inner = Self {
            class: self.class,
            keys,
        };
        Self {
            class: inner.class_of(fields),
            keys,
        }
    }

    fn class_of(&self, fields: &Map<String, Value>) -> Class {
        let [key, outer, ..] = self.keys;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        match key {
            // A fact is what its field is.
            "known" | "unknown" => self.class,
            // What hangs in an object with names for keys is of the object's own class.
            _ if outer == "columns" => Class::Type,
            _ if outer == "tags" => Class::Name,
            _ if text(key).starts_with("arn:") => Class::Name,
            // Parameters of a group: kept where the service lists the value, or it is a number or formula.
            "value" if fields.contains_key("apply_type") => {
                value_of_parameter(outer, text("value"), text("allowed"))
            }
            "source" if fields.contains_key("apply_type") => Class::Keep,
            // A row of `settings`; of `overrides`, which has no type beside it.
            "setting" | "boot_val" | "reset_val" if fields.contains_key("vartype") => match text("vartype") {
                "string" if SETTINGS.contains(&text("name")) => Class::Keep,
                "string" if is_machine_text(text(key)) => Class::Keep,
                "string" => Class::Name,
                _ => Class::Keep,
            },
            "name" | "source" if fields.contains_key("vartype") => Class::Keep,
            "name" if fields.contains_key("alter") => Class::Keep,
            "value" if fields.contains_key("alter") && SETTINGS.contains(&text("name")) => Class::Keep,
            "value" if is_machine_text(text("value")) => Class::Keep,
            // Tasks and life cycles are named by the service.
            "name" if outer == "tasks" || outer == "lifecycles" => Class::Keep,
            // Extensions: a name and a version.
            "name" if fields.contains_key("version") || fields.contains_key("installed") => Class::Keep,
            "version" | "family" | "auto" | "major" => Class::Keep,
            key if STATEMENTS.contains(&key) => Class::Statement,
            key if TEXTS.contains(&key) => Class::Text,
            key if TYPES.contains(&key) => Class::Type,
            "schema" if !fields.contains_key("greenlight") => Class::Name,
            key if KEEP.contains(&key) => Class::Keep,
            _ => Class::Name,
        }
    }

    /// Whether this object's keys are names of the owner's.
    pub(super) fn has_names_for_keys(&self) -> bool {
        let mut keys = self.keys.iter().filter(|key| **key != "known");
        let [Some(key), outer] = [keys.next(), keys.next()] else {
            return false;
        };
        // `databases` is also the name of a probe, whose fact is no such object.
        // And a database may be called like one of them.
        // Instances have a list of that name.
        let groups = *key != "parameter_groups" || outer == Some(&"rds");
        let outside = ["probes", "databases", "templates"]
            .iter()
            .all(|other| outer != Some(other));
        groups && NAMED.contains(key) && outside
    }

    /// Whether an object is the unknown side of a fact.
    pub(super) fn is_unknown(&self, fields: &Map<String, Value>) -> bool {
        self.keys[0] == "unknown" && fields.contains_key("why") && fields.contains_key("detail")
    }
}

fn value_of_parameter(name: &str, value: &str, allowed: &str) -> Class {
    let listed = allowed
        .split([',', ' '])
        .any(|one| one.eq_ignore_ascii_case(value));
    if listed || SETTINGS.contains(&name) || is_machine_text(value) || value.starts_with('{') {
        Class::Keep
    } else {
        Class::Name
    }
}

/// Numbers, sizes, LSNs, points in time, yes and no, in letters of either case.
pub(super) fn is_machine_text(text: &str) -> bool {
    const WORDS: [&str; 26] = [
        "on",
        "off",
        "true",
        "false",
        "yes",
        "no",
        "none",
        "all",
        "replica",
        "logical",
        "minimal",
        "origin",
        "local",
        "default",
        "auto",
        "always",
        "ddl",
        "mod",
        "read",
        "write",
        "md5",
        "scram-sha-256",
        "remote_apply",
        "remote_write",
        "hot_standby",
        "postgres",
    ];
    let short = text.len() <= 11;
    let number = text.trim_start_matches('-');
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let unit = number.get(digits..).unwrap_or_default().trim();
    let measured = digits > 0
        && [
            "", "B", "kB", "MB", "GB", "TB", "us", "ms", "s", "min", "h", "d", "%",
        ]
        .contains(&unit);
    text.is_empty()
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        || short && measured
        || short && text.parse::<f64>().is_ok()
        || text.parse::<crate::model::Lsn>().is_ok()
        || text.parse::<jiff::Timestamp>().is_ok()
}

/// A text parted at Regions (`eu-west-1`), which are no names: `Err` is a Region.
pub(super) fn around_regions(text: &str) -> Vec<Result<&str, &str>> {
    let mut out = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while at < text.len() {
        let begins = at == 0 || !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        match region_at(&text[at..]) {
            Some(length) if begins => {
                out.push(Ok(&text[from..at]));
                out.push(Err(&text[at..at + length]));
                at += length;
                from = at;
            }
            _ => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    out.push(Ok(&text[from..]));
    out
}

/// How long the Region is that a text begins with.
fn region_at(text: &str) -> Option<usize> {
    const PLACES: [&str; 11] = [
        "north",
        "south",
        "east",
        "west",
        "central",
        "northeast",
        "southeast",
        "northwest",
        "southwest",
        "gov",
        "iso",
    ];
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(text.len());
    let words: Vec<&str> = text[..end].split('-').collect();
    let digit = |word: &str| word.len() == 1 && word.as_bytes()[0].is_ascii_digit();
    let words = match words[..] {
        [area, .., number] if area.len() == 2 && digit(number) => words,
        _ => return None,
    };
    let places = &words[1..words.len() - 1];
    (1..=2).contains(&places.len()).then_some(())?;
    places.iter().all(|place| PLACES.contains(place)).then_some(end)
}

/// Puts the kind of resource back into an ARN, which is no name: `…:cluster-pg:`, `…:deployment:`.
pub(super) fn with_kind_of(original: &str, redacted: String) -> String {
    if !original.starts_with("arn:") {
        return redacted;
    }
    let old: Vec<&str> = original.splitn(7, ':').collect();
    let mut new: Vec<&str> = redacted.splitn(7, ':').collect();
    if old.len() < 6 || new.len() != old.len() {
        return redacted;
    }
    new[1] = old[1];
    new[2] = old[2];
    new[3] = old[3];
    let kind;
    if old.len() == 7 {
        new[5] = old[5];
    } else if let (Some((was, _)), Some((_, name))) = (old[5].split_once('/'), new[5].split_once('/')) {
        kind = format!("{was}/{name}");
        new[5] = &kind;
    }
    new.join(":")
}
