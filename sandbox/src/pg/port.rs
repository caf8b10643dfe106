//! Free ports. They are taken from below the range that operating systems hand to outgoing connections, so that a
//! port stays free while its server restarts, and no two servers of this process get the same one.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use super::Result;
use super::binaries::random_hex;

/// From here on, `SPAN` ports.
const FIRST: u16 = 15_000;
const SPAN: u16 = 17_000;

static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that this process has put aside until the value is dropped. Another process may still take it: starting a
/// server must be ready for that.
#[derive(Debug)]
pub(crate) struct Port(u16);

impl Port {
    pub(crate) fn reserve() -> Result<Self> {
        loop {
            let word = random_hex(4)?;
            let random = u32::from_str_radix(&word, 16).unwrap_or_default();
            let offset = u16::try_from(random % u32::from(SPAN)).unwrap_or_default();
            let port = FIRST + offset;
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = taken.get_or_insert_with(HashSet::new);
            if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
                taken.insert(port);
                return Ok(Self(port));
            }
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.0
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if let Some(taken) = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            taken.remove(&self.0);
        }
    }
}
