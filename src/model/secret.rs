//! Text that must not be seen.
//!
//! A [`Secret`] shows and serialises as `***`. The only way to the text is [`Secret::expose`], so that a search for that
//! word lists every place where a password leaves the type.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in place of a secret.
pub const REDACTED: &str = "***";

/// Shorter secrets are not looked for in other people's text: `a` as a password would blot out half of every message.
const SHORTEST_SCRUBBED: usize = 3;

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
    fn scrubs_repetitions() {
        assert_eq!(Secret::new("pw1").scrub("said pw1 and pw1"), "said *** and ***");
        assert_eq!(Secret::new("").scrub("nothing"), "nothing");
        assert_eq!(Secret::new("a").scrub("a cat"), "a cat");
    }
}
