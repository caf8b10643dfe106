//! A Markdown page for the terminal: headings, lists, tables and code, wrapped to its width, with or without colour.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style as Ansi};
use comfy_table::{ContentArrangement, Table, presets};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr as _;

use super::{Style, text::printable};

const HEADING: Ansi = AnsiColor::Green.on_default().bold();
const CODE: Ansi = AnsiColor::Cyan.on_default();

/// Renders a page.
pub fn render(markdown: &str, style: Style) -> String {
    let mut page = Page {
        out: String::new(),
        style,
        inline: Vec::new(),
        look: Vec::new(),
        lists: Vec::new(),
        marker: None,
        quote: 0,
        code: None,
        table: None,
        link: None,
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        page.event(event);
    }
    page.out.trim_start_matches('\n').to_owned()
}

/// A list: the number of its next item, or none for bullets.
type List = Option<u64>;

struct Page {
    out: String,
    style: Style,
    /// The paragraph at hand: pieces and how they look.
    inline: Vec<(String, Ansi)>,
    look: Vec<Ansi>,
    lists: Vec<List>,
    /// What the next line of a list item begins with.
    marker: Option<String>,
    quote: usize,
    code: Option<String>,
    table: Option<Vec<Vec<String>>>,
    link: Option<String>,
}

impl Page {
    fn paint(&self, style: Ansi, text: &str) -> String {
        if self.style.color && style != Ansi::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn push(&mut self, text: &str) {
        let look = self.look.last().copied().unwrap_or_default();
        self.inline.push((printable(text), look));
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.push(&text),
            },
            Event::Code(text) => {
                let shown = if self.style.color {
                    text.to_string()
                } else {
                    format!("`{text}`")
                };
                self.inline.push((printable(&shown), CODE));
            }
            Event::SoftBreak => self.push(" "),
            Event::HardBreak => self.push("\n"),
            Event::Rule => self.out.push_str("\n---\n"),
            Event::Html(text) | Event::InlineHtml(text) => self.push(&text),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.look.push(HEADING),
            Tag::Strong => self.look.push(Ansi::new().bold()),
            Tag::Emphasis => self.look.push(Ansi::new().italic()),
            Tag::Strikethrough => self.look.push(Ansi::new().strikethrough()),
            Tag::BlockQuote(_) => self.quote += 1,
            Tag::CodeBlock(kind) => {
                self.flush();
                // The info string's own words (`sql probe=tables when=">=13"`) tell variants of a query apart.
                if let CodeBlockKind::Fenced(info) = &kind
                    && let Some((_, words)) = info.split_once(' ')
                {
                    let words = self.paint(Ansi::new().dimmed(), words);
                    let _ = write!(self.out, "\n    {words}\n");
                }
                self.code = Some(String::new());
            }
            Tag::List(first) => {
                self.flush();
                if self.lists.is_empty() {
                    self.out.push('\n');
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.flush();
                let marker = match self.lists.last_mut() {
                    Some(Some(n)) => {
                        *n += 1;
                        format!("{}. ", *n - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.marker = Some(marker);
            }
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.to_string()),
            Tag::Table(_) => self.table = Some(Vec::new()),
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.look.pop();
                let text: String = self.inline.drain(..).map(|(text, _)| text).collect();
                let text = self.paint(HEADING, &text.to_uppercase());
                let _ = write!(self.out, "\n{text}\n");
            }
            TagEnd::Strong | TagEnd::Emphasis | TagEnd::Strikethrough => {
                self.look.pop();
            }
            TagEnd::Paragraph => {
                if self.lists.is_empty() {
                    self.out.push('\n');
                }
                self.flush();
            }
            TagEnd::Item => {
                self.flush();
                self.marker = None;
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::BlockQuote(_) => self.quote -= 1,
            TagEnd::CodeBlock => {
                let code = self.code.take().unwrap_or_default();
                self.out.push('\n');
                for line in code.trim_end().lines() {
                    let line = self.paint(CODE, &printable(line));
                    let _ = writeln!(self.out, "    {line}");
                }
            }
            TagEnd::Link => {
                let url = self.link.take().unwrap_or_default();
                if self.inline.last().is_none_or(|(text, _)| *text != url) {
                    self.push(&format!(" <{url}>"));
                }
            }
            TagEnd::TableCell => {
                let text: String = self.inline.drain(..).map(|(text, _)| text).collect();
                if let Some(row) = self.table.as_mut().and_then(|table| table.last_mut()) {
                    row.push(text);
                }
            }
            TagEnd::Table => self.show_table(),
            _ => {}
        }
    }

    fn show_table(&mut self) {
        let mut rows = self.table.take().unwrap_or_default().into_iter();
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(self.style.width.saturating_sub(2)).unwrap_or(u16::MAX));
        if let Some(header) = rows.next() {
            table.set_header(header);
        }
        for row in rows {
            table.add_row(row);
        }
        self.out.push('\n');
        for line in table.to_string().lines() {
            let _ = writeln!(self.out, " {}", line.trim_end());
        }
    }

    /// Writes the paragraph at hand, wrapped.
    fn flush(&mut self) {
        let pieces: Vec<(String, Ansi)> = self.inline.drain(..).collect();
        if pieces.iter().all(|(text, _)| text.trim().is_empty()) {
            return;
        }
        let depth = self.lists.len().saturating_sub(1) * 2 + self.quote * 2;
        let marker = self.marker.take();
        let hang = if self.lists.is_empty() { 0 } else { 2 };
        let first = marker.unwrap_or_else(|| " ".repeat(hang));
        let pad = " ".repeat(depth + first.width().max(hang));
        let room = self.style.width.min(100).saturating_sub(pad.len()).max(20);
        let _ = write!(self.out, "{}{first}", " ".repeat(depth));
        let mut column = 0;
        let mut gap = false;
        for (text, look) in &pieces {
            for (n, line) in text.split('\n').enumerate() {
                if n > 0 {
                    let _ = write!(self.out, "\n{pad}");
                    (column, gap) = (0, false);
                }
                for (n, word) in line.split(' ').enumerate() {
                    gap = gap || n > 0;
                    if word.is_empty() {
                        continue;
                    }
                    let size = word.width();
                    if gap && column > 0 && column + 1 + size > room {
                        let _ = write!(self.out, "\n{pad}");
                        column = 0;
                    } else if gap && column > 0 {
                        self.out.push(' ');
                        column += 1;
                    }
                    gap = false;
                    let word = self.paint(*look, word);
                    self.out.push_str(&word);
                    column += size;
                }
            }
        }
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(markdown: &str, width: usize) -> String {
        render(
            markdown,
            Style {
                color: false,
                width,
                verbose: false,
            },
        )
    }

    #[test]
    fn shows_headings_code_lists_and_tables() {
        let text = plain(
            "Some *prose* with `code` that is long enough to wrap.\n\n## Query\n\n```sql when=\">=13\"\nselect 1\n```\n\n\
             - one\n- two with [a link](https://example.org)\n\n1. first\n2. second\n\n| a | b |\n| --- | --- |\n| x | `y` |\n",
            40,
        );
        insta::assert_snapshot!(text, @r#"
        Some prose with `code` that is long
        enough to wrap.

        QUERY

            when=">=13"

            select 1

        - one
        - two with a link <https://example.org>

        1. first
        2. second

          a  b
          x  `y`
        "#);
    }

    #[test]
    fn glued_pieces_stay_glued() {
        assert_eq!(plain("**bold**, `code`; (*x*).", 80), "bold, `code`; (x).\n");
    }
}
