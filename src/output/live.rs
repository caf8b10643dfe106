//! A block of lines that is drawn over itself. Pure: it gives the text that a terminal is to get.
//!
//! It only goes up over its own lines, so that whatever stands above stays, and cuts what would wrap: a wrapped line is two
//! for the cursor. No alternate screen, no cursor hiding: whatever kills the program leaves the terminal as it was.

use unicode_width::UnicodeWidthChar as _;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Block {
    /// Lines that stand on the terminal.
    drawn: usize,
}

impl Block {
    /// Draws these lines in place of the last.
    pub(crate) fn draw(&mut self, lines: &[String], columns: usize) -> String {
        let mut text = self.clear();
        for line in lines {
            text.push_str(&cut(line, columns));
            text.push('\n');
        }
        self.drawn = lines.len();
        text
    }

    /// Takes the block away; empty where none stands.
    pub(crate) fn clear(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\r\x1b[J"),
        }
    }
}

/// A line that fits. Colours take no room; where it is cut they are switched off.
pub(crate) fn cut(line: &str, columns: usize) -> String {
    let mut out = String::new();
    let (mut width, mut escape) = (0, false);
    for c in line.chars() {
        escape |= c == '\x1b';
        if escape {
            out.push(c);
            escape = !(c.is_ascii_alphabetic());
            continue;
        }
        width += c.width().unwrap_or(0);
        if width >= columns {
            if out.contains('\x1b') {
                out.push_str("\x1b[0m");
            }
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_never_wrap() {
        assert_eq!(cut("abcdef", 4), "abc");
        assert_eq!(cut("日本語", 5), "日本");
        assert_eq!(cut("ab", 80), "ab");
        assert_eq!(cut("\x1b[31mabcdef\x1b[0m", 4), "\x1b[31mabc\x1b[0m");
    }

    #[test]
    fn a_block_replaces_its_own_lines_only() {
        let mut block = Block::default();
        assert_eq!(block.draw(&["a".into(), "b".into()], 80), "a\nb\n");
        assert_eq!(block.draw(&["c".into()], 80), "\x1b[2A\r\x1b[Jc\n");
        assert_eq!(block.clear(), "\x1b[1A\r\x1b[J");
        assert_eq!(block.clear(), "");
    }
}
