//! Texts of strangers (names, errors, answers of APIs) before they are shown: they may hold control characters, or marks that turn
//! the direction of writing, and neither a terminal nor a reader must be led astray by them.

use std::borrow::Cow;

/// The longest text of a stranger that goes into a message of ours, in characters.
const LONGEST_QUOTE: usize = 300;

/// Whether a character is not what it shows: a control character other than a line's end, or a mark that turns writing round.
fn is_odd(c: char) -> bool {
    c.is_control() && c != '\n' || turns_writing(c)
}

fn turns_writing(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The text with each odd character replaced. Line breaks stay; a line never begins as a command of GitHub Actions does.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
            // In a log of GitHub Actions a line that begins so is a command.
            if line.trim_start().starts_with("::") {
                out.push('\u{FFFD}');
            }
        }
        out.push_str(&even(line));
    }
    out
}

/// The text with each odd character replaced and nothing else changed: for a whole page, whose lines are our own.
pub fn even(text: &str) -> String {
    text.chars()
        .map(|c| if is_odd(c) { '\u{FFFD}' } else { c })
        .collect()
}

/// The text within a sentence of ours: in one line, without odd characters.
pub fn in_line(text: &str) -> String {
    flat(text.chars())
}

/// The same, and not too long.
pub fn quoted(text: &str) -> String {
    flat(text.chars().take(LONGEST_QUOTE))
}

fn flat(text: impl Iterator<Item = char>) -> String {
    let plain = text.filter(|c| !turns_writing(*c)).map(|c| match c {
        c if c.is_whitespace() || c.is_control() => ' ',
        c => c,
    });
    plain.collect::<String>().trim().to_owned()
}

/// A text that may hold our own colours, without anything else that moves a terminal: the last line of defence behind the
/// renderers, which each escape what they show. Marks that turn writing stay: what is printed may be data.
pub fn tame(text: &str) -> Cow<'_, str> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(odd) {
        let (plain, odd) = rest.split_at(at);
        out.push_str(plain);
        let color = odd.strip_prefix("\x1b[").and_then(|code| {
            let length = code.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
            code[length..].starts_with('m').then_some(length + 3)
        });
        let length = match color {
            Some(length) => {
                out.push_str(&odd[..length]);
                length
            }
            None => {
                out.push('\u{FFFD}');
                odd.chars().next().map_or(1, char::len_utf8)
            }
        };
        rest = &odd[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// An event of a log, with our own colours: what a stranger put into it begins no line of its own.
pub fn event(text: &str) -> String {
    let (event, end) = match text.strip_suffix('\n') {
        Some(event) => (event, "\n"),
        None => (text, ""),
    };
    let stranger = |c: char| c == '\n' || turns_writing(c);
    format!("{}{end}", tame(event).replace(stranger, "\u{FFFD}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colours_reaches_the_terminal() {
        assert_eq!(tame("a\x1b[1;31mred\x1b[0m\n\tb"), "a\x1b[1;31mred\x1b[0m\n\tb");
        assert_eq!(
            tame("\x1b[2J\x1b]0;title\x07\r\u{9b}2J\x1b"),
            "\u{FFFD}[2J\u{FFFD}]0;title\u{FFFD}\u{FFFD}\u{FFFD}2J\u{FFFD}"
        );
        assert_eq!(tame("é✓\u{202e}"), "é✓\u{202e}", "data stays as it is");
    }

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(
            event("\x1b[34mDEBUG\x1b[0m told\n::error::x\u{202e}\n"),
            "\x1b[34mDEBUG\x1b[0m told\u{FFFD}::error::x\u{FFFD}\n"
        );
    }

    #[test]
    fn one_rule_in_two_forms() {
        let odd = "a\x1b[2J\u{202e}\u{061c}b\n::error::c";
        assert_eq!(
            printable(odd),
            "a\u{FFFD}[2J\u{FFFD}\u{FFFD}b\n\u{FFFD}::error::c"
        );
        assert_eq!(quoted(odd), "a [2Jb ::error::c");
        assert_eq!(quoted(&"x".repeat(999)).len(), LONGEST_QUOTE);
        assert_eq!(in_line(&"x".repeat(999)).len(), 999);
        for text in [printable(odd), quoted(odd), in_line(odd)] {
            assert!(!text.contains(is_odd), "{text:?}");
        }
    }
}
