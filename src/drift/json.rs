//! The comparison for programs, format version 1: fields are only added.

use serde::Serialize;

use super::{Effect, Report};

/// The version of this format.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    greenlight: &'static str,
    /// `none`, `drift` or `not-determined`.
    drift: &'static str,
    exit_code: u8,
    subject: &'a str,
    version: &'a str,
    ahead: Option<&'a str>,
    same: usize,
    matched: Vec<Matched<'a>>,
    differences: Vec<Difference<'a>>,
    unresolved: Vec<Unresolved<'a>>,
    edits: Vec<Edit<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Matched<'a> {
    file: &'a str,
    address: &'a str,
    live: &'a str,
    how: &'a str,
}

#[derive(Serialize)]
struct Difference<'a> {
    file: &'a str,
    address: &'a str,
    construct: Option<&'a str>,
    r#type: &'a str,
    property: &'a str,
    code: &'a str,
    live: &'a str,
    /// `modify`, `interrupt`, `refused`, `may-replace` or `replace`.
    effect: &'static str,
    why: &'a str,
    source: Option<&'a str>,
    /// With a look ahead: it differs today already.
    today: bool,
}

#[derive(Serialize)]
struct Unresolved<'a> {
    file: &'a str,
    address: &'a str,
    property: Option<&'a str>,
    why: &'a str,
    decisive: bool,
}

#[derive(Serialize)]
struct Edit<'a> {
    file: &'a str,
    at: &'a str,
    /// None where `write` is a command to run.
    property: Option<&'a str>,
    write: &'a str,
}

/// The word for an effect.
pub fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Modify => "modify",
        Effect::Interrupt => "interrupt",
        Effect::Refused => "refused",
        Effect::MayReplace => "may-replace",
        Effect::Replace => "replace",
    }
}

/// The report as JSON text with a final newline.
pub fn render(report: &Report) -> String {
    let exit = report.exit();
    let json = Json {
        schema: SCHEMA,
        greenlight: env!("CARGO_PKG_VERSION"),
        drift: match exit {
            crate::exit::Exit::Ready => "none",
            crate::exit::Exit::NotReady => "drift",
            _ => "not-determined",
        },
        exit_code: exit.code(),
        subject: &report.subject,
        version: &report.version,
        ahead: report.ahead.as_deref(),
        same: report.same,
        matched: report
            .matched
            .iter()
            .map(|m| Matched {
                file: &m.file,
                address: &m.address,
                live: &m.live,
                how: m.how,
            })
            .collect(),
        differences: report
            .differences
            .iter()
            .map(|d| Difference {
                file: &d.file,
                address: &d.address,
                construct: d.construct.as_deref(),
                r#type: &d.type_name,
                property: &d.property,
                code: &d.code,
                live: &d.live,
                effect: word(d.effect),
                why: &d.why,
                source: d.source.as_deref(),
                today: d.today,
            })
            .collect(),
        unresolved: report
            .unresolved
            .iter()
            .map(|u| Unresolved {
                file: &u.file,
                address: &u.address,
                property: u.property.as_deref(),
                why: &u.why,
                decisive: u.decisive,
            })
            .collect(),
        edits: report
            .edits
            .iter()
            .map(|e| Edit {
                file: &e.file,
                at: &e.at,
                property: e.property.as_deref(),
                write: &e.write,
            })
            .collect(),
        notes: &report.notes,
    };
    let mut text = serde_json::to_string_pretty(&json).expect("texts and lists are JSON");
    text.push('\n');
    text
}
