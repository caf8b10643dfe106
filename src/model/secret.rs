//! Text that must not be seen.
//!
//! A [`Secret`] shows and serialises as `***`. The only way to the text is [`Secret::expose`], so that a search for that
//! word lists every place where a password leaves the type.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in place of a secret.
pub const REDACTED: &str = "***";

/// Shorter secrets are not looked for in other people's text: `a` as a password would blot out half of every message.
const SHORTEST_SCRUBBED: usize = 3;

/// Secrets as short as a word of our own messages are not looked for everywhere.
const SHORTEST_REMEMBERED: usize = 8;

/// Secrets of this process that somebody else may repeat: an API that echoes a request, a program, a proxy.
static KNOWN: Mutex<Vec<Secret>> = Mutex::new(Vec::new());

/// From now on this secret is blotted out of whatever [`blotted`] is asked about.
pub fn remember(secret: Secret) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.0.len() >= SHORTEST_REMEMBERED && !known.contains(&secret) {
        known.push(secret);
        // The longer one first, where one secret is part of another.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
    }
}

/// A text with each secret that is remembered blotted out: the last line of defence before a text of strangers is shown.
pub fn blotted(text: &str) -> String {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .iter()
        .fold(text.to_owned(), |text, secret| secret.scrub(&text))
}

/// A password or token. `Debug`, `Display` and `Serialize` give `***`.
///
/// Memory is not wiped when it is dropped: the driver and the TLS library keep copies of their own that nobody wipes.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with each occurrence of this secret blotted out, for words that came from a server or a program which may
    /// repeat what it was told.
    pub fn scrub(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_SCRUBBED {
            text.to_owned()
        } else {
            text.replace(&self.0, REDACTED)
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_showing_redacts() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?} {:?}", Some(&secret)),
            "*** *** *** Some(***)"
        );
        assert_eq!(
            serde_json::to_string(&secret).expect("a string serialises"),
            "\"***\""
        );
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn reads_from_json() {
        let secret: Secret = serde_json::from_str("\"p\\\"w\"").expect("a string is a secret");
        assert_eq!(secret.expose(), "p\"w");
    }

    #[test]
    fn remembered_secrets_are_blotted_out() {
        remember(Secret::new("planted-remembered"));
        remember(Secret::new("planted-remembered-longer"));
        remember(Secret::new("short"));
        assert_eq!(
            blotted("planted-remembered, planted-remembered-longer, short"),
            "***, ***, short"
        );
    }

    #[test]
    fn scrubs_repetitions() {
        assert_eq!(Secret::new("pw1").scrub("said pw1 and pw1"), "said *** and ***");
        assert_eq!(Secret::new("").scrub("nothing"), "nothing");
        assert_eq!(Secret::new("a").scrub("a cat"), "a cat");
    }
}
