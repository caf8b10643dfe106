//! A word for a word: of the same shape, never one that is in use, and not to be undone without the key.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use crate::model::hex;

/// Letters in place of letters outside ASCII, by how many bytes they take: names are limited in bytes.
const LONGER: [&[char]; 3] = [
    &[
        'ä', 'é', 'ï', 'ø', 'ü', 'ñ', 'ç', 'å', 'ё', 'ж', 'и', 'я', 'λ', 'π', 'ω', 'ð',
    ],
    &[
        '一', '二', '三', '四', '五', '六', '七', '八', '九', '十', '水', '火', '木', '金', '土', '日',
    ],
    &[
        '𠀀', '𠀁', '𠀂', '𠀃', '𠀄', '𠀅', '𠀆', '𠀇', '𠀈', '𠀉', '𠀊', '𠀋', '𠀌', '𠀍', '𠀎', '𠀏',
    ],
];

/// Tries before words that occur in the document themselves are taken.
const TRIES: u32 = 200;

pub(super) struct Pseudonyms {
    key: Vec<u8>,
    of: HashMap<String, String>,
    used: HashSet<String>,
    avoided: HashSet<String>,
}

impl Pseudonyms {
    pub(super) fn new(key: &[u8]) -> Self {
        Self {
            key: key.to_vec(),
            of: HashMap::new(),
            used: HashSet::new(),
            avoided: HashSet::new(),
        }
    }

    /// Words that no pseudonym should be, since they are names here.
    pub(super) fn avoid(&mut self, word: &str) {
        self.avoided.insert(word.to_lowercase());
    }

    /// The pseudonym of a word. Words that differ in case alone have pseudonyms that differ in case alone.
    pub(super) fn of(&mut self, word: &str) -> String {
        let lower = word.to_lowercase();
        let made = match self.of.get(&lower) {
            Some(made) => made.clone(),
            None => {
                let made = self.make(&lower);
                self.used.insert(made.clone());
                self.of.insert(lower.clone(), made.clone());
                made
            }
        };
        // Where lower case is another length the pattern cannot be laid over it.
        if made.chars().count() != word.chars().count() {
            return made;
        }
        made.chars()
            .zip(word.chars())
            .map(|(new, old)| {
                if old.is_ascii_uppercase() {
                    new.to_ascii_uppercase()
                } else {
                    new
                }
            })
            .collect()
    }

    fn make(&self, lower: &str) -> String {
        let mut taken = None;
        for round in 0..TRIES * 100 {
            let candidate = self.candidate(lower, round);
            if self.used.contains(&candidate) {
                continue;
            }
            if round < TRIES && (self.avoided.contains(&candidate) || candidate == lower) {
                continue;
            }
            taken = Some(candidate);
            break;
        }
        // A shape of which every word is in use: longer by what makes it one of its own.
        taken.unwrap_or_else(|| format!("{}{}", self.candidate(lower, 0), self.used.len()))
    }

    fn candidate(&self, lower: &str, round: u32) -> String {
        let stream = self.stream(lower, round);
        lower
            .chars()
            .zip(stream)
            .map(|(c, random)| match c {
                '0'..='9' => char::from(b'0' + random % 10),
                'a'..='z' => char::from(b'a' + random % 26),
                other => {
                    let letters = LONGER[other.len_utf8().clamp(2, 4) - 2];
                    letters[usize::from(random) % letters.len()]
                }
            })
            .collect()
    }

    /// As many bytes as are asked for, from the key, the word and the round.
    fn stream(&self, word: &str, round: u32) -> impl Iterator<Item = u8> {
        let seed = self.hash(&[word.as_bytes(), &round.to_be_bytes()]);
        (0_u32..).flat_map(move |block| Sha256::digest([&seed[..], &block.to_be_bytes()].concat()).to_vec())
    }

    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut hash = Sha256::new();
        // Lengths first, so that no two inputs look alike.
        for part in [&self.key[..]].iter().chain(parts) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    /// A short word for a whole text.
    pub(super) fn digest(&self, text: &str) -> String {
        hex(&self.hash(&[b"text", text.as_bytes()])[..5])
    }
}
