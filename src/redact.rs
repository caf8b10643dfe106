//! A facts document for sharing: no name of the owner's is left in it, and it is judged as the original is.
//!
//! Nothing is taken out by a list of what is secret. Every text is replaced word by word unless it stands where only
//! machine words can stand (`redact::rules`), or the word is one of the few that are the same everywhere
//! (`data/redact-words.txt`). A word has the same pseudonym wherever it occurs, in the same shape (letters for letters,
//! digits for digits, case for case), and two words never share one: so what was equal stays equal, what was too long or
//! badly formed stays so, and the verdicts stay what they are. A test holds that over every scenario of the catalogue.
//!
//! Pseudonyms depend on a key; without the key they cannot be looked up by guessing names.

mod pseudonyms;
mod rules;

use std::{collections::HashSet, sync::LazyLock};

use serde_json::{Map, Value};

use crate::facts::{BadFacts, Facts};
use pseudonyms::Pseudonyms;
use rules::{Class, Place};

/// What stands in place of a reason, which may quote anything.
const LEFT_OUT: &str = "left out by --redact";

static WORDS: LazyLock<Words> = LazyLock::new(Words::read);

/// The words that stay.
struct Words {
    /// Parts of names: `rds` in `rds_customers`.
    parts: HashSet<&'static str>,
    /// Whole names, extensions and libraries.
    names: HashSet<&'static str>,
    /// Types.
    types: HashSet<&'static str>,
    /// What SQL and messages are made of, where they are not somebody's names.
    prose: HashSet<&'static str>,
}

impl Words {
    fn read() -> Self {
        let mut words = Self {
            parts: HashSet::new(),
            names: HashSet::new(),
            types: HashSet::new(),
            prose: HashSet::new(),
        };
        let mut section = "";
        for line in include_str!("../data/redact-words.txt").lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name;
                continue;
            }
            if line.starts_with('#') {
                continue;
            }
            let into = match section {
                "parts of names" => &mut words.parts,
                "names" | "extensions and libraries" => &mut words.names,
                "types" => &mut words.types,
                _ => &mut words.prose,
            };
            into.extend(line.split_whitespace());
        }
        words
    }
}

/// The document with pseudonyms for names. The same key gives the same pseudonyms.
///
/// # Errors
/// Never for a document that can be read; what comes out is read again to make sure.
pub fn redact(facts: &Facts, key: &[u8]) -> Result<Facts, BadFacts> {
    let mut document = serde_json::to_value(facts)?;
    let mut redactor = Redactor {
        pseudonyms: Pseudonyms::new(key),
        named: HashSet::new(),
    };
    // First whatever is surely a name: such a word is replaced in texts too, even where SQL has the same word.
    redactor.learn(&document, &Place::top());
    redactor.value(&mut document, &Place::top());
    Facts::from_json(&document.to_string())
}

struct Redactor {
    pseudonyms: Pseudonyms,
    named: HashSet<String>,
}

