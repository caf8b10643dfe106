//! How large an answer of a server may be. The driver keeps a message until it is whole, and a query's rows until they are
//! taken; a server that never ends either must cost an error and not this machine's memory.
//!
//! Every message of a server after the negotiation of TLS is a kind (one byte) and its length with these four bytes
//! (<https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>); `ReadyForQuery` ends the answer
//! to a query. So the bytes can be counted as they come in, without keeping any.

/// Bytes of one answer: the rows of a probe, with whatever else the server says meanwhile. Half a million rows of 250 bytes.
pub(super) const MOST: usize = 128 << 20;

const READY_FOR_QUERY: u8 = b'Z';

/// What has come in of the answer at hand.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 5],
    /// Bytes of the header that are known.
    known: usize,
    /// Bytes of the message's body that are still to come.
    body: usize,
    /// Bytes of the answer, as far as they have come in or are announced.
    answer: usize,
}

impl Frames {
    /// Counts bytes that have just come in.
    ///
    /// # Errors
    /// Where the answer is, or says that it will be, longer than [`MOST`].
    pub(super) fn count(&mut self, mut fresh: &[u8]) -> Result<(), String> {
        while !fresh.is_empty() {
            if self.body > 0 {
                let (_, rest) = fresh.split_at(self.body.min(fresh.len()));
                self.body -= fresh.len() - rest.len();
                fresh = rest;
                continue;
            }
            let (start, rest) = fresh.split_at((5 - self.known).min(fresh.len()));
            self.header[self.known..][..start.len()].copy_from_slice(start);
            self.known += start.len();
            fresh = rest;
            if self.known == 5 {
                self.known = 0;
                self.begin()?;
            }
        }
        Ok(())
    }

    /// A header is whole.
    fn begin(&mut self) -> Result<(), String> {
        let [kind, a, b, c, d] = self.header;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        self.body = length.saturating_sub(4);
        self.answer = self.answer.saturating_add(length.saturating_add(1));
        if self.answer > MOST {
            return Err(format!(
                "the server's answer is longer than {} MiB, which greenlight does not take",
                MOST >> 20
            ));
        }
        if kind == READY_FOR_QUERY {
            self.answer = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: usize) -> Vec<u8> {
        let length = u32::try_from(body + 4).expect("short");
        [&[kind][..], &length.to_be_bytes(), &vec![0; body]].concat()
    }

    #[test]
    fn answers_end_with_ready_for_query() {
        let mut frames = Frames::default();
        for _ in 0..3 {
            // However the bytes are cut.
            let answer = [message(b'D', 60 << 20), message(b'D', 60 << 20), message(b'Z', 1)].concat();
            for piece in answer.chunks((1 << 20) + 1) {
                frames.count(piece).expect("as long as it may be");
            }
        }
        let mut frames = Frames::default();
        let small = [message(b'N', 0), message(b'D', 3), message(b'Z', 1)].concat();
        for byte in small.repeat(2) {
            frames.count(&[byte]).expect("short");
        }
        assert_eq!((frames.answer, frames.body, frames.known), (0, 0, 0));
    }

    #[test]
    fn too_long_an_answer_is_refused_before_it_has_come() {
        let mut frames = Frames::default();
        let error = frames
            .count(b"D\x7f\xff\xff\xff")
            .expect_err("2 GiB are announced");
        assert!(error.contains("longer than 128 MiB"), "{error}");
        // Many short ones, notices among them.
        let mut frames = Frames::default();
        let notices = [message(b'N', 1 << 16), message(b'D', 1 << 16)].concat();
        let taken = (0..).find(|_| frames.count(&notices).is_err()).expect("endless");
        assert_eq!(taken, MOST / notices.len());
    }
}
