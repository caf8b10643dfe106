//! Positions in the write-ahead log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A `pg_lsn`: a byte position in the write-ahead log, written `16/B374D848`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// Bytes from `earlier` to here; 0 when it lies ahead.
    pub fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not an LSN like 16/B374D848");
        let (high, low) = text.split_once('/').ok_or_else(bad)?;
        let part = |s: &str| u32::from_str_radix(s, 16).map(u64::from).map_err(|_| bad());
        Ok(Self(part(high)? << 32 | part(low)?))
    }
}

impl TryFrom<String> for Lsn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_like_postgresql() {
        let lsn: Lsn = "16/B374D848".parse().expect("an LSN");
        assert_eq!(lsn.to_string(), "16/B374D848");
        assert_eq!(lsn.bytes_since("16/B374D800".parse().expect("an LSN")), 0x48);
        assert_eq!(Lsn(1).bytes_since(Lsn(2)), 0);
        assert!("16".parse::<Lsn>().is_err() && "16/XYZ".parse::<Lsn>().is_err());
    }
}
