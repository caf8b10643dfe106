//! Identifiers as RDS makes them: random, of a fixed shape.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

fn random() -> u64 {
    // Every `RandomState` has its own keys, drawn from the system once a thread and counted up from there.
    RandomState::new().build_hasher().finish()
}

fn text(alphabet: &[u8], length: usize) -> String {
    let mut out = String::with_capacity(length);
    while out.len() < length {
        let mut bits = random();
        for _ in 0..10.min(length - out.len()) {
            let index = usize::try_from(bits % alphabet.len() as u64).expect("smaller than the alphabet");
            out.push(char::from(alphabet[index]));
            bits /= alphabet.len() as u64;
        }
    }
    out
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";

/// `bgd-` and 16 characters.
pub(crate) fn deployment() -> String {
    format!("bgd-{}", text(LOWER, 16))
}

/// `<name>-green-<6 characters>`
pub(crate) fn green(name: &str) -> String {
    format!("{name}-green-{}", text(LOWER, 6))
}

/// `cluster-` or `db-` and 26 characters.
pub(crate) fn resource(prefix: &str) -> String {
    format!("{prefix}-{}", text(UPPER, 26))
}

/// A request ID in the shape of a UUID.
pub(crate) fn request() -> String {
    let hex = text(HEX, 32);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
