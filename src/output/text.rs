//! Words and lines for people: plurals, sizes, wrapping.

use unicode_width::UnicodeWidthStr as _;

use crate::model::percent_encoded;
pub(crate) use crate::model::{count, shown::printable, size as bytes};

/// A text on one line, for what has no business on several.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\u{FFFD}")
}

/// At most so many characters, with an ellipsis where something was cut off.
pub(crate) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Breaks a text at spaces so that it fits; every line after the first begins with `indent` spaces, and the first is
/// taken to begin at column `indent`. What has no space to break at stays whole, so that it can be copied.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let pad = " ".repeat(indent);
    let mut out = String::new();
    for (n, line) in printable(text).lines().enumerate() {
        if n > 0 {
            out.push('\n');
            out.push_str(&pad);
        }
        let mut column = 0;
        for word in line.split(' ') {
            let size = word.width();
            if column > 0 && column + 1 + size > room {
                out.push('\n');
                out.push_str(&pad);
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            if column == 0 && word.starts_with("::") {
                // Not even by wrapping does a name become a command of GitHub Actions.
                out.push('\u{FFFD}');
            }
            out.push_str(word);
            column += size;
        }
    }
    out
}

/// A relative path as a URI reference.
pub(crate) fn uri(path: &str) -> String {
    percent_encoded(path).replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(
            (bytes(512), bytes(1536), bytes(16 << 20)),
            ("512 bytes".into(), "1.5 KiB".into(), "16.0 MiB".into())
        );
    }

    #[test]
    fn wraps_by_width_and_keeps_long_words() {
        assert_eq!(wrap("one two three", 24, 2), "one two three");
        assert_eq!(
            wrap("eleven letters make a line too long", 30, 4),
            "eleven letters make a line\n    too long"
        );
        assert_eq!(wrap("x\u{1b}[31m", 80, 0), "x\u{FFFD}[31m");
        assert_eq!(one_line("a\nb\u{202e}c"), "a\u{FFFD}b\u{FFFD}c");
        assert_eq!((clip("öäü", 2), clip("öä", 2)), ("öä…".into(), "öä".into()));
    }
}