impl Redactor {
    fn learn(&mut self, value: &Value, place: &Place<'_>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    if place.has_names_for_keys() {
                        self.learn_name(key);
                    }
                    self.learn(field, &place.inside(key, fields));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item, place)),
            Value::String(text) if place.class == Class::Name => self.learn_name(text),
            _ => {}
        }
    }

    fn learn_name(&mut self, text: &str) {
        for word in runs(text, |c| c.is_alphanumeric() || c == '_') {
            if let Run::Inside(word) = word {
                for part in parts(word) {
                    self.pseudonyms.avoid(part);
                }
                self.named.insert(word.to_lowercase());
            }
        }
    }

    fn value(&mut self, value: &mut Value, place: &Place<'_>) {
        match value {
            Value::Object(fields) if place.is_unknown(fields) => {
                if let Some(detail) = fields.get_mut("detail") {
                    *detail = Value::String(reason(detail.as_str().unwrap_or_default()));
                }
            }
            Value::Object(fields) => {
                let before = std::mem::take(fields);
                let mut after = Map::new();
                for (key, field) in &before {
                    let mut field = field.clone();
                    self.value(&mut field, &place.inside(key, &before));
                    let key = if place.has_names_for_keys() {
                        self.name(key)
                    } else {
                        key.clone()
                    };
                    after.insert(key, field);
                }
                *fields = after;
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, place)),
            Value::String(text) => {
                *text = match place.class {
                    Class::Keep => std::mem::take(text),
                    Class::Name => self.name(text),
                    Class::Type => self.words(text, false),
                    Class::Text => self.words(text, true),
                    Class::Statement => self.statement(text),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A name, or several in one: of a table, a role, a host, an ARN.
    fn name(&mut self, text: &str) -> String {
        // Groups of AWS's own, and its tags.
        if text.starts_with("default.")
            || text.starts_with("aws:")
            || text.starts_with("cluster:default.")
            || text.starts_with("instance:default.")
        {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for piece in rules::around_regions(text) {
            let piece = match piece {
                Ok(plain) => plain,
                Err(region) => {
                    out.push_str(region);
                    continue;
                }
            };
            for run in runs(piece, |c| c.is_alphanumeric() || c == '_') {
                match run {
                    Run::Outside(gap) => out.push_str(gap),
                    Run::Inside(word) if WORDS.names.contains(word) => out.push_str(word),
                    Run::Inside(word) => self.word(word, &mut out),
                }
            }
        }
        // The kind of resource in an ARN is no name.
        rules::with_kind_of(text, out)
    }

    /// A word of a name, part by part.
    fn word(&mut self, word: &str, out: &mut String) {
        for run in runs(word, char::is_alphanumeric) {
            match run {
                Run::Outside(gap) => out.push_str(gap),
                Run::Inside(part) if WORDS.parts.contains(part) => out.push_str(part),
                Run::Inside(part) => out.push_str(&self.pseudonyms.of(part)),
            }
        }
    }

    /// A text in which names occur among words that stay; those that are names elsewhere only where `names_win` is false.
    fn words(&mut self, text: &str, names_win: bool) -> String {
        if rules::is_machine_text(text) {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for run in runs(text, |c| c.is_alphanumeric() || c == '_') {
            match run {
                Run::Outside(gap) => out.push_str(gap),
                Run::Inside(word) => {
                    let lower = word.to_lowercase();
                    let plain = word.len() < 12 && word.bytes().all(|b| b.is_ascii_digit());
                    let known = WORDS.types.contains(&*lower) || WORDS.prose.contains(&*lower);
                    let name = names_win && self.named.contains(&lower);
                    if plain || WORDS.names.contains(&*lower) || known && !name {
                        out.push_str(word);
                    } else {
                        self.word(word, &mut out);
                    }
                }
            }
        }
        out
    }

    /// What somebody runs: its first two words where they are SQL's, which tell what kind of statement it is.
    fn statement(&mut self, text: &str) -> String {
        let head: Vec<&str> = text
            .split_whitespace()
            .take(2)
            .take_while(|word| WORDS.prose.contains(&*word.to_lowercase()))
            .collect();
        // What makes or drops partitions is judged by this word wherever it stands.
        let lower = text.to_lowercase();
        let partitions = ["run_maintenance", "partman", "partition"]
            .into_iter()
            .find(|word| lower.contains(word));
        let head: Vec<&str> = head.into_iter().chain(partitions).collect();
        // Statements that differ stay different, and as long as they were no longer than they are.
        format!("{} {}", head.join(" "), self.pseudonyms.digest(text))
            .trim()
            .to_owned()
    }
}

/// SQLSTATEs and IAM actions are the same for everyone; the rest of a reason may quote anything.
fn reason(detail: &str) -> String {
    let states = detail
        .rsplit_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    let state =
        states.filter(|s| s.len() == 5 && s.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
    let action = detail.split_whitespace().find(|word| {
        word.strip_prefix("rds:")
            .is_some_and(|a| a.chars().all(char::is_alphanumeric))
    });
    match (state, action) {
        (Some(state), _) => format!("{LEFT_OUT} ({state})"),
        (None, Some(action)) => format!("{LEFT_OUT}: {action}"),
        (None, None) => LEFT_OUT.to_owned(),
    }
}

/// A stretch of text that is of one kind.
enum Run<'a> {
    Inside(&'a str),
    Outside(&'a str),
}

fn runs(text: &str, inside: impl Fn(char) -> bool + Copy) -> Vec<Run<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = inside(first);
        let end = rest.find(|c| inside(c) != kind).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(end);
        out.push(if kind {
            Run::Inside(head)
        } else {
            Run::Outside(head)
        });
        rest = tail;
    }
    out
}

fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
}
