//! Reading to an end that may never come.

use std::io::{self, Read};

/// All that `from` holds.
///
/// # Errors
/// Where it cannot be read, or holds more than `most` bytes, as a device, a pipe or a file that grows may; `which` ends that sentence.
pub(crate) fn read(from: impl Read, most: u64, which: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(most + 1).read_to_end(&mut bytes)?;
    if read as u64 > most {
        let why = format!("it is longer than {} MiB, which {which}", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_found_or_none_is_waited_for() {
        let most = 1 << 20;
        let fits = read(io::repeat(b'x').take(most), most, "nobody writes");
        assert_eq!(fits.expect("just fits").len() as u64, most);
        let error = read(io::repeat(b'x'), most, "nobody writes").expect_err("has no end");
        assert_eq!(error.to_string(), "it is longer than 1 MiB, which nobody writes");
    }
}
